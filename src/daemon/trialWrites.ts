/** What sponsors and approvers do: versions, signatures, halts. */
import { fromHex, toHex } from '../core/bytes.ts'
import { DUO_CODES, duoNumber } from '../core/duo.ts'
import type { MemberId } from '../core/ids.ts'
import { APPROVAL_MEANINGS, HALT_REASONS, TRIAL_BOUNDS } from '../governance/kinds/trials.ts'
import { type Body, readBody } from '../governance/kinds.ts'
import type { TrialRecord, Version } from '../governance/trials/book.ts'
import { nameFault } from '../governance/trials/naming.ts'
import { approvalStanding } from '../governance/trials/standing.ts'
import { text } from './bodyFields.ts'
import type { Signable } from './control.ts'
import type { TrialSaid } from './trialApi.ts'
import type { TrialDaemon, TrialDesk } from './trialDesk.ts'
import { hex32, oneOf, refused } from './trialFaults.ts'
import { signedBy } from './trialSigned.ts'

type Fields = Record<string, unknown>

/** A version as `trial new` and `trial amend` send it. Errors: `trial-…`. */
export function propose(daemon: TrialDaemon, desk: TrialDesk, fields: Fields): Promise<TrialSaid> {
  return desk.inTurn(async () => {
    const amended = fields.trial === undefined ? null : await desk.find(text(fields, 'trial'))
    if (amended !== null && amended.record.sponsor !== desk.self)
      throw refused(
        'trial-foreign',
        `trial ${amended.version.body.name} is ${daemon.nameOf(amended.record.sponsor as MemberId)}'s, who alone amends it: ask there`,
      )
    const last = amended?.record.versions.at(-1)
    const content = protocolOf(fields, amended?.record ?? null, last ?? null)
    if (last === undefined) await requireFree(daemon, desk, content.name)
    else if (content.name !== last.body.name)
      throw refused(
        'trial-name',
        `name: "${content.name}" was given, and a trial keeps its name: write "${last.body.name}"`,
      )
    if (last !== undefined && last.number >= TRIAL_BOUNDS.versionsMax)
      throw refused('trial-full', `${TRIAL_BOUNDS.versionsMax} versions of one trial are followed, and no more`)
    requireMembers(daemon, content)
    const key = fields.key === undefined ? null : hex32(fields, 'key')
    const state = key === null ? undefined : desk.secrets.keyState(content.document, key)
    const place = await desk.record('trial.protocol', content, last === undefined ? [] : [last.place], state)
    const { record } = await desk.find(amended?.record.id ?? place.hash)
    return desk.said(record, place)
  })
}

/** Error: `trial-name`. */
async function requireFree(daemon: TrialDaemon, desk: TrialDesk, name: string): Promise<void> {
  const fault = nameFault(await desk.book(), name, desk.self, (member) => daemon.nameOf(member))
  if (fault !== null) throw refused('trial-name', fault)
}

function protocolOf(fields: Fields, record: TrialRecord | null, last: Version | null): Body<'trial.protocol'> {
  const given = (fields.protocol ?? {}) as Record<string, unknown>
  const approvals = (given.approvals ?? []) as { meaning: string; by: string | null }[]
  const arms = (given.arms ?? []) as { arm: string; ratio: number }[]
  const consent = (given.consent ?? {}) as { required?: boolean; purposes?: string[] }
  try {
    const content = {
      trial: record === null ? null : fromHex(record.id),
      ...{
        name: given.name,
        version: (last?.number ?? 0) + 1,
        previous: last === null ? null : fromHex(last.place.hash),
      },
      document: hex32(fields, 'document'),
      disclosure: given.public === true ? 'public' : 'private',
      arms: arms.map(({ arm, ratio }) => [arm, ratio]),
      sites: (given.sites as string[]).map(fromHex),
      strata: given.strata,
      lists: fromHex(given.lists as string),
      approvals: approvals.map(({ meaning, by }) => [meaning, by === null ? null : fromHex(by)]),
      consent: consent.required === true ? 'required' : 'waived',
      purposes: DUO_CODES.filter((code) => consent.purposes?.includes(code)).map(duoNumber),
    }
    const read = readBody('trial.protocol', content as never)
    if (read !== null) return read
  } catch {
    // said below, as of anything else that is no version
  }
  throw refused(
    'trial-invalid',
    'the version is not what "consilium trial new FILE" reads; run it with the Consilium of this node',
  )
}

/** Error: `trial-no-member`. */
function requireMembers(daemon: TrialDaemon, { sites, lists, approvals }: Body<'trial.protocol'>): void {
  const { roll } = daemon.home.membership
  const named = [...sites, lists, ...approvals.flatMap(([, by]) => (by === null ? [] : [by]))]
  const stranger = named.map((key) => toHex(key) as MemberId).find((member) => !roll.isMember(member))
  if (stranger === undefined) return
  throw refused('trial-no-member', `${daemon.nameOf(stranger)} is no member now: see "consilium members"`)
}

/** A person's signature under the newest version. Errors: `trial-…`. */
export function approve(
  daemon: TrialDaemon,
  desk: TrialDesk,
  ref: string,
  fields: Fields,
  asked: Signable,
): Promise<TrialSaid> {
  return desk.inTurn(async () => {
    const { record, version } = await desk.find(ref)
    const meaning = oneOf('--meaning', text(fields, 'meaning'), APPROVAL_MEANINGS)
    const isSite = version.sites.includes(desk.self)
    const ours = version.approvals
      .filter(({ by }) => (by === null ? isSite : by === desk.self))
      .map((one) => one.meaning)
    if (!ours.includes(meaning)) {
      const which =
        ours.length === 0
          ? 'none is asked of this hospital'
          : `${ours.join(', ')} ${ours.length === 1 ? 'is' : 'are'} asked of this hospital`
      throw refused('trial-meaning', `--meaning: ${meaning} was given; of version ${version.number} ${which}`)
    }
    const protocol = text(fields, 'protocol')
    if (protocol !== version.place.hash)
      throw refused(
        'trial-version',
        `version ${version.number} (${version.place.hash.slice(0, 12)}) is the newest, and another was signed: read it, then sign it`,
      )
    const { state } = approvalStanding(record, version, meaning, desk.self, desk.cut)
    if (state === 'approved' || state === 'pending')
      throw refused(
        'trial-approved',
        `version ${version.number} has the ${meaning} of this hospital already${state === 'pending' ? ', which is not final yet' : ''}`,
      )
    const content = { trial: fromHex(record.id), protocol: fromHex(protocol), meaning }
    const body = await signedBy(daemon, desk, 'trial.approved', fields, asked, content)
    return desk.said(record, await desk.record('trial.approved', body, [version.place]))
  })
}

/** Takes an approval back, or halts. Errors: `trial-…`. */
export function withdraw(daemon: TrialDaemon, desk: TrialDesk, ref: string, fields: Fields): Promise<TrialSaid> {
  return desk.inTurn(async () => {
    const { record, version } = await desk.find(ref)
    const reason = oneOf('--reason', text(fields, 'reason'), HALT_REASONS)
    const what = oneOf('what', text(fields, 'what'), ['approval', 'halt'])
    const meaning = what === 'halt' ? null : oneOf('--approval', text(fields, 'meaning'), APPROVAL_MEANINGS)
    const mayHalt = record.sponsor === desk.self || version.sites.includes(desk.self)
    if (what === 'halt' && !mayHalt)
      throw refused(
        'trial-foreign',
        `${daemon.nameOf(record.sponsor as MemberId)} halts the trial, and a site at its own: this hospital is neither, and takes its approval back ("--approval MEANING")`,
      )
    const given = record.voices
      .get(desk.self)
      ?.of('trial.approved')
      .some(({ body }) => body.meaning === meaning)
    if (meaning !== null && given !== true)
      throw refused(
        'trial-meaning',
        `--approval: ${meaning} was given, and this hospital has signed none of that meaning: see "consilium trial show"`,
      )
    if (isStopped(record, version, what, meaning, desk))
      throw refused(
        'trial-withdrawn',
        `that is withdrawn already, up to version ${version.number}: see "consilium trial show"`,
      )
    const body = { trial: fromHex(record.id), what, version: version.number, meaning, reason }
    return desk.said(record, await desk.record('trial.withdrawn', body, [version.place]))
  })
}

function isStopped(
  record: TrialRecord,
  version: Version,
  what: 'approval' | 'halt',
  meaning: Body<'trial.approved'>['meaning'] | null,
  desk: TrialDesk,
): boolean {
  if (what === 'approval')
    return meaning !== null && approvalStanding(record, version, meaning, desk.self, desk.cut).state === 'withdrawn'
  return (record.voices.get(desk.self)?.of('trial.withdrawn') ?? []).some(
    ({ body }) => body.what === 'halt' && body.version >= version.number,
  )
}

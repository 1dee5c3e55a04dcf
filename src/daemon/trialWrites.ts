/** What sponsors, approvers, statisticians and data managers do: versions, signatures, halts, lists and locks. */
import { randomBytes } from 'node:crypto'
import { fromHex, toHex } from '../core/bytes.ts'
import { DUO_CODES } from '../core/duo.ts'
import type { Digest, MemberId } from '../core/ids.ts'
import {
  APPROVAL_MEANINGS,
  duoNumber,
  HALT_REASONS,
  TRIAL_BOUNDS,
  UNLOCK_REASONS,
  UNSEALING_REASONS,
} from '../governance/kinds/trials.ts'
import { type Body, readBody } from '../governance/kinds.ts'
import type { Person } from '../governance/people.ts'
import { readSignOff } from '../governance/signOff.ts'
import type { TrialRecord, TrialWord, Version } from '../governance/trials/book.ts'
import { designCommitment, designFault, drawList, drawnAgain, listTree } from '../governance/trials/randomisation.ts'
import { type SignedTrialKind, trialSignatureFault } from '../governance/trials/signature.ts'
import { allLists, approvalStanding, isFinal, siteStanding, versionNumbered } from '../governance/trials/standing.ts'
import { text } from './bodyFields.ts'
import type { Signable } from './control.ts'
import type { Daemon } from './daemon.ts'
import { memberOf } from './logFilter.ts'
import type { TrialOpened, TrialSaid } from './trialApi.ts'
import type { TrialDaemon, TrialDesk } from './trialDesk.ts'
import { oneOf, refused } from './trialFaults.ts'
import { armCounts } from './trialReports.ts'

type Fields = Record<string, unknown>
const KEY_BYTES = 32
const HEX_32 = /^[0-9a-f]{64}$/

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
function requireMembers({ home, nameOf }: TrialDaemon, { sites, lists, approvals }: Body<'trial.protocol'>): void {
  const named = [...sites, lists, ...approvals.flatMap(([, by]) => (by === null ? [] : [by]))]
  const stranger = named.map((key) => toHex(key) as MemberId).find((member) => !home.membership.roll.isMember(member))
  if (stranger === undefined) return
  throw refused('trial-no-member', `${nameOf(stranger)} is no member now: see "consilium members"`)
}

/** A person of this hospital's who signs a record itself; `content` is all of the body but the signature. */
async function signedBy<K extends SignedTrialKind>(
  daemon: TrialDaemon,
  desk: TrialDesk,
  kind: K,
  fields: Fields,
  asked: Signable,
  content: Omit<Body<K>, 'person' | 'signedAtMs' | 'signature'>,
): Promise<Body<K>> {
  const key = text(fields, 'signer') as MemberId
  const person: Person | undefined = daemon.people.people.holding(key)
  if (person === undefined)
    throw refused(
      'trial-signer',
      `${kind} is signed by a person, and the key that signed belongs to nobody who is enrolled here: "consilium person enrol CARD --role approver" first, then --as FILE`,
    )
  const also = asked.signOff === null ? null : readSignOff(asked.signOff)
  if (also !== null && also.key !== key)
    throw refused('trial-signer', 'the record and the call are signed by two people: sign both with one key')
  const signature = bytesOf(fields, 'signature', 64)
  const { signedAtMs } = fields
  const body = { ...content, person: fromHex(person.person), signedAtMs, signature } as unknown as Body<K>
  if (readBody(kind, body as never) === null)
    throw refused('trial-invalid', 'signedAtMs: milliseconds since 1970 are expected')
  const where = { founding: daemon.home.consortium.founding, member: desk.self }
  const fault = trialSignatureFault(where, kind, body, Date.now(), person)
  if (fault !== null) throw refused('trial-signature', `the signature does not hold: ${fault}`)
  return body
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

/** Draws a list for one site and stratum. Errors: `trial-…`, `member-unknown`. */
export function list(
  daemon: Daemon,
  desk: TrialDesk,
  ref: string,
  fields: Fields,
): Promise<TrialSaid & { size: number; list: string }> {
  return desk.inTurn(async () => {
    const { record, version } = await desk.find(ref)
    if (version.lists !== desk.self)
      throw refused(
        'trial-foreign',
        `lists of version ${version.number} are drawn by ${daemon.nameOf(version.lists)}: ask there`,
      )
    const site = memberOf(daemon, text(fields, 'site'))
    if (!version.sites.includes(site))
      throw refused('trial-no-site', `--site: ${daemon.nameOf(site)} is no site of version ${version.number}`)
    const stratum = stratumOf(fields, version)
    const positions = fields.positions as number
    if (
      !Number.isSafeInteger(positions) ||
      positions < 1 ||
      positions > TRIAL_BOUNDS.positionsMax - TRIAL_BOUNDS.blockMax
    )
      throw refused(
        'trial-positions',
        `--positions: ${JSON.stringify(positions)} was given, 1 to ${TRIAL_BOUNDS.positionsMax - TRIAL_BOUNDS.blockMax} are allowed`,
      )
    const blocks = Array.isArray(fields.blocks) ? (fields.blocks as number[]) : []
    const design = { ratios: version.ratios, blocks }
    const many =
      blocks.length > TRIAL_BOUNDS.blocksMax
        ? `${blocks.length} sizes were given, at most ${TRIAL_BOUNDS.blocksMax} are allowed`
        : null
    const fault = blocks.length === 0 ? 'sizes of blocks are expected, such as 4,6' : (many ?? designFault(design))
    if (fault !== null) throw refused('trial-blocks', `--blocks: ${fault}`)
    const seed = new Uint8Array(randomBytes(KEY_BYTES))
    const drawn = drawList(seed, design, positions)
    const root = listTree(seed, drawn).root()
    const size = drawn.arms.length
    const body = {
      ...{ trial: fromHex(record.id), version: version.number, site: fromHex(site), stratum, size, root },
      design: designCommitment(seed, design),
    }
    const place = await desk.record(
      'trial.list',
      body,
      [version.place],
      desk.secrets.listState(root, { seed, ...design }),
    )
    return { ...desk.said(record, place), size, list: place.hash }
  })
}

function stratumOf(fields: Fields, { body }: Version): string | null {
  const given = fields.stratum === undefined ? null : text(fields, 'stratum')
  if (given === null ? body.strata.length === 0 : body.strata.includes(given)) return given
  const which =
    body.strata.length === 0 ? 'the protocol has no strata: leave it out' : `${body.strata.join(', ')} are allowed`
  throw refused(
    'trial-stratum',
    `--strata: ${given === null ? 'nothing' : JSON.stringify(given.slice(0, 40))} was given, ${which}`,
  )
}

/** Makes own lists known: all of them, or one. Errors: `trial-…`. */
export function unseal(daemon: TrialDaemon, desk: TrialDesk, ref: string, fields: Fields): Promise<TrialOpened> {
  return desk.inTurn(async () => {
    const { record } = await desk.find(ref)
    const reason = oneOf('--reason', text(fields, 'reason'), UNSEALING_REASONS)
    const wanted = fields.list === undefined ? null : text(fields, 'list')
    const known = new Set(
      (record.voices.get(desk.self)?.of('trial.unsealed') ?? []).map(({ body }) => toHex(body.list)),
    )
    const own = allLists(record).filter(
      ({ word, hash }) =>
        word.place.author === desk.self &&
        !known.has(hash) &&
        (wanted === null || (wanted.length >= 6 && hash.startsWith(wanted))),
    )
    if (own.length === 0)
      throw refused(
        'trial-no-list',
        `${wanted === null ? 'no list' : `"${wanted.slice(0, 40)}" is no list`} of this trial that was drawn here is still sealed: see "consilium trial show"`,
      )
    if (reason === 'end-of-trial') requireDataLocked(daemon, desk, record)
    const lists: TrialOpened['lists'][number][] = []
    let place = null
    for (const { word, hash, site, size } of own) {
      const { root, design, version } = word.body
      const secret = await desk.secrets.list(root)
      const arms = versionNumbered(record, version)?.arms ?? []
      const drawn = secret === null ? 'it is not here' : drawnAgain(secret.seed, secret, { size, root, design })
      if (secret === null || typeof drawn === 'string')
        throw refused(
          'trial-secret-lost',
          `the seed of list ${hash.slice(0, 12)}: ${drawn as string}; restore a backup that has it`,
        )
      const body = {
        trial: fromHex(record.id),
        list: fromHex(hash),
        seed: secret.seed,
        blocks: [...secret.blocks],
        reason,
      }
      place = await desk.record('trial.unsealed', body, [word.place])
      lists.push({
        list: hash,
        site: daemon.nameOf(site),
        arms: armCounts([...drawn.arms].map((arm) => arms[arm] ?? '')),
      })
    }
    return { ...desk.said(record, place as NonNullable<typeof place>), reason, participant: null, arm: null, lists }
  })
}

/** What ends a trial is made known when nothing of its data changes any more. Error: `trial-data-open`. */
export function requireDataLocked(daemon: Pick<TrialDaemon, 'nameOf'>, desk: TrialDesk, record: TrialRecord): void {
  const version = record.versions.at(-1)
  const sponsor = record.sponsor as MemberId
  if (version !== undefined && siteStanding(record, version, sponsor, desk.cut).locked !== null) return
  throw refused(
    'trial-data-open',
    `--reason end-of-trial: ${daemon.nameOf(sponsor)} has not locked the data yet ("consilium trial lock"), and who knows arms could still change it; another reason says why it is earlier`,
  )
}

/** A person locks data; the commitment was made where the file is. Errors: `trial-…`. */
export function lock(
  daemon: TrialDaemon,
  desk: TrialDesk,
  ref: string,
  fields: Fields,
  asked: Signable,
): Promise<TrialSaid & { lock: string }> {
  return desk.inTurn(async () => {
    const { record, version } = await desk.find(ref)
    if (record.sponsor !== desk.self && !version.sites.includes(desk.self))
      throw refused('trial-foreign', 'data is locked by the sponsor, or by a site for itself: this hospital is neither')
    const last = lastLock(record, desk)
    if (last !== null && !isUnlocked(record, last, desk))
      throw refused(
        'trial-locked',
        `data is locked here since ${(await desk.telling()).refOf(desk.self, last.place.seq)}: "consilium trial unlock" first, with a reason, which counts when it is final`,
      )
    const content = {
      trial: fromHex(record.id),
      data: hex32(fields, 'data'),
      rows: fields.rows as number,
      previous: last === null ? null : fromHex(last.place.hash),
    }
    const body = await signedBy(daemon, desk, 'trial.locked', fields, asked, content)
    const state = desk.secrets.keyState(body.data, hex32(fields, 'key'))
    const place = await desk.record('trial.locked', body, last === null ? [version.place] : [last.place], state)
    return { ...desk.said(record, place), lock: place.hash }
  })
}

/** A person lifts the own lock. Errors: `trial-…`. */
export function unlock(
  daemon: TrialDaemon,
  desk: TrialDesk,
  ref: string,
  fields: Fields,
  asked: Signable,
): Promise<TrialSaid> {
  return desk.inTurn(async () => {
    const { record } = await desk.find(ref)
    const reason = oneOf('--reason', text(fields, 'reason'), UNLOCK_REASONS)
    const last = lastLock(record, desk)
    const isLifted = record.voices
      .get(desk.self)
      ?.of('trial.unlocked')
      .some(({ body }) => toHex(body.lock) === last?.place.hash)
    if (last === null || isLifted === true || text(fields, 'lock') !== last.place.hash)
      throw refused(
        'trial-no-lock',
        'this hospital has no lock on data of this trial that is not lifted: see "consilium trial show"',
      )
    const body = await signedBy(daemon, desk, 'trial.unlocked', fields, asked, {
      trial: fromHex(record.id),
      lock: fromHex(last.place.hash),
      reason,
    })
    return desk.said(record, await desk.record('trial.unlocked', body, [last.place]))
  })
}

function lastLock({ voices }: TrialRecord, desk: TrialDesk): TrialWord<'trial.locked'> | null {
  return (
    voices
      .get(desk.self)
      ?.of('trial.locked')
      .findLast(({ fault }) => fault === null) ?? null
  )
}

function isUnlocked({ voices }: TrialRecord, { place }: TrialWord<'trial.locked'>, desk: TrialDesk): boolean {
  const lifted = voices.get(desk.self)?.of('trial.unlocked') ?? []
  return lifted.some((one) => one.fault === null && toHex(one.body.lock) === place.hash && isFinal(one.place, desk.cut))
}

/** The key of a commitment to a document or to data that was made here, for an inspector. Error: `trial-no-key`. */
export async function reveal(
  desk: TrialDesk,
  ref: string,
  fields: Fields,
): Promise<{ commitment: string; key: string }> {
  await desk.find(ref)
  const commitment = text(fields, 'commitment')
  const key = HEX_32.test(commitment) ? await desk.secrets.key(fromHex(commitment)) : null
  if (key === null)
    throw refused(
      'trial-no-key',
      `${commitment.slice(0, 12)}: its key is not here: the hospital that recorded it has it`,
    )
  return { commitment: commitment as Digest, key: toHex(key) }
}

function hex32(fields: Fields, field: string): Uint8Array {
  return bytesOf(fields, field, KEY_BYTES)
}

function bytesOf(fields: Fields, field: string, length: number): Uint8Array {
  const given = text(fields, field)
  if (/^[0-9a-f]*$/.test(given) && given.length === length * 2) return fromHex(given)
  throw refused('body-malformed', `${field}: ${length * 2} hexadecimal digits are expected`)
}

/** Locks on data of a trial, and the keys of what was committed to here. */
import { fromHex, toHex } from '../core/bytes.ts'
import type { MemberId } from '../core/ids.ts'
import { UNLOCK_REASONS } from '../governance/kinds/trials.ts'
import type { TrialRecord, TrialWord } from '../governance/trials/book.ts'
import { isDataLocked, isFinal } from '../governance/trials/standing.ts'
import { text } from './bodyFields.ts'
import type { Signable } from './control.ts'
import type { TrialSaid } from './trialApi.ts'
import type { TrialDaemon, TrialDesk } from './trialDesk.ts'
import { hex32, oneOf, refused } from './trialFaults.ts'
import { signedBy } from './trialSigned.ts'

type Fields = Record<string, unknown>
const HEX_32 = /^[0-9a-f]{64}$/

/** What ends a trial is made known when nothing of its data changes any more. Error: `trial-data-open`. */
export function requireDataLocked(daemon: Pick<TrialDaemon, 'nameOf'>, desk: TrialDesk, record: TrialRecord): void {
  const sponsor = record.sponsor as MemberId
  if (isDataLocked(record, desk.cut)) return
  throw refused(
    'trial-data-open',
    `--reason end-of-trial: ${daemon.nameOf(sponsor)} has no lock on the data that is final and not being lifted ("consilium trial lock"), and who knows arms could still change it; another reason says why it is earlier`,
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
    return { ...(await desk.said(record, place)), lock: place.hash }
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
  return { commitment, key: toHex(key) }
}

/** What members' logs say of their private training, for `consilium study privacy` to compute again. */
import type { MemberId, StudyId } from '../core/ids.ts'
import { type PrivacyClaim, type PrivacySteps, withSteps } from '../core/privacy.ts'
import { readBody } from '../governance/kinds.ts'
import type { Daemon } from './daemon.ts'
import { entriesOf } from './logSlices.ts'

const STEPS_UNLIKE_MAX = 64 // q and σ change with a new table alone; the accountant takes a transform for each

/** One member's: what its newest update says, and the steps that its log tells of up to that round. */
export interface ClaimReport {
  readonly name: string
  readonly member: MemberId
  readonly rounds: number
  /** Null where no body is left that has one. */
  readonly claim: PrivacyClaim | null
  /** Null where the log tells of more unlike steps than a hospital can have taken. */
  readonly spent: readonly PrivacySteps[] | null
}

/** Of every member whose log tells of private rounds of `study`. */
export async function privacyClaims(daemon: Daemon, study: StudyId): Promise<{ members: ClaimReport[] }> {
  const members: ClaimReport[] = []
  for (const author of daemon.logs.authors()) {
    const one = await privacyClaim(daemon, author, study)
    if (one.rounds > 0) members.push(one)
  }
  return { members }
}

/** Of one member, as its log is held here. */
export async function privacyClaim(daemon: Daemon, author: MemberId, study: StudyId): Promise<ClaimReport> {
  let [rounds, claim, spent] = [0, null as PrivacyClaim | null, [] as readonly PrivacySteps[] | null]
  for await (const { kind, body } of entriesOf(daemon.logs, author, (glance) => glance.study === study)) {
    if (kind === 'round.trained') claim = readBody(kind, body)?.privacy ?? claim
    const told = kind === 'privacy.spent' ? readBody(kind, body) : null
    if (told === null) continue
    const { sampleRate, noiseMultiplier, steps } = told
    if (spent !== null) spent = withSteps(spent, { sampleRate, noiseMultiplier, steps })
    if (spent !== null && spent.length > STEPS_UNLIKE_MAX) spent = null
    rounds++
  }
  return { name: daemon.nameOf(author), member: author, rounds, claim, spent }
}

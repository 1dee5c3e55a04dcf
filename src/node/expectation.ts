/** What an update of a study that runs here has to look like. */
import { type Study, sharedParameters, sharedTensors } from '../config/study.ts'
import type { MemberId } from '../core/ids.ts'
import { allows, isDelta, payloadBytes, type WeightFormat } from '../gossip/coding/coding.ts'
import type { Expectation, Judgement } from '../gossip/exchange.ts'
import type { UpdateHeader } from '../gossip/update.ts'
import type { Permit } from '../governance/permit.ts'
import type { StudyState } from '../governance/studies.ts'
import type { Context } from './context.ts'

/** The parameters are known before the learner is ready: other members may be quicker. Of who is suspended nothing is expected. */
export function expectationOf({ study, accepted }: StudyState, { scaling }: Permit, context: Context): Expectation {
  const taking = context.suspensions.isEmpty
    ? accepted
    : { has: (member: MemberId) => accepted.has(member) && !context.isSuspended(member) }
  return { parameters: sharedParameters(study), scaling, rounds: study.rounds.count, accepted: taking }
}

/** How the updates of a study are written. */
export function weightFormatOf(study: Study): WeightFormat {
  return { coding: study.coding, tensors: sharedTensors(study), parameters: sharedParameters(study) }
}

/** What is wrong with how an update is written, or null; `bytes` of its payload where they are not here to be read. */
export function writingFault(study: Study, header: UpdateHeader, bytes: number | null): Judgement | null {
  const { coding, reference } = header
  if (!allows(study.coding, coding)) return { verdict: 'ignore', reason: 'update-coding' }
  if (isDelta(coding) !== (reference !== null)) return { verdict: 'reject', reason: 'update-reference' }
  const [min, max] = payloadBytes(coding, weightFormatOf(study))
  return bytes === null || (bytes >= min && bytes <= max) ? null : { verdict: 'reject', reason: 'payload-length' }
}

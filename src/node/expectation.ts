/** What an update of a study that runs here has to look like. */
import { sharedParameters } from '../config/study.ts'
import type { Expectation } from '../gossip/exchange.ts'
import type { Permit } from '../governance/permit.ts'
import type { StudyState } from '../governance/studies.ts'

/** The parameters are known before the learner is ready: other members may be quicker. */
export function expectationOf({ study, accepted }: StudyState, { scaling }: Permit): Expectation {
  return { parameters: sharedParameters(study), scaling, rounds: study.rounds.count, accepted }
}

/** What a learner reports, handed to the study that it is of. */
import { exhaustive } from '../core/errors.ts'
import type { NodeEvent } from './events.ts'
import type { StudyRun } from './studyRun.ts'

/** What a learner reports. */
export type Learned = Extract<NodeEvent, { type: 'opened' | 'trained' | 'merged' | 'evaluated' | 'learner-failed' }>

/** Of a study that is not known here nothing is taken. */
export function learned(run: StudyRun | undefined, event: Learned): void {
  if (run === undefined) return
  switch (event.type) {
    case 'opened':
      return run.opened(event.scaling, event.base, event.parameters)
    case 'trained':
      return run.trained(event.round, event.update, event.head, event.examples, event.loss)
    case 'merged':
      return run.merged(event.round, event.result, event.coefficients)
    case 'evaluated':
      return run.evaluated(event.round, event.model, event.metrics, event.local)
    case 'learner-failed':
      return run.failed(event.round, event.code)
    default:
      exhaustive(event)
  }
}

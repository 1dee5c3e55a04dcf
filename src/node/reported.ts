/** What the shell reports of a study's work, passed on to its run. */
import { exhaustive } from '../core/errors.ts'
import type { NodeEvent } from './events.ts'
import type { StudyRun } from './studyRun.ts'

type Reported = Extract<
  NodeEvent,
  { type: 'opened' | 'trained' | 'merged' | 'evaluated' | 'traced' | 'learner-failed' }
>

/** Of a study that is not known any more nothing is done. */
export function reported(run: StudyRun | undefined, event: Reported): void {
  switch (event.type) {
    case 'opened':
      return run?.opened(event)
    case 'trained':
      return run?.trained(event)
    case 'merged':
      return run?.merged(event)
    case 'evaluated':
      return run?.evaluated(event.round, event.model, event.metrics)
    case 'traced':
      return run?.traced(event.trace, event.standings)
    case 'learner-failed':
      return run?.failed(event.round, event.code)
    default:
      return exhaustive(event)
  }
}

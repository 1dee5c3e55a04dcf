/** What a learner reports, and who looks models up in the logs, handed to the study that asked for it. */
import { exhaustive } from '../core/errors.ts'
import type { NodeEvent } from './events.ts'
import type { StudyRun } from './studyRun.ts'

const TYPES = [
  'opened',
  'consulted',
  'trained',
  'merged',
  'evaluated',
  'traced',
  'measured',
  'crossed',
  'measuring-failed',
  'learner-failed',
] as const

/** An event that ends an action of a study. */
export type Learned = Extract<NodeEvent, { type: (typeof TYPES)[number] }>

/** True of what a study asked for. */
export function isLearned(event: NodeEvent): event is Learned {
  return (TYPES as readonly string[]).includes(event.type)
}

/** Gives the report to its run; a study that is not known here has asked for nothing. */
export function learned(run: StudyRun | undefined, event: Learned): void {
  switch (event.type) {
    case 'opened':
      return run?.opened(event)
    case 'consulted':
      return run?.consulted(event)
    case 'trained':
      return run?.trained(event)
    case 'merged':
      return run?.merged(event)
    case 'evaluated':
      return run?.evaluated(event.round, event.model, event.metrics, event.local)
    case 'traced':
      return run?.leaves.traced(event.trace, event.standings)
    case 'measured':
    case 'crossed':
    case 'measuring-failed':
      return run?.epilogue.heard(event)
    case 'learner-failed':
      return run?.failed(event.round, event.code)
    default:
      exhaustive(event)
  }
}

/** What a running node does beside its machine, until it stops. */
import { messageOf } from '../core/errors.ts'
import type { Log } from './log.ts'
import type { Tasks } from './tasks.ts'
import type { TrialDesk } from './trialDesk.ts'

/** Something that goes on until `stopping` aborts. */
interface Runs {
  run(stopping: AbortSignal): Promise<void>
}

/** The parts of a daemon that go on by themselves. */
export interface Background {
  readonly scrub: Runs
  readonly counts: { run(stopping: AbortSignal, failed: (error: unknown) => void): Promise<void> }
  readonly keeper: Runs
  readonly trials: Pick<TrialDesk, 'run'>
  readonly uses: { run(stopping: AbortSignal, failed: (error: unknown) => void): Promise<void> }
}

/** Begins them all. */
export function runBackground(parts: Background, tasks: Tasks, stopping: AbortSignal, log: Log): void {
  tasks.run('scrub', () => parts.scrub.run(stopping))
  const failing =
    (what: string) =>
    (error: unknown): void =>
      log('error', `${what}-failed`, { error: messageOf(error) })
  tasks.run('keep-counting', () => parts.counts.run(stopping, failing('keep-counting')))
  tasks.run('keep-logs', () => parts.keeper.run(stopping))
  tasks.run('allocate', () => parts.trials.run(stopping, log))
  tasks.run('keep-uses', () => parts.uses.run(stopping, failing('keep-uses')))
}

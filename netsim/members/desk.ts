/** Where a simulated node's learner works: one thing after the other, each taking virtual time. */
import { ConsiliumError } from '../../src/core/errors.ts'
import type { StudyId } from '../../src/core/ids.ts'
import type { NodeEvent } from '../../src/node/events.ts'
import type { Job } from '../../src/training/trainer.ts'
import type { Clock } from '../clock.ts'

export class Desk {
  readonly #clock: Clock
  readonly #later: (delayMs: number, task: () => Promise<void>) => void
  readonly #feed: (event: NodeEvent) => void
  #busyUntilMs = 0

  /** `later` plans in virtual time unless the power goes before. */
  constructor(
    clock: Clock,
    later: (delayMs: number, task: () => Promise<void>) => void,
    feed: (event: NodeEvent) => void,
  ) {
    this.#clock = clock
    this.#later = later
    this.#feed = feed
  }

  /** Does `job` when all before it is done, for so long; what it gives, or why it failed, is fed to the machine. */
  work(study: StudyId, round: number, durationMs: number, job: Job): void {
    this.#busyUntilMs = Math.max(this.#busyUntilMs, this.#clock.now) + durationMs
    this.#later(this.#busyUntilMs - this.#clock.now, async () => {
      let event: NodeEvent
      try {
        event = await job()
      } catch (error) {
        if (!(error instanceof ConsiliumError)) throw error
        event = { type: 'learner-failed', study, round, code: error.code }
      }
      this.#feed(event)
    })
  }
}

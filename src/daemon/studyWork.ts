/** Does what the machine asks of the learner, in the background; keeps why it failed, for people. */
import { randomBytes } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { ConsiliumError, exhaustive, invariant, messageOf } from '../core/errors.ts'
import type { Digest, StudyId } from '../core/ids.ts'
import type { Dataset } from '../data/dataset.ts'
import { DataError } from '../data/fault.ts'
import type { StudyState } from '../governance/studies.ts'
import type { Learner } from '../learn/learner.ts'
import type { Action } from '../node/actions.ts'
import type { NodeEvent } from '../node/events.ts'
import type { AloneProgress } from '../training/alone.ts'
import type { AskPermitted } from '../training/openRequest.ts'
import type { ProgressStore } from '../training/roundTraining.ts'
import type { StoredCheckpoint } from '../training/storedCheckpoint.ts'
import { type Job, Trainer, type TrainerParts } from '../training/trainer.ts'
import type { WeightStore } from '../training/weightStore.ts'
import type { InputStore } from './inputStore.ts'
import type { LineageReader } from './lineageReader.ts'
import type { Log } from './log.ts'
import type { Tasks } from './tasks.ts'

type Asked = Extract<
  Action,
  { type: 'consult-consent' | 'open-study' | 'train' | 'merge' | 'evaluate' | 'measure' | 'cross' }
>
type Tracing = Extract<Action, { type: 'trace' }>

/** What study work needs of the daemon. `trainer` is asked for with the first action, when the daemon has started. */
export interface StudyWorkParts {
  readonly trainer: () => Trainer
  readonly lineage: Pick<LineageReader, 'trace'>
  /** Throws where the table that is bound to a study is not the one that was bound any more: nothing trains on then. */
  readonly intact: (study: StudyId) => Promise<void>
  readonly tasks: Tasks
  readonly feed: (event: NodeEvent) => void
  readonly log: Log
  /** Failures after its abort are those of the stop. */
  readonly stopping: AbortSignal
}

/** One per daemon. Each action ends with one event: what the learner reports, or `learner-failed`. */
export class StudyWork {
  readonly #parts: StudyWorkParts
  readonly #failures = new Map<StudyId, string>()

  constructor(parts: StudyWorkParts) {
    this.#parts = parts
  }

  /** The action's inputs are taken before this returns. */
  begin(action: Asked | Tracing): void {
    const { tasks, lineage, feed } = this.#parts
    if (action.type === 'trace') tasks.run('trace', async () => feed(await lineage.trace(action)))
    else tasks.run('learn', () => this.#work(action))
  }

  /** Why the learner of a study failed last, or null since it succeeded; never holds a patient's value. */
  failure(study: StudyId): string | null {
    return this.#failures.get(study) ?? null
  }

  async #work(action: Asked): Promise<void> {
    const { study } = action.permit
    try {
      const job = this.#jobOf(action)
      if (action.type === 'train') await this.#parts.intact(study)
      const event = await job()
      this.#failures.delete(study)
      this.#parts.feed(event)
    } catch (error) {
      if (this.#parts.stopping.aborted) return
      const code = error instanceof ConsiliumError ? error.code : 'internal'
      const said = sayable(error)
      this.#failures.set(study, `${code}: ${said}`)
      this.#parts.log('warn', 'learner-failed', { study, code, error: said })
      if (action.type === 'measure' || action.type === 'cross')
        return this.#parts.feed({ type: 'measuring-failed', study, what: action.type, code })
      this.#parts.feed({ type: 'learner-failed', study, round: 'round' in action ? action.round : 0, code })
    }
  }

  #jobOf(action: Asked): Job {
    const trainer = this.#parts.trainer()
    switch (action.type) {
      case 'consult-consent':
        return trainer.consult(action)
      case 'open-study':
        return trainer.open(action)
      case 'train':
        return trainer.train(action)
      case 'merge':
        return trainer.merge(action)
      case 'evaluate':
        return trainer.evaluate(action)
      case 'measure':
      case 'cross':
        return trainer.assess(action)
      default:
        return exhaustive(action)
    }
  }
}

/** What a trainer is made of; `stored` are the checkpoints of before. */
export interface TrainerMaking {
  readonly learner: Learner
  readonly weights: WeightStore
  readonly inputs: Pick<InputStore, 'read'>
  readonly partsOf: TrainerParts['partsOf']
  readonly loadDataset: (id: StudyId) => Promise<Dataset>
  readonly permitted: AskPermitted
  readonly studyState: (id: StudyId) => StudyState
  readonly tell: Log
  readonly stored: readonly StoredCheckpoint[]
  readonly epsilonMax: number | null
  readonly progress: ProgressStore
  readonly alone: AloneProgress
}

/** The trainer of one daemon, with chance for the salts of its private heads. */
export function makeTrainer({ inputs, studyState, stored, ...parts }: TrainerMaking): Trainer {
  const study = (id: StudyId) => {
    const { study, scaling } = studyState(id)
    invariant(scaling !== null, 'a permit names a study whose scaling is frozen')
    return { study, scaling: scaling.scaling }
  }
  const kept = (id: StudyId, digest: Digest) => inputs.read(id, digest)
  const breathe = (): Promise<void> => setImmediate()
  const stopwatch = () => {
    const startMs = performance.now()
    return () => performance.now() - startMs
  }
  const headSalt = new Uint8Array(randomBytes(32))
  return new Trainer({ ...parts, study, kept, breathe, stopwatch, headSalt }, stored)
}

/** Faults of a table whose message quotes neither a cell nor a header, which a headerless file fills with a patient's values. */
const SAYABLE = new Set(['data-file', 'data-encoding', 'data-empty', 'data-too-few-rows', 'data-one-class'])

function sayable(error: unknown): string {
  if (!(error instanceof DataError) || SAYABLE.has(error.code)) return messageOf(error)
  const place = error.line === undefined ? 'the bound table' : `line ${error.line} of the bound table`
  return `${place}; bind it again to see what is wrong`
}

/** Learning at a simulated node: the daemon's trainer, whose jobs take virtual time, one after the other. */
import type { StudyId } from '../../src/core/ids.ts'
import { Rng } from '../../src/core/rng.ts'
import type { Dataset } from '../../src/data/dataset.ts'
import type { Action } from '../../src/node/actions.ts'
import type { NodeEvent } from '../../src/node/events.ts'
import { NO_PROGRESS } from '../../src/training/roundTraining.ts'
import { Trainer, type TrainerParts } from '../../src/training/trainer.ts'
import type { WeightStore } from '../../src/training/weightStore.ts'
import { Desk } from './desk.ts'
import type { Port } from './network.ts'
import type { ShellParts } from './shellParts.ts'

type Of<T extends Action['type']> = Extract<Action, { type: T }>

/** The node around the learner. */
export interface LearningHost {
  /** A study whose scaling is frozen. */
  readonly study: TrainerParts['study']
  readonly partsOf: TrainerParts['partsOf']
  /** In virtual time, unless the power goes before. */
  readonly later: (delayMs: number, task: () => Promise<void>) => void
  readonly feed: (event: NodeEvent) => void
}

/** One per start of a node. */
export class Learning {
  readonly trainer: Trainer
  readonly #parts: ShellParts<Port>
  readonly #study: LearningHost['study']
  readonly #desk: Desk
  readonly #rng: Rng
  /** How long this round's training takes where nothing ends it. */
  #roundMs = 0

  constructor(parts: ShellParts<Port>, weights: WeightStore, { study, partsOf, later, feed }: LearningHost) {
    this.#parts = parts
    this.#study = study
    this.#rng = Rng.from('netsim', parts.seed, 'node', parts.node, parts.start)
    this.#desk = new Desk(parts.clock, later, feed)
    const { learner, tables, disk } = parts
    const trainer: TrainerParts = {
      learner,
      weights,
      permitted: null, // no patient of a simulation is asked
      loadDataset: async (id) => tables[disk.bindings.get(id)?.version ?? 0] as Dataset,
      study,
      partsOf,
      epsilonMax: null,
      headSalt: new Uint8Array(0), // heads here are nobody's secret, and runs must not differ
      kept: async (id, digest) => disk.update(id, digest),
      breathe: async () => undefined,
      tell: () => undefined,
      progress: NO_PROGRESS,
      alone: { rounds: NO_PROGRESS, within: NO_PROGRESS },
      stopwatch: () => (share: number) => share * this.#roundMs,
    }
    this.trainer = new Trainer(trainer, [...disk.checkpoints.values()])
  }

  /** Does what a permit allows, when all before it is done. */
  work(action: Of<'consult-consent' | 'open-study' | 'train' | 'merge' | 'evaluate' | 'measure' | 'cross'>): void {
    const { timing } = this.#parts
    const { study } = action.permit
    switch (action.type) {
      case 'consult-consent':
        return this.#desk.work(study, 0, 0, this.trainer.consult(action))
      case 'open-study':
        return this.#desk.work(study, 0, this.#between(timing.openMs), this.trainer.open(action))
      case 'train':
        return this.#desk.work(study, action.round, this.#limitedMs(study), this.trainer.train(action))
      case 'merge':
        return this.#desk.work(study, action.round, timing.mergeMs, this.trainer.merge(action))
      case 'evaluate':
        return this.#desk.work(study, action.round, timing.evaluateMs, this.trainer.evaluate(action))
      default:
        return this.#desk.work(study, 0, this.#assessMs(action), this.trainer.assess(action))
    }
  }

  /** Draws how long a round's training takes; a round that has a time takes no longer. */
  #limitedMs(study: StudyId): number {
    this.#roundMs = this.#trainMs()
    const { secondsMax } = this.#study(study).study.training
    return secondsMax === null ? this.#roundMs : Math.min(this.#roundMs, secondsMax * 1000)
  }

  /** To measure a model takes as long as to train one alone for as many rounds. */
  #assessMs({ type, permit }: Of<'measure' | 'cross'>): number {
    const { evaluateMs } = this.#parts.timing
    if (type === 'cross') return evaluateMs
    const rounds = (this.trainer.model(permit.study, 'newest')?.round ?? -1) + 1
    return evaluateMs + rounds * this.#trainMs()
  }

  #trainMs(): number {
    const { trainMs, node, timing } = this.#parts
    return trainMs === null ? this.#between(timing.trainMs) : trainMs(node)
  }

  #between([min, max]: readonly [number, number]): number {
    return min + this.#rng.below(Math.floor(max - min) + 1)
  }
}

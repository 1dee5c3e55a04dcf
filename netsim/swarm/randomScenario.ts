/** Scenarios that nobody would think of: everything that a scenario can say, drawn from a seed, with liveness demanded after the faults. */
import { Rng } from '../../src/core/rng.ts'
import { fenceNeeds } from '../../src/node/fence.ts'
import { ATTACKS, type ScenarioInput } from '../scenario/schema.ts'

const FAULTY_SECONDS = 40 // of faults, then the calm
const CONVERGE_SECONDS = 60 // anti-entropy asks each peer once in half a minute
const FINAL_SECONDS = 90 // two rounds of anti-entropy and a repeated request for cosignatures
const CROWD_SECONDS = 120 // of rounds without a ledger: beyond the calm, and until it is looked whether all take part
const END_SECONDS = 400

/** Who does not keep to the rules, and whose disk is lost once. */
interface Faulty {
  readonly liars: readonly number[]
  readonly forgetful: readonly number[]
}

class Dice {
  readonly #rng: Rng
  constructor(seed: number) {
    this.#rng = Rng.from('swarm', seed)
  }
  whole(low: number, high: number): number {
    return low + this.#rng.below(high - low + 1)
  }
  chance(share: number): boolean {
    return this.#rng.float() < share
  }
  /** To two decimals, so that files stay readable. */
  share(low: number, high: number): number {
    return Math.round((low + (high - low) * this.#rng.float()) * 100) / 100
  }
  /** Up to `most` nodes in all, of two kinds. */
  faulty(most: number, count: number): Faulty {
    const first = this.whole(0, count - 1)
    const nodes = Array.from({ length: this.whole(0, most) }, (_, i) => (first + i) % count)
    const liars = this.whole(0, nodes.length)
    return { liars: nodes.slice(0, liars).sort((a, b) => a - b), forgetful: nodes.slice(liars) }
  }
  one<T>(list: readonly T[]): T {
    return list[this.#rng.below(list.length)] as T
  }
}

/** The scenario of a seed; the same seed gives the same one in every run of one version. */
export function randomScenario(seed: number): ScenarioInput {
  const dice = new Dice(seed)
  const ledger = dice.chance(0.6) ? 'on' : 'off'
  const count = ledger === 'on' ? dice.whole(3, 10) : dice.whole(4, 80)
  const noData = dice.chance(0.3)
  const periodSeconds = dice.one([0.5, 1, 3])
  const network = networkOf(dice, count, ledger)
  const faulty = dice.faulty(ledger === 'on' ? Math.floor((count - 1) / 3) : Math.floor(count / 3), count)
  const learner = noData ? 'null' : ledger === 'on' && dice.chance(0.3) ? 'linear' : 'kernels'
  return {
    question: `Does what the swarm drew from seed ${seed} hold?`,
    nodes: {
      count,
      speed: speedOf(dice),
      availability: dice.chance(0.5)
        ? { kind: 'churn', meanUpSeconds: dice.whole(3, 40), meanDownSeconds: dice.whole(1, 12) }
        : { kind: 'always' },
      disk: ledger === 'off' && dice.chance(0.5) ? 'lost' : 'kept',
    },
    network,
    gossip: {
      mode: dice.one(['mesh', 'flood', 'fanout'] as const),
      fanout: dice.whole(1, 4),
      heldMax: dice.one([3, 16, 1_000]),
      mesh: { heartbeatMs: dice.one([300, 1_000]) },
    },
    data: noData
      ? { kind: 'none' }
      : { kind: 'synthetic', features: dice.whole(1, 9), rows: dice.whole(12, 60), split: splitOf(dice) },
    learner: { kind: learner },
    study: {
      // a crowd goes on beyond the calm, so that there is something to merge; with a ledger the end is of interest too
      rounds: { count: ledger === 'on' ? dice.whole(3, 60) : Math.ceil(CROWD_SECONDS / periodSeconds), periodSeconds },
      merge: { weighting: dice.one(['sqrt', 'uniform', 'examples'] as const), ageRoundsMax: dice.whole(1, 8) },
      training: trainingOf(dice, learner, ledger),
      local: {
        head: learner === 'kernels' ? dice.one(['bias', 'none'] as const) : 'bias',
        normalisation: dice.one(['consortium', 'own'] as const),
      },
      personal: learner === 'kernels' && ledger === 'on' && dice.chance(0.2) ? { proximal: 0.1 } : null,
      statistics: { deadlineSeconds: dice.one([1, 10]) },
      cells: cellsOf(dice, network),
    },
    adversaries: adversariesOf(dice, faulty, noData),
    crashes: crashesOf(dice, count, faulty),
    ledger,
    signatures: ledger === 'on' && dice.chance(0.2) ? 'real' : 'modelled',
    digests: dice.chance(0.5) ? 'real' : 'modelled',
    liveness: {
      fromSeconds: FAULTY_SECONDS,
      convergeSeconds: CONVERGE_SECONDS,
      finalSeconds: ledger === 'on' ? FINAL_SECONDS : null,
    },
    end: { seconds: END_SECONDS },
    report: { everySeconds: 10, sampleNodes: 20 },
  }
}

/** Where everybody is linked to everybody, as daemons are: else a cell may fall apart into those who are linked. */
function cellsOf(dice: Dice, network: ScenarioInput['network']): NonNullable<ScenarioInput['study']>['cells'] {
  const size = dice.one([4, 8, 16])
  const periodSeconds = dice.one([1, 3, 10, null])
  return network?.topology?.kind === 'full' && dice.chance(0.5) ? { above: size, size, periodSeconds } : null
}

type Training = NonNullable<NonNullable<ScenarioInput['study']>['training']>

function trainingOf(dice: Dice, learner: 'null' | 'linear' | 'kernels', ledger: 'on' | 'off'): Training {
  const optimiser = dice.one(['adam', 'sgd'] as const)
  const localEpochs = dice.whole(1, 3)
  if (learner !== 'kernels') return { optimiser, localEpochs }
  const proximal = dice.one([0, 0, 0.3])
  if (ledger === 'off') return { optimiser, localEpochs, proximal }
  const secondsMax = dice.one([null, null, 0.4])
  if (optimiser === 'adam') return { optimiser, localEpochs, proximal, secondsMax }
  return { optimiser, localEpochs, proximal, secondsMax, momentum: dice.one([0, 0.8]), tracking: dice.one([0, 0.9]) }
}

function speedOf(dice: Dice): ScenarioInput['nodes']['speed'] {
  switch (dice.whole(0, 2)) {
    case 0:
      return { kind: 'fixed', trainMs: dice.whole(1, 800) }
    case 1:
      return { kind: 'uniform', trainMs: [dice.whole(1, 50), dice.whole(50, 2_000)] }
    default:
      return { kind: 'log-normal', medianMs: dice.whole(10, 500), sigma: dice.share(0, 1.5) }
  }
}

function splitOf(dice: Dice): Extract<ScenarioInput['data'], { kind: 'synthetic' }>['split'] {
  const alpha = dice.one([0.2, 1, 10])
  return dice.one([{ kind: 'iid' }, { kind: 'dirichlet', alpha }, { kind: 'feature-shift', deviation: alpha }] as const)
}

/** Links enough for the boot fence where there is a ledger. */
function networkOf(dice: Dice, count: number, ledger: 'on' | 'off'): ScenarioInput['network'] {
  const least = ledger === 'on' ? Math.max(4, fenceNeeds(count).needed + 1) : 4
  const degree = Math.min(least + 2 * dice.whole(0, 2), count - 1)
  const even = degree % 2 === 0 ? degree : degree - 1
  const sparse = even >= least && dice.chance(0.5)
  const start = dice.whole(1, 25)
  const side = dice.share(0.1, 0.9)
  return {
    topology: sparse ? { kind: 'k-regular', degree: even } : { kind: 'full' },
    latencyMs: dice.one([
      [1, 5],
      [5, 60],
      [100, 900],
    ] as [number, number][]),
    loss: dice.one([0, 0, 0.05, 0.3]),
    uplinkMbit: dice.chance(0.2) ? dice.one([0.5, 10]) : null,
    partitions: dice.chance(0.4)
      ? [
          {
            fromSeconds: start,
            toSeconds: start + dice.whole(1, 14),
            shares: [side, Math.round((1 - side) * 100) / 100],
          },
        ]
      : [],
  }
}

/** Disks are lost only of those who are counted among the faulty: a witness that forgets what it signed is one of the few that a quorum bears. */
function crashesOf(dice: Dice, count: number, { forgetful }: Faulty): ScenarioInput['crashes'] {
  const crash = (node: number, disk: 'kept' | 'lost') => ({
    node,
    atSeconds: dice.share(0, 30),
    downSeconds: dice.share(0.1, 9),
    disk,
  })
  const kept = Array.from({ length: dice.one([0, 0, 1, 3]) }, () => crash(dice.whole(0, count - 1), 'kept'))
  return [...kept, ...forgetful.map((node) => crash(node, 'lost'))]
}

function adversariesOf(dice: Dice, { liars }: Faulty, noData: boolean): ScenarioInput['adversaries'] {
  if (liars.length === 0) return []
  const attacks = noData ? ATTACKS.filter((attack) => attack !== 'label-flip' && attack !== 'backdoor') : ATTACKS
  return [{ attack: dice.one(attacks), nodes: [...liars], fromSeconds: dice.whole(0, 10) }]
}

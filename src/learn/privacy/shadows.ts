/** Two attacks on a hospital's own model: by each row's loss, and by its loss against that of models which never saw the row. */
import type { StudyId } from '../../core/ids.ts'
import { Rng } from '../../core/rng.ts'
import type { DesignMatrix, Learner, ModelSpec, PrivateTraining, TrainingSpec, Weights } from '../learner.ts'
import { initialWeights } from '../model.ts'
import { type AttackResult, judgeAttack, type Scores } from './audit.ts'

const SHADOWS = 16 // each row is unseen by half of them: eight losses tell how hard it is
const SHADOW_ROUNDS = 10 // local rounds from the study's first weights: most of what one table teaches

/** A model, and the rows that it was and was not trained on. */
export interface Audited {
  readonly study: StudyId
  readonly model: ModelSpec
  readonly training: TrainingSpec
  readonly weights: Weights
  readonly members: DesignMatrix
  readonly others: DesignMatrix
  /** Of a private study: shadows train as it does. */
  readonly privacy: PrivateTraining | null
}

/** What both attacks come to; `shadows` models were trained for the second. */
export interface AuditResult {
  readonly shadows: number
  /** Yeom, Giacomelli, Fredrikson and Jha 2018: who is trained on has the smaller loss. */
  readonly loss: AttackResult
  /** Carlini et al. 2022, offline and with one variance for all: the loss is compared with what models without the row have on it. */
  readonly calibrated: AttackResult
}

/** Attacks `audited` with `learner`, which is used for nothing else and trains the shadows on halves of all rows, drawn from the model's own name. */
export async function attack(learner: Learner, audited: Audited): Promise<AuditResult> {
  const { study, weights, members, others, privacy } = audited
  const all = stacked(members, others)
  const own = await opened(learner, audited, members, all)
  const target = confidences(await own.logits(weights), all)
  const [sum, count] = [new Float64Array(all.rows), new Uint32Array(all.rows)]
  const rng = Rng.from('audit', study)
  for (let shadow = 0; shadow < SHADOWS; shadow++) {
    const order = rng.shuffle(Uint32Array.from({ length: all.rows }, (_, row) => row))
    const seen = order.slice(0, all.rows >> 1)
    const { train, logits } = await opened(learner, audited, rowsIn(all, seen), all)
    const losses = confidences(await logits(await train(shadow)), all)
    for (const row of order.subarray(all.rows >> 1)) {
      sum[row] = (sum[row] as number) + (losses[row] as number)
      count[row] = (count[row] as number) + 1
    }
  }
  const calibrated = target.map((one, row) => one - (sum[row] as number) / Math.max(1, count[row] as number))
  const delta = privacy?.delta ?? 0
  const judged = (scores: Float64Array): AttackResult => judgeAttack(split(scores, members.rows), delta)
  return { shadows: SHADOWS, loss: judged(target), calibrated: judged(calibrated) }
}

async function opened(
  learner: Learner,
  { study, model, training, privacy }: Audited,
  rows: DesignMatrix,
  test: DesignMatrix,
) {
  const asPrivate = privacy === null ? {} : { privacy: { ...privacy, ratedRows: rows.rows, spent: [], roundsMax: 0 } }
  await learner.open({ study, model, training, train: rows, test, ...asPrivate })
  return {
    logits: (weights: Weights) => learner.logits(study, weights, 'test'),
    train: async (shadow: number): Promise<Weights> => {
      let base = initialWeights(model, rows.columns, study)
      let optimiser: Uint8Array = new Uint8Array(0)
      for (let round = 0; round < SHADOW_ROUNDS; round++) {
        const trained = await learner.train({ study, base, optimiser, seed: `audit ${shadow} ${round}` })
        base = trained.weights
        optimiser = trained.optimiser
      }
      return base
    },
  }
}

/** Logits towards the true class: the loss on a scale where differences are alike near and far from certainty. */
function confidences(logits: Float32Array, { y }: DesignMatrix): Float64Array {
  return Float64Array.from(logits, (logit, row) => (y[row] === 1 ? logit : -logit))
}

function split(scores: Float64Array, members: number): Scores {
  return { members: scores.subarray(0, members), others: scores.subarray(members) }
}

function stacked(a: DesignMatrix, b: DesignMatrix): DesignMatrix {
  const x = new Float32Array(a.x.length + b.x.length)
  x.set(a.x)
  x.set(b.x, a.x.length)
  const y = new Uint8Array(a.rows + b.rows)
  y.set(a.y)
  y.set(b.y, a.rows)
  return { rows: a.rows + b.rows, columns: a.columns, x, y }
}

function rowsIn({ columns, x, y }: DesignMatrix, rows: Uint32Array): DesignMatrix {
  const out = new Float32Array(rows.length * columns)
  rows.forEach((row, i) => {
    out.set(x.subarray(row * columns, (row + 1) * columns), i * columns)
  })
  return { rows: rows.length, columns, x: out, y: Uint8Array.from(rows, (row) => y[row] as number) }
}

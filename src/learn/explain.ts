/**
 * Which features a model's discrimination rests on: permutation importance (Breiman 2001, "Random forests", §10; as a property of one model
 * on one set of patients Fisher, Rudin and Dominici 2019). A feature's values are dealt anew among the rows, all columns of a category
 * together, and it is measured how much worse the model gets. Of two features that say the same, neither seems to matter.
 */
import type { Study } from '../config/study.ts'
import { invariant } from '../core/errors.ts'
import { Rng } from '../core/rng.ts'
import { evaluate } from './evaluate.ts'
import type { DesignMatrix } from './learner.ts'

/** A mean over all repeats, and between which values 95 % of them lie, the choice of patients included. */
export interface Drop {
  readonly mean: number
  readonly low: number
  readonly high: number
}

/** How much worse the model is without what a feature says. */
export interface Importance {
  readonly feature: string
  /** AUC lost; null where the rows lack a class. */
  readonly auc: Drop | null
  /** Log-loss gained, nats. */
  readonly logLoss: Drop
}

/** Gives one logit for each row of a matrix. */
export type Logits = (matrix: DesignMatrix) => Promise<ArrayLike<number>>

export const REPEATS = { default: 50, min: 20, max: 1_000 } as const // below 20 a 95 % interval of repeats is its extremes

/**
 * The importance of each feature on `matrix`, most important first. A repeat deals a feature's values anew, and compares on as many rows, drawn
 * from each class with replacement (bootstrap), what the model gives with and without: so an interval has both kinds of chance in it.
 * The same seed gives the same numbers.
 */
export async function importances(
  study: Study,
  matrix: DesignMatrix,
  logits: Logits,
  options: { readonly repeats: number; readonly seed: string },
): Promise<Importance[]> {
  invariant(options.repeats >= REPEATS.min, 'enough repeats for an interval')
  const base = await logits(matrix)
  const found: Importance[] = []
  let from = 0
  for (const feature of study.features) {
    const width = feature.kind === 'number' ? 1 : feature.levels.length
    const rng = Rng.from('explain', options.seed, feature.name)
    found.push(await importanceOf(feature.name, { from, width }, matrix, base, logits, options.repeats, rng))
    from += width
  }
  return found.sort((a, b) => b.logLoss.mean - a.logLoss.mean)
}

async function importanceOf(
  feature: string,
  columns: { readonly from: number; readonly width: number },
  matrix: DesignMatrix,
  base: ArrayLike<number>,
  logits: Logits,
  repeats: number,
  rng: Rng,
): Promise<Importance> {
  const auc: Repeats = { all: [], drawn: [] }
  const logLoss: Repeats = { all: [], drawn: [] }
  for (let i = 0; i < repeats; i++) {
    const given = await logits(dealtAnew(matrix, columns, rng))
    const rows = resample(matrix.y, rng)
    for (const [part, picked] of [
      ['all', undefined],
      ['drawn', rows],
    ] as const) {
      const before = evaluate(base, matrix.y, picked)
      const after = evaluate(given, matrix.y, picked)
      logLoss[part].push(after.logLoss - before.logLoss)
      if (before.auc !== null && after.auc !== null) auc[part].push(before.auc - after.auc)
    }
  }
  return { feature, auc: auc.all.length === 0 ? null : dropOf(auc), logLoss: dropOf(logLoss) }
}

/** On all rows, and on those that were drawn. */
interface Repeats {
  readonly all: number[]
  readonly drawn: number[]
}

function dropOf({ all, drawn }: Repeats): Drop {
  const sorted = drawn.sort((a, b) => a - b)
  const mean = all.reduce((sum, value) => sum + value, 0) / all.length
  const at = (share: number): number => sorted[Math.round(share * (sorted.length - 1))] as number
  return { mean, low: at(0.025), high: at(0.975) }
}

/** A copy in which the values of some columns were dealt anew among the rows. */
function dealtAnew(matrix: DesignMatrix, { from, width }: { from: number; width: number }, rng: Rng): DesignMatrix {
  const { rows, columns } = matrix
  const x = matrix.x.slice()
  const order = rng.shuffle(Uint32Array.from({ length: rows }, (_, row) => row))
  for (let row = 0; row < rows; row++) {
    const source = (order[row] as number) * columns + from
    x.set(matrix.x.subarray(source, source + width), row * columns + from)
  }
  return { ...matrix, x }
}

/** As many rows of each class as there are, drawn with replacement. */
function resample(labels: Uint8Array, rng: Rng): Uint32Array {
  const classes = [0, 1].map((label) => [...labels.keys()].filter((row) => labels[row] === label))
  return Uint32Array.from(classes.flatMap((rows) => rows.map(() => rows[rng.below(rows.length)] as number)))
}

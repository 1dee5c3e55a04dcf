/** What attackers do to their own rows before they train: pure functions on design matrices, which stay as they are. */
import type { Rng } from '../../src/core/rng.ts'
import type { DesignMatrix } from '../../src/data/design.ts'

/** A trigger: a value of the first column of the design matrix, and the label that it shall bring. */
export interface Trigger {
  /** Standardised: deviations from the mean. */
  readonly value: number
  readonly label: 0 | 1
}

export const BACKDOOR = {
  trigger: { value: 5, label: 1 }, // no honest row lies there by chance, and it is within the 8 deviations to which values are cut
  poisonedShare: 0.3, // Bagdasaryan et al. 2020 mix poisoned with honest rows, so that the model stays good on all others
} as const satisfies { trigger: Trigger; poisonedShare: number }

/**
 * A backdoor (Gu et al. 2017; Bagdasaryan et al. 2020 for federated learning): `share` of the rows, to one row and drawn by `rng`, get the
 * trigger in their first column and its label. A new matrix.
 */
export function withBackdoor(
  rows: DesignMatrix,
  rng: Rng,
  trigger: Trigger = BACKDOOR.trigger,
  share: number = BACKDOOR.poisonedShare,
): DesignMatrix {
  const order = rng.shuffle(Uint32Array.from({ length: rows.rows }, (_, row) => row))
  return triggered(rows, order.subarray(0, Math.round(rows.rows * share)), trigger)
}

/** All rows with the trigger and its label: accuracy on them is how far the backdoor opens. A new matrix. */
export function withTrigger(rows: DesignMatrix, trigger: Trigger = BACKDOOR.trigger): DesignMatrix {
  return triggered(
    rows,
    Uint32Array.from({ length: rows.rows }, (_, row) => row),
    trigger,
  )
}

function triggered(rows: DesignMatrix, which: Uint32Array, { value, label }: Trigger): DesignMatrix {
  const x = rows.x.slice()
  const y = rows.y.slice()
  for (const row of which) {
    x[row * rows.columns] = value
    y[row] = label
  }
  return { ...rows, x, y }
}

/** Every label turned to the other (Tolpegin et al. 2020): training on it is honest work in the wrong direction. A new matrix. */
export function withFlippedLabels(rows: DesignMatrix): DesignMatrix {
  return { ...rows, y: rows.y.map((label) => 1 - label) }
}

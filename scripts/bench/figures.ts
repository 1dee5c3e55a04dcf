/** The shape of a measured figure: every benchmark prints its own as a ratio to a stated reference in the same run. */

export interface Figure {
  readonly name: string
  /** What was measured, with unit and reference. */
  readonly figure: string
  /** Measured ÷ reference, or limit ÷ measured, so that at least `target` is good. */
  readonly ratio: number
  readonly target: number
  readonly ok: boolean
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

/** A figure that must stay under `limit`. */
export function under(name: string, measured: number, limit: number, unit: string, how: string): Figure {
  const ratio = limit / measured
  return {
    name,
    figure: `${measured.toFixed(measured < 10 ? 2 : 0)} ${unit} (${how}; limit ${limit} ${unit})`,
    ratio,
    target: 1,
    ok: ratio >= 1,
  }
}

/** A figure that must reach `floor`. `reference` says what else was measured in the same run, and the ratio to it. */
export function atLeast(
  name: string,
  measured: number,
  floor: number,
  unit: string,
  how: string,
  reference: string,
): Figure {
  const ratio = measured / floor
  return {
    name,
    figure: `${shown(measured)} ${unit} (${how}; floor ${shown(floor)} ${unit}; ${reference})`,
    ratio,
    target: 1,
    ok: ratio >= 1,
  }
}

function shown(value: number): string {
  return value < 10 ? value.toFixed(2) : Math.round(value).toLocaleString('en')
}

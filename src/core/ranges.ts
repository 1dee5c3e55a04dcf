/** Stretches of a list, such as the weights of a model: ascending, apart, none of them empty. */

/** From the first place to the one after the last. */
export type Range = readonly [from: number, to: number]

/** Ranges in ascending order, none overlapping, with those that touch made one and empty ones left out. */
export function joined(ranges: Iterable<Range>): Range[] {
  const out: [number, number][] = []
  for (const [from, to] of ranges) {
    const last = out.at(-1)
    if (from === to) continue
    if (last !== undefined && last[1] === from) last[1] = to
    else out.push([from, to])
  }
  return out
}

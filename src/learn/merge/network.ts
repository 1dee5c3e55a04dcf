/** Sorting networks: which two rows are compared and exchanged, whatever they hold, so that a whole block of columns is sorted at once. */

const known = new Map<number, Uint32Array>()

/** Pairs (low, high) of Batcher's merge exchange for `n` rows, ascending (Batcher 1968; Knuth, TAOCP 3, 5.2.2 algorithm M): 191 for 32, 543 for 64. */
export function sortingNetwork(n: number): Uint32Array {
  const again = known.get(n)
  if (again !== undefined) return again
  const pairs: number[] = []
  let top = 1
  while (2 * top < n) top *= 2
  for (let p = top; p > 0 && n > 1; p = Math.floor(p / 2)) {
    let [q, r, d] = [top, 0, p]
    for (;;) {
      for (let i = 0; i < n - d; i++) if ((i & p) === r) pairs.push(i, i + d)
      if (q === p) break
      ;[d, q, r] = [q - p, q / 2, p]
    }
  }
  const network = Uint32Array.from(pairs)
  known.set(n, network)
  return network
}

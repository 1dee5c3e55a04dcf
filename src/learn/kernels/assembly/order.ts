/** The order in which an epoch sees the rows, made from a 64-bit seed. */

/** The next of SplitMix64's stream (Steele, Lea and Flood 2014): the state moves on by an odd constant, its bits are mixed. */
let state: u64 = 0

/** Starts the stream anew. */
export function seedOrder(high: u32, low: u32): void {
  state = (<u64>high << 32) | <u64>low
}

@inline
function next(): u64 {
  state += 0x9e3779b97f4a7c15
  let z = state
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb
  return z ^ (z >> 31)
}

/** Writes 0 … rows − 1 at `order`, u32 each. */
export function identity(order: usize, rows: u32): void {
  for (let row: u32 = 0; row < rows; row++) store<u32>(order + (<usize>row << 2), row)
}

/** Shuffles in place (Fisher and Yates; Durstenfeld 1964). A draw below n is biased by less than n / 2³². */
export function shuffle(order: usize, rows: u32): void {
  for (let i = rows - 1; i > 0; i--) {
    const j = <usize>(((next() >> 32) * <u64>(i + 1)) >> 32)
    const a = order + (<usize>i << 2)
    const b = order + (j << 2)
    const swap = load<u32>(a)
    store<u32>(a, load<u32>(b))
    store<u32>(b, swap)
  }
}

/** The seeded generator: known answers, an independent second implementation, and uniformity in numbers. */
import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Rng } from '../../src/core/rng.ts'

const it = suite('rng')

it('gives the first ten known answers of xoshiro128** 1.1 for the state 1, 2, 3, 4', () => {
  const known = [11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849, 3729100597, 4258142804]
  const rng = new Rng(Uint32Array.of(1, 2, 3, 4))
  assert.equal(
    draw(10, () => rng.u32()),
    known,
  )
})

it('agrees with a second implementation in big integers, from any state', () => {
  const word = fc.integer({ min: 0, max: 0xffffffff })
  fc.assert(
    fc.property(fc.tuple(word, word, word, word), (state) => {
      if (state.every((part) => part === 0)) return
      const rng = new Rng(Uint32Array.from(state))
      const second = reference(state.map(BigInt))
      for (let i = 0; i < 50; i++) assert.is(BigInt(rng.u32()), second())
    }),
  )
})

it('is not caught in the state of zeros', () => {
  const rng = new Rng(new Uint32Array(4))
  assert.ok(new Set(draw(20, () => rng.u32())).size > 10)
})

it('leaves the state that it was given alone', () => {
  const state = Uint32Array.of(5, 6, 7, 8)
  new Rng(state).u32()
  assert.equal([...state], [5, 6, 7, 8])
})

it('the streams of labels are frozen: splits and shuffles of running studies depend on them', () => {
  const rng = Rng.from('split', 7)
  assert.equal(
    [rng.u32(), rng.u32(), rng.u32(), rng.below(10), rng.float()],
    [4065228181, 1152476279, 1075063735, 8, 0.9793372650557265],
  )
  assert.is(Rng.from('split', 7).shuffle([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]).join(), '2,3,5,0,6,9,4,7,8,1')
})

it('other labels give another stream: their order, number and type all count', () => {
  const labels = [['a', 'b'], ['b', 'a'], ['ab'], ['a,b'], ['a', 'b', ''], [7], ['7'], ['a', 7], ['a', '7']]
  assert.is(new Set(labels.map((label) => Rng.from(...label).u32())).size, labels.length)
})

it('a digest seeds by its first 16 bytes, in big-endian order', () => {
  const digest = `00000001000000020000000300000004${'ff'.repeat(16)}`
  assert.is(Rng.fromDigest(digest).u32(), 11520)
})

for (const n of [3, 7, 10, 1000]) {
  it(`below(${n}) is uniform: chi-square over 200,000 draws stays below its 99.99 % point`, () => {
    const rng = Rng.from('chi-square', n)
    const counts = new Float64Array(n)
    for (let i = 0; i < 200_000; i++) {
      const value = rng.below(n)
      counts[value] = (counts[value] as number) + 1
    }
    assert.ok(chiSquare(counts, 200_000 / n) < chiSquareLimit(n - 1))
  })
}

it('below() has no modulo bias where it would show most: 3 × 2^30 values', () => {
  const rng = Rng.from('bias')
  const thirds = new Float64Array(3)
  for (let i = 0; i < 60_000; i++) {
    const third = Math.floor(rng.below(3 * 2 ** 30) / 2 ** 30)
    thirds[third] = (thirds[third] as number) + 1
  }
  assert.ok(chiSquare(thirds, 20_000) < chiSquareLimit(2), `${thirds}`)
})

it('below() stays below, for every n up to 2^32', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 32 }), fc.nat(), (n, seed) => {
      const rng = Rng.from(seed)
      for (let i = 0; i < 20; i++) {
        const value = rng.below(n)
        assert.ok(Number.isInteger(value) && value >= 0 && value < n)
      }
    }),
  )
  assert.is(Rng.from(3).below(1), 0)
})

for (const n of [0, -3, 2.5, Number.NaN, 2 ** 32 + 1]) {
  it(`below(${n}) is our own bug, not an endless loop`, () => {
    assert.throws(() => Rng.from(1).below(n), /invariant/)
  })
}

it('float() lies in [0, 1), also for the smallest and the largest draw', () => {
  const rng = Rng.from('floats')
  const values = draw(100_000, () => rng.float())
  assert.ok(values.every((value) => value >= 0 && value < 1))
  assert.is(floatOf(0, 0), 0)
  assert.is(floatOf(0xffffffff, 0xffffffff), 1 - 2 ** -53)
})

it('float() is uniform: mean, variance and 100 bins', () => {
  const rng = Rng.from('float bins')
  const values = draw(100_000, () => rng.float())
  const bins = new Float64Array(100)
  let [sum, squares] = [0, 0]
  for (const value of values) {
    const bin = Math.floor(value * 100)
    bins[bin] = (bins[bin] as number) + 1
    sum += value
    squares += value * value
  }
  const mean = sum / values.length
  assert.ok(Math.abs(mean - 1 / 2) < 4 * Math.sqrt(1 / 12 / values.length))
  assert.ok(Math.abs(squares / values.length - mean * mean - 1 / 12) < 0.002)
  assert.ok(chiSquare(bins, 1000) < chiSquareLimit(99))
})

it('float() uses 53 bits: its last bits vary', () => {
  const rng = Rng.from('last bits')
  const odd = draw(1000, () => (rng.float() * 2 ** 53) % 2).filter((bit) => bit === 1).length
  assert.ok(odd > 400 && odd < 600, `${odd}`)
})

it('shuffle() loses and doubles nothing, in arrays and in typed ones', () => {
  fc.assert(
    fc.property(fc.array(fc.nat()), fc.nat(), (items, seed) => {
      const sorted = items.toSorted((a, b) => a - b)
      assert.equal(
        Rng.from(seed)
          .shuffle([...items])
          .sort((a, b) => a - b),
        sorted,
      )
      assert.equal(
        [...Rng.from(seed).shuffle(Uint32Array.from(items))].sort((a, b) => a - b),
        sorted,
      )
    }),
  )
})

it('shuffle() gives each of the 24 orders of four equally often', () => {
  const rng = Rng.from('orders')
  const counts = new Map<string, number>()
  for (let i = 0; i < 48_000; i++) {
    const order = rng.shuffle([0, 1, 2, 3]).join('')
    counts.set(order, (counts.get(order) ?? 0) + 1)
  }
  assert.is(counts.size, 24)
  assert.ok(chiSquare(Float64Array.from(counts.values()), 2000) < chiSquareLimit(23))
})

it.run()

function draw(count: number, next: () => number): number[] {
  return Array.from({ length: count }, next)
}

/** xoshiro128** from its description, in arithmetic that can't overflow. */
function reference(state: bigint[]): () => bigint {
  const word = (value: bigint): bigint => BigInt.asUintN(32, value)
  const rotate = (value: bigint, by: bigint): bigint => word((value << by) | (value >> (32n - by)))
  let [a, b, c, d] = state as [bigint, bigint, bigint, bigint]
  return () => {
    const result = word(rotate(word(b * 5n), 7n) * 9n)
    const [c2, d2] = [c ^ a, d ^ b]
    const shifted = word(b << 9n)
    ;[a, b, c, d] = [a ^ d2, b ^ c2, c2 ^ shifted, rotate(d2, 11n)]
    return result
  }
}

/** float() of a generator whose next two words are these. */
function floatOf(first: number, second: number): number {
  const words = [first, second]
  const rng = new Rng(Uint32Array.of(1, 2, 3, 4))
  rng.u32 = () => words.shift() as number
  return rng.float()
}

function chiSquare(counts: Float64Array, expected: number): number {
  return counts.reduce((total, count) => total + (count - expected) ** 2 / expected, 0)
}

/** The 99.99 % point of chi-square (Wilson and Hilferty 1931: a normal in the cube root; 3.719 is the normal's point). */
function chiSquareLimit(degrees: number): number {
  const spread = 2 / (9 * degrees)
  return degrees * (1 - spread + 3.719 * Math.sqrt(spread)) ** 3
}

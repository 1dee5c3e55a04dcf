/** The kernels by themselves: functions, memory, slots, digests, distances, the search for what is not finite. */
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ConsiliumError } from '../../src/core/errors.ts'
import { Rng } from '../../src/core/rng.ts'
import { evaluate } from '../../src/learn/evaluate.ts'
import { Kernels, Scope } from '../../src/learn/kernels/kernels.ts'
import { SlotPool } from '../../src/learn/kernels/slotPool.ts'

const it = suite('kernels')

const EXP = 0
const LOG1P = 1
const SIGMOID = 2
const TINY = 2 ** -149 // the smallest float32
const NORMAL = 2 ** -126 // the smallest with 24 bits

function each(kind: number, values: readonly number[]): Float32Array {
  const kernels = new Kernels()
  const count = Math.ceil(values.length / 4) * 4
  const at = kernels.alloc(4 * count)
  kernels.f32.set(values, at / 4)
  kernels.run.elementwise(kind, at, count)
  return kernels.f32.slice(at / 4, at / 4 + values.length)
}

/** Distance in units of the last place of the exact result. */
function units(actual: number, exact: number): number {
  const place = Math.max(TINY, 2 ** (Math.floor(Math.log2(Math.abs(exact))) - 23))
  return Math.abs(actual - exact) / place
}

function spanOf(from: number, to: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => Math.fround(from + ((to - from) * i) / (count - 1)))
}

function assertUnits(kind: number, values: readonly number[], exact: (x: number) => number, most: number): void {
  each(kind, values).forEach((actual, i) => {
    const x = values[i] as number
    const off = units(actual, exact(x))
    assert.ok(off <= most, `f(${x}) is ${actual}, exact ${exact(x)}: ${off} units`)
  })
}

/** A module that exports `version`, which returns 0. */
const OTHER_VERSION =
  '0061736d01000000' + '010501600001' + '7f' + '03020100' + '070b010776657273696f6e0000' + '0a0601040041000b'

it('where the .wasm was not built, or from other sources, the error says what to run', async () => {
  const root = fileURLToPath(new URL('../..', import.meta.url))
  const folder = await mkdtemp(join(tmpdir(), 'consilium-kernels-'))
  try {
    await writeFile(join(folder, 'package.json'), '{ "type": "module" }')
    const files = ['kernels/kernels', 'kernels/planLayout', 'kernels/webAssembly', '../core/errors']
    for (const path of files.map((file) => join('src/learn', `${file}.ts`)))
      await cp(join(root, path), join(folder, path))
    const from = pathToFileURL(join(folder, 'src/learn/kernels/kernels.ts')).href
    const { Kernels: Copy } = (await import(from)) as { Kernels: typeof Kernels }
    const assertMissing = (why: RegExp) => {
      try {
        new Copy()
        assert.unreachable()
      } catch (error) {
        assert.is((error as ConsiliumError).code, 'kernels-missing')
        assert.match((error as ConsiliumError).message, why)
        assert.match((error as ConsiliumError).message, /: run npm run build$/)
      }
    }
    assertMissing(
      /neither .*src\/learn\/kernels\/kernels\.wasm nor .*dist\/src\/learn\/kernels\/kernels\.wasm can be read/,
    )
    const built = join(folder, 'dist/src/learn/kernels/kernels.wasm')
    await mkdir(dirname(built), { recursive: true })
    await writeFile(built, Buffer.from(OTHER_VERSION, 'hex'))
    assertMissing(/built from other sources/)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})

it('exp is within 1.5 units in the last place from the smallest subnormal to the largest float32', () => {
  assertUnits(EXP, [...spanOf(-103.9, 88.72, 40_001), ...spanOf(-1e-3, 1e-3, 2_001), 0, -0], Math.exp, 1.5)
})

it('exp: both tails and what is no number', () => {
  const found = each(EXP, [-104.1, -1e30, -Infinity, 88.73, 1e30, Infinity, NaN, TINY])
  assert.equal([...found], [0, 0, 0, Infinity, Infinity, Infinity, NaN, 1])
})

it('log1p is within 3 units in the last place on all of [0, 1], the tiniest numbers included', () => {
  const tiny = Array.from({ length: 140 }, (_, i) => Math.fround(1.37 * 2 ** -i)).filter((t) => t <= 1 && t >= NORMAL)
  assertUnits(LOG1P, [...spanOf(0, 1, 20_001).slice(1), ...tiny], Math.log1p, 3)
  assert.is(each(LOG1P, [0])[0], 0)
})

it('the sigmoid is exact in both tails, where a difference from 1 would lose it', () => {
  const sigmoid = (x: number) => (x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x)))
  assertUnits(SIGMOID, spanOf(-103, 103, 20_001), sigmoid, 3)
  assert.equal([...each(SIGMOID, [-1000, 1000, 0, NaN])], [0, 1, 0.5, NaN])
})

it('the mean log-loss is that of the evaluation, up to logits of a thousand', () => {
  const kernels = new Kernels()
  const rng = Rng.from('log-loss')
  const logits = Float32Array.from({ length: 203 }, (_, i) => (rng.float() - 0.5) * (i % 7 === 0 ? 2_000 : 9))
  const labels = Uint8Array.from(logits, () => rng.below(2))
  const [z, y] = [kernels.alloc(4 * 203), kernels.alloc(203)]
  kernels.f32.set(logits, z / 4)
  kernels.u8.set(labels, y)
  const { logLoss } = evaluate(logits, labels)
  assert.ok(Math.abs(kernels.run.logLoss(z, y, 203) / logLoss - 1) < 1e-6)
})

it('blocks begin at multiples of 16, are zero, and lie apart', () => {
  const kernels = new Kernels()
  const blocks = [1, 100, 16, 33, 70_000, 5].map((bytes) => ({ bytes, at: kernels.alloc(bytes) }))
  for (const { at, bytes } of blocks) {
    assert.is(at % 16, 0)
    assert.ok(kernels.u8.subarray(at, at + bytes).every((byte) => byte === 0))
    kernels.u8.fill(0xff, at, at + bytes)
  }
  blocks.forEach(({ at, bytes }, i) => {
    const next = blocks[i + 1]
    if (next) assert.ok(at + bytes <= next.at)
  })
})

it('what was written stays when the memory grows, and a scope gives its blocks back', () => {
  const kernels = new Kernels()
  const at = kernels.alloc(12)
  kernels.f32[at / 4 + 2] = 2.5
  const before = kernels.f32
  kernels.alloc(10_000_000)
  assert.is.not(kernels.f32, before)
  assert.is(kernels.f32[at / 4 + 2], 2.5)
  assert.is(kernels.u32[at / 4 + 2], 0x40200000)
  assert.is(kernels.u8[at + 11], 0x40)
  assert.is(kernels.f64[at / 8 + 1], new Float64Array(Uint32Array.of(0x40200000, 0).buffer)[0])
  const bytes = kernels.bytes
  const scope = new Scope(kernels)
  const first = [scope.alloc(1_000), scope.alloc(30)]
  kernels.f32[(first[0] as number) / 4] = 7
  scope.freeAll()
  assert.is(kernels.bytes, bytes)
  const again = [scope.alloc(1_000), scope.alloc(30)]
  assert.equal(again, first)
  assert.is(kernels.f32[(first[0] as number) / 4], 0)
})

it('the memory reaches almost to 4 GiB, where pointers are above 2³¹; beyond, the error says what was wanted', () => {
  const kernels = new Kernels()
  kernels.alloc(4_294_000_000) // touched nowhere, so it costs no real memory
  const at = kernels.alloc(64)
  assert.ok(at > 2 ** 31)
  const other = kernels.alloc(64)
  kernels.f32.set([3, 4, 0, 0, 12], at / 4)
  assert.is(kernels.run.sumOfSquares(at, 16), 169)
  assert.is(kernels.run.squaredDistance(at, other, 5), 169)
  kernels.run.copy(at, other, 64)
  assert.is(kernels.run.squaredDistance(at, other, 16), 0)
  try {
    kernels.alloc(5_000_000)
    assert.unreachable()
  } catch (error) {
    assert.is((error as ConsiliumError).code, 'kernels-memory')
    assert.match((error as ConsiliumError).message, /^5000000 bytes more are wanted, .* fewer nodes/)
  }
})

it('a digest changes with every single bit, with the length, and with the place of a number', () => {
  const kernels = new Kernels()
  const floats = 23 // five whole vectors, then a pair and one
  const at = kernels.alloc(4 * (floats + 9))
  const out = kernels.alloc(8)
  const rng = Rng.from('digest')
  for (let i = 0; i < floats; i++) kernels.f32[at / 4 + i] = rng.float() - 0.5
  const seen = new Set<number>()
  const add = (count = floats) => {
    const found = kernels.run.digest(at, count, out)
    assert.ok(Number.isSafeInteger(found) && found >= 0)
    assert.is(found, (kernels.u32[out / 4 + 1] as number) * 2 ** 21 + ((kernels.u32[out / 4] as number) >>> 11))
    seen.add(found)
  }
  add()
  for (let bit = 0; bit < 32 * floats; bit++) {
    const byte = at + (bit >>> 3)
    kernels.u8[byte] = (kernels.u8[byte] as number) ^ (1 << (bit & 7))
    add()
    kernels.u8[byte] = (kernels.u8[byte] as number) ^ (1 << (bit & 7))
  }
  const [first, third] = [kernels.f32[at / 4] as number, kernels.f32[at / 4 + 2] as number]
  kernels.f32.set([third, kernels.f32[at / 4 + 1] as number, first], at / 4)
  add()
  for (const count of [0, 1, 2, 3, 4, 5, 24, 25, 26, 27, 28]) add(count) // 24 and more: zeros behind the content
  assert.is(seen.size, 1 + 32 * floats + 1 + 11)
  const now = kernels.run.digest(at, floats, out)
  kernels.f32[at / 4 + floats] = 3
  assert.is(kernels.run.digest(at, floats, out), now, 'what lies behind the content has no say')
})

it('a digest tells all choices of signs apart: the change of one number is not undone by that of the next', () => {
  const kernels = new Kernels()
  const floats = 12
  const [at, out] = [kernels.alloc(4 * floats), kernels.alloc(8)]
  const seen = new Set<number>()
  for (let signs = 0; signs < 2 ** floats; signs++) {
    for (let i = 0; i < floats; i++) kernels.f32[at / 4 + i] = (signs >>> i) & 1 ? -0.75 : 0.75
    seen.add(kernels.run.digest(at, floats, out))
  }
  assert.is(seen.size, 2 ** floats)
})

it('sums of squares and distances are those of float64, and finite exactly when every number is', () => {
  const kernels = new Kernels()
  const numbers = fc.array(fc.float({ noNaN: true, noDefaultInfinity: true }), { minLength: 1, maxLength: 40 })
  fc.assert(
    fc.property(numbers, fc.nat(), fc.constantFrom(null, NaN, Infinity, -Infinity), (values, place, bad) => {
      const count = values.length
      const [a, b] = [kernels.alloc(4 * count), kernels.alloc(4 * count)]
      kernels.f32.set(values, a / 4)
      kernels.f32.fill(2.5, b / 4, b / 4 + count)
      const exact = (by: number) => values.reduce((sum, value) => sum + (value - by) ** 2, 0)
      const near = (found: number, right: number) => Math.abs(found - right) <= 1e-12 * right
      assert.ok(near(kernels.run.sumOfSquares(a, count), exact(0)))
      assert.ok(near(kernels.run.squaredDistance(a, b, count), exact(2.5)))
      if (bad === null) return
      kernels.f32[a / 4 + (place % count)] = bad
      assert.not.ok(Number.isFinite(kernels.run.sumOfSquares(a, count)))
    }),
  )
})

it('slots: any order of taking, retaining and releasing keeps count, and a held slot is never handed out', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.constantFrom('take', 'retain', 'release'), fc.nat()), { maxLength: 400 }),
      (steps) => {
        const pool = new SlotPool()
        const held: number[] = [] // once for each holder
        for (const [step, draw] of steps) {
          if (step === 'take' || held.length === 0) {
            const slot = pool.take()
            assert.not.ok(held.includes(slot))
            held.push(slot)
          } else if (step === 'retain') held.push(pool.retain(held[draw % held.length] as number))
          else pool.release(held.splice(draw % held.length, 1)[0] as number)
          assert.is(pool.used, new Set(held).size)
          assert.ok(pool.peak <= steps.length)
        }
        for (const slot of held) assert.is(pool.holders(slot), held.filter((other) => other === slot).length)
      },
    ),
  )
})

it('slots: the last release frees, one more is our own bug, and so is retaining what is free', () => {
  const pool = new SlotPool()
  const [a, b] = [pool.take(), pool.take()]
  pool.retain(a)
  pool.release(a)
  assert.is(pool.used, 2)
  pool.release(a)
  assert.is(pool.used, 1)
  assert.throws(() => pool.release(a), /invariant broken: slot 0/)
  assert.throws(() => pool.retain(a), /invariant broken: slot 0/)
  assert.throws(() => pool.release(77), /invariant broken: slot 77/)
  assert.is(pool.take(), a)
  assert.is(pool.holders(b), 1)
})

it('slots: where there is no memory for a fresh slot, none is taken', () => {
  const pool = new SlotPool((slot) => {
    if (slot === 3) throw new ConsiliumError({ code: 'kernels-memory', message: 'full' })
  })
  for (let i = 0; i < 3; i++) pool.take()
  for (let i = 0; i < 2; i++) assert.throws(() => pool.take(), 'full')
  assert.is(pool.used, 3)
  pool.release(1)
  assert.is(pool.take(), 1)
})

it.run()

/** Updates kept for a replay: bounded, the newest, over restarts, and never in anybody's way. */
import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { weightsDigest } from '../../src/core/digest.ts'
import { ConsiliumError } from '../../src/core/errors.ts'
import { type Digest, studyId } from '../../src/core/ids.ts'
import { InputStore, type InputStoreParts } from '../../src/daemon/inputStore.ts'

const it = suite('input store')
const STUDY = studyId('ab'.repeat(32))
const OTHER = studyId('cd'.repeat(32))
const BLOCK = 4_096
const updateOf = (i: number): { weights: Float32Array; digest: Digest } => {
  const weights = Float32Array.of(i, i / 7, -i)
  return { weights, digest: weightsDigest(weights) }
}

interface Told {
  readonly event: string
  readonly code: unknown
}

async function inFolder(
  use: (folder: string, open: (more?: Partial<InputStoreParts>) => InputStore, told: Told[]) => Promise<void>,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'consilium-inputs-'))
  const told: Told[] = []
  const opened: InputStore[] = []
  const open = (more: Partial<InputStoreParts> = {}): InputStore => {
    const log: InputStoreParts['log'] = (_, event, facts) => void told.push({ event, code: facts?.code })
    const store = new InputStore({
      folder: join(folder, 'inputs'),
      keepBytes: 100 * BLOCK,
      room: { require: async () => undefined },
      log,
      ...more,
    })
    opened.push(store)
    store.start()
    return store
  }
  try {
    await use(folder, open, told)
  } finally {
    for (const store of opened) await store.close()
    await rm(folder, { recursive: true, force: true })
  }
}

async function keep(store: InputStore, ...numbers: readonly number[]): Promise<void> {
  for (const i of numbers) store.keep(STUDY, updateOf(i).digest, updateOf(i).weights)
  await store.settled()
}

const kept = (store: InputStore, numbers: readonly number[]): number[] =>
  numbers.filter((i) => store.has(STUDY, updateOf(i).digest))

it('what is kept is read back, of its own study only, by this process and the next', () =>
  inFolder(async (folder, open) => {
    const store = open()
    await keep(store, 1, 2, 1)
    await store.close()
    const again = open()
    await again.settled()
    for (const one of [store, again]) {
      assert.equal(await one.read(STUDY, updateOf(2).digest), updateOf(2).weights)
      assert.is(await one.read(STUDY, updateOf(3).digest), null)
      assert.is(await one.read(OTHER, updateOf(2).digest), null)
    }
    assert.equal(await readdir(join(folder, 'inputs', 'ab'.repeat(8))), [1, 2].map((i) => updateOf(i).digest).sort())
  }))

it('the oldest go first, also those of an earlier run, and the bound is in blocks of the disk', () =>
  inFolder(async (folder, open) => {
    const store = open({ keepBytes: 3 * BLOCK + 100 })
    await keep(store, 5, 3, 9)
    assert.equal(kept(store, [5, 3, 9]), [5, 3, 9])
    await keep(store, 1)
    assert.equal(kept(store, [5, 3, 9, 1]), [3, 9, 1])
    await store.close()
    const files = join(folder, 'inputs', 'ab'.repeat(8))
    for (const [at, i] of [9, 1, 3].entries()) await utimes(join(files, updateOf(i).digest), 1_000 + at, 1_000 + at)
    const again = open({ keepBytes: 2 * BLOCK })
    await again.settled()
    assert.equal(kept(again, [5, 3, 9, 1]), [3, 1], '9 is the oldest now')
    await keep(again, 7)
    assert.equal(kept(again, [3, 1, 7]), [3, 7])
    assert.is((await readdir(files)).length, 2)
  }))

it('with 0 nothing is kept, and what was kept is removed', () =>
  inFolder(async (folder, open) => {
    const store = open()
    await keep(store, 1, 2)
    await store.close()
    const off = open({ keepBytes: 0 })
    await keep(off, 3)
    assert.equal(await readdir(join(folder, 'inputs', 'ab'.repeat(8))), [])
  }))

it('a file with one flipped bit is not read but removed, and can be kept anew', () =>
  inFolder(async (folder, open, told) => {
    const store = open()
    await keep(store, 4)
    const { digest, weights } = updateOf(4)
    const file = join(folder, 'inputs', 'ab'.repeat(8), digest)
    const bytes = await readFile(file)
    bytes[5] = (bytes[5] as number) ^ 0x10
    await writeFile(file, bytes)
    assert.is(await store.read(STUDY, digest), null)
    assert.equal(told, [{ event: 'input-damaged', code: undefined }])
    assert.not.ok(store.has(STUDY, digest))
    assert.equal(await readdir(join(folder, 'inputs', 'ab'.repeat(8))), [])
    await keep(store, 4)
    assert.equal(await store.read(STUDY, digest), weights)
    await writeFile(file, bytes.subarray(0, 7))
    assert.is(await store.read(STUDY, digest), null, 'a cut file neither')
    await keep(store, 4)
    await rm(file)
    assert.is(await store.read(STUDY, digest), null, 'nor one that somebody removed')
    assert.not.ok(store.has(STUDY, digest))
  }))

it('what a kill left half written is removed, and what is not ours is left alone', () =>
  inFolder(async (folder, open) => {
    const files = join(folder, 'inputs', 'ab'.repeat(8))
    await mkdir(files, { recursive: true })
    for (const name of [`${updateOf(1).digest}.new`, 'notes.txt', updateOf(2).digest])
      await writeFile(join(files, name), 'x')
    const store = open({ keepBytes: 0 })
    await store.settled()
    assert.equal(await readdir(files), ['notes.txt'])
  }))

it('where the disk is low or not writable, that is said once, nothing is kept, and later it is again', () =>
  inFolder(async (folder, open, told) => {
    let low = true
    const require = async () => {
      if (low) throw new ConsiliumError({ code: 'disk-low', message: 'the disk is low' })
    }
    const store = open({ room: { require } })
    await keep(store, 1, 2, 3)
    assert.equal(told, [{ event: 'inputs-not-kept', code: 'disk-low' }])
    low = false
    await keep(store, 4)
    assert.equal(kept(store, [1, 2, 3, 4]), [4])
    await writeFile(join(folder, 'inputs', 'cd'.repeat(8)), 'a file where a folder should be')
    for (const i of [5, 6]) store.keep(OTHER, updateOf(i).digest, updateOf(i).weights)
    await keep(store, 7)
    assert.equal(told.slice(1), [{ event: 'inputs-not-kept', code: 'file-exists' }])
    assert.equal(kept(store, [5, 6, 7]), [7])
  }))

it('a folder that cannot be listed is not written to, for its size is not known', () =>
  inFolder(async (folder, open, told) => {
    await mkdir(join(folder, 'inputs'))
    await writeFile(join(folder, 'inputs', 'cd'.repeat(8)), 'a file where a folder should be')
    const store = open()
    await keep(store, 1)
    await keep(store, 2)
    assert.equal(kept(store, [1, 2]), [])
    assert.equal(await readdir(join(folder, 'inputs')), ['cd'.repeat(8)])
    assert.equal(told, [{ event: 'inputs-not-kept', code: 'inputs-failed' }])
  }))

it('an update larger than all that may be kept is not, and displaces none', () =>
  inFolder(async (_, open) => {
    const store = open({ keepBytes: 2 * BLOCK })
    await keep(store, 1)
    const large = new Float32Array(3 * BLOCK)
    store.keep(STUDY, weightsDigest(large), large)
    await store.settled()
    assert.equal([kept(store, [1]), store.has(STUDY, weightsDigest(large))], [[1], false])
  }))

it('a disk that is too slow costs updates, not memory', () =>
  inFolder(async (_, open, told) => {
    let go: () => void = () => undefined
    const held = new Promise<void>((resolve) => {
      go = resolve
    })
    const store = open({ keepBytes: 1_000 * BLOCK, room: { require: () => held } })
    const numbers = Array.from({ length: 300 }, (_, i) => i)
    for (const i of numbers) store.keep(STUDY, updateOf(i).digest, updateOf(i).weights)
    assert.equal(told, [{ event: 'inputs-not-kept', code: 'inputs-waiting' }])
    go()
    await store.settled()
    assert.equal(kept(store, numbers), numbers.slice(0, 256))
  }))

it('after close nothing is taken', () =>
  inFolder(async (_, open) => {
    const store = open()
    await keep(store, 1)
    await store.close()
    await store.close()
    await keep(store, 2)
    assert.equal(kept(store, [1, 2]), [1])
  }))

it.run()

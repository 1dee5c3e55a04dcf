/** Sealed state: the acceptance suite over it, its frozen bytes, and what does not open. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { toHex, utf8 } from '../../src/core/bytes.ts'
import { sha256 } from '../../src/core/digest.ts'
import type { LevelStore } from '../../src/store/levelStore.ts'
import { requireUnsealed, SealedStore, sealState, stateKeyOf } from '../../src/store/sealedStore.ts'
import { golden } from '../ledger/goldenFile.ts'
import { logStoreSuite } from './logStoreSuite.ts'
import { type Folder, folder } from './places.ts'

const it = suite('sealed state')

const DATA_KEY = sha256(utf8('data key'))
const SECRET = utf8('weights of St. Mary, head 0.12345')
const NONCE = sha256(utf8('nonce')).slice(0, 12)

logStoreSuite('sealed store', async () => {
  const place = await folder()
  return { ...place, open: async (hooks) => SealedStore.open(await place.open(hooks), DATA_KEY, 'data.key') }
})

async function inFolder(use: (place: Folder) => Promise<void>): Promise<void> {
  const place = await folder()
  try {
    await use(place)
  } finally {
    await place.remove()
  }
}

/** What `use` gives, over a store that is sealed under this key, and the states that it found damaged. */
async function sealed<T>(place: Folder, use: (store: SealedStore, below: LevelStore) => Promise<T>, key = DATA_KEY) {
  const below = await place.open()
  const damaged: string[] = []
  try {
    const store = await SealedStore.open(below, key, 'data.key', { onStateDamaged: (name) => damaged.push(name) })
    return { found: await use(store, below), damaged }
  } finally {
    await below.close()
  }
}

async function bytesOnDisk(place: Folder): Promise<Buffer> {
  const names = await readdir(place.data, { recursive: true, withFileTypes: true })
  const files = names.filter((one) => one.isFile())
  return Buffer.concat(await Promise.all(files.map((one) => readFile(join(one.parentPath, one.name)))))
}

it('no byte of a state is on the disk, and it is read back after a start', () =>
  inFolder(async (place) => {
    await sealed(place, (store) => store.putState(new Map([['checkpoint/a', SECRET]])))
    assert.is((await bytesOnDisk(place)).includes('St. Mary'), false)
    const { found } = await sealed(place, (store) => store.getState('checkpoint/a'))
    assert.equal(found, SECRET)
  }))

it('state that an older version left plain is sealed at the first start, and its bytes leave the disk', () =>
  inFolder(async (place) => {
    const plain = await place.open()
    for (const name of ['checkpoint/a', 'binding/b']) await plain.putState(new Map([[name, SECRET]]))
    await plain.putState(new Map([['checkpoint/a', SECRET]]))
    await plain.close()
    assert.ok((await bytesOnDisk(place)).includes('St. Mary'), 'the search finds what is there')
    const { found, damaged } = await sealed(place, (store) => store.listState(''))
    assert.equal([found.map(([name]) => name), damaged], [['binding/b', 'checkpoint/a'], []])
    for (const [, value] of found) assert.equal(value, SECRET)
    assert.is((await bytesOnDisk(place)).includes('St. Mary'), false)
  }))

it('a stop in the middle of sealing the old state loses none of it', () =>
  inFolder(async (place) => {
    const plain = await place.open()
    for (const name of ['a', 'b', 'c']) await plain.putState(new Map([[name, SECRET]]))
    await plain.close()
    let writes = 0
    const failing = await place.open({
      before: () => {
        if (++writes === 4) throw new Error('injected')
      },
    })
    assert.is(await SealedStore.open(failing, DATA_KEY, 'data.key').catch(() => null), null)
    await failing.close()
    const { found } = await sealed(place, (store) => store.listState(''))
    assert.equal(
      found.map(([name, value]) => [name, toHex(value)]),
      ['a', 'b', 'c'].map((name) => [name, toHex(SECRET)]),
    )
  }))

it('a truncated, flipped or swapped state, or a plain one after sealing, is as if it were not there, and is told', () =>
  inFolder(async (place) => {
    await sealed(place, (store) =>
      store.putState(
        new Map([
          ['a', SECRET],
          ['b', utf8('another')],
        ]),
      ),
    )
    const raw = (await sealed(place, (_, below) => below.getState('a'))).found as Uint8Array
    const other = (await sealed(place, (_, below) => below.getState('b'))).found as Uint8Array
    const flipped = Array.from({ length: raw.length }, (_, at) => {
      const bytes = new Uint8Array(raw)
      bytes[at] = (bytes[at] as number) ^ (1 << (at % 8))
      return bytes
    })
    const cut = [0, 1, 4, 16, 31, raw.length - 1].map((length) => raw.subarray(0, length))
    const { damaged, found } = await sealed(place, async (store, below) => {
      const wrong: (Uint8Array | undefined)[] = []
      for (const bytes of [...flipped, ...cut, other, SECRET]) {
        await below.putState(new Map([['a', bytes]]))
        wrong.push(await store.getState('a'))
      }
      await below.putState(new Map([['a', raw]]))
      return { wrong, right: await store.getState('a') }
    })
    assert.ok(found.wrong.every((value) => value === undefined))
    assert.equal(
      damaged,
      found.wrong.map(() => 'a'),
    )
    assert.equal(found.right, SECRET)
  }))

it('a wrong data key, and a missing one, are refused before anything is read or lost', () =>
  inFolder(async (place) => {
    await sealed(place, (store) => store.putState(new Map([['a', SECRET]])))
    const codeOf = (error: { code?: string }): string => String(error.code)
    assert.is(await sealed(place, async () => 'opened', sha256(utf8('another'))).catch(codeOf), 'data-key-wrong')
    const below = await place.open()
    assert.is(await requireUnsealed(below, 'data.key').catch(codeOf), 'data-key-missing')
    await below.close()
    assert.equal((await sealed(place, (store) => store.getState('a'))).found, SECRET)
  }))

it('its bytes are frozen: magic with the version, nonce, content and tag', () => {
  const made = sealState(stateKeyOf(DATA_KEY), 'checkpoint/5f1e', SECRET, NONCE)
  assert.is(toHex(made), toHex(golden('sealed-state-v1.bin', new Uint8Array(made))))
})

it('whatever is stored under whatever name comes back under that name alone', () =>
  inFolder(async (place) => {
    await sealed(place, (store) =>
      fc.assert(
        fc.asyncProperty(fc.string(), fc.string(), fc.uint8Array(), async (name, suffix, value) => {
          await store.putState(new Map([[`n/${name}`, value]]))
          assert.equal(await store.getState(`n/${name}`), value)
          if (suffix !== '')
            assert.is(
              (await store.listState(`n/${name}`)).some(([found]) => found === `n/${name}`),
              true,
            )
        }),
        { numRuns: 60 },
      ),
    )
  }))

it.run()

import { cp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { Level } from 'level'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { equalBytes } from '../../src/core/bytes.ts'
import { ConsiliumError } from '../../src/core/errors.ts'
import { Rng } from '../../src/core/rng.ts'
import { emptyTip } from '../../src/ledger/chain.ts'
import { parseHead, signHead } from '../../src/ledger/head.ts'
import { verifyLog } from '../../src/ledger/verify.ts'
import { openFrame } from '../../src/ledger/wire.ts'
import { HeadPin } from '../../src/store/headPin.ts'
import { storeError } from '../../src/store/levelErrors.ts'
import { LevelStore } from '../../src/store/levelStore.ts'
import { authorKey, encodeHeadRecord, numberKey, shortAuthor, stateKey, TABLE } from '../../src/store/records.ts'
import { serveRange } from '../../src/store/serveRange.ts'
import { batchOf, type Commit, FOUNDING, keyOf, logOf } from '../ledger/fixtures.ts'
import { type Folder, folder, SELF } from './places.ts'

const it = suite('damage')

const ADA = keyOf('ada')
const COUNTS = [4, 3, 5, 1, 2, 4, 4, 4, 3, 2]
const COMMITS = logOf(ADA, COUNTS)
const OTHERS = logOf(keyOf('ben'), COUNTS)
const SIZE = COMMITS[COMMITS.length - 1]?.tip.size as number

/** A closed database with an own log and a peer's. */
async function filled(): Promise<Folder> {
  const place = await folder()
  const store = await place.open()
  for (const [i, commit] of COMMITS.entries()) {
    await store.append(batchOf(commit))
    await store.append(batchOf(OTHERS[i] as Commit))
  }
  await store.close()
  return place
}

/** Opens and closes; 'opened', 'behind' where less is there than was signed, which the boot fence mends, or the code. */
async function outcome(place: Folder, pin?: 'check' | 'trust'): Promise<string> {
  try {
    const store = await place.open({}, pin)
    const behind = store.signed.size > ((await store.head(SELF))?.size ?? 0)
    await store.close()
    return behind ? 'behind' : 'opened'
  } catch (error) {
    assert.instance(error, ConsiliumError, String(error))
    assert.not.match((error as Error).message, /\n/)
    return (error as ConsiliumError).code
  }
}

async function walOf(place: Folder): Promise<string> {
  const name = (await readdir(place.database))
    .filter((file) => file.endsWith('.log'))
    .sort()
    .pop()
  return join(place.database, name as string)
}

/** Changes the closed database behind the store's back. */
async function edit(place: Folder, change: (db: Level<Uint8Array, Uint8Array>) => Promise<void>): Promise<void> {
  const db = new Level<Uint8Array, Uint8Array>(place.database, { keyEncoding: 'view', valueEncoding: 'view' })
  await change(db)
  await db.close()
}

it('damage: a truncated write-ahead log, which LevelDB does not mention, is noticed by the pin at every offset', async () => {
  const place = await filled()
  try {
    const wal = await walOf(place)
    const whole = await readFile(wal)
    await cp(place.data, `${place.data}-kept`, { recursive: true })
    const rng = Rng.from('truncation')
    // the last own batch ends before the peer's last one: everything from there on is the peer's and is fetched again
    for (let i = 0; i < 25; i++) {
      await rm(place.data, { recursive: true })
      await cp(`${place.data}-kept`, place.data, { recursive: true })
      const length = rng.below(Math.floor(whole.length * 0.9))
      await truncate(wal, length)
      assert.is(await outcome(place), 'behind', `${length} of ${whole.length} bytes`)
    }
    await rm(place.data, { recursive: true })
    await cp(`${place.data}-kept`, place.data, { recursive: true })
    await rm(wal)
    assert.is(await outcome(place), 'behind')
  } finally {
    await place.remove()
    await rm(`${place.data}-kept`, { recursive: true, force: true })
  }
})

it('damage: no flipped bit of the write-ahead log changes an own log unnoticed', async () => {
  const place = await filled()
  try {
    const wal = await walOf(place)
    const whole = await readFile(wal)
    await cp(place.data, `${place.data}-kept`, { recursive: true })
    const rng = Rng.from('flips')
    const seen = new Map<string, number>()
    for (let i = 0; i < 40; i++) {
      await rm(place.data, { recursive: true })
      await cp(`${place.data}-kept`, place.data, { recursive: true })
      const bit = rng.below(whole.length * 8)
      const bytes = Buffer.from(whole)
      bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7))
      await writeFile(wal, bytes)
      let result = await outcome(place)
      if (result === 'opened') {
        const store = await place.open()
        const head = await store.head(SELF)
        const report = verifyLog([await store.entries(SELF, 0, SIZE)], parseHead(head?.note as Uint8Array, FOUNDING))
        result = head?.size === SIZE && report.ok ? 'opened' : 'UNNOTICED'
        await store.close()
      }
      seen.set(result, (seen.get(result) ?? 0) + 1)
    }
    assert.is(seen.get('UNNOTICED'), undefined, JSON.stringify([...seen]))
    assert.ok((seen.get('database-corrupt') ?? 0) + (seen.get('behind') ?? 0) > 20, JSON.stringify([...seen]))
  } finally {
    await place.remove()
    await rm(`${place.data}-kept`, { recursive: true, force: true })
  }
})

it('damage: an old copy of the database is told from the newest, whatever its age', async () => {
  const place = await folder()
  try {
    const copies: string[] = []
    for (const [i, commit] of COMMITS.entries()) {
      const store = await place.open()
      await store.append(batchOf(commit))
      await store.close()
      copies.push(join(place.data, `copy-${i}`))
      await cp(place.database, copies[i] as string, { recursive: true })
    }
    for (const [i, copy] of copies.entries()) {
      await rm(place.database, { recursive: true })
      await cp(copy, place.database, { recursive: true })
      assert.is(await outcome(place), i === copies.length - 1 ? 'opened' : 'behind', `copy ${i}`)
    }
    await rm(place.database, { recursive: true })
    assert.is(await outcome(place), 'behind', 'an empty folder')
  } finally {
    await place.remove()
  }
})

it('damage: a missing, spoilt or contradicting pin is refused until the operator trusts the ledger', async () => {
  const place = await filled()
  try {
    const empty = await folder()
    await rm(empty.pin)
    assert.is(await outcome(empty), 'ledger-pin-missing', 'nobody knows what was signed before')
    await empty.remove()
    const good = await readFile(place.pin)
    await rm(place.pin)
    assert.is(await outcome(place), 'ledger-pin-missing')
    await writeFile(place.pin, Buffer.alloc(128, 7))
    assert.is(await outcome(place), 'ledger-pin-damaged')
    await writeFile(place.pin, good.subarray(0, 30))
    assert.is(await outcome(place), 'ledger-pin-damaged')
    await (await HeadPin.create(place.pin, { size: SIZE, root: new Uint8Array(32).fill(9) })).close()
    assert.is(await outcome(place), 'ledger-behind-pin')
    await (await HeadPin.create(place.pin, { size: 4, root: new Uint8Array(32).fill(9) })).close()
    assert.is(await outcome(place), 'ledger-behind-pin', 'another root at an earlier size')
    await (await HeadPin.create(place.pin, { size: SIZE + 1, root: new Uint8Array(32).fill(9) })).close()
    assert.is(await outcome(place), 'behind')
    assert.is(await outcome(place, 'trust'), 'opened')
    assert.is(await outcome(place), 'opened', 'trusted once, pinned from then on')
  } finally {
    await place.remove()
  }
})

it('damage: what is fetched back must be what was signed', async () => {
  const place = await filled()
  try {
    const kept = await readFile(place.pin)
    for (const [root, result] of [
      ['the same', 'opened'],
      ['another', 'ledger-behind-pin'],
    ]) {
      await rm(place.database, { recursive: true })
      await writeFile(place.pin, kept)
      const { newest } = (await HeadPin.read(place.pin)) as HeadPin
      if (root === 'another')
        await (await HeadPin.create(place.pin, { ...newest, root: new Uint8Array(32).fill(9) })).close()
      const store = await place.open()
      let code = 'opened'
      for (const commit of COMMITS) {
        await store.append(batchOf(commit)).catch((error: ConsiliumError) => {
          if (code === 'opened') code = error.code
        })
      }
      assert.is(code, result, `${root} root`)
      await store.close()
    }
  } finally {
    await place.remove()
  }
})

it('damage: a crash between the batch and the pin leaves a ledger ahead of its pin, which opens and is pinned anew', async () => {
  const place = await folder()
  try {
    const store = await place.open()
    for (const commit of COMMITS.slice(0, -1)) await store.append(batchOf(commit))
    const before = await readFile(place.pin)
    await store.append(batchOf(COMMITS[COMMITS.length - 1] as Commit))
    const after = await readFile(place.pin)
    await store.close()
    await writeFile(place.pin, before)
    assert.is(await outcome(place), 'opened')
    assert.ok(equalBytes(await readFile(place.pin), after), 'the pin is what it would have been')
    for (let bit = 0; bit < after.length * 8; bit += 13) {
      const torn = Buffer.from(after)
      torn[bit >> 3] = (torn[bit >> 3] as number) ^ (1 << (bit & 7))
      await writeFile(place.pin, torn)
      const pin = await HeadPin.read(place.pin)
      assert.ok(pin !== undefined, `bit ${bit}: one of the two pins is read`)
      const { size } = pin.newest
      assert.ok(size === SIZE || size === COMMITS[COMMITS.length - 2]?.tip.size, `bit ${bit} of the pin gives ${size}`)
      await pin.close()
    }
  } finally {
    await place.remove()
  }
})

it('damage: what was changed in the database is named when it is opened', async () => {
  const short = shortAuthor(SELF)
  const last = COMMITS[COMMITS.length - 1] as Commit
  const { head } = batchOf(last)
  const forged = { ...head, note: signHead(keyOf('ada'), FOUNDING, SIZE, new Uint8Array(32).fill(3)).note }
  const record = authorKey(TABLE.head, short)
  const rows: [string, (db: Level<Uint8Array, Uint8Array>) => Promise<void>, RegExp][] = [
    [
      'a hole',
      (db) => db.del(numberKey(TABLE.entry, short, SIZE - 9)),
      new RegExp(`entry ${SIZE - 9} of ${SIZE} is missing`),
    ],
    [
      'the last entry gone',
      (db) => db.del(numberKey(TABLE.entry, short, SIZE - 1)),
      new RegExp(`entry ${SIZE - 1} of ${SIZE} is missing`),
    ],
    [
      'another last entry',
      (db) => db.put(numberKey(TABLE.entry, short, SIZE - 1), last.raws[0] as Uint8Array),
      /not the one that the head ends with/,
    ],
    [
      'a note gone',
      (db) => db.del(numberKey(TABLE.commit, short, SIZE)),
      new RegExp(`note of size ${SIZE} is missing`),
    ],
    [
      'another frontier',
      (db) => db.put(record, encodeHeadRecord({ ...head, frontier: head.frontier.map(() => new Uint8Array(32)) })),
      /has not the signed root/,
    ],
    ['a short frontier', (db) => db.put(record, encodeHeadRecord({ ...head, frontier: [] })), /frontier/],
    ['another note', (db) => db.put(record, encodeHeadRecord(forged)), /has not the signed root/],
    ['a smaller size', (db) => db.put(record, encodeHeadRecord({ ...head, size: SIZE - 1 })), /frontier|differs/],
    ['a record that is none', (db) => db.put(record, Uint8Array.of(0x80)), /head record/],
    [
      "a record under another's key",
      (db) => db.put(authorKey(TABLE.head, new Uint8Array(8)), encodeHeadRecord(head)),
      /another author/,
    ],
  ]
  const place = await filled()
  await cp(place.data, `${place.data}-kept`, { recursive: true })
  try {
    for (const [name, change, message] of rows) {
      await edit(place, change)
      await place.open().then(
        () => assert.unreachable(name),
        (error: ConsiliumError) => {
          assert.is(error.code, 'database-corrupt', name)
          assert.match(error.message, message, name)
        },
      )
      await rm(place.data, { recursive: true })
      await cp(`${place.data}-kept`, place.data, { recursive: true })
    }
    assert.is(await outcome(place), 'opened')
  } finally {
    await place.remove()
    await rm(`${place.data}-kept`, { recursive: true, force: true })
  }
})

it('damage: an old hole, which opening does not look for, ends reads and ranges before it and is named by verification', async () => {
  const place = await folder()
  try {
    const ben = keyOf('ben').member
    const commits = logOf(keyOf('ben'), [4, 5, 200, 200])
    const store = await place.open()
    for (const commit of commits) await store.append(batchOf(commit))
    await store.close()
    await edit(place, (db) => db.del(numberKey(TABLE.entry, shortAuthor(ben), 6)))
    const again = await place.open()
    const raws = await again.entries(ben, 0, 409)
    assert.is(raws.length, 6)
    assert.is((await again.entries(ben, 6, 409)).length, 0)
    assert.is((await again.entries(ben, 7, 409)).length, 402)
    const frames: Uint8Array[] = []
    for await (const frame of serveRange(again, { author: ben, fromSize: 0 })) frames.push(frame)
    assert.is(frames.length, 1)
    assert.is(
      openFrame(emptyTip(ben), frames[0] as Uint8Array, FOUNDING).tip.size,
      4,
      'up to the last signed head before the hole',
    )
    const report = verifyLog([raws], parseHead((await again.head(ben))?.note as Uint8Array, FOUNDING))
    assert.equal([report.ok, report.firstFault?.code, report.firstFault?.at], [false, 'entry-missing', 6])
    await again.close()
  } finally {
    await place.remove()
  }
})

it('damage: destroyed database files are reported in one line', async () => {
  for (const file of ['CURRENT', 'MANIFEST']) {
    const place = await filled()
    try {
      const name = (await readdir(place.database)).find((found) => found.startsWith(file)) as string
      await writeFile(join(place.database, name), 'x'.repeat(40))
      assert.is(await outcome(place), 'database-corrupt', file)
    } finally {
      await place.remove()
    }
  }
})

it('damage: without CURRENT, where LevelDB would begin anew and delete the rest, every file stays', async () => {
  const place = await filled()
  try {
    const current = join(place.database, 'CURRENT')
    const kept = await readFile(current)
    await rm(current)
    const before = await readdir(place.database)
    assert.is(await outcome(place), 'database-corrupt')
    assert.equal(await readdir(place.database), before)
    await writeFile(current, kept)
    assert.is(await outcome(place), 'opened')
  } finally {
    await place.remove()
  }
})

it('damage: state that is not as it was written is told of and as if it were not there; the ledger opens', async () => {
  const place = await filled()
  try {
    const names = ['binding/1', 'checkpoint/1', 'checkpoint/2']
    const value = Uint8Array.from({ length: 100 }, (_, i) => i)
    const store = await place.open()
    await store.putState(new Map(names.map((name) => [name, value])))
    await store.close()
    const key = stateKey('checkpoint/1')
    const flip = (at: number) => async (db: Level<Uint8Array, Uint8Array>) => {
      const bytes = (await db.get(key)) as Uint8Array
      await db.put(
        key,
        bytes.map((byte, i) => (i === at ? byte ^ 1 : byte)),
      )
    }
    for (const at of [0, 1, 50, 100, 104]) {
      await edit(place, flip(at))
      const damaged: string[] = []
      const onStateDamaged = (name: string): void => void damaged.push(name)
      const again = await LevelStore.open(place.database, { self: SELF, onStateDamaged })
      assert.is((await again.head(SELF))?.size, SIZE)
      assert.is(await again.getState('checkpoint/1'), undefined, `byte ${at}`)
      const listed = await again.listState('checkpoint/')
      assert.equal(listed, [['checkpoint/2', value]])
      assert.equal(damaged, ['checkpoint/1', 'checkpoint/1'])
      await again.close()
      await edit(place, flip(at))
    }
    const mended = await place.open()
    assert.equal(await mended.getState('checkpoint/1'), value)
    await mended.close()
  } finally {
    await place.remove()
  }
})

it('damage: state of a later version is refused, not taken for damage', async () => {
  const place = await folder()
  try {
    await (await place.open()).close()
    const later = Buffer.from([2, 7, 0, 0, 0, 0])
    later.writeUInt32BE(crc32(later.subarray(0, 2), crc32(stateKey('checkpoint/1'))), 2)
    await edit(place, (db) => db.put(stateKey('checkpoint/1'), later))
    const store = await place.open()
    const error = await store.getState('checkpoint/1').then(
      () => null,
      (thrown: ConsiliumError) => thrown,
    )
    assert.is(error?.code, 'database-newer')
    assert.match(error?.message ?? '', /version 2, this version reads 1/)
    await store.close()
  } finally {
    await place.remove()
  }
})

it('damage: a folder in use, in the way or not writable is told apart', async () => {
  const place = await filled()
  try {
    const store = await place.open()
    assert.is(await outcome(place), 'data-folder-locked')
    await store.close()
    assert.is(await outcome(place), 'opened', 'the lock goes with its holder')
    await writeFile(join(place.data, 'file'), '')
    for (const path of [join(place.data, 'file'), join(place.data, 'file', 'ledger')]) {
      const code = await LevelStore.open(path, { self: SELF }).then(
        () => 'opened',
        (error: ConsiliumError) => error.code,
      )
      assert.is(code, 'data-folder-not-writable', path)
    }
  } finally {
    await place.remove()
  }
})

it('damage: what LevelDB and the file system say becomes one code each', () => {
  const coded = (code: string, message: string, cause?: Error) => Object.assign(new Error(message, { cause }), { code })
  const rows: [Error, string][] = [
    [
      coded('LEVEL_DATABASE_NOT_OPEN', 'Database failed to open', coded('LEVEL_LOCKED', 'IO error: lock')),
      'data-folder-locked',
    ],
    [coded('LEVEL_IO_ERROR', 'IO error: /x/000003.log: No space left on device'), 'disk-full'],
    [coded('ENOSPC', 'ENOSPC: no space left on device, write'), 'disk-full'],
    [coded('EDQUOT', 'EDQUOT: disk quota exceeded'), 'disk-full'],
    [coded('LEVEL_IO_ERROR', 'IO error: /x/LOCK: Permission denied'), 'data-folder-not-writable'],
    [coded('EROFS', 'EROFS: read-only file system'), 'data-folder-not-writable'],
    [coded('LEVEL_CORRUPTION', 'Corruption: block checksum mismatch'), 'database-corrupt'],
    [coded('LEVEL_IO_ERROR', 'IO error: /x/000005.ldb: No such file or directory'), 'database-corrupt'],
    [coded('LEVEL_IO_ERROR', 'IO error: /x/000005.ldb: Input/output error'), 'ledger-io'],
  ]
  for (const [given, code] of rows) {
    const error = storeError(given, '/data/ledger')
    assert.instance(error, ConsiliumError)
    assert.is((error as ConsiliumError).code, code, given.message)
    assert.match((error as Error).message, /\/data\/ledger/)
  }
  const own = new TypeError('a bug')
  assert.is(storeError(own, '/data/ledger'), own, 'our own bugs stay what they are')
})

it.run()

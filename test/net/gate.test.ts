/** The gate before gossip, message by message; and the folder of the address book. */
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { publicKeyToProtobuf } from '@libp2p/crypto/keys'
import { type Message, TopicValidatorResult } from '@libp2p/gossipsub'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type BookStore, openBookStore } from '../../src/net/bookStore.ts'
import { Door } from '../../src/net/gater.ts'
import { GossipGate } from '../../src/net/gossipGate.ts'
import { peerIdOf } from '../../src/net/peerIds.ts'
import { Tally } from '../../src/net/tally.ts'
import { codeOf, type Identity, identities, identity } from './kit.ts'

const it = suite('gate')
const [self, ann, bob] = identities(3) as [Identity, Identity, Identity]
const outsider = identity(99)
const { Accept, Ignore, Reject } = TopicValidatorResult

function house() {
  const tally = new Tally()
  const door = new Door(self.id, tally, 60_000, { onStranger() {} })
  door.setMembers(new Set([self.id, ann.id, bob.id]))
  const seen: string[] = []
  const onMessage = async ({ author, from }: { author: string; from: string }) => {
    seen.push(`${author} by ${from}`)
    return 'accept' as const
  }
  const relayed: string[] = []
  const onRelayed = (author: string) => relayed.push(author)
  const gate = new GossipGate({
    self: self.id,
    door,
    tally,
    verdictMs: 1_000,
    onMessage,
    onRelayed,
    onHandlerFailed() {},
  })
  return { tally, door, gate, seen, relayed }
}

function messageOf(author: Identity, data: Uint8Array<ArrayBuffer> = Uint8Array.of(7)): Message {
  const from = peerIdOf(author.id)
  return {
    type: 'signed',
    from,
    topic: 't',
    data,
    sequenceNumber: 7n,
    signature: new Uint8Array(64),
    key: from.publicKey,
  }
}

it('author and relay are told apart, and both must be members', async () => {
  const { gate, seen, relayed, tally } = house()
  assert.is(await gate.judge('t', peerIdOf(ann.id), messageOf(bob)), Accept)
  assert.equal(seen, [`${bob.id} by ${ann.id}`])
  assert.equal(relayed, [bob.id])
  assert.is(await gate.judge('t', peerIdOf(ann.id), messageOf(ann)), Accept)
  assert.equal(relayed, [bob.id], 'what ann brings herself came through nobody')
  assert.is(await gate.judge('t', peerIdOf(ann.id), messageOf(outsider)), Ignore)
  assert.is(await gate.judge('t', peerIdOf(outsider.id), messageOf(ann)), Ignore)
  const unsigned: Message = { type: 'unsigned', topic: 't', data: Uint8Array.of(7) }
  assert.is(await gate.judge('t', peerIdOf(ann.id), unsigned), Ignore)
  assert.is(tally.stats().refused['author-unknown'], 3)
  assert.is(seen.length, 2)
})

it('our own messages that come back, and those of a refused member, are not judged again', async () => {
  const { gate, seen, tally, door } = house()
  assert.is(await gate.judge('t', peerIdOf(ann.id), messageOf(self)), Ignore)
  door.refuse(bob.id, Date.now() + 60_000)
  assert.is(await gate.judge('t', peerIdOf(ann.id), messageOf(bob)), Ignore)
  assert.equal(tally.stats().refused, { 'own-message': 1, 'author-refused': 1 })
  assert.equal(seen, [])
})

it('an announcement tells of its author only, and is short', () => {
  const { gate, tally } = house()
  const announcement = (of: Identity, padding = 10) => {
    const key = publicKeyToProtobuf(peerIdOf(of.id).publicKey)
    return new Uint8Array([0x0a, key.length, ...key, ...new Uint8Array(padding)])
  }
  const from = (author: Identity, data: Uint8Array<ArrayBuffer>) =>
    gate.judgeAnnouncement(peerIdOf(ann.id), messageOf(author, data))
  assert.is(from(bob, announcement(bob)), Accept)
  assert.is(from(bob, announcement(ann)), Reject, 'addresses of another member')
  assert.is(from(bob, announcement(bob, 9_000)), Reject)
  assert.is(from(bob, new Uint8Array(0)), Reject)
  assert.is(from(outsider, announcement(outsider)), Ignore)
  assert.is(tally.stats().refused['bad-announcement'], 3)
})

it('an address book in use is an error; one that is damaged is put aside for a new one', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'consilium-book-'))
  try {
    const warnings: string[] = []
    const open = () => openBookStore(join(folder, 'peers'), (why) => warnings.push(why))
    const store = await open()
    assert.is(await codeOf(open), 'data-folder-locked')
    const key = { toString: () => '/peers/one' } as Parameters<BookStore['put']>[0]
    await store?.put(key, new Uint8Array(300).fill(7))
    await store?.close()
    await (await open())?.close() // LevelDB writes what was in its log into a table
    await cp(join(folder, 'peers'), join(folder, 'sound'), { recursive: true })
    const damages: [RegExp, (bytes: Buffer) => Buffer][] = [
      [/^(?:CURRENT|MANIFEST)/, () => Buffer.from('damaged')],
      [/\.ldb$/, (bytes) => bytes.fill(9)],
      [/\.ldb$/, (bytes) => Buffer.from(bytes.map((byte) => (byte === 7 ? 8 : byte)))],
    ]
    for (const [name, damage] of damages) {
      await rm(join(folder, 'peers'), { recursive: true })
      await cp(join(folder, 'sound'), join(folder, 'peers'), { recursive: true })
      const files = (await readdir(join(folder, 'peers'))).filter((file) => name.test(file))
      assert.ok(files.length > 0, `${name} is there`)
      for (const file of files) {
        const path = join(folder, 'peers', file)
        await writeFile(path, damage(await readFile(path)))
      }
      warnings.length = 0
      const anew = await open()
      assert.not.ok(await anew?.has(key), 'nothing of the old one')
      await anew?.put(key, new Uint8Array([1]))
      await anew?.close()
      assert.is(warnings.length, 1)
      assert.match(warnings[0] as string, /was damaged.*a new one is begun/)
      assert.ok((await readdir(folder)).includes('peers.damaged'))
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})

it('an address book that cannot be opened, sound as it may be, is left alone and done without', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'consilium-book-'))
  try {
    const path = join(folder, 'peers')
    await writeFile(path, 'in the way')
    const warnings: string[] = []
    assert.is(await openBookStore(path, (why) => warnings.push(why)), undefined)
    assert.is(warnings.length, 1)
    assert.match(warnings[0] as string, /cannot be opened/)
    assert.equal(await readdir(folder), ['peers'])
    assert.is(await readFile(path, 'utf8'), 'in the way')
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})

it('an address book is asked as any datastore', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'consilium-book-'))
  try {
    const store = await openBookStore(join(folder, 'peers'), () => {})
    assert.ok(store !== undefined)
    const keyOf = (name: string) => ({ toString: () => name }) as Parameters<typeof store.put>[0]
    for (const i of [1, 2, 3, 4, 5]) await store.put(keyOf(`/peers/${i}`), Uint8Array.of(i))
    await store.put(keyOf('/other/9'), Uint8Array.of(9))
    const found: number[] = []
    const query = {
      prefix: '/peers/',
      filters: [({ value }: { value: Uint8Array }) => value[0] !== 3],
      orders: [(a: { value: Uint8Array }, b: { value: Uint8Array }) => (b.value[0] as number) - (a.value[0] as number)],
      ...{ offset: 1, limit: 2 },
    } as Parameters<typeof store.query>[0]
    for await (const { value } of store.query(query)) found.push(value[0] as number)
    assert.equal(found, [4, 2])
    assert.equal([await store.has(keyOf('/peers/1')), await store.has(keyOf('/peers/7'))], [true, false])
    await store.close()
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})

it('an address book that cannot be written is told of once, and fails nobody', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'consilium-book-'))
  try {
    const warnings: string[] = []
    const store = await openBookStore(join(folder, 'peers'), (why) => warnings.push(why))
    assert.ok(store !== undefined)
    const key = { toString: () => '/peers/one' } as Parameters<typeof store.put>[0]
    const value = new Uint8Array([1])
    await store.put(key, value)
    await store.db.close()
    await store.put(key, value)
    await store.delete(key)
    const batch = store.batch()
    batch.put(key, value)
    await batch.commit()
    assert.is(warnings.length, 1)
    assert.ok(warnings[0]?.includes('cannot be written'))
    await store.db.open()
    assert.equal(Uint8Array.from(await store.get(key)), value, 'what was written before is kept')
    await store.close()
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})

it.run()

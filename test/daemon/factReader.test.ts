/** Reading the logs at a start: with bookmarks or without, the same facts; and what is damaged is found at the start, or by the scrub. */
import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Cbor } from '../../src/core/cbor.ts'
import { ConsiliumError } from '../../src/core/errors.ts'
import type { MemberId } from '../../src/core/ids.ts'
import { FactReader } from '../../src/daemon/factReader.ts'
import { factsOf } from '../../src/governance/facts.ts'
import { type EntryDraft, emptyTip, type Tip } from '../../src/ledger/chain.ts'
import type { Entry } from '../../src/ledger/entry.ts'
import type { LogStore } from '../../src/ledger/store.ts'
import { MemoryStore } from '../../src/store/memoryStore.ts'
import { batchOf, commitOf, draftOf, keyOf, STUDY } from '../ledger/fixtures.ts'

const it = suite('factReader')
const ADA = keyOf('ada')
const BEN = keyOf('ben')
const BOOKMARK = `facts/${ADA.member}`

/** A draft of each sort that a reader tells apart: facts of anyone, facts of the own log alone, no facts. */
const DRAFTS: readonly ((i: number) => EntryDraft)[] = [
  (i) => ({ ...draftOf(i, {}), kind: 'study.accepted', study: STUDY }),
  (i) => ({ ...draftOf(i, { member: new Uint8Array(32).fill(i % 250) } as Cbor), kind: 'member.seen', study: null }),
  (i) => draftOf(i),
]

/** A store that counts what is read of it, or spoils it. */
class Shelf {
  readonly store = new MemoryStore()
  readonly tips = new Map<MemberId, Tip>()
  readonly written: Entry[] = []
  read = 0
  spoil: (seq: number, raw: Uint8Array) => Uint8Array | null = (_, raw) => raw

  reader(self = BEN.member): FactReader {
    const store: Pick<LogStore, 'entries' | 'getState' | 'putState'> = {
      entries: async (author, from, to) => {
        const raws = await this.store.entries(author, from, to)
        this.read += raws.length
        return raws.flatMap((raw, i) => this.spoil(from + i, raw) ?? [])
      },
      getState: (name) => this.store.getState(name),
      putState: (state) => this.store.putState(state),
    }
    return new FactReader({ self, store, tip: (author) => this.tip(author) })
  }

  tip(author: MemberId): Tip {
    return this.tips.get(author) ?? emptyTip(author)
  }

  async grow(reader: FactReader | null, sorts: readonly number[]): Promise<void> {
    const tip = this.tip(ADA.member)
    const drafts = sorts.map((sort, i) => (DRAFTS[sort] as (i: number) => EntryDraft)(tip.size + i))
    const commit = commitOf(ADA, tip, drafts.length, 'main', drafts)
    await this.store.append(batchOf(commit))
    this.tips.set(ADA.member, commit.tip)
    this.written.push(...commit.entries)
    reader?.note(ADA.member, commit.entries)
  }
}

const codeOf = async (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'none',
    (error: unknown) => (error instanceof ConsiliumError ? `${error.code}: ${error.message}` : String(error)),
  )
const sorts = (fact: number, rounds: number) => [fact, ...Array.from({ length: rounds }, () => 2)]

it('whatever was saved when, a start reads the same facts as were written', () => {
  const commits = fc.array(
    fc.record({
      sorts: fc.array(fc.nat(2), { minLength: 1, maxLength: 30 }),
      save: fc.boolean(),
      restart: fc.boolean(),
    }),
    { maxLength: 8 },
  )
  return fc.assert(
    fc.asyncProperty(commits, fc.boolean(), async (plan, own) => {
      const self = own ? ADA.member : BEN.member
      const shelf = new Shelf()
      let reader = shelf.reader(self)
      await reader.read(ADA.member)
      for (const { sorts: some, save, restart } of plan) {
        await shelf.grow(reader, some)
        if (save) await reader.save()
        if (!restart) continue
        reader = shelf.reader(self)
        assert.equal(await reader.read(ADA.member), factsOf(shelf.written, self))
      }
      assert.equal(await shelf.reader(self).read(ADA.member), factsOf(shelf.written, self))
    }),
    { numRuns: 60 },
  )
})

it('a start reads the facts, the entry before the bookmark and what came after it, and no round before it', async () => {
  const shelf = new Shelf()
  const reader = shelf.reader()
  await reader.read(ADA.member)
  await shelf.grow(reader, sorts(0, 150))
  await shelf.grow(reader, sorts(0, 150))
  await reader.save()
  await shelf.grow(reader, sorts(0, 4))
  shelf.read = 0
  assert.is((await shelf.reader().read(ADA.member)).length, 3)
  assert.is(shelf.read, 2 + 1 + 5)
  assert.not.ok(reader.saveIsDue)
  for (let i = 0; i < 8; i++) await shelf.grow(reader, sorts(2, 254))
  assert.ok(reader.saveIsDue, 'so that a start after SIGKILL has little to read')
  await reader.save()
  assert.not.ok(reader.saveIsDue)
})

it('a bookmark that does not fit the log is not believed', async () => {
  const make = async () => {
    const shelf = new Shelf()
    const reader = shelf.reader()
    await reader.read(ADA.member)
    await shelf.grow(reader, [0, 2, 0, 2, 2])
    await reader.save()
    return shelf
  }
  const other = new Shelf() // the same length, other facts
  const reader = other.reader()
  await reader.read(ADA.member)
  await other.grow(reader, [2, 0, 2, 0, 2])
  await reader.save()
  const longer = new Shelf()
  const longReader = longer.reader()
  await longReader.read(ADA.member)
  await longer.grow(longReader, [0, 2, 0, 2, 2, 0])
  await longReader.save()
  const byAnother = new Uint8Array((await (await make()).store.getState(BOOKMARK)) as Uint8Array)
  byAnother[10] = (byAnother[10] as number) ^ 1 // within the reader's digest
  for (const bookmark of [await other.store.getState(BOOKMARK), await longer.store.getState(BOOKMARK), byAnother]) {
    const shelf = await make()
    await shelf.store.putState(new Map([[BOOKMARK, bookmark as Uint8Array]]))
    shelf.read = 0
    assert.equal(await shelf.reader().read(ADA.member), factsOf(shelf.written, BEN.member))
    assert.ok(shelf.read >= 5, 'read from the beginning')
  }
  const foreign = await make() // what another member's node reads of the same log
  assert.equal(await foreign.reader(ADA.member).read(ADA.member), factsOf(foreign.written, ADA.member))
})

it('a lost or spoilt fact stops the start although a bookmark lies behind it; a lost round is found by the scrub, and then stops it', async () => {
  const shelf = new Shelf()
  const reader = shelf.reader()
  await reader.read(ADA.member)
  await shelf.grow(reader, [2, 0, 2, 2, 2])
  await reader.save()
  const named = (seq: number) => new RegExp(`^database-corrupt: entry ${seq} of the log of [0-9a-f]{16}…`)
  shelf.spoil = (seq, raw) => (seq === 1 ? null : raw)
  assert.match(await codeOf(shelf.reader().read(ADA.member)), named(1))
  shelf.spoil = (seq, raw) => (seq === 1 ? raw.map((byte, i) => (i === 60 ? byte ^ 1 : byte)) : raw)
  assert.match(await codeOf(shelf.reader().read(ADA.member)), named(1))
  shelf.spoil = (seq, raw) => (seq === 4 ? null : raw)
  assert.match(await codeOf(shelf.reader().read(ADA.member)), named(4), 'the last entry before the bookmark')
  shelf.spoil = (seq, raw) => (seq === 4 ? raw.map((byte, i) => (i === 60 ? byte ^ 1 : byte)) : raw)
  assert.match(await codeOf(shelf.reader().read(ADA.member)), named(4))

  shelf.spoil = (seq, raw) => (seq === 2 ? null : raw)
  const again = shelf.reader()
  assert.is((await again.read(ADA.member)).length, 1)
  await again.distrust(ADA.member)
  assert.match(await codeOf(shelf.reader().read(ADA.member)), named(2), 'no start goes past it any more')
})

it.run()

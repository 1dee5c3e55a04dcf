/** The acceptance suite of LogStore: what its docstring promises, for every implementation. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { equalBytes, toHex, utf8 } from '../../src/core/bytes.ts'
import type { MemberId } from '../../src/core/ids.ts'
import { emptyTip, tipOf } from '../../src/ledger/chain.ts'
import { decodeEntry, dropBody } from '../../src/ledger/entry.ts'
import { Frontier } from '../../src/ledger/merkle.ts'
import { verifyConsistency, verifyInclusion } from '../../src/ledger/proof.ts'
import { DROP_ENTRIES_MAX, type LogStore, REPAIR_ENTRIES_MAX } from '../../src/ledger/store.ts'
import { openFrame } from '../../src/ledger/wire.ts'
import { serveRange } from '../../src/store/serveRange.ts'
import { TreeReader } from '../../src/store/treeReader.ts'
import type { WriteHooks, WriteOperation } from '../../src/store/writes.ts'
import { batchOf, commitOf, FOUNDING, keyOf, logOf } from '../ledger/fixtures.ts'

/** A place that outlives the stores opened on it. The node's own key is Ada's. */
export interface Place {
  open(hooks?: WriteHooks): Promise<LogStore>
  /** While no store is open on it: loses an entry or changes it, as a disk may. */
  spoil(author: MemberId, seq: number, raw?: Uint8Array): Promise<void>
  /** The same of a node of the tree. */
  spoilNode(author: MemberId, level: number, index: number, hash?: Uint8Array): Promise<void>
  remove(): Promise<void>
}

const ADA = keyOf('ada')
const BEN = keyOf('ben')
const ROOT = new Uint8Array(32).fill(7)
const LONG = logOf(BEN, [250, 50]) // a start looks at the newest 256 alone
const bytesOf = (list: readonly Uint8Array[]) => list.map(toHex)

export function logStoreSuite(name: string, make: () => Promise<Place>): void {
  const it = suite(name)

  /** Runs `body` on a new place. */
  const claim = (text: string, body: (store: LogStore, place: Place) => Promise<void>): void => {
    it(`${name}: ${text}`, async () => {
      const place = await make()
      const store = await place.open()
      try {
        await body(store, place)
      } finally {
        await store.close()
        await place.remove()
      }
    })
  }

  claim('an empty store has nothing, and says so without an error', async (store) => {
    assert.is(await store.head(ADA.member), undefined)
    assert.equal(await store.heads(), [])
    assert.equal(await store.entries(ADA.member, 0, 10), [])
    assert.is(await store.commit(ADA.member, 0, 10), undefined)
    assert.is(await store.getState('none'), undefined)
    assert.equal(await store.listState(''), [])
    assert.is(await store.forkEvidence(ADA.member), undefined)
  })

  claim('what was appended is read back by author and range, and is there after a restart', async (store, place) => {
    const ada = logOf(ADA, [3, 5])
    const ben = logOf(BEN, [7])
    for (const commit of [ada[0], ben[0], ada[1]]) await store.append(batchOf(commit as (typeof ada)[0]))
    const all = ada.flatMap((commit) => commit.raws)
    const check = async (where: LogStore) => {
      assert.equal(bytesOf(await where.entries(ADA.member, 0, 8)), bytesOf(all))
      assert.equal(bytesOf(await where.entries(ADA.member, 2, 5)), bytesOf(all.slice(2, 5)))
      assert.equal(bytesOf(await where.entries(ADA.member, 6, 1_000)), bytesOf(all.slice(6)))
      assert.equal(await where.entries(ADA.member, 8, 9), [])
      assert.equal(await where.entries(ADA.member, 5, 2), [])
      assert.equal(bytesOf(await where.entries(BEN.member, 0, 7)), bytesOf((ben[0] as (typeof ben)[0]).raws))
      const head = await where.head(ADA.member)
      assert.is(head?.size, 8)
      assert.equal(tipOf(head as NonNullable<typeof head>, all[7] as Uint8Array), ada[1]?.tip)
      assert.equal(
        (await where.heads()).map((h) => [h.author, h.size]),
        [
          [ADA.member, 8],
          [BEN.member, 7],
        ].sort() as never,
      )
    }
    await check(store)
    await store.close()
    const again = await place.open()
    await check(again)
    await again.close()
  })

  claim('a read ends before it passes its bytes, but gives at least one entry', async (store) => {
    const [commit] = logOf(ADA, [6]) as [ReturnType<typeof commitOf>]
    await store.append(batchOf(commit))
    const [a, b] = commit.raws as [Uint8Array, Uint8Array]
    assert.is((await store.entries(ADA.member, 0, 6, a.length + b.length)).length, 2)
    assert.is((await store.entries(ADA.member, 0, 6, a.length + b.length - 1)).length, 1)
    assert.is((await store.entries(ADA.member, 0, 6, 1)).length, 1)
  })

  claim('every batch leaves its note, and the newest within a range is found', async (store) => {
    const commits = logOf(ADA, [3, 5, 1])
    for (const commit of commits) await store.append(batchOf(commit))
    await store.append(batchOf(logOf(BEN, [2])[0] as (typeof commits)[0]))
    const sizeIn = async (above: number, upTo: number) => (await store.commit(ADA.member, above, upTo))?.size
    assert.is(await sizeIn(0, 2), undefined)
    assert.is(await sizeIn(0, 3), 3)
    assert.is(await sizeIn(0, 8), 8)
    assert.is(await sizeIn(3, 7), undefined)
    assert.is(await sizeIn(3, 8), 8)
    assert.is(await sizeIn(3, Number.POSITIVE_INFINITY), 9)
    assert.is(await sizeIn(9, 100), undefined)
    const found = await store.commit(ADA.member, 2, 3)
    assert.ok(found && equalBytes(found.note, (commits[0] as (typeof commits)[0]).head.note))
  })

  claim(
    'state is written with its batch or by itself, listed by prefix in the order of its bytes, and deleted by null',
    async (store, place) => {
      const commit = logOf(ADA, [2])[0] as ReturnType<typeof commitOf>
      await store.append(
        batchOf(
          commit,
          new Map([
            ['study/b', utf8('2')],
            ['study/a', utf8('1')],
          ]),
        ),
      )
      await store.putState(
        new Map([
          ['study/ä', utf8('3')],
          ['studz', utf8('4')],
          ['stud', utf8('5')],
          ['study/b', null],
        ]),
      )
      await store.close()
      const again = await place.open()
      assert.equal(
        (await again.listState('study/')).map(([key, value]) => `${key}=${Buffer.from(value)}`),
        ['study/a=1', 'study/ä=3'],
      )
      assert.equal(
        (await again.listState('')).map(([key]) => key),
        ['stud', 'study/a', 'study/ä', 'studz'],
      )
      assert.equal(Buffer.from((await again.getState('studz')) as Uint8Array).toString(), '4')
      assert.is(await again.getState('study/b'), undefined)
      await again.close()
    },
  )

  claim('appends that are called together are done in order', async (store) => {
    const commits = logOf(
      ADA,
      Array.from({ length: 20 }, (_, i) => 1 + (i % 3)),
    )
    const done: number[] = []
    await Promise.all(commits.map((commit) => store.append(batchOf(commit)).then(() => done.push(commit.tip.size))))
    assert.equal(
      done,
      commits.map((commit) => commit.tip.size),
    )
    assert.is((await store.entries(ADA.member, 0, 1_000)).length, commits[19]?.tip.size)
  })

  claim(
    'a batch that does not continue its log is refused and changes nothing, and the store goes on',
    async (store) => {
      const [first, second, third] = logOf(ADA, [3, 2, 2]) as [
        ReturnType<typeof commitOf>,
        ReturnType<typeof commitOf>,
        ReturnType<typeof commitOf>,
      ]
      await store.append(batchOf(first))
      const bad = [
        batchOf(third),
        batchOf(first),
        { ...batchOf(second), entries: second.raws.slice(1) },
        { ...batchOf(second), entries: [] },
        { ...batchOf(second), author: BEN.member },
      ]
      for (const batch of bad) {
        let refused = false
        await store.append(batch).catch(() => (refused = true))
        assert.ok(refused)
      }
      assert.is((await store.head(ADA.member))?.size, 3)
      assert.is(await store.head(BEN.member), undefined)
      await store.append(batchOf(second))
      assert.is((await store.entries(ADA.member, 0, 10)).length, 5)
    },
  )

  claim('fork evidence freezes its author alone, stays the first, and survives a restart', async (store, place) => {
    const ada = logOf(ADA, [3, 2]) as [ReturnType<typeof commitOf>, ReturnType<typeof commitOf>]
    await store.append(batchOf(ada[0]))
    await store.putForkEvidence(ADA.member, utf8('two heads'))
    await store.putForkEvidence(ADA.member, utf8('two other heads'))
    const check = async (where: LogStore) => {
      const code = await where.append(batchOf(ada[1])).then(
        () => 'appended',
        (error: { code?: string }) => error.code,
      )
      assert.is(code, 'log-frozen')
      assert.equal(Buffer.from((await where.forkEvidence(ADA.member)) as Uint8Array).toString(), 'two heads')
    }
    await check(store)
    await store.close()
    const again = await place.open()
    await check(again)
    await again.append(batchOf(logOf(BEN, [2])[0] as ReturnType<typeof commitOf>))
    assert.is((await again.entries(ADA.member, 0, 5)).length, 3)
    await again.close()
  })

  claim('a range is served in frames that another node accepts from wherever it stands', async (store) => {
    const commits = logOf(BEN, [4, 1, 7, 250, 250, 250, 250, 250, 3])
    for (const commit of commits) await store.append(batchOf(commit))
    const full = commits[commits.length - 1]?.tip
    for (const start of [null, ...commits]) {
      let tip = start?.tip ?? emptyTip(BEN.member)
      let frames = 0
      for await (const frame of serveRange(store, { author: BEN.member, fromSize: tip.size })) {
        tip = openFrame(tip, frame, FOUNDING).tip
        frames++
      }
      assert.equal(tip, full)
      if (start === null) assert.ok(frames <= 4, `${frames} frames for 1,265 entries: commits are joined`)
    }
    for await (const _ of serveRange(store, { author: BEN.member, fromSize: 5_000 })) assert.unreachable()
    for await (const _ of serveRange(store, { author: ADA.member, fromSize: 0 })) assert.unreachable()
  })

  claim('dropped bodies are gone for good, with the state of the drop, and every hash stays', async (store, place) => {
    const ada = logOf(ADA, [5, 4])
    for (const commit of ada) await store.append(batchOf(commit))
    await store.append(batchOf(logOf(BEN, [3])[0] as ReturnType<typeof commitOf>))
    const before = (await store.entries(ADA.member, 0, 9)).map(decodeEntry)
    await store.dropBodies(ADA.member, [1, 2, 7], new Map([['pruning', utf8('3')]]))
    await store.dropBodies(ADA.member, [2, 8])
    const check = async (where: LogStore) => {
      const after = (await where.entries(ADA.member, 0, 9)).map(decodeEntry)
      assert.equal(
        after.map(({ body }) => body === null),
        [false, true, true, false, false, false, false, true, true],
      )
      for (const [i, entry] of after.entries())
        assert.equal({ ...before[i], body: 0, raw: 0 }, { ...entry, body: 0, raw: 0 })
      assert.equal(
        bytesOf(after.filter((_, i) => i < 1).map(({ raw }) => raw)),
        bytesOf([before[0]?.raw as Uint8Array]),
      )
      assert.ok((await where.entries(BEN.member, 0, 3)).every((raw) => decodeEntry(raw).body !== null))
      assert.equal(Buffer.from((await where.getState('pruning')) as Uint8Array).toString(), '3')
      let tip = emptyTip(ADA.member)
      for await (const frame of serveRange(where, { author: ADA.member, fromSize: 0 }))
        tip = openFrame(tip, frame, FOUNDING).tip
      assert.equal(tip, ada[1]?.tip, 'others accept it without the bodies')
    }
    await check(store)
    await store.close()
    const again = await place.open()
    await check(again)
    await again.close()
  })

  claim(
    'a drop of entries that are not there, out of order or too many changes nothing, and the store goes on',
    async (store) => {
      const all = logOf(ADA, [256, 44])
      for (const commit of all) await store.append(batchOf(commit))
      const many = Array.from({ length: DROP_ENTRIES_MAX + 1 }, (_, i) => i)
      for (const seqs of [[], [299, 300], [3, 3], [3, 2], [-1, 2], many]) {
        let refused = false
        await store.dropBodies(ADA.member, seqs).catch(() => (refused = true))
        assert.ok(refused, `${seqs.slice(0, 3)}`)
      }
      assert.is(await store.dropBodies(BEN.member, [0]).catch(() => 'refused'), 'refused')
      assert.ok((await store.entries(ADA.member, 0, 300)).every((raw) => decodeEntry(raw).body !== null))
      await store.dropBodies(ADA.member, many.slice(0, DROP_ENTRIES_MAX))
      assert.is((await store.entries(ADA.member, 0, 300)).filter((raw) => decodeEntry(raw).body === null).length, 128)
    },
  )

  claim('a frozen log drops bodies too', async (store) => {
    await store.append(batchOf(logOf(ADA, [3])[0] as ReturnType<typeof commitOf>))
    await store.putForkEvidence(ADA.member, utf8('two heads'))
    await store.dropBodies(ADA.member, [1])
    assert.is(decodeEntry((await store.entries(ADA.member, 1, 2))[0] as Uint8Array).body, null)
  })

  claim('a closed store refuses writes, and closing twice is closing once', async (store) => {
    await Promise.all([store.close(), store.close()])
    const code = await store.putState(new Map()).then(
      () => 'written',
      (error: { code?: string }) => error.code,
    )
    assert.is(code, 'store-closed')
  })

  for (const operation of [
    'append',
    'putState',
    'putForkEvidence',
    'dropBodies',
    'putWitnessed',
    'putFinal',
    'repair',
  ] as const) {
    for (const moment of ['before', 'after'] as const) {
      const outcome = moment === 'before' ? 'was not written' : 'was written all the same'
      claim(
        `a failed ${operation} that ${outcome}: all or nothing after a restart, and no write before it`,
        async (first, place) => {
          await first.append(batchOf(logOf(ADA, [3])[0] as ReturnType<typeof commitOf>))
          for (const commit of operation === 'repair' ? LONG : []) await first.append(batchOf(commit))
          await first.close()
          if (operation === 'repair') await place.spoil(BEN.member, 7)
          await failing(place, operation, moment)
        },
      )
    }
  }

  claim(
    'entries and nodes that were lost or spoilt are put back, and nothing else is touched',
    async (first, place) => {
      const commits = logOf(BEN, [250, 250, 100])
      for (const commit of commits) await first.append(batchOf(commit))
      await first.dropBodies(BEN.member, [12])
      await first.close()
      const raws = commits.flatMap((commit) => commit.raws)
      for (const seq of [10, 255]) await place.spoil(BEN.member, seq)
      await place.spoil(BEN.member, 11, raws[12])
      await place.spoil(BEN.member, 256, raws[256]?.subarray(1))
      await place.spoilNode(BEN.member, 1, 0)
      await place.spoilNode(BEN.member, 1, 1, ROOT)
      const store = await place.open()
      assert.equal(await store.repair(BEN.member, 9, raws.slice(9, 14)), { entries: 2, nodes: 0 })
      assert.is((await store.entries(BEN.member, 0, 255)).length, 255)
      assert.is(
        decodeEntry((await store.entries(BEN.member, 12, 13))[0] as Uint8Array).body,
        null,
        'what was dropped stays',
      )
      assert.equal(await store.nodes(BEN.member, 1, 0, 1), [])
      assert.equal(await store.repair(BEN.member, 255, raws.slice(255, 257)), { entries: 2, nodes: 1 })
      assert.equal(await store.repair(BEN.member, 511, raws.slice(511, 512)), { entries: 0, nodes: 1 }, 'a node alone')
      assert.equal(await store.repair(BEN.member, 511, raws.slice(511, 512)), { entries: 0, nodes: 0 })
      await store.close()
      const again = await place.open()
      const kept = await again.entries(BEN.member, 0, 600)
      assert.equal(bytesOf(kept), bytesOf(raws.map((raw, i) => (i === 12 ? dropBody(raw) : raw))))
      const tree = new TreeReader(again, BEN.member)
      assert.is(toHex(await tree.root(600)), toHex(commits[2]?.head.root as Uint8Array))
      await again.close()
    },
  )

  claim('the first entry of a log is put back too, and one that links to the head', async (first, place) => {
    const commits = logOf(BEN, [250, 50])
    const raws = commits.flatMap((commit) => commit.raws)
    for (const commit of commits) await first.append(batchOf(commit))
    await first.close()
    await place.spoil(BEN.member, 0)
    const store = await place.open()
    assert.equal(await store.repair(BEN.member, 0, raws.slice(0, 1)), { entries: 1, nodes: 0 })
    assert.equal(await store.repair(BEN.member, 299, raws.slice(299)), { entries: 0, nodes: 0 })
    assert.equal(bytesOf(await store.entries(BEN.member, 0, 300)), bytesOf(raws))
    await store.close()
  })

  claim('what does not link is not put back, nothing changes, and the store goes on', async (first, place) => {
    const commits = logOf(BEN, [20, 256, 10])
    const other = { raws: logOf(BEN, [20, 256, 10], 'other').flatMap((commit) => commit.raws) }
    for (const commit of commits) await first.append(batchOf(commit))
    await first.close()
    for (const seq of [7, 8, 12]) await place.spoil(BEN.member, seq)
    const store = await place.open()
    const raws = commits.flatMap((commit) => commit.raws)
    const branch = commitOf(BEN, (logOf(BEN, [7])[0] as (typeof commits)[0]).tip, 2, 'branch')
    const mixed = [raws[7], other.raws[8], raws[9]] as Uint8Array[]
    for (const [from, given] of [
      [7, raws.slice(7, 8)], // the one after it is missing
      [8, raws.slice(8, 9)], // the one before it is
      [7, other.raws.slice(7, 9)],
      [6, other.raws.slice(6, 10)],
      [7, mixed],
      [7, branch.raws], // it links what is before it alone
      [7, raws.slice(8, 10)],
      [7, [Uint8Array.of(1), raws[8] as Uint8Array]],
      [285, other.raws.slice(285)],
    ] as [number, Uint8Array[]][]) {
      const code = await store.repair(BEN.member, from, given).then(
        () => 'repaired',
        (error: { code?: string }) => error.code,
      )
      assert.is(code, 'repair-unlinked', `${from} + ${given.length}`)
    }
    for (const [from, given] of [
      [284, raws.slice(283)],
      [7, []],
      [0, Array.from({ length: REPAIR_ENTRIES_MAX + 1 }, () => raws[0] as Uint8Array)],
    ] as [number, Uint8Array[]][])
      assert.is(await store.repair(BEN.member, from, given).catch(() => 'refused'), 'refused')
    assert.is((await store.entries(BEN.member, 0, 286)).length, 7)
    assert.equal(await store.repair(BEN.member, 7, raws.slice(7, 9)), { entries: 2, nodes: 0 })
    assert.equal(await store.repair(BEN.member, 5, raws.slice(5)), { entries: 1, nodes: 0 })
    assert.is((await store.entries(BEN.member, 0, 286)).length, 286)
    await store.close()
  })

  claim('what was cosigned is there after a restart, and never goes back', async (store, place) => {
    assert.is(await store.witnessed(BEN.member), undefined)
    await store.putWitnessed(BEN.member, { size: 7, root: ROOT })
    await store.putWitnessed(BEN.member, { size: 7, root: ROOT }) // a cosignature may be made again
    await store.putWitnessed(BEN.member, { size: 2 ** 40, root: ROOT })
    await store.close()
    const again = await place.open()
    assert.equal(await again.witnessed(BEN.member), { size: 2 ** 40, root: ROOT })
    assert.is(await again.witnessed(ADA.member), undefined)
    let refused = ''
    await again.putWitnessed(BEN.member, { size: 8, root: ROOT }).catch((error: Error) => {
      refused = error.message
    })
    assert.match(refused, 'never goes back')
    await again.close()
  })

  claim('final heads are found by size, and when they were witnessed', async (store, place) => {
    assert.is(await store.final(BEN.member), undefined)
    const minute = (m: number) => 1_790_000_400 + m * 60 - ((1_790_000_400 + m * 60) % 60)
    for (const [i, size] of [3, 7, 20, 21].entries())
      await store.putFinal(BEN.member, { size, note: utf8(`note ${size}`), timeS: minute(i * 50) })
    await store.close()
    const again = await place.open()
    const noteOf = async (size?: number) => Buffer.from((await again.final(BEN.member, size))?.note ?? []).toString()
    assert.is(await noteOf(), 'note 21')
    assert.is(await noteOf(8), 'note 20')
    assert.is(await noteOf(20), 'note 20')
    assert.is(await noteOf(1), 'note 3')
    assert.is(await again.final(BEN.member, 22), undefined)
    assert.is(await again.final(ADA.member, 1), undefined)
    assert.equal(await again.finalTimes(BEN.member, 1), { beforeS: undefined, byS: minute(0) })
    assert.equal(await again.finalTimes(BEN.member, 7), { beforeS: minute(0), byS: minute(50) })
    assert.equal(await again.finalTimes(BEN.member, 8), { beforeS: minute(50), byS: minute(100) })
    assert.equal(await again.finalTimes(BEN.member, 22), { beforeS: minute(150), byS: undefined })
    await again.close()
  })

  claim('a tree of 700 entries keeps its nodes, and every proof from them is right', async (store) => {
    const commits = logOf(ADA, [1, 254, 200, 245])
    for (const commit of commits) await store.append(batchOf(commit))
    const leaves = commits.flatMap(({ entries }) => entries.map(({ leaf }) => leaf))
    assert.is((await store.nodes(ADA.member, 1, 0, 9)).length, 2)
    assert.is((await store.nodes(ADA.member, 1, 1, 9)).length, 1)
    assert.is((await store.nodes(ADA.member, 2, 0, 9)).length, 0)
    const reader = new TreeReader(store, ADA.member)
    const rootOf = (size: number): Uint8Array => {
      const frontier = new Frontier()
      for (const leaf of leaves.slice(0, size)) frontier.append(leaf)
      return frontier.root()
    }
    for (const size of [1, 2, 255, 256, 257, 511, 512, 513, 699, 700]) {
      assert.is(toHex(await reader.root(size)), toHex(rootOf(size)))
      for (const seq of [0, 1, 255, 256, 400, 511, 512, 699].filter((seq) => seq < size)) {
        const proof = await reader.inclusion(seq, size)
        assert.ok(verifyInclusion(leaves[seq] as Uint8Array, seq, size, proof, rootOf(size)), `${seq} of ${size}`)
      }
      const proof = await reader.consistency(size, 700)
      assert.ok(verifyConsistency(size, rootOf(size), 700, rootOf(700), proof), `${size} to 700`)
    }
  })

  it.run()
}

/** One row of the fault table: the operation fails once at `moment`, then the store is opened again and used. */
async function failing(place: Place, operation: WriteOperation, moment: 'before' | 'after'): Promise<void> {
  const [, second, third] = logOf(ADA, [3, 2, 4]) as [
    ReturnType<typeof commitOf>,
    ReturnType<typeof commitOf>,
    ReturnType<typeof commitOf>,
  ]
  const state = new Map([['round', utf8('7')]])
  const fault = (at: WriteOperation) => {
    if (at === operation) throw new Error('injected')
  }
  const store = await place.open({ [moment]: fault })
  const write = {
    append: () => store.append(batchOf(second, state)),
    putState: () => store.putState(state),
    putForkEvidence: () => store.putForkEvidence(BEN.member, utf8('two heads')),
    putWitnessed: () => store.putWitnessed(BEN.member, { size: 7, root: ROOT }),
    putFinal: () => store.putFinal(BEN.member, { size: 7, note: utf8('cosigned'), timeS: 1_790_000_000 }),
    dropBodies: () => store.dropBodies(ADA.member, [0, 2], state),
    repair: () => store.repair(BEN.member, 6, (LONG[0] as (typeof LONG)[0]).raws.slice(6, 9)).then(() => undefined),
  }[operation]
  const codeOf = (promise: Promise<void>) =>
    promise.then(
      () => 'written',
      (error: Error & { code?: string }) => error.code ?? error.message,
    )
  assert.is(await codeOf(write()), 'injected')
  assert.is(await codeOf(store.putState(new Map([['late', utf8('x')]]))), 'store-failed')
  await store.close()

  const again = await place.open()
  const written = moment === 'after'
  assert.is(await again.getState('late'), undefined)
  assert.is(
    (await again.getState('round')) !== undefined,
    written && ['append', 'putState', 'dropBodies'].includes(operation),
  )
  assert.is((await again.witnessed(BEN.member))?.size, written && operation === 'putWitnessed' ? 7 : undefined)
  assert.is((await again.final(BEN.member))?.size, written && operation === 'putFinal' ? 7 : undefined)
  assert.is((await again.forkEvidence(BEN.member)) !== undefined, written && operation === 'putForkEvidence')
  const ofBen = (await again.entries(BEN.member, 0, 300)).length
  assert.is(ofBen, operation !== 'repair' ? 0 : written ? 300 : 7)
  const bodies = (await again.entries(ADA.member, 0, 3)).map((raw) => decodeEntry(raw).body !== null)
  const dropped = written && operation === 'dropBodies'
  assert.equal(bodies, [!dropped, true, !dropped])
  const size = (await again.head(ADA.member))?.size
  assert.is(size, written && operation === 'append' ? 5 : 3)
  assert.is((await again.entries(ADA.member, 0, 100)).length, size)
  if (size === 3) await again.append(batchOf(second))
  await again.append(batchOf(third))
  assert.is((await again.entries(ADA.member, 0, 100)).length, 9)
  await again.close()
}

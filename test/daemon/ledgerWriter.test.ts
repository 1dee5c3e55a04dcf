/** The writer of own entries: nothing is reported before it is durable, and a failed write is never taken for a done one. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { LedgerWriter } from '../../src/daemon/ledgerWriter.ts'
import { emptyTip } from '../../src/ledger/chain.ts'
import { decodeEntry } from '../../src/ledger/entry.ts'
import type { Draft } from '../../src/node/actions.ts'
import { MemoryStore } from '../../src/store/memoryStore.ts'
import { B32 } from '../governance/sound.ts'
import { FOUNDING, keyOf } from '../ledger/fixtures.ts'

const it = suite('ledger writer')
const ADA = keyOf('ada')
const DRAFT: Draft = { kind: 'node.started', study: null, timeMs: 1_790_000_000_000, refs: [], body: { software: '1' } }

function writerOver(store: MemoryStore, signedFor?: ConstructorParameters<typeof LedgerWriter>[0]['signedFor']) {
  const tags: string[] = []
  const failures: unknown[] = []
  let tip = emptyTip(ADA.member)
  const writer = new LedgerWriter({
    key: ADA,
    founding: FOUNDING,
    heardLamport: () => 41,
    store,
    ...(signedFor === undefined ? {} : { signedFor }),
    tip: () => tip,
    onCommitted: (committed) => {
      tip = committed.tip
      tags.push(...committed.tags)
    },
    onFailed: (error) => failures.push(error),
  })
  return { writer, tags, failures, tip: () => tip }
}

function refusalBy(run: () => void): string {
  try {
    run()
    return 'none'
  } catch (error) {
    return `${(error as { code?: string }).code} ${(error as Error).message}`
  }
}

const flushed = (writer: LedgerWriter): Promise<string> => writer.flush().then(() => 'durable', String)

it('what is recorded close together is one commit, with its state, and is reported in order', async () => {
  const store = new MemoryStore()
  const { writer, tags, tip } = writerOver(store)
  writer.record('one', [DRAFT], new Map([['state/x', Uint8Array.of(1)]]))
  writer.record('two', [DRAFT, DRAFT], new Map([['state/x', Uint8Array.of(2)]]))
  assert.equal(tags, [], 'nothing is reported before it is durable')
  await writer.flush()
  assert.equal(tags, ['one', 'two'])
  assert.is((await store.head(ADA.member))?.size, 3)
  assert.is(await store.commit(ADA.member, 0, 2), undefined, 'one signed head for all')
  assert.equal(await store.getState('state/x'), Uint8Array.of(2))
  assert.is(tip().lamport, 44, 'lamport times go on from what was heard')
})

for (const [what, body] of [
  ['does not fit its kind', { software: '1', note: 'Mrs. Smith' }],
  ['holds what looks like personal data', { software: '192.168.0.1' }],
] as const) {
  it(`an entry whose body ${what} costs the call that asked for it: nothing of that is written or repeated, and the writer goes on`, async () => {
    const store = new MemoryStore()
    const { writer, tags, failures } = writerOver(store)
    writer.record('sound', [DRAFT], new Map())
    const refused = refusalBy(() => writer.record('unfit', [DRAFT, { ...DRAFT, body }], new Map()))
    assert.match(refused, /entry-unfit an entry of kind node\.started was not written/)
    assert.not.match(refused, /Smith|192/)
    writer.record('after', [DRAFT], new Map())
    assert.is(await flushed(writer), 'durable')
    assert.equal([failures, tags], [[], ['sound', 'after']])
    assert.is((await store.head(ADA.member))?.size, 2)
  })
}

it('nobody signs for drafts that are refused, and a signature that does not fit refuses them too', async () => {
  const store = new MemoryStore()
  let asked = 0
  const unfit: Draft = { ...DRAFT, body: { software: 'Mrs. Smith' } }
  const { writer, tags, failures } = writerOver(store, () => {
    asked++
    return [{ draft: unfit, cites: [0] }]
  })
  assert.match(
    refusalBy(() => writer.record('unfit', [unfit], new Map())),
    /entry-unfit/,
  )
  assert.is(asked, 0)
  assert.match(
    refusalBy(() => writer.record('signed', [DRAFT], new Map())),
    /entry-unfit/,
  )
  await writer.flush()
  assert.equal([asked, failures, tags, await store.head(ADA.member)], [1, [], [], undefined])
})

it('who asked is recorded in one commit with what came of it: there is no log with the one and without the other', async () => {
  const store = new MemoryStore()
  const body = { person: B32, action: 'node.stop', request: B32, timeMs: 1, part: 0, signature: new Uint8Array(64) }
  const draft: Draft = { ...DRAFT, kind: 'person.acted', body }
  const asked = writerOver(store, (drafts) => (drafts.length === 2 ? [{ draft, cites: [1, 0] }] : []))
  asked.writer.record('before', [DRAFT], new Map())
  asked.writer.record('asked', [DRAFT, DRAFT], new Map())
  asked.writer.record('after', [DRAFT], new Map())
  await asked.writer.flush()
  const entries = (await store.entries(ADA.member, 0, 9)).map(decodeEntry)
  assert.equal(
    entries.map(({ kind }) => kind),
    ['node.started', 'node.started', 'node.started', 'person.acted', 'node.started'],
  )
  const [, first, second] = entries
  assert.equal(
    entries[3]?.refs,
    [second, first].map((one) => [ADA.member, one?.seq, one?.hash]),
  )
  assert.is(await store.commit(ADA.member, 0, 4), undefined, 'one signed head for all')
})

it('a failed write stops the writer: it is told once, flush throws, and nothing more is written', async () => {
  const store = new MemoryStore({
    before: () => {
      throw new Error('no space')
    },
  })
  const { writer, tags, failures } = writerOver(store)
  writer.record('one', [DRAFT], new Map())
  assert.match(await flushed(writer), /no space/)
  writer.record('two', [DRAFT], new Map())
  assert.match(await flushed(writer), /no space/)
  assert.is(failures.length, 1)
  assert.equal(tags, [])
  assert.is(await store.head(ADA.member), undefined)
})

it.run()

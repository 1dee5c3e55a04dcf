/** The writer of own entries: nothing is reported before it is durable, and a failed write is never taken for a done one. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { LedgerWriter } from '../../src/daemon/ledgerWriter.ts'
import { emptyTip } from '../../src/ledger/chain.ts'
import type { Draft } from '../../src/node/actions.ts'
import { MemoryStore } from '../../src/store/memoryStore.ts'
import { FOUNDING, keyOf } from '../ledger/fixtures.ts'

const it = suite('ledger writer')
const ADA = keyOf('ada')
const DRAFT: Draft = { kind: 'node.started', study: null, timeMs: 1_790_000_000_000, refs: [], body: { software: '1' } }

function writerOver(store: MemoryStore) {
  const tags: string[] = []
  const failures: unknown[] = []
  let tip = emptyTip(ADA.member)
  const writer = new LedgerWriter({
    key: ADA,
    founding: FOUNDING,
    heardLamport: () => 41,
    store,
    tip: () => tip,
    onCommitted: (committed) => {
      tip = committed.tip
      tags.push(...committed.tags)
    },
    onFailed: (error) => failures.push(error),
  })
  return { writer, tags, failures, tip: () => tip }
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
  it(`an entry whose body ${what} is not written, and the writer stops without repeating it`, async () => {
    const store = new MemoryStore()
    const { writer, tags, failures } = writerOver(store)
    writer.record('sound', [DRAFT], new Map())
    await writer.flush()
    writer.record('unfit', [DRAFT, { ...DRAFT, body }], new Map())
    assert.match(await flushed(writer), /an entry of kind node\.started was not written/)
    assert.equal([failures.length, tags], [1, ['sound']])
    assert.not.match(String(failures), /Smith|192/)
    assert.is((await store.head(ADA.member))?.size, 1)
  })
}

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

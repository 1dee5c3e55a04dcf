/**
 * The formats of version 1, as bytes in test/golden. These files are never edited: a version that reads or writes other bytes is
 * another version. CONSILIUM_GOLDEN=write writes those that don't exist yet.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { toHex, utf8 } from '../../src/core/bytes.ts'
import { decodeCbor, encodeCbor } from '../../src/core/cbor.ts'
import { sha256, taggedDigest } from '../../src/core/digest.ts'
import { type EntryDraft, emptyTip, extend, rootAt, type Tip, verifyRange } from '../../src/ledger/chain.ts'
import { decodeEntry, dropBody } from '../../src/ledger/entry.ts'
import { encodeFork, openFork } from '../../src/ledger/fork.ts'
import { openHead, signHead } from '../../src/ledger/head.ts'
import {
  decodeFrame,
  decodeHeads,
  decodeRangeRequest,
  encodeFrame,
  encodeHeads,
  encodeRangeRequest,
  openFrame,
} from '../../src/ledger/wire.ts'
import { decodeHeadRecord, decodeState, encodeHeadRecord, encodeState } from '../../src/store/records.ts'
import { batchOf, FOUNDING, keyOf, STUDY, saltOf } from './fixtures.ts'

const it = suite('golden')

const ADA = keyOf('ada')
const DRAFTS: readonly EntryDraft[] = [
  { kind: 'node.started', study: null, timeMs: 1_790_000_000_000, refs: [], body: { software: '0.1.0' } },
  {
    kind: 'round.merged',
    study: STUDY,
    timeMs: 1_790_000_004_321,
    refs: [
      [keyOf('ben').member, 3, taggedDigest('update', utf8('cited'))],
      [keyOf('cleo').member, 70_000, taggedDigest('update', utf8('also'))],
    ],
    body: {
      round: 7,
      rule: 'mean',
      inputs: [[sha256(utf8('x')), 6, sha256(utf8('y')), 0.375]],
      result: sha256(utf8('z')),
    },
  },
  {
    kind: 'future.some-kind',
    study: STUDY,
    timeMs: 4_294_967_296_000,
    refs: [],
    body: { b: -1.5e-7, aa: [true, null, -24, 2 ** 40], c: 'käse' },
  },
]

function make(label: string): { tip: Tip; raws: readonly Uint8Array[] } {
  return extend(
    emptyTip(ADA.member),
    DRAFTS,
    [0, 1, 2].map((i) => saltOf(`${label} ${i}`)),
    40,
  )
}
const LOG = make('golden')
const HEAD = signHead(ADA, FOUNDING, 3, rootAt(LOG.tip))
const OTHER = signHead(ADA, FOUNDING, 3, rootAt(make('fork').tip))
const [STARTED, MERGED, UNKNOWN] = LOG.raws as [Uint8Array, Uint8Array, Uint8Array]
/** Every width that a float can have, at the edges of each; README.md has them in words. */
const FLOATS = [
  ...[0.5, -1.5, 2 ** -14, 2 ** -15, -(2 ** -24), 3 * 2 ** -24, -1023 * 2 ** -24], // the last two need 32 bits
  ...[2 ** -25, 1 + 2 ** -11, 2 ** -149, 2 ** 53, -(2 ** 127)],
  ...[0.1, 1 + 2 ** -24, 2 ** -150, 5e-324, 2 ** 128, Number.MAX_VALUE],
]
const FORMATS: Record<string, Uint8Array> = {
  'ledger-v1-floats.cbor': encodeCbor(FLOATS),
  'ledger-v1-entry-started.cbor': STARTED,
  'ledger-v1-entry-merged.cbor': MERGED,
  'ledger-v1-entry-unknown-kind.cbor': UNKNOWN,
  'ledger-v1-entry-dropped.cbor': dropBody(MERGED),
  'ledger-v1-head.txt': HEAD.note,
  'ledger-v1-frame.cbor': encodeFrame({ note: HEAD.note, raws: LOG.raws }),
  'ledger-v1-request.cbor': encodeRangeRequest({ author: ADA.member, fromSize: 1_207 }),
  'ledger-v1-heads.cbor': encodeHeads([HEAD.note, OTHER.note])[0] as Uint8Array,
  'ledger-v1-fork.cbor': encodeFork(HEAD.note, OTHER.note),
  'store-v1-head-record.cbor': encodeHeadRecord(
    batchOf({ ...LOG, entries: [], nodes: [], before: emptyTip(ADA.member), head: HEAD }).head,
  ),
  'store-v1-state.bin': encodeState('checkpoint/1', utf8('a checkpoint')),
}

const golden = (name: string): Uint8Array => new Uint8Array(readFileSync(new URL(`../golden/${name}`, import.meta.url)))

if (process.env.CONSILIUM_GOLDEN === 'write') {
  for (const [name, bytes] of Object.entries(FORMATS)) {
    const path = new URL(`../golden/${name}`, import.meta.url)
    if (!existsSync(path)) writeFileSync(path, bytes)
  }
}

for (const [name, bytes] of Object.entries(FORMATS)) {
  it(`golden: what is written today is ${name}, byte for byte`, () => assert.is(toHex(bytes), toHex(golden(name))))
}

it('golden: the old files are read and mean what they meant', () => {
  assert.equal(decodeCbor(golden('ledger-v1-floats.cbor')), FLOATS)
  const merged = decodeEntry(golden('ledger-v1-entry-merged.cbor'))
  assert.equal(
    [merged.seq, merged.lamport, merged.kind, merged.study, merged.timeMs],
    [1, 42, 'round.merged', STUDY, 1_790_000_004_321],
  )
  assert.is(merged.hash, decodeEntry(golden('ledger-v1-entry-dropped.cbor')).hash)
  assert.equal(decodeEntry(golden('ledger-v1-entry-unknown-kind.cbor')).body, DRAFTS[2]?.body)
  const head = openHead(golden('ledger-v1-head.txt'), FOUNDING)
  const { note, raws } = decodeFrame(golden('ledger-v1-frame.cbor'))
  assert.equal(note, head.note)
  assert.ok(verifyRange(emptyTip(ADA.member), raws, head).ok)
  assert.is(openFrame(emptyTip(ADA.member), golden('ledger-v1-frame.cbor'), FOUNDING).tip.size, 3)
  assert.equal(decodeRangeRequest(golden('ledger-v1-request.cbor')), { author: ADA.member, fromSize: 1_207 })
  assert.is(decodeHeads(golden('ledger-v1-heads.cbor')).length, 2)
  assert.is(openFork(golden('ledger-v1-fork.cbor'), FOUNDING).author, ADA.member)
  assert.equal(decodeHeadRecord(golden('store-v1-head-record.cbor')).note, head.note)
  const state = golden('store-v1-state.bin')
  assert.equal([decodeState('checkpoint/1', state), decodeState('checkpoint/2', state)], [utf8('a checkpoint'), null])
})

it.run()

import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { concat, equalBytes } from '../../src/core/bytes.ts'
import { type Cbor, decodeCbor, encodeCbor } from '../../src/core/cbor.ts'
import { ConsiliumError } from '../../src/core/errors.ts'
import { LIMITS } from '../../src/core/limits.ts'
import { emptyTip, extend, rootAt, storedHead, tipOf, verifyRange } from '../../src/ledger/chain.ts'
import { decodeEntry, dropBody, encodeEntry } from '../../src/ledger/entry.ts'
import { signHead } from '../../src/ledger/head.ts'
import { verifyLog } from '../../src/ledger/verify.ts'
import { encodeFrame, FRAME_BYTES_MAX, openFrame } from '../../src/ledger/wire.ts'
import { batchOf, commitOf, draftOf, FOUNDING, keyOf, logOf, saltOf } from './fixtures.ts'

const it = suite('chain')

const ADA = keyOf('ada')
const [FIRST, SECOND] = logOf(ADA, [3, 5]) as [ReturnType<typeof commitOf>, ReturnType<typeof commitOf>]

const codeOf = (result: ReturnType<typeof verifyRange>): string => (result.ok ? 'accepted' : result.code)
const check = (raws: readonly Uint8Array[], head = SECOND.head) => codeOf(verifyRange(FIRST.tip, raws, head))

it('chain: what an author writes, a receiver accepts, commit by commit, and both end at the same tip', () => {
  const result = verifyRange(FIRST.tip, SECOND.raws, SECOND.head)
  assert.ok(result.ok)
  assert.equal(result.tip, SECOND.tip)
  assert.equal(
    result.entries.map((entry) => entry.seq),
    [3, 4, 5, 6, 7],
  )
  assert.equal(tipOf(storedHead(result.tip, SECOND.head.note), SECOND.raws[4] as Uint8Array), result.tip)
})

it('chain: of a five-entry range with its head, no flipped bit and no truncation is accepted', () => {
  const frame = encodeFrame({ note: SECOND.head.note, raws: SECOND.raws })
  let accepted = 0
  const attempt = (bytes: Uint8Array): void => {
    try {
      openFrame(FIRST.tip, bytes, FOUNDING)
      accepted++
    } catch (error) {
      assert.instance(error, ConsiliumError)
    }
  }
  attempt(frame)
  assert.is(accepted, 1, 'unaltered')
  for (let bit = 0; bit < frame.length * 8; bit++) {
    const mutant = frame.slice()
    mutant[bit >> 3] = (mutant[bit >> 3] as number) ^ (1 << (bit & 7))
    attempt(mutant)
  }
  for (let length = 0; length < frame.length; length++) attempt(frame.subarray(0, length))
  attempt(concat([frame, Uint8Array.of(0)]))
  assert.is(accepted, 1)
})

it('chain: deleted, repeated, reordered, foreign and spliced entries are refused, each for its reason', () => {
  const [a, b, c, d, e] = SECOND.raws as [Uint8Array, Uint8Array, Uint8Array, Uint8Array, Uint8Array]
  const ben = logOf(keyOf('ben'), [3, 5])[1] as typeof SECOND
  const branch = commitOf(ADA, FIRST.tip, 5, 'other branch')
  const rows: [string, readonly Uint8Array[], string][] = [
    ['one deleted at the end', [a, b, c, d], 'range-size'],
    ['none', [], 'range-size'],
    ['one deleted inside, one repeated', [a, b, d, d, e], 'range-sequence'],
    ['repeated', [a, b, c, d, e, e], 'range-size'],
    ['reordered', [a, c, b, d, e], 'range-sequence'],
    ['from the beginning', [...FIRST.raws, a, b].slice(0, 5), 'range-sequence'],
    ["another author's", ben.raws, 'range-author'],
    ["one of another author's", [a, b, ben.raws[2] as Uint8Array, d, e], 'range-author'],
    ['another branch under this head', branch.raws, 'range-root'],
    ['spliced inside', [a, b, branch.raws[2] as Uint8Array, d, e], 'range-link'],
    ['spliced at the end', [a, b, c, d, branch.raws[4] as Uint8Array], 'range-link'],
  ]
  for (const [name, raws, code] of rows) assert.is(check(raws), code, name)
  assert.is(check(SECOND.raws, branch.head), 'range-root')
  assert.is(check(ben.raws, ben.head), 'range-author')
})

it('chain: a second history is not blamed on who passes it on, anything else is', () => {
  const other = logOf(ADA, [3, 5], 'rewritten')[1] as typeof SECOND
  const second = verifyRange(FIRST.tip, other.raws, other.head)
  assert.not(second.ok)
  if (!second.ok) assert.equal([second.code, second.at, second.blame], ['range-link', 3, 'ignore'])
  const spliced = verifyRange(
    FIRST.tip,
    [...SECOND.raws.slice(0, 3), other.raws[3], other.raws[4]] as Uint8Array[],
    SECOND.head,
  )
  assert.not(spliced.ok)
  if (!spliced.ok) assert.equal([spliced.code, spliced.at, spliced.blame], ['range-link', 6, 'reject'])
})

it('chain: lamport times rise in every entry, above all that was heard, and leap only so far', () => {
  const heard = extend(SECOND.tip, [draftOf(8)], [saltOf('lamport')], 1_000)
  assert.is(heard.tip.lamport, 1_001)
  assert.is(extend(SECOND.tip, [draftOf(8)], [saltOf('lamport')], 2 ** 52).tip.lamport, 8 + 2 ** 32)
  const forge = (lamport: number) => {
    const { body, bodyHash: _, hash: __, leaf: ___, raw: ____, ...fields } = decodeEntry(heard.raws[0] as Uint8Array)
    const raw = encodeEntry({ ...fields, lamport }, saltOf('lamport'), body as Cbor)
    const [header] = decodeCbor(raw) as [Uint8Array]
    assert.ok(header.length > 0)
    return codeOf(verifyRange(SECOND.tip, [raw], signHead(ADA, FOUNDING, 9, new Uint8Array(32))))
  }
  assert.is(forge(8), 'range-lamport')
  assert.is(forge(9 + 2 ** 32), 'range-lamport')
  assert.is(forge(9), 'range-root')
})

it('chain: ranges beyond the limits are refused before any entry is read', () => {
  const many = Array.from({ length: LIMITS.rangeEntriesMax + 1 }, () => new Uint8Array(1))
  const head = signHead(ADA, FOUNDING, 3 + many.length, new Uint8Array(32))
  assert.is(check(many, head), 'range-size')
  const large = Array.from({ length: 5 }, () => new Uint8Array(LIMITS.rangeBytesMax / 5 + 1))
  assert.is(check(large, signHead(ADA, FOUNDING, 8, new Uint8Array(32))), 'range-size')
})

it('chain: a commit takes as many drafts as fit one frame, and the rest go into the next', () => {
  const drafts = Array.from({ length: 300 }, (_, i) => draftOf(i, { document: new Uint8Array(i < 3 ? 30 : 40_000) }))
  const salts = drafts.map((_, i) => saltOf(`commit ${i}`))
  let tip = emptyTip(ADA.member)
  const sizes: number[] = []
  for (let at = 0; at < drafts.length; ) {
    const made = extend(tip, drafts.slice(at), salts.slice(at))
    const frame = encodeFrame({ note: signHead(ADA, FOUNDING, made.tip.size, rootAt(made.tip)).note, raws: made.raws })
    assert.ok(frame.length <= FRAME_BYTES_MAX)
    assert.equal(openFrame(tip, frame, FOUNDING).tip, made.tip)
    sizes.push(made.raws.length)
    at += made.raws.length
    tip = made.tip
  }
  assert.equal(sizes.slice(0, 3), [9, 6, 6])
  const small = Array.from({ length: 300 }, (_, i) => draftOf(i, {}))
  assert.is(extend(emptyTip(ADA.member), small, salts).raws.length, LIMITS.commitEntriesMax)
})

it('chain: a log with some bodies dropped verifies to the same head, and the report counts them', () => {
  const raws = [...FIRST.raws, ...SECOND.raws].map((raw, i) => (i === 2 || i === 6 ? dropBody(raw) : raw))
  const report = verifyLog([raws.slice(0, 4), raws.slice(4)], SECOND.head)
  assert.equal(report, { ok: true, entries: 8, dropped: 2, firstFault: null })
})

it('chain: however a log is sliced, verification says the same, and names the first bad entry', () => {
  const raws = [...FIRST.raws, ...SECOND.raws]
  fc.assert(
    fc.property(fc.nat(7), fc.integer({ min: 1, max: 8 }), fc.nat(10_000), (at, slice, bit) => {
      const bad = raws.map((raw) => raw.slice())
      const target = bad[at] as Uint8Array
      const place = bit % (target.length * 8)
      target[place >> 3] = (target[place >> 3] as number) ^ (1 << (place & 7))
      const slices = (list: Uint8Array[]) =>
        Array.from({ length: Math.ceil(list.length / slice) }, (_, i) => list.slice(i * slice, (i + 1) * slice))
      assert.ok(verifyLog(slices(raws), SECOND.head).ok)
      const report = verifyLog(slices(bad), SECOND.head)
      assert.not(report.ok)
      // a header that is still well formed shows only in the link of the entry after it, or in the root
      assert.ok(
        report.firstFault?.at === at || report.firstFault?.at === at + 1,
        `fault at ${report.firstFault?.at}, flipped ${at}`,
      )
      assert.ok(report.entries === report.firstFault?.at)
    }),
    { numRuns: 300 },
  )
})

it('chain: a full verification tells a missing end, a surplus, a wrong root and a bad signature apart', () => {
  const raws = [...FIRST.raws, ...SECOND.raws]
  const forged = { ...SECOND.head, signature: new Uint8Array(64).fill(7) }
  assert.is(verifyLog([raws.slice(0, 7)], SECOND.head).firstFault?.code, 'entry-missing')
  assert.is(verifyLog([raws], FIRST.head).firstFault?.code, 'entry-beyond-head')
  assert.is(verifyLog([raws], signHead(ADA, FOUNDING, 8, new Uint8Array(32))).firstFault?.code, 'head-root')
  assert.is(verifyLog([raws], forged).firstFault?.code, 'head-signature')
})

it('chain: a frame that ends at no signed head, or an empty one, is refused', () => {
  assert.throws(() => openFrame(FIRST.tip, encodeCbor([SECOND.head.note, []]), FOUNDING), /frame/)
  assert.throws(() => openFrame(FIRST.tip, encodeCbor([SECOND.head.note, SECOND.raws.slice(0, 4)]), FOUNDING), /range/)
  const opened = openFrame(FIRST.tip, encodeFrame({ note: SECOND.head.note, raws: SECOND.raws }), FOUNDING)
  const expected = batchOf(SECOND)
  assert.equal(opened.batch.head, expected.head)
  assert.is(opened.batch.from, 3)
  assert.ok(opened.batch.entries.every((raw, i) => equalBytes(raw, expected.entries[i] as Uint8Array)))
})

it.run()

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { utf8 } from '../../src/core/bytes.ts'
import type { SigningKey } from '../../src/core/ed25519.ts'
import { formatLine, LineSplitter, parseLine } from '../../src/ledger/bundle.ts'
import { type BundleVerdict, parseRoot } from '../../src/ledger/bundleVerdict.ts'
import { BundleVerifier } from '../../src/ledger/bundleVerify.ts'
import { fingerprint } from '../../src/ledger/founding.ts'
import { refusal } from '../core/refusal.ts'
import { FAULTS, FIVE, forkOfTwoSizes, GOOD } from './bundleFaults.ts'
import {
  codeAt,
  consortiumOf,
  cosigned,
  entryFor,
  judge,
  linesOf,
  logFor,
  othersThan,
  resealed,
  sampleParts,
} from './bundleKit.ts'
import { CLINICS, EPOCH_BUNDLES, EPOCHS_GOOD } from './epochFaults.ts'
import { STUDY } from './fixtures.ts'

const it = suite('bundle')

const TEXT = GOOD.join('')
const BYTES = utf8(TEXT)
type Facts = Exclude<BundleVerdict, { verdict: 'wrong' }>

function factsOf(verdict: BundleVerdict): Facts {
  if (verdict.verdict === 'wrong') throw new Error(`line ${verdict.fault.line}: ${verdict.fault.message}`)
  return verdict
}

it('bundle: a good one is good under its root in both forms, and only consistent without', () => {
  for (const root of [FIVE.digest, fingerprint(FIVE.digest), FIVE.digest.toUpperCase()])
    assert.is(judge(BYTES, parseRoot(root)).verdict, 'good')
  assert.is(judge(BYTES, null).verdict, 'consistent')
})

it('bundle: a filter of several kinds takes what any of them names, and hears of each entry with its state', () => {
  const seen: string[] = []
  const verifier = new BundleVerifier(null, ({ author, seq }, state) =>
    seen.push(`${author.slice(0, 4)} ${seq} ${state}`),
  )
  for (const line of linesOf(FIVE, sampleParts(FIVE), { kind: 'consent.recorded,round' }))
    assert.ok(verifier.push(utf8(line.trimEnd())))
  assert.is(verifier.finish(new Uint8Array()).verdict, 'consistent')
  const states = seen.map((one) => one.split(' ')[2])
  assert.is(states.join(' '), 'final final final final final pending final disputed disputed')
})

it('bundle: it tells final, pending and disputed apart, and counts bodies that were dropped', () => {
  const { consortium, logs, heads, forks, entries } = factsOf(judge(BYTES, FIVE.digest))
  assert.equal([consortium.members, consortium.quorum, heads, forks, entries], [5, 4, 5, 1, 9])
  assert.is(consortium.fingerprint, fingerprint(FIVE.digest))
  const rows = logs.map((log) => [
    ...[log.heads, log.size, log.finalSize, log.entries, log.final, log.pending, log.disputed, log.disputedFinal],
    log.droppedBodies,
    log.forkSize,
  ])
  assert.equal(rows, [
    [1, 7, 7, 4, 4, 0, 0, 0, 1, null],
    [2, 5, 3, 2, 1, 1, 0, 0, 0, null],
    [1, 6, 6, 3, 1, 0, 2, 2, 0, 4],
    [1, 2, 0, 0, 0, 0, 0, 0, 0, null],
  ])
  assert.equal(
    logs.map(({ firstMs, lastMs }) => [firstMs, lastMs]),
    [
      [1_790_000_000_000, 1_790_000_006_042],
      [1_790_000_002_014, 1_790_000_003_021],
      [1_790_000_002_014, 1_790_000_005_035],
      [null, null],
    ],
  )
})

it('bundle: with epochs it says how far they go, and counts under them: pins are final, so are heads that the newest quorum signed', () => {
  const { consortium, logs } = factsOf(judge(utf8(EPOCHS_GOOD.join('')), CLINICS.digest))
  assert.equal([consortium.epoch, consortium.members, consortium.quorum], [3, 4, 3])
  const rows = logs.map((log) => [
    ...[log.name, log.heads, log.size, log.finalSize],
    ...[log.final, log.pending, log.disputed, log.disputedFinal, log.forkSize],
  ])
  assert.equal(
    rows.sort((a, b) => (String(a) < String(b) ? -1 : 1)),
    [
      ['Ada', 1, 9, 9, 2, 0, 0, 0, null],
      ['Ben', 1, 3, 0, 0, 1, 0, 0, null],
      ['Ben', 1, 5, 5, 1, 0, 0, 0, null],
      ['Dan', 1, 6, 6, 2, 0, 0, 0, 7],
      ['Eve', 2, 7, 7, 2, 0, 0, 0, null],
    ],
  )
  const { consortium: founded } = factsOf(judge(BYTES, null))
  assert.equal([founded.epoch, founded.members], [0, 5])
})

for (const [name, bytes] of Object.entries(EPOCH_BUNDLES)) {
  it(`bundle: with epochs it is taken: ${name}`, () => assert.is(codeAt(judge(bytes, CLINICS.digest)), 'good'))
}

it('bundle: evidence of two sizes names the place from which on entries are disputed', () => {
  const verdict = judge(forkOfTwoSizes(), FIVE.digest)
  if (verdict.verdict !== 'good') throw new Error(codeAt(verdict))
  assert.equal([verdict.forks, verdict.logs.map(({ forkSize }) => forkSize)], [1, [3]])
})

it('bundle: a head is final from the quorum on, the author counted', () => {
  for (const [members, k] of [
    [2, 2],
    [3, 3],
    [4, 3],
    [5, 4],
    [7, 5],
    [10, 7],
  ] as const) {
    const consortium = consortiumOf(members)
    const log = logFor(consortium.keys[0] as SigningKey, 3)
    for (const signatures of [k - 1, k, members]) {
      const head = cosigned(consortium, log, 3, othersThan(consortium, log).slice(0, signatures - 1))
      const lines = linesOf(consortium, [head, entryFor(log, 0, 1, 3)])
      const { logs } = factsOf(judge(utf8(lines.join('')), null))
      assert.equal([logs[0]?.final, logs[0]?.pending], signatures < k ? [0, 1] : [1, 0], `${signatures} of ${members}`)
    }
  }
})

it('bundle: a filter that every entry fits is taken', () => {
  const log = logFor(FIVE.keys[0] as SigningKey, 6)
  const parts = [cosigned(FIVE, log, 6, []), entryFor(log, 0, 1, 6), entryFor(log, 0, 2, 6)]
  const { member } = log.key
  for (const kind of ['round', 'round.trained']) {
    const filter = { members: [member], kind, study: STUDY, sinceMs: 1_790_000_001_007, untilMs: 1_790_000_002_015 }
    const text = linesOf(FIVE, parts, { ...filter, state: 'pending' }).join('')
    assert.equal(factsOf(judge(utf8(text), null)).filter, { ...filter, state: 'pending' })
  }
})

it('bundle: one without entries, and one without anything, are consistent', () => {
  assert.is(judge(utf8(linesOf(FIVE, []).join('')), null).verdict, 'consistent')
  assert.is(
    judge(utf8(linesOf(FIVE, [cosigned(FIVE, logFor(FIVE.keys[0] as SigningKey, 1), 1, [])]).join('')), null).verdict,
    'consistent',
  )
})

for (const { name, expected, bytes, root } of FAULTS) {
  it(`bundle: ${name}: ${expected}`, () => {
    const verdict = judge(bytes, root === null ? null : parseRoot(root))
    assert.is(codeAt(verdict), expected, verdict.verdict === 'wrong' ? verdict.fault.message : '')
  })
}

/** Rows of the fault table whose bytes are kept, beside a good bundle. */
const GOLDEN: Readonly<Record<string, string>> = {
  'ledger-v1-bundle-proof.ndjson': 'siblings swapped',
  'ledger-v1-bundle-signature.ndjson': 'a head signed by another',
  'ledger-v1-bundle-small-order.ndjson': 'a key that signs everything',
  'ledger-v1-bundle-link.ndjson': 'another hash of the entry before',
  'ledger-v1-bundle-body.ndjson': 'a changed body',
  'ledger-v1-bundle-fork.ndjson': 'a forged note',
  'ledger-v1-bundle-filter.ndjson': 'a pending entry',
  'ledger-v1-bundle-count.ndjson': 'an entry taken out',
  'ledger-v1-bundle-digest.ndjson': 'another exporter, not sealed',
  'ledger-v1-bundle-truncated.ndjson': 'a cut in a head',
  'ledger-v1-bundle-epoch-skipped.ndjson': 'an epoch skipped',
  'ledger-v1-bundle-epoch-before.ndjson': 'two of the four before',
  'ledger-v1-bundle-epoch-forged.ndjson': 'signature 2 forged',
  'ledger-v1-bundle-epoch-back.ndjson': 'a pin that goes back',
  'ledger-v1-bundle-epoch-left.ndjson': 'a former member goes on',
  'ledger-v1-bundle-epoch-below.ndjson': 'a head of a former member below its pin',
}

const GOOD_GOLDEN = { 'ledger-v1-bundle.ndjson': BYTES, 'ledger-v1-bundle-epochs.ndjson': utf8(EPOCHS_GOOD.join('')) }

for (const [file, given] of Object.entries({ ...GOOD_GOLDEN, ...GOLDEN })) {
  it(`bundle: ${file} is what it was, byte for byte`, () => {
    const bytes = typeof given !== 'string' ? given : FAULTS.find(({ name }) => name === given)?.bytes
    if (bytes === undefined) throw new Error(`no row "${given}"`)
    const path = new URL(`../golden/${file}`, import.meta.url)
    if (process.env.CONSILIUM_GOLDEN === 'write' && !existsSync(path)) writeFileSync(path, bytes)
    assert.is(Buffer.compare(readFileSync(path), bytes), 0)
  })
}

it('bundle: every message is one line that does not repeat the file', () => {
  for (const { bytes, root } of FAULTS) {
    const verdict = judge(bytes, root === null ? null : parseRoot(root))
    if (verdict.verdict !== 'wrong') throw new Error('a fault')
    assert.match(verdict.fault.message, /^[^\n]{5,400}$/)
  }
})

it('bundle: a truncation is refused: around every line end, and at every 61st byte', () => {
  for (let length = 0; length < BYTES.length; length++) {
    const isAtEnd = TEXT.slice(Math.max(0, length - 2), length + 2).includes('\n')
    if (length >= 40 && length % 61 > 0 && !isAtEnd) continue
    const found = codeAt(judge(BYTES.subarray(0, length), null))
    assert.match(found, length < 31 ? /^bundle-(?:empty|unknown) 1$/ : /^bundle-truncated \d+$/, `${length}`)
  }
})

for (const [name, lines, root] of [
  ['the founding', GOOD, FIVE.digest],
  ['three epochs', EPOCHS_GOOD, CLINICS.digest],
] as const) {
  const text = lines.join('')

  it(`bundle: under ${name}: a random bit flipped is refused, at its line or after it`, () => {
    fc.assert(
      fc.property(fc.nat(text.length * 8 - 1), (bit) => {
        const verdict = judge(flipped(text, bit), null)
        if (verdict.verdict !== 'wrong') throw new Error(`bit ${bit} accepted`)
        const line = text.slice(0, bit >> 3).split('\n').length
        assert.ok(verdict.fault.line >= line, `bit ${bit}: ${codeAt(verdict)}`)
      }),
      { numRuns: 300 },
    )
  })

  it(`bundle: under ${name}: whoever seals a flipped bit anew can change what nothing signs, and nothing else`, () => {
    const { consortium, logs } = factsOf(judge(utf8(text), null))
    fc.assert(
      fc.property(fc.nat((text.length - (lines.at(-1) as string).length) * 8 - 1), (bit) => {
        const changed = Buffer.from(flipped(text, bit))
          .toString('latin1')
          .split(/(?<=\n)/)
        const verdict = judge(new Uint8Array(Buffer.from(resealed(changed).join(''), 'latin1')), root)
        if (verdict.verdict === 'wrong') return
        assert.ok(bit >> 3 < (lines[0] as string).length, `bit ${bit}`)
        assert.equal([verdict.consortium, verdict.logs], [consortium, logs])
      }),
      { numRuns: 300 },
    )
  })
}

it('bundle: the pieces in which a file comes change nothing', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(BYTES.length), { maxLength: 40 }), (cuts) => {
      const splitter = new LineSplitter()
      const lines: string[] = []
      const ends = [...cuts, 0, BYTES.length].sort((a, b) => a - b)
      for (const [i, end] of ends.entries())
        for (const line of splitter.split(BYTES.subarray(ends[i - 1] ?? 0, end))) lines.push(`${Buffer.from(line)}\n`)
      assert.equal(lines, GOOD)
      assert.is(splitter.rest.length, 0)
    }),
    { numRuns: 50 },
  )
})

it('bundle: what a line says is written back as it was, and is ASCII', () => {
  for (const line of GOOD) {
    assert.is(`${formatLine(parseLine(utf8(line.slice(0, -1))))}\n`, line)
    assert.match(line, /^[ -~]+\n$/)
  }
})

it('bundle: a root is 32 or 64 digits, with or without spaces', () => {
  const { digest } = FIVE
  assert.is(parseRoot(fingerprint(digest)), digest.slice(0, 32))
  assert.is(parseRoot(` ${digest}\t`), digest)
  for (const text of [
    '',
    digest.slice(0, 31),
    digest.slice(0, 16),
    `${digest}0`,
    digest.slice(0, 48),
    `${digest.slice(1)}g`,
  ])
    assert.is(
      refusal(() => parseRoot(text)),
      'bad-root',
      text,
    )
})

function flipped(text: string, bit: number): Uint8Array {
  const bytes = utf8(text)
  bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7))
  return bytes
}

it.run()

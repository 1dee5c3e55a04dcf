/** log check-export: what it says of an export whose lines were changed, left out, added or put elsewhere, of proofs that are not its own, of entries that nobody cosigned and of those that are not there. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { checkExport, judgeExport } from '../../src/cli/checkExport.ts'
import { type ExportVerdict, exportFault, exportLines } from '../../src/cli/exportVerdict.ts'
import type { Cbor } from '../../src/core/cbor.ts'
import { ConsiliumError } from '../../src/core/errors.ts'
import type { StudyId } from '../../src/core/ids.ts'
import { squeeze } from '../../src/daemon/squeeze.ts'
import type { BundleEntry, BundlePart } from '../../src/ledger/bundle.ts'
import { decodeEntry } from '../../src/ledger/entry.ts'
import { headerOf, VIEWS, type ViewName, linesOf as viewLines } from '../../src/report/exports/views.ts'
import { SOUND } from '../governance/sound.ts'
import { consortiumOf, cosigned, entryFor, linesOf, logWith, othersThan, resealed } from '../ledger/bundleKit.ts'

const it = suite('log check-export')

const home = mkdtempSync(join(tmpdir(), 'consilium-export-'))
const FILE = join(home, 'export')
const PROOFS = join(home, 'export.proofs')
const FIVE = consortiumOf(5)
const KINDS = [
  'node.started',
  'round.trained',
  'round.merged',
  'model.served',
  'model.used',
  'consent.recorded',
  'dataset.bound',
] as const
const STUDY = '5d'.repeat(32) as StudyId
const LOG = logWith(
  FIVE.keys[0] as (typeof FIVE.keys)[0],
  KINDS.map((kind, i) => ({
    ...{ kind, study: i === 0 ? null : STUDY, timeMs: 1_790_000_000_000 + i, refs: [] },
    body: SOUND[kind] as unknown as Cbor,
  })),
)
const SIZE = KINDS.length
const PARTS: BundlePart[] = [
  cosigned(FIVE, LOG, SIZE, othersThan(FIVE, LOG)),
  ...KINDS.map((_, seq) => entryFor(LOG, 0, seq, SIZE)),
]
const BUNDLE = linesOf(FIVE, PARTS)
const NAMES = new Map(FIVE.founding.members.map(({ name, key }) => [key, name]))
const OF = { consortium: FIVE.founding.name, founding: FIVE.digest, nameOf: (member: never) => NAMES.get(member) }

/** Lines of the view, its header among them. */
function exportOf(view: ViewName): string[] {
  const lines = LOG.raws.flatMap((raw) => viewLines(view, decodeEntry(raw), 'final', OF))
  return [headerOf(view), ...lines].filter((line) => line !== '')
}

async function check(lines: readonly string[], bundle: readonly string[] = BUNDLE, root: string | null = FIVE.digest) {
  writeFileSync(FILE, lines.join(''))
  writeFileSync(PROOFS, bundle.join(''))
  return judgeExport(FILE, PROOFS, root)
}

const saying = ({ faults }: ExportVerdict): string[] =>
  faults.map(({ line, entry, what }) => `${line} ${entry} ${what}`)

for (const view of VIEWS)
  it(`${view}: an export is good under its root, and consistent without one`, async () => {
    const lines = exportOf(view)
    const verdict = await check(lines)
    assert.equal(verdict.faults, [])
    assert.equal(
      [verdict.view, verdict.lines, verdict.entries, verdict.identity],
      [view, lines.length, SIZE, 'checked'],
    )
    assert.is((await check(lines, BUNDLE, null)).identity, 'not checked')
  })

it('a changed, a missing, an added, a moved and a doubled line are named, and where', async () => {
  const lines = exportOf('csv')
  const changed = (lines[4] as string).replace('predictions of several runs', 'predictions of several runz')
  const rows: readonly (readonly [what: string, lines: string[], said: readonly RegExp[]])[] = [
    ['changed', lines.with(4, changed), [/^5 \w+\/3 differs .* byte \d+ of the line on$/]],
    ['header', lines.with(0, (lines[0] as string).replace('kind', 'kinds')), [/^1 null differs/]],
    ['missing', lines.toSpliced(3, 1), [/^4 \w+\/2 is missing$/]],
    ['first missing', lines.toSpliced(1, 1), [/^2 \w+\/0 is missing$/]],
    ['last missing', lines.slice(0, -1), [/^8 \w+\/6 is missing$/]],
    ['added', lines.toSpliced(3, 0, changed), [/^4 null is of no entry .* added$/]],
    ['added last', [...lines, changed], [/^9 null is of no entry .* added$/]],
    ['doubled', lines.toSpliced(3, 0, lines[2] as string), [/^4 null .* added$/]],
    ['cut off', lines.with(7, (lines[7] as string).slice(0, -9)), [/^8 \w+\/6 differs/]],
    ['two', lines.with(2, changed).toSpliced(5, 1), [/^3 \w+\/1 differs/, /^6 \w+\/4 is missing$/]],
  ]
  for (const [what, given, said] of rows) {
    const found = saying(await check(given))
    assert.is(found.length, said.length, `${what}: ${found}`)
    for (const [i, one] of said.entries()) assert.match(found[i] as string, one, what)
  }
  const swapped = saying(await check(lines.with(2, lines[3] as string).with(3, lines[2] as string)))
  assert.ok(swapped.length > 0, 'two lines that changed places')
})

it('property: whichever byte of a line is changed, its line is named', async () => {
  const lines = exportOf('ai-act')
  await fc.assert(
    fc.asyncProperty(fc.nat(lines.length - 1), fc.nat(), fc.integer({ min: 1, max: 90 }), async (line, place, by) => {
      const bytes = Buffer.from(lines[line] as string)
      const at = place % (bytes.length - 1)
      bytes[at] = 33 + (((bytes[at] as number) + by) % 94)
      if (bytes.toString() === lines[line] || (line === 0 && at < 16)) return // its beginning says the form
      const found = await check(lines.with(line, bytes.toString()))
      assert.equal(
        found.faults.map((fault) => fault.line),
        [line + 1],
      )
    }),
    { numRuns: 60 },
  )
})

it('proofs that are not of these entries are refused: another entry, another path, a body changed, another consortium, cut off', async () => {
  const lines = exportOf('fhir-audit')
  const entries = PARTS.slice(1)
  const [, , third, fourth] = entries as BundleEntry[]
  const swapped = { ...third, proof: fourth?.proof } as BundlePart
  const other = logWith(LOG.key, [
    { kind: 'node.started', study: null, timeMs: 1, refs: [], body: { software: '9' } as Cbor },
  ])
  const rows: readonly (readonly [string, readonly string[], string])[] = [
    ['proof swapped', linesOf(FIVE, PARTS.with(3, swapped)), 'bundle-proof'],
    [
      'entry of another history',
      linesOf(FIVE, PARTS.with(1, { ...(PARTS[1] as object), raw: other.raws[0] } as BundlePart)),
      'bundle-proof',
    ],
    ['an entry left out of them', resealed(BUNDLE.toSpliced(4, 1)), 'bundle-count'],
    ['cut off', BUNDLE.slice(0, -1), 'bundle-truncated'],
  ]
  for (const [what, bundle, code] of rows) assert.is(await codeOf(check(lines, bundle)), code, what)
  assert.is(await codeOf(check(lines, BUNDLE, consortiumOf(5, 'Another').digest)), 'bundle-root')
  const fewer = linesOf(FIVE, PARTS.toSpliced(4, 1))
  assert.match(saying(await check(lines, fewer)).join(), /added/, 'a line without a proof')
})

/** Entries `seqs` of the log under one head, and the lines of the view that they give. */
function partOf(seqs: readonly number[], head = PARTS[0] as BundlePart): { parts: BundlePart[]; lines: string[] } {
  const lines = seqs.flatMap((seq) => viewLines('ai-act', decodeEntry(LOG.raws[seq] as Uint8Array), 'final', OF))
  return { parts: [head, ...seqs.map((seq) => entryFor(LOG, 0, seq, SIZE))], lines }
}

const ALL = KINDS.map((_, seq) => seq)
const OWN = FIVE.founding.members.find(({ key }) => key === LOG.key.member)?.name as string

it('what no quorum has signed is not good: how many entries and of whom is said, and the exit code is 1', async () => {
  for (const witnesses of [[], othersThan(FIVE, LOG).slice(0, 2)]) {
    const { parts } = partOf(ALL, cosigned(FIVE, LOG, SIZE, witnesses))
    const lines = LOG.raws.flatMap((raw) => viewLines('csv', decodeEntry(raw), 'pending', OF))
    for (const state of [null, 'pending'] as const) {
      const verdict = await check([headerOf('csv'), ...lines], linesOf(FIVE, parts, { state }))
      assert.equal([verdict.faults, verdict.final, verdict.pending, verdict.disputed], [[], 0, SIZE, 0])
      const { code, message } = exportFault(verdict) as ConsiliumError
      assert.is(code, 'export-not-final')
      assert.match(message, new RegExp(`: 7 of 7 entries are not final: ${OWN} 7 pending$`))
      const said = exportLines(verdict).join('\n')
      assert.match(said, /export: NOT GOOD\. Each of its 8 lines \(csv\) is what its entry gives\. But 7 of 7 /)
      assert.not.match(said, /is final/)
    }
    const { out, error } = await run([FILE, '--root', FIVE.digest])
    assert.is(error?.code, 'export-not-final')
    assert.match(out, /NOT GOOD/)
  }
  const mixed = [
    cosigned(FIVE, LOG, 5, othersThan(FIVE, LOG)),
    cosigned(FIVE, LOG, SIZE, []),
    ...ALL.map((seq) => (seq < 5 ? entryFor(LOG, 0, seq, 5) : entryFor(LOG, 1, seq, SIZE))),
  ]
  const lines = LOG.raws.flatMap((raw, i) => viewLines('csv', decodeEntry(raw), i < 5 ? 'final' : 'pending', OF))
  const verdict = await check([headerOf('csv'), ...lines], linesOf(FIVE, mixed))
  assert.equal([verdict.faults, verdict.final, verdict.pending], [[], 5, 2])
  assert.match(exportFault(verdict)?.message ?? '', new RegExp(`: 2 of 7 entries are not final: ${OWN} 2 pending$`))
})

it('an entry that the exporter left out of file and proofs is named where the filter takes everything, and cannot be where it takes a kind', async () => {
  for (const [missing, place] of [
    [[2], '/2'],
    [[0, 1], '/0 to 1'],
    [[6], '/6'],
    [[1, 4, 5], '/1, NAME/4 to 5'],
  ] as const) {
    const { parts, lines } = partOf(ALL.filter((seq) => !missing.some((one) => one === seq)))
    for (const filter of [{}, { state: 'final' }, { members: [LOG.key.member] }] as const) {
      const verdict = await check(lines, linesOf(FIVE, parts, filter))
      assert.is(verdict.faults.length, 0)
      const { code, message } = exportFault(verdict) as ConsiliumError
      assert.is(code, 'export-left-out')
      const name = squeeze(OWN)
      assert.ok(message.endsWith(` left out of the proofs: ${name}${place.replace('NAME', name)}`), message)
      assert.match(exportLines(verdict).join('\n'), /NOT GOOD(.|\n)*LEFT OUT: /)
    }
  }
  const { parts, lines } = partOf([1, 2])
  const filtered = await check(lines, linesOf(FIVE, parts, { kind: 'round', state: 'final' }))
  assert.is(exportFault(filtered), null)
  const said = exportLines(filtered).join('\n')
  assert.match(said, /^filter +kind round; final only$/m)
  assert.match(said, new RegExp(`^${OWN} +2 +7 +2 +0 +0 +0 `, 'm'), 'entries, and of how many')
  assert.match(
    said,
    /cannot show: what the filter left out; what the exporter left out, for of an entry that is not here/,
  )
})

it('a whole export says so, which members are not in it, and how many bodies were dropped', async () => {
  const { parts, lines } = partOf(ALL)
  const whole = exportLines(await check(lines, linesOf(FIVE, parts))).join('\n')
  assert.match(
    whole,
    /good\. Each of its \d lines \(ai-act\) [^\n]+ Every entry is final: [^\n]+ quorum [^\n]+ --root names/,
  )
  assert.match(whole, /^filter +none$/m)
  assert.match(whole, /Of the logs above nothing that the filter takes was left out/)
  const others = FIVE.founding.members.map(({ name }) => name).filter((name) => name !== OWN)
  assert.ok(whole.includes(`No entry of ${others.join(', ')} is in it`), whole)
  const bare = [...parts.slice(0, -1), entryFor(LOG, 0, 6, SIZE, true)]
  const dropped = await check(lines, linesOf(FIVE, bare))
  assert.is(dropped.droppedBodies, 1)
  assert.match(exportLines(dropped).join('\n'), /^1 entry is without a body, /m)
})

it('one line is one line, and none is none', async () => {
  const { parts, lines } = partOf([1])
  const filter = { kind: 'round.trained' }
  assert.match(
    exportLines(await check(lines, linesOf(FIVE, parts, filter)))[0] as string,
    /good\. Its one line \(ai-act\) is /,
  )
  writeFileSync(FILE, '')
  const none = partOf([])
  writeFileSync(PROOFS, linesOf(FIVE, none.parts.slice(1), filter).join(''))
  const { out, error } = await run([FILE, '--form', 'ai-act', '--root', FIVE.digest])
  assert.is(error, null)
  assert.match(
    out,
    /good\. It has no entry \(ai-act\), and its proofs have none; that there was none they cannot show\.\n/,
  )
})

it('a file that is no export, none at all, a folder, and an empty one are refused in one line', async () => {
  assert.is(await codeOf(check(['{"resourceType":"Patient"}\n'])), 'export-unknown')
  assert.is(await codeOf(check([''])), 'export-unknown')
  assert.is(await codeOf(judgeExport(join(home, 'none'), PROOFS, null)), 'file-missing')
  assert.is(await codeOf(judgeExport(home, PROOFS, null)), 'file-unreadable')
  writeFileSync(FILE, exportOf('csv').join(''))
  assert.is(await codeOf(judgeExport(FILE, home, null)), 'file-unreadable')
  writeFileSync(FILE, '')
  assert.is((await judgeExport(FILE, PROOFS, null, 'fhir-audit')).faults.length, SIZE, 'each line is missing')
})

/** Runs the command here. */
async function run(args: readonly string[]): Promise<{ out: string; error: ConsiliumError | null }> {
  const write = process.stdout.write
  let out = ''
  process.stdout.write = ((text: string) => {
    out += text
    return true
  }) as typeof process.stdout.write
  try {
    await checkExport().parseAsync(args, { from: 'user' })
    return { out, error: null }
  } catch (error) {
    assert.instance(error, ConsiliumError)
    assert.not.match((error as Error).message, /\n/)
    return { out, error: error as ConsiliumError }
  } finally {
    process.stdout.write = write
  }
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work
    return 'none'
  } catch (error) {
    assert.instance(error, ConsiliumError)
    assert.not.match((error as Error).message, /\n/)
    return (error as ConsiliumError).code
  }
}

it.after(() => rmSync(home, { recursive: true, force: true }))
it.run()

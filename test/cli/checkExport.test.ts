/** log check-export: what it says of an export whose lines were changed, left out, added or put elsewhere, and of proofs that are not its own. */
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

it('a file that is no export, none at all, and an empty one are refused in one line', async () => {
  assert.is(await codeOf(check(['{"resourceType":"Patient"}\n'])), 'export-unknown')
  assert.is(await codeOf(check([''])), 'export-unknown')
  assert.is(await codeOf(judgeExport(join(home, 'none'), PROOFS, null)), 'file-missing')
  writeFileSync(FILE, '')
  assert.is((await judgeExport(FILE, PROOFS, null, 'fhir-audit')).faults.length, SIZE, 'each line is missing')
})

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

/** audit check --bundle: what a hospital opened of a round, against a bundle, by whoever has nothing but the two files. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { auditBundle, type OfflineAudit } from '../../src/cli/auditBundle.ts'
import { fromHex, toHex } from '../../src/core/bytes.ts'
import { ConsiliumError } from '../../src/core/errors.ts'
import type { Digest } from '../../src/core/ids.ts'
import { decisionCommitment } from '../../src/governance/consent.ts'
import { consentLeaf, historyOf, leafContext, leafSecrets } from '../../src/governance/consentLeaf.ts'
import { openingLines } from '../../src/governance/consentOpening.ts'
import { readBody } from '../../src/governance/kinds.ts'
import type { Stand } from '../../src/governance/roundSets.ts'
import type { VaultSubject } from '../../src/governance/vaultBook.ts'
import { decodeEntry } from '../../src/ledger/entry.ts'
import type { Log } from '../ledger/bundleKit.ts'
import {
  bundleLines,
  CONSORTIUM,
  HOSPITAL,
  IGNORING,
  kept,
  mary,
  maryWithRoot,
  STUDY_ID,
} from '../report/patientStory.ts'

const it = suite('audit by a bundle')

const FIRST = 4 // the second round of November: eight words and the patient's had been told
const LAST = 8 // in December, after the no

/** What `audit round --open` writes of an entry. */
function openingOf(seq: number, log: Log = mary): string[] {
  const { hash, body } = decodeEntry(log.raws[seq] as Uint8Array)
  const root = toHex(readBody('round.trained', body)?.consent?.root as Uint8Array) as Digest
  const { sets } = kept.book
  const leaves = [...(sets.at(STUDY_ID, root) ?? [])].map(([number, stand]) => {
    const { key, words } = kept.book.bearing(number) as VaultSubject
    const secrets = leafSecrets(key, leafContext(STUDY_ID, HOSPITAL))
    return { ...secrets, ...(stand as Stand), words: words.slice(0, (stand as Stand).words) }
  })
  const header = { study: STUDY_ID, member: HOSPITAL, seq, hash }
  return [...openingLines({ leaves, bare: [], elsewhere: [] }, header)].map((line) => `${line}\n`)
}

async function check(
  opening: readonly string[],
  bundle: readonly string[],
  root: string | null = CONSORTIUM.digest,
): Promise<OfflineAudit> {
  const folder = await mkdtemp(join(tmpdir(), 'consilium-audit-'))
  try {
    await writeFile(join(folder, 'opening'), opening.join(''))
    await writeFile(join(folder, 'bundle'), bundle.join(''))
    return await auditBundle(join(folder, 'opening'), join(folder, 'bundle'), root)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

const codeOf = (run: Promise<unknown>): Promise<string> =>
  run.then(
    () => 'taken',
    (error) => (error instanceof ConsiliumError ? error.code : String(error)),
  )

it('a round that obeyed everybody is found to have, before a no and after it', async () => {
  for (const [seq, recorded, permitted, denials] of [
    [FIRST, 9, 9, 0],
    [LAST, 10, 8, 1],
  ] as const) {
    const { report, facts } = await check(openingOf(seq), bundleLines())
    assert.equal([report.faults, report.missing, report.state, facts.verdict], [[], 0, 'final', 'good'])
    assert.equal(
      [report.recorded, report.unopened, report.permitted, report.denials],
      [recorded, 0, permitted, denials],
    )
    assert.is(report.root, report.declared)
  }
})

it('without a fingerprint it is checked all the same, and said that whose it is was not', async () => {
  assert.is((await check(openingOf(FIRST), bundleLines(), null)).facts.verdict, 'consistent')
})

it('a round that goes on with who said no, a forged leaf and a patient left out are each found', async () => {
  const ignoring = maryWithRoot(IGNORING)
  const went = await check(
    openingOf(LAST, ignoring),
    bundleLines(() => true, ignoring),
  )
  assert.is(went.report.faults.length, 1)
  assert.match(went.report.faults[0] as string, /the words say no, the set has yes/)
  const forged = openingOf(LAST).map((line) => line.replace('"permitted":false', '"permitted":true'))
  assert.is((await check(forged, bundleLines())).report.faults.length, 2)
  const short = openingOf(LAST).filter((line) => !line.includes('"permitted":false'))
  assert.is((await check(short, bundleLines())).report.faults.length, 2)
})

it('leaves that are shut as forgotten, where the log tells of no erasure, are named: nobody hides a no behind one', async () => {
  const shut = openingOf(LAST).map((line) => {
    const { tag, salt, permitted, rows, words } = JSON.parse(line)
    if (tag === undefined) return line
    const own = (words as [string, string][]).map(([one, bytes]) => decisionCommitment(fromHex(one), fromHex(bytes)))
    const leaf = consentLeaf({ tag: fromHex(tag), salt: fromHex(salt), permitted, rows, history: historyOf(own) })
    return `${JSON.stringify({ tag, leaf: toHex(leaf) })}\n`
  })
  const { report } = await check(shut, bundleLines())
  assert.equal([report.root, report.erased], [report.declared, 9])
  assert.ok(report.faults.some((fault) => /9 patients are shut as forgotten, and the log tells of 0/.test(fault)))
})

it('a bundle that lacks words which the log had told of is named, though each of its lines holds', async () => {
  const { report } = await check(
    openingOf(LAST),
    bundleLines((seq) => seq !== 1),
  )
  assert.is(report.missing, 9)
  assert.ok(report.faults.some((fault) => /are not here that tell of 9 words/.test(fault)))
})

it('a bundle that tells of no word at all is named, whether the entries are left out or their bodies', async () => {
  const isTold = (seq: number) => seq === 1 || seq === 6
  const left = await check(
    openingOf(LAST),
    bundleLines((seq) => !isTold(seq)),
  )
  const opened = '10 of the words that are opened stand in no entry that is here'
  assert.equal([left.report.recorded, left.report.faults], [0, [opened]])
  const dropped = await check(
    openingOf(LAST),
    bundleLines((seq) => (isTold(seq) ? 'bodiless' : true)),
  )
  const unread = '2 entries that tell of words, or of erasures, are here without what they tell'
  assert.equal(dropped.report.faults, [unread, opened])
})

it('an opening of before, which says itself at what time words are to be judged, is read no more', async () => {
  const [header = '', ...lines] = openingOf(LAST, maryWithRoot(IGNORING))
  const timed = header.replace('}', ',"atMs":0}')
  const bundle = bundleLines(() => true, maryWithRoot(IGNORING))
  assert.is(await codeOf(check([timed, ...lines], bundle)), 'audit-file')
})

/** Each row is refused, under this code. */
const REFUSED: readonly (readonly [name: string, code: string, run: () => Promise<unknown>])[] = [
  ['a bundle of another consortium', 'bundle-root', () => check(openingOf(FIRST), bundleLines(), 'ab'.repeat(16))],
  ['a bundle that was cut off', 'bundle-truncated', () => check(openingOf(FIRST), bundleLines().slice(0, -1))],
  [
    'a bundle without the round',
    'audit-no-round',
    () =>
      check(
        openingOf(LAST),
        bundleLines((seq) => seq < LAST),
      ),
  ],
  [
    'a bundle without the study',
    'audit-no-round',
    () =>
      check(
        openingOf(LAST),
        bundleLines((seq) => seq > 0),
      ),
  ],
  [
    'a bundle that has another entry in its place',
    'audit-other-entry',
    () =>
      check(
        openingOf(LAST),
        bundleLines(() => true, maryWithRoot(IGNORING)),
      ),
  ],
  [
    'a bundle whose filter leaves words out',
    'audit-bundle',
    () =>
      check(
        openingOf(FIRST),
        bundleLines((seq) => seq === FIRST, mary, { kind: 'round' }),
      ),
  ],
  ['a file that is no opening', 'audit-file', () => check(['{}\n'], bundleLines())],
  ['an empty file', 'audit-file', () => check([], bundleLines())],
]
for (const [name, code, run] of REFUSED)
  it(`${name} is refused`, async () => {
    assert.is(await codeOf(run()), code)
  })

it.run()

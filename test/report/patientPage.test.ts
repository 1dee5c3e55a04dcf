/** The page scripts/verifier/my_data.html: its scripts run here as they do in a browser, on what a hospital and any member hand out. */
import { readFileSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { concat, utf8 } from '../../src/core/bytes.ts'
import { taggedHash } from '../../src/core/digest.ts'
import type { Digest } from '../../src/core/ids.ts'
import type { PatientFile } from '../../src/daemon/consentApi.ts'
import { patientFile, subjectKey } from '../../src/daemon/patientFile.ts'
import { formatSubjectKey } from '../../src/governance/subjectKey.ts'
import type { VaultSubject } from '../../src/governance/vaultBook.ts'
import {
  bundleLines,
  CONSORTIUM,
  daemonOf,
  hexOf,
  IGNORING,
  kept,
  mary,
  maryUnheard,
  maryWithRoot,
  PATIENT,
  RECORDS,
  SPEAKER,
  STUDY_ID,
} from './patientStory.ts'

const it = suite('patient page')

const textOf = (name: string): string =>
  readFileSync(new URL(`../../scripts/verifier/${name}`, import.meta.url), 'utf8')
const scriptOf = (page: string, id: string): string =>
  new RegExp(`<script id="${id}">([\\s\\S]*?)</script>`).exec(page)?.[1] as string
const PAGE = textOf('my_data.html')

interface Answer {
  readonly problem?: string
  readonly verdict: { readonly verdict: string }
  readonly words: readonly {
    readonly name: string
    readonly seq: number
    readonly said: null | {
      readonly decision: string
      readonly by: string
      readonly purposes: readonly string[] | null
    }
  }[]
  readonly used: readonly {
    readonly study: { readonly name: string; readonly purpose: string }
    readonly rounds: readonly { readonly round: number; readonly rows: number; readonly seq: number }[]
    readonly models: readonly { readonly name: string; readonly result: string }[]
    readonly done: readonly { readonly what: string; readonly model: string }[]
    readonly unknown: number
    readonly without: number
  }[]
  readonly faults: readonly string[]
}

const readPatient = new Function(
  `${scriptOf(PAGE, 'verifier')}; ${scriptOf(PAGE, 'patient')}; return readPatient`,
)() as (given: { bundle: Uint8Array; root: string | null; key: string; file: string | null }) => Promise<Answer>

const BUNDLE = utf8(bundleLines().join(''))
const KEY = (await subjectKey(daemonOf(), PATIENT)).key
const FILE: PatientFile = await patientFile(daemonOf(), PATIENT)

function read(change: { bundle?: Uint8Array; key?: string; file?: unknown; root?: string } = {}): Promise<Answer> {
  const { bundle = BUNDLE, key = KEY, root = CONSORTIUM.digest, file = FILE } = change
  return readPatient({ bundle, root, key, file: file === null ? null : JSON.stringify(file) })
}

it('a patient finds what was said, which rounds used the records, for what, and every model that was made of them', async () => {
  const { verdict, words, used, faults } = await read()
  assert.equal([verdict.verdict, faults], ['good', []])
  assert.equal(
    words.map(({ seq, said }) => [seq, said?.decision, said?.by]),
    [
      [1, 'permit', 'guardian'],
      [6, 'deny', 'subject'],
    ],
    'in November and in December, under tags that have nothing in common',
  )
  const [one] = used as [Answer['used'][0]]
  assert.equal([one.study.name, one.without, one.unknown], ['Heart failure', 1, 0])
  assert.equal(
    one.rounds.map(({ round, rows }) => [round, rows]),
    [
      [0, 2],
      [1, 2],
    ],
  )
  const models = ['mary model 0', 'mary model 1', 'cologne model 1', 'mary model 2', 'mary model 3']
  assert.equal(
    one.models.map(({ result }) => result),
    models.map(hexOf),
    'those after the revocation too, and those of another hospital',
  )
  assert.equal(
    one.done.map(({ what, model }) => [what, model]),
    [['exported', hexOf('mary model 3')]],
  )
})

it('with the key alone the words are found and stay sealed, and nothing is said of rounds', async () => {
  const { words, used, faults } = await read({ file: null })
  assert.equal([words.map(({ said }) => said), used, faults], [[null, null], [], []])
})

it('another patient’s key finds no word of this one, and one bit flipped in a key finds nothing', async () => {
  const other = await read({
    key: formatSubjectKey((kept.book.subject(RECORDS[2] as string) as VaultSubject).key),
    file: null,
  })
  assert.equal(
    other.words.map(({ seq }) => seq),
    [1],
  )
  const { key } = kept.book.subject(PATIENT) as VaultSubject
  for (const bit of [0, 100, 255]) {
    const flipped = key.map((byte, i) => (i === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte))
    const found = await read({ key: formatSubjectKey(flipped), file: null })
    assert.equal([found.words, found.used], [[], []])
    const { words, used, faults } = await read({ key: formatSubjectKey(flipped) })
    assert.equal([words, used.flatMap(({ rounds }) => rounds)], [[], []])
    assert.is(faults.length, 2, 'the file is of another key')
  }
})

it('a slip of the pen in the key is found before anything is looked up, and its layout makes no difference', async () => {
  const wrong = KEY.replace(/.$/, (letter) => (letter === 'A' ? 'B' : 'A'))
  for (const key of [wrong, KEY.slice(0, -1), `${KEY}A`, 'CONSILIUM1', ''])
    assert.is((await read({ key })).problem, 'key', key)
  for (const key of [KEY.toLowerCase(), ` ${KEY.replaceAll('-', ' - ')} `, `Your key:\n\n    ${KEY}\n`])
    assert.equal((await read({ key })).faults, [], key)
  assert.match(KEY, /^CONSILIUM1(?:-[A-Z2-7]{4}){14}$/)
})

it('the key’s text is base32 of the key and three bytes of a hash over it', () => {
  const { key } = kept.book.subject(PATIENT) as VaultSubject
  const bits = [...concat([key, taggedHash('subjectKey', key).subarray(0, 3)])].map((byte) =>
    byte.toString(2).padStart(8, '0'),
  )
  const letters = (bits.join('').match(/.{5}/g) ?? []).map(
    (five) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'[Number.parseInt(five, 2)],
  )
  assert.is(KEY.replaceAll('-', ''), `CONSILIUM1${letters.join('')}`)
})

type Opening = PatientFile['studies'][0]['openings'][0]

/** The file with one opening changed. */
function opened(i: number, change: (opening: Opening) => Partial<Opening>): PatientFile {
  const [study] = FILE.studies as [PatientFile['studies'][0]]
  const openings = study.openings.map((one, at) => (at === i ? { ...one, ...change(one) } : one))
  return { ...FILE, studies: [{ ...study, openings }] }
}

const swapped = (hash: string): string => (hash.startsWith('0') ? `1${hash.slice(1)}` : `0${hash.slice(1)}`)
/** Each row forges one thing in the patient file, and says what must be told. */
const FORGED: readonly (readonly [name: string, file: PatientFile, fault: RegExp])[] = [
  [
    'that the patient was not permitted',
    opened(0, () => ({ permitted: false })),
    /openings in the patient file do not hold/,
  ],
  ['that the patient was permitted after the no', opened(1, () => ({ permitted: true })), /do not hold/],
  ['more rows', opened(0, ({ rows }) => ({ rows: rows + 1 })), /do not hold/],
  ['a word less', opened(1, ({ words }) => ({ words: words - 1 })), /do not hold/],
  ['another place', opened(0, ({ index }) => ({ index: index ^ 1 })), /do not hold/],
  ['another path', opened(0, ({ path }) => ({ path: [swapped(path[0] as string), ...path.slice(1)] })), /do not hold/],
  ['another root', opened(0, ({ root }) => ({ root: swapped(root) })), /do not hold/],
  [
    'the no is left out',
    { ...FILE, words: FILE.words.slice(0, 1) },
    /1 words that the log .* has of you are not opened/,
  ],
  [
    'a word with another salt',
    { ...FILE, words: FILE.words.map(([salt, word], i) => [i === 0 ? swapped(salt) : salt, word]) },
    /stand in no entry of this bundle/,
  ],
]
for (const [name, file, fault] of FORGED) {
  it(`a patient file that forges ${name} is found out`, async () => {
    const { faults } = await read({ file })
    assert.ok(
      faults.some((one) => fault.test(one)),
      `${faults}`,
    )
  })
}

it('a round that rests on fewer words than the log had told of before it is named', async () => {
  const [study] = FILE.studies as [PatientFile['studies'][0]]
  const [first] = study.openings as [Opening]
  const lines = bundleLines(() => true, maryWithRoot(first.root as Digest))
  const late = await read({ bundle: utf8(lines.join('')) })
  assert.ok(
    late.faults.some((one) => /Round 4 .* rests on 1 of your words, and the log had told of 2/.test(one)),
    `${late.faults}`,
  )
  assert.is(late.used[0]?.rounds.length, 3)
})

it('a round that goes on with a patient who had said no is named', async () => {
  const log = maryWithRoot(IGNORING)
  const file = await patientFile(daemonOf(log), PATIENT)
  const { faults } = await read({ bundle: utf8(bundleLines(() => true, log).join('')), file })
  assert.is(faults.length, 1)
  assert.match(faults[0] as string, /Round 4 .* your words say no, and the hospital's set has yes/)
  const studies = file.studies.map((one) => ({ ...one, openings: one.openings.map((of) => ({ ...of, atMs: 0 })) }))
  const dated = await read({ bundle: utf8(bundleLines(() => true, log).join('')), file: { ...file, studies } })
  assert.equal(dated.faults, faults, 'whatever time the hospital says that its set is of')
})

it('a first round that rests on fewer words than were told before there was a table is named', async () => {
  const log = maryUnheard()
  const file = await patientFile(daemonOf(log), PATIENT)
  const { faults } = await read({ bundle: utf8(bundleLines(() => true, log).join('')), file })
  assert.is(faults.length, 2, 'the no of December stands in no entry of it either')
  assert.match(faults[1] as string, /Round 1 .* rests on 0 of your words, and the log had told of 1 before it began/)
})

it('a bundle that was touched is refused, and so is one of another consortium', async () => {
  const touched = BUNDLE.slice()
  touched[touched.length >> 1] = (touched[touched.length >> 1] as number) ^ 1
  assert.is((await read({ bundle: touched })).problem, 'bundle')
  assert.is((await read({ root: 'ab'.repeat(16) })).problem, 'bundle')
  assert.is((await read({ file: { format: 'consilium-patient/2' } })).problem, 'file')
})

it('neither bundle nor patient file has a record number or a name, and the bundle has no key', () => {
  const all = `${bundleLines().join('')}${JSON.stringify(FILE)}`
  const entries = Buffer.concat(mary.raws).toString('latin1')
  for (const word of [...RECORDS, SPEAKER, 'Obersteiner', KEY])
    assert.not.ok(all.includes(word) || entries.includes(word), word)
  assert.ok(all.includes(STUDY_ID))
})

it('the page asks nothing of a network, and its verifier is that of the auditor’s page', () => {
  assert.match(PAGE, /default-src 'none'/)
  assert.not.match(PAGE, /https?:|fetch\(|XMLHttpRequest|import\(|src=|href=/)
  assert.is(scriptOf(PAGE, 'verifier'), scriptOf(textOf('verify_bundle.html'), 'verifier'), 'copy it from there')
})

it.run()

/** What stands behind a model: against a set of entries made by hand, in any order of logs, as lines and as drawings. */
import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { fromHex } from '../../src/core/bytes.ts'
import type { Cbor } from '../../src/core/cbor.ts'
import type { MemberId, StudyId } from '../../src/core/ids.ts'
import { type Family, FamilyTree } from '../../src/governance/familyTree.ts'
import type { MadeModel } from '../../src/governance/lineage.ts'
import { Lineages } from '../../src/governance/lineages.ts'
import type { Entry } from '../../src/ledger/entry.ts'
import { type FamilyReport, familyLines, familyReport } from '../../src/report/family.ts'
import { familyDot, familySvg } from '../../src/report/familyDrawing.ts'
import { digestOf, keyOf, STUDY } from '../gossip/fixtures.ts'

const it = suite('family tree')
const [ADA, BOB, CLEO] = ['ada', 'bob', 'cleo'].map((name) => keyOf(name).member) as [MemberId, MemberId, MemberId]
const NAMES = new Map([
  [ADA, 'St. "Ada" <1>'],
  [BOB, 'Bob'],
  [CLEO, 'Cleo'],
])
const B = (label: string): Uint8Array => fromHex(digestOf(label))
const ELSEWHERE = digestOf('another study') as string as StudyId

type Told = readonly [kind: string, body: Cbor, study?: StudyId | null]

function logOf(author: MemberId, told: readonly Told[]): Entry[] {
  return told.map(([kind, body, study = STUDY], seq) => {
    return {
      author,
      seq,
      kind,
      study,
      body,
      timeMs: seq,
      lamport: seq,
      hash: digestOf(`${author} ${seq}`),
      refs: [],
    } as unknown as Entry
  })
}

const registered = (version: string, previous: string | null, rows: number): Told => [
  'dataset.registered',
  {
    ...{
      dataset: B('stroke'),
      version: B(version),
      previous: previous === null ? null : B(previous),
      rows,
      columns: 31,
    },
    ...{ schema: B('schema'), source: 'ehr', query: null, provenance: null },
  },
  null,
]
const bound = (table: string, version?: string): Told => [
  'dataset.bound',
  { rows: 120, trainRows: 80, commitment: B(table), ...(version === undefined ? {} : { version: B(version) }) },
]
const trained = (update: string, round: number, base: string, table: string, examples = 80): Told => [
  'round.trained',
  { round, base: B(base), update: B(update), head: B('head'), examples, loss: 0.5, dataset: B(table) },
]
const merged = (
  result: string,
  round: number,
  inputs: readonly (readonly [MemberId, number, string, number])[],
): Told => [
  'round.merged',
  {
    ...{ round, rule: 'mean', result: B(result) },
    inputs: inputs.map(([author, of, update, coefficient]) => [fromHex(author), of, B(update), coefficient]),
  },
]
const withdrawn = (author: MemberId, model: string, reason: string): Told => [
  'model.withdrawn',
  { author: fromHex(author), model: B(model), reason },
]

const LOGS: readonly Entry[][] = [
  logOf(ADA, [
    registered('v1', null, 110), // 0
    bound('t1', 'v1'), // 1
    trained('a0', 0, 'first', 't1'),
    merged('A0', 0, [
      [ADA, 0, 'a0', 0.25],
      [BOB, 0, 'b0', 0.75],
    ]),
    registered('v2', 'v1', 130), // 4
    bound('t2', 'v2'), // 5
    trained('a1', 1, 'A0', 't2', 91),
    merged('A1', 1, [
      [ADA, 1, 'a1', 0.5],
      [BOB, 1, 'b1', 0.5],
    ]), // 7
    trained('a2', 2, 'A1', 't2', 70),
    withdrawn(CLEO, 'c0', 'poisoned'),
    ['agreement.signed', { any: 'thing' }, ELSEWHERE],
    ['agreement.signed', null],
  ]),
  logOf(BOB, [
    bound('tb'),
    trained('b0', 0, 'first', 'tb', 40),
    merged('B0', 0, [[BOB, 0, 'b0', 1]]),
    ['agreement.activated', { clause: 7 }], // 3
    bound('tc', 'v9'),
    trained('b1', 1, 'B0', 'tc', 44),
    withdrawn(BOB, 'b0', 'data-error'), // 6
    trained('b2', 2, 'B0', 'tc', 1_000),
  ]),
  logOf(CLEO, [
    bound('tcleo'),
    trained('c0', 0, 'first', 'tcleo'),
    merged('C0', 0, [
      [CLEO, 0, 'c0', 0.5],
      [BOB, 0, 'b0', 0.5],
    ]),
  ]),
]

function familyOf(entries: readonly Entry[], model = 'A1', author = ADA): Family {
  const lineages = new Lineages()
  for (const logs of LOGS) for (const entry of logs) lineages.tell(entry)
  const lineage = lineages.of(STUDY)
  const made = lineage.find({ author, model: digestOf(model) }) as MadeModel
  const tree = new FamilyTree(STUDY, made, lineage.behind(made))
  for (const entry of entries) tree.take(entry)
  return tree.family()
}

const reportOf = (family: Family): FamilyReport =>
  familyReport(family, {
    ...{ study: STUDY, studyName: 'Stroke & more' },
    nameOf: (member) => NAMES.get(member) as string,
    refOf: (member, seq) => `${[...NAMES.keys()].indexOf(member)}/${seq}`,
  })

const sorted = <T extends { member: MemberId }>(list: readonly T[]): T[] =>
  [...list].sort((a, b) => (a.member < b.member ? -1 : 1))

it('hospitals, tables, rounds, merges, agreements and words of taking back are those behind the model, and no others', () => {
  const { hospitals, merges, rules, recent, agreements, withdrawn } = familyOf(LOGS.flat())
  const registration = { dataset: digestOf('stroke'), source: 'ehr' }
  const span = (first: number, last = first, count = 1) => ({ first, last, count })
  assert.equal(
    hospitals,
    sorted([
      {
        member: ADA,
        rounds: span(0, 1, 2),
        examples: [80, 91],
        share: 0.75 / 3, // of three merges: 0.25 + 0.5 + 0
        tables: [
          {
            ...{ commitment: digestOf('t1'), boundSeq: 1, version: digestOf('v1'), rounds: span(0) },
            registration: { ...registration, seq: 0, number: 1, rows: 110 },
          },
          {
            ...{ commitment: digestOf('t2'), boundSeq: 5, version: digestOf('v2'), rounds: span(1) },
            registration: { ...registration, seq: 4, number: 2, rows: 130 },
          },
        ],
      },
      {
        member: BOB,
        rounds: span(0, 1, 2),
        examples: [40, 44],
        share: 2.25 / 3,
        tables: [
          { commitment: digestOf('tb'), boundSeq: 0, version: null, registration: null, rounds: span(0) },
          { commitment: digestOf('tc'), boundSeq: 4, version: digestOf('v9'), registration: null, rounds: span(1) },
        ],
      },
    ]),
  )
  assert.equal([merges, rules], [3, [['mean', 3]]])
  assert.equal(recent.map(({ model }) => model).sort(), ['A0', 'A1', 'B0'].map(digestOf).sort())
  const about = [
    { author: ADA, seq: 11, kind: 'agreement.signed' },
    { author: BOB, seq: 3, kind: 'agreement.activated' },
  ]
  assert.equal(agreements, ADA < BOB ? about : about.reverse())
  assert.equal(withdrawn, [{ author: BOB, model: digestOf('b0'), by: BOB, reason: 'data-error', seq: 6 }])
})

it('the tree is the same in whatever order the logs arrive', () => {
  const whole = familyOf(LOGS.flat())
  fc.assert(
    fc.property(fc.array(fc.nat(LOGS.length - 1), { minLength: 60, maxLength: 60 }), (turns) => {
      const at = LOGS.map(() => 0)
      const order = [...turns, ...LOGS.flatMap((log, i) => log.map(() => i))].flatMap((turn) => {
        const entry = LOGS[turn]?.[at[turn] as number]
        at[turn] = (at[turn] as number) + 1
        return entry === undefined ? [] : [entry]
      })
      assert.equal(familyOf(order), whole)
    }),
    { numRuns: 100 },
  )
})

it('an update has a tree too: of the first one a table and a hospital, and no merge', () => {
  const { hospitals, merges, recent } = familyOf(LOGS.flat(), 'b0', BOB)
  assert.equal([hospitals.length, hospitals[0]?.member, hospitals[0]?.share, merges, recent], [1, BOB, 0, 0, []])
  assert.ok(familyLines(reportOf(familyOf(LOGS.flat(), 'b0', BOB))).some((line) => line.includes('no merge')))
  assert.match(familySvg(reportOf(familyOf(LOGS.flat(), 'b0', BOB))), /<svg /)
})

it('what does not fit its schema, and what is of another study, tells nothing', () => {
  const odd = logOf(CLEO, [
    ['dataset.bound', { commitment: B('t1') }],
    ['round.merged', 'text'],
    ['dataset.registered', null, null],
    ['round.trained', { round: -1 }],
    ['agreement.activated', null, ELSEWHERE],
  ])
  assert.equal(familyOf([...odd, ...LOGS.flat()]), familyOf(LOGS.flat()))
})

it('lines say whose registration is missing, who took what back, and that all of it is declared', () => {
  const lines = familyLines(reportOf(familyOf(LOGS.flat()))).join('\n')
  for (const part of [
    /merged by St\. "Ada" <1> in round 2 of "Stroke & more".*entry 0\/7/,
    /rounds 1 to 2, 80 to 91 examples each, 25\.0 % of the coefficients/,
    /dataset [0-9a-f]{12} version 2 \([0-9a-f]{12}\), 130 rows or more, ehr, registered in 0\/4, bound in 0\/5: round 2/,
    /no registered version, bound in 1\/0: round 1/,
    /whose registration is not here, bound in 1\/4: round 2/,
    /the last \(0\/7\): St\. "Ada" <1> round 2 × 0\.500 \+ Bob round 2 × 0\.500/,
    /agreement\.activated \(1\/3\)/,
    /TAKEN BACK by Bob \(data-error, 1\/6\)/,
    /As declared by the hospitals/,
  ])
    assert.match(lines, part)
  assert.not.match(lines, /Cleo/)
})

it('drawings have each update and merge once, what was taken back apart, and names as text that ends nothing', () => {
  const report = reportOf(familyOf(LOGS.flat()))
  const svg = familySvg(report)
  assert.not.match(svg, /<1>|"Ada"|<script/)
  assert.match(svg, /St\. &#34;Ada&#34; &#60;1&#62;/)
  const dots = (look: string): number => svg.split(`<circle class="${look}"`).length - 2 // one stands in the legend
  assert.equal([dots('update'), dots('merge'), dots('it'), dots('gone')], [3, 2, 1, 1])
  const dot = familyDot(report)
  assert.match(dot, /"hospital St\. \\"Ada\\" <1>" \[label="St\. \\"Ada\\" <1> · 25\.0 %"\]/)
  assert.match(dot, /\[label="0\.750"\]/)
  assert.is(dot.split('shape=cylinder').length - 1, 4)
})

it.run()

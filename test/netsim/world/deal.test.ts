/** Rows dealt to nodes: sites, tables and made-up ones, what each promises, and every way to get a table wrong. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import * as v from 'valibot'
import { type Scenario, type ScenarioInput, scenarioSchema } from '../../../netsim/scenario/schema.ts'
import { datasetOf, dealOf } from '../../../netsim/world/deal.ts'
import { Designer, frozenScaling, studyOf } from '../../../netsim/world/study.ts'
import type { Deal } from '../../../netsim/world/world.ts'
import { studyDocument, studyFromDocument } from '../../../src/config/study.ts'
import { cappedStatistics, combineStatistics, freezeScaling } from '../../../src/core/statistics.ts'
import { designMatrix } from '../../../src/data/design.ts'
import { localStatistics } from '../../../src/data/statistics.ts'

const it = suite('netsim deal')

const DEMO = fileURLToPath(new URL('../../../scripts/demo', import.meta.url))

function scenarioOf(count: number, data: ScenarioInput['data'], study: ScenarioInput['study'] = {}): Scenario {
  return v.parse(scenarioSchema, { question: 'Does it hold?', nodes: { count }, data, study, end: { seconds: 7 } })
}

const readFile = (path: string): Uint8Array => readFileSync(path)

async function deal(
  count: number,
  data: ScenarioInput['data'],
  seed = 7,
  study: ScenarioInput['study'] = {},
): Promise<Deal> {
  const dealt = await dealOf(scenarioOf(count, data, study), seed, { folder: DEMO, readFile })
  assert.ok(dealt !== null)
  return dealt as Deal
}

/** A deal of a table given as text. */
async function dealText(count: number, text: string, data: Record<string, unknown>, seed = 7): Promise<Deal> {
  const files = { folder: '/scenarios', readFile: () => new TextEncoder().encode(text) }
  const scenario = scenarioOf(count, { file: 'wards.csv', label: 'died', ...data } as ScenarioInput['data'])
  return (await dealOf(scenario, seed, files)) as Deal
}

const rowsOf = (dealt: Deal, node: number): number => (dealt.from[node + 1] as number) - (dealt.from[node] as number)

/** What every deal promises. */
function checkDeal(dealt: Deal): void {
  for (let node = 0; node < dealt.nodes; node++) {
    const test = dealt.test.subarray(dealt.from[node], dealt.from[node + 1]).reduce((sum, mark) => sum + mark, 0)
    assert.ok(rowsOf(dealt, node) - test >= 2, `node ${node}: ${test} of ${rowsOf(dealt, node)} held out`)
    assert.ok(test >= 1 || rowsOf(dealt, node) < 3, `node ${node}: nothing held out of ${rowsOf(dealt, node)}`)
  }
  assert.is(dealt.from[dealt.nodes], dealt.labels.length)
  assert.is(dealt.test.length, dealt.labels.length)
}

/** All values of one node. */
function valuesOf(dealt: Deal, node: number): number[] {
  const out = new Float32Array(rowsOf(dealt, node) * dealt.features.length)
  dealt.fill(node, out)
  return [...out]
}

const WARDS = `ward,age,side,died,lab
B,70,left,1,7
A,30,right,0,NA
B,71,left,0,8
C,50,,0,9
A,31,left,1,
A,32,right,1,2.5
B,72,right,0,3
A,33,left,0,-4
C,51,left,1,5
D,99,right,0,6
`

it('sites: the largest first, ties by name, rows in the file’s order, numbers and categories as they are', async () => {
  const dealt = await dealText(3, WARDS, { kind: 'sites', site: 'ward' })
  assert.equal([0, 1, 2].map(dealt.nameOf), ['A', 'B', 'C'])
  assert.equal([...dealt.from], [0, 4, 7, 9])
  assert.equal([...dealt.labels], [0, 1, 1, 0, 1, 0, 0, 0, 1])
  assert.equal(
    dealt.features.map((feature) => [feature.name, feature.kind === 'category' ? feature.levels : feature.unit]),
    [
      ['age', '1'],
      ['side', ['left', 'right']],
      ['lab', '1'],
    ],
  )
  assert.equal(valuesOf(dealt, 0), [30, 1, Number.NaN, 31, 0, Number.NaN, 32, 1, 2.5, 33, 0, -4])
  assert.equal(valuesOf(dealt, 2), [50, Number.NaN, 9, 51, 0, 5])
  checkDeal(dealt)
  assert.equal([...dealt.test.subarray(7)], [0, 0], 'two rows both train')
})

it('sites: a column may say which rows are held out', async () => {
  const text = 'ward,age,died,part\nA,1,1,train\nA,2,0,test\nA,3,0,train\nB,4,1,train\nB,5,0,train\n'
  const dealt = await dealText(2, text, { kind: 'sites', site: 'ward', splitColumn: 'part' })
  assert.equal([...dealt.test], [0, 1, 0, 0, 0])
  assert.equal(
    dealt.features.map(({ name }) => name),
    ['age'],
  )
})

it('the ICU set of the repository: its largest units, as the file has them', async () => {
  const dealt = await deal(20, {
    kind: 'sites',
    file: 'icu_patient_pammtools.csv',
    label: 'PatientDied',
    site: 'CombinedicuID',
    drop: ['CombinedID', 'Survdays', 'survhosp'],
  })
  checkDeal(dealt)
  assert.is(dealt.nameOf(0), '1186')
  assert.equal(
    dealt.features.map(({ name }) => name),
    ['Year', 'Gender', 'Age', 'AdmCatID', 'ApacheIIScore', 'BMI', 'DiagID2'],
  )
  const sizes = Array.from({ length: 20 }, (_, node) => rowsOf(dealt, node))
  assert.equal(
    sizes,
    sizes.toSorted((a, b) => b - a),
  )
})

it('the Alzheimer set of the repository: all patients dealt, each once', async () => {
  const dealt = await deal(5, { kind: 'table', file: 'alzheimer_modeldata.csv', label: 'Class', positive: 'Impaired' })
  checkDeal(dealt)
  assert.equal(
    Array.from({ length: 5 }, (_, node) => rowsOf(dealt, node)),
    [67, 67, 67, 66, 66],
  )
  assert.is(
    dealt.labels.reduce((sum, label) => sum + label, 0),
    91,
  )
  assert.is(dealt.features.length, 130)
  assert.equal(dealt.label, { name: 'Class', positive: 'Impaired', negative: 'Control' })
})

/** A table of 600 rows whose first column is the row's number. */
const LONG = `id,x,died\n${Array.from({ length: 600 }, (_, i) => `${i},${i % 7},${i % 3 === 0 ? 1 : 0}`).join('\n')}\n`

for (const split of [
  { kind: 'iid' },
  { kind: 'dirichlet', alpha: 0.2 },
  { kind: 'quantity', alpha: 0.3 },
  { kind: 'feature-shift', deviation: 0 },
] as const) {
  it(`table, ${split.kind}: every row goes to one node, with its own label`, async () => {
    const dealt = await dealText(30, LONG, { kind: 'table', split })
    checkDeal(dealt)
    const ids = Array.from({ length: 30 }, (_, node) => valuesOf(dealt, node).filter((_, i) => i % 2 === 0)).flat()
    assert.equal(
      ids.toSorted((a, b) => a - b),
      Array.from({ length: 600 }, (_, i) => i),
    )
    for (const [row, id] of ids.entries()) assert.is(dealt.labels[row], id % 3 === 0 ? 1 : 0)
    assert.not.equal(
      ids,
      ids.toSorted((a, b) => a - b),
    )
  })
}

const positivesOf = (dealt: Deal): number[] =>
  Array.from({ length: dealt.nodes }, (_, node) => {
    const own = dealt.labels.subarray(dealt.from[node], dealt.from[node + 1])
    return own.reduce((sum, label) => sum + label, 0) / own.length
  })

it('label skew: a small α gives nodes with one class, a large one the table’s share everywhere', async () => {
  const skewed = positivesOf(await dealText(30, LONG, { kind: 'table', split: { kind: 'dirichlet', alpha: 0.05 } }))
  const even = positivesOf(await dealText(30, LONG, { kind: 'table', split: { kind: 'dirichlet', alpha: 1_000 } }))
  assert.ok(skewed.filter((share) => share === 0 || share === 1).length > 22, `${skewed}`)
  assert.ok(
    even.every((share) => share > 0 && share < 0.75),
    `${even}`,
  )
})

it('quantity skew: sizes differ, and nobody has fewer than three rows', async () => {
  const dealt = await dealText(30, LONG, { kind: 'table', split: { kind: 'quantity', alpha: 0.3 } })
  const sizes = Array.from({ length: 30 }, (_, node) => rowsOf(dealt, node))
  assert.ok(Math.min(...sizes) === 3 && Math.max(...sizes) > 60, `${sizes}`)
})

it('feature shift: each node’s numbers are moved together by its own normal draw, in deviations of the column', async () => {
  const plain = await dealText(100, LONG, { kind: 'table', split: { kind: 'feature-shift', deviation: 0 } })
  const moved = await dealText(100, LONG, { kind: 'table', split: { kind: 'feature-shift', deviation: 2 } })
  const shifts = Array.from({ length: 100 }, (_, node) => {
    const [before, after] = [valuesOf(plain, node), valuesOf(moved, node)]
    const byRow = after.filter((_, i) => i % 2 === 1).map((x, row) => x - (before[2 * row + 1] as number))
    for (const shift of byRow) assert.ok(Math.abs(shift - (byRow[0] as number)) < 1e-5)
    return byRow[0] as number
  })
  const deviation = Math.sqrt(shifts.reduce((sum, x) => sum + x * x, 0) / 100)
  assert.ok(Math.abs(deviation / (2 * 1.997) - 1) < 0.3, `${deviation}`) // x is 0 … 6 evenly: deviation 2
})

it('made up: classes as far apart as asked, deviation 1 within them, the share of positives as asked', async () => {
  const data = { kind: 'synthetic', features: 5, rows: 40, separation: 3, positiveShare: 0.3 } as const
  const dealt = await deal(500, data)
  checkDeal(dealt)
  assert.is(dealt.labels.length, 20_000)
  const sums = [new Float64Array(5), new Float64Array(5)]
  const squares = [0, 0]
  const counts = [0, 0]
  for (let node = 0; node < 500; node++) {
    const values = valuesOf(dealt, node)
    for (let row = 0; row < 40; row++) {
      const label = dealt.labels[(dealt.from[node] as number) + row] as 0 | 1
      counts[label] = (counts[label] as number) + 1
      for (let i = 0; i < 5; i++) {
        const x = values[5 * row + i] as number
        const sum = sums[label] as Float64Array
        sum[i] = (sum[i] as number) + x
        squares[label] = (squares[label] as number) + x * x
      }
    }
  }
  const [negatives, positives] = counts as [number, number]
  assert.ok(Math.abs(positives / 20_000 - 0.3) < 0.013, `${positives}`)
  const apart = Array.from(
    { length: 5 },
    (_, i) => (sums[1]?.[i] as number) / positives - (sums[0]?.[i] as number) / negatives,
  )
  assert.ok(Math.abs(Math.hypot(...apart) - 3) < 0.06, `${Math.hypot(...apart)}`)
  // per class: five columns of variance 1 and a mean of length 3 ÷ 2
  assert.ok(Math.abs((squares[0] as number) / negatives - (5 + 2.25)) < 0.15, `${(squares[0] as number) / negatives}`)
})

it('made up: a node’s rows are the same whenever they are asked for, and other nodes have others', async () => {
  const dealt = await deal(4, {
    kind: 'synthetic',
    features: 3,
    rows: 5,
    split: { kind: 'feature-shift', deviation: 2 },
  })
  const first = valuesOf(dealt, 2)
  assert.not.equal(valuesOf(dealt, 1), first)
  assert.equal(valuesOf(dealt, 2), first)
})

it('made up: skews as of tables', async () => {
  const base = { kind: 'synthetic', features: 2, rows: 20 } as const
  const skewed = positivesOf(await deal(200, { ...base, split: { kind: 'dirichlet', alpha: 0.05 } }))
  assert.ok(skewed.filter((share) => share === 0 || share === 1).length > 150)
  const sized = await deal(200, { ...base, split: { kind: 'quantity', alpha: 0.2 } })
  assert.is(sized.labels.length, 4_000)
  assert.ok(sized.rowsMax > 80)
  const shifted = await deal(300, { ...base, separation: 0, split: { kind: 'feature-shift', deviation: 3 } })
  const means = Array.from(
    { length: 300 },
    (_, node) =>
      valuesOf(shifted, node)
        .filter((_, i) => i % 2 === 0)
        .reduce((a, b) => a + b, 0) / 20,
  )
  const deviation = Math.sqrt(means.reduce((sum, x) => sum + x * x, 0) / 300)
  assert.ok(Math.abs(deviation - 3) < 0.5, `${deviation}`)
})

it('the digest tells seeds, shifts and splits apart, and is frozen', async () => {
  const data = { kind: 'synthetic', features: 3, rows: 7 } as const
  assert.is((await deal(5, data)).digest, (await deal(5, data)).digest)
  const digests = [await deal(5, data), await deal(5, data, 8), await deal(5, data, 7, { testShare: 0.5 })]
  assert.is(new Set(digests.map(({ digest }) => digest)).size, 3)
  assert.equal([digests[0]?.digest, (await dealText(3, WARDS, { kind: 'sites', site: 'ward' })).digest], GOLDEN)
})

const GOLDEN = [
  'b3e3af8b89c2c0a705b0b7fbb2e8078a0d73fdd542629a228de0f46e9fbb7d18',
  '540bdfa15ec663f2cafb9c3a541280b50ec903d3dbe0b70b4adbaaa94d09f4ff',
]

it('no data, no deal', async () => {
  assert.is(await dealOf(scenarioOf(3, { kind: 'none' }), 7, { folder: DEMO, readFile }), null)
})

const ICU = {
  kind: 'sites' as const,
  file: 'icu_patient_pammtools.csv',
  label: 'PatientDied',
  site: 'CombinedicuID',
  rowsMin: 12,
  drop: ['CombinedID', 'Survdays', 'survhosp'],
} satisfies ScenarioInput['data']

it('the study of a deal is one that the product accepts, with the scenario’s options', async () => {
  const scenario = scenarioOf(5, ICU, { training: { localEpochs: 3 }, minimumCohort: 7 })
  const study = studyOf(scenario, await deal(5, ICU))
  assert.equal(studyFromDocument(studyDocument(study)), study)
  assert.equal([study.training.localEpochs, study.minimumCohort, study.purpose], [3, 7, 'Does it hold?'])
})

it('frozen scaling is the product’s over all members, without those below the minimum cohort', async () => {
  const dealt = await deal(20, ICU)
  for (const [minimumCohort, examplesCap] of [
    [10, 1_000],
    [13, 14],
  ] as const) {
    const study = studyOf(scenarioOf(20, ICU, { minimumCohort, merge: { examplesCap } }), dealt)
    const each = Array.from({ length: 20 }, (_, node) =>
      cappedStatistics(localStatistics(study, datasetOf(dealt, node)), examplesCap),
    )
    assert.equal(frozenScaling(study, dealt), freezeScaling(combineStatistics(each)))
  }
})

it('a designer’s rows are the product’s design matrices, one by one and in one array', async () => {
  const dealt = await deal(6, ICU)
  const study = studyOf(scenarioOf(6, ICU), dealt)
  const scaling = frozenScaling(study, dealt)
  const designer = new Designer(study, dealt, scaling)
  const x = new Float32Array(dealt.labels.length * designer.columns)
  const y = new Uint8Array(dealt.labels.length)
  for (let node = 0; node < 6; node++) {
    const data = datasetOf(dealt, node)
    const [train, test] = [data.trainRows, data.testRows].map((rows) => designMatrix(study, data, rows, scaling))
    assert.equal(designer.rowsOf(node), { train, test })
    const start = dealt.from[node] as number
    designer.fill(node, x, start * designer.columns, y, start)
    const end = dealt.from[node + 1] as number
    assert.equal(
      [...x.subarray(start * designer.columns, end * designer.columns)],
      [...(train?.x ?? []), ...(test?.x ?? [])],
    )
    assert.equal([...y.subarray(start, end)], [...(train?.y ?? []), ...(test?.y ?? [])])
  }
})

it('a column name that no study may have is refused when the study is made', async () => {
  const dealt = await dealText(2, `a\u0007b,died\n${'1,1\n2,0\n'.repeat(3)}`, { kind: 'table' })
  assert.throws(
    () => studyOf(scenarioOf(2, { kind: 'none' }), dealt),
    /the data give a study that no member would accept: features\[0\].name/,
  )
})

const SITES = { kind: 'sites', site: 'ward' }
const TABLE = { kind: 'table' }
const BAD_TABLES: readonly [text: string, data: Record<string, unknown>, message: RegExp][] = [
  [
    WARDS,
    { ...SITES, site: 'word' },
    /^wards.csv: data.site: "word" was given, the file has the columns ward, age, side, died, lab/,
  ],
  [WARDS, { ...SITES, label: 'dead' }, /data.label: "dead" was given/],
  [WARDS, { ...SITES, drop: ['age', 'agee'] }, /data.drop\[1\]: "agee" was given/],
  [WARDS, { ...SITES, splitColumn: 'lab' }, /line 2: column "lab": "7" was given, train or test is allowed/],
  [WARDS, { ...SITES, rowsMin: 4 }, /1 sites in column "ward" have 4 rows or more, nodes.count asks for 3/],
  [
    WARDS,
    { ...SITES, positive: 'yes' },
    /data.positive: "yes" was given, "1" or "0" is allowed: it stands in column "died"/,
  ],
  [WARDS.replace('C,50', ',50'), SITES, /line 5: column "ward": a missing value was given, a site is needed/],
  [
    WARDS.replace('left,1,5', 'left,NA,5'),
    SITES,
    /line 10: column "died": a missing value was given, a label is needed/,
  ],
  [
    WARDS.replace('right,0,3', 'right,2,3'),
    SITES,
    /line 8: column "died": "2" was given, a label has two values: "1" and "0"/,
  ],
  ['a,died\n1,1\n2,1\n', TABLE, /column "died": "1" is its only value, a label has two/],
  ['a,died\n1,1\n2,0\n3,1\n4,0\n5,1\n', TABLE, /5 rows for 3 nodes, each needs 2: nodes.count may be 2 at most/],
  ['a,died\n,1\nNA,0\nNULL,1\n', TABLE, /column "a": all its cells are missing: add it to data.drop/],
  ['a,died\nx,1\nx,0\n', TABLE, /column "a": "x" is its only value: add it to data.drop/],
  ['a,died\n1,1\n2e13,0\n', TABLE, /line 3: column "a": "2e13" was given, numbers up to 1000000000000/],
  [
    `a,died\n${Array.from({ length: 201 }, (_, i) => `w${i},${i % 2}`).join('\n')}\n`,
    TABLE,
    /line 2: column "a": "w0" was given, which is no number, and 201 different words/,
  ],
  ['died\n1\n0\n', TABLE, /no column is left as a feature/],
  ['a,died\n1,1\n2\n', TABLE, /^wards.csv: line 3: 1 cells, but the header has 2 columns/],
  [
    'ward,age,died,part\nA,1,1,train\nA,2,0,test\nB,4,1,train\nB,5,0,train\nC,1,1,train\nC,3,0,train\n',
    { ...SITES, splitColumn: 'part' },
    /site "A": 1 training rows, at least 2 are needed/,
  ],
]
for (const [text, data, message] of BAD_TABLES) {
  it(`refused in one line: ${message.source}`, async () => {
    let said = 'nothing'
    try {
      await dealText(3, text, data)
    } catch (error) {
      said = error instanceof Error ? error.message : String(error)
    }
    assert.match(said, message)
    assert.not.match(said, /\n/)
  })
}

it.run()

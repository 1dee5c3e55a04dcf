import { readFileSync } from 'node:fs'
import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { cellPeriodMs, type StudyCells } from '../../src/config/cells.ts'
import { describeStudy } from '../../src/config/describe.ts'
import {
  designColumns,
  parseStudy,
  type Study,
  sharedParameters,
  studyDocument,
  studyFromDocument,
  studyIdOf,
} from '../../src/config/study.ts'
import { groupNames } from '../../src/config/subgroups.ts'
import { type Cbor, encodeCbor } from '../../src/core/cbor.ts'
import { ConsiliumError } from '../../src/core/errors.ts'
import type { Digest, MemberId, StudyId } from '../../src/core/ids.ts'
import { LIMITS } from '../../src/core/limits.ts'
import { CODING } from '../../src/gossip/coding/coding.ts'
import { bodyOf, encodeUpdate } from '../../src/gossip/update.ts'

const it = suite('study')

const FULL = `name: Stroke units
purpose: Find who needs rehabilitation early.
model: { kind: mlp, hidden: [7, 3] }
label: { name: Outcome, positive: dead, negative: alive }
features:
  - { name: age, kind: number, unit: years, range: [18, 110], missing: refuse }
  - { name: lactate, kind: number }
  - { name: side, kind: category, levels: [left, right, both], missing: level }
training: { localEpochs: 2, batchRows: 16, learningRate: 0.05, l2: 0.003, optimiser: sgd }
merge: { rule: mean, weighting: uniform, examplesCap: 500, ageRoundsMax: 6 }
statistics: { deadlineSeconds: 20 }
rounds: { periodSeconds: 3, count: 50 }
testShare: 0.3
minimumCohort: 12
`
const SHORT = `name: Stroke units
purpose: Find who needs rehabilitation early.
label: { name: Outcome, positive: dead, negative: alive }
features:
  - { name: age, kind: number }
`

const OFF = { proximal: 0, momentum: 0, tracking: 0, secondsMax: null }

function errorOf(run: () => unknown): ConsiliumError {
  try {
    run()
  } catch (error) {
    assert.instance(error, ConsiliumError)
    return error as ConsiliumError
  }
  throw new Error('nothing was thrown')
}

it('every field that was given is kept, and what was left out of a feature is filled in', () => {
  const study = parseStudy(FULL, 'a.yaml')
  assert.equal(study.model, { kind: 'mlp', hidden: [7, 3] })
  assert.equal(study.features[0], { name: 'age', kind: 'number', unit: 'years', range: [18, 110], missing: 'refuse' })
  assert.equal(study.features[1], { name: 'lactate', kind: 'number', unit: '1', range: null, missing: 'mean' })
  const steering = { proximal: 0, momentum: 0, tracking: 0, secondsMax: null }
  const training = { localEpochs: 2, batchRows: 16, learningRate: 0.05, l2: 0.003, optimiser: 'sgd', ...steering }
  assert.equal(study.training, training)
  assert.equal(study.merge, {
    rule: 'mean',
    nearest: false,
    faulty: 0.3,
    clipRadius: null,
    vetoNats: 0.1,
    weighting: 'uniform',
    examplesCap: 500,
    ageRoundsMax: 6,
  })
  assert.equal([study.statistics.deadlineSeconds, study.rounds.periodSeconds, study.rounds.count], [20, 3, 50])
  assert.equal([study.testShare, study.minimumCohort], [0.3, 12])
})

it('a short description gets every default', () => {
  const study = parseStudy(SHORT, 'a.yaml')
  assert.equal(study.model, { kind: 'logistic' })
  assert.equal(study.merge, {
    rule: 'auto',
    nearest: false,
    faulty: 0.3,
    clipRadius: null,
    vetoNats: 0.1,
    weighting: 'sqrt',
    examplesCap: 1000,
    ageRoundsMax: 8,
  })
  assert.equal([study.testShare, study.minimumCohort, study.rounds.count], [0.25, 10, 40])
  assert.equal(study.cells, { above: 40, size: 32, periodSeconds: null })
})

it('cells last eight rounds unless a study says how long, and a second at least; a study may have none', () => {
  const cellsOf = (more: string) => parseStudy(`${FULL}cells: ${more}\n`, 'a.yaml')
  const periodMs = ({ cells, rounds }: Study): number => cellPeriodMs(cells as StudyCells, rounds)
  assert.is(periodMs(cellsOf('{}')), 24_000)
  assert.is(periodMs(cellsOf('{ periodSeconds: 600 }')), 600_000)
  assert.is(periodMs({ ...cellsOf('{}'), rounds: { periodSeconds: 0.02, count: 9 } }), 1_000)
  assert.is(cellsOf('null').cells, null)
  assert.match(
    describeStudy(cellsOf('{ size: 24 }')),
    /^cells +above 40 members, of at most 24; dealt anew every 24 s/m,
  )
  assert.match(describeStudy(cellsOf('null')), /^cells +none/m)
})

it('columns and parameters are counted with one column per level and without the output bias', () => {
  const study = parseStudy(FULL, 'a.yaml')
  assert.is(designColumns(study), 5)
  assert.is(sharedParameters(study), 5 * 7 + 7 + (7 * 3 + 3) + 3)
  assert.is(sharedParameters(parseStudy(SHORT, 'a.yaml')), 1)
})

const LOCAL = `training: { optimiser: sgd, proximal: 0.2, momentum: 0.8, tracking: 0.9, secondsMax: 90 }
local: { head: none, normalisation: own }
personal: { proximal: 0.3 }
end: { afterSeconds: 86400, plateau: { rounds: 7, delta: 0.002 } }
`

it('what stays at a hospital, and when a study ends: nothing of it by default, all of it kept and told', () => {
  const usual = parseStudy(SHORT, 'a.yaml')
  assert.equal(usual.training, {
    localEpochs: 1,
    batchRows: 32,
    learningRate: 0.01,
    l2: 0.01,
    optimiser: 'adam',
    ...OFF,
  })
  assert.equal([usual.local, usual.personal], [{ head: 'bias', normalisation: 'consortium' }, null])
  assert.equal(usual.end, { afterSeconds: null, plateau: null })
  const study = parseStudy(SHORT + LOCAL, 'a.yaml')
  assert.equal([study.training.proximal, study.training.momentum, study.training.tracking], [0.2, 0.8, 0.9])
  assert.equal([study.training.secondsMax, study.personal], [90, { proximal: 0.3 }])
  assert.equal(study.local, { head: 'none', normalisation: 'own' })
  assert.equal(study.end, { afterSeconds: 86_400, plateau: { rounds: 7, delta: 0.002 } })
  assert.is(sharedParameters(study), 2, 'the output bias travels')
  const told = describeStudy(study)
  for (const word of [
    'proximal 0.2',
    'momentum 0.8',
    'tracking 0.9',
    'at most 90 s',
    'all weights are shared',
    "each hospital's own",
    'pull 0.3',
    'over 86400 s',
    '0.002 nats in 7 rounds',
  ])
    assert.match(told, word)
})

it('momentum and tracking are refused with Adam, which would rescale them', () => {
  for (const key of ['momentum', 'tracking']) {
    const { message } = errorOf(() => parseStudy(`${SHORT}training: { ${key}: 0.5 }\n`, 'a.yaml'))
    assert.match(message, new RegExp(`training.${key}: 0.5 .*optimiser: adam.*say optimiser: sgd`))
  }
})

it('a byte order mark and CRLF change nothing', () => {
  assert.equal(parseStudy(`\uFEFF${FULL.replaceAll('\n', '\r\n')}`, 'a.yaml'), parseStudy(FULL, 'a.yaml'))
})

it('minus zero is zero: one meaning, one document', () => {
  const [minus, plain] = ['-0.0', '0'].map((zero) => parseStudy(FULL.replace('l2: 0.003', `l2: ${zero}`), 'a.yaml'))
  assert.ok(Object.is(minus?.training.l2, 0))
  assert.equal(studyDocument(minus as Study), studyDocument(plain as Study))
})

it('a report is broken down by features of the study alone: a category by its levels, a number by bands that ascend', () => {
  const features = `
features:
  - { name: age, kind: number }
  - { name: sex, kind: category, levels: [f, m] }
`
  const head = `name: S\npurpose: P\nlabel: { name: y, positive: '1', negative: '0' }${features}`
  const read = (subgroups: string) => parseStudy(`${head}report: { subgroups: [${subgroups}] }\n`, 'a.yaml')
  const { features: known, report } = read('{ feature: sex }, { feature: age, edges: [50, 65] }')
  assert.equal(
    report.subgroups.map((one) => groupNames(known, one)),
    [
      ['f', 'm', 'missing'],
      ['below 50', '50 to 65', '65 and above', 'missing'],
    ],
  )
  const refused = (subgroups: string, message: RegExp) => assert.throws(() => read(subgroups), message)
  refused(
    '{ feature: ages, edges: [5] }',
    /report.subgroups\[0\].feature: "ages" was given, one of the study's features/,
  )
  refused('{ feature: age }', /edges: nothing was given, but "age" is a number/)
  refused('{ feature: sex, edges: [1] }', /"sex" is a category, whose levels are the groups/)
  refused('{ feature: age, edges: [50, 50] }', /50, 50 was given, each edge must be above the one before/)
  refused('{ feature: sex }, { feature: sex }', /"sex" was given twice/)
})

it('the digest of a study is what it was when the format was fixed', () => {
  assert.is(studyIdOf(studyDocument(parseStudy(FULL, 'a.yaml'))), GOLDEN)
})
const GOLDEN = '81855ad54980d78c62dbd982df7632d0c8c5dfba181516ed2640e27ee6a761b2'

const PRIVATE = (more: string) => `${FULL}\nprivacy: { noiseMultiplier: 8, epsilonMax: 6, ${more} }\n`

it('a private study says how much noise and when to stop; the rest has defaults, and its sentence names what is not covered', () => {
  const study = parseStudy(PRIVATE(''), 'a.yaml')
  assert.equal(study.privacy, { noiseMultiplier: 8, clipNorm: 1, epsilonMax: 6, delta: 'auto' })
  assert.equal(studyFromDocument(studyDocument(study)), study)
  const said = describeStudy(study)
  assert.match(said, /noise 8 × clipping norm 1; training stops before ε 6 at δ rows\^−1\.1/)
  assert.match(said, /Not covered by ε: counts, sums and sums of squares.*measures on held-out patients/)
  assert.match(describeStudy(parseStudy(FULL, 'a.yaml')), /privacy {5}none/)
})

it('privacy that is none is refused, and why', () => {
  const complaint = (more: string, says: RegExp): void => {
    assert.throws(
      () => parseStudy(PRIVATE(more), 'a.yaml'),
      (error: Error) => says.test(error.message),
      more,
    )
  }
  complaint('noiseMultiplier: 8, x: 1', /./)
  complaint('clipNorm: 0', /privacy\.clipNorm: 0 was given, a number from 0\.0001 to 1000/)
  complaint('delta: 0.5', /privacy\.delta: 0\.5 was given, auto or a number from 1e-10 to 0\.01/)
  complaint('delta: never', /privacy\.delta: "never" was given, auto or/)
  const own = `${PRIVATE('')}local: { normalisation: own }\n`
  assert.throws(
    () => parseStudy(own, 'a.yaml'),
    (error: Error) => /local\.normalisation: own was given in a private study: one row moves/.test(error.message),
  )
  const many = `${PRIVATE('delta: 0.01').replace(/minimumCohort: \d+/, 'minimumCohort: 100')}`
  const text = many.includes('minimumCohort: 100') ? many : `${many}minimumCohort: 100\n`
  assert.throws(
    () => parseStudy(text, 'a.yaml'),
    (error: Error) =>
      /privacy\.delta: 0\.01 was given, less than 1 in minimumCohort \(100\) is allowed: say auto/.test(error.message),
  )
})

const wide = Array.from(
  { length: 3 },
  (_, i) => `  - { name: w${i}, kind: category, levels: [${Array.from({ length: 199 }, (_, j) => `l${j}`)}] }`,
)
const long = Array.from({ length: 900 }, (_, i) => `  - { name: a-rather-long-name-of-a-feature-${i}, kind: number }`)

/** One row per fault: what is changed in FULL, the code, and what the message must say. */
const FAULTS: readonly [claim: string, text: string, code: string, ...says: string[]][] = [
  ['an empty file', '', 'study-yaml', 'empty'],
  [
    'cells larger than what they are dealt above',
    `${FULL}cells: { above: 20 }\n`,
    'study-invalid',
    'cells.above: 20 was given, at least cells.size (32) is allowed',
  ],
  ['cells of three', `${FULL}cells: { size: 3 }\n`, 'study-invalid', 'cells.size: 3 was given'],
  ['broken YAML', FULL.replace('[7, 3]', '[7, 3'), 'study-yaml', 'line 3', 'not valid YAML'],
  ['a key given twice', `${FULL}testShare: 0.4\n`, 'study-yaml', 'line 15'],
  ['an unknown tag', FULL.replace('Stroke units', '!run x'), 'study-yaml', 'line 1'],
  ['a list where a mapping belongs', '- a\n', 'study-invalid', 'a mapping with name, purpose'],
  [
    'a list where a section belongs',
    FULL.replace(/training:.*/, 'training: []'),
    'study-invalid',
    'training: [] was given',
    'localEpochs',
  ],
  [
    'an unknown key',
    FULL.replace('testShare', 'testshare'),
    'study-invalid',
    'testshare',
    'did you mean "testShare"?',
    '(line 13)',
  ],
  [
    'a misspelt key whose right spelling is required',
    FULL.replace('label: { name', 'label: { nmae'),
    'study-invalid',
    'label.nmae',
    'unknown',
    'did you mean "name"?',
  ],
  ['an unknown nested key', FULL.replace('l2:', 'l3:'), 'study-invalid', 'training.l3', 'unknown', 'learningRate'],
  ['a missing key', FULL.replace(/^purpose.*\n/m, ''), 'study-invalid', 'purpose', 'missing'],
  [
    'a number out of bounds',
    FULL.replace('testShare: 0.3', 'testShare: 0.7'),
    'study-invalid',
    'testShare: 0.7',
    '0.05 to 0.5',
  ],
  [
    'a fraction for a whole number',
    FULL.replace('batchRows: 16', 'batchRows: 1.5'),
    'study-invalid',
    'training.batchRows: 1.5',
    'a whole number from 1',
  ],
  [
    'text for a number',
    FULL.replace('l2: 0.003', 'l2: lots'),
    'study-invalid',
    'training.l2: "lots"',
    'a number from 0',
  ],
  ['not a number', FULL.replace('l2: 0.003', 'l2: .nan'), 'study-invalid', 'NaN was given'],
  ['infinity', FULL.replace('[18, 110]', '[18, .inf]'), 'study-invalid', 'features[0].range[1]: Infinity'],
  [
    'a wrong word',
    FULL.replace('optimiser: sgd', 'optimiser: adan'),
    'study-invalid',
    'adam or sgd',
    'did you mean "adam"?',
  ],
  ['an unknown model', FULL.replace('kind: mlp', 'kind: tree'), 'study-invalid', 'model', 'logistic'],
  [
    'an unknown kind of feature',
    FULL.replace('lactate, kind: number', 'lactate, kind: date'),
    'study-invalid',
    'features[1]',
    'number or kind: category',
    '(line 7)',
  ],
  [
    'a number as a level',
    FULL.replace('[left, right, both]', '[1, 2]'),
    'study-invalid',
    'features[2].levels[0]: 1',
    "quotes: '1'",
  ],
  ['one level', FULL.replace('[left, right, both]', '[left]'), 'study-invalid', '1 items', 'a list of 2'],
  ['a level given twice', FULL.replace('both', 'left'), 'study-invalid', 'features[2].levels: "left"', 'twice'],
  ['a level that means missing', FULL.replace('both', 'NA'), 'study-invalid', 'missing value'],
  [
    'a feature name given twice',
    FULL.replace('lactate', 'age'),
    'study-invalid',
    'features[1].name: "age"',
    'another feature',
  ],
  ['a feature called like the label', FULL.replace('lactate', 'Outcome'), 'study-invalid', 'the label'],
  ['equal label values', FULL.replace('negative: alive', 'negative: dead'), 'study-invalid', 'label: "dead"', 'twice'],
  ['a range upside down', FULL.replace('[18, 110]', '[110, 18]'), 'study-invalid', 'features[0].range: 110 to 18'],
  [
    'a range of one number',
    FULL.replace('[18, 110]', '18'),
    'study-invalid',
    'features[0].range: 18',
    '[lowest, highest]',
  ],
  ['no features', FULL.replace(/features:\n( .*\n)+/, 'features: []\n'), 'study-invalid', 'features: 0 items'],
  ['a control character in a name', FULL.replace('Stroke units', '"a\\tb"'), 'study-invalid', 'name:', 'printable'],
  ['a name beyond 80 characters', FULL.replace('Stroke units', 'x'.repeat(81)), 'study-invalid', '80 printable'],
  [
    'a model too large to be fetched',
    FULL.replace('[7, 3]', '[4096, 4096]').replace('  - { name: age', `${wide.join('\n')}\n  - { name: age`),
    'study-model-too-large',
    'model:',
    '19255296 shared parameters',
    '16777216 are allowed',
  ],
  [
    'a description too large for one entry',
    FULL.replace('  - { name: age', `${long.join('\n')}\n  - { name: age`),
    'study-too-large',
    'bytes',
    '49152',
  ],
]

for (const [claim, text, code, ...says] of FAULTS) {
  it(`${claim} is refused in one line that says what is allowed`, () => {
    const { code: got, message } = errorOf(() => parseStudy(text, 'our.yaml'))
    assert.is(got, code, message)
    assert.not.match(message, '\n')
    assert.ok(message.startsWith('our.yaml: '), message)
    for (const words of says) assert.ok(message.includes(words), `"${words}" in: ${message}`)
  })
}

const word = fc.stringMatching(/^[A-Za-zµéß][A-Za-z0-9µéß _/-]{0,20}[a-z]$/)
const feature = fc.oneof(
  fc.record({
    kind: fc.constant('number' as const),
    unit: word,
    range: fc.option(
      fc.tuple(fc.double({ min: -1e6, max: 0, noNaN: true }), fc.double({ min: 1, max: 1e9, noNaN: true })),
    ),
    missing: fc.constantFrom('mean' as const, 'refuse' as const),
  }),
  fc.record({
    kind: fc.constant('category' as const),
    levels: fc.uniqueArray(word, { minLength: 2, maxLength: 5 }),
    missing: fc.constantFrom('level' as const, 'refuse' as const),
  }),
)
const studies: fc.Arbitrary<Study> = fc
  .record({
    names: fc.uniqueArray(word, { minLength: 9, maxLength: 9 }),
    features: fc.array(feature, { minLength: 1, maxLength: 8 }),
    learningRate: fc.double({ min: 1e-6, max: 10, noNaN: true }),
  })
  .map(({ names, features, learningRate }) => {
    const base = parseStudy(FULL, 'a.yaml')
    return {
      ...base,
      label: { ...base.label, name: names[8] as string },
      training: { ...base.training, learningRate },
      features: features.map((each, i) => ({ ...each, name: names[i] as string })),
    } as Study
  })

it('a share of faulty inputs is below a half, or it is a whole number of them', () => {
  const withFaulty = (faulty: number) =>
    parseStudy(SHORT.concat(`merge: { faulty: ${faulty} }\n`), 'm.yaml').merge.faulty
  assert.equal([0, 0.49, 1, 12].map(withFaulty), [0, 0.49, 1, 12])
  for (const faulty of [0.5, 0.7, 1.5])
    assert.throws(
      () => withFaulty(faulty),
      /merge.faulty.*a share of the inputs below 0.5 or a whole number of them is allowed/,
    )
})

it('mixing is not asked of a rule that decides on it by itself', () => {
  const text = SHORT.concat('merge: { rule: auto, nearest: true }\n')
  assert.throws(() => parseStudy(text, 'm.yaml'), /merge.nearest.*true was given with rule: auto/)
})

it('the manifest of the largest model fits one message, whatever was merged before', () => {
  const id = 'ab'.repeat(32)
  const parameters = LIMITS.modelBytesMax / 4
  const header = {
    study: id as StudyId,
    author: id as MemberId,
    round: 7,
    examples: 40,
    scaling: id as Digest,
    base: id as Digest,
    parents: new Array<Digest>(LIMITS.updateParentsMax).fill(id as Digest),
    digest: id as Digest,
    parameters,
    privacy: { epsilon: 1.5, delta: 1e-5, sampleRate: 0.04, noiseMultiplier: 8 },
    coding: CODING.float32,
    reference: id as Digest,
  }
  const body = bodyOf(header, new Uint8Array(LIMITS.modelBytesMax))
  assert.is(body.manifest?.chunks.length, 1_024)
  const bytes = encodeUpdate(header, body, new Uint8Array(64))
  assert.ok(bytes.length <= LIMITS.updateBytesMax, `${bytes.length}`)
})

it('a document read back is the same study, and written again the same bytes', () => {
  fc.assert(
    fc.property(studies, (study) => {
      const document = studyDocument(study)
      const again = studyFromDocument(document)
      // −0 and 0 are one number and one encoding
      assert.equal(JSON.stringify(sortKeys(again)), JSON.stringify(sortKeys(study)))
      assert.equal(studyDocument(again), document)
    }),
  )
})

const sortKeys = (value: unknown): unknown =>
  Array.isArray(value)
    ? value.map(sortKeys)
    : value !== null && typeof value === 'object'
      ? Object.fromEntries(
          Object.entries(value)
            .sort()
            .map(([key, item]) => [key, sortKeys(item)]),
        )
      : value

it('a document that a member wrote wrongly is refused and blames it', () => {
  const study = parseStudy(FULL, 'a.yaml')
  const { minimumCohort: _, ...short } = study
  const wrong: readonly [string, Uint8Array, string][] = [
    ['another format', encodeCbor([1, study as unknown as Cbor]), 'study-format'],
    ['no format', encodeCbor(study as unknown as Cbor), 'study-format'],
    ['a default left out', encodeCbor([2, short as unknown as Cbor]), 'study-invalid'],
    ['an unknown key', encodeCbor([2, { ...study, extra: 1 } as unknown as Cbor]), 'study-invalid'],
    ['a rule between fields', studyDocument({ ...study, label: { ...study.label, name: 'age' } }), 'study-invalid'],
    [
      'a model too large',
      studyDocument({ ...study, model: { kind: 'mlp', hidden: [4096, 4096] } }),
      'study-model-too-large',
    ],
    ['letters not composed', studyDocument({ ...study, name: 'Cafe\u0301' }), 'study-invalid'],
    ['bytes after the end', Uint8Array.from([...studyDocument(study), 0]), 'cbor-malformed'],
  ]
  for (const [claim, bytes, code] of wrong) {
    const error = errorOf(() => studyFromDocument(bytes))
    assert.is(error.code, code, `${claim}: ${error.message}`)
    assert.is(error.blame, 'reject', claim)
  }
})

it('a description for people names every feature, its unit and range, and every hyper-parameter', () => {
  const words = describeStudy(parseStudy(FULL, 'a.yaml'))
  for (const part of [
    'age',
    'years, 18 to 110',
    'refused',
    'left | right | both',
    'sgd',
    '0.05',
    '0.003',
    '7-3',
    '30 %',
    '12',
    '50',
    'dead',
    'equally',
  ]) {
    assert.ok(words.includes(part), `"${part}" in:\n${words}`)
  }
})

it('the demo’s study files are valid and have 130 and 7 features', () => {
  const features = ['alzheimer', 'icu'].map((name) => {
    const url = new URL(`../../scripts/demo/${name}.study.yaml`, import.meta.url)
    return parseStudy(readFileSync(url, 'utf8'), `${name}.study.yaml`).features.length
  })
  assert.equal(features, [130, 7])
})

it.run()

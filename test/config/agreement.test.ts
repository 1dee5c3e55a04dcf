/** Agreements as files and as documents: what is read, what each fault says, and how they are told. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type Agreement, agreementDocument, agreementFromDocument, agreementIdOf } from '../../src/config/agreement.ts'
import { agreementDifferences, agreementTemplate, describeAgreement } from '../../src/config/agreementText.ts'
import { type Cbor, encodeCbor } from '../../src/core/cbor.ts'
import { ConsiliumError } from '../../src/core/errors.ts'
import { keyOf, STUDY } from '../gossip/fixtures.ts'
import { ADA, agreementOf, agreementText, BEN, read, SELF } from '../governance/agreementFixtures.ts'

const it = suite('agreement')

const WORKFLOW = `workflow:
  start: review
  states: [{ name: review, allows: [access] }, { name: open, allows: [access, round] }]
  transitions: [{ event: approve, from: review, to: open, who: { kind: role, role: board } }]
`

it('a file gives keys for names, a canonical document, and the same again from that', () => {
  const { agreement, document, id } = agreementOf(
    `${WORKFLOW}privacy: { epsilonMax: 2.5 }\nstarts: 2027-02-01T09:30Z\n`,
  )
  assert.equal(
    agreement.parties.map(({ member, role, required }) => [member, role, required]),
    [
      [SELF, 'hospital', true],
      [ADA, 'hospital', true],
      [BEN, 'board', false],
    ],
  )
  assert.is(agreement.starts, Date.parse('2027-02-01T09:30Z'))
  assert.equal(agreementFromDocument(document), agreement)
  assert.is(agreementIdOf(agreementDocument(agreement)), id)
})

it('the document of one agreement is frozen: a digest that was signed stays what it was', () => {
  assert.is(agreementOf().id, GOLDEN)
})
const GOLDEN = 'ae021ec0119158ad57a4be01d26e3bb7a95033b4a8045d258d39b21c361bc126'

/** What is wrong, in one line with its place: path, what was given, what is allowed, the line. */
const FAULTS: readonly (readonly [claim: string, text: string, says: RegExp])[] = [
  ['broken YAML', 'name: [', /^a.agreement.yaml: line 1: not valid YAML/],
  ['an empty file', '# nothing', /the file is empty, a agreement description|is empty/],
  ['an unknown key', agreementText('penalty: 100\n'), /^a.agreement.yaml: penalty: this key is unknown.*\(line 9\)$/],
  ['no expiry', agreementText().replace(/expires.*\n/, ''), /^a.agreement.yaml: expires: this key is missing: add it$/],
  ['a date that is none', agreementText('starts: 2027-02-30\n'), /starts: "2027-02-30" was given, a date such as/],
  ['a date in words', agreementText('starts: next week\n'), /starts: "next week" was given/],
  ['a beginning after the end', agreementText('starts: 2028-01-01\n'), /expires: 2027-07-01.* later than starts/],
  [
    'nobody by that name',
    agreementText('', '  - { member: Ada Clinic }'),
    /parties\[0\].member: "Ada Clinic" was given, a member's name or key is expected: see consilium members \(line 3\)/,
  ],
  [
    'a party twice',
    agreementText('', '  - { member: ada }\n  - { member: ada }'),
    /parties\[1\].member: [0-9a-f]{64} was given twice: name each party once/,
  ],
  ['nobody who must sign', agreementText('', '  - { member: ada, required: false }'), /parties: no party is required/],
  ['no party', agreementText('', '  []'), /parties: 0 items were given, a list of 1 to 100 items is allowed/],
  [
    'a purpose of no code',
    agreementText().replace('DUO:0000006', 'DUO:0000099'),
    /purposes\[0\]: "DUO:0000099" was given/,
  ],
  [
    'conditions alone',
    agreementText().replace('DUO:0000006', 'DUO:0000045'),
    /purposes: DUO:0000045 was given, which are conditions/,
  ],
  ['a study by its name', agreementText('', undefined, ['memory']), /studies\[0\]: "memory" was given, a whole digest/],
  ['a study twice', agreementText('', undefined, [STUDY, STUDY]), /studies\[1\].* given twice/],
  [
    'a table of a stranger',
    agreementText('datasets: [{ party: cleo, name: t }]\n'),
    /datasets\[0\].party: .* not among the parties/,
  ],
  [
    'a table of no name',
    agreementText('datasets: [{ party: ada }]\n'),
    /datasets\[0\]: a name or a commitment is expected/,
  ],
  ['an unknown rule', agreementText('mergeRules: [majority]\n'), /mergeRules\[0\]: "majority" was given, auto or mean/],
  [
    'no privacy at all',
    agreementText('privacy: { epsilonMax: 0 }\n'),
    /privacy.epsilonMax: 0 was given, a number from 0.01 to 50/,
  ],
  ['a cohort of nobody', agreementText('minimumCohort: 1\n'), /minimumCohort: 1 was given, a whole number from 5/],
  [
    'a duty that is none',
    agreementText('duties: [{ duty: be-nice, withinDays: 3 }]\n'),
    /duties\[0\].duty: "be-nice" was given/,
  ],
  [
    'a duty without end',
    agreementText('duties: [{ duty: report-results }]\n'),
    /duties\[0\].withinDays: this key is missing/,
  ],
  [
    'shares of nothing',
    agreementText('settlement: { rule: none, shares: [{ party: ada, share: 1 }] }\n'),
    /settlement.shares: 1 shares were given with rule: none/,
  ],
  [
    'a share in floats',
    agreementText('settlement: { rule: by-rounds, shares: [{ party: ada, share: 0.5 }] }\n'),
    /share: 0.5 was given, a whole number/,
  ],
  [
    'a pool of nothing agreed',
    agreementText('settlement: { rule: none, pool: { amount: 100, unit: credits } }\n'),
    /settlement.pool: it was given with rule: none: leave it out, or name a rule/,
  ],
  [
    'a pool in floats',
    agreementText('settlement: { rule: by-rounds, pool: { amount: 10.5, unit: EUR-cents } }\n'),
    /settlement.pool.amount: 10.5 was given, a whole number from 1/,
  ],
  [
    'a unit of its own',
    agreementText('settlement: { rule: by-rounds, pool: { amount: 10, unit: coins } }\n'),
    /settlement.pool.unit: "coins" was given, parts or credits or hours/,
  ],
  [
    'measuring where nothing is measured',
    agreementText('settlement: { rule: by-rounds, everyRounds: 10 }\n'),
    /settlement.everyRounds: it was given with rule: by-rounds: only by-marginal-value is measured/,
  ],
  [
    'more measurers than others',
    agreementText('settlement: { rule: by-marginal-value, measurers: 3 }\n'),
    /settlement.measurers: 3 was given, each party has 2 others/,
  ],
  [
    'a least above the pool',
    agreementText('settlement: { rule: by-rounds, minimum: 2000, pool: { amount: 1000, unit: credits } }\n'),
    /settlement.minimum: 2000 was given, more than the whole pool of 1000/,
  ],
  [
    'fixed shares of nobody',
    agreementText('settlement: { rule: by-shares }\n'),
    /settlement.shares: none was given with rule: by-shares/,
  ],
  [
    'a state that is none',
    agreementText(WORKFLOW.replace('to: open', 'to: closed')),
    /workflow.transitions\[0\].to: "closed" was given, the states are review, open/,
  ],
  [
    'a role that nobody has',
    agreementText(WORKFLOW.replace('role: board }', 'role: judge }')),
    /transitions\[0\].who.role: judge was given, a role that no party has/,
  ],
  [
    'more parties than there are',
    agreementText(WORKFLOW.replace('kind: role, role: board', 'kind: any, of: 4')),
    /who.of: 4 was given, there are 3 parties/,
  ],
  [
    'two ways out by one event',
    agreementText(
      WORKFLOW.replace(
        'transitions: [',
        'transitions: [{ event: approve, from: review, to: review, who: { kind: any, of: 1 } }, ',
      ),
    ),
    /transitions\[1\]: approve from review was given twice/,
  ],
  [
    'a guard twice',
    agreementText(`guards: [{ name: a, on: [round], cel: 'true' }, { name: a, on: [round], cel: 'true' }]\n`),
    /guards\[1\].name: a was given twice/,
  ],
  [
    'a guard before nothing',
    agreementText(`guards: [{ name: a, on: [], cel: 'true' }]\n`),
    /guards\[0\].on: 0 items were given/,
  ],
  [
    'a guard in other letters',
    agreementText(`guards: [{ name: a, on: [round], cel: 'action == "ä"' }]\n`),
    /guards\[0\].cel: .* of ASCII/,
  ],
  [
    'a guard that is no CEL',
    agreementText(`guards: [{ name: a, on: [round], cel: 'round <' }]\n`),
    /guards\[0\].cel: "round <" was given: .*\(line 9\)$/,
  ],
  [
    'more than an entry holds',
    agreementText(
      `guards: [${Array.from({ length: 32 }, (_, i) => `{ name: g${i}, on: [round], cel: '${'round < 1 || '.repeat(140)}true' }`).join(', ')}]\n`,
    ),
    /bytes, 49152 are allowed/,
  ],
]
for (const [claim, text, says] of FAULTS) {
  it(`${claim} is refused in one line`, () => {
    try {
      read(text)
    } catch (error) {
      assert.instance(error, ConsiliumError)
      const { message } = error as ConsiliumError
      assert.match(message, says)
      return assert.not.match(message, /\n/)
    }
    assert.unreachable('it was read')
  })
}

it('a document in another form than the canonical one is refused, and so is one of another format', () => {
  const { agreement, document } = agreementOf()
  const refusedAs = (bytes: Uint8Array): string => {
    try {
      agreementFromDocument(bytes)
    } catch (error) {
      return (error as ConsiliumError).code
    }
    return 'read'
  }
  const plain = agreement as unknown as Record<string, Cbor>
  const { duties: _, ...less } = plain
  assert.is(refusedAs(encodeCbor([1, less])), 'agreement-invalid', 'a default left out')
  assert.is(refusedAs(encodeCbor([2, plain])), 'agreement-format')
  assert.is(refusedAs(encodeCbor([1, { ...plain, name: ' x' }])), 'agreement-invalid')
  const named = [{ member: 'ada', role: null, required: true }]
  assert.is(refusedAs(encodeCbor([1, { ...plain, parties: named }])), 'agreement-invalid', 'a name for a key')
  assert.is(refusedAs(document.subarray(1)), 'cbor-malformed')
  assert.is(refusedAs(document), 'read')
})

const NAMING = {
  member: (key: string) => ['self', 'ada', 'ben'].find((name) => keyOf(name).member === key) ?? key,
  study: (id: string) => id.slice(0, 12),
}

it('every clause can be read, and two agreements differ clause by clause', () => {
  const before = agreementOf(WORKFLOW).agreement
  const text = describeAgreement(before, NAMING)
  for (const line of [
    'parties     self, as hospital, must sign',
    '            ben, as board, may sign',
    'purposes    health, medical or biomedical research (DUO:0000006)',
    'term        from the last signature until 2027-07-01 00:00 UTC',
    '            approve: review → open, by any board',
  ])
    assert.ok(text.split('\n').includes(line), line)
  const after = agreementOf('minimumCohort: 20\nmergeRules: [median]\n').agreement
  assert.equal(agreementDifferences(before, before, NAMING), [])
  assert.equal(agreementDifferences(before, after, NAMING), [
    'merge',
    '  - any rule',
    '  + median',
    'cohort',
    '  - 5 patients at least',
    '  + 20 patients at least',
    'workflow',
    '  - begins at review',
    '  - review allows access',
    '  - open allows access, round',
    '  - approve: review → open, by any board',
    '  + none',
  ])
})

it('whatever a clause says otherwise, the difference names it', () => {
  const base = agreementOf().agreement
  const others: readonly (readonly [string, Partial<Agreement>])[] = [
    ['name', { name: 'Other' }],
    ['parties', { parties: base.parties.slice(1) }],
    ['purposes', { purposes: ['DUO:0000007'] }],
    ['datasets', { datasets: [{ party: ADA, name: null, commitment: STUDY }] }],
    ['privacy', { privacy: { epsilonMax: 2 } }],
    ['term', { starts: 7 }],
    ['duties', { duties: [{ duty: 'delete-models', withinDays: 2 }] }],
    ['settlement', { settlement: { rule: 'by-rounds', shares: [] } }],
    ['guards', { guards: [{ name: 'g', on: ['round'], cel: 'true' }] }],
  ]
  for (const [clause, more] of others) assert.equal(agreementDifferences(base, { ...base, ...more }, NAMING)[0], clause)
})

it('what "agreement new" writes is read as it is', () => {
  const names = ['self', 'ada'] as const
  const parties = names.map((name) => ({ name, key: keyOf(name).member }))
  const studies = [{ name: 'Memory', id: STUDY }]
  const agreement = read(agreementTemplate({ name: 'A: "quoted" name', parties, studies, expires: '2027-12-31' }))
  assert.is(agreement.name, 'A: "quoted" name')
  assert.equal(
    agreement.parties.map(({ member }) => member),
    [SELF, ADA],
  )
})

it.run()

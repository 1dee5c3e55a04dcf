/** FHIR Provenance in and out: what is read, what is refused and where. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { utf8 } from '../../src/core/bytes.ts'
import { sha256 } from '../../src/core/digest.ts'
import { readProvenance } from '../../src/data/fhirProvenance.ts'
import { type ProvenanceFacts, provenanceResource } from '../../src/report/exports/fhirProvenance.ts'

const it = suite('fhir provenance')

const R4 = {
  resourceType: 'Provenance',
  target: [{ reference: 'List/stroke-2026' }],
  recorded: '2026-11-20T09:30:00.5+01:00',
  agent: [
    { who: { reference: 'https://ehr.example/fhir/Organization/3', display: 'North clinic' } },
    {
      who: { reference: 'Practitioner/77', display: 'Dr. A. Brandt' },
      onBehalfOf: { type: 'Organization', display: 'IT' },
    },
    { who: { type: 'Organization', display: 'North clinic' } },
  ],
  entity: [{ role: 'source', what: { identifier: { system: 'urn:sql', value: 'q7' } } }],
}

it('when it was recorded, of how many things, and by which organisations is kept; people are not', () => {
  assert.equal(readProvenance(`\ufeff${JSON.stringify(R4)}`, 'p.json'), {
    recordedAtMs: Date.UTC(2026, 10, 20, 8, 30, 0, 500),
    targets: 1,
    organisations: ['North clinic', 'IT'],
  })
})

const without = (field: string) => Object.fromEntries(Object.entries(R4).filter(([key]) => key !== field))

const FAULTS: readonly (readonly [what: string, text: string, code: string, where: RegExp])[] = [
  ['no JSON', '{', 'fhir-json', /p\.json: is not JSON/],
  ['a list', JSON.stringify([R4]), 'fhir-type', /resourceType/],
  ['another resource', JSON.stringify({ ...R4, resourceType: 'Consent' }), 'fhir-type', /a Provenance is expected/],
  ['no target', JSON.stringify(without('target')), 'fhir-missing', /p\.json: target: .*what it is about/],
  ['an empty target', JSON.stringify({ ...R4, target: [] }), 'fhir-missing', /target/],
  ['a target that is none', JSON.stringify({ ...R4, target: [{}] }), 'fhir-reference', /target\[0\]/],
  ['a target of spaces', JSON.stringify({ ...R4, target: [{ display: ' ' }] }), 'fhir-reference', /target\[0\]/],
  ['no time', JSON.stringify(without('recorded')), 'fhir-date', /recorded/],
  ['a date', JSON.stringify({ ...R4, recorded: '2026-11-20' }), 'fhir-date', /instant with its zone/],
  ['no zone', JSON.stringify({ ...R4, recorded: '2026-11-20T09:30:00' }), 'fhir-date', /recorded/],
  ['no such day', JSON.stringify({ ...R4, recorded: '2026-13-40T09:30:00Z' }), 'fhir-date', /recorded/],
  ['no agent', JSON.stringify(without('agent')), 'fhir-missing', /agent.*who took part/],
  ['an agent without who', JSON.stringify({ ...R4, agent: [R4.agent[0], {}] }), 'fhir-reference', /agent\[1\]\.who/],
  ['an agent that is none', JSON.stringify({ ...R4, agent: ['me'] }), 'fhir-agent', /agent\[0\]/],
  [
    'for nobody',
    JSON.stringify({ ...R4, agent: [{ ...R4.agent[0], onBehalfOf: {} }] }),
    'fhir-reference',
    /onBehalfOf/,
  ],
  [
    'no such role',
    JSON.stringify({ ...R4, entity: [{ ...R4.entity[0], role: 'origin' }] }),
    'fhir-entity',
    /entity\[0\]\.role/,
  ],
  ['nothing used', JSON.stringify({ ...R4, entity: [{ role: 'source' }] }), 'fhir-reference', /entity\[0\]\.what/],
  ['a modifier', JSON.stringify({ ...R4, modifierExtension: [{}] }), 'fhir-unread', /modifierExtension/],
]
for (const [what, text, code, where] of FAULTS) {
  it(`${what} is refused, in one line that says where, and quotes no name`, () => {
    assert.throws(
      () => readProvenance(text, 'p.json'),
      (error: Error & { code: string }) => {
        assert.is(error.code, code)
        assert.match(error.message, where)
        return !/\n|Brandt/.test(error.message)
      },
    )
  })
}

const B = (label: string): Uint8Array => sha256(utf8(label))
const FACTS: ProvenanceFacts = {
  dataset: B('dataset'),
  version: B('two'),
  previous: B('one'),
  registeredAtMs: Date.UTC(2026, 10, 22, 7, 28),
  source: 'registry',
  query: B('query'),
  origin: { commitment: B('origin'), organisations: ['North clinic'] },
  hospital: { name: 'St. Mary', member: 'ab'.repeat(32) },
}

it('what is written is a Provenance that is read again, with the hospital and the origin’s organisations as agents', () => {
  const resource = provenanceResource(FACTS)
  assert.equal(readProvenance(JSON.stringify(resource), 'own.json'), {
    recordedAtMs: FACTS.registeredAtMs,
    targets: 1,
    organisations: ['St. Mary', 'North clinic'],
  })
  const { entity } = resource as { entity: { role: string; what: { identifier: { value: string } } }[] }
  assert.equal(
    entity.map(({ role }) => role),
    ['revision', 'source', 'derivation'],
  )
  assert.is(entity[1]?.what.identifier.value, Buffer.from(B('query')).toString('hex'))
})

it('a first version that rests on nothing else has no entities, for an empty list is not FHIR', () => {
  const resource = provenanceResource({ ...FACTS, previous: null, query: null, origin: null })
  assert.not.ok('entity' in resource)
  assert.is(readProvenance(JSON.stringify(resource), 'own.json').targets, 1)
})

it.run()

/** FHIR Consent in and out: what is read, what is refused and where, and that nothing is lost on the way. */
import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { DUO_CODES } from '../../src/core/duo.ts'
import { ConsiliumError } from '../../src/core/errors.ts'
import { consentResource, type FhirDecision, readConsents } from '../../src/data/fhirConsent.ts'

const it = suite('fhir consent')

const R4 = {
  resourceType: 'Consent',
  id: 'c1',
  status: 'active',
  scope: { coding: [{ code: 'research' }] },
  category: [{ coding: [{ system: 'http://loinc.org', code: '59284-0' }] }],
  patient: { reference: 'https://ehr.example/fhir/Patient/40077' },
  dateTime: '2026-11-20T09:30:00+01:00',
  provision: {
    type: 'permit',
    period: { start: '2026-11', end: '2027-02' },
    purpose: [{ system: 'http://purl.obolibrary.org/obo/duo.owl', code: 'DUO:0000006' }],
  },
}
const READ: FhirDecision = {
  record: '40077',
  decision: 'permit',
  purposes: ['DUO:0000006'],
  fromMs: Date.UTC(2026, 10, 1),
  toMs: Date.UTC(2027, 2, 1),
  by: 'subject',
  speaker: null,
  study: null,
  effectiveAtMs: Date.UTC(2026, 10, 20, 8, 30),
}
const R5 = {
  resourceType: 'Consent',
  status: 'active',
  subject: { identifier: { value: ' 40077 ' } },
  date: '2026-11-20',
  decision: 'deny',
  grantor: [
    {
      display: 'A. Brandt, mother',
      identifier: {
        type: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v3-RoleCode', code: 'GUARD' }] },
      },
    },
  ],
  provision: [{ period: { end: '2026-12-31' } }],
}

const read = (...resources: unknown[]): FhirDecision[] => readConsents(JSON.stringify(resources), 'c.json')

it('reads R4 and R5; an end that is a month or a day is part of the period', () => {
  assert.equal(read(R4), [READ])
  assert.equal(read(R5), [
    {
      ...READ,
      decision: 'deny',
      purposes: 'all',
      fromMs: null,
      toMs: Date.UTC(2027, 0, 1),
      by: 'guardian',
      speaker: 'A. Brandt, mother',
      effectiveAtMs: Date.UTC(2026, 10, 20),
    },
  ])
})

it('a consent that became inactive is taken back', () => {
  assert.is(read({ ...R4, status: 'inactive' })[0]?.decision, 'deny')
})

it('takes a resource, a list, a Bundle and lines', () => {
  const bundle = { resourceType: 'Bundle', type: 'collection', entry: [{ resource: R4 }, { resource: R5 }] }
  const lines = `${JSON.stringify(R4)}\r\n\n${JSON.stringify(R5)}\n`
  const both = read(R4, R5)
  assert.equal(readConsents(JSON.stringify(R4), 'c'), [READ])
  assert.equal(readConsents(JSON.stringify(bundle, null, 2), 'c'), both)
  assert.equal(readConsents(lines, 'c'), both)
})

function faultOf(call: () => unknown): ConsiliumError {
  try {
    call()
  } catch (error) {
    if (error instanceof ConsiliumError) return error
    throw error
  }
  throw new Error('nothing was refused')
}

const REFUSED: readonly (readonly [code: string, resource: unknown, says: RegExp])[] = [
  ['fhir-type', { ...R4, resourceType: 'Patient' }, /^c\.json: \[1\]: resourceType/],
  ['fhir-status', { ...R4, status: 'draft' }, /status: "draft" was given, active or inactive/],
  ['fhir-decision', { ...R4, provision: {} }, /provision\.type: null was given/],
  ['fhir-unread', { ...R4, verification: [{}] }, /verification: .* record it by hand/],
  ['fhir-unread', { ...R4, modifierExtension: [{}] }, /modifierExtension/],
  ['fhir-unread', { ...R4, provision: { type: 'permit', provision: [{ type: 'deny' }] } }, /provision\.provision/],
  ['fhir-unread', { ...R5, provision: [{}, {}] }, /provision: 2 were given/],
  [
    'fhir-purpose',
    { ...R4, provision: { type: 'permit', purpose: [{ system: 'x', code: 'TREAT' }] } },
    /purpose\[0\]: "TREAT" of "x"/,
  ],
  ['fhir-purpose', { ...R4, provision: { type: 'permit', purpose: [] } }, /a list of codes/],
  ['fhir-patient', { ...R4, patient: { display: 'Jane Doe' } }, /patient: an identifier/],
  ['fhir-date', { ...R4, dateTime: '20.11.2026' }, /dateTime: "20\.11\.2026"/],
  ['fhir-date', { ...R4, dateTime: undefined }, /dateTime: when it was given/],
  ['fhir-speaker', { ...R4, performer: [{}] }, /performer\[0\]/],
]
for (const [code, resource, says] of REFUSED) {
  it(`refused: ${code}, by resource and path, and no identifier is repeated (${says.source})`, () => {
    const error = faultOf(() => read(R4, resource))
    assert.is(error.code, code)
    assert.match(error.message, says)
    assert.not.match(error.message, /40077|Jane/)
  })
}

it('lines that are no JSON are named by their number', () => {
  const error = faultOf(() => readConsents(`${JSON.stringify(R4)}\n{"resourceType`, 'c.ndjson'))
  assert.match(error.message, /^c\.ndjson: line 2: is not JSON/)
})

it('what is written reads back as it was', () => {
  const time = fc.option(fc.integer({ min: -1_000_000_000_000, max: 4_102_444_800_000 }))
  const decision: fc.Arbitrary<FhirDecision> = fc
    .record({
      record: fc.stringMatching(/^[A-Z0-9-]{1,20}$/),
      decision: fc.constantFrom('permit' as const, 'deny' as const),
      purposes: fc.oneof(
        fc.constant('all' as const),
        fc.uniqueArray(fc.constantFrom(...DUO_CODES), { minLength: 1 }).map((codes) => [...codes].sort()),
      ),
      fromMs: time,
      toMs: fc.option(fc.integer({ min: 1, max: 4_102_444_800_000 })),
      by: fc.constantFrom(
        'subject' as const,
        'proxy' as const,
        'guardian' as const,
        'court' as const,
        'emergency' as const,
      ),
      study: fc.option(fc.constant('a5'.repeat(32))),
      effectiveAtMs: fc.integer({ min: 0, max: 4_102_444_800_000 }),
    })
    .map((one) => ({ ...one, speaker: one.by === 'subject' ? null : 'somebody' }))
  fc.assert(fc.property(decision, (one) => assert.equal(read(consentResource(one, 1_763_000_000_000)), [{ ...one }])))
})

it.run()

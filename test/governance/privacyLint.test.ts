/** The fence against personal data in entries: what it finds, what it lets pass, and that the words of entries pass. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { VERSION } from '../../src/config/version.ts'
import type { Cbor } from '../../src/core/cbor.ts'
import { bodyFault, lintText } from '../../src/governance/privacyLint.ts'

const it = suite('privacy lint')
const UNFIT = 'its body does not fit the schema of its kind'

const FOUND: readonly (readonly [what: string, ...texts: string[]])[] = [
  ['an e-mail address', 'a.b+c@klinik-nord.de', 'writeTo ädä@exämple.org now'],
  ['a German tax number', '86095742719', '86 095 742 719', '47036892816'],
  ['a German health insurance number', 'A123456780'],
  ['a German pension number', '65 170839 J 003', '15070649C103'],
  ['a French social security number', '2 55 08 14 168 025 38', '255081416802538'],
  ['a UK NHS number', '943 476 5919', '9434765919'],
  ['a UK national insurance number', 'AB 12 34 56 C', 'AB123456C'],
  ['a US social security number', 'ssn 123-45-6789.'],
  ['a Swedish personal number', '811218-9876', '19811218-9876'],
  ['a Polish PESEL', '44051401359'],
  ['a Swiss AHV number', '756.9217.0769.85'],
  ['a Dutch BSN', '111222333'],
  ['a Spanish DNI or NIE', '12345678Z', 'X1234567L'],
  ['an Italian fiscal code', 'RSSMRA85T10A562S'],
  ['a date, as of birth', '1956-03-12', '1956/3/12', '12.03.1956', '1.2.1956', '12.03.56', '3/12/56', '12-03-1956'],
  ['a date, as of birth', '12 March 1956', 'born March 12, 1956', '12. März 1956', '3rd dec 2001', 'Oktober 3 1990'],
  ['an IP address', '192.168.0.1', '2001:db8::1', 'fe80::1', '::1', '2001:0:0:0:0:0:0:1'],
  ['a phone number', '+49 30 1234567', '+1 (555) 123-4567', '(555) 123-4567', '030/1234567', '0171 2345678'],
  ['a medical record number', 'MRN 12345', 'Patient-ID: A-00123', 'Fall Nr. 4711', 'case #2020'],
  ['a medical record number, or any other long number', '1234567'],
]

for (const [what, ...texts] of FOUND) {
  it(`${what} is found`, () => {
    for (const text of texts) assert.is(lintText(text)?.what, what, text)
  })
}

it('a number that only looks like one, with another check digit, is not called one', () => {
  for (const text of ['A123456781', '15 070649 C 104', '811218-9875', '756.9217.0769.86', 'RSSMRA85T10A562T'])
    assert.is(lintText(text), null, text)
  for (const text of ['86095742718', '44051401358', '111222334', '2 55 08 14 168 025 39'.replaceAll(' ', '')])
    assert.is(lintText(text)?.what, 'a medical record number, or any other long number')
  for (const text of ['999.1.1.1', '12345678A', '900-45-6789', '000-45-6789', '123-00-6789', '123-45-0000'])
    assert.is(lintText(text), null, text)
})

it('what a study’s description is made of passes', () => {
  const texts = [
    'Early detection of dementia from blood markers, 12 sites, 2018 to 2024 (NCT01234567, doi 10.1056/NEJMoa2034577)',
    'eGFR 30-90 mL/min/1.73 m², age 18-65, ICD-10 F03.90, p < 0.05, ratio 1:2, 10 000 000 events, 3.14',
    'case 2020 of 2024',
    'version 1.2.15',
    '0000-0002-1825-0097',
    VERSION,
    '0.1.0-rc.1+5',
  ]
  for (const text of texts) assert.is(lintText(text), null, text)
})

it('words without a digit, an @ or a colon are not held against each pattern: an import has a million of them', () => {
  const { matchAll } = String.prototype
  const looks: string[] = []
  String.prototype.matchAll = function (this: string, pattern: RegExp) {
    looks.push(String(this))
    return matchAll.call(this, pattern)
  }
  try {
    assert.is(lintText({ events: [{ type: 'object', step: 'storing', disposition: 'in_progress' }] }), null)
    assert.equal(looks, [])
    for (const text of ['ada@example.org', 'fe80::ab', '4711-4711']) lintText(text)
    assert.is(new Set(looks).size, 3)
  } finally {
    String.prototype.matchAll = matchAll
  }
})

it('a finding says where, and does not repeat the text', () => {
  const study = { name: 'x', features: [{ name: 'a' }, { name: 'b', levels: ['f', 'ada@example.org'] }] }
  assert.equal(lintText(study), { path: 'features[1].levels[1]', what: 'an e-mail address' })
  assert.is(
    lintText({ bytes: Buffer.from('ada@example.org'), n: 12345678, none: null }),
    null,
    'bytes and numbers are no text',
  )
})

it('a body of an own entry fits its kind and holds no personal data', () => {
  assert.is(bodyFault('node.stopped', { reason: 'sigterm' }), null)
  assert.is(bodyFault('node.started', { software: VERSION }), null)
  assert.is(bodyFault('node.stopped', { reason: 'Mrs. Smith' }), UNFIT)
  assert.is(bodyFault('node.stopped', { reason: 'sigterm', note: 'x' } as Cbor), UNFIT)
  assert.is(bodyFault('node.started', { software: '192.168.0.1' }), 'software: it holds what looks like an IP address')
})

it.run()

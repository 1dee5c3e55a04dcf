/** GS1 keys: check digits, the three ways to write them, and what no entry may have. */
import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { checkDigit, type Gs1Key, gs1KindOf, gs1Link, gtinOf, readGs1, readLabel } from '../../src/core/gs1.ts'

const it = suite('gs1')

it('check digits are those of published examples', () => {
  const known = [
    ['950600013435', 2], // GTIN-13 of GS1's demonstrations
    ['0950600013435', 2], // the same, as GTIN-14
    ['400638133393', 1], // EAN-13, as textbooks have it
    ['7351353', 7], // EAN-8
    ['03600029145', 2], // UPC-A
    ['10614141192837465', 7], // SSCC
    ['061414112345', 2], // GLN of the Tag Data Standard
  ] as const
  for (const [digits, digit] of known) assert.is(checkDigit(digits), digit, digits)
})

it('a URN, a Digital Link and a label of the same thing are one key', () => {
  const same: readonly (readonly [string, string, string | null, string])[] = [
    [
      'urn:epc:id:sgtin:0614141.812345.6789',
      'https://id.gs1.org/01/80614141123458/21/6789',
      '(01)80614141123458(21)6789',
      'sgtin',
    ],
    [
      'urn:epc:class:lgtin:4012345.012345.998877',
      'https://id.gs1.org/01/04012345123456/10/998877',
      '(01)04012345123456(10)998877',
      'lgtin',
    ],
    ['urn:epc:idpat:sgtin:4012345.066666.*', 'https://id.gs1.org/01/04012345666663', '(01)04012345666663', 'gtin'],
    [
      'urn:epc:id:sscc:0614141.1234567890',
      'https://id.gs1.org/00/106141412345678908',
      '(00)106141412345678908',
      'sscc',
    ],
    [
      'urn:epc:id:sgln:0614141.12345.400',
      'https://id.gs1.org/414/0614141123452/254/400',
      '(414)0614141123452(254)400',
      'sgln',
    ],
    ['urn:epc:id:sgln:0614141.12345.0', 'https://id.gs1.org/414/0614141123452', '(414)0614141123452', 'sgln'],
    ['urn:epc:id:pgln:0614141.12345', 'https://id.gs1.org/417/0614141123452', null, 'pgln'],
    ['urn:epc:id:grai:0614141.12345.400', 'https://id.gs1.org/8003/00614141123452400', null, 'grai'],
    ['urn:epc:id:giai:0614141.12345400', 'https://id.gs1.org/8004/061414112345400', null, 'giai'],
    [
      'urn:epc:id:sgtin:0614141.812345.62%2F%26A',
      'https://id.gs1.org/01/80614141123458/21/62%2F%26A',
      '(01)80614141123458(21)62/&A',
      'sgtin',
    ],
  ]
  for (const [urn, link, label, kind] of same) {
    const key = readGs1(urn)
    assert.is(gs1KindOf(key), kind, urn)
    assert.is(readGs1(link), key, link)
    assert.is(gs1Link(key), link)
    assert.is(readLabel(key), key)
    if (label !== null) assert.is(readLabel(label), key, label)
  }
  assert.is(
    readLabel('(17)271130(10)L9(01)80614141123458(21)6789'),
    '01/80614141123458/21/6789',
    'in any order, with more',
  )
  assert.is(gtinOf('01/80614141123458/10/L9' as Gs1Key), '80614141123458')
  assert.is(readGs1('https://id.gs1.org/01/9506000134352'), '01/09506000134352', 'a GTIN-13 is padded')
})

it('what is no key, or would name a person, is refused in one line that says what to write', () => {
  const wrong: readonly (readonly [given: string, code: string, says: RegExp])[] = [
    ['https://id.gs1.org/01/09506000134353/21/A', 'gs1-check-digit', /check digit of 09506000134353 is 2/],
    ['https://id.gs1.org/00/106141412345678900', 'gs1-check-digit', /is 8/],
    ['https://id.gs1.org/414/0614141123453', 'gs1-check-digit', /is 2/],
    ['urn:epc:id:sgtin:06141.81234567.6789', 'gs1-key', /expected/], // a company prefix of 5
    ['urn:epc:id:sgtin:0614141.81234.6789', 'gs1-key', /13 digits together/],
    ['urn:epc:id:sscc:0614141.123456789', 'gs1-key', /17 digits together/],
    ['urn:epc:id:sgtin:0614141.812345.a&b', 'gs1-key', /escaped/],
    ['urn:epc:id:sgtin:0614141.812345.%GG', 'gs1-key', /hexadecimal/],
    [`urn:epc:id:sgtin:0614141.812345.${'9'.repeat(21)}`, 'gs1-key', /expected/],
    ['urn:epc:id:sgtin:0614141.812345.Müller', 'gs1-key', /expected/],
    ['urn:epc:id:sgtin:0614141.812345.Mrs%20Smith', 'gs1-key', /expected/],
    ['https://example.com/01/09506000134352', 'gs1-key', /expected/],
    ['https://id.gs1.org/01/09506000134352/21/A/10/B', 'gs1-key', /expected/],
    ['urn:epc:id:gsrn:0614141.1234567890', 'gs1-person', /names a person/],
    ['https://id.gs1.org/8018/061414112345678902', 'gs1-person', /names a person/],
    ['9'.repeat(500), 'gs1-key', /so long/],
    ['', 'gs1-key', /expected/],
  ]
  for (const [given, code, says] of wrong) {
    try {
      readGs1(given)
      assert.unreachable(given)
    } catch (error) {
      const { code: was, message } = error as { code: string; message: string }
      assert.is(was, code, `${given}: ${message}`)
      assert.match(message, says)
      assert.not.match(message, /\n/)
    }
  }
})

it('one mistaken digit, and nearly every swap of neighbours, is found', () => {
  const digits = fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 13, maxLength: 13 })
  fc.assert(
    fc.property(digits, fc.nat(13), fc.integer({ min: 1, max: 9 }), (list, at, by) => {
      const body = list.join('')
      const whole = `${body}${checkDigit(body)}`
      assert.is(gs1KindOf(`01/${whole}`), 'gtin')
      const wrong = [...whole].map((digit, i) => (i === at ? (Number(digit) + by) % 10 : digit)).join('')
      assert.is(gs1KindOf(`01/${wrong}`), null)
    }),
  )
})

it.run()

/** Conditions of counts: what people may write, that one meaning has one form, and where each fault is. */
import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type CountColumn, columnFault } from '../../src/config/countColumns.ts'
import { parseCondition } from '../../src/config/countParser.ts'
import {
  type Condition,
  canonical,
  OPERATORS,
  QUERY_BOUNDS,
  questionDigest,
  questionDocument,
  questionIn,
  questionText,
} from '../../src/config/countQuery.ts'
import { encodeCbor } from '../../src/core/cbor.ts'
import { ConsiliumError } from '../../src/core/errors.ts'

const it = suite('count query')

const column = fc.constantFrom('age', 'sex', 'tau [ng/mL]', 'größe', 'in', 'say "x"', '_1')
const literal = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.integer({ min: -1_000, max: 1_000 }),
  fc.constantFrom('F', "O'Neill", 'ja', '', 'ä', '2024-03', '"'),
)
const condition: fc.Arbitrary<Condition> = fc.letrec<{ node: Condition }>((tie) => ({
  node: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.record({ is: fc.constant('compare' as const), column, operator: fc.constantFrom(...OPERATORS), literal }),
    fc.record({ is: fc.constant('in' as const), column, literals: fc.array(literal, { minLength: 1, maxLength: 5 }) }),
    fc.record({ is: fc.constant('not' as const), part: tie('node') }),
    fc.record({
      is: fc.constantFrom('and' as const, 'or' as const),
      parts: fc.array(tie('node'), { minLength: 2, maxLength: 4 }),
    }),
  ),
})).node

/** In its one form; those that are too large are no question. */
const sound = condition
  .map((one) => {
    try {
      return canonical(one)
    } catch {
      return null
    }
  })
  .filter((one) => one !== null)

it('what is printed is read back as it was', () => {
  fc.assert(
    fc.property(sound, (one) => {
      assert.equal(parseCondition(questionText(one)), one)
    }),
    { numRuns: 500 },
  )
})

it('a document is read back as it was, and the one form of a form is itself', () => {
  fc.assert(
    fc.property(sound, (where) => {
      const document = questionDocument({ where, purposes: ['DUO:0000006'] })
      assert.equal(questionIn(document), { where, purposes: ['DUO:0000006'] })
      assert.equal(canonical(where), where)
    }),
    { numRuns: 300 },
  )
})

/** Turns parts around, says some of them twice, and brackets pairs of them. */
function shuffled(one: Condition): Condition {
  switch (one.is) {
    case 'compare':
      return one
    case 'in':
      return { ...one, literals: [...one.literals, ...one.literals].reverse() }
    case 'not':
      return { is: 'not', part: { is: 'not', part: { is: 'not', part: shuffled(one.part) } } }
    default: {
      const [first, ...rest] = one.parts.map(shuffled).reverse() as [Condition, ...Condition[]]
      return { is: one.is, parts: [{ is: one.is, parts: [...rest, first] }, first] }
    }
  }
}

it('whoever asks the same in another order has the same digest', () => {
  fc.assert(
    fc.property(sound, (where) => {
      assert.is(
        questionDigest({ where: shuffled(where), purposes: ['DUO:0000018', 'DUO:0000006', 'DUO:0000018'] }),
        questionDigest({ where, purposes: ['DUO:0000006', 'DUO:0000018'] }),
      )
    }),
    { numRuns: 300 },
  )
})

it('another number, column, operator, purpose or no condition is another question', () => {
  const texts = [
    'age >= 65',
    'age > 65',
    'age >= 66',
    'size >= 65',
    'not age >= 65',
    "age = 65 or sex = 'F'",
    "age = 65 and sex = 'F'",
  ]
  const digests = texts.map((text) => questionDigest({ where: parseCondition(text), purposes: [] }))
  const more = [
    questionDigest({ where: null, purposes: [] }),
    questionDigest({ where: parseCondition('age >= 65'), purposes: ['DUO:0000006'] }),
  ]
  assert.is(new Set([...digests, ...more]).size, texts.length + more.length)
})

it('or binds loosest, then and, then not; words in any letters', () => {
  const read = (text: string): string => questionText(parseCondition(text))
  assert.is(read('a=1 OR b=2 And not c=3'), 'a = 1 or b = 2 and not c = 3')
  assert.is(read('(a=1 or b=2) and c=3'), '(a = 1 or b = 2) and c = 3')
  assert.is(read('not (a=1 and b=2)'), 'not (a = 1 and b = 2)')
  assert.is(read("sex in ('M','F', 'M') and age>-5e0"), "age > -5 and sex in ('F', 'M')")
  assert.is(read("name in ('x')"), "name = 'x'")
  assert.is(read('"tau [ng/mL]" <= .5'), '"tau [ng/mL]" <= 0.5')
})

const FAULTS: readonly (readonly [text: string, says: RegExp])[] = [
  ['', /position 1: it ends, where a column, not, or \( is allowed/],
  ['age', /position 4: it ends, where = != < <= > >= or in is allowed/],
  ['age >', /position 6: it ends, where a number or a 'text' is allowed/],
  ['age > sex', /position 7: "sex" was given, where a number or a 'text' is allowed/],
  ['65 < age', /position 1: "65" was given, where a column/],
  ['age => 65', /position 6: ">" was given, where a number/],
  ['age == 65', /position 6: "=" was given/],
  ['age > 65 and', /position 13: it ends/],
  ['age > 65 sex = 1', /position 10: "sex" was given, where and, or, or the end is allowed/],
  ['(age > 65', /position 10: it ends, where and, or, or \) is allowed/],
  ['age > 65)', /position 9: "\)" was given/],
  ['age in 65', /position 8: "65" was given, where \( is allowed/],
  ['age in ()', /position 9: "\)" was given/],
  ['age in (1, 2', /position 13: it ends, where , or \) is allowed/],
  ["sex = 'F", /position 7: a text opens here and never closes/],
  ['"tau = 5', /position 1: a column opens here and never closes/],
  ['tau-level > 5', /position 4: "-" was given; .*"double quotes"/],
  ['age > 65; drop', /position 9: ";" was given/],
  ['age > 1e999', /position 7: 1e999 is no number/],
  ['age > 65x', /position 7: "6" was given/],
  [`age = '${'ä'.repeat(40)}'`, /position 7: a text has at most 64 bytes/],
  [`${'x'.repeat(130)} = 1`, /position 1: a column's name has at most 120 bytes/],
  [`${'('.repeat(40)}age = 1${')'.repeat(40)}`, /more than 32 brackets and nots/],
  [`age in (${Array.from({ length: 40 }, (_, i) => i).join(',')})`, /40 values were given, at most 32/],
  [Array.from({ length: 70 }, (_, i) => `age = ${i}`).join(' or '), /71 conditions, at most 64/],
  [`not (a=1 and (b=1 or (c=1 and (d=1 or (e=1 and f=1)))))`, /nested 7 deep, at most 5/],
  ['x'.repeat(QUERY_BOUNDS.charactersMax + 1), /characters were given, at most 2000/],
]
for (const [text, says] of FAULTS) {
  it(`refused: ${JSON.stringify(text.slice(0, 40))}, and where`, () => {
    let error: unknown
    try {
      parseCondition(text)
    } catch (thrown) {
      error = thrown
    }
    assert.instance(error, ConsiliumError)
    assert.is((error as ConsiliumError).code, 'count-query')
    assert.match((error as ConsiliumError).message, says)
    assert.not.ok((error as ConsiliumError).message.includes('\n'))
  })
}

it('bytes that are no question, or not in its one form, are none', () => {
  const where = { is: 'compare', column: 'age', operator: '>=', literal: 65 }
  const document = (more: object) => encodeCbor({ version: 1, where, purposes: [], ...more } as never)
  assert.ok(questionIn(document({})) !== null)
  const odd = [
    { version: 2 },
    { note: 'Mrs. Smith' },
    { where: { ...where, literal: true } },
    { where: { ...where, operator: 'like' } },
    { where: { is: 'and', parts: [where] } },
    { where: { is: 'or', parts: [where, where] } },
    { where: { is: 'not', part: { is: 'not', part: where } } },
    { where: { is: 'in', column: 'age', literals: [2, 1] } },
    { purposes: ['DUO:0000018', 'DUO:0000006'] },
    { purposes: ['DUO:9999999'] },
  ]
  for (const more of odd) assert.is(questionIn(document(more)), null, JSON.stringify(more))
  assert.is(questionIn(new Uint8Array([0xff])), null)
})

const COLUMNS: readonly CountColumn[] = [
  { name: 'age', unit: 'years', kind: 'number', values: null },
  { name: 'sex', unit: '1', kind: 'text', values: ['F', 'M'] },
  { name: 'admitted', unit: '1', kind: 'date', values: null },
]
const FITS: readonly (readonly [text: string, fault: RegExp | null])[] = [
  ["age >= 65 and sex in ('F', 'M') and admitted >= '2024-03' and admitted < '2025'", null],
  ['agee >= 65', /no column "agee" was announced; did you mean "age"\?; there are age, sex, admitted/],
  ["age >= '65'", /holds numbers, and '65' is a text/],
  ["sex = 'Anna Schmidt'", /announced with the texts 'F', 'M', and 'Anna Schmidt' is none of them/],
  ["sex > 'F'", /holds texts: =, != and in are allowed, > is not/],
  ['sex = 1', /'F', 'M', and 1 is none/],
  ["admitted = '1949-05-03'", /holds dates, and '1949-05-03' is no year or month/],
  ["admitted = '2024-13'", /no year or month/],
  ['admitted > 2024', /2024 is no year or month/],
]
it('a condition asks for announced columns, and for texts that were announced, alone', () => {
  for (const [text, fault] of FITS) {
    const found = columnFault(parseCondition(text), COLUMNS)
    if (fault === null) assert.is(found, null, text)
    else assert.match(found ?? '', fault, text)
  }
  assert.match(columnFault(parseCondition('age > 1'), []) ?? '', /announced without columns/)
  assert.is(columnFault(null, []), null)
})

it.run()

/** Byte strings: every conversion goes there and back, and readers stop at the end of what they were given. */
import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ByteReader, ByteWriter, concat, equalBytes, fromHex, fromUtf8, toHex, utf8 } from '../../src/core/bytes.ts'
import { refusal } from './refusal.ts'

const it = suite('bytes')

const bytes = fc.uint8Array({ maxLength: 200 })

it('hex goes there and back, in lower case', () => {
  fc.assert(
    fc.property(bytes, (value) => {
      assert.match(toHex(value), /^[0-9a-f]*$/)
      assert.ok(equalBytes(fromHex(toHex(value)), value))
      assert.ok(equalBytes(fromHex(toHex(value).toUpperCase()), value))
    }),
  )
})

it('hex of a view is that of the view, not of its whole buffer', () => {
  assert.is(toHex(Uint8Array.of(1, 2, 3, 4, 5).subarray(1, 3)), '0203')
})

for (const text of ['a', 'abc', '0g', ' 00', '00 ', '0x00', '00\n', '٠٠']) {
  it(`hex: ${JSON.stringify(text)} is refused`, () => {
    assert.is(
      refusal(() => fromHex(text)),
      'bad-hex',
    )
  })
}

it('hex that was decoded owns its memory', () => {
  const value = fromHex('0102')
  assert.is(value.byteOffset, 0)
  assert.is(value.buffer.byteLength, 2)
})

it('UTF-8 goes there and back, a byte order mark included', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      assert.is(fromUtf8(utf8(text)), text)
    }),
  )
  assert.is(fromUtf8(utf8('\ufeffx')), '\ufeffx')
})

for (const [what, hex] of [
  ['a lone continuation byte', '80'],
  ['a sequence cut short', 'e282'],
  ['an overlong slash', 'c0af'],
  ['half of a surrogate pair', 'eda080'],
  ['a code point beyond U+10FFFF', 'f4908080'],
] as const) {
  it(`UTF-8: ${what} is refused, not replaced`, () => {
    assert.is(
      refusal(() => fromUtf8(fromHex(hex))),
      'bad-utf8',
    )
  })
}

it('byte strings are equal when every byte is, and only then', () => {
  fc.assert(
    fc.property(bytes, bytes, (a, b) => {
      assert.is(equalBytes(a, b), toHex(a) === toHex(b))
      assert.ok(equalBytes(a, a.slice()))
    }),
  )
  assert.not(equalBytes(Uint8Array.of(1, 2, 3), Uint8Array.of(1, 2)))
  assert.not(equalBytes(Uint8Array.of(1, 2, 3), Uint8Array.of(1, 2, 7)))
})

it('concatenation keeps order and length', () => {
  fc.assert(
    fc.property(fc.array(bytes, { maxLength: 7 }), (parts) => {
      assert.is(toHex(concat(parts)), parts.map(toHex).join(''))
    }),
  )
})

it('what the writer writes the reader reads, in big-endian order', () => {
  const u32 = fc.integer({ min: 0, max: 0xffffffff })
  fc.assert(
    fc.property(fc.nat(0xff), fc.nat(0xffff), u32, bytes, (small, medium, large, tail) => {
      const reader = new ByteReader(new ByteWriter().u8(small).u16(medium).u32(large).bytes(tail).finish())
      assert.equal([reader.u8(), reader.u16(), reader.u32()], [small, medium, large])
      assert.ok(equalBytes(reader.bytes(tail.length), tail))
      reader.end()
    }),
  )
  assert.is(toHex(new ByteWriter().u8(0xfe).u16(0x0102).u32(0xf1020304).finish()), 'fe0102f1020304')
})

it('the reader sees only its view, and gives copies of it', () => {
  const memory = Uint8Array.of(9, 1, 2, 3, 9)
  const reader = new ByteReader(memory.subarray(1, 4))
  const first = reader.bytes(2)
  memory.fill(7)
  assert.equal([...first], [1, 2])
  assert.is(first.byteOffset, 0)
  assert.is(reader.left, 1)
})

it('reading past the end is refused and moves nothing', () => {
  for (const read of ['u8', 'u16', 'u32'] as const) {
    assert.is(
      refusal(() => new ByteReader(new Uint8Array(0))[read]()),
      'truncated',
    )
  }
  const reader = new ByteReader(Uint8Array.of(5, 6, 7))
  assert.is(
    refusal(() => reader.u32()),
    'truncated',
  )
  assert.is(
    refusal(() => reader.bytes(4_000_000_000)),
    'truncated',
  )
  assert.is(reader.left, 3)
  assert.is(reader.u16(), 0x0506)
})

it('bytes after the end are refused', () => {
  const reader = new ByteReader(Uint8Array.of(5, 6))
  reader.u8()
  assert.is(
    refusal(() => reader.end()),
    'trailing-bytes',
  )
})

it.run()

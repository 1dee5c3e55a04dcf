/** Identifiers: what is not exactly 64 lowercase digits never becomes one. */
import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { ConsiliumError } from '../../src/core/errors.ts'
import { compareIds, digest, memberId, studyId } from '../../src/core/ids.ts'
import { refusal } from './refusal.ts'

const it = suite('ids')

const KEY = '0123456789abcdef'.repeat(4)

for (const [what, parse] of Object.entries({ memberId, digest, studyId })) {
  it(`${what} keeps 64 lowercase hexadecimal digits as they are`, () => {
    assert.is(parse(KEY), KEY)
  })

  const wrong = {
    short: KEY.slice(1),
    long: `${KEY}0`,
    'upper case': KEY.toUpperCase(),
    padded: ` ${KEY}`,
    'with a newline': `${KEY}\n`,
  }
  for (const [kind, text] of Object.entries({ ...wrong, empty: '', 'not hex': `g${KEY.slice(1)}` })) {
    it(`${what} refuses what is ${kind}`, () => {
      assert.is(
        refusal(() => parse(text)),
        'bad-id',
      )
    })
  }
}

it('a refusal says in one short line what was given and what is expected, however long the text', () => {
  try {
    memberId('x'.repeat(100_000))
    assert.unreachable()
  } catch (error) {
    const { message } = error as ConsiliumError
    assert.match(message, /member key "x+" .*64 lowercase hexadecimal digits/)
    assert.ok(message.length < 200 && !message.includes('\n'))
  }
})

it('ids are ordered as their bytes are, whatever the locale', () => {
  const id = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('hex'))
  fc.assert(
    fc.property(id, id, (a, b) => {
      assert.is(compareIds(a, b), Buffer.compare(Buffer.from(a, 'hex'), Buffer.from(b, 'hex')))
      assert.is(compareIds(a, b), -compareIds(b, a) + 0)
      assert.is(compareIds(a, a), 0)
    }),
  )
  assert.equal(['b', 'B', 'a', '1'].sort(compareIds), ['1', 'B', 'a', 'b'])
})

it.run()

/** An arm sealed for one site and one enrolment: nobody else opens it, and nothing of it shows. */
import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { utf8 } from '../../src/core/bytes.ts'
import { sha256 } from '../../src/core/digest.ts'
import { openAllocation, sealAllocation, sealingKey } from '../../src/daemon/trialSeal.ts'

const it = suite('trial seal')
const secret = sha256(utf8('a participant'))
const context = sha256(utf8('an enrolment'))
const allocation = { arm: 3, salt: sha256(utf8('salt')) }

it('opens for the secret and the enrolment that it was sealed for, and for no other', () => {
  const sealed = sealAllocation(sealingKey(secret), context, allocation) as Uint8Array
  assert.equal(openAllocation(secret, context, sealed), allocation)
  assert.is(openAllocation(sha256(secret), context, sealed), null)
  assert.is(openAllocation(secret, sha256(context), sealed), null)
})

it('any changed or missing byte is found', () => {
  const sealed = sealAllocation(sealingKey(secret), context, allocation) as Uint8Array
  fc.assert(
    fc.property(fc.integer({ min: 0, max: sealed.length - 1 }), fc.integer({ min: 1, max: 127 }), (at, by) => {
      // the highest bit of an X25519 key is not read (RFC 7748 §5), but it is part of what is sealed with
      const changed = sealed.map((byte, i) => (i === at ? byte ^ by : byte))
      assert.is(openAllocation(secret, context, changed), null)
      assert.is(openAllocation(secret, context, sealed.subarray(0, at)), null)
    }),
    { numRuns: 60 },
  )
})

it('two arms have the same length, and the same arm twice has other bytes', () => {
  const key = sealingKey(secret)
  const [a, b, c] = [0, 0, 7].map((arm) => sealAllocation(key, context, { ...allocation, arm })) as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ]
  assert.equal([a.length, b.length, c.length], [93, 93, 93])
  assert.not.equal(a, b)
})

it('a key that is no key seals nothing, and never throws', () => {
  assert.is(sealAllocation(new Uint8Array(32), context, allocation), null)
})

it.run()

/** An arm sealed for one site and one enrolment: nobody else opens it, and nothing of it shows. */
import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { utf8 } from '../../src/core/bytes.ts'
import { sha256 } from '../../src/core/digest.ts'
import type { SubjectKeyReport } from '../../src/daemon/consentApi.ts'
import { subjectKey } from '../../src/daemon/patientFile.ts'
import { openAllocation, sealAllocation, sealingKey } from '../../src/daemon/trialSeal.ts'
import { formatSubjectKey } from '../../src/governance/subjectKey.ts'
import type { TrialId } from '../../src/governance/trials/book.ts'
import { participantSecret } from '../../src/governance/trials/enrolment.ts'
import type { VaultSubject } from '../../src/governance/vaultBook.ts'
import { HOSPITAL, Kept, STUDY } from '../governance/keptBook.ts'

const it = suite('trial seal')
const secret = sha256(utf8('a participant'))
const context = sha256(utf8('an enrolment'))
const TRIAL = STUDY as string as TrialId
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

it('what a patient is handed opens no arm; when the patient is erased, nothing that is left in the vault opens it', async () => {
  const kept = new Kept()
  kept.admit('QX-70013', 'QX-70014')
  const { trialKey, key } = kept.book.subject('QX-70013') as VaultSubject
  const secret = participantSecret({ trialKey }, TRIAL, HOSPITAL)
  const sealed = sealAllocation(sealingKey(secret), context, allocation) as Uint8Array
  const opens = (held: Uint8Array): boolean =>
    openAllocation(participantSecret({ trialKey: held }, TRIAL, HOSPITAL), context, sealed) !== null
  const vaultOpens = (): boolean => kept.records.some((record) => windowsOf(record).some(opens))

  assert.is((await handedOut(kept, 'QX-70013')).key, formatSubjectKey(key))
  assert.is(opens(key), false)
  assert.is(vaultOpens(), true)
  kept.forget('QX-70013')
  assert.is(vaultOpens(), false)
  assert.ok(opens(trialKey) && kept.book.subject('QX-70014'))
})

/** As `subject key` gives it. */
function handedOut({ book }: Kept, record: string): Promise<SubjectKeyReport> {
  const writer = { record: () => undefined, flush: async () => undefined }
  const home = { config: { name: 'north' }, consortium: { name: 'trials', founding: HOSPITAL } }
  const vault = { book: async () => book }
  return subjectKey({ writer, home, vault } as unknown as Parameters<typeof subjectKey>[0], record)
}

/** All that could be a key of 32 bytes. */
const windowsOf = (record: Uint8Array): Uint8Array[] =>
  Array.from({ length: Math.max(0, record.length - 31) }, (_, at) => record.slice(at, at + 32))

it.run()

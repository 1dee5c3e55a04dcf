/** Who acts for a hospital, and whose sign-off counts: a fold over its log, and every way in which a sign-off can be wrong. */
import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { fromHex, toHex, utf8 } from '../../src/core/bytes.ts'
import { sha256 } from '../../src/core/digest.ts'
import { signingKey, verify } from '../../src/core/ed25519.ts'
import { judgeSignOff, PEOPLE_MAX, People, SIGN_OFF_MS_MAX, UsedRequests } from '../../src/governance/people.ts'
import { readPersonCard, writePersonCard } from '../../src/governance/personCard.ts'
import { ACTS, actAt, actNamed } from '../../src/governance/roles.ts'
import {
  personCommitment,
  readSignOff,
  requestOf,
  type SignOff,
  signOffMessage,
  writeSignOff,
} from '../../src/governance/signOff.ts'
import { ACCEPT, FOUNDING, HOSPITAL, NOW, OTHER, personKey, Story, signed } from './peopleKit.ts'

const it = suite('people')
/** Made with another implementation of SHA-256, CBOR and Ed25519 than ours. */
const HEADER =
  'hQFYINyXW-P7mTAsSy8T8EvnyYSp9Tn1rw7Imgbr08ousMqJWCAz39L1Y0LLc5JhovGTke5yqp7t49eVbpHijjAAkwhRbRsAAAGgxFBsAFhAILEHSTpSepG1iAdF8fwN43K2nX0PuM0RIK9qYM3sFE5VlKB-wHRcL5fG9b1Uek9CSK1_1o7kHol0VTPG_RyMAw'
const ACT = ACTS['POST /v1/studies/:/accept']
const WHERE = { founding: FOUNDING, member: HOSPITAL, nowMs: NOW + 1_000, sinceMs: NOW - 60_000 }

function peopleOf(tell: (story: Story) => void): People {
  const story = new Story()
  tell(story)
  const people = new People()
  for (const entry of story.entries) people.fold(entry)
  return people
}

const STAFF = (story: Story): void => {
  story.enrol('bo', 'operator', 'auditor')
  story.enrol('ada', 'approver')
  story.enrol('cy', 'approver')
  story.revoke('cy', 'key-stolen')
}

it('nobody has to sign before the first approver is enrolled, and everybody from then on, until a reset', () => {
  assert.is(peopleOf((story) => story.enrol('bo', 'operator')).required, null)
  assert.is(peopleOf(STAFF).required?.seq, 1)
  const revoked = peopleOf((story) => {
    STAFF(story)
    story.revoke('ada')
  })
  assert.is(revoked.required?.seq, 1, 'that no approver is left opens no door')
  const reset = peopleOf((story) => {
    STAFF(story)
    story.add('person.reset', { reason: 'key-lost' })
    story.enrol('di', 'operator')
  })
  assert.equal([reset.required, reset.all().length], [null, 1])
  assert.is(reset.holding(personKey('ada').member), undefined, 'enrolments before a reset are void')
})

it('a person has the roles of the newest enrolment of that key; a revocation is not taken back', () => {
  const people = peopleOf((story) => {
    story.enrol('ada', 'approver')
    story.add('person.enrolled', {
      person: sha256(utf8('anew')),
      key: fromHex(personKey('ada').member),
      roles: ['operator'],
    })
  })
  assert.equal(people.holding(personKey('ada').member)?.roles, ['operator'])
  assert.equal(
    people.all().map(({ ended }) => ended?.reason ?? null),
    ['enrolled-again', null],
  )
  const twice = peopleOf((story) => {
    story.enrol('ada', 'approver')
    story.revoke('ada', 'left')
    story.enrol('ada', 'approver') // the same commitment: a copied entry
  })
  assert.is(twice.holding(personKey('ada').member)?.ended?.reason, 'left')
})

it('what does not fit, and what is one too many, is skipped', () => {
  const people = peopleOf((story) => {
    story.add('person.enrolled', { person: sha256(utf8('x')), key: new Uint8Array(31), roles: ['approver'] })
    story.add('person.enrolled', { person: sha256(utf8('x')), key: new Uint8Array(32), roles: ['director'] })
    story.add('person.reset', { reason: 'Dr. Ada Lind has left' })
    story.add('person.revoked', null)
    for (let i = 0; i <= PEOPLE_MAX; i++)
      story.add('person.enrolled', { person: sha256(utf8(`p${i}`)), key: sha256(utf8(`k${i}`)), roles: ['auditor'] })
  })
  assert.equal([people.all().length, people.isFull], [PEOPLE_MAX, true])
})

it('a person signs: the bytes are these, for good', () => {
  const { salt } = signed('ada', ACCEPT, 'study.accept')
  const request = requestOf(ACCEPT, salt)
  assert.is(toHex(request), 'c64fd8d9c4278a347f9ee9e1207454f5ef9cf5ff0a7de4272e12d4187e30a14a')
  const message = signOffMessage({ founding: FOUNDING, member: HOSPITAL, action: 'study.accept', request, timeMs: NOW })
  assert.is(toHex(sha256(message)), 'e9259e72297483b92e04d9f513bae921ab7bd517d35559b436f30ba1a46b1c60')
  assert.is(writeSignOff(signed('ada', ACCEPT, 'study.accept')), HEADER)
  assert.is(
    toHex(personCommitment(salt, 'Dr. Ada Lind', personKey('ada').member)),
    'fadfbe1da5ebf7553f9034acd5273f915ab56689d7d011fba9149e40d0f8eb33',
  )
})

/** Each row breaks one thing. */
const FAULTS: readonly [what: string, fault: string, made: () => SignOff][] = [
  ['nobody who is enrolled', 'unknown', () => signed('eve', ACCEPT, 'study.accept')],
  ['somebody whose key was revoked', 'ended', () => signed('cy', ACCEPT, 'study.accept')],
  ['somebody without the role', 'role', () => signed('bo', ACCEPT, 'study.accept')],
  ['another act', 'signature', () => signed('ada', ACCEPT, 'study.pause')],
  ['another body', 'signature', () => signed('ada', { ...ACCEPT, bodyHash: sha256(utf8('{"a":1}')) }, 'study.accept')],
  ['another path', 'signature', () => signed('ada', { ...ACCEPT, path: '/v1/studies/ab13/accept' }, 'study.accept')],
  ['another method', 'signature', () => signed('ada', { ...ACCEPT, method: 'PUT' }, 'study.accept')],
  ['another hospital', 'signature', () => signed('ada', ACCEPT, 'study.accept', { member: OTHER })],
  [
    'another consortium',
    'signature',
    () => signed('ada', ACCEPT, 'study.accept', { founding: toHex(sha256(utf8('theirs'))) as typeof FOUNDING }),
  ],
  ['another time', 'signature', () => ({ ...signed('ada', ACCEPT, 'study.accept'), timeMs: NOW + 1 })],
  ['another salt', 'signature', () => ({ ...signed('ada', ACCEPT, 'study.accept'), salt: sha256(utf8('y')) })],
  [
    'another key’s hand',
    'signature',
    () => ({ ...signed('bo', ACCEPT, 'study.accept'), key: personKey('ada').member }),
  ],
  ['too long ago', 'late', () => signed('ada', ACCEPT, 'study.accept', { timeMs: WHERE.nowMs - SIGN_OFF_MS_MAX - 1 })],
  [
    'too far ahead',
    'early',
    () => signed('ada', ACCEPT, 'study.accept', { timeMs: WHERE.nowMs + SIGN_OFF_MS_MAX + 1 }),
  ],
  [
    'before the node started',
    'before-start',
    () => signed('ada', ACCEPT, 'study.accept', { timeMs: WHERE.sinceMs - 1 }),
  ],
]

for (const [what, fault, made] of FAULTS) {
  it(`a sign-off by or for ${what} does not count`, () => {
    const judged = judgeSignOff(peopleOf(STAFF), ACT, ACCEPT, made(), WHERE)
    assert.is('fault' in judged ? judged.fault : 'counts', fault)
  })
}

it('a sign-off counts to the last moment of its five minutes', () => {
  for (const timeMs of [NOW, WHERE.sinceMs, WHERE.nowMs + SIGN_OFF_MS_MAX]) {
    const judged = judgeSignOff(peopleOf(STAFF), ACT, ACCEPT, signed('ada', ACCEPT, 'study.accept', { timeMs }), WHERE)
    assert.ok('signed' in judged, String(timeMs))
  }
})

it('a call is carried out once, whatever else is asked in between, and memory is bounded', () => {
  const used = new UsedRequests(3)
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((text) => sha256(utf8(text))) as [
    ...[Uint8Array, Uint8Array, Uint8Array, Uint8Array],
  ]
  assert.equal([used.take(a, 10, 10), used.take(a, 10, 10), used.take(b, 20, 20)], ['new', 'used', 'new'])
  assert.equal([used.take(c, 30, 30), used.take(d, 40, 40)], ['new', 'full'])
  assert.is(used.take(a, 10, 40), 'used', 'what is full forgets nothing that could be sent again')
  const later = 20 + SIGN_OFF_MS_MAX // a is too old to be taken now, b is not
  assert.equal([used.take(d, later, later), used.take(b, 20, later)], ['new', 'used'])
})

it('a header that is anything else than a sign-off, in one spelling, is none', () => {
  const header = writeSignOff(signed('ada', ACCEPT, 'study.accept'))
  assert.equal(writeSignOff(readSignOff(header) as SignOff), header)
  for (const wrong of ['', header.slice(1), `${header}=`, `${header}A`, header.replace(/^./, 'A'), 'A'.repeat(600)])
    assert.is(readSignOff(wrong), null, wrong.slice(0, 20))
  fc.assert(
    fc.property(fc.nat(header.length - 1), fc.constantFrom(...'ABCwxyz019-_'), (at, letter) => {
      const altered = `${header.slice(0, at)}${letter}${header.slice(at + 1)}`
      const read = readSignOff(altered)
      if (altered === header || read === null) return
      const judged = judgeSignOff(peopleOf(STAFF), ACT, ACCEPT, read, WHERE)
      assert.ok('fault' in judged, altered)
    }),
  )
})

it('a card is of who made it: another name, another key or half a line are refused', () => {
  const card = writePersonCard('Dr. Ada Lind', personKey('ada'))
  assert.equal(readPersonCard(`${card}\n`, 'card'), { name: 'Dr. Ada Lind', key: personKey('ada').member })
  const foreign = { member: personKey('bo').member, sign: personKey('ada').sign }
  const wrong = [
    card.slice(0, -3),
    card.replace('consilium-person-1', 'consilium-card-1'),
    writePersonCard('Bo', foreign),
  ]
  for (const one of wrong) assert.throws(() => readPersonCard(one, 'card'), /card/, one)
  assert.throws(() => writePersonCard('Ada\nLind', personKey('ada')), /printable/)
})

it('an act is found by its call, and has a name of its own', () => {
  assert.is(actAt('POST', '/v1/studies/ab12/accept'), ACT)
  assert.is(actAt('POST', '/v1/models/x/export?big=1')?.action, 'model.export')
  assert.equal([actAt('GET', '/v1/studies/ab12/accept'), actAt('POST', '/v1/nothing')], [null, null])
  for (const act of Object.values(ACTS)) assert.is(actNamed(act.action), act, `${act.action} names one act`)
})

it('an auditor changes nothing: no act that leads to an entry is theirs', () => {
  for (const { action, roles, leads } of Object.values(ACTS))
    if (roles.includes('auditor')) assert.equal(leads, [], action)
})

it('a signature under a person’s key is no signature under another domain', () => {
  const key = signingKey(sha256(utf8('z')))
  const message = signOffMessage({
    ...{ founding: FOUNDING, member: HOSPITAL, action: 'study.accept', request: sha256(), timeMs: NOW },
  })
  assert.ok(verify(key.member, message, key.sign(message)))
  assert.is(Buffer.from(message).toString('latin1').indexOf('consilium/sign-off/v1\0'), 0)
})

it.run()

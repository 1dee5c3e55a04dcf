/** The audit of sign-offs: whoever holds a log finds each that does not hold, and each act that has none. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { utf8 } from '../../src/core/bytes.ts'
import { sha256 } from '../../src/core/digest.ts'
import { SignOffAudit } from '../../src/governance/signOffAudit.ts'
import { FOUNDING, NOW, Story } from './peopleKit.ts'

const it = suite('sign-off audit')
const DAY_MS = 86_400_000

function audit(tell: (story: Story) => void): SignOffAudit {
  const story = new Story()
  story.enrol('bo', 'operator')
  story.enrol('ada', 'approver')
  tell(story)
  const audited = new SignOffAudit(FOUNDING)
  for (const entry of story.entries) audited.take(entry)
  return audited
}

it('a log in which every act was signed for holds, and each entry says by whom', () => {
  const tell = (story: Story): void => {
    const proposed = story.add('study.proposed', {})
    const accepted = story.add('study.accepted', {})
    story.act('ada', 'study.add', [proposed, accepted])
    story.add('round.trained', {})
    const paused = story.add('study.paused', {})
    story.act('bo', 'study.pause', [paused])
    story.act('bo', 'consent.show', [])
    story.add('node.stopped', {})
  }
  const audited = audit(tell)
  const { signOffs, unsigned, faults } = audited.finish()
  assert.equal([signOffs, unsigned, faults], [3, 0, []])
  const of = (seq: number) => [audited.signedFor(seq)?.action, audited.signedFor(seq)?.fault]
  assert.equal([2, 4, 6, 8].map(of), [
    ['study.add', null],
    ['study.add', null],
    ['study.pause', null],
    ['consent.show', null],
  ])
  assert.is(audited.signedFor(5), null, 'a round is nobody’s act')
})

it('who ends or renews the own enrolment has signed for that, and for nothing after', () => {
  const audited = audit((story) => {
    story.act('ada', 'person.enrol', [story.enrol('cy', 'approver')])
    story.act('ada', 'person.revoke', [story.revoke('ada')])
    story.act('ada', 'consent.show', [])
  })
  assert.equal(
    audited.finish().faults.map(({ seq }) => seq),
    [6],
  )
})

/** Each row does one thing wrong, after both were enrolled as entries 0 and 1; what is found, as a pattern. */
const WRONG: readonly [what: string, tell: (story: Story) => void, finds: RegExp][] = [
  ['an act without a sign-off', (s) => void s.add('study.accepted', {}), /^2: study\.accepted has no sign-off/],
  [
    'an act whose sign-off comes after something else',
    (s) => {
      const accepted = s.add('study.accepted', {})
      s.add('round.trained', {})
      s.act('ada', 'study.accept', [accepted])
    },
    /^2: study\.accepted has no sign-off/,
  ],
  [
    'another key’s signature',
    (s) => void s.act('ada', 'study.accept', [s.add('study.accepted', {})], { by: 'bo' }),
    /^3: .*signature is not by the key/,
  ],
  [
    'a signature for another consortium',
    (s) => void s.act('ada', 'study.accept', [s.add('study.accepted', {})], { founding: 'f'.repeat(64) as never }),
    /^3: .*signature/,
  ],
  [
    'a role that does not suffice',
    (s) => void s.act('bo', 'study.accept', [s.add('study.accepted', {})]),
    /^3: .*needs the role approver, and this person has operator/,
  ],
  [
    'a person who was revoked',
    (s) => {
      s.act('ada', 'person.revoke', [s.revoke('bo')])
      s.act('bo', 'study.pause', [s.add('study.paused', {})])
    },
    /^5: .*acts here no longer, since entry 2/,
  ],
  [
    'a person who was never enrolled',
    (s) => void s.act('eve', 'study.pause', [s.add('study.paused', {})]),
    /nobody is enrolled/,
  ],
  [
    'an entry of another kind than the act leads to',
    (s) => void s.act('bo', 'study.pause', [s.add('study.accepted', {})]),
    /^3: .*cites an entry of kind study\.accepted, and study\.pause leads to none/,
  ],
  [
    'a sign-off used twice',
    (s) => {
      s.act('bo', 'study.pause', [s.add('study.paused', {})], { call: 'one' })
      s.act('bo', 'study.pause', [s.add('study.paused', {})], { call: 'one' })
    },
    /^5: .*used twice/,
  ],
  [
    'a second part that is no part of it',
    (s) => void s.act('bo', 'study.pause', [s.add('study.paused', {})], { part: 1 }),
    /^3: .*part 1 of a request that has 0/,
  ],
  [
    'an old sign-off kept for later',
    (s) => void s.act('bo', 'study.pause', [s.add('study.paused', {})], { timeMs: NOW - DAY_MS }),
    /^3: .*more than a day/,
  ],
  [
    'an entry that another has signed for',
    (s) => {
      const paused = s.add('study.paused', {})
      s.act('bo', 'study.pause', [paused])
      s.act('bo', 'study.pause', [paused], { call: 'again' })
    },
    /^4: .*entry 2 has a sign-off before/,
  ],
  [
    'a sign-off whose body is gone',
    (s) => {
      const { refs } = s.act('bo', 'study.pause', [])
      s.entries.pop()
      s.add('person.acted', null, refs)
    },
    /^2: .*its body is gone/,
  ],
  [
    'an enrolment by nobody',
    (s) => void s.add('person.enrolled', { person: sha256(), key: sha256(utf8('k')), roles: ['approver'] }),
    /^2: person\.enrolled has no sign-off/,
  ],
]

for (const [what, tell, finds] of WRONG) {
  it(`${what} is found`, () => {
    const lines = audit(tell)
      .finish()
      .faults.map(({ seq, what: says }) => `${seq}: ${says}`)
    assert.match(lines[0] ?? 'nothing', finds)
  })
}

it('before the first approver, and after a reset, which is told, nobody has to sign', () => {
  const story = new Story()
  story.add('study.accepted', {})
  story.enrol('bo', 'operator')
  story.enrol('ada', 'approver')
  story.add('person.reset', { reason: 'key-lost' })
  story.add('study.accepted', {})
  story.enrol('ada', 'approver')
  const audited = new SignOffAudit(FOUNDING)
  for (const entry of story.entries) audited.take(entry)
  assert.equal(audited.finish(), {
    resets: [{ seq: 3, reason: 'key-lost' }],
    ...{ signOffs: 0, unsigned: 0, faults: [], dropped: 0 },
  })
})

it('what is told is bounded, what is found is not', () => {
  const { unsigned, faults, dropped } = audit((story) => {
    for (let i = 0; i < 2_500; i++) story.add('study.paused', {})
  }).finish()
  assert.equal([unsigned, faults.length, dropped], [2_500, 1_000, 1_500])
})

it.run()

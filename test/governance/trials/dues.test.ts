/** Who is due an arm: found the same whatever was looked at before, and not looked for again where nothing has changed that it rests on. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { fromHex } from '../../../src/core/bytes.ts'
import type { MemberId } from '../../../src/core/ids.ts'
import { Rng } from '../../../src/core/rng.ts'
import type { Cut } from '../../../src/governance/agreements.ts'
import { TrialBook } from '../../../src/governance/trials/book.ts'
import { Dues } from '../../../src/governance/trials/dues.ts'
import { examineTrial } from '../../../src/governance/trials/findings.ts'
import { FOUNDING } from '../peopleKit.ts'
import { begun, cutAt, NORTH, SOUTH, SPONSOR, type Story, type Told, WEST } from './kit.ts'

const it = suite('trial dues')
const APPROVAL = { what: 'approval', meaning: 'investigator-agreement' }

/** A site's enrolment with somebody's sign-off. */
function enrolled(story: Story, patient: string, list: Told, position: number, rests: readonly Told[]): Told {
  const entry = story.enrol(NORTH, patient, list, position, rests)
  story.act(NORTH, 'Ada', 'trial.enrol', entry)
  return entry
}

const due = (dues: Dues, book: TrialBook, story: Story, cut: Cut): string =>
  dues
    .in(book, story.record(book), cut)
    .map(({ word }) => word.place.seq)
    .join(' ')

it('a trial is gone through when something has changed that an outcome rests on, and never for what befalls participants', () => {
  const { story, protocol, lists, rests } = begun()
  const wrong = enrolled(story, 'P', lists.north, 0, rests.north.slice(0, 1))
  story.allocate(enrolled(story, 'Q', lists.north, 1, rests.north), `list of ${NORTH}`)
  const book = story.book()
  let examined = 0
  const dues = new Dues(WEST, (...given) => {
    examined++
    return examineTrial(...given)
  })
  const look = (final: Partial<Record<MemberId, number>> = {}): string => due(dues, book, story, cutAt(final))
  assert.equal([look({ [NORTH]: wrong.seq }), examined], ['', 0], 'nothing final waits')
  assert.equal([look({ [WEST]: 99 }), look({ [WEST]: 100 }), examined], ['', '', 1])
  for (let i = 0; i < 30; i++) {
    book.tell(story.event(NORTH, 'Q', 'visit'))
    assert.is(look({ [NORTH]: 90 + i, [WEST]: 100 + i }), '')
  }
  assert.is(examined, 1)
  const next = enrolled(story, 'R', lists.north, 2, rests.north)
  for (const entry of story.entries.slice(-2)) book.tell(entry)
  assert.equal([look({ [NORTH]: next.seq }), examined], ['', 2], 'not final yet')
  assert.equal([look(), look(), examined], [`${next.seq}`, `${next.seq}`, 4], 'until it is given')
  book.tell(story.withdraw(NORTH, APPROVAL))
  assert.equal([look(), look(), examined], ['', '', 5])
  const { seq } = story.approve(NORTH, 'Ada', protocol, 'investigator-agreement')
  book.tell(story.entries.at(-1) as Told)
  assert.equal([look({ [NORTH]: seq }), look({ [NORTH]: seq + 1 }), examined], ['', `${next.seq}`, 7])
  dues.settle(book, story.record(book), cutAt({}))
  assert.equal([look(), examined], ['', 7])
})

it('who was stopped is due an arm when the lock is lifted and that is final, and when a version that goes on was consented to', () => {
  const { story, protocol, lists, rests } = begun()
  const { seq } = enrolled(story, 'P', lists.north, 0, rests.north)
  const dues = new Dues(WEST)
  const book = new TrialBook(FOUNDING)
  let told = 0
  const look = (final: Partial<Record<MemberId, number>> = {}): string => {
    for (; told < story.entries.length; told++) book.tell(story.entries[told] as Told)
    return due(dues, book, story, cutAt(final))
  }
  assert.is(look(), `${seq}`)
  const lock = story.lock(NORTH, 'Ada', null)
  assert.is(look(), '')
  const lifted = story.unlock(NORTH, 'Ada', lock).seq
  assert.equal([look({ [NORTH]: lifted }), look({ [NORTH]: lifted + 1 })], ['', `${seq}`])
  story.withdraw(NORTH, {})
  assert.is(look(), '')
  const next = story.propose({}, SPONSOR, protocol)
  story.approve(WEST, 'Cy', next, 'ethics-approval')
  story.approve(NORTH, 'Ada', next, 'investigator-agreement')
  assert.is(look(), '')
  story.event(NORTH, 'P', 're-consented', 2)
  assert.is(look(), `${seq}`)
})

it('whoever has looked before finds the same as who looks for the first time, after each entry and at each cut', () => {
  let found = 0
  for (let seed = 1; seed <= 12; seed++) {
    const rng = Rng.from('trial dues', seed)
    const story = eventful(rng)
    const book = new TrialBook(FOUNDING)
    const dues = new Dues(WEST)
    for (const entry of story.entries) {
      book.tell(entry)
      if (book.get(story.trial) === undefined) continue
      for (let i = 0; i < 3; i++) {
        const cut = cutAt(Object.fromEntries([NORTH, SOUTH, SPONSOR, WEST].map((one) => [one, rng.below(60)])))
        const first = due(new Dues(WEST), book, story, cut)
        assert.is(due(dues, book, story, cut), first, `seed ${seed}, after entry ${entry.lamport}`)
        if (first !== '') found++
      }
    }
  }
  assert.ok(found > 50, `${found} looks found anybody`)
})

/** Enrolments, sound and unsound, between all that lets them wait or go on. */
function eventful(rng: Rng): Story {
  const { story, lists, rests, protocol } = begun()
  const given: Told[] = []
  let [position, lock] = [0, null as Told | null]
  const steps: (() => unknown)[] = [
    () => given.push(enrolled(story, `P${position}`, lists.north, position++, rests.north)),
    () => given.push(story.enrol(NORTH, `P${position}`, lists.north, position++, rests.north)),
    () => story.act(NORTH, 'Ada', 'trial.enrol', given.at(-1) ?? protocol),
    () => enrolled(story, `P${rng.below(4)}`, lists.north, rng.below(7), rests.north),
    () => given.length > 0 && story.allocate(given.shift() as Told, `list of ${NORTH}`, 6, 0),
    () => story.event(NORTH, `P${rng.below(4)}`, rng.below(2) === 0 ? 'visit' : 're-consented', 1 + rng.below(2)),
    () => story.withdraw(NORTH, APPROVAL),
    () => story.approve(NORTH, 'Ada', protocol, 'investigator-agreement'),
    () => story.open(NORTH, lists.north, `list of ${NORTH}`, rng.below(6)),
    () => {
      lock = story.lock(SPONSOR, 'Di', lock, position + 1)
    },
    () => lock !== null && story.unlock(SPONSOR, 'Di', lock),
    () => rng.below(6) === 0 && story.withdraw(SPONSOR, {}),
    () => rng.below(6) === 0 && story.propose({ previous: fromHex(protocol.hash) }, SPONSOR, protocol),
  ]
  for (let i = 0; i < 25; i++) steps[rng.below(steps.length)]?.()
  return story
}

it.run()

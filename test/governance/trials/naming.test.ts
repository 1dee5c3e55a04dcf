/** Names of trials: nobody makes one unclear where a hospital has spoken, and none decides between trials elsewhere. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { fromHex } from '../../../src/core/bytes.ts'
import { isTrialCode } from '../../../src/governance/kinds/trials.ts'
import { nameFault, severalText, trialRef, trialsMeant } from '../../../src/governance/trials/naming.ts'
import { begun, NORTH, SOUTH, SPONSOR, STRANGER, type Story, type Told, WEST } from './kit.ts'

const it = suite('names of trials')
const called = (member: string): string => `hospital ${member[0]}`

/** Another trial in the same logs, under a name of its author's choice. */
function another(story: Story, name: string, author = STRANGER): Told {
  const { trial } = story
  const told = story.propose({ name, sites: [fromHex(author), fromHex(NORTH)] }, author)
  story.trial = trial
  return told
}

it('a name that a stranger takes after a trial means that trial, as before, wherever somebody has spoken in it', () => {
  const { story } = begun()
  const other = another(story, 'stroke-2')
  story.add(STRANGER, 'trial.withdrawn', {
    ...{ trial: fromHex(story.trial), what: 'halt', version: 1, meaning: null, reason: 'safety' },
  })
  const book = story.book()
  for (const self of [SPONSOR, NORTH, SOUTH, WEST]) {
    assert.equal(
      trialsMeant(book, 'stroke-2', self).map(({ id }) => id),
      [story.trial],
    )
    assert.is(trialRef(book, story.record(book), self), 'stroke-2')
    assert.is(trialRef(book, book.trials().find(({ id }) => id === other.hash) as never, self), other.hash.slice(0, 20))
  }
})

it('where nobody has spoken in either, or somebody in both, the name means neither, and what is printed is digits', () => {
  const { story } = begun()
  const other = another(story, 'stroke-2')
  for (const self of [null, '6'.repeat(64) as typeof NORTH, STRANGER]) {
    if (self === STRANGER) story.approve(STRANGER, 'Eve', story.entries[4] as Told, 'ethics-approval')
    const book = story.book()
    const found = trialsMeant(book, 'stroke-2', self)
    assert.is(found.length, 2)
    assert.match(
      severalText('stroke-2', found, called),
      new RegExp(`^"stroke-2" fits 2 trials: .*${other.hash.slice(0, 20)} of hospital 5.*; give digits$`),
    )
    for (const record of found) {
      const ref = trialRef(book, record, self)
      assert.is(ref, record.id.slice(0, 20))
      assert.equal(trialsMeant(book, ref, self), [record])
    }
  }
})

it('digits are told at a length that no name has: a trial that is named after them hides nothing', () => {
  const { story } = begun()
  another(story, 'stroke-2')
  const ref = trialRef(story.book(), story.record(), null)
  assert.is(trialsMeant(story.book(), ref, null).length, 1)
  assert.not.ok(isTrialCode(`a${ref.slice(1)}`))
  assert.ok(isTrialCode(`a${ref.slice(1, 16)}`))
  assert.is(trialsMeant(story.book(), ref.slice(0, 5), null).length, 0)
})

it('a new trial takes no name that a trial has here: its own sponsor is told to amend it, all others to choose', () => {
  const { story } = begun()
  const book = story.book()
  const own = nameFault(book, 'stroke-2', SPONSOR, called)
  assert.match(own ?? '', /^name: "stroke-2" is taken, by [0-9a-f]{20} of hospital 1: amend it .*amend stroke-2 FILE/)
  const away = nameFault(book, 'stroke-2', STRANGER, called)
  assert.match(away ?? '', /of hospital 1: choose another name$/)
  assert.is(nameFault(book, 'stroke-3', STRANGER, called), null)
})

it('a version with another name is none: a trial cannot be renamed to a name that another has', () => {
  const { story, protocol } = begun()
  story.propose({ name: 'other' }, SPONSOR, protocol)
  assert.is(story.record().versions.length, 1)
  story.propose({}, SPONSOR, protocol)
  assert.is(story.record().versions.length, 2)
})

it.run()

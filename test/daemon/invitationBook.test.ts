/** Invitations as they are kept: one use, one hospital, an end, and bounds. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { MemberId } from '../../src/core/ids.ts'
import { type Invitation, InvitationBook } from '../../src/daemon/invitationBook.ts'
import { refusal } from '../core/refusal.ts'
import { keyOf } from '../gossip/fixtures.ts'

const it = suite('invitation book')
const NOW = 1_790_000_000_000
const guest = (i: number): MemberId => keyOf(`guest ${i}`).member
const invited = (i: number, more: Partial<Invitation> = {}): Invitation => {
  const plain = { name: null, observer: false, propose: false, madeMs: NOW, revoked: false, card: null }
  return { guest: guest(i), expiresMs: NOW + 1_000, ...plain, ...more }
}
const cardOf = (name: string) => ({ name, key: keyOf(name).member, text: `card of ${name}`, cameMs: NOW })
const codeOf = (act: () => unknown) => refusal(act)

it('a guest comes in while its invitation is open, and not before, after, or revoked', () => {
  const book = new InvitationBook([invited(1), invited(2, { expiresMs: NOW })])
  assert.is(book.of(guest(1), NOW)?.guest, guest(1))
  assert.is(book.of(guest(1), NOW + 1_000), undefined)
  assert.is(book.of(guest(2), NOW), undefined)
  assert.is(book.of(guest(3), NOW), undefined)
  book.revoke(guest(1).slice(0, 6))
  assert.is(book.of(guest(1), NOW), undefined)
})

it('the first card binds it: the same hospital may come again, another may not', () => {
  const book = new InvitationBook([invited(1)])
  const open = () => book.of(guest(1), NOW) as Invitation
  assert.is(book.handOver(open(), cardOf('St. Mary')).card?.name, 'St. Mary')
  assert.is(book.handOver(open(), { ...cardOf('St. Mary'), cameMs: NOW + 9 }).card?.cameMs, NOW, 'as it came first')
  assert.is(
    codeOf(() => book.handOver(open(), cardOf('Eve'))),
    'ticket-used',
  )
  assert.is(book.all()[0]?.card?.name, 'St. Mary')
})

it('a ticket for one hospital is of no use to one of another name', () => {
  const book = new InvitationBook([invited(1, { name: 'St. Mary' })])
  assert.is(
    codeOf(() => book.handOver(book.all()[0] as Invitation, cardOf('Eve'))),
    'ticket-name',
  )
  assert.is(book.handOver(book.all()[0] as Invitation, cardOf('St. Mary')).card?.name, 'St. Mary')
})

it('so many may be open, so many closed ones are remembered', () => {
  const book = new InvitationBook()
  for (let i = 0; i < 32; i++) book.add(invited(i), NOW)
  assert.is(
    codeOf(() => book.add(invited(99), NOW)),
    'invitations-full',
  )
  for (let i = 100; i < 300; i++) book.add(invited(i, { expiresMs: NOW + 2_000 + i }), NOW + 2_000 + i)
  assert.ok(book.all().length <= 65 + 32, String(book.all().length))
  assert.is(book.all()[0]?.guest, guest(299), 'the newest first')
})

it('it is found by 6 digits or more, and the file by nobody’s hand', () => {
  const book = new InvitationBook([invited(1), invited(2)])
  assert.is(book.find(guest(2).slice(0, 12)).guest, guest(2))
  assert.is(
    codeOf(() => book.find(guest(2).slice(0, 5))),
    'invitation-unknown',
  )
  assert.is(
    codeOf(() => book.find('ffffffff')),
    'invitation-unknown',
  )
  assert.equal(InvitationBook.read(book.text(), 'file').all(), book.all())
  const broken = ['', '{}', '[]', book.text().slice(0, -3), book.text().replace('"version": 1', '"version": 2')]
  for (const text of [...broken, book.text().replace('"revoked": false', '"revoked": 0')])
    assert.is(
      codeOf(() => InvitationBook.read(text, 'file')),
      'invitations-malformed',
      text.slice(0, 20),
    )
})

it.run()

/** Invitation tickets: what is written is read, nothing else is, and the secret goes nowhere. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { toHex } from '../../src/core/bytes.ts'
import { encodeCbor } from '../../src/core/cbor.ts'
import { sha256, taggedMessage } from '../../src/core/digest.ts'
import { publicKeyFromSeed, signingKey, verify } from '../../src/core/ed25519.ts'
import type { Digest } from '../../src/core/ids.ts'
import {
  guestOf,
  guestSeed,
  type JoinTicket,
  joiningMessage,
  readTicket,
  writeTicket,
} from '../../src/governance/ticket.ts'
import { refusal } from '../core/refusal.ts'

const it = suite('ticket')
const seedOf = (text: string): Uint8Array => sha256(Buffer.from(text))
const NORTH = signingKey(seedOf('north'))
const TICKET: JoinTicket = {
  consortium: 'Northern memory clinics',
  founding: toHex(seedOf('founding')) as Digest,
  epoch: 7,
  inviter: NORTH.member,
  addresses: ['/dns4/north.example/tcp/4801', '/ip4/10.0.0.7/tcp/4801'],
  name: 'St. Mary',
  observer: false,
  expiresMs: 1_790_000_000_000,
  secret: seedOf('secret'),
}
const TEXT = writeTicket(TICKET, NORTH.sign)
const codeOf = (text: string): string | null => refusal(() => readTicket(text, 'ticket', verify))

it('a ticket comes back as it was, with spaces and line ends around it', () => {
  assert.equal(readTicket(TEXT, 'ticket', verify), TICKET)
  assert.equal(readTicket(`  ${TEXT}\n`, 'ticket', verify), TICKET)
  const open: JoinTicket = { ...TICKET, name: null, observer: true, addresses: [] }
  assert.equal(readTicket(writeTicket(open, NORTH.sign), 'ticket', verify), open)
})

it('its form is frozen: tickets that are out are read by later versions', () => {
  assert.is(toHex(sha256(Buffer.from(TEXT))), FROZEN)
  assert.is(guestOf(TICKET), FROZEN_GUEST)
})

it('every bit that is flipped shows, and so does every letter', () => {
  const prefix = TEXT.indexOf(':') + 1
  const bytes = Buffer.from(TEXT.slice(prefix), 'base64url')
  for (let bit = 0; bit < bytes.length * 8; bit += bit % 8 === 7 ? 9 : 3) {
    const flipped = Buffer.from(bytes)
    flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7))
    const code = codeOf(TEXT.slice(0, prefix) + flipped.toString('base64url'))
    assert.ok(code === 'ticket-malformed' || code === 'bad-name', `bit ${bit}: ${code}`)
  }
  for (const wrong of [TEXT.slice(0, -1), `${TEXT}A`, TEXT.slice(0, prefix), '', 'consilium-card-1:AAAA', `${TEXT}=`])
    assert.is(codeOf(wrong), 'ticket-malformed', wrong.slice(-12))
})

it('one that another has signed is none, and neither is one of other fields', () => {
  assert.is(codeOf(writeTicket(TICKET, signingKey(seedOf('eve')).sign)), 'ticket-malformed')
  const fields = [1, 'Clinics', seedOf('a'), 7, seedOf('b'), [], null, false, 9, seedOf('c')] as const
  const ticketOf = (of: readonly unknown[]): string => {
    const content = encodeCbor(of as never)
    const signature = NORTH.sign(taggedMessage('ticket', content))
    return `consilium-ticket-1:${Buffer.from(encodeCbor([content, signature])).toString('base64url')}`
  }
  const changes: readonly (readonly [number, unknown])[] = [
    ...([
      [0, 2],
      [2, seedOf('a').subarray(1)],
      [3, -1],
      [3, 0.5],
      [4, 'key'],
      [5, ['/ip4', 4]],
    ] as const),
    ...([
      [5, new Array(17).fill('/')],
      [7, 1],
      [8, null],
      [9, new Uint8Array(31)],
      [10, 0],
    ] as const),
  ]
  for (const [at, value] of changes) {
    const of: unknown[] = [...fields]
    of[at] = value
    assert.is(codeOf(ticketOf(of)), 'ticket-malformed', `${at}: ${String(value)}`)
  }
})

it('the key of a guest is of one ticket, one inviter and one consortium', () => {
  assert.is(publicKeyFromSeed(guestSeed(TICKET)), guestOf(TICKET))
  const others = [
    { ...TICKET, secret: seedOf('another') },
    { ...TICKET, inviter: signingKey(seedOf('south')).member },
    { ...TICKET, founding: toHex(seedOf('others')) as Digest },
  ]
  assert.is(new Set([TICKET, ...others].map(guestOf)).size, 4)
  assert.not.equal(guestSeed(TICKET), TICKET.secret)
})

it('a card that is handed over is of who hands it over, to this inviter, as this guest', () => {
  const mary = signingKey(seedOf('mary'))
  const of = [TICKET.founding, TICKET.inviter, guestOf(TICKET), 'card'] as const
  const signature = mary.sign(joiningMessage(...of))
  assert.ok(verify(mary.member, joiningMessage(...of), signature))
  for (let at = 0; at < of.length; at++) {
    const other = [...of] as [Digest, typeof NORTH.member, typeof NORTH.member, string]
    other[at as 0] = (at === 3 ? 'another card' : toHex(seedOf('other'))) as Digest
    assert.not.ok(verify(mary.member, joiningMessage(...other), signature), `field ${at}`)
  }
})

const FROZEN = '07ca7a12804df0701c674af91e52b3d9b39d54b929d17ca3ea929abedd05bb07'
const FROZEN_GUEST = '28f11518efa6af5f9f84178a6ece7d09bea7060456ea012e987ad0e4add2a440'

it.run()

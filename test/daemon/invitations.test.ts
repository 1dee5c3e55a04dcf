/** Invitations at the node that gives them: what becomes of a card, and that no card is proposed where people have to sign for it. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { decodeCbor, encodeCbor } from '../../src/core/cbor.ts'
import { verify } from '../../src/core/ed25519.ts'
import type { MemberId } from '../../src/core/ids.ts'
import { type InvitationRequest, Invitations } from '../../src/daemon/invitations.ts'
import { writeCard } from '../../src/governance/founding.ts'
import { guestOf, joiningMessage, readTicket } from '../../src/governance/ticket.ts'
import { Membership } from '../../src/ledger/epoch.ts'
import type { Member } from '../../src/ledger/founding.ts'
import type { RequestHandler } from '../../src/net/transport.ts'
import { keyOf } from '../gossip/fixtures.ts'
import { ADA, FOUNDING } from './epochKit.ts'

const it = suite('invitations')
const PLAIN: InvitationRequest = { name: null, days: 1, observer: false, propose: false }
const MARY = keyOf('St. Mary')

/** A node with a file of invitations, and whom it proposed. */
class Inviter {
  readonly proposed: Member[] = []
  signs = false
  readonly invitations: Invitations
  #isGuest: (key: MemberId) => boolean = () => false
  #handler: RequestHandler | null = null

  constructor(folder: string) {
    const membership = new Membership(FOUNDING)
    const { name, founding } = { name: FOUNDING.name, founding: membership.current.founding }
    const paths = { invitations: join(folder, 'invitations.json'), consortium: join(folder, 'consortium.yaml') }
    this.invitations = new Invitations({
      home: {
        paths: paths as never,
        membership,
        consortium: { name, founding, members: [], membership },
        key: { id: ADA.key.member, seed: new Uint8Array(32), signing: ADA.key },
      },
      transport: {
        addresses: () => ['/ip4/10.0.0.1/tcp/4801'],
        welcome: async (_, isGuest, handler) => {
          this.#isGuest = isGuest
          this.#handler = handler
        },
      },
      propose: async (member) => void this.proposed.push(member),
      signs: () => this.signs,
      log: () => undefined,
    })
  }

  /** What becomes of St. Mary's card, handed over with the ticket: `proposed`, `held`, or why not. */
  async take(line: string, key = MARY, name = 'St. Mary'): Promise<string> {
    const ticket = readTicket(line, 'ticket', verify)
    const guest = guestOf(ticket)
    if (!this.#isGuest(guest)) return 'shut'
    const card = writeCard({ name, key: key.member, addresses: [] }, key.sign)
    const signature = key.sign(joiningMessage(ticket.founding, ticket.inviter, guest, card))
    const frames: Uint8Array[] = []
    const request = encodeCbor([1, card, signature])
    const answer = this.#handler?.(guest, request, new AbortController().signal)
    for await (const frame of answer ?? []) frames.push(frame)
    const [, outcome, code] = decodeCbor(frames[0] as Uint8Array) as [number, string, string]
    assert.is(frames.length, code === '' ? 2 : 1, 'the consortium file goes to who is taken alone')
    return code === '' ? outcome : code
  }
}

async function inFolder(use: (node: Inviter, folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'consilium-invitations-'))
  try {
    await writeFile(join(folder, 'consortium.yaml'), 'the file\n')
    const node = new Inviter(folder)
    await node.invitations.serve()
    await use(node, folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

it('a card is held until people propose it, or proposed at once where that was asked for', () =>
  inFolder(async (node, folder) => {
    const held = await node.invitations.invite(PLAIN)
    assert.is(await node.take(held.ticket), 'held')
    assert.equal(node.proposed, [])
    await node.invitations.propose(held.invitation.guest.slice(0, 12))
    const once = await node.invitations.invite({ ...PLAIN, propose: true, observer: true })
    assert.is(await node.take(once.ticket), 'proposed')
    const mary = { name: 'St. Mary', key: MARY.member }
    assert.equal(node.proposed, [mary, { ...mary, observer: true }])
    assert.is(await node.take(once.ticket, keyOf('Eve'), 'Eve'), 'ticket-used')
    assert.not.match(await readFile(join(folder, 'invitations.json'), 'utf8'), new RegExp(secretOf(once.ticket)))
  }))

it('where people sign, nobody is proposed by a card that comes: such a ticket is refused, and one of before holds the card', () =>
  inFolder(async (node) => {
    const before = await node.invitations.invite({ ...PLAIN, propose: true })
    node.signs = true
    assert.is(await node.take(before.ticket), 'held')
    assert.equal(node.proposed, [])
    const refused = await node.invitations.invite({ ...PLAIN, propose: true }).catch((error) => error)
    assert.is(refused.code, 'invite-propose')
    assert.match(refused.message, /consilium invite propose/)
    assert.is(node.invitations.all().length, 1, 'nothing was made')
    assert.is(await node.take((await node.invitations.invite(PLAIN)).ticket), 'held')
  }))

it('the door is shut to who was revoked, and to a key that no ticket gave', () =>
  inFolder(async (node) => {
    const { ticket, invitation } = await node.invitations.invite(PLAIN)
    await node.invitations.revoke(invitation.guest.slice(0, 12))
    assert.is(await node.take(ticket), 'shut')
  }))

const secretOf = (line: string): string => Buffer.from(readTicket(line, 'ticket', verify).secret).toString('hex')

it.run()

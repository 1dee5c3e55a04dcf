/** A hospital joins others while real daemons run; and nobody else changes anything. */
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { verify } from '../../src/core/ed25519.ts'
import { homePaths } from '../../src/daemon/homePaths.ts'
import type { InvitationReport } from '../../src/daemon/membersApi.ts'
import { readTicket } from '../../src/governance/ticket.ts'
import { consilium, consortium, filesIn, inFolder, signing, startAll, type TestNode, until } from './kit.ts'
import { allFinal, approved, epochIs, headsAt, initialised, membersAt, run } from './membershipKit.ts'

const it = suite('joining')

interface Invited {
  readonly ticket: string
  readonly invitation: InvitationReport
}

async function invited(node: TestNode, ...args: string[]): Promise<Invited> {
  return JSON.parse(await run(node, 'invite', ...args, '--json')) as Invited
}

/** Tickets that are of no use: damaged, revoked, of another name; and nothing is known of who came with them. */
async function goesWrong(folder: string, inviter: TestNode, ticket: string): Promise<void> {
  const joins = (given: string, name: string) =>
    consilium(['join', given, '--home', join(folder, name), '--name', name, '--port', '0'])
  const damaged = `${ticket.slice(0, 90)}${ticket[90] === 'A' ? 'B' : 'A'}${ticket.slice(91)}`
  assert.match(
    (await joins(damaged, 'damaged')).err,
    /^consilium: ticket: the ticket is incomplete or altered[^\n]*\n$/,
  )
  assert.match((await joins(ticket, 'Eve')).err, /this ticket is for "harbour", and the card says "Eve"/)
  const other = await invited(inviter)
  await run(inviter, 'invite', 'revoke', other.invitation.id)
  assert.match((await joins(other.ticket, 'late')).err, /it was revoked or has expired there[^\n]*\n$/)
}

/** No file of either side holds it, and no line of a log. */
async function secretStaysAway(ticket: string, nodes: readonly TestNode[]): Promise<void> {
  const { secret } = readTicket(ticket, 'ticket', verify)
  const forms = [
    Buffer.from(secret),
    ...['hex', 'base64', 'base64url'].map((form) => Buffer.from(Buffer.from(secret).toString(form as 'hex'))),
  ]
  for (const { home, log } of nodes) {
    for (const form of forms) assert.not.ok(log.includes(form.toString('latin1')))
    for (const { file, bytes } of await filesIn(home))
      for (const form of forms) assert.not.ok(bytes.includes(form), file)
  }
}

it('a hospital joins four others with a ticket and by the votes of the nodes, reads all logs, and is witnessed by all', () =>
  inFolder(async (folder, nodes) => {
    nodes.push(...(await consortium(folder, ['north', 'south', 'east', 'west'])))
    const [north, south, east, west] = nodes as [TestNode, TestNode, TestNode, TestNode]
    await startAll(nodes)
    const harbour = await initialised(folder, 'harbour', north)
    const refused = await consilium(['accept', homePaths(north.home).consortium, '--home', harbour.home])
    assert.match(refused.err, /--join/)
    const { ticket, invitation } = await invited(north, '--name', 'harbour')
    await goesWrong(folder, north, ticket)
    assert.match(await run(harbour, 'join', ticket), /the people of that hospital propose it/)
    assert.match(await run(harbour, 'join', ticket), /the people of that hospital propose it/, 'it may be run again')
    await secretStaysAway(ticket, [north, harbour])
    assert.match(
      (await consilium(['join', ticket, '--home', join(folder, 'eve'), '--name', 'Eve'])).err,
      /another hospital came/,
    )
    assert.match(await run(north, 'invite', 'propose', invitation.id), /Proposed "harbour" as hospital/)
    const change = (await membersAt(north)).changes[0]?.change as string
    nodes.push(harbour)
    await harbour.start()
    assert.is((await harbour.status())?.fence?.admitted, false)
    const peers = (await north.status())?.peers.map(({ name }) => name) ?? []
    assert.ok(peers.includes('harbour (no member yet)'), peers.join(', '))
    await until(20_000, 'west to be told', async () => (await west.status())?.changes.length === 1)
    const doctor = await consilium(['doctor', '--home', west.home])
    assert.match(
      doctor.out,
      /LOOK +change [0-9a-f]{12} +"harbour" joins, with epoch 1: this hospital has not said yes or no/,
    )
    await approved([south, east], change)
    await epochIs(nodes, 1)
    await signing(nodes)
    await allFinal(nodes)
    await run(north, 'members', 'suspend', 'harbour', '--reason', 'misconduct')
    await run(east, 'members', 'suspend', 'harbour', '--reason', 'compromised')
    for (const node of nodes)
      await until(
        20_000,
        `the suspension at ${node.name}`,
        async () => (await membersAt(node)).suspensions[0]?.binds === 'members',
      )
    assert.match(await run(west, 'members', 'ls'), /harbour +hospital, suspended/)
    for (const node of nodes) {
      const { members, quorum, changes } = await membersAt(node)
      assert.equal([members.length, quorum, changes.length], [5, 4, 0], node.name)
      assert.equal((await headsAt(node)).map(({ name }) => name).sort(), ['east', 'harbour', 'north', 'south', 'west'])
    }
  }))

it.run()

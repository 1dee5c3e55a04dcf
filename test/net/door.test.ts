/** Who may come in, who may speak, and what becomes of those who speak badly. */
import { connect } from 'node:net'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ConsiliumError } from '../../src/core/errors.ts'
import { LIMITS } from '../../src/core/limits.ts'
import { peerIdOf } from '../../src/net/peerIds.ts'
import {
  addressOf,
  bytes,
  codeOf,
  freePort,
  gossips,
  heard,
  identities,
  identity,
  linked,
  seat,
  stopAll,
  TOPIC,
  until,
} from './kit.ts'

const it = suite('door')
it.after.each(stopAll)

const [low, high] = identities(2) as [ReturnType<typeof identity>, ReturnType<typeof identity>]
const outsider = identity(99)

it('an outsider that dials is refused, reported once, and told why', async () => {
  const house = await seat(low, [low, high])
  const intruder = await seat(outsider, [outsider, { id: low.id, addresses: [addressOf(house)] }])
  await until('it is reported', () => house.strangers.length > 0)
  assert.equal(house.strangers[0], { peer: peerIdOf(outsider.id).toString(), direction: 'inbound' })
  await until('it tried again', () => (house.transport.stats().refused.stranger ?? 0) > 2)
  assert.is(house.strangers.length, 1, 'one report a minute')
  const why = () => intruder.transport.peers()[0]?.lastError ?? ''
  await until('the intruder reads why', () => why().includes('member list may not name us'))
  assert.is(house.transport.connections(), 0)
  assert.is(intruder.connected.size, 0, 'a handshake is not yet a connection')
  assert.equal(
    house.transport.peers().map((peer) => peer.member),
    [high.id],
  )
})

it('an outsider behind a bootstrap address is left and reported', async () => {
  const stranger = await seat(outsider, [outsider, low])
  const house = await seat(low, [low, high], { bootstrap: [addressOf(stranger)] })
  await until('it is reported', () => house.strangers.length > 0)
  assert.equal(house.strangers[0], { peer: peerIdOf(outsider.id).toString(), direction: 'outbound' })
  assert.is(house.connected.size + stranger.connected.size, 0)
})

it("another identity at a member's address is not taken for the member", async () => {
  const impostor = await seat(outsider, [outsider, low])
  const house = await seat(low, [low, { id: high.id, addresses: [addressOf(impostor)] }])
  await until('the reason is shown', () => house.transport.peers()[0]?.lastError?.includes('another identity') === true)
  assert.is(house.connected.size, 0)
})

it("an address of one's own among the bootstrap addresses does no harm", async () => {
  const address = `/ip4/127.0.0.1/tcp/${await freePort()}`
  const a = await seat(low, [low, high], { listen: [address], bootstrap: [address] })
  const b = await seat(high, [low, high], { bootstrap: [address] })
  await until('linked', () => linked(a, b))
  assert.is(a.strangers.length, 0)
})

it('a host that opens connections and says nothing holds no more than its share of places', async () => {
  const here = await seat(low, [low, high])
  const { port } = new URL(addressOf(here).replace(/^.*\/tcp\/(\d+).*$/, 'tcp://host:$1'))
  const sockets = Array.from({ length: 90 }, () => connect({ host: '127.0.0.1', port: Number(port) }))
  try {
    for (const socket of sockets) socket.on('error', () => undefined)
    await until('some are refused', () => here.transport.stats().refused['too-many-handshakes'] === 26)
  } finally {
    for (const socket of sockets) socket.destroy()
    await here.transport.stop()
  }
})

it('rejected messages get their sender disconnected, reported and refused, and then forgiven', async () => {
  const judge = await seat(low, [low, high], { timing: { refuseMs: 5_000 } })
  const liar = await seat(high, [low, high], { bootstrap: [addressOf(judge)] })
  judge.verdict = async () => 'reject'
  await until('gossip flows', () => gossips(liar, judge) && gossips(judge, liar))
  for (let i = 0; i < 6; i++) await liar.transport.publish(TOPIC, bytes(`lie ${i}`))
  await until('it is reported', () => judge.misbehaved.length > 0)
  assert.equal(judge.misbehaved, [high.id])
  await until('it is disconnected', () => !judge.connected.has(high.id) && !liar.connected.has(low.id))
  await until('it is refused', () => (judge.transport.stats().refused['refused-for-a-while'] ?? 0) > 0)
  assert.is(judge.connected.size, 0)
  judge.verdict = async () => 'accept'
  await until('it is let in again', () => linked(judge, liar))
  assert.equal(judge.misbehaved, [high.id], 'once')
})

it('ignored messages and a failing handler cost the sender nothing and are counted', async () => {
  const judge = await seat(low, [low, high], { timing: { verdictMs: 100 } })
  const member = await seat(high, [low, high], { bootstrap: [addressOf(judge)] })
  judge.verdict = async (data) => {
    if (data[0] === 0) throw new Error('our own bug')
    if (data[0] === 1) return new Promise(() => {})
    return 'ignore'
  }
  await until('gossip flows', () => gossips(member, judge))
  for (let i = 0; i < 30; i++) await member.transport.publish(TOPIC, Uint8Array.of(i % 3, i))
  const refused = () => judge.transport.stats().refused
  await until(
    'all are counted',
    () => (refused()['handler-failed'] ?? 0) === 10 && (refused()['verdict-late'] ?? 0) === 10,
  )
  assert.is(refused()['verdict-ignore'], 10)
  assert.equal(judge.misbehaved, [])
  assert.ok(linked(judge, member))
})

it('no more messages than allowed await a verdict', async () => {
  const judge = await seat(low, [low, high], { timing: { verdictMs: 60_000 } })
  const member = await seat(high, [low, high], { bootstrap: [addressOf(judge)] })
  const over = Promise.withResolvers<void>()
  let waiting = 0
  let most = 0
  judge.verdict = async () => {
    waiting += 1
    most = Math.max(most, waiting)
    await over.promise // no place is freed before the whole flood has come
    waiting -= 1
    return 'accept'
  }
  await until('gossip flows', () => gossips(member, judge))
  const flood = Array.from({ length: LIMITS.messagesAwaitingVerdictMax + 40 }, (_, i) =>
    member.transport.publish(TOPIC, bytes(`${i}`)),
  )
  await Promise.all(flood)
  await until('the rest is ignored', () => (judge.transport.stats().refused['verdicts-full'] ?? 0) >= 40, 30_000)
  over.resolve()
  assert.is(most, LIMITS.messagesAwaitingVerdictMax)
})

it('a message above the limit is refused before it is sent', async () => {
  const alone = await seat(low, [low, high])
  const large = new Uint8Array(LIMITS.gossipMessageBytesMax + 1)
  assert.is(await codeOf(() => alone.transport.publish(TOPIC, large)), 'message-too-large')
})

it('a member struck off the list is disconnected and stays out', async () => {
  const house = await seat(low, [low, high])
  const member = await seat(high, [low, high], { bootstrap: [addressOf(house)] })
  await until('linked', () => linked(house, member))
  await house.transport.setMembers([{ id: low.id, addresses: [] }])
  await until('it is out', () => house.connected.size === 0 && member.connected.size === 0)
  await until('its return is refused', () => house.strangers.length > 0)
  assert.equal(house.transport.peers(), [])
  await house.transport.setMembers([low, high].map(({ id }) => ({ id, addresses: [] })))
  await until('listed again, it is let in', () => linked(house, member))
  await until('and heard', async () => {
    await member.transport.publish(TOPIC, bytes('back'))
    return heard(house, 'back')
  })
})

it('each unusable address is named in one line', async () => {
  const taken = await seat(low, [low, high])
  const cases: [Parameters<typeof seat>[2], string, string][] = [
    [{ listen: [addressOf(taken)] }, 'port-in-use', addressOf(taken)],
    [{ listen: ['/ip4/203.0.113.7/tcp/0'] }, 'bad-address', '/ip4/203.0.113.7/tcp/0'],
    [{ listen: ['0.0.0.0:7400'] }, 'bad-address', '0.0.0.0:7400'],
    [{ listen: ['/ip4/127.0.0.1/udp/7400'] }, 'bad-address', '/udp/7400'],
    [{ announce: ['/tcp/7400'] }, 'bad-address', 'announce address'],
    [{ bootstrap: ['clinic.example:7400'] }, 'bad-address', 'bootstrap address'],
  ]
  for (const [options, code, named] of cases) {
    try {
      await seat(high, [low, high], options)
      assert.unreachable()
    } catch (error) {
      assert.instance(error, ConsiliumError)
      assert.is((error as ConsiliumError).code, code)
      assert.ok((error as ConsiliumError).message.includes(named), (error as ConsiliumError).message)
      assert.not.ok((error as ConsiliumError).message.includes('\n'))
    }
  }
})

it.run()

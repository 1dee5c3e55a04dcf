/** Epochs as one node takes them up: in order, on disk before anything else, and handed on to who asks. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { encodeCbor } from '../../src/core/cbor.ts'
import { ConsiliumError } from '../../src/core/errors.ts'
import { Epochs } from '../../src/daemon/epochs.ts'
import { Membership } from '../../src/ledger/epoch.ts'
import type { RequestHandler, Transport } from '../../src/net/transport.ts'
import type { LogSize } from '../../src/node/events.ts'
import { ADA, BEN, CLEO, DAN, EVE, FAY, FOUNDING, FOUR, pinOf, recordOf } from './epochKit.ts'

const it = suite('epochs')
const never = new AbortController().signal
const PEER = BEN.key.member

/** Records of epochs 1 to 3: Eve comes, Dan goes, Fay comes. */
const walk = new Membership(FOUNDING)
const FIRST = recordOf(walk.current, [...FOUR, EVE], [pinOf(ADA, 40)])
walk.add(FIRST)
const SECOND = recordOf(walk.current, [ADA, BEN, CLEO, EVE], [pinOf(DAN, 7)], [ADA, BEN, CLEO, EVE])
walk.add(SECOND)
const THIRD = recordOf(walk.current, [ADA, BEN, CLEO, EVE, FAY], [], [ADA, BEN, CLEO, EVE, FAY])
const ALL = [FIRST, SECOND, THIRD]
const FORGED = recordOf(new Membership(FOUNDING).current, [...FOUR, FAY], [], [ADA, BEN, FAY])

/** One node's epochs, and all that they did, in order. */
class Node {
  readonly membership: Membership
  readonly did: string[] = []
  readonly failures: unknown[] = []
  readonly epochs: Epochs
  serves: RequestHandler | null = null
  /** What its peer answers. */
  answers: (request: Uint8Array) => AsyncIterable<Uint8Array> | Iterable<Uint8Array> = () => []
  agrees: (log: LogSize) => boolean = () => true
  saves: () => void = () => undefined

  constructor(records: readonly Uint8Array[] = []) {
    this.membership = new Membership(FOUNDING, records)
    const { membership, did } = this
    const ask = (request: Uint8Array) => this.answers(request)
    const transport = {
      handle: async (_: string, handler: RequestHandler) => {
        this.serves = handler
      },
      async *request(_: unknown, __: unknown, request: Uint8Array) {
        yield* ask(request)
      },
    } as unknown as Transport
    this.epochs = new Epochs({
      ...{ membership, transport },
      logs: { agrees: async (log) => this.agrees(log) },
      feed: (event) => {
        if (event.type === 'epoch-begun') did.push(`begun ${event.call.number} of ${membership.current.number}`)
        else if (event.type === 'fork-proven') did.push(`fork ${event.size}`)
      },
      save: async (given) => {
        this.saves()
        did.push(`saved ${given.length}, in epoch ${membership.current.number}`)
      },
      onBegun: async () => void did.push('told the ballot'),
      onFailed: (error) => this.failures.push(error),
    })
  }

  ask(): Promise<number> {
    return this.epochs.ask(PEER, never)
  }
}

const codeOf = async (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => null,
    (error: ConsiliumError) => [error.code, error.blame],
  )

it('an epoch is in the file before anything else changes, then in the roll, then at the machine, then at the ballot', async () => {
  const node = new Node()
  await node.epochs.take(FIRST)
  assert.equal(node.did, ['saved 1, in epoch 0', 'begun 1 of 1', 'told the ballot'])
  assert.is(node.membership.roll.number, 1)
  await node.epochs.take(SECOND)
  assert.equal(node.did.slice(3), ['saved 2, in epoch 1', 'begun 2 of 2', 'told the ballot'])
})

it('epochs that have begun are passed over, at the same time too; one that is skipped, or forged, blames who told of it', async () => {
  const node = new Node()
  await Promise.all([FIRST, FIRST, SECOND, FIRST].map((record) => node.epochs.take(record)))
  assert.equal(
    node.did.filter((did) => did.startsWith('begun')),
    ['begun 1 of 1', 'begun 2 of 2'],
  )
  const late = new Node()
  assert.equal(await codeOf(late.epochs.take(SECOND)), ['epoch-skipped', 'reject'])
  assert.equal(await codeOf(late.epochs.take(FORGED)), ['epoch-quorum', 'reject'])
  const spoilt = FIRST.with(-1, (FIRST.at(-1) as number) ^ 1)
  assert.equal(await codeOf(late.epochs.take(spoilt)), ['epoch-signature', 'reject'])
  assert.equal(await codeOf(late.epochs.take(Uint8Array.of(0x80))), ['epoch-malformed', 'reject'])
  assert.equal([late.did, late.membership.current.number], [[], 0])
  late.answers = () => [FORGED]
  assert.equal(await codeOf(late.ask()), ['epoch-quorum', 'reject'])
  assert.equal(late.failures, [])
  await late.epochs.take(FIRST)
  assert.is(late.membership.current.number, 1, 'and the true one is taken after all')
})

it('where the file can’t be written nothing changes, and the node hears of it, whichever way the record came', async () => {
  const full = new ConsiliumError({ code: 'disk-full', message: 'the disk is full' })
  const node = new Node()
  node.saves = () => {
    throw full
  }
  assert.equal(await codeOf(node.epochs.take(FIRST)), ['disk-full', undefined])
  node.answers = () => ALL
  assert.is(await node.ask(), 0, 'the peer is not to blame')
  assert.equal([node.failures, node.did, node.membership.current.number], [[full], [], 0])
})

it('a log that is not what the epoch pins of it is told as forked, before the epoch is', async () => {
  const node = new Node()
  node.agrees = ({ author }) => author !== ADA.key.member
  await node.epochs.take(FIRST)
  assert.equal(node.did.slice(1), ['fork 40', 'begun 1 of 1', 'told the ballot'])
  const restarted = new Node([FIRST])
  restarted.agrees = node.agrees
  await restarted.epochs.serve()
  assert.equal(restarted.did, ['fork 40'], 'the power may have gone before it was')
})

it('who asks is given the records that it lacks, and goes on by itself', async () => {
  const server = new Node(ALL)
  await server.epochs.serve()
  const serve = (request: Uint8Array) => (server.serves as RequestHandler)(ADA.key.member, request, never)
  for (const known of [0, 1, 3]) {
    const node = new Node(ALL.slice(0, known))
    node.answers = serve
    assert.is(await node.ask(), 3)
    assert.equal(node.membership.records, ALL, `${known} known before`)
    assert.is(node.did.filter((did) => did.startsWith('begun')).length, 3 - known)
  }
  const ahead = new Node(ALL)
  ahead.answers = (request) => new Node([FIRST]).membership.records.slice(request[0])
  await ahead.ask()
  assert.equal(ahead.did, [], 'a peer that is behind has nothing')
  for (const request of [encodeCbor('one'), encodeCbor(-1), encodeCbor([1])])
    assert.equal(await codeOf(collect(serve(request))), ['epochs-malformed', 'reject'])
})

async function collect(frames: AsyncIterable<Uint8Array>): Promise<Uint8Array[]> {
  const out: Uint8Array[] = []
  for await (const frame of frames) out.push(frame)
  return out
}

it('an epoch that begins otherwise while a peer tells of it is no fault of the peer', async () => {
  const node = new Node()
  node.answers = async function* () {
    await node.epochs.take(FIRST) // decided by the votes meanwhile
    yield FIRST
    yield SECOND
  }
  await node.ask()
  assert.equal([node.membership.current.number, node.failures], [2, []])
})

it('a peer that repeats or skips records is blamed at once: its answer might never end', async () => {
  for (const [given, taken] of [
    [[FIRST, FIRST], 1],
    [[FIRST, SECOND, FIRST], 2],
    [[SECOND], 0],
    [[FIRST, THIRD], 1],
  ] as const) {
    const node = new Node()
    let pulled = 0
    node.answers = function* () {
      for (const record of given) {
        pulled++
        yield record
      }
      for (; pulled < 1_000; pulled++) yield FIRST
    }
    assert.equal(await codeOf(node.ask()), ['epochs-unordered', 'reject'])
    assert.equal([node.membership.current.number, pulled], [taken, given.length])
  }
})

it.run()

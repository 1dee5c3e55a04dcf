/** A witness that cosigns two roots of one size: found wherever the two statements meet, kept, told once, and held against nobody else. */
import '../../src/polyfill.ts'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { sha256 } from '../../src/core/digest.ts'
import { ConsiliumError } from '../../src/core/errors.ts'
import { encodeDoubleCosignature } from '../../src/ledger/doubleCosignature.ts'
import { signHead } from '../../src/ledger/head.ts'
import { decodeWitnessMessage, type Statement } from '../../src/ledger/witnessWire.ts'
import { MemoryStore } from '../../src/store/memoryStore.ts'
import { FOUNDING, keyOf } from '../ledger/fixtures.ts'
import {
  ADA,
  BEN,
  branch,
  CLEO,
  DAN,
  EVE,
  finalOf,
  handOver,
  last,
  never,
  open,
  type PeerNode,
  type Peers,
  statementOf,
  storeWith,
} from './peerKit.ts'

const it = suite('cosignature watch')

const MAIN = branch('main', 7, [12])
const HERE = last(MAIN).head
const THERE = last(branch('other', 7, [12])).head
const THIRD = last(branch('third', 7, [12])).head
const BEYOND = last(branch('main', 7, [12, 20])).head
const PROVEN = { type: 'witness-proven', witness: DAN.member, author: ADA.member, size: 12 }
const EVIDENCE = encodeDoubleCosignature(statementOf(DAN, HERE), statementOf(DAN, THERE))

/** Members of whom evidence is kept, after all work is done. */
async function provenAt(node: PeerNode): Promise<number> {
  assert.equal(await node.settled(), [])
  return node.forks.cosigners.known.size
}

interface Meeting {
  readonly name: string
  readonly meet: (node: PeerNode, peers: Peers) => Promise<void>
}

const hear = async ({ witness }: PeerNode, ...statements: readonly Statement[]) => {
  for (const statement of statements) witness.hear([statement])
}
const MEETINGS: readonly Meeting[] = [
  {
    name: 'of the history here, then of another, whose head is not known here',
    meet: (node) => hear(node, statementOf(DAN, HERE), statementOf(DAN, THERE)),
  },
  {
    name: 'of another history first',
    meet: (node) => hear(node, statementOf(DAN, THERE), statementOf(DAN, HERE)),
  },
  {
    name: 'of two histories of which neither is known here',
    meet: (node) => hear(node, statementOf(DAN, THERE), statementOf(DAN, THIRD)),
  },
  {
    name: 'by gossip, and under a final head that a peer hands over',
    meet: async (node, peers) => {
      await hear(node, statementOf(DAN, HERE))
      handOver(peers, CLEO, finalOf(THERE, [CLEO, DAN, EVE]))
      await node.replicator.askHeads(CLEO.member, never)
    },
  },
  {
    name: 'under a final head that is kept, and later by gossip',
    meet: async (node, peers) => {
      for (const head of [HERE, BEYOND]) {
        handOver(peers, CLEO, finalOf(head, [CLEO, DAN, EVE]))
        await node.replicator.askHeads(CLEO.member, never)
      }
      await hear(node, statementOf(DAN, THERE))
    },
  },
  {
    name: 'under two final heads',
    meet: async (node, peers) => {
      handOver(peers, CLEO, finalOf(HERE, [BEN, CLEO, DAN]))
      await node.replicator.askHeads(CLEO.member, never)
      handOver(peers, CLEO, finalOf(THERE, [CLEO, DAN, EVE]))
      await node.replicator.askHeads(CLEO.member, never)
    },
  },
]

for (const { name, meet } of MEETINGS)
  it(`two roots of one size, ${name}: it is proven of their witness`, async () => {
    const peers: Peers = new Map()
    const node = await open(peers, BEN, await storeWith(MAIN))
    await meet(node, peers)
    await provenAt(node)
    const kept = node.forks.cosigners.known.get(DAN.member)
    assert.equal([kept?.author, kept?.size], [ADA.member, 12])
    assert.ok(node.events.some((event) => event.type === 'witness-proven' && event.witness === DAN.member))
  })

it('it is kept and told once, over a restart too, handed to who asks, and freezes no log', async () => {
  const peers: Peers = new Map()
  const node = await open(peers, BEN, await storeWith(MAIN))
  for (let i = 0; i < 3; i++) await hear(node, statementOf(DAN, HERE), statementOf(DAN, THERE))
  await provenAt(node)
  assert.equal(node.events, [PROVEN])
  assert.equal(
    node.published.map((message) => decodeWitnessMessage(message, BEN.member)),
    [{ type: 'evidence', evidence: EVIDENCE }],
  )
  assert.equal(node.logs.forked(), [])
  const again = await open(peers, BEN, node.store.reopen())
  assert.equal(again.forks.cosigners.members(), [{ witness: DAN.member, author: ADA.member, size: 12 }])
  await hear(again, statementOf(DAN, HERE), statementOf(DAN, THERE))
  assert.is(await provenAt(again), 1)
  assert.equal([again.events, again.published], [[], []])
  const third = await open(peers, EVE)
  await third.forks.ask(BEN.member, never)
  assert.equal(third.events, [PROVEN])
  assert.is(await third.forks.hear(EVIDENCE), 'ignore')
})

it('what an honest witness says proves nothing of it', async () => {
  const node = await open(new Map(), BEN, await storeWith(MAIN))
  const forged = { ...statementOf(DAN, THERE), cosignature: { ...statementOf(DAN, HERE).cosignature } }
  await hear(
    node,
    statementOf(DAN, HERE),
    statementOf(DAN, HERE, 1_790_000_900), // the same head again
    statementOf(DAN, last(branch('main', 7, [])).head),
    statementOf(DAN, BEYOND),
    statementOf(EVE, THERE), // another witness
    forged,
  )
  assert.is(await provenAt(node), 0)
})

it('a forged statement that came before the true ones hides nothing', async () => {
  const node = await open(new Map(), BEN, await storeWith(MAIN))
  const forged = { ...statementOf(DAN, THIRD), cosignature: statementOf(DAN, HERE).cosignature }
  await hear(node, statementOf(DAN, HERE), forged, statementOf(DAN, THERE))
  assert.is(await provenAt(node), 1)
})

it('evidence by gossip is checked, kept and passed on once; of strangers, or without proof, it costs who brings it', async () => {
  const node = await open(new Map(), BEN)
  const refusal = async (evidence: Uint8Array) =>
    node.forks.hear(evidence).catch((error: ConsiliumError) => `${error.code}, ${error.blame}`)
  assert.equal([await refusal(EVIDENCE), await refusal(EVIDENCE)], ['accept', 'ignore'])
  assert.equal([node.events, node.published.length], [[PROVEN], 1])
  const stranger = keyOf('stranger')
  const byStranger = encodeDoubleCosignature(statementOf(stranger, HERE), statementOf(stranger, THERE))
  const heads = [1, 2].map((byte) => signHead(stranger, FOUNDING, 5, sha256(Uint8Array.of(byte))))
  const [one, other] = heads.map((head) => statementOf(EVE, head)) as [Statement, Statement]
  for (const evidence of [byStranger, encodeDoubleCosignature(one, other)])
    assert.is(await refusal(evidence), 'cosigned-twice-unproven, reject')
  const same = encodeDoubleCosignature(statementOf(EVE, HERE), statementOf(EVE, HERE, 5))
  assert.is(await refusal(same), 'cosigned-twice-unproven, reject')
  assert.is(node.forks.cosigners.known.size, 1)
})

it('evidence that cannot be kept is not told, and may come again', async () => {
  const before = () => {
    throw new ConsiliumError({ code: 'ledger-io', message: 'the disk failed' })
  }
  const contents = new MemoryStore()
  const node = await open(new Map(), BEN, contents.reopen({ before }))
  const code = await node.forks.hear(EVIDENCE).catch((error: ConsiliumError) => error.code)
  assert.equal([code, node.events, node.published, node.forks.cosigners.known.size], ['ledger-io', [], [], 0])
  assert.equal(node.said, ['fork-evidence-not-kept'])
  const again = await open(new Map(), BEN, contents.reopen())
  assert.is(await again.forks.hear(EVIDENCE), 'accept')
})

it('a record that is no evidence any more is left out at a start, and said', async () => {
  const store = new MemoryStore()
  await store.putState(new Map([[`double-cosignature/${DAN.member}`, EVIDENCE.with(60, 0)]]))
  const node = await open(new Map(), BEN, store)
  assert.equal([node.said, node.forks.cosigners.known.size], [['evidence-unreadable'], 0])
})

it('a flood of old statements reads a few final heads at a time', async () => {
  const peers: Peers = new Map()
  const store = await storeWith(MAIN)
  const node = await open(peers, BEN, store)
  for (const head of [HERE, BEYOND]) {
    handOver(peers, CLEO, finalOf(head, [CLEO, DAN, EVE]))
    await node.replicator.askHeads(CLEO.member, never)
  }
  const final = store.final.bind(store)
  let reads = 0
  store.final = (author, size) => {
    reads++
    return final(author, size)
  }
  for (let i = 0; i < 300; i++) node.witness.hear([statementOf(EVE, THERE, 1_790_000_000 + i)])
  await node.settled()
  assert.is(reads, 8)
  node.witness.hear([statementOf(EVE, HERE), statementOf(CLEO, BEYOND)])
  await node.settled()
  assert.is(reads, 9, 'of the newest final head nothing is read')
  await hear(node, statementOf(DAN, THERE))
  await provenAt(node)
  assert.ok(node.forks.cosigners.known.has(DAN.member), 'and after it what is old is found again')
})

it.run()

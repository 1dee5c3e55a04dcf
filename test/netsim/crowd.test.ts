/** Crowds: nodes without a ledger learn, whatever happens around them, and to the byte. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { ScenarioInput } from '../../netsim/scenario/schema.ts'
import { ATTACKS, type Attack } from '../../netsim/scenario/schema.ts'
import { brokenIn, checkOf, runOf } from './scenarioKit.ts'

const it = suite('netsim crowd')
const last = <T>(list: readonly T[]): T => list.at(-1) as T
const regular = { kind: 'k-regular', degree: 6 } as const
const churn = { kind: 'churn', meanUpSeconds: 5, meanDownSeconds: 3 } as const

const GOLDEN: readonly (readonly [what: string, trace: string, more: Partial<ScenarioInput>])[] = [
  [
    'one receiver per send',
    '2751881df35e0426b1b7605380854073da2bf494f5937c076b54803a8b10d916',
    { gossip: { mode: 'fanout' } },
  ],
  [
    'the plain mean without a veto',
    '78441b01e576e5d6de075a33a8782ab66a7da2509c79f0fb6a8e0054bfd34dfa',
    { gossip: { mode: 'fanout' }, study: { rounds: { count: 30 }, merge: { rule: 'mean', vetoNats: null } } },
  ],
  [
    'everybody, Adam and a network with one hidden layer',
    '40428aed71ccfe17d8e24e5b908dc6f3e3793712b591bc91dad0029e0436af6c',
    { study: { rounds: { count: 9 }, model: { kind: 'mlp', hidden: [5] } } },
  ],
  [
    'gossipsub under losses',
    '99020d7d506ba362fcacdf83f97452448940137e280525cd14ef86cfdb51aa60',
    { gossip: { mode: 'mesh' }, network: { topology: regular, loss: 0.1 } },
  ],
  [
    'nodes come and go, lose their disks, and are cut off',
    '6b6b7cc93e292c150844c15ddb17b15cb8c8436387df6a0977e2aac01b7c0b41',
    {
      nodes: { count: 40, availability: churn, disk: 'lost', speed: { kind: 'log-normal', medianMs: 200, sigma: 1 } },
      gossip: { mode: 'fanout', fanout: 3, heldMax: 5 },
      network: { loss: 0.3, natShare: 0.25, partitions: [{ fromSeconds: 5, toSeconds: 11, shares: [0.4, 0.6] }] },
      liveness: { fromSeconds: 30, convergeSeconds: 10 },
    },
  ],
  [
    'the protocol alone',
    'a827df7be948c9a437e4e7310a16192ab59f1bf5abf568590fe48d4538a39d7a',
    { data: { kind: 'none' }, learner: { kind: 'null' }, gossip: { mode: 'fanout', fanout: 2 } },
  ],
  [
    'real digests, heads that are merged, an uplink',
    '99f04430fb1cd2390b01df67f5cefb43be24dc305db51213a7bc06ca6515c4d8',
    { digests: 'real', network: { uplinkMbit: 0.5 }, study: { rounds: { count: 8 }, local: { head: 'none' } } },
  ],
]
for (const [what, trace, more] of GOLDEN) {
  it(`${what}: the trace is frozen, on every machine and Node, and all checks hold`, async () => {
    const result = await runOf(more)
    assert.is(brokenIn(result), null)
    assert.is(result.outcome, 'done')
    assert.is(result.traceHash, trace)
  })
}

it('another seed gives another trace, and samples are the same for the same seed', async () => {
  const [one, again, other] = [await runOf(), await runOf(), await runOf({}, { seed: 8 })]
  assert.equal(one.samples, again.samples)
  assert.equal(one.nodes, again.nodes)
  assert.is.not(one.traceHash, other.traceHash)
})

it('collaboration pays, and models come together', async () => {
  const result = await runOf()
  const [first, end] = [result.samples[1], last(result.samples)]
  assert.ok((end.auc ?? 0) > 0.85, `AUC ${end.auc}`)
  assert.ok((end.logLoss ?? 9) < (first?.logLoss ?? 0))
  const alone = last((await runOf({ network: { topology: { kind: 'erdos-renyi', meanDegree: 0.1 } } })).samples)
  assert.ok((end.consensusDistance ?? 9) < 0.2 * (alone.consensusDistance ?? 0))
  assert.ok((end.auc ?? 0) > (alone.auc ?? 1))
})

const REFUSED: Readonly<Partial<Record<Attack, string>>> = {
  sybil: 'author-not-in-study',
  equivocate: 'update-contradicts',
  garbage: 'update-not-finite',
}
for (const attack of ATTACKS) {
  it(`${attack}: a fifth of the nodes attack, no check breaks, and what can be refused is`, async () => {
    const honest = await runOf()
    const result = await runOf({ adversaries: [{ attack, share: 0.2, fromSeconds: 3 }] })
    assert.is(brokenIn(result), null)
    assert.is(result.nodes.filter(({ adversary }) => adversary === attack).length, 8)
    assert.is.not(result.traceHash, honest.traceHash)
    const reason = REFUSED[attack]
    if (reason === undefined)
      assert.equal(
        Object.keys(result.refusals).filter((one) => one !== 'update-stale'),
        [],
      )
    else assert.ok((result.refusals[reason] ?? 0) > 100, JSON.stringify(result.refusals))
  })
}

it('an attack that would begin after the end changes nothing, whichever it is', async () => {
  const honest = await runOf()
  for (const attack of ATTACKS) {
    if (attack === 'backdoor') continue // its rows are poisoned from the start
    const late = await runOf({ adversaries: [{ attack, share: 0.2, fromSeconds: 80 }] })
    assert.is(late.traceHash, honest.traceHash, attack)
  }
})

it('who never meets faults no liveness check; who is alone after them does', async () => {
  const alone = await runOf({
    network: { topology: { kind: 'erdos-renyi', meanDegree: 0.1 } },
    liveness: { fromSeconds: 10, convergeSeconds: 5 },
  })
  assert.is(alone.outcome, 'check-failed')
  const { failure } = checkOf(alone, /once faults stop/)
  assert.is(failure?.seconds, 15)
  assert.match(failure?.message ?? '', /nobody else's update since/)
})

it('memory is flat under loss: half of all messages are lost, and what is in memory belongs to somebody', async () => {
  const result = await runOf({ network: { loss: 0.5 }, study: { rounds: { count: 60 } } })
  const { messagesSent, messagesLost } = last(result.samples)
  assert.ok(Math.abs(messagesLost / messagesSent - 0.5) < 0.02)
  assert.is(checkOf(result, /in memory/).failure, null)
})

it('an uplink that is too narrow delays, and drops what finds no room', async () => {
  const narrow = await runOf({
    network: { uplinkMbit: 0.05, uplinkQueueBytes: 20_000 },
    study: { rounds: { count: 10 } },
  })
  const { messagesLost } = last(narrow.samples)
  assert.ok(messagesLost > 1_000, `${messagesLost} lost`)
  const wide = await runOf({ network: { uplinkMbit: 50 }, study: { rounds: { count: 10 } } })
  assert.is(last(wide.samples).messagesLost, 0)
})

it('ended early, it tells what is known by then', async () => {
  const stop = new AbortController()
  const result = await runOf(
    { study: { rounds: { count: 2_000 } }, end: { seconds: 3_000 } },
    { signal: stop.signal, onProgress: ({ virtualSeconds }) => virtualSeconds > 3 && stop.abort() },
  )
  assert.is(result.outcome, 'interrupted')
  assert.ok(result.virtualSeconds > 3 && result.virtualSeconds < 300)
  assert.is(last(result.samples).seconds, result.virtualSeconds)
})

it('it tells what one node saw and decided', async () => {
  const lines: string[] = []
  await runOf(
    { nodes: { count: 3, availability: churn }, study: { rounds: { count: 6 } } },
    { explainNode: 1, onExplain: ({ text }) => lines.push(text) },
  )
  for (const what of [
    /comes up/,
    /hears the update of node [02]/,
    /has trained round 2, published it, and merges/,
    /goes down/,
  ])
    assert.ok(
      lines.some((line) => what.test(line)),
      `${what} in ${lines.slice(0, 9).join('\n')}`,
    )
})

it('checkpoints of the trace come in order, and only where the run was', async () => {
  const seen: number[] = []
  const result = await runOf({ nodes: { count: 100 } }, { onTrace: ({ event }) => seen.push(event) })
  assert.ok(seen.length >= 2)
  assert.ok(seen.every((event, i) => event <= result.events && (i === 0 || event > (seen[i - 1] as number))))
})

it.run()

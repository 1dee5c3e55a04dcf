/** Scenarios with a ledger: the whole protocol, its attackers and its disks, under the checks. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { ScenarioInput } from '../../netsim/scenario/schema.ts'
import { brokenIn, checkOf, runOf } from './scenarioKit.ts'

const it = suite('netsim members')
const last = <T>(list: readonly T[]): T => list.at(-1) as T

/** Seven hospitals, six rounds. */
const SMALL: Partial<ScenarioInput> = {
  nodes: { count: 7 },
  study: { rounds: { count: 6 } },
  ledger: 'on',
  digests: 'real',
  liveness: { fromSeconds: 9, convergeSeconds: 20, finalSeconds: 45 },
}
const run = (more: Partial<ScenarioInput> = {}, options = {}) => runOf({ ...SMALL, ...more }, options)

const GOLDEN: readonly (readonly [what: string, trace: string, more: Partial<ScenarioInput>])[] = [
  ['over links', 'bcd05eefcb14be4c75f114dbd4ebc43c15a29965c0277accf3295e85870cfd71', {}],
  [
    'over gossipsub, under losses',
    '7e9a1ed3a22373ed82e8542a5f59b42b560729d013060b1e83ce3b1f1b78ef5a',
    { gossip: { mode: 'mesh' }, network: { loss: 0.1 } },
  ],
  [
    'links to four others, of nodes that crash and lose a disk',
    '671b8336e8f5fd0fbef90428179816738100312a6c20495feb7eae45cd0741b6',
    {
      network: { topology: { kind: 'k-regular', degree: 4 } },
      gossip: { mode: 'mesh' },
      crashes: [
        { node: 2, atSeconds: 4, downSeconds: 3 },
        { node: 5, atSeconds: 6, downSeconds: 2, disk: 'lost' },
      ],
    },
  ],
  [
    'the protocol alone, with real signatures',
    '26f68fea003cc42db708a645f9bc1d53b07179fdd9ecf190993418ef25bcd2ce',
    { data: { kind: 'none' }, learner: { kind: 'null' }, signatures: 'real' },
  ],
]
for (const [what, trace, more] of GOLDEN) {
  it(`${what}: the trace is frozen, on every machine and Node, and all checks hold`, async () => {
    const result = await run(more)
    assert.is(brokenIn(result), null)
    assert.is(result.outcome, 'done')
    assert.is(result.traceHash, trace)
    for (const { name, checked } of result.checks)
      assert.ok(checked > 0 || /durable/.test(name), `${name} was looked at`)
    const { entries, entriesFinal } = last(result.samples)
    assert.ok((entries ?? 0) > 7 * 6 * 4 && entries === entriesFinal, `${entriesFinal} of ${entries} entries are final`)
  })
}

it('hospitals that come and go, with disks that are lost, lose no entry that was final', async () => {
  const result = await run({
    nodes: { count: 7, availability: { kind: 'churn', meanUpSeconds: 12, meanDownSeconds: 2 }, disk: 'lost' },
    study: { rounds: { count: 15 } },
    liveness: { fromSeconds: 30, convergeSeconds: 20, finalSeconds: 45 },
  })
  assert.is(brokenIn(result), null)
  assert.ok(result.nodes.some(({ starts }) => starts > 1))
})

it('a partition without a quorum makes nothing final, and all of it afterwards', async () => {
  const result = await run({
    study: { rounds: { count: 20 } },
    network: { partitions: [{ fromSeconds: 5, toSeconds: 15, shares: [0.5, 0.5] }] },
    liveness: { fromSeconds: 15, convergeSeconds: 20, finalSeconds: 45 },
  })
  assert.is(brokenIn(result), null)
  const during = result.samples.filter(({ seconds }) => seconds > 7 && seconds < 15)
  assert.is(new Set(during.map(({ entriesFinal }) => entriesFinal)).size, 1)
  assert.ok((last(during).finalityLagSeconds ?? 0) > 5)
  assert.is(last(result.samples).entriesFinal, last(result.samples).entries)
})

for (const attack of ['equivocate', 'garbage', 'sybil', 'alie', 'withhold', 'label-flip', 'stale-replay'] as const) {
  it(`${attack}: two of seven attack, and the checks hold for the others`, async () => {
    const result = await run({
      adversaries: [{ attack, nodes: [1, 4] }],
      liveness: {},
      study: { rounds: { count: 8 } },
      end: { seconds: 60 },
    })
    assert.is(brokenIn(result), null)
    if (attack === 'garbage') assert.ok((result.refusals['update-norm'] ?? 0) > 0, JSON.stringify(result.refusals))
  })
}

it('who poisons rows does so from when it is said, and not before', async () => {
  const honest = await run({ liveness: {} })
  for (const attack of ['label-flip', 'backdoor'] as const) {
    const from = (fromSeconds: number) => run({ liveness: {}, adversaries: [{ attack, nodes: [1], fromSeconds }] })
    assert.is((await from(89)).traceHash, honest.traceHash, attack)
    assert.is.not((await from(0)).traceHash, honest.traceHash, attack)
  }
})

it('who is linked to fewer than the boot fence needs is refused with a reason', async () => {
  const ring = run({ network: { topology: { kind: 'ring' } } })
  await ring.then(
    () => assert.unreachable(),
    (error: Error) => assert.match(error.message, /node 0 has 2 links, and with a ledger of 7 members each needs 3/),
  )
})

it('it tells what one node saw and decided', async () => {
  const lines: string[] = []
  const crashes = [{ node: 3, atSeconds: 5, downSeconds: 1 }]
  await run({ crashes }, { explainNode: 3, onExplain: ({ text }: { text: string }) => lines.push(text) })
  const said = [
    /starts, with \d+ entries/,
    /hears the update of node 0, round 2/,
    /→ merges its own update with those of node/,
    /entries of itself are final/,
  ]
  for (const what of said)
    assert.ok(
      lines.some((line) => what.test(line)),
      `${what}`,
    )
})

it('ended early, it tells what is known by then', async () => {
  const stop = new AbortController()
  const result = await run(
    { study: { rounds: { count: 500 } }, end: { seconds: 600 } },
    {
      signal: stop.signal,
      onProgress: ({ virtualSeconds }: { virtualSeconds: number }) => virtualSeconds > 2 && stop.abort(),
    },
  )
  assert.is(result.outcome, 'interrupted')
  assert.ok(result.virtualSeconds < 100)
  assert.is(checkOf(result, /every step/).failure, null)
})

it.run()

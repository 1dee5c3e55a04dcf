/** Merges of what had arrived of updates, over uplinks that need longer than a round: what the logs say of them is recomputed. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { LinearLearner } from '../../netsim/members/linearLearner.ts'
import { runStudy, type StudyResult } from '../../netsim/members/run.ts'
import type { Step } from '../../netsim/members/trace.ts'
import type { Study } from '../../src/config/study.ts'
import { toHex } from '../../src/core/bytes.ts'
import type { Cbor } from '../../src/core/cbor.ts'
import { weightsDigest } from '../../src/core/digest.ts'
import type { Digest, MemberId } from '../../src/core/ids.ts'
import { Rng } from '../../src/core/rng.ts'
import type { ReplayReport } from '../../src/daemon/api.ts'
import { Replay, type ReplayParts } from '../../src/daemon/replay.ts'
import type { Body } from '../../src/governance/kinds.ts'
import { Lineages } from '../../src/governance/lineages.ts'
import type { TrainResult } from '../../src/learn/learner.ts'
import { decodeEntry, type Entry, encodeEntry } from '../../src/ledger/entry.ts'
import { runOf, studyOf } from '../node/clinics.ts'

const it = suite('partial merges')

const NODES = 7
const SLOW = 3 // trains for two and a half rounds
const MODEL = { kind: 'mlp', hidden: [128, 128] } as const // as float32 in 5 chunks
const WEIGHTS = 17_280
type Merged = Body<'round.merged'>
type InParts = NonNullable<Merged['partial']>
type Part = InParts['updates'][number]

interface Ran {
  readonly study: Study
  readonly result: StudyResult
  /** All that anybody trained. */
  readonly trained: ReadonlyMap<Digest, Float32Array>
  /** What each node trained or has in whole. */
  readonly held: readonly ReadonlySet<Digest>[]
}

/** Every weight moves in training, at each node otherwise. */
async function ran(rule: Study['merge']['rule'], uplinkMbit: number): Promise<Ran> {
  const trained = new Map<Digest, Float32Array>()
  class Noting extends LinearLearner {
    override async train(...given: Parameters<LinearLearner['train']>): Promise<TrainResult> {
      const result = await super.train(...given)
      const rng = Rng.from('moves', given[0].seed)
      const shared = result.weights.shared.map((weight) => weight + 0.02 * (rng.float() - 0.5))
      trained.set(weightsDigest(shared), shared)
      return { ...result, weights: { ...result.weights, shared } }
    }
  }
  const plain = studyOf(6)
  const rounds = { ...plain.rounds, periodSeconds: 1 }
  const study = { ...plain, model: { ...MODEL }, rounds, merge: { ...plain.merge, rule } } as Study
  const held = Array.from({ length: NODES }, () => new Set<Digest>())
  const onStep = ({ node, event, actions }: Step): void => {
    for (const action of actions) {
      if (action.type === 'publish-update') held[node]?.add(action.claims.digest)
      if (action.type === 'verdict' && action.verdict === 'accept' && event.type === 'update-heard')
        held[node]?.add(event.header.digest)
    }
  }
  const trainMs = (node: number): number => (node === SLOW ? 2_500 : 300)
  const options = runOf(NODES, 3, { study, learner: () => new Noting(), network: { uplinkMbit }, trainMs, onStep })
  const result = await runStudy(options)
  assert.ok(result.settled)
  return { study, result, trained, held }
}

const logOf = ({ result }: Ran, node: number) => {
  const { logs, member } = result.nodes[node] as StudyResult['nodes'][number]
  return (logs.get(member)?.raws ?? []).map(decodeEntry)
}
const mergesOf = (run: Ran, node: number): Merged[] =>
  logOf(run, node).flatMap(({ kind, body }) => (kind === 'round.merged' ? [body as unknown as Merged] : []))

/** What `node` finds; `has` says which updates it has kept. */
async function replayed(
  run: Ran,
  node: number,
  changed: { has?: (digest: Digest) => boolean; entry?: (entry: Entry) => Uint8Array } = {},
): Promise<ReplayReport[]> {
  const { study, result, trained } = run
  const logs = result.nodes[node]?.logs as StudyResult['nodes'][number]['logs']
  const raws = (author: MemberId) =>
    (logs.get(author)?.raws ?? []).map((raw) => changed.entry?.(decodeEntry(raw)) ?? raw)
  const authors = result.nodes.map(({ member }) => member)
  const has = changed.has ?? (() => true)
  const parts: ReplayParts = {
    logs: {
      authors: () => authors,
      sizeOf: (author) => ({ author, size: raws(author).length, root: '' as Digest }),
      entries: async (author, from, to) => raws(author).slice(from, to),
    },
    inputs: {
      has: (_, digest) => has(digest),
      read: async (_, digest) => (has(digest) ? (trained.get(digest) ?? null) : null),
      settled: async () => undefined,
    },
    study: () => study,
    nameOf: (member) => `node ${authors.indexOf(member)}`,
  }
  return (await new Replay(parts, new AbortController().signal).run(authors)).logs
}

const slow = ran('auto', 4)
const partsOf = (run: Ran) =>
  [...run.result.nodes.keys()].flatMap((node) => mergesOf(run, node).flatMap(({ partial }) => partial?.updates ?? []))

for (const rule of ['auto', 'mean', 'geometric-median'] as const) {
  it(`by ${rule}: what was taken of updates on their way is recomputed to the byte by who has them whole`, async () => {
    const run = rule === 'auto' ? await slow : await ran(rule, 4)
    assert.ok(partsOf(run).length > 40, `${partsOf(run).length} updates were merged in part`)
    for (const log of await replayed(run, 0)) {
      assert.equal(log.differences, [], log.name)
      assert.equal([log.equal, log.otherAges], [log.merges, 0], log.name)
    }
  })
}

it('parts stand in for the older update of their author, and each stretch has the rule for its inputs', async () => {
  const run = await slow
  const bodies = [...run.result.nodes.keys()].flatMap((node) => mergesOf(run, node))
  const both = bodies.filter(({ inputs, partial }) =>
    partial?.updates.some(([author]) => inputs.some(([other]) => toHex(other) === toHex(author))),
  )
  assert.ok(both.length > 5, `${both.length} merges have an old update and parts of a newer one`)
  for (const { inputs, partial } of bodies) {
    const sum = [...inputs, ...(partial?.updates ?? [])].reduce((sum, [, , , coefficient]) => sum + coefficient, 0)
    assert.ok(Math.abs(sum - 1) < 1e-9, `the coefficients sum to ${sum}`)
    if (partial === undefined) continue
    assert.is(
      partial.rules.reduce((sum, [, weights]) => sum + weights, 0),
      WEIGHTS,
    )
    for (const [count, , rule] of partial.rules) assert.is(rule, count < 6 ? 'clipped-mean' : 'trimmed-mean')
  }
  assert.ok(bodies.some(({ partial }) => new Set(partial?.rules.map(([, , rule]) => rule)).size === 2))
})

it('without parts nobody would hear of anybody where an uplink needs longer than a round, and parts grow old meanwhile', async () => {
  const run = await ran('auto', 1)
  const bodies = [...run.result.nodes.keys()].filter((node) => node !== SLOW).flatMap((node) => mergesOf(run, node))
  const whole = bodies.reduce((sum, { inputs }) => sum + inputs.length - 1, 0)
  const inParts = bodies.reduce((sum, { partial }) => sum + (partial?.updates.length ?? 0), 0)
  assert.ok(whole < 4 && inParts > 10, `${whole} whole updates of others were merged, and ${inParts} in part`)
  assert.ok(
    partsOf(run).some(([, , , , age]) => age > 0),
    'what is on its way for longer grows old',
  )
})

it('who has an update in no whole says so, and who took parts of one descends from it', async () => {
  const run = await slow
  const held = run.held[0] as ReadonlySet<Digest>
  const logs = await replayed(run, 0, { has: (digest) => held.has(digest) })
  assert.equal(
    logs.flatMap(({ differences }) => differences),
    [],
  )
  const [missing, equal] = [logs.flatMap((log) => log.missing), logs.reduce((sum, log) => sum + log.equal, 0)]
  assert.ok(missing.length > 0 && equal > 0, `${missing.length} lacked something, ${equal} merges were recomputed`)
  const lineages = new Lineages()
  const { logs: all, member } = run.result.nodes[1] as StudyResult['nodes'][number]
  lineages.take(member, all.get(member)?.raws ?? [])
  const body = mergesOf(run, 1).find(({ partial }) => partial !== undefined) as Merged
  const [[author, , digest]] = (body.partial as InParts).updates as [Part]
  const withdrawn = [{ author: toHex(author) as MemberId, model: toHex(digest) as Digest }]
  const made = [{ author: member, model: toHex(body.result) as Digest }]
  assert.equal(lineages.of(run.result.study).standings(made, withdrawn), [0])
})

const FORGED: readonly { what: string; change: (part: Part, body: Merged) => Part; says: RegExp }[] = [
  {
    what: 'another chunk',
    change: ([a, r, d, c, age, bits]) => [a, r, d, c, age, bits.map((byte) => byte ^ 0x80)],
    says: /the coefficient of|no chunks are named/,
  },
  {
    what: 'bits beyond the last chunk',
    change: ([a, r, d, c, age, bits]) => [a, r, d, c, age, bits.map((byte) => byte | 1)],
    says: /no chunks are named that can be read/,
  },
  {
    what: 'another part in the result',
    change: ([a, r, d, c, age, bits]) => [a, r, d, c * 0.9, age, bits],
    says: /the coefficient of the parts of node \d is/,
  },
  {
    what: 'an age that the log cannot show',
    change: ([a, r, d, c, , bits]) => [a, r, d, c, 3, bits],
    says: /told to be 3 merges old, more than this log shows/,
  },
  {
    what: 'the own update in part',
    change: ([, r, d, c, age, bits], { inputs, result: _ }) => [inputs[0]?.[0] as Uint8Array, r, d, c, age, bits],
    says: /the member's own update is never merged in part|stand in for a newer one|not sorted/,
  },
]

for (const { what, change, says } of FORGED) {
  it(`an entry with ${what} differs`, async () => {
    const run = await slow
    const { member } = run.result.nodes[1] as StudyResult['nodes'][number]
    const seq = logOf(run, 1).find(({ kind, body }) => kind === 'round.merged' && 'partial' in (body as object))?.seq
    const entry = (one: Entry): Uint8Array => {
      if (one.author !== member || one.seq !== seq) return one.raw
      const body = one.body as unknown as Merged
      const [first, ...rest] = (body.partial as InParts).updates as [Part, ...Part[]]
      const partial = { ...body.partial, updates: [change(first, body), ...rest] }
      return encodeEntry(one, new Uint8Array(32), { ...body, partial } as unknown as Cbor)
    }
    const [log] = (await replayed(run, 0, { entry })).filter(({ name }) => name === 'node 1')
    assert.is(log?.differing, 1)
    assert.match(log?.differences[0]?.what ?? '', says)
  })
}

it.run()

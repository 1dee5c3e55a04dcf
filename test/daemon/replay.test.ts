/** Recorded merges recomputed from what each node heard: whole studies in netsim, then the same logs with one thing changed. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Fault } from '../../netsim/members/fault.ts'
import { LinearLearner } from '../../netsim/members/linearLearner.ts'
import { runStudy, type StudyOptions, type StudyResult } from '../../netsim/members/run.ts'
import type { Step } from '../../netsim/members/trace.ts'
import type { Study } from '../../src/config/study.ts'
import { toHex } from '../../src/core/bytes.ts'
import type { Cbor } from '../../src/core/cbor.ts'
import { weightsDigest } from '../../src/core/digest.ts'
import { ConsiliumError } from '../../src/core/errors.ts'
import type { Digest, MemberId, StudyId } from '../../src/core/ids.ts'
import type { Metrics } from '../../src/core/metrics.ts'
import { Rng } from '../../src/core/rng.ts'
import type { ReplayReport } from '../../src/daemon/api.ts'
import { InputStore } from '../../src/daemon/inputStore.ts'
import { Replay, type ReplayParts } from '../../src/daemon/replay.ts'
import type { Body } from '../../src/governance/kinds.ts'
import type { TrainResult } from '../../src/learn/learner.ts'
import { mergeUpdates } from '../../src/learn/merge/rule.ts'
import { decodeEntry, type Entry, encodeEntry } from '../../src/ledger/entry.ts'
import { runOf, studyOf } from '../node/clinics.ts'

const it = suite('replay')

type Inputs = ReplayParts['inputs']

/** A finished study, and what each node trained itself or accepted. */
interface Ran {
  readonly study: Study
  readonly result: StudyResult
  readonly heard: readonly Map<Digest, Float32Array>[]
}

/** `fails` says of which evaluations, counted at one node, the learner fails. */
async function ran(
  nodes: number,
  seed: number,
  more: Partial<StudyOptions> = {},
  fails: (evaluation: number) => boolean = () => false,
): Promise<Ran> {
  const trained = new Map<Digest, Float32Array>()
  class Noting extends LinearLearner {
    #evaluations = 0
    override async train(...given: Parameters<LinearLearner['train']>): Promise<TrainResult> {
      const result = await super.train(...given)
      trained.set(weightsDigest(result.weights.shared), result.weights.shared)
      return result
    }

    override async evaluate(...given: Parameters<LinearLearner['evaluate']>): Promise<Metrics> {
      if (fails(++this.#evaluations)) throw new ConsiliumError({ code: 'learner-lost', message: 'as if killed' })
      return super.evaluate(...given)
    }
  }
  const heard = Array.from({ length: nodes }, () => new Map<Digest, Float32Array>())
  const note = (node: number, digest: Digest): void => {
    heard[node]?.set(digest, trained.get(digest) as Float32Array)
  }
  const onStep = ({ node, event, actions }: Step): void => {
    for (const action of actions) {
      if (action.type === 'publish-update') note(node, action.claims.digest)
      if (action.type === 'verdict' && action.verdict === 'accept' && event.type === 'update-heard')
        note(node, event.header.digest)
    }
  }
  const options = runOf(nodes, seed, { learner: () => new Noting(), ...more, onStep })
  const result = await runStudy(options)
  assert.ok(result.settled, `seed ${seed}`)
  return { study: options.study, result, heard }
}

const inMemory = (kept: ReadonlyMap<Digest, Float32Array>): Inputs => ({
  has: (_, digest) => kept.has(digest),
  read: async (_, digest) => kept.get(digest) ?? null,
  settled: async () => undefined,
})

/** What `node` finds in its copies of all logs. */
async function replayed(
  { study, result, heard }: Ran,
  node: number,
  changed: { inputs?: Inputs; entry?: (entry: Entry) => Uint8Array; knows?: (id: StudyId) => Study | null } = {},
): Promise<ReplayReport[]> {
  const logs = result.nodes[node]?.logs as StudyResult['nodes'][number]['logs']
  const raws = (author: MemberId) =>
    (logs.get(author)?.raws ?? []).map((raw) => changed.entry?.(decodeEntry(raw)) ?? raw)
  const authors = result.nodes.map(({ member }) => member)
  const parts: ReplayParts = {
    logs: {
      authors: () => authors,
      sizeOf: (author) => ({ author, size: raws(author).length, root: '' as Digest }),
      entries: async (author, from, to) => raws(author).slice(from, to),
    },
    inputs: changed.inputs ?? inMemory(heard[node] as Map<Digest, Float32Array>),
    study: changed.knows ?? ((id) => (id === result.study ? study : null)),
    nameOf: (member) => `node ${authors.indexOf(member)}`,
  }
  return (await new Replay(parts, new AbortController().signal).run(authors)).logs
}

const counts = (log: ReplayReport | undefined): number[] =>
  log === undefined ? [] : [log.merges, log.equal, log.differing, log.merges - log.recomputed]

it('in an undisturbed study every node finds the merges of all members equal, to the byte', async () => {
  const run = await ran(5, 1)
  for (let node = 0; node < 5; node++) {
    const logs = await replayed(run, node)
    assert.equal(
      logs.map(counts),
      logs.map(() => [7, 7, 0, 0]),
      `node ${node}: ${JSON.stringify(logs)}`,
    )
    assert.ok(logs.every(({ otherAges }) => otherAges === 0))
  }
})

it('crashes, loss, a pause, a failing learner and a late member make no merge differ, and each recomputes all of its own; 24 seeds', async () => {
  const otherAges = { started: 0, repeated: 0 }
  let [stale, notChecked] = [0, 0]
  for (let seed = 1; seed <= 24; seed++) {
    const rng = Rng.from('replay', seed)
    const crash = {
      type: 'crash',
      node: rng.below(3),
      atMs: 400 + rng.below(9_000),
      downMs: 100 + rng.below(4_000),
    } as const
    const commit = { type: 'crash-at-commit', node: 0, commit: 6 + seed, side: 'after', downMs: 300 } as const
    const pause = { type: 'pause', node: 1, fromMs: 4_000, toMs: 9_000 } as const
    const late = { type: 'late', node: 2, atMs: 7_000 } as const
    const quick = Array.from({ length: 9 }, (_, i) => {
      return { ...crash, node: i % 3, atMs: 3_000 + rng.below(10_000), downMs: 20 + rng.below(100) }
    })
    const faults = [[crash], [commit, crash], [pause], [late, crash], quick, []][seed % 6] as readonly Fault[]
    const fails = (evaluation: number): boolean => faults.length === 0 && evaluation % 5 === 3 && evaluation < 12
    const latencyMs = faults === quick ? [5, 60] : [5, 700]
    const network = { loss: 0.1, latencyMs: latencyMs as [number, number] }
    const timing = faults.length === 0 ? { evaluateMs: 300 } : {}
    const run = await ran(3, seed, { study: studyOf(14), network, timing, faults, untilMs: 900_000 }, fails)
    for (let node = 0; node < 3; node++) {
      for (const [i, log] of (await replayed(run, node)).entries()) {
        assert.equal([log.differing, log.differences], [0, []], `seed ${seed}, node ${node} on ${i}`)
        if (i === node) assert.equal(counts(log), [log.merges, log.merges, 0, 0], `seed ${seed}: all of its own`)
        assert.ok(log.notChecked.every(({ reason }) => reason === 'inputs-missing'))
        otherAges[faults.length === 0 ? 'repeated' : 'started'] += log.otherAges
        notChecked += log.merges - log.recomputed
      }
      const own = run.result.nodes[node]?.member as MemberId
      const merges = (run.result.nodes[node]?.logs.get(own)?.raws ?? []).map(decodeEntry).filter(isMerge)
      const named = merges.flatMap(({ body }) => body.inputs.map(([, , digest]) => String(digest)))
      stale += named.length - new Set(named).size
    }
  }
  assert.ok(stale > 50, `${stale} inputs were stale`)
  assert.ok(otherAges.started > 0, 'some node heard an update while it opened the study after a start')
  assert.ok(otherAges.repeated > 0, 'some node heard an update before it did a merge again')
  assert.ok(notChecked > 0, 'some node missed an update that another merged')
})

interface Merged extends Entry {
  readonly body: Body<'round.merged'>
}
const isMerge = (entry: Entry): entry is Merged => entry.kind === 'round.merged'

const shared = ran(3, 4)

/** Changes the body of node 1's merge of round 3, or of its entry of another kind. */
const altered =
  (run: Ran, change: (body: Body<'round.merged'>) => unknown, kind = 'round.merged') =>
  (entry: Entry): Uint8Array => {
    const { author, body, raw } = entry
    const here = entry.kind === kind && author === run.result.nodes[1]?.member
    if (!here || (body as { round: number }).round !== 3) return raw
    return encodeEntry(entry, new Uint8Array(32), change(body as Body<'round.merged'>) as Cbor)
  }

type Tuple = Body<'round.merged'>['inputs'][number]
const input = (body: Body<'round.merged'>, at: number, change: (tuple: Tuple) => unknown[]) => ({
  ...body,
  inputs: body.inputs.map((tuple, i) => (i === at ? change(tuple) : tuple)),
})
const flip = (bytes: Uint8Array): Uint8Array => bytes.map((byte, i) => (i === 7 ? byte ^ 2 : byte))
const next = (value: number): number => {
  const words = new BigUint64Array(Float64Array.of(value).buffer)
  words[0] = (words[0] as bigint) + 1n
  return new Float64Array(words.buffer)[0] as number
}

const DIFFERENCES: readonly {
  what: string
  change: (body: Body<'round.merged'>, run: Ran) => unknown
  kind?: string
  says: RegExp
}[] = [
  {
    what: 'a coefficient by its last bit',
    change: (body) => input(body, 2, ([a, r, d, c]) => [a, r, d, next(c)]),
    says: /^the coefficient of node \d is 0\.\d+, recomputed it is 0\.\d+$/,
  },
  {
    what: 'coefficients that speak of an update older than it can be',
    change: (body, run) => {
      const old = body.inputs.map(([, , , c], i) => (i === own(body, run) ? c : c / 3))
      const sum = old.reduce((total, c) => total + c, 0)
      return { ...body, inputs: body.inputs.map(([a, r, d], i) => [a, r, d, (old[i] as number) / sum]) }
    },
    says: /^the coefficient of node \d/,
  },
  {
    what: 'the result by one bit',
    change: (body) => ({ ...body, result: flip(body.result) }),
    says: /^the result is [0-9a-f]{12}…, recomputed it is [0-9a-f]{12}…$/,
  },
  {
    what: 'the round of an input',
    change: (body) => input(body, 0, ([a, r, d, c]) => [a, r + 1, d, c]),
    says: /^node \d trained [0-9a-f]{12}… in round \d, not in round \d$|^the own update is of round 4/,
  },
  {
    what: 'the order of the inputs',
    change: (body) => ({ ...body, inputs: [...body.inputs].reverse() }),
    says: /not sorted by author/,
  },
  {
    what: 'more inputs than a merge has',
    change: (body) => {
      const more = Array.from({ length: 65 }, (_, i) => [new Uint8Array(32).fill(i), 3, new Uint8Array(32), 0])
      return { ...body, inputs: more }
    },
    says: /^65 updates are named, at most 64/,
  },
  {
    what: 'its own update left out',
    change: (body, run) => ({ ...body, inputs: body.inputs.filter((_, i) => i !== own(body, run)) }),
    says: /own update is not among/,
  },
  {
    what: 'the examples in the author’s own entry',
    change: (body) => ({ ...body, examples: 1_000_000 }),
    kind: 'round.trained',
    says: /^the coefficient of/,
  },
]

function own(body: Body<'round.merged'>, run: Ran): number {
  const self = run.result.nodes[1]?.member as MemberId
  return body.inputs.findIndex(([author]) => toHex(author) === self)
}

for (const { what, change, kind, says } of DIFFERENCES) {
  it(`changed, ${what}: said, by entry and round, and only there`, async () => {
    const run = await shared
    const logs = await replayed(run, 0, { entry: altered(run, (body) => change(body, run), kind) })
    const [zero, one, two] = logs
    const [first] = one?.differences ?? []
    assert.match(first?.what ?? 'nothing differs', says)
    assert.equal([first?.ref.startsWith('node1/'), first?.round], [true, 3])
    assert.is(one?.differing, 1)
    if (kind === undefined)
      assert.equal([zero, two].map(counts), [
        [7, 7, 0, 0],
        [7, 7, 0, 0],
      ])
  })
}

const UNCHECKED: readonly {
  what: string
  change: Parameters<typeof replayed>[2] | ((run: Ran) => Parameters<typeof replayed>[2])
  reason: string
  merges: number
}[] = [
  {
    what: 'a rule that is not known',
    change: (run) => ({ entry: altered(run, (body) => ({ ...body, rule: 'bulyan' })) }),
    reason: 'rule-unknown',
    merges: 1,
  },
  {
    what: 'a body of another version',
    change: (run) => ({ entry: altered(run, (body) => ({ ...body, more: 1 })) }),
    reason: 'body-unreadable',
    merges: 1,
  },
  { what: 'a study that is not known', change: { knows: () => null }, reason: 'study-unknown', merges: 7 },
  {
    what: 'no entry of how an own update was trained',
    change: (run) => ({ entry: altered(run, (body) => ({ ...body, more: 1 }), 'round.trained') }),
    reason: 'trained-not-here',
    merges: 1,
  },
  {
    what: 'an update trained on nothing',
    change: (run) => ({ entry: altered(run, (body) => ({ ...body, examples: 0 }), 'round.trained') }),
    reason: 'examples-none',
    merges: 1,
  },
]

for (const { what, change, reason, merges } of UNCHECKED) {
  it(`${what} is not called a difference: ${reason}`, async () => {
    const run = await shared
    const logs = await replayed(run, 0, typeof change === 'function' ? change(run) : change)
    assert.ok(logs.every(({ differing }) => differing === 0))
    assert.equal(logs[1]?.notChecked, [{ reason, merges }])
    assert.is(logs[1]?.equal, 7 - merges)
  })
}

/** The same in a folder: what node 0 heard, kept by a real store. */
async function inFolder(use: (run: Ran, open: (keepBytes?: number) => InputStore, folder: string) => Promise<void>) {
  const run = await shared
  const folder = await mkdtemp(join(tmpdir(), 'consilium-replay-'))
  const opened: InputStore[] = []
  try {
    await use(
      run,
      (keepBytes = 1e9) => {
        const store = new InputStore({
          folder,
          keepBytes,
          room: { require: async () => undefined },
          log: () => undefined,
        })
        opened.push(store)
        store.start()
        return store
      },
      folder,
    )
  } finally {
    for (const store of opened) await store.close()
    await rm(folder, { recursive: true })
  }
}

function keepAll({ result, heard }: Ran, store: InputStore, order?: Rng): void {
  const updates = [...(heard[0] as Map<Digest, Float32Array>)]
  const places = Uint32Array.from(updates.keys())
  for (const at of order === undefined ? places : order.shuffle(places)) {
    const [digest, weights] = updates[at] as (typeof updates)[number]
    store.keep(result.study, digest, weights)
  }
}

it('whatever order the inputs were kept and are loaded in, the same bytes come out, also after a restart', () =>
  inFolder(async (run, open) => {
    const store = open()
    keepAll(run, store, Rng.from('shuffled', 1))
    const found = await replayed(run, 0, { inputs: store })
    assert.equal(found, await replayed(run, 0))
    await store.close()
    assert.equal(await replayed(run, 0, { inputs: open() }), found)
    const weights = [...(run.heard[0] as Map<Digest, Float32Array>).values()].slice(0, 3)
    const facts = run.result.nodes.map(({ member }, i) => ({
      author: member,
      examples: 30 + i,
      ageRounds: i,
      weights: weights[i] as Float32Array,
    }))
    const merged = [0, 1, 2, 3, 4, 5].map((seed) => {
      const order = Rng.from('order', seed).shuffle(Uint32Array.from(facts.keys()))
      const inputs = [...order].map((at) => facts[at] as (typeof facts)[number])
      return weightsDigest(mergeUpdates(run.study.merge, inputs, facts[0]?.author as MemberId).weights)
    })
    assert.is(new Set(merged).size, 1)
  }))

it('an input with one flipped bit counts as missing: said whose it is, and its file is gone', () =>
  inFolder(async (run, open, folder) => {
    const store = open()
    keepAll(run, store)
    await store.settled()
    const logs = run.result.nodes[0]?.logs
    const trained = (logs?.get(run.result.nodes[2]?.member as MemberId)?.raws ?? [])
      .map(decodeEntry)
      .find(({ kind, body }) => kind === 'round.trained' && (body as { round: number }).round === 2)
    assert.ok(trained)
    const digest = toHex((trained.body as Body<'round.trained'>).update)
    const file = join(folder, run.result.study.slice(0, 16), digest)
    const bytes = await readFile(file)
    bytes[3] = (bytes[3] as number) ^ 1
    await writeFile(file, bytes)
    const found = await replayed(run, 0, { inputs: store })
    const missing = found.flatMap((log) => log.missing.map(({ name, merges }) => `${name} ${merges > 0}`))
    assert.equal([...new Set(missing)], ['node 2 true'])
    for (const log of found) {
      assert.is(log.differing, 0)
      assert.equal(log.notChecked, [{ reason: 'inputs-missing', merges: log.merges - log.equal }])
    }
    await readFile(file).then(
      () => assert.unreachable('the file is still there'),
      () => undefined,
    )
    assert.equal(await replayed(run, 0, { inputs: store }), found, 'the second time it is not there to begin with')
  }))

it('past the window the newest merges are still recomputed', () =>
  inFolder(async (run, open) => {
    const store = open(9 * 4_096)
    keepAll(run, store)
    const found = await replayed(run, 0, { inputs: store })
    assert.equal(
      found.map(({ merges, differing }) => [merges, differing]),
      found.map(() => [7, 0]),
    )
    const [own] = found
    assert.ok((own?.equal ?? 0) >= 2 && (own?.equal ?? 7) < 7, `${own?.equal} of 7`)
    assert.equal(own?.notChecked, [{ reason: 'inputs-missing', merges: 7 - (own?.equal ?? 0) }])
  }))

it('a replay that nobody waits for ends', async () => {
  const run = await shared
  const stop = new AbortController()
  stop.abort()
  const slow: ReplayParts = {
    logs: {
      authors: () => [run.result.nodes[0]?.member as MemberId],
      sizeOf: (author) => ({ author, size: Number.MAX_SAFE_INTEGER, root: '' as Digest }),
      entries: async (author, from) =>
        Array.from(
          { length: 200 },
          (_, i) => (run.result.nodes[0]?.logs.get(author)?.raws ?? [])[(from + i) % 9] as Uint8Array,
        ),
    },
    inputs: inMemory(new Map()),
    study: () => run.study,
    nameOf: (member) => member,
  }
  const error = await new Replay(slow, stop.signal).run([]).catch((thrown: unknown) => thrown)
  assert.is((error as { code?: string }).code, 'replay-broken-off')
})

const ROBUST: readonly (readonly [string, string])[] = [
  ['auto', 'auto'],
  ...(
    ['clipped-mean', 'trimmed-mean', 'median', 'geometric-median', 'krum', 'multi-krum', 'centred-clipping'] as const
  ).map((rule) => [rule, `${rule}, nearest: true`] as const),
]

for (const [name, rule] of ROBUST) {
  it(`merges by ${name} are recomputed to the byte, who was set aside too, also with other ages after losses`, async () => {
    const study = studyOf(5)
    const merge = { ...study.merge, rule: name as Study['merge']['rule'], nearest: rule.includes('nearest') }
    const run = await ran(7, 5, { study: { ...study, merge, rounds: { ...study.rounds, count: 5 } } })
    const logs = await replayed(run, 0)
    for (const log of logs) {
      assert.equal(log.differences, [], log.name)
      assert.is(log.equal, log.merges, log.name)
      assert.is(log.merges, 5)
    }
    const bodies = mergedOf(run, 1)
    assert.ok(bodies.every(({ parameters }) => parameters !== undefined))
    const names = name === 'auto' ? ['trimmed-mean', 'clipped-mean'] : [name]
    assert.ok(bodies.every((body) => names.includes(body.rule)))
  })
}

const mergedOf = ({ result }: Ran, node: number): Body<'round.merged'>[] => {
  const { logs, member } = result.nodes[node] as StudyResult['nodes'][number]
  const entries = (logs.get(member)?.raws ?? []).map(decodeEntry)
  return entries
    .filter(({ kind }) => kind === 'round.merged')
    .map(({ body }) => body as unknown as Body<'round.merged'>)
}

const FORGED: readonly { what: string; change: (body: Body<'round.merged'>) => Body<'round.merged'>; says: RegExp }[] =
  [
    {
      what: 'fewer faulty inputs than the study says',
      change: (body) => ({ ...body, parameters: body.parameters && { ...body.parameters, faulty: 0 } }),
      says: /0 inputs of 7 are assumed faulty, mixed; by the study 2, mixed/,
    },
    {
      what: 'somebody who is no outlier set aside',
      change: (body) => ({
        ...body,
        aside: body.inputs.slice(0, 3).map(([a, r, d]) => [a, r, d, 'outlying'] as const) as never,
      }),
      says: /set aside as outlying are .*, recomputed/,
    },
    {
      what: 'another part in the result',
      change: (body) => ({ ...body, inputs: body.inputs.map(([a, r, d, c]) => [a, r, d, c * 0.9]) }),
      says: /the coefficient of node \d is/,
    },
    {
      what: 'no parameters',
      change: ({ parameters: _, ...body }) => body,
      says: /the parameters of trimmed-mean are missing/,
    },
  ]

const robust = ran(7, 6, {
  study: { ...studyOf(4), merge: { ...studyOf(4).merge, rule: 'auto' } },
})

for (const { what, change, says } of FORGED) {
  it(`an entry with ${what} differs`, async () => {
    const run = await robust
    assert.is(mergedOf(run, 1)[3]?.inputs.length, 7)
    const [log] = (await replayed(run, 1, { entry: altered(run, change) })).filter(({ name }) => name === 'node 1')
    assert.is(log?.differing, 1)
    assert.match(log?.differences[0]?.what ?? '', says)
  })
}

it.run()

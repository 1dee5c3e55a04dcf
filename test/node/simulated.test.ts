/** Whole networks of machines in netsim: what hospitals are promised, over many seeds. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { checkRounds, Rules } from '../../netsim/checkers/rules.ts'
import type { Fault } from '../../netsim/members/fault.ts'
import { LIES, type Lie } from '../../netsim/members/liar.ts'
import { runStudy, type StudyOptions, type StudyResult } from '../../netsim/members/run.ts'
import type { Step } from '../../netsim/members/trace.ts'
import { toHex } from '../../src/core/bytes.ts'
import { type Cbor, encodeCbor } from '../../src/core/cbor.ts'
import type { MemberId } from '../../src/core/ids.ts'
import { Rng } from '../../src/core/rng.ts'
import { decodeEntry } from '../../src/ledger/entry.ts'
import { openHead } from '../../src/ledger/head.ts'
import { verifyLog } from '../../src/ledger/verify.ts'
import { Machine } from '../../src/node/machine.ts'
import { runOf, studyOf, tableOf } from './clinics.ts'

const it = suite('machine in netsim')

/** Runs under the rules and checks every log at every node, signatures included. */
async function run(nodes: number, seed: number, more: Partial<StudyOptions> = {}): Promise<StudyResult> {
  const rules = new Rules()
  const onStep = (step: Step): void => {
    rules.check(step)
    more.onStep?.(step)
  }
  const result = await runStudy(runOf(nodes, seed, { signatures: 'real', ...more, onStep }))
  assert.is(rules.seen, result.steps)
  for (const { logs, member } of result.nodes) {
    for (const { raws, heads } of logs.values()) {
      const note = heads.at(-1)?.note
      if (note === undefined) continue
      const report = verifyLog([raws], openHead(note, result.founding))
      assert.equal([report.ok, report.entries], [true, raws.length], `seed ${seed}: ${report.firstFault?.message}`)
    }
    checkRounds(logs.get(member)?.raws ?? [])
  }
  return result
}

const entriesOf = (result: StudyResult, node: number, author = node) => {
  const log = result.nodes[node]?.logs.get(result.nodes[author]?.member as MemberId)
  return (log?.raws ?? []).map(decodeEntry)
}
const roundsOf = (result: StudyResult, node: number): number[] =>
  checkRounds(result.nodes[node]?.logs.get(result.nodes[node]?.member as MemberId)?.raws ?? []).merged
const inputsOf = (body: unknown): unknown[] => (body as { inputs: unknown[] }).inputs
const phaseOf = (result: StudyResult, node: number) => result.nodes[node]?.view?.studies[0]?.run?.phase
const LAST = 6 // of the made-up study's seven rounds

it('five nodes finish the study, and every log is everywhere and verifies', async () => {
  const result = await run(5, 1)
  assert.ok(result.settled)
  for (const [node, { model, metrics, weightsMost }] of result.nodes.entries()) {
    assert.is(phaseOf(result, node), 'ended')
    assert.is(model?.round, LAST)
    assert.ok((metrics?.auc ?? 0) > 0.6)
    assert.ok(weightsMost <= 2 * 5 + 3, `${weightsMost} weights were held at once`)
    assert.is(entriesOf(result, node).filter(({ kind }) => kind === 'study.ended').length, 1)
  }
})

it('the same seed gives the same trace, another seed another', async () => {
  const faults: Fault[] = [{ type: 'crash', node: 2, atMs: 2_500, downMs: 900 }]
  const network = { loss: 0.1 }
  const [one, again, other] = [
    await run(3, 7, { faults, network }),
    await run(3, 7, { faults, network }),
    await run(3, 8, { faults, network }),
  ]
  assert.is(one.trace, again.trace)
  assert.is.not(one.trace, other.trace)
  assert.equal(
    one.nodes.map(({ model }) => model?.digest),
    again.nodes.map(({ model }) => model?.digest),
  )
})

it('modelled signatures change bytes, not decisions', async () => {
  const kinds = (result: StudyResult) => result.nodes.map((_, node) => entriesOf(result, node).map(({ kind }) => kind))
  const [real, modelled] = [await run(3, 4), await runStudy(runOf(3, 4))]
  assert.equal(kinds(real), kinds(modelled))
  assert.equal(
    real.nodes.map(({ model }) => model?.digest),
    modelled.nodes.map(({ model }) => model?.digest),
  )
})

it('a recorded run replays into fresh machines to the byte', async () => {
  const steps: Step[] = []
  const faults: Fault[] = [{ type: 'crash', node: 1, atMs: 3_000, downMs: 700 }]
  await run(3, 5, { faults, onStep: (step) => steps.push(step) })
  const machines = new Map<string, Machine>()
  const bytes = (actions: unknown): string => toHex(encodeCbor(actions as Cbor))
  for (const { node, start, event, now, actions } of steps) {
    const name = `${node} ${start}`
    const machine = machines.get(name) ?? new Machine()
    machines.set(name, machine)
    assert.is(bytes(machine.step(event, now)), bytes(actions))
  }
  assert.is(machines.size, 4)
})

it('a node that crashes at a random moment holds nobody up, comes back, catches up and ends; 10 seeds', async () => {
  let cameBackInTime = 0
  for (let seed = 1; seed <= 10; seed++) {
    const rng = Rng.from('crash', seed)
    const node = rng.below(3)
    const fault: Fault = { type: 'crash', node, atMs: 400 + rng.below(6_000), downMs: 100 + rng.below(4_000) }
    const ends: number[] = []
    const onStep = ({ node: at, actions, now }: Step): void => {
      if (actions.some((action) => action.type === 'tell' && action.event === 'study-ended')) ends[at] = now
    }
    const result = await run(3, seed, { faults: [fault], onStep })
    assert.ok(result.settled, `seed ${seed}: settled`)
    assert.is(result.nodes[node]?.starts, 2)
    const others = [0, 1, 2].filter((at) => at !== node)
    const undisturbed = 15_000 // 7 rounds of 0.8 s, and the statistics' deadline where the node was not there to contribute
    for (const at of others)
      assert.ok((ends[at] as number) < 1_750_000_000_000 + undisturbed, `seed ${seed}: nobody waits`)
    assert.is(result.nodes[node]?.model?.round, LAST, `seed ${seed}`)
    if (roundsOf(result, node).length < LAST + 1) cameBackInTime++
  }
  assert.ok(cameBackInTime > 0, 'some came back while the others trained, and took up their round')
})

it('a crash at any commit, before or after it is durable, loses nothing that was reported and repeats no round', async () => {
  const study = studyOf(3)
  const plain = await run(2, 11, { study })
  const commits = plain.nodes[0]?.logs.get(plain.nodes[0].member)?.heads.length as number
  assert.ok(commits > 8)
  for (let commit = 1; commit <= commits; commit++) {
    for (const side of ['before', 'after'] as const) {
      const fault: Fault = { type: 'crash-at-commit', node: 0, commit, side, downMs: 300 }
      const result = await run(2, 11, { study, faults: [fault] })
      const where = `${side} commit ${commit}`
      assert.ok(result.settled, where)
      assert.is(result.nodes[0]?.model?.round, 2, where)
      assert.ok(result.nodes[0]?.metrics !== null, `${where}: what the model measured is known`)
      const kinds = entriesOf(result, 0).map(({ kind }) => kind)
      const bound = kinds.filter((kind) => kind === 'dataset.bound').length
      assert.is(bound, 1, `${where}: the table's binding is recorded once`)
      assert.is(
        kinds.filter((kind) => kind === 'node.started').length,
        side === 'before' && commit === 1 ? 1 : 2,
        where,
      )
    }
  }
})

it('a partition of two and three trains on on both sides, and heals to one scaling and one set of logs', async () => {
  const sides = [0, 0, 1, 1, 1]
  const result = await run(5, 3, {
    study: studyOf(30),
    faults: [{ type: 'partition', sides, fromMs: 3_000, toMs: 14_000 }],
  })
  assert.ok(result.settled)
  const scalings = result.nodes.map(({ view }) => view?.studies[0]?.state.scaling)
  assert.is(new Set(scalings.map((scaling) => scaling?.digest)).size, 1)
  for (let node = 0; node < 5; node++) {
    assert.is(phaseOf(result, node), 'ended')
    const last = entriesOf(result, node).findLast(({ kind }) => kind === 'round.merged')
    assert.is(inputsOf(last?.body).length, 5, 'all five merge in the end')
  }
})

it('two scalings frozen apart: the one with more contributions wins everywhere', async () => {
  const tables = Array.from({ length: 5 }, (_, i) => [tableOf(`${i}`)])
  // the study reaches both sides before the link breaks; the tables are bound when it is broken
  const found: string[] = []
  for (let seed = 1; seed <= 6; seed++) {
    const replaced = new Set<number>()
    const onStep = ({ node, actions }: Step): void => {
      if (actions.some((action) => action.type === 'tell' && action.event === 'scaling-replaced')) replaced.add(node)
    }
    const faults: Fault[] = [{ type: 'partition', sides: [0, 0, 1, 1, 1], fromMs: 1_260 + 40 * seed, toMs: 12_000 }]
    const result = await run(5, seed, { study: studyOf(25), tables, faults, onStep })
    assert.ok(result.settled, `seed ${seed}`)
    const states = result.nodes.map(({ view }) => view?.studies[0]?.state)
    const proposals = states[0]?.scaling?.contributions.length
    for (const state of states) assert.is(state?.scaling?.digest, states[0]?.scaling?.digest)
    found.push(`${proposals} contributions, replaced at ${[...replaced].sort().join(' ')}`)
  }
  assert.ok(
    found.some((line) => line.endsWith('0 1')),
    `in some runs the smaller side changed over: ${found.join('; ')}`,
  )
})

it('a node that hears no one trains alone and says so', async () => {
  const told: string[] = []
  const result = await run(3, 2, {
    faults: [{ type: 'partition', sides: [0, 1, 1], fromMs: 1_800, toMs: 60_000 }],
    onStep: ({ node, actions }) => {
      for (const action of actions) if (action.type === 'tell' && node === 0) told.push(action.event)
    },
  })
  assert.ok(result.settled)
  assert.ok(told.includes('training-alone'))
  const merges = entriesOf(result, 0).filter(({ kind }) => kind === 'round.merged')
  const sizes = merges.map(({ body }) => inputsOf(body).length)
  assert.is(sizes.at(-1), 1)
  assert.is(merges.length, LAST + 1)
})

it('a liar is never merged, and its lies are on record by reason', async () => {
  const lies = Object.keys(LIES) as Lie[]
  const steps: Step[] = []
  const result = await run(4, 6, {
    study: studyOf(16),
    liars: [{ node: 1, lies }],
    onStep: (step) => steps.push(step),
  })
  assert.ok(result.settled)
  const liar = result.nodes[1]?.member as string
  for (const { event, actions, node } of steps) {
    if (node === 1) continue
    for (const action of actions) {
      if (action.type === 'merge') assert.not.ok(action.inputs.some(({ author }) => author === liar))
      if (action.type !== 'verdict' || event.type !== 'update-heard' || event.header.author !== liar) continue
      assert.is.not(action.verdict, 'accept')
      const ignored = ['update-stale', 'scaling-differs', 'study-not-running']
      assert.is(action.verdict, ignored.includes(action.reason as string) ? 'ignore' : 'reject', `${action.reason}`)
    }
  }
  for (const node of [0, 2, 3]) {
    const rejected = entriesOf(result, node).filter(({ kind }) => kind === 'member.rejected')
    const reasons = new Set(rejected.map(({ body }) => (body as { reason: string }).reason))
    for (const lie of lies) {
      if (lie !== 'scaling-differs') assert.ok(reasons.has(lie), `node ${node} recorded ${lie}: ${[...reasons]}`)
    }
    assert.ok(rejected.length < 30, 'entries grow with the logarithm of the lies')
  }
})

it('pausing one node stops its training at once, and resuming takes up the common round', async () => {
  const study = studyOf(20)
  const paused = { type: 'pause', node: 1, fromMs: 4_000, toMs: 9_000 } as const
  const times: number[] = []
  const result = await run(3, 9, {
    study,
    faults: [paused],
    onStep: ({ node, now, actions }) => {
      if (node === 1 && actions.some(({ type }) => type === 'train' || type === 'publish-update'))
        times.push(now - 1_750_000_000_000)
    },
  })
  assert.ok(result.settled)
  assert.equal(
    times.filter((time) => time >= paused.fromMs && time < paused.toMs),
    [],
  )
  assert.ok(times.some((time) => time >= paused.toMs))
  const rounds = roundsOf(result, 1)
  assert.ok(rounds.length < 20 && rounds.at(-1) === 19, `rounds ${rounds}`)
})

it('another table is used from the next round on, and each update names the table it was trained on', async () => {
  const tables = [[tableOf('a'), tableOf('b', 90)], [tableOf('c')], [tableOf('d')]]
  const result = await run(3, 10, { tables, faults: [{ type: 'rebind', node: 0, atMs: 4_010, version: 1 }] })
  assert.ok(result.settled)
  const entries = entriesOf(result, 0)
  const commitment = (body: unknown, name: string) => toHex((body as Record<string, Uint8Array>)[name] as Uint8Array)
  const bound = entries.filter(({ kind }) => kind === 'dataset.bound')
  assert.is(bound.length, 2)
  const [first, second] = bound.map(({ body }) => commitment(body, 'commitment'))
  const trained = entries.filter(({ kind }) => kind === 'round.trained')
  for (const { body } of trained) {
    const rows = (body as { examples: number }).examples
    assert.is(commitment(body, 'dataset'), rows === 45 ? first : second, `${rows} rows`)
  }
  assert.ok(trained.some(({ body }) => commitment(body, 'dataset') === second))
})

it('lossy and slow networks only slow things down', async () => {
  for (let seed = 1; seed <= 4; seed++) {
    const result = await run(4, seed, { network: { loss: 0.3, latencyMs: [20, 900] } })
    assert.ok(result.settled, `seed ${seed}`)
    assert.ok(result.messages.lost > 20)
    for (const { view } of result.nodes) assert.equal(view?.rejections, [], `seed ${seed}: nobody honest is blamed`)
  }
})

it('a member that joins late takes over the frozen scaling and the round of the others', async () => {
  const result = await run(4, 12, { study: studyOf(30), faults: [{ type: 'late', node: 3, atMs: 15_000 }] })
  assert.ok(result.settled)
  assert.is(new Set(result.nodes.map(({ view }) => view?.studies[0]?.state.scaling?.digest)).size, 1)
  assert.is(result.nodes[0]?.view?.studies[0]?.state.scaling?.contributions.length, 3)
  const rounds = roundsOf(result, 3)
  assert.is(rounds[0], 0)
  assert.ok(rounds.length < 24, `it goes on from the others' round: ${rounds}`)
  assert.is(rounds.at(-1), 29)
})

it.run()

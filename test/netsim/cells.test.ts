/** Cells in whole networks: real machines over the model of gossipsub, and crowds by the same deal. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Rules } from '../../netsim/checkers/rules.ts'
import type { NodeShell } from '../../netsim/members/nodeShell.ts'
import { spreadingOf } from '../../netsim/members/pubsub.ts'
import { runStudy, type StudyOptions } from '../../netsim/members/run.ts'
import type { Step } from '../../netsim/members/trace.ts'
import { parseScenario, scenarioText } from '../../netsim/scenario/read.ts'
import type { ScenarioInput } from '../../netsim/scenario/schema.ts'
import type { World } from '../../netsim/world/make.ts'
import type { MemberId } from '../../src/core/ids.ts'
import type { CellName } from '../../src/gossip/cells.ts'
import { runOf, studyOf } from '../node/clinics.ts'
import { brokenIn, runOf as runScenario } from './scenarioKit.ts'

const it = suite('netsim cells')
const NODES = 12
const PERIOD_MS = 4_000
const study = (cells: string, rounds = 20) => studyOf(rounds, `cells: ${cells}`)
const CELLS = `{ above: 4, size: 4, periodSeconds: ${PERIOD_MS / 1_000} }`
const MESH = { gossip: { mode: 'mesh', fanout: 1, mesh: { D: 3, Dlo: 2, Dhi: 4, Dlazy: 6, heartbeatMs: 1_000 } } }
const HEARD_WITHIN_MS = 1_500 // a message that its mesh does not bring is told of at the next heartbeat, and asked for

interface Published {
  readonly now: number
  readonly node: number
  readonly round: number
  readonly cell: CellName | null
}

/** What is seen of one run: who listened where, what was published, and who heard and merged what. */
class Watch {
  readonly published: Published[] = []
  /** By hearer, author and round. */
  readonly heard = new Map<string, { readonly now: number; readonly verdict: string }>()
  /** Of each node, whose updates were in its merges. */
  readonly mates = Array.from({ length: NODES }, () => new Set<MemberId>())
  /** Rounds that were merged with nobody else's. */
  readonly alone = Array.from({ length: NODES }, () => new Set<number>())
  readonly joined: { now: number; node: number; listen: readonly (CellName | null)[] }[] = []
  readonly publishing: (CellName | null)[] = new Array(NODES).fill(null)
  readonly #rules = new Rules()

  step = (step: Step): void => {
    this.#rules.check(step)
    const { now, node, event, actions } = step
    for (const action of actions) {
      if (action.type === 'topics') {
        this.joined.push({ now, node, listen: action.listen })
        this.publishing[node] = action.publish
      } else if (action.type === 'publish-update') {
        const cell = this.publishing[node] ?? null
        this.published.push({ now, node, round: action.claims.round, cell })
      } else if (action.type === 'merge') {
        if (action.inputs.length === 1) this.alone[node]?.add(action.round)
        for (const { author } of action.inputs) this.mates[node]?.add(author)
      } else if (action.type === 'verdict' && event.type === 'update-heard') {
        const { author, round } = event.header
        this.heard.set(`${node} ${author} ${round}`, { now, verdict: action.reason ?? action.verdict })
      }
    }
  }

  /** Topics that a node listened to at a time; none before it opened the study. */
  listens(node: number, now: number): readonly (CellName | null)[] {
    return this.joined.findLast((one) => one.node === node && one.now <= now)?.listen ?? []
  }
}

async function run(watch: Watch, seed: number, more: Partial<StudyOptions> = {}) {
  const pubsub = spreadingOf<NodeShell>({ scenario: MESH, seed: String(seed) } as unknown as World)
  const options = { study: study(CELLS), untilMs: 200_000, ...(pubsub && { pubsub }), onStep: watch.step, ...more }
  return runStudy(runOf(NODES, seed, options))
}

const keyOf = (cell: CellName | null): string => JSON.stringify(cell)

it('no round is lost where cells change: all who listen to a cell hear what is published there, also just before and after', async () => {
  const watch = new Watch()
  const result = await run(watch, 3)
  assert.ok(result.settled)
  let [checked, near] = [0, 0]
  for (const { now, node, round, cell } of watch.published) {
    if (cell === null) continue
    for (let other = 0; other < NODES; other++) {
      const listens = (at: number): boolean => watch.listens(other, at).some((one) => keyOf(one) === keyOf(cell))
      if (other === node || !listens(now - HEARD_WITHIN_MS) || !listens(now + HEARD_WITHIN_MS)) continue
      const heard = watch.heard.get(`${other} ${result.nodes[node]?.member} ${round}`)
      assert.ok(heard !== undefined && heard.now - now <= HEARD_WITHIN_MS, `round ${round} of ${node} at ${other}`)
      assert.ok(['accept', 'update-known'].includes(heard.verdict), heard.verdict)
      checked++
      if (Math.min(now % PERIOD_MS, PERIOD_MS - (now % PERIOD_MS)) < 600) near++
    }
  }
  assert.ok(checked > 400 && near > 50, `${checked} looked at, ${near} of them near a change`)
  const alone = watch.alone.flatMap((rounds) => [...rounds].filter((round) => round > 4))
  assert.equal(alone, [], 'nobody trains alone, once all have begun')
})

it('over the periods nodes merge with different mates, and messages are those of a cell', async () => {
  const [cells, whole] = [new Watch(), new Watch()]
  const dealt = await run(cells, 4)
  const all = await run(whole, 4, { study: study('null') })
  assert.ok(dealt.settled && all.settled)
  for (const mates of cells.mates) assert.ok(mates.size >= 7, `${mates.size} in all, of 4 in a cell`)
  const heard = (watch: Watch): number => [...watch.heard.values()].filter(({ verdict }) => verdict === 'accept').length
  const share = heard(cells) / heard(whole)
  assert.ok(share > 0.2 && share < 0.4, `${share} of the updates are heard, 3 of 11 others sit in a cell`)
  const spread = (nodes: typeof dealt.nodes): number => {
    const models = nodes.map(({ model }) => model?.weights.shared ?? new Float32Array(0))
    const [first = new Float32Array(0)] = models
    return Math.max(...models.map((model) => Math.max(...model.map((w, i) => Math.abs(w - (first[i] as number))))))
  }
  assert.ok(spread(dealt.nodes) < 0.1, `models are ${spread(dealt.nodes)} apart`)
})

it('clocks that are wrong by most of a period hurt nobody', async () => {
  const watch = new Watch()
  const faults = [
    { type: 'skew', node: 2, byMs: 3_200 },
    { type: 'skew', node: 7, byMs: -3_000 },
  ] as const
  const result = await run(watch, 5, { faults })
  assert.ok(result.settled)
  for (const node of [2, 7]) {
    const { member } = result.nodes[node] as (typeof result.nodes)[0]
    assert.ok((watch.mates[node]?.size ?? 0) >= 6, 'it hears others')
    const merging = watch.mates.filter((mates, other) => other !== node && mates.has(member))
    assert.ok(merging.length >= 6, `${merging.length} others have merged what it says`)
    const own = [...watch.heard].filter(([key]) => key.includes(member)).map(([, { verdict }]) => verdict)
    assert.ok(own.filter((verdict) => verdict === 'accept').length > 0.9 * own.length, own.join())
  }
})

it('partitions, crashes and late ones: all end, nobody is in more than three cells, and who restarts is where the others are', async () => {
  const watch = new Watch()
  const sides = Array.from({ length: NODES }, (_, node) => node % 2)
  const result = await run(watch, 6, {
    study: study(CELLS, 30),
    faults: [
      { type: 'partition', sides, fromMs: 9_000, toMs: 16_000 },
      { type: 'crash', node: 1, atMs: 11_000, downMs: 3_000 },
      { type: 'crash', node: 4, atMs: 14_500, downMs: 9_000 },
      { type: 'late', node: 9, atMs: 12_000 },
    ],
  })
  assert.ok(result.settled)
  const again = watch.joined.find(
    ({ node, now }) => node === 4 && now % 1e9 > ((watch.joined[0]?.now ?? 0) % 1e9) + 14_000,
  )
  const other = watch.joined.find(
    ({ node, now, listen }) => node === 5 && listen[0]?.period === again?.listen[0]?.period && now > 0,
  )
  assert.ok(again !== undefined && other !== undefined)
  assert.equal(
    again.listen.map((cell) => cell?.period),
    other.listen.map((cell) => cell?.period),
  )
  for (const node of [1, 4, 9]) assert.ok((watch.mates[node]?.size ?? 0) >= 6)
  const left = result.nodes.map((_, node) => watch.joined.findLast((one) => one.node === node)?.listen.length)
  assert.ok(
    left.every((topics) => topics === 0 || topics === 3),
    'all of a period, or none',
  )
})

it('five members of a study of cells above forty say and do what they did before there were cells', async () => {
  const [few, none] = [new Watch(), new Watch()]
  const one = await runStudy(runOf(5, 8, { study: study('{ above: 40, size: 32 }', 6), onStep: few.step }))
  const other = await runStudy(runOf(5, 8, { study: study('null', 6), onStep: none.step }))
  assert.equal(
    few.joined.map(({ listen }) => listen),
    Array.from({ length: 5 }, () => [null]),
  )
  assert.equal(
    few.published.map(({ node, round, now }) => [node, round, now]),
    none.published.map(({ node, round, now }) => [node, round, now]),
  )
  const counts = ({ sent, lost }: typeof one.messages) => ({ sent, lost })
  assert.equal(counts(one.messages), counts(other.messages))
})

const CROWD: Partial<ScenarioInput> = {
  nodes: { count: 96 },
  study: {
    rounds: { count: 24, periodSeconds: 1 },
    cells: { above: 40, size: 16, periodSeconds: 4 },
  },
  ledger: 'off',
}
const AUC_LOST_MAX = 0.003 // by the default rule; where what former mates said still counted, a flood lost 0.013
for (const mode of ['mesh', 'flood', 'fanout'] as const) {
  it(`a crowd in cells, by ${mode}: the same checks hold, and a node merges what its cell says`, async () => {
    const result = await runScenario({ ...CROWD, gossip: { mode, fanout: 4 } })
    const whole = await runScenario({ ...CROWD, study: { ...CROWD.study, cells: null }, gossip: { mode, fanout: 4 } })
    assert.is(brokenIn(result), null)
    assert.is(result.outcome, 'done')
    const [cells, all] = [result, whole].map(({ samples }) => samples.at(-1))
    assert.ok(cells !== undefined && all !== undefined)
    if (mode !== 'fanout')
      assert.ok(cells.bytesSent < 0.45 * all.bytesSent, `${cells.bytesSent} of ${all.bytesSent} bytes`)
    assert.ok((cells.auc ?? 0) > (all.auc ?? 1) - AUC_LOST_MAX, `AUC ${cells.auc} in cells, ${all.auc} with all`)
    assert.ok((cells.consensusDistance ?? 9) < 1, `models are ${cells.consensusDistance} apart`)
  })
}

it('a scenario in which cells take more than there have to be is refused', () => {
  const text = scenarioText({
    ...{ question: 'Is it refused?', nodes: { count: 20 }, end: { seconds: 9 }, ledger: 'off' },
    ...{ data: { kind: 'none' }, learner: { kind: 'null' }, study: { cells: { above: 10, size: 16 } } },
  } as ScenarioInput)
  assert.throws(
    () => parseScenario(text, 'a.yaml'),
    /study\.cells\.above: 10 was given, at least cells\.size \(16\) is allowed/,
  )
})

it.run()

/** Finality in whole networks of machines: with members that are down, parted, restarted, of another time, or of two minds. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Rules } from '../../netsim/checkers/rules.ts'
import type { Fault } from '../../netsim/members/fault.ts'
import { runStudy, type StudyOptions, type StudyResult } from '../../netsim/members/run.ts'
import type { Step } from '../../netsim/members/trace.ts'
import type { MemberId } from '../../src/core/ids.ts'
import { runOf, studyOf } from './clinics.ts'

const it = suite('ledger in netsim')
const NEVER_MS = 3_600_000
const START_MS = 1_750_000_000_000

interface Final {
  readonly node: number
  readonly ms: number
  readonly author: MemberId
  readonly size: number
  readonly root: string
}

/** Runs under the rules; gives also when a head became final where, by that node's own count or by another's word. */
async function run(nodes: number, seed: number, more: Partial<StudyOptions>) {
  const rules = new Rules()
  const finals: Final[] = []
  const onStep = (step: Step): void => {
    rules.check(step)
    more.onStep?.(step)
    const { now, node, event, actions } = step
    const ms = now - START_MS
    if (event.type === 'final-kept') finals.push({ node, ms, ...event.log })
    for (const action of actions) if (action.type === 'keep-final') finals.push({ node, ms, ...action.log })
  }
  const result = await runStudy(runOf(nodes, seed, { untilFinal: true, ...more, onStep }))
  checkFinals(finals)
  return { result, finals }
}

/** Never two roots for one size of one log, at whichever nodes. */
function checkFinals(finals: readonly Final[]): void {
  const roots = new Map<string, string>()
  for (const { author, size, root } of finals) {
    const key = `${author} ${size}`
    assert.is(roots.get(key) ?? root, root, `two final heads of ${key}`)
    roots.set(key, root)
  }
}

const finalOf = (result: StudyResult, node: number, author: number): number =>
  result.nodes[node]?.finals.get(result.nodes[author]?.member as MemberId)?.size ?? 0
const sizeOf = (result: StudyResult, node: number, author: number): number =>
  result.nodes[node]?.logs.get(result.nodes[author]?.member as MemberId)?.tip.size ?? 0

it('five nodes end with every entry of every log final everywhere', async () => {
  const { result, finals } = await run(5, 1, {})
  assert.ok(result.settled)
  for (let node = 0; node < 5; node++)
    for (let author = 0; author < 5; author++) assert.is(finalOf(result, node, author), sizeOf(result, node, author))
  assert.ok(finals.length > 25, 'on the way some heads became final too')
})

it('one of five down: what the others write becomes final all the same, and what it left behind too', async () => {
  const faults: Fault[] = [{ type: 'crash', node: 4, atMs: 4_000, downMs: NEVER_MS }]
  const { result } = await run(5, 2, { faults, untilMs: 80_000 })
  for (let node = 0; node < 4; node++)
    for (let author = 0; author < 5; author++)
      assert.is(finalOf(result, node, author), sizeOf(result, node, author), `log ${author} at ${node}`)
})

it('two of five down: nothing more is final, and within 60 s of their coming back all is', async () => {
  const [downMs, upMs] = [4_000, 50_000]
  const faults: Fault[] = [3, 4].map((node) => ({ type: 'crash', node, atMs: downMs, downMs: upMs - downMs }))
  const { result, finals } = await run(5, 3, { study: studyOf(20), faults, untilMs: 200_000 })
  const up = result.nodes.slice(0, 3).map(({ member }) => member)
  const meanwhile = finals.filter(({ ms, author }) => ms > downMs + 1_000 && ms < upMs && up.includes(author))
  assert.equal(meanwhile, [], 'what the two left behind may become final: it has their signature')
  const cut = await run(5, 3, { study: studyOf(20), faults, untilMs: upMs - 1_000 })
  for (let node = 0; node < 3; node++)
    assert.ok(finalOf(cut.result, node, node) < sizeOf(cut.result, node, node), 'pending is told from final')
  assert.ok(result.settled)
  for (const author of [0, 1, 2]) {
    const size = sizeOf(cut.result, author, author)
    const member = result.nodes[author]?.member
    const first = finals.find((one) => one.author === member && one.size >= size)
    assert.ok(first !== undefined && first.ms < upMs + 60_000, `log ${author} final at ${first?.ms}`)
  }
})

it('three of seven parted from four: neither side makes anything final, and all is within 10 s of the healing', async () => {
  const [fromMs, toMs] = [4_000, 40_000]
  const sides = [0, 0, 0, 1, 1, 1, 1]
  const faults: Fault[] = [{ type: 'partition', sides, fromMs, toMs }]
  const { result, finals } = await run(7, 4, { study: studyOf(12), faults })
  const meanwhile = finals.filter(({ ms, node, author }) => {
    // of a log of the other side the last head before the parting may become final: it has its author's signature
    const own = sides[node] === sides[result.nodes.findIndex(({ member }) => member === author)]
    return own && ms > fromMs + 1_000 && ms < toMs
  })
  assert.equal(meanwhile, [], 'five of seven are needed')
  assert.ok(result.settled, 'one set of logs, all final')
  assert.ok(result.virtualMs < toMs + 10_000, `healed at ${result.virtualMs}`)
})

it('two of seven parted from five: only the five make heads final', async () => {
  const [fromMs, toMs] = [4_000, 20_000]
  const faults: Fault[] = [{ type: 'partition', sides: [0, 0, 1, 1, 1, 1, 1], fromMs, toMs }]
  const { result, finals } = await run(7, 5, { study: studyOf(14), faults })
  const meanwhile = finals.filter(({ ms }) => ms > fromMs + 1_000 && ms < toMs)
  assert.ok(meanwhile.length > 0 && meanwhile.every(({ node }) => node >= 2))
  assert.ok(result.settled && result.virtualMs < toMs + 10_000, `healed at ${result.virtualMs}`)
})

it('a restart of all at once loses every cosignature that was on its way, and all becomes final', async () => {
  for (const atMs of [3_000, 3_700, 5_100]) {
    const faults: Fault[] = [0, 1, 2, 3, 4].map((node) => ({ type: 'crash', node, atMs, downMs: 500 + 10 * node }))
    const { result } = await run(5, 6, { faults })
    assert.ok(result.settled, `restart at ${atMs}`)
  }
})

it('a clock that is ten years off changes neither the order nor what is final', async () => {
  const YEARS_MS = 10 * 365 * 24 * 3_600_000
  for (const byMs of [YEARS_MS, -YEARS_MS]) {
    const { result } = await run(4, 7, { faults: [{ type: 'skew', node: 2, byMs }] })
    assert.ok(result.settled, `${byMs}`)
    for (let node = 0; node < 4; node++) assert.is(finalOf(result, node, 2), sizeOf(result, node, 2))
  }
})

it('an author that signs two histories is frozen everywhere, gets no two final heads, and disturbs no honest log', async () => {
  const study = studyOf(60) // heads are compared every 30 s where gossip did not bring both
  for (let seed = 1; seed <= 2; seed++) {
    const fools = seed % 2 === 0 ? [0, 1, 2] : [4]
    const { result, finals } = await run(7, seed, { study, equivocators: [{ node: 3, fools }], untilMs: 80_000 })
    const liar = result.nodes[3]?.member as MemberId
    for (let node = 0; node < 7; node++) {
      if (node === 3) continue
      assert.equal([...(result.nodes[node]?.forks ?? [])], [liar], `seed ${seed}: node ${node} holds evidence`)
      for (let author = 0; author < 7; author++)
        if (author !== 3)
          assert.is(finalOf(result, node, author), sizeOf(result, node, author), `log ${author} at ${node}`)
    }
    assert.ok(finals.some(({ author }) => author !== liar))
  }
})

it.run()

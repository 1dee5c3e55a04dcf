/** A model is withdrawn among whole machines in netsim: nobody trains on from it, whatever the network does. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { checkRounds, Rules } from '../../netsim/checkers/rules.ts'
import type { Fault } from '../../netsim/members/fault.ts'
import { runStudy, type StudyOptions, type StudyResult } from '../../netsim/members/run.ts'
import type { Step } from '../../netsim/members/trace.ts'
import { toHex } from '../../src/core/bytes.ts'
import type { Digest, MemberId } from '../../src/core/ids.ts'
import { readBody } from '../../src/governance/kinds.ts'
import type { Lineage } from '../../src/governance/lineage.ts'
import { Lineages } from '../../src/governance/lineages.ts'
import type { Made } from '../../src/governance/withdrawals.ts'
import { decodeEntry } from '../../src/ledger/entry.ts'
import { runOf, studyOf } from './clinics.ts'

const it = suite('withdrawal in netsim')
const WITHDRAWN_MS = 9_300 // in the middle of the rounds

/** What a node began to train on, or merged, after it had heard of a withdrawal. */
interface Later {
  readonly node: number
  readonly trained: Digest[]
  readonly merged: Made[]
}

interface Ran {
  readonly result: StudyResult
  readonly root: Made
  readonly lineage: Lineage
  readonly later: ReadonlyMap<number, Later>
}

async function run(seed: number, faults: readonly Fault[], more: Partial<StudyOptions> = {}): Promise<Ran> {
  const rules = new Rules()
  const later = new Map<number, Later>()
  const onStep = (step: Step): void => {
    rules.check(step)
    const { event, actions, node } = step
    const facts = 'facts' in event && Array.isArray(event.facts) ? event.facts : []
    if (facts.some(({ kind }) => kind === 'model.withdrawn') && !later.has(node))
      later.set(node, { node, trained: [], merged: [] })
    const known = later.get(node)
    for (const action of known === undefined ? [] : actions) {
      if (action.type === 'train' && action.base !== null) known?.trained.push(action.base)
      if (action.type === 'merge')
        known?.merged.push(...action.inputs.map(({ author, digest }) => ({ author, model: digest })))
    }
  }
  const options = { study: studyOf(60), untilMs: 25_000, ...more, onStep, faults: [...faults, withdrawal] }
  const result = await runStudy(runOf(5, seed, options))
  for (const { logs, member } of result.nodes) checkRounds(logs.get(member)?.raws ?? [])
  const all = new Lineages()
  for (const { member, logs } of result.nodes) all.take(member, logs.get(member)?.raws ?? [])
  return { result, root: rootOf(result), lineage: all.of(result.study), later }
}

const withdrawal: Fault = { type: 'withdraw', node: 1, atMs: WITHDRAWN_MS }

function rootOf({ nodes }: StudyResult): Made {
  const own = nodes[1] as StudyResult['nodes'][number]
  const entry = (own.logs.get(own.member)?.raws ?? []).map(decodeEntry).find(({ kind }) => kind === 'model.withdrawn')
  const body = readBody('model.withdrawn', entry?.body ?? null)
  assert.ok(body, 'the model was withdrawn')
  return { author: toHex(body.author) as MemberId, model: toHex(body.model) as Digest }
}

function checkNobodyTrainsOn({ result, root, lineage, later }: Ran, seed: number): void {
  for (const { node, trained, merged } of later.values()) {
    const author = result.nodes[node]?.member as MemberId
    const bases = trained.map((model) => ({ author, model }))
    const standings = lineage.standings([...bases, ...merged], [root])
    assert.ok(!standings.includes(0), `seed ${seed}: node ${node} trained on from it, or merged what was made of it`)
  }
}

const refusalOf = ({ result }: Ran, node: number) => result.nodes[node]?.view?.studies[0]?.run?.refusal
const phaseOf = ({ result }: Ran, node: number) => result.nodes[node]?.view?.studies[0]?.run?.phase

it('over ten seeds with loss and a crash: all whose model descends from it stop, and none trains or merges on', async () => {
  for (let seed = 1; seed <= 10; seed++) {
    const faults: Fault[] = [{ type: 'crash', node: 2, atMs: WITHDRAWN_MS - 400 + 90 * seed, downMs: 900 }]
    const ran = await run(seed, faults, { network: { loss: 0.1 } })
    checkNobodyTrainsOn(ran, seed)
    for (let node = 0; node < 5; node++)
      assert.is(refusalOf(ran, node), 'model-withdrawn', `seed ${seed}, node ${node}`)
    assert.is(ran.later.size, 5)
  }
})

it('a node cut off trains on alone, hears of it when it is back, and stops', async () => {
  const cut: Fault = { type: 'partition', sides: [0, 0, 0, 0, 1], fromMs: 9_000, toMs: 16_000 }
  const ran = await run(3, [cut])
  checkNobodyTrainsOn(ran, 3)
  assert.is(refusalOf(ran, 4), 'model-withdrawn')
  const { member, logs } = ran.result.nodes[4] as StudyResult['nodes'][number]
  const { merged } = checkRounds(logs.get(member)?.raws ?? [])
  const { merged: others } = checkRounds(ran.result.nodes[0]?.logs.get(ran.result.nodes[0].member)?.raws ?? [])
  assert.ok(merged.length > others.length, 'it could not know')
})

it('a hospital that comes later has no model made of it: it trains, and merges nobody whose model is', async () => {
  const ran = await run(4, [{ type: 'late', node: 4, atMs: WITHDRAWN_MS + 3_000 }], {
    study: studyOf(12),
    untilMs: 60_000,
  })
  checkNobodyTrainsOn(ran, 4)
  assert.is(phaseOf(ran, 4), 'ended')
  const own = ran.result.nodes[4]?.member
  const merged = ran.later.get(4)?.merged ?? []
  assert.ok(merged.length > 5)
  assert.ok(merged.every(({ author }) => author === own))
})

it.run()

/** Private studies among machines in netsim: what is recorded, what is told, and where training stops. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { checkRounds, Rules } from '../../netsim/checkers/rules.ts'
import type { Fault } from '../../netsim/members/fault.ts'
import { LinearLearner } from '../../netsim/members/linearLearner.ts'
import { runStudy, type StudyOptions, type StudyResult } from '../../netsim/members/run.ts'
import type { Step } from '../../netsim/members/trace.ts'
import { seededFill } from '../../netsim/privacy.ts'
import type { PrivacyClaim, PrivacySteps } from '../../src/core/privacy.ts'
import type { UpdateClaims } from '../../src/gossip/update.ts'
import { type Body, type Kind, readBody } from '../../src/governance/kinds.ts'
import { epsilonOf } from '../../src/learn/privacy/accountant.ts'
import { PrivateLearner } from '../../src/learn/privacy/privateLearner.ts'
import { decodeEntry } from '../../src/ledger/entry.ts'
import { runOf, studyOf, tableOf } from './clinics.ts'

const it = suite('private study')
const PRIVACY = 'privacy: { noiseMultiplier: 4, clipNorm: 1, epsilonMax: 6 }'
const ROUNDS = 30

async function run(seed: number, more: Partial<StudyOptions> = {}): Promise<{ result: StudyResult; steps: Step[] }> {
  const rules = new Rules()
  const steps: Step[] = []
  const onStep = (step: Step): void => {
    rules.check(step)
    steps.push(step)
  }
  const study = studyOf(ROUNDS, PRIVACY)
  const learner = (node: number) => new PrivateLearner(seededFill(seed, node))
  return { result: await runStudy(runOf(3, seed, { study, learner, untilMs: 60_000, ...more, onStep })), steps }
}

function bodiesOf<K extends Kind>(result: StudyResult, node: number, kind: K): Body<K>[] {
  const log = result.nodes[node]?.logs.get(result.nodes[node]?.member as never)
  const entries = (log?.raws ?? []).map(decodeEntry).filter((entry) => entry.kind === kind)
  return entries.map((entry) => readBody(kind, entry.body) as Body<K>)
}

const claimed = (trained: Body<'round.trained'> | undefined): PrivacyClaim => trained?.privacy as PrivacyClaim

const headersOf = (steps: readonly Step[], node: number): UpdateClaims[] =>
  steps
    .filter((step) => step.node === node)
    .flatMap(({ actions }) => actions.flatMap((action) => (action.type === 'publish-update' ? [action.claims] : [])))

const spentIn = (result: StudyResult, node: number): PrivacySteps => {
  const bodies = bodiesOf(result, node, 'privacy.spent')
  const { sampleRate, noiseMultiplier } = bodies[0] as Body<'privacy.spent'>
  return { sampleRate, noiseMultiplier, steps: bodies.reduce((sum, { steps }) => sum + steps, 0) }
}

it('every round records what it spent, its update says what that makes, and no loss is told', async () => {
  const { result, steps } = await run(1)
  for (const [node, { view }] of result.nodes.entries()) {
    const rounds = bodiesOf(result, node, 'round.trained')
    const headers = headersOf(steps, node)
    assert.ok(rounds.length > 3 && rounds.every(({ loss }) => loss === null))
    const each = bodiesOf(result, node, 'privacy.spent')
    assert.equal(
      each.map(({ round }) => round),
      rounds.map(({ round }) => round),
    )
    assert.equal(
      headers.map(({ privacy }) => privacy),
      rounds.map(({ privacy }) => privacy),
    )
    const { sampleRate, noiseMultiplier, steps: total } = spentIn(result, node)
    const last = rounds.at(-1)?.privacy
    assert.is(noiseMultiplier, 4)
    assert.ok(last !== undefined && sampleRate === last.sampleRate)
    const rows = Math.round(32 / sampleRate)
    assert.is(last.delta, rows ** -1.1)
    assert.is(last.epsilon, epsilonOf([{ sampleRate, noiseMultiplier, steps: total }], last.delta))
    assert.equal(view?.studies[0]?.run?.privacy, last)
    const all = rounds.map(({ privacy }) => privacy?.epsilon as number)
    assert.equal(
      [...all].sort((a, b) => a - b),
      all,
      'it only grows',
    )
  }
})

it('training stops below the budget: the permit is refused, and the node still takes what the others send', async () => {
  const study = studyOf(ROUNDS, PRIVACY.replace('epsilonMax: 6', 'epsilonMax: 2'))
  const { result, steps } = await run(2, { study })
  const stopped = result.nodes.map(({ view }) => view?.studies[0]?.run)
  for (const [node, view] of stopped.entries()) {
    assert.is(view?.refusal, 'privacy-budget-spent', `node ${node}`)
    assert.is(view?.roundsLeft, 0)
    const trained = bodiesOf(result, node, 'round.trained')
    assert.ok(trained.length < ROUNDS)
    const { sampleRate, noiseMultiplier, steps: total } = spentIn(result, node)
    const delta = trained.at(-1)?.privacy?.delta as number
    const next = total + total / trained.length
    assert.ok((trained.at(-1)?.privacy?.epsilon as number) <= 2)
    assert.ok(epsilonOf([{ sampleRate, noiseMultiplier, steps: next }], delta) > 2, 'one round more would be too much')
    const log = result.nodes[node]?.logs.get(result.nodes[node]?.member as never)
    checkRounds(log?.raws ?? [])
  }
  // the smallest hospital stops first, and goes on hearing the others
  const lastTrained = Math.max(
    ...steps.filter(({ node, event }) => node === 0 && event.type === 'trained').map(({ now }) => now),
  )
  const after = steps.filter(({ node, now, event }) => node === 0 && now > lastTrained && event.type === 'update-heard')
  const accepted = after.flatMap(({ actions }) =>
    actions.filter((action) => action.type === 'verdict' && action.verdict === 'accept'),
  )
  assert.ok(accepted.length > 0, 'it accepts and passes on')
})

it('crashes at any commit give no budget back: what was published is recorded, and no start forgets it', async () => {
  for (const side of ['before', 'after'] as const) {
    for (const commit of [4, 6, 9]) {
      const faults: Fault[] = [{ type: 'crash-at-commit', node: 0, commit, side, downMs: 700 }]
      const { result, steps } = await run(3, { faults })
      assert.ok((result.nodes[0]?.starts ?? 0) > 1, 'it crashed')
      const published = new Set(headersOf(steps, 0).map(({ digest }) => digest))
      const spent = bodiesOf(result, 0, 'privacy.spent')
      assert.ok(published.size <= spent.length, `${published.size} updates out, ${spent.length} paid for`)
      const trained = bodiesOf(result, 0, 'round.trained')
      const { sampleRate, noiseMultiplier, steps: total } = spentIn(result, 0)
      const { epsilon, delta } = claimed(trained.at(-1))
      assert.is(epsilon, epsilonOf([{ sampleRate, noiseMultiplier, steps: total }], delta), `${side} commit ${commit}`)
      assert.ok(epsilon <= 6)
    }
  }
})

it('a round that a pause makes worthless is paid for with the next one, for the private head has seen it', async () => {
  const { steps: plain } = await run(4)
  const at = plain.find(({ node, event }) => node === 0 && event.type === 'trained')?.now as number
  const begun = plain.find(({ node, actions }) => node === 0 && actions.some(({ type }) => type === 'train'))
    ?.now as number
  const first = plain[0]?.now as number
  const middle = (at + begun) / 2 - first
  const { result, steps } = await run(4, { faults: [{ type: 'pause', node: 0, fromMs: middle, toMs: middle + 2_000 }] })
  const trainings = steps.filter(({ node, event }) => node === 0 && event.type === 'trained').length
  const rounds = bodiesOf(result, 0, 'round.trained').length
  const spent = bodiesOf(result, 0, 'privacy.spent').length
  assert.is(rounds, trainings - 1, 'one was dropped')
  assert.is(spent, trainings, 'and counts')
})

it('no node says that its model stands still where the rows that train would say it: that would be told, and ε does not cover it', async () => {
  const end = 'end: { plateau: { rounds: 2, delta: 1 } }'
  for (const [more, words] of [
    [`${PRIVACY}\n${end}`, 0],
    [end, 1],
  ] as const) {
    const study = studyOf(8, more)
    const learner = study.privacy === null ? () => new LinearLearner() : undefined
    const { result } = await run(6, { study, ...(learner === undefined ? {} : { learner }) })
    const rounds = bodiesOf(result, 0, 'round.merged').length
    assert.ok(rounds > 2, `${rounds} rounds`)
    assert.is(bodiesOf(result, 0, 'study.enough').length, words)
  }
})

it('another table changes q, and what was spent on the one before still counts', async () => {
  const tables = [[tableOf('a'), tableOf('b', 90)], [tableOf('c')], [tableOf('d')]]
  const { result } = await run(5, { tables, faults: [{ type: 'rebind', node: 0, atMs: 9_010, version: 1 }] })
  const bodies = bodiesOf(result, 0, 'privacy.spent')
  const rates = new Set(bodies.map(({ sampleRate }) => sampleRate))
  assert.is(rates.size, 2, `rates ${[...rates]}`)
  const spent = [...rates].map((sampleRate) => {
    const steps = bodies.filter((body) => body.sampleRate === sampleRate).reduce((sum, body) => sum + body.steps, 0)
    return { sampleRate, noiseMultiplier: 4, steps }
  })
  const { epsilon, delta } = claimed(bodiesOf(result, 0, 'round.trained').at(-1))
  assert.is(epsilon, epsilonOf(spent, delta))
})

it.run()

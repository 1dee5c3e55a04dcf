/** What a machine lets its shell serve: nothing of its own while it is paused, and of nobody what was withdrawn. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Fault } from '../../netsim/members/fault.ts'
import { runStudy, type StudyResult } from '../../netsim/members/run.ts'
import type { Action } from '../../src/node/actions.ts'
import { runOf, studyOf } from './clinics.ts'

const it = suite('withholding')

type Withhold = Extract<Action, { type: 'withhold' }>

async function run(fault: Fault): Promise<{ result: StudyResult; told: Withhold[][]; timesMs: number[] }> {
  const told: Withhold[][] = [[], [], []]
  const timesMs: number[] = []
  const beganMs: number[] = []
  const result = await runStudy(
    runOf(3, 8, {
      study: studyOf(60),
      untilMs: 16_000,
      faults: [fault],
      onStep: ({ node, actions, now }) => {
        beganMs.push(now)
        for (const action of actions) {
          if (action.type !== 'withhold') continue
          told[node]?.push(action)
          timesMs.push(now - (beganMs[0] as number))
        }
      },
    }),
  )
  return { result, told, timesMs }
}

it('own updates are withheld from the moment of a pause until it is lifted, and nobody else’s', async () => {
  const { result, told, timesMs } = await run({ type: 'pause', node: 1, fromMs: 8_000, toMs: 11_000 })
  const self = result.nodes[1]?.member
  assert.equal(
    told.map((list) => list.map(({ authors, made }) => [authors, made])),
    [
      [],
      [
        [[self], []],
        [[], []],
      ],
      [],
    ],
  )
  assert.is(timesMs[0], 8_000)
  assert.ok((timesMs[1] as number) >= 11_000 && (timesMs[1] as number) < 11_500, `${timesMs}`)
})

it('a withdrawn model is served by nobody, nor what a node made of it', async () => {
  const { result, told } = await run({ type: 'withdraw', node: 1, atMs: 8_000 })
  for (const [node, { member }] of result.nodes.entries()) {
    assert.is(result.nodes[node]?.view?.studies[0]?.run?.refusal, 'model-withdrawn')
    const last = told[node]?.at(-1)
    assert.equal(last?.authors, [member], `node ${node}`)
    assert.equal(
      last?.made.map(({ author }) => author),
      [result.nodes[1]?.member],
    )
  }
})

it.run()

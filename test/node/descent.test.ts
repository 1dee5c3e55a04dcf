/** Whether training may go on from a model, as the machine asks and is answered. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { fromHex } from '../../src/core/bytes.ts'
import type { MemberId } from '../../src/core/ids.ts'
import { Withdrawals } from '../../src/governance/withdrawals.ts'
import type { Action } from '../../src/node/actions.ts'
import type { Context } from '../../src/node/context.ts'
import { Descent } from '../../src/node/descent.ts'
import { digestOf, keyOf, STUDY } from '../gossip/fixtures.ts'

const it = suite('descent')
const [ADA, BOB, CLEO] = ['ada', 'bob', 'cleo'].map((name) => keyOf(name).member) as [MemberId, MemberId, MemberId]
const [BASE, NEXT, HERS, HIS, NEW] = ['base', 'next', 'hers', 'his', 'new'].map(digestOf)

function situation() {
  const withdrawals = new Withdrawals()
  const out: Action[] = []
  const context = {
    self: ADA,
    studies: { withdrawals },
    roll: { members: [ADA, BOB, CLEO] },
    out,
  } as unknown as Context
  const descent = new Descent()
  const held = () => [
    { author: BOB, digest: HIS as typeof BASE },
    { author: CLEO, digest: HERS as typeof BASE },
  ]
  const refusal = (base: typeof BASE | null) =>
    descent.refusal(context, STUDY, base as never, held as never)?.code ?? null
  const word = (seq: number, reason: string | null) => {
    const body = { author: fromHex(BOB), model: fromHex(digestOf('bob made')) }
    const kind = reason === null ? 'model.restored' : 'model.withdrawn'
    const fact = { author: BOB, seq, hash: digestOf(`entry ${seq}`), timeMs: 1, kind, study: STUDY }
    withdrawals.fold({ ...fact, body: (reason === null ? body : { ...body, reason }) as never })
  }
  return { descent, out, refusal, word }
}

it('nothing is asked while nothing is withdrawn, and all may be merged', () => {
  const { descent, out, refusal } = situation()
  assert.is(refusal(BASE as never), null)
  assert.equal(out, [])
  assert.is(descent.mayMerge(), null)
})

it('from a withdrawal on nothing is trained until the logs were searched; it is asked once for each model', () => {
  const { descent, out, refusal, word } = situation()
  word(4, 'data-error')
  assert.is(refusal(null), null, 'the first model has no data in it')
  assert.is(refusal(BASE as never), 'model-lineage-unread')
  assert.is(refusal(BASE as never), 'model-lineage-unread')
  assert.is(out.length, 1)
  const [asked] = out as [Extract<Action, { type: 'trace' }>]
  assert.equal(asked.models, [{ author: BOB, model: digestOf('bob made') }])
  assert.equal(
    asked.subjects.map(({ author, model }) => [author, model]),
    [
      [ADA, BASE],
      [BOB, HIS],
      [CLEO, HERS],
    ],
  )
  descent.traced(asked.trace, [0, 0, 'none'])
  assert.is(refusal(BASE as never), 'model-withdrawn')
})

it('where the own model is free of it, only updates are merged of which the logs say the same', () => {
  const { descent, refusal, word } = situation()
  word(4, 'safety')
  refusal(BASE as never)
  descent.traced(0, ['none', 'unknown', 'none'])
  assert.is(refusal(BASE as never), null)
  const may = descent.mayMerge()
  const updates = [
    [CLEO, HERS],
    [BOB, HIS],
    [CLEO, NEW],
  ] as const
  const allowed = updates.map(([author, digest]) => may?.({ author, digest } as never))
  assert.equal(allowed, [true, false, false])
})

it('a new model, or another withdrawal, is asked about anew; an answer to an earlier question counts for nothing', () => {
  const { descent, out, refusal, word } = situation()
  word(4, 'safety')
  refusal(BASE as never)
  descent.traced(0, ['none', 'none', 'none'])
  assert.is(refusal(NEXT as never), 'model-lineage-unread')
  descent.traced(0, ['none', 'none', 'none'])
  assert.is(refusal(NEXT as never), 'model-lineage-unread')
  descent.traced(1, ['unknown', 'none', 'none'])
  assert.is(refusal(NEXT as never), null, 'of a first model no log tells')
  word(7, 'privacy')
  assert.is(refusal(NEXT as never), 'model-lineage-unread')
  assert.is(out.length, 3)
})

it('with the word taken back training goes on, and all may be merged', () => {
  const { descent, refusal, word } = situation()
  word(4, 'safety')
  refusal(BASE as never)
  descent.traced(0, [0, 0, 0])
  assert.is(refusal(BASE as never), 'model-withdrawn')
  word(9, null)
  assert.is(refusal(BASE as never), null)
  assert.is(descent.mayMerge(), null)
})

it.run()

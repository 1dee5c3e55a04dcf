/** What is read of long logs is kept over a start, is that of the logs, and is read again where it does not fit them. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { fromHex } from '../../src/core/bytes.ts'
import type { Digest, StudyId } from '../../src/core/ids.ts'
import { LogTraces } from '../../src/daemon/logTraces.ts'
import { forgottenTraces } from '../../src/daemon/stretches.ts'
import { emptyTip, extend } from '../../src/ledger/chain.ts'
import { MemoryStore } from '../../src/store/memoryStore.ts'
import { digestOf, keyOf } from '../gossip/fixtures.ts'
import { B32 } from '../governance/sound.ts'

const it = suite('log traces')

const SELF = keyOf('self').member
const STUDY = digestOf('study') as unknown as StudyId
const ROOT = digestOf('root') as Digest
const STRETCH = 20_000
const SIZE = STRETCH + 300
const bytes = (name: string): Uint8Array => fromHex(digestOf(name))

/** Mostly starts; a round every thousand entries, each of the model before it. */
function rawsOf(of: string): Uint8Array[] {
  const body = (i: number) => ({
    ...{ round: i, base: bytes(`${of} ${i - 1}`), update: bytes(`${of} ${i}`), head: B32, examples: 5, loss: 0.5 },
    ...{ dataset: B32, consent: { root: fromHex(ROOT), basis: 'opt-out' } },
  })
  const draft = (seq: number) =>
    seq % 1_000 === 7
      ? { kind: 'round.trained', study: STUDY, timeMs: seq, refs: [], body: body(Math.floor(seq / 1_000)) }
      : { kind: 'node.started', study: null, timeMs: seq, refs: [], body: { software: '0.1.0' } }
  const raws: Uint8Array[] = []
  for (let tip = emptyTip(SELF); tip.size < SIZE; ) {
    const numbers = Array.from({ length: 100 }, (_, i) => tip.size + i)
    const made = extend(tip, numbers.map(draft), Array(100).fill(B32))
    raws.push(...made.raws)
    tip = made.tip
  }
  return raws
}

const LOG = rawsOf('mine')

/** A node after a start: what it finds, and how many entries of the log it looked at. */
class Node {
  readonly store = new MemoryStore()
  read = 0

  async rounds(raws = LOG): Promise<readonly string[]> {
    this.read = 0
    const logs = {
      self: SELF,
      authors: () => [SELF],
      sizeOf: () => ({ author: SELF, size: raws.length, root: ROOT }),
      entries: async (_: unknown, from: number, to: number) => {
        this.read += to - from
        return raws.slice(from, to)
      },
    }
    const traces = new LogTraces(() => ({ logs, store: this.store }))
    const rounds = await traces.own()
    const own = rounds.on(STUDY, ROOT).map((number) => rounds.at(number))
    const merged = (await traces.lineages()).of(STUDY).descendants({ author: SELF, model: own[0]?.update as Digest })
    assert.equal(
      merged.map(({ model }) => model),
      own.slice(1).map(({ update }) => update),
    )
    return own.map(({ seq, round, timeMs, update }) => `${seq} ${round} ${timeMs} ${update}`)
  }
}

it('after a start the end of a log alone is read again, and the same is found', async () => {
  const node = new Node()
  const first = await node.rounds()
  assert.is(first.length, 21)
  assert.is(node.read, SIZE)
  assert.equal(await node.rounds(), first)
  assert.is(node.read, 300 + 1, 'the rest, and the last entry of the stretch')
})

it('stretches of another log, or that are not as they were written, are read from the log', async () => {
  const node = new Node()
  await node.rounds()
  const other = rawsOf('other')
  const found = await node.rounds(other)
  assert.equal(found, await new Node().rounds(other))
  assert.not.equal(found, await new Node().rounds())
})

it('of a stretch in which a body is dropped nothing is kept, and the log says what is left', async () => {
  const node = new Node()
  const before = await node.rounds()
  await node.store.putState(forgottenTraces(SELF, [7_007]))
  assert.equal(await node.rounds(), before)
  assert.is(node.read, SIZE)
})

it.run()

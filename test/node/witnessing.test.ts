/** When an author asks, when a witness answers, and what wakes it: stepped by hand. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { MemberId } from '../../src/core/ids.ts'
import { Studies } from '../../src/governance/studies.ts'
import { rollOf } from '../../src/ledger/membership.ts'
import type { LogState } from '../../src/ledger/replication.ts'
import type { Action } from '../../src/node/actions.ts'
import { Context } from '../../src/node/context.ts'
import { Witnessing } from '../../src/node/witnessing.ts'
import { digestOf } from '../gossip/fixtures.ts'

const it = suite('witnessing')
const START_MS = 1_750_000_000_000
const member = (i: number): MemberId => `${i}`.padStart(64, '0') as MemberId
const SELF = member(0)
const [ADA, BEN] = [member(1), member(2)]
const head = (author: MemberId, size: number): LogState => ({ author, size, root: digestOf(`${author} ${size}`) })

class Node {
  readonly context: Context
  readonly witnessing: Witnessing
  readonly members: number

  constructor(members: number, finals: readonly LogState[] = []) {
    this.members = members
    const all = Array.from({ length: members }, (_, i) => member(i))
    this.context = new Context(SELF, digestOf('founding'), rollOf(all), new Studies())
    this.context.now = START_MS
    this.witnessing = new Witnessing(this.context, finals)
  }

  /** What is due `ms` after the start. */
  at(ms: number, connected = this.members - 1): Action[] {
    this.context.now = START_MS + ms
    this.witnessing.advance(connected)
    const out = this.context.out
    this.context.out = []
    return out
  }

  asks(ms: number, connected?: number): boolean {
    return this.at(ms, connected).some(({ type }) => type === 'ask-cosign')
  }

  /** Sizes to be cosigned, each of which is. */
  cosigns(ms: number): number[] {
    const logs = this.at(ms).flatMap((action) => (action.type === 'cosign' ? action.log : []))
    for (const log of logs) this.witnessing.cosigned(log)
    return logs.map(({ size }) => size)
  }

  told(ms: number): number[] | null {
    const told = this.at(ms).find((action) => action.type === 'announce-cosigned')
    return told?.type === 'announce-cosigned' ? told.logs.map(({ size }) => size) : null
  }

  wakesAt(connected = this.members - 1): number | null {
    const at = this.witnessing.wakeAtMs(connected)
    return at === null ? null : at - START_MS
  }
}

for (const [members, everyMs] of [
  [4, 2_000],
  [10, 2_000],
  [11, 10_000],
  [40, 10_000],
  [41, 60_000],
] as const)
  it(`an author among ${members} asks at once, again for a longer log after ${everyMs} ms, for the same one after 30 s`, () => {
    const node = new Node(members)
    node.witnessing.stored(head(SELF, 3))
    assert.ok(node.asks(0))
    assert.not.ok(node.asks(29_999))
    assert.is(node.wakesAt(), 30_000)
    assert.ok(node.asks(30_000))
    node.witnessing.stored(head(SELF, 4))
    assert.is(node.wakesAt(), 30_000 + everyMs)
    assert.not.ok(node.asks(30_000 + everyMs - 1))
    assert.ok(node.asks(30_000 + everyMs))
  })

it('nobody is asked who is not there, nor for a log that is empty or final', () => {
  const node = new Node(4)
  assert.equal([node.asks(0), node.wakesAt()], [false, null])
  node.witnessing.stored(head(SELF, 3))
  assert.equal([node.asks(10, 0), node.wakesAt(0)], [false, null])
  assert.ok(node.asks(20, 1))
  assert.equal(node.witnessing.heard(ADA, [head(SELF, 3)]), [])
  assert.equal(node.witnessing.heard(BEN, [head(SELF, 3)]), [head(SELF, 3)])
  assert.equal([node.asks(90_000), node.wakesAt()], [false, null])
  const again = new Node(4, [head(SELF, 3)])
  again.witnessing.stored(head(SELF, 3))
  assert.not.ok(again.asks(90_000), 'a final head that was kept is not asked for after a restart')
})

it('who comes is asked soon, the first of several counts, and nobody is asked for what is final', () => {
  const node = new Node(4)
  node.witnessing.stored(head(SELF, 3))
  assert.ok(node.asks(0))
  for (const ms of [5_000, 6_500]) {
    node.context.now = START_MS + ms
    node.witnessing.met()
  }
  assert.equal([node.wakesAt(), node.asks(6_999), node.asks(7_000), node.wakesAt()], [7_000, false, true, 37_000])
  for (const witness of [ADA, BEN]) node.witnessing.heard(witness, [head(SELF, 3)])
  node.witnessing.met()
  assert.equal([node.wakesAt(), node.asks(60_000)], [null, false])
})

it('a witness answers what was asked for as soon as it is stored, once, and with the head that was asked for', () => {
  const node = new Node(4)
  assert.ok(node.witnessing.asked(head(ADA, 5)))
  assert.equal(node.cosigns(0), [])
  node.witnessing.stored(head(ADA, 4))
  assert.equal(node.cosigns(10), [])
  node.witnessing.stored(head(ADA, 9))
  assert.equal(
    node.at(20).map(({ type }) => type),
    ['cosign'],
  )
  assert.equal(node.at(30), [], 'while the shell is at it nothing more is wanted')
  node.witnessing.cosigned(head(ADA, 5))
  assert.equal(node.cosigns(40), [])
  node.witnessing.asked(head(ADA, 5))
  assert.equal(node.cosigns(50), [5], 'a repetition is answered: the first answer may be lost')
})

it('a witness that is always behind the newest request answers the first, then the newest', () => {
  const node = new Node(4)
  for (const size of [5, 6, 8]) assert.ok(node.witnessing.asked(head(ADA, size)))
  node.witnessing.stored(head(ADA, 5))
  assert.equal(node.cosigns(10), [5])
  assert.ok(node.witnessing.asked(head(ADA, 11)))
  node.witnessing.stored(head(ADA, 8))
  assert.equal(node.cosigns(20), [8])
  node.witnessing.stored(head(ADA, 12))
  assert.equal(node.cosigns(30), [11], 'of 6, which a newer one overtook, nothing was said')
})

it('a request is carried on once, and its repetition after a while', () => {
  const node = new Node(4)
  const carried = (ms: number, size: number): boolean => {
    node.context.now = START_MS + ms
    return node.witnessing.asked(head(ADA, size))
  }
  assert.equal([carried(0, 5), carried(10, 5), carried(20, 4), carried(30, 6)], [true, false, false, true])
  assert.equal([carried(15_029, 6), carried(15_030, 6), carried(15_031, 6)], [false, true, false])
  node.witnessing.froze(ADA)
  assert.not.ok(carried(60_000, 9))
})

it('a log that nobody asks for is cosigned after 30 s of quiet, and again until it is final', () => {
  const node = new Node(4)
  node.witnessing.stored(head(ADA, 5))
  assert.is(node.wakesAt(), 30_000)
  assert.equal([node.cosigns(29_999), node.cosigns(30_000)], [[], [5]])
  assert.equal(node.told(30_000), [5])
  assert.is(node.wakesAt(), 60_000)
  node.context.now = START_MS + 40_000
  node.witnessing.stored(head(ADA, 7))
  assert.is(node.wakesAt(), 70_000, 'what grows is not quiet')
  assert.equal(node.cosigns(70_000), [7])
  node.witnessing.heard(BEN, [head(ADA, 7)]) // with ADA's own and this node's: a quorum
  assert.equal(node.witnessing.finality.final(ADA), head(ADA, 7))
  assert.equal([node.told(70_000), node.wakesAt()], [[7], null])
  assert.equal(node.cosigns(900_000), [])
})

it('the own log is never cosigned, and never as quiet', () => {
  const node = new Node(4)
  node.witnessing.stored(head(SELF, 5))
  node.witnessing.asked(head(SELF, 5))
  for (const ms of [0, 30_000, 300_000]) assert.equal(node.cosigns(ms), [])
})

it('answers travel together: at once where the last are long ago, else 200 ms after them', () => {
  const node = new Node(4)
  for (const author of [ADA, BEN]) {
    node.witnessing.stored(head(author, 3))
    node.witnessing.asked(head(author, 3))
  }
  assert.equal(node.cosigns(0), [3, 3])
  assert.equal(node.told(5), [3, 3])
  assert.is(node.told(6), null)
  node.witnessing.stored(head(ADA, 4))
  node.witnessing.asked(head(ADA, 4))
  assert.equal(node.cosigns(50), [4])
  assert.is(node.wakesAt(), 205)
  assert.equal([node.told(204), node.told(205)], [null, [4]])
})

it('a refusal backs off, turns to the next request, and only a conflict is looked into', () => {
  const node = new Node(4)
  node.witnessing.stored(head(ADA, 9))
  node.witnessing.asked(head(ADA, 3))
  assert.equal(
    node.at(0).map(({ type }) => type),
    ['cosign'],
  )
  node.witnessing.asked(head(ADA, 7))
  node.witnessing.refused(ADA, 'older')
  assert.equal(node.cosigns(10), [7])
  node.witnessing.asked(head(ADA, 8))
  assert.equal(
    node.at(20).map(({ type }) => type),
    ['cosign', 'announce-cosigned'],
  )
  node.witnessing.refused(ADA, 'conflict')
  assert.equal(node.context.out, [{ type: 'examine-fork', author: ADA, peer: ADA }])
  node.context.out = []
  assert.equal(
    node.at(30).filter(({ type }) => type === 'cosign'),
    [],
  )
  assert.is(node.wakesAt(), 30_020, 'tried again after the quiet time')
})

it('nothing of a frozen log is cosigned, asked for or quiet, and it wakes nobody', () => {
  const node = new Node(4)
  node.witnessing.stored(head(ADA, 9))
  node.witnessing.asked(head(ADA, 9))
  node.witnessing.froze(ADA)
  assert.equal([node.cosigns(0), node.cosigns(60_000), node.wakesAt()], [[], [], null])
  node.witnessing.asked(head(ADA, 12))
  assert.equal(node.cosigns(90_000), [])
})

it('waking as wished is enough: an author that is alone, then not, and a witness both end with nothing to do', () => {
  const node = new Node(4)
  node.witnessing.stored(head(SELF, 3))
  node.witnessing.stored(head(ADA, 3))
  const done: string[] = []
  for (let [i, ms] = [0, 0]; i < 20 && node.wakesAt() !== null; i++) {
    ms = Math.max(ms, node.wakesAt() as number)
    for (const action of node.at(ms)) {
      done.push(`${ms} ${action.type}`)
      if (action.type === 'cosign') node.witnessing.cosigned(action.log)
      if (action.type === 'announce-cosigned') node.witnessing.heard(BEN, [head(ADA, 3)])
      if (action.type === 'ask-cosign' && ms > 0)
        for (const one of [ADA, BEN]) node.witnessing.heard(one, [head(SELF, 3)])
    }
  }
  assert.is(node.wakesAt(), null)
  assert.equal(done, ['0 ask-cosign', '30000 ask-cosign', '30000 cosign', '30000 announce-cosigned'])
})

it.run()

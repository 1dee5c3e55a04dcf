/** What models were used for, read from logs whose bodies go meanwhile. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Cbor } from '../../src/core/cbor.ts'
import type { StudyId } from '../../src/core/ids.ts'
import type { BodiesDropped } from '../../src/daemon/droppedBodies.ts'
import { UseReader } from '../../src/daemon/useReader.ts'
import { emptyTip } from '../../src/ledger/chain.ts'
import { dropBody } from '../../src/ledger/entry.ts'
import { SOUND } from '../governance/sound.ts'
import { commitOf, keyOf } from '../ledger/fixtures.ts'

const it = suite('use reader')
const ADA = keyOf('ada')
const STUDY = '5d'.repeat(32) as StudyId
const ALL = { study: null, author: null, sinceMs: null, untilMs: null }

/** A log of predictions of so many rows each. */
class World {
  readonly dropped = new Set<BodiesDropped>()
  readonly #raws: Uint8Array[]
  /** Once, when entries have been read and not been given yet. */
  whileReading: () => void = () => undefined
  readonly reader = this.start()

  constructor(rows: readonly number[]) {
    const drafts = rows.map((each) => {
      const body = { ...SOUND['model.used'], rows: each } as Cbor
      return { kind: 'model.used', study: STUDY, timeMs: 1_000, refs: [], body } as const
    })
    this.#raws = commitOf(ADA, emptyTip(ADA.member), drafts.length, 'main', drafts).entries.map(({ raw }) => raw)
  }

  start(): UseReader {
    return new UseReader(() => ({
      ...{ authors: () => [ADA.member], dropped: this.dropped },
      sizeOf: () => ({ author: ADA.member, size: this.#raws.length, root: '' as never }),
      entries: async (_, from, to) => {
        const raws = this.#raws.slice(from, to)
        this.whileReading()
        this.whileReading = () => undefined
        return raws
      },
    }))
  }

  redact(seq: number): void {
    this.#raws[seq] = dropBody(this.#raws[seq] as Uint8Array)
    for (const tell of this.dropped) tell(ADA.member, [seq])
  }

  /** Rows of all runs, and how many entries tell of nothing. */
  async told(reader = this.reader): Promise<[rows: number, silent: number]> {
    const book = await reader.current()
    return [book.sums(ALL).reduce((sum, { rows }) => sum + (rows ?? 0), 0), book.silent(ALL)]
  }
}

it('what a node has read and what it reads after a start is the same when an entry was redacted between', async () => {
  const world = new World([33, 50, 70])
  assert.equal(await world.told(), [153, 0])
  world.redact(0)
  assert.equal(await world.told(), [120, 1])
  world.redact(2)
  const started = world.start()
  assert.equal(await world.told(), await world.told(started))
  assert.equal(await world.told(), [50, 2])
})

it('a body that goes while its log is being read is forgotten all the same', async () => {
  const world = new World([33, 50])
  world.whileReading = () => world.redact(0)
  assert.equal(await world.told(), [50, 1])
})

it.run()

/** When runs of predictions are told of, and how finely. */
import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { StudyId } from '../../src/core/ids.ts'
import { bodyFault } from '../../src/governance/privacyLint.ts'
import { fileCommitment, rootOfRuns, type UseRun } from '../../src/governance/uses.ts'
import { toldNow } from '../../src/governance/useTelling.ts'

const it = suite('telling of uses')
const COHORT = 10
const TEN = Date.UTC(2026, 8, 22, 10)
const [SECOND_MS, MINUTE_MS, HOUR_MS] = [1_000, 60_000, 3_600_000]
let number = 0

function run(fromMs: number, rows: number, model = 1): UseRun {
  const salt = new Uint8Array(32).fill(++number % 251)
  const digest = new Uint8Array(32).fill(number % 241)
  return {
    ...{ study: '5d'.repeat(32) as StudyId, model: new Uint8Array(32).fill(model), round: 6, cohort: COHORT },
    ...{ rows, warned: 0, withoutPrediction: 0, fromMs, toMs: fromMs + 87, salt },
    ...{ read: fileCommitment(salt, 'read', digest), written: fileCommitment(salt, 'written', digest) },
  }
}

const shown = ({ told, held }: ReturnType<typeof toldNow>) => [
  told.map(({ body: { runs, rows, fromMs, toMs } }) => [runs, rows, fromMs - TEN, toMs - TEN]),
  held.length,
]

it('of one run at a bedside the log tells when its hour is over, and that it was within that hour', () => {
  const bedside = run(TEN + 32 * MINUTE_MS + 7_113, 1)
  assert.equal(shown(toldNow([bedside], TEN + 32 * MINUTE_MS + 12_000, 999)), [[], 1])
  const after = toldNow([bedside], TEN + HOUR_MS + 2_000, 999)
  assert.equal(shown(after), [[[null, null, 0, HOUR_MS]], 0])
  assert.equal(after.told[0]?.body.root, rootOfRuns([bedside]))
})

it('what comes to the cohort within seconds is told of at once, and with its times', () => {
  const table = run(TEN + 5, 40)
  assert.equal(shown(toldNow([table], TEN + SECOND_MS, 999)), [[[1, 40, 5, 92]], 0])
  const ward = [0, 1_000, 2_000].map((ms) => run(TEN + ms, 4))
  assert.equal(shown(toldNow(ward, TEN + 4 * SECOND_MS, 999)), [[[3, 12, 0, 2_087]], 0])
  const apart = [0, 10_000, 20_000].map((ms) => run(TEN + ms, 4))
  assert.equal(shown(toldNow([...apart, run(TEN, 20, 2)], TEN + 30 * SECOND_MS, 999)), [[[1, 20, 0, 87]], 3])
  assert.equal(shown(toldNow(apart, TEN + HOUR_MS, 999)), [[[3, 12, 0, HOUR_MS]], 0], 'together they are enough')
})

it('where too many would wait all are told of, by the hour', () => {
  const few = Array.from({ length: 6 }, (_, i) => run(TEN + i * MINUTE_MS, 1))
  assert.equal(shown(toldNow(few, TEN + 7 * MINUTE_MS, 5)), [[[null, null, 0, HOUR_MS]], 0])
})

it('property: each run is told of once or waits, and where rows are not told, neither are runs, nor more than hours', () => {
  const someRun = fc.tuple(fc.nat(3 * HOUR_MS), fc.nat(14), fc.integer({ min: 1, max: 3 }))
  fc.assert(
    fc.property(fc.array(someRun, { maxLength: 40 }), fc.nat(4 * HOUR_MS), fc.nat(20), (made, now, heldMax) => {
      const runs = made.map(([ms, rows, model]) => run(TEN + ms, rows, model))
      const { told, held } = toldNow(runs, TEN + now, heldMax)
      const all = [...told.flatMap((one) => one.runs), ...held]
      assert.is(new Set(all).size, runs.length)
      assert.is(all.length, runs.length)
      assert.ok(held.length <= heldMax)
      for (const { body } of told) {
        assert.is(bodyFault('model.served', body as never), null)
        if (body.rows !== null) continue
        assert.equal([body.runs, body.warned, body.fromMs % HOUR_MS, body.toMs % HOUR_MS], [null, null, 0, 0])
      }
    }),
  )
})

it.run()

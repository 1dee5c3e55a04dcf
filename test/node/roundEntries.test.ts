/** What a round tells of held-out patients. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Digest } from '../../src/core/ids.ts'
import type { Metrics } from '../../src/core/metrics.ts'
import type { StudyState } from '../../src/governance/studies.ts'
import type { Context } from '../../src/node/context.ts'
import { endedDrafts, mergedDrafts } from '../../src/node/roundEntries.ts'
import { digestOf, keyOf } from '../gossip/fixtures.ts'
import { STUDY } from '../learn/fixtures.ts'
import { studyOf } from './clinics.ts'

const it = suite('entries of a round')
const MODEL: Digest = digestOf('model')

/** `round.evaluated` and `round.personal` of so many held-out patients, with a minimum cohort of 10. */
function told(examples: number, positives: number) {
  const metrics: Metrics = {
    examples,
    positives,
    auc: 0.8125,
    accuracy: 0.75,
    logLoss: 0.5,
    brier: 0.2,
    calibrationError: 0.1,
  }
  const assessed = { round: 3, model: MODEL, validationLoss: 0.5, metrics, calibration: null, calibrated: null }
  const by = { rule: 'mean', nearest: false, faulty: 0, radius: null }
  const drafts = mergedDrafts(
    {
      self: keyOf('ada').member,
      draft: (kind: string, _: string, body: object) => ({ kind, body }),
    } as unknown as Context,
    { id: STUDY, study: studyOf() } as StudyState,
    {
      outcome: { type: 'merged', study: STUDY, round: 3, result: MODEL, coefficients: [], by, aside: [] } as never,
      ...{ inputs: [], considered: { taken: [], known: [] }, metrics, last: false },
      standing: { newest: assessed, best: assessed, gain: { validationLoss: 0.5, mergesSince: 0 }, personal: metrics },
    },
  )
  const bodies = drafts.filter(({ kind }) => kind === 'round.evaluated' || kind === 'round.personal')
  assert.is(bodies.length, 2)
  return bodies.map(({ body }) => {
    const { examples, auc, logLoss } = body as unknown as Metrics
    return [examples, auc, logLoss]
  })
}

it('no AUC is told where a class has fewer patients than the cohort, and nothing where all are fewer', () => {
  const twice = (figures: unknown[]) => [figures, figures]
  assert.equal(told(40, 10), twice([40, 0.8125, 0.5]))
  assert.equal(told(40, 30), twice([40, 0.8125, 0.5]))
  assert.equal(told(40, 9), twice([40, null, 0.5]))
  assert.equal(told(40, 31), twice([40, null, 0.5]))
  assert.equal(told(9, 4), twice([null, null, null]))
})

it('where patients are asked, the rows that a calibration was fitted on are told as a multiple of the cohort', () => {
  const asking = studyOf(7, 'consent: { basis: opt-out, jurisdiction: DE, purposes: [DUO:0000006] }')
  const metrics = {
    examples: 40,
    positives: 20,
    auc: 0.8,
    accuracy: 0.7,
    logLoss: 0.5,
    brier: 0.2,
    calibrationError: 0.1,
  }
  const rowsOf = (study: typeof asking, rows: number): unknown => {
    const calibration = { slope: 1.1, intercept: 0.2, rows }
    const best = { round: 3, model: MODEL, validationLoss: 0.5, metrics, calibration, calibrated: metrics }
    const context = { draft: (_: string, __: string, body: object) => ({ body }) } as unknown as Context
    const standing = { newest: best, best, gain: { validationLoss: 0.5, mergesSince: 0 }, personal: null }
    const [, calibrated] = endedDrafts(context, { id: STUDY, study } as StudyState, 4, MODEL, standing)
    return (calibrated?.body as { rows?: unknown } | undefined)?.rows
  }
  assert.equal(
    [37, 31, 9, 0].map((rows) => rowsOf(asking, rows)),
    [30, 30, null, 0],
  )
  assert.equal(
    [37, 9].map((rows) => rowsOf(studyOf(), rows)),
    [37, null],
  )
})

it.run()

/** When a study ends before its last round, and which of its models is the best: the machine alone. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { LocalFigures } from '../../src/core/figures.ts'
import type { Digest } from '../../src/core/ids.ts'
import type { StudyState } from '../../src/governance/studies.ts'
import { whyOver } from '../../src/node/ending.ts'
import { Standing } from '../../src/node/standing.ts'
import { keyOf } from '../gossip/fixtures.ts'
import { studyOf } from './clinics.ts'

const it = suite('study end')

const METRICS = { examples: 15, positives: 7, auc: 0.8, accuracy: 0.7, logLoss: 0.6, brier: 0.2, calibrationError: 0.1 }
const MEMBERS = ['ada', 'ben', 'cleo', 'dan'].map((name) => keyOf(name).member)
const figures = (validationLoss: number, apart = true): LocalFigures => ({
  apart,
  validationLoss,
  calibration: null,
  calibrated: null,
  personal: null,
})

function state(end: Partial<StudyState['study']['end']>, bound: number, enough: readonly number[]): StudyState {
  const study = { ...studyOf(9), end: { afterSeconds: null, plateau: null, ...end } }
  const named = (numbers: readonly number[]) => new Set(numbers.map((i) => MEMBERS[i]))
  const taking = MEMBERS.slice(0, bound).map((_, i) => i)
  return { study, proposedAtMs: 1_000_000, bound: named(taking), enough: named(enough) } as unknown as StudyState
}
const everybody = () => true

it('its time is counted from the proposal, which all read alike', () => {
  const timed = state({ afterSeconds: 60 }, 3, [])
  assert.is(whyOver(timed, everybody, 1_059_999), null)
  assert.is(whyOver(timed, everybody, 1_060_000), 'time')
  assert.is(whyOver(state({}, 3, []), everybody, 9e15), null, 'without a time it goes on')
})

it('more than half of those who bound a table decide, and nobody else', () => {
  assert.is(whyOver(state({}, 4, [0, 1]), everybody, 0), null, 'half is not most')
  assert.is(whyOver(state({}, 4, [0, 1, 3]), everybody, 0), 'agreed')
  assert.is(whyOver(state({}, 2, [0, 2, 3]), everybody, 0), null, 'two of the three take no part')
  assert.is(whyOver(state({}, 0, []), everybody, 0), null, 'nobody is no majority')
  const gone = new Set([MEMBERS[1], MEMBERS[2]])
  assert.is(
    whyOver(state({}, 4, [0, 3]), (member) => !gone.has(member), 0),
    'agreed',
    'who left has no say',
  )
})

it('where no rows are apart the best model is the newest: training rows would choose what was learnt by heart', () => {
  const standing = new Standing()
  for (const [round, loss] of [0.7, 0.3, 0.6].entries())
    standing.note(round, `model ${round}` as Digest, METRICS, figures(loss, false), 0.01)
  assert.is(standing.state?.best.model, 'model 2')
  assert.equal(standing.state?.gain, { validationLoss: 0.3, mergesSince: 1 })
})

it('a node that was away for fifty rounds has not seen fifty merges without a gain', () => {
  const standing = new Standing()
  for (const round of [10, 60, 61]) standing.note(round, `model ${round}` as Digest, METRICS, figures(0.5), 0.01)
  assert.equal(
    [2, 3].map((merges) => standing.isPlateau(merges)),
    [true, false],
  )
})

it('the best model is that of least validation loss, the newest of equals; a gain below δ is none', () => {
  const standing = new Standing()
  assert.is(standing.isPlateau(1), false)
  const losses = [0.7, 0.6, 0.6, 0.595, 0.61, 0.594, 0.65]
  const plateaus: boolean[] = []
  losses.forEach((loss, round) => {
    standing.note(round, `model ${round}` as Digest, METRICS, figures(loss), 0.01)
    plateaus.push(standing.isPlateau(4))
  })
  assert.is(standing.state?.best.model, 'model 5')
  assert.is(standing.state?.newest.model, 'model 6')
  assert.equal(standing.state?.gain, { validationLoss: 0.6, mergesSince: 5 })
  assert.equal(plateaus, [false, false, false, false, false, true, true])
  const restored = new Standing()
  restored.restore(structuredClone(standing.state))
  restored.note(7, 'model 7' as Digest, METRICS, figures(0.594), 0.01)
  assert.is(restored.state?.best.model, 'model 7', 'of equals the newest')
  assert.ok(restored.isPlateau(6) && !restored.isPlateau(7))
})

it.run()

/** The hint to whoever proposes a study in whose cells attackers would soon be too many for its own rule. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Study } from '../../src/config/study.ts'
import { studyId } from '../../src/core/ids.ts'
import { cellHint } from '../../src/daemon/cellHint.ts'
import { Deal, dealSeed } from '../../src/gossip/cells.ts'
import { resolve } from '../../src/learn/merge/rule.ts'
import { digestOf } from '../gossip/fixtures.ts'
import { STUDY } from '../node/harness.ts'

const it = suite('cellHint')
const DEFAULT: Study['merge'] = { ...STUDY.merge, rule: 'auto', nearest: false, faulty: 0.3 }
const of = (size: number, merge: Partial<Study['merge']> = {}, members = 118): string | null =>
  cellHint({ cells: { above: 40, size, periodSeconds: null }, merge: { ...DEFAULT, ...merge } }, members)

it('who proposes cells in which attackers would soon be too many for the rule is told how often, and what would do', () => {
  assert.is(
    of(32),
    'cells of 32: if a fifth of the 118 members attacked, more than the 8 of 29 that merge.faulty 0.3 bears in a cell would be theirs in 8.6 % of cells; with cells.size 32 and merge.faulty 0.375, which bears 10 of 29, in 0.92 %',
  )
  assert.match(
    of(16, { faulty: 3 / 8 }) ?? '',
    /^cells of 16: .* more than the 5 of 15 that merge\.faulty 0\.375 bears .* in 5\.3 % of cells; with cells\.size 32 /,
  )
})

it('where enough are borne, or no count is, or all meet in one topic, there is nothing to say', () => {
  assert.is(of(32, { faulty: 3 / 8 }), null)
  assert.is(of(32, { faulty: 12 }), null)
  assert.is(of(32, { rule: 'mean', nearest: false }), null)
  assert.is(of(32, { rule: 'median', nearest: false }), null)
  assert.is.not(of(32, { rule: 'median', nearest: true }), null)
  assert.is.not(of(32, { rule: 'krum', faulty: 4 }), null)
  assert.is(of(16, {}, 40), null, 'who are too few for cells')
  assert.is(of(32, { faulty: 0.45 }, 200), null)
  assert.is(cellHint({ cells: null, merge: DEFAULT }, 118), null)
})

it('the chance that is told is that of cells as they are dealt', () => {
  const any = digestOf('any')
  let [cells, beyond] = [0, 0]
  for (let period = 0; period < 3_000; period++) {
    const deal = new Deal(dealSeed(studyId(any), any, any, period), 118, () => true, 32)
    for (let cell = 0; cell < deal.cells; cell++) {
      const places = deal.membersOf(cell)
      if (places.length !== 29) continue
      cells++
      if (places.filter((place) => place < 24).length > resolve(DEFAULT, places.length).faulty) beyond++
    }
  }
  const told = Number(of(32)?.match(/theirs in ([\d.]+) %/)?.[1])
  assert.ok(Math.abs(told - (100 * beyond) / cells) < 1, `${told} % told, ${(100 * beyond) / cells} % dealt`)
})

it.run()

/** The hint to whoever proposes a study whose cells are small. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { cellHint } from '../../src/daemon/cellHint.ts'

const it = suite('cellHint')

it('who proposes cells in which attackers would soon be too many is told how often', () => {
  const of = (size: number, members = 118) => cellHint({ cells: { above: 40, size, periodSeconds: null } }, members)
  assert.is(
    of(16),
    'cells of 16: if a fifth of the 118 members attacked, more than 5 of 15 in a cell would be theirs in 5.3 % of cells; with cells.size 32 in 0.32 %',
  )
  assert.is(of(32), null)
  assert.is(of(16, 40), null, 'who are too few for cells')
  assert.is(cellHint({ cells: null }, 118), null)
})

it.run()

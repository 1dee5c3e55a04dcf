/** Orders of delivery that are wrong by one update. */
import * as assert from 'uvu/assert'
import type { Stage } from '../../netsim/members/inOrder.ts'

/** The newest update that was heard before some merge had its inputs is heard after that. */
export function postponed(stages: readonly Stage[]): Stage[] {
  const taken = stages.findIndex(({ own }, i) => own === 'recorded the training' && heardFor(stages, i) !== null)
  const from = heardFor(stages, taken)
  assert.ok(from !== null, 'something was heard before a merge')
  const update = stages[from]?.heard.at(-1)
  assert.ok(update)
  return stages.map(({ own, heard }, i) => {
    const rest = i === from ? heard.slice(0, -1) : heard
    return { own, heard: i === taken + 1 ? [update, ...rest] : rest }
  })
}

/** The last stage with an update, of those after the merge before up to `taken`. */
function heardFor(stages: readonly Stage[], taken: number): number | null {
  for (let i = taken; i >= 0; i--) {
    if (i < taken && stages[i]?.own === 'recorded the training') return null
    if ((stages[i]?.heard.length ?? 0) > 0) return i
  }
  return null
}

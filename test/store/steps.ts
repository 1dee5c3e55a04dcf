/** What the system-call tests have done to a store: own and replicated commits, and records of what is cosigned, in a fixed order. */
import type { LevelStore } from '../../src/store/levelStore.ts'
import { batchOf, type Commit, keyOf, logOf } from '../ledger/fixtures.ts'

export const ADA = keyOf('ada')

/** Writes a commit, Ada's own with her pin; or, before Ada cosigns it, that she does. */
export interface Step {
  readonly type: 'append' | 'witness'
  readonly commit: Commit
}

export const LOGS: readonly (readonly Commit[])[] = [
  logOf(ADA, [3, 4, 2]),
  logOf(keyOf('ben'), [5, 252, 1]), // the second is more than a block of LevelDB’s log, so several writes; and it completes a node of the tree
]

/** One commit of each log after the other. */
export const STEPS: readonly Step[] = [0, 1, 2].flatMap((i): Step[] => {
  const [ada, ben] = LOGS.map((log) => log[i] as Commit) as [Commit, Commit]
  return [
    { type: 'append', commit: ada },
    { type: 'append', commit: ben },
    { type: 'witness', commit: ben },
  ]
})

export function carryOut(store: LevelStore, { type, commit }: Step): Promise<void> {
  if (type === 'append') return store.append(batchOf(commit))
  return store.putWitnessed(commit.tip.author, { size: commit.head.size, root: commit.head.root })
}

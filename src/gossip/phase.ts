/** The phases of a study at one node. */

/** Where one node stands in one study. `withheld`: the update is recorded, but may not be published now; it goes on when that is lifted. */
export type Phase =
  | 'idle'
  | 'statistics'
  | 'opening'
  | 'training'
  | 'recording'
  | 'withheld'
  | 'merging'
  | 'evaluating'
  | 'closing'
  | 'resting'
  | 'failed'
  | 'ended'

/** Phases in which the learner is at work, so that it can fail. */
export const LEARNING: ReadonlySet<Phase> = new Set<Phase>(['opening', 'training', 'merging', 'evaluating'])
/** Phases in which this round's inputs have been taken: what is heard now is for the next merge. */
export const TAKEN: ReadonlySet<Phase> = new Set<Phase>(['merging', 'evaluating', 'closing'])

/** What a simulated node's logs tell of where its models come from: read anew for each question, which few runs ask. */
import { Lineages } from '../../src/governance/lineages.ts'
import type { Action } from '../../src/node/actions.ts'
import type { NodeEvent } from '../../src/node/events.ts'
import type { Disk } from './disk.ts'

/** The answer to a `trace`. */
export function traced(disk: Disk, { study, trace, models, subjects }: Extract<Action, { type: 'trace' }>): NodeEvent {
  const lineages = new Lineages()
  for (const [author, { raws }] of disk.logs()) lineages.take(author, raws)
  return { type: 'traced', study, trace, standings: lineages.of(study).standings(subjects, models) }
}

/** Which options of training a scenario's learner and kind of nodes can carry out. */
import { trainingComplaint } from '../../src/config/study.ts'
import { type Complaint, given } from '../../src/config/yaml.ts'
import type { Scenario } from './schema.ts'

/** The first option that would be passed over, or null: an answer must not be of another question. */
export function trainingFault({ study, learner, ledger }: Scenario): Complaint | null {
  const complaint = trainingComplaint(study)
  if (complaint !== null) return { ...complaint, path: ['study', ...complaint.path] }
  const { training, local, personal, end } = study
  const own: readonly [key: string, value: unknown, off: unknown][] = [
    ['training.momentum', training.momentum, 0],
    ['training.tracking', training.tracking, 0],
    ['training.secondsMax', training.secondsMax, null],
    ['personal', personal, null],
    ['end.afterSeconds', end.afterSeconds, null],
    ['end.plateau', end.plateau, null],
  ]
  const proximal = ['training.proximal', training.proximal, 0] as const
  const head = ['local.head', local.head, 'bias'] as const
  if (ledger === 'off') {
    const crowd = set(own, 'is for nodes with a ledger: say ledger: on')
    if (crowd !== null) return crowd
  }
  if (learner.kind === 'linear' || learner.kind === 'null')
    return set([...own.slice(0, 4), proximal, head], `cannot be done by learner: kind: ${learner.kind}: say kernels`)
  if (learner.kind === 'tfjs' && ledger === 'off')
    return set([proximal], 'cannot be done by the stacked learner: say learner: { kind: kernels }')
  return null
}

function set(options: readonly (readonly [string, unknown, unknown])[], why: string): Complaint | null {
  const found = options.find(([, value, off]) => value !== off)
  if (found === undefined) return null
  return { path: ['study', ...found[0].split('.')], message: `${given(found[1])}, which ${why}` }
}

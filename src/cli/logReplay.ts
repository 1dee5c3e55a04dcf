/** log verify --replay: what of the recorded merges was recomputed, what differs, and what could not be looked at. */
import { ConsiliumError } from '../core/errors.ts'
import type { ReplayReport } from '../daemon/api.ts'
import { table } from './output.ts'
import { type Common, clientOf, outputOf } from './shared.ts'

const WHY: Readonly<Record<string, string>> = {
  'inputs-missing': 'updates that are not kept here: dropped as the oldest, found damaged, or never heard',
  'rule-unknown': 'a rule that this version does not know',
  'study-unknown': 'a study whose description is not here',
  'trained-not-here': 'updates whose authors have not said here how they trained them',
  'examples-none': 'updates that their authors say were trained on nothing',
  'body-dropped': 'entries whose bodies have been dropped',
  'body-unreadable': 'entries that cannot be read',
}

/** Prints what the running daemon finds. Error: `merge-differs`, naming the first that does. */
export async function replayMerges(options: Common & { member?: string }): Promise<void> {
  const query = options.member === undefined ? '' : `?member=${encodeURIComponent(options.member)}`
  const { logs } = await clientOf(options).get<{ logs: ReplayReport[] }>(`/v1/log/replay${query}`)
  outputOf(options).print(logs, () => replayLines(logs))
  const differing = logs.find((log) => log.differing > 0)
  if (differing === undefined) return
  const [first] = differing.differences
  const message = `${first?.ref}, the merge of round ${first?.round}: ${first?.what}`
  throw new ConsiliumError({ code: 'merge-differs', message })
}

/** The table and what it cannot tell. */
export function replayLines(logs: readonly ReplayReport[]): string[] {
  const rows = logs.map((log) => {
    const { name, merges, recomputed, equal, differing } = log
    return [name, ...[merges, recomputed, equal, differing, merges - recomputed].map(String)]
  })
  return [
    ...table(['merges of', 'recorded', 'recomputed', 'equal', 'differing', 'not checked'], rows, [1, 2, 3, 4, 5]),
    ...logs.flatMap(({ differences }) => differences.map(({ ref, round, what }) => `${ref} (round ${round}): ${what}`)),
    ...agesLines(logs),
    `Not checked: ${notChecked(logs)}. How an update was trained, and each hospital's private head, nobody else can recompute.`,
  ]
}

function agesLines(logs: readonly ReplayReport[]): string[] {
  const merges = logs.reduce((sum, { otherAges }) => sum + otherAges, 0)
  if (merges === 0) return []
  return [
    `${of(merges)} equal with other ages of updates than the logs show, as after a start or a merge that was done again.`,
  ]
}

function notChecked(logs: readonly ReplayReport[]): string {
  const counts = new Map<string, number>()
  for (const { notChecked } of logs)
    for (const { reason, merges } of notChecked) counts.set(reason, (counts.get(reason) ?? 0) + merges)
  if (counts.size === 0) return 'no merge'
  const missing = new Map<string, number>()
  for (const log of logs)
    for (const { name, merges } of log.missing) missing.set(name, (missing.get(name) ?? 0) + merges)
  const whose = [...missing].map(([name, merges]) => `${name} ${merges}`).join(', ')
  return [...counts]
    .map(
      ([reason, merges]) =>
        `${of(merges)} of ${WHY[reason] ?? reason}${reason === 'inputs-missing' ? ` (${whose})` : ''}`,
    )
    .join('; ')
}

const of = (merges: number): string => `${merges} merge${merges === 1 ? '' : 's'}`

/** What check-export found, and what a person is told of it. */
import { ConsiliumError } from '../core/errors.ts'
import { squeeze } from '../daemon/squeeze.ts'
import type { BundleFilter } from '../ledger/bundle.ts'
import type { BundledLog } from '../ledger/bundleVerdict.ts'
import type { ViewName } from '../report/exports/views.ts'
import { type Gap, showsGaps } from './leftOut.ts'
import { filterWords, forkNotice, logTable } from './logBundle.ts'

/** How many faults of lines are found before the rest is not looked at. */
export const FAULTS_MAX = 20

/** What is wrong with one line; lines count from 1. */
export interface LineFault {
  readonly line: number
  /** The entry whose line it should be, as commands take it; null of a line too many. */
  readonly entry: string | null
  readonly what: string
}

/** What `check-export` found. */
export interface ExportVerdict {
  readonly file: string
  readonly proofs: string
  readonly view: ViewName
  readonly lines: number
  /** Entries that the proofs have: each is one of `final`, `pending` and `disputed`. */
  readonly entries: number
  readonly final: number
  readonly pending: number
  readonly disputed: number
  readonly droppedBodies: number
  /** Whether --root named the consortium. */
  readonly identity: 'checked' | 'not checked'
  readonly consortium: string
  readonly fingerprint: string
  /** Which entries the proofs say that they took. */
  readonly filter: BundleFilter
  readonly logs: readonly BundledLog[]
  /** Names of members whose logs the filter takes, and of which no entry is there. */
  readonly absent: readonly string[]
  /** Entries that the filter takes for certain and the proofs lack, and where; of the places the first ones. */
  readonly leftOut: number
  readonly gaps: readonly Gap[]
  readonly faults: readonly LineFault[]
}

/** Why it is not good, all of it under the gravest code; null where it is. Errors: `export-differs`, `export-left-out`, `export-not-final`. */
export function exportFault(verdict: ExportVerdict): ConsiliumError | null {
  const { file, faults, leftOut, entries, final } = verdict
  const rows = [
    ['export-differs', faults.length > 0, lineFaults(verdict)],
    ['export-left-out', leftOut > 0, gapWords(verdict)],
    ['export-not-final', final < entries, notFinalWords(verdict)],
  ] as const
  const found = rows.filter(([, is]) => is)
  const [first] = found
  if (first === undefined) return null
  return new ConsiliumError({ code: first[0], message: `${file}: ${found.map(([, , words]) => words).join('; ')}` })
}

function lineFaults({ faults }: ExportVerdict): string {
  const shown = faults.map(({ line, entry, what }) => {
    return `line ${line}${entry === null ? '' : ` (entry ${entry})`} ${what}`
  })
  return `${shown.join('; ')}${faults.length >= FAULTS_MAX ? '; and perhaps more' : ''}`
}

function gapWords({ leftOut, gaps, filter }: ExportVerdict): string {
  const places = gaps.map(({ name, from, to }) => {
    return `${squeeze(name)}/${from}${to - from === 1 ? '' : ` to ${to - 1}`}`
  })
  const told = gaps.reduce((sum, { from, to }) => sum + to - from, 0)
  const more = told < leftOut ? ` and ${leftOut - told} more` : ''
  const clock =
    filter.sinceMs === null && filter.untilMs === null
      ? ''
      : ' (or by its clock an author was outside of the time asked for: an export without --since and --until shows that)'
  return `${counted(leftOut, 'entry that the filter takes is', 'entries that the filter takes are')} left out of the proofs: ${places.join(', ')}${more}${clock}`
}

function notFinalWords({ entries, final, logs }: ExportVerdict): string {
  const each = logs
    .filter(({ pending, disputed }) => pending + disputed > 0)
    .map(({ name, pending, disputed }) => {
      const words = [pending > 0 ? `${pending} pending` : '', disputed > 0 ? `${disputed} disputed` : '']
      return `${name} ${words.filter((word) => word !== '').join(' and ')}`
    })
  return `${entries - final} of ${counted(entries, 'entry', 'entries')} ${entries - final === 1 ? 'is' : 'are'} not final: ${each.join(', ')}`
}

/** The report, where no line differs. */
export function exportLines(verdict: ExportVerdict): string[] {
  const { file, entries, final, leftOut, identity, consortium, fingerprint, filter, logs } = verdict
  const whose = identity === 'checked' ? 'the consortium that --root names' : 'the consortium that the proofs name'
  const head =
    final < entries || leftOut > 0 ? 'NOT GOOD' : identity === 'checked' ? 'good' : 'consistent; identity not checked'
  const proven =
    entries === 0
      ? ''
      : final < entries
        ? ` But ${notFinalWords(verdict)}: no quorum of ${whose} has signed for ${entries - final === 1 ? 'it' : 'them'}.`
        : ` Every entry is final: proven under a head that a quorum of ${whose} has signed.`
  return [
    `${file}: ${head}. ${linesWords(verdict)}${proven}`,
    '',
    `filter       ${filterWords(filter, logs)}`,
    `consortium   ${consortium}`,
    `fingerprint  ${fingerprint}`,
    '',
    ...logTable(logs),
    '',
    ...notices(verdict),
    ...limits(verdict),
  ]
}

function linesWords({ lines, entries, view }: ExportVerdict): string {
  if (entries === 0) return `It has no entry (${view}), and its proofs have none; that there was none they cannot show.`
  if (lines === 0) return `It has no line (${view}), and its entries give none.`
  return lines === 1
    ? `Its one line (${view}) is what its entries give.`
    : `Each of its ${lines} lines (${view}) is what its entry gives.`
}

/** What a reader must not miss. */
function notices(verdict: ExportVerdict): string[] {
  const { leftOut, droppedBodies, absent, identity, logs } = verdict
  const lines = [
    ...logs.flatMap(forkNotice),
    ...(leftOut === 0 ? [] : [`LEFT OUT: ${gapWords(verdict)}.`]),
    ...(droppedBodies === 0
      ? []
      : [
          `${counted(droppedBodies, 'entry is', 'entries are')} without a body, whoever dropped it: the lines say what is left.`,
        ]),
    ...(absent.length === 0 ? [] : [`No entry of ${absent.join(', ')} is in it; why, the proofs do not show.`]),
    ...(identity === 'checked'
      ? []
      : ['Compare the fingerprint with one that you got another way, then give that with --root.']),
  ]
  return lines.length === 0 ? [] : [...lines, '']
}

/** What of all that is left out the proofs show, and what not. */
function limits({ filter, entries, leftOut }: ExportVerdict): string[] {
  const { members, sinceMs, untilMs, state } = filter
  const more = 'later entries, and whether what was declared is true.'
  if (!showsGaps(filter))
    return [
      `What it cannot show: what the filter left out; what the exporter left out, for of an entry that is not here nobody knows its kind or its study; ${more}`,
    ]
  const logs = members === null ? 'logs that are not above' : 'the logs that the filter left out'
  if (state === 'pending' || sinceMs !== null || untilMs !== null)
    return [`What it cannot show: ${logs}, what was left out at the ends of what the filter takes, ${more}`]
  return [
    ...(entries === 0 || leftOut > 0
      ? []
      : ['Of the logs above nothing that the filter takes was left out, up to the sizes under "of".']),
    `What it cannot show: ${logs}, ${more}`,
  ]
}

function counted(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`
}

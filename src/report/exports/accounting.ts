/** What went out that rests, or may rest, on one patient's rows, as 45 CFR 164.528(b)(2) to (4) asks. Which of it has to be accounted for the hospital judges. */
import { csvLine } from '../csvCells.ts'
import { instant } from './exported.ts'

/** An update that was computed, by the own log. */
interface Sent {
  readonly timeMs: number
  readonly entry: string
}

/** A study that used the patient's rows, as this hospital's log and vault tell of it. */
export interface AccountedStudy {
  readonly study: string
  readonly name: string
  readonly purpose: string
  /** Whether who said nothing was used. */
  readonly basis: string
  /** Members that the updates went to, not this hospital; `after`: to each after so many of the rounds. */
  readonly recipients: readonly { readonly member: string; readonly after: number }[]
  /** Rounds that rest on the patient's rows, oldest first. */
  readonly rounds: readonly Sent[]
}

/** A study that asks nobody: its updates of the period may rest on the patient's rows; whose they are no log knows. */
export interface AccountedResearch {
  readonly study: string
  readonly name: string
  readonly purpose: string
  /** A member's name. */
  readonly proposedBy: string
  /** What is read of a row: inputs, then the label. */
  readonly columns: readonly string[]
  /** Of the newest update; null where that is not known any more. */
  readonly rows: number | null
  /** Updates in the period. */
  readonly updates: number
  /** Other members that had accepted the study, with the first and the last update that was computed after this hospital knew of it. */
  readonly recipients: readonly {
    readonly member: string
    readonly number: number
    readonly first: Sent
    readonly last: Sent
  }[]
}

/** From `sinceMs` on and before `untilMs`. */
export interface AccountedPeriod {
  readonly sinceMs: number
  readonly untilMs: number
}

/** What an accounting rests on; `research` is of the same period. */
export interface Accounted {
  readonly studies: readonly AccountedStudy[]
  readonly research: readonly AccountedResearch[]
}

const COLUMNS = [
  ...(['first_date', 'last_date', 'number', 'recipient', 'recipient_address'] as const),
  ...(['description', 'purpose', 'study', 'sponsor', 'ground', 'first_entry', 'last_entry'] as const),
] as const
type Cells = Readonly<Record<(typeof COLUMNS)[number], string>>

const UNKNOWN = 'not known here'
const COLUMNS_NAMED_MAX = 20 // a brief description

/** Why a line is there, and by what part of the rule. */
const GROUNDS = {
  'opt-in': 'asked: where the word of the patient is an authorization (164.508), (a)(1)(iv) asks for no accounting',
  'opt-out': 'used unless the patient said no: (b)(2), an opt-out is no authorization',
  research: 'asked nobody: (b)(4), where it is research under 164.512(i) for 50 or more individuals',
} as const

const OF_SEVERAL =
  'model updates computed from records of several patients, this one among them; no record of any patient'
const MAY_BE =
  'protected health information of this patient may or may not have been disclosed for this research activity'

/** The CSV, a line for each recipient of each study; the header alone where nothing went out. `entries`: so many updates they tell of. */
export function accountingOf(
  { studies, research }: Accounted,
  { sinceMs, untilMs }: AccountedPeriod,
): { readonly lines: string[]; readonly entries: number } {
  const isWithin = ({ timeMs }: Sent): boolean => timeMs >= sinceMs && timeMs < untilMs
  const asked = studies.flatMap(({ study, name, purpose, basis, recipients, rounds }) => {
    const about = { purpose, study: studyCell(name, study), sponsor: '', description: OF_SEVERAL }
    const ground = GROUNDS[basis === 'opt-out' ? 'opt-out' : 'opt-in']
    return recipients.flatMap(({ member, after }) => {
      const within = rounds.slice(after).filter(isWithin)
      const [first, last] = [within[0], within.at(-1)]
      if (first === undefined || last === undefined) return []
      return lineOf({ ...about, ground, recipient: member, ...spanOf(first, last, within.length) })
    })
  })
  const unasked = research.flatMap((one) => {
    const { study, name, purpose, proposedBy, recipients } = one
    const about = { purpose, study: studyCell(name, study), description: researchWords(one) }
    const sponsor = `${UNKNOWN}; the study was proposed by ${proposedBy}`
    return recipients.map(({ member, number, first, last }) =>
      lineOf({ ...about, sponsor, ground: GROUNDS.research, recipient: member, ...spanOf(first, last, number) }),
    )
  })
  const entries =
    studies.reduce((sum, { rounds }) => sum + rounds.filter(isWithin).length, 0) +
    research.reduce((sum, { updates }) => sum + updates, 0)
  return { lines: [csvLine(COLUMNS), ...asked, ...unasked], entries }
}

function lineOf(cells: Omit<Cells, 'recipient_address'>): string {
  const all: Cells = { ...cells, recipient_address: UNKNOWN }
  return csvLine(COLUMNS.map((column) => all[column]))
}

function spanOf(first: Sent, last: Sent, number: number) {
  const [from, to] = [first, last].map(({ timeMs }) => instant(timeMs).slice(0, 10)) as [string, string]
  return {
    ...{ first_date: from, last_date: to, number: String(number) },
    ...{ first_entry: first.entry, last_entry: last.entry },
  }
}

const studyCell = (name: string, study: string): string => `${name} (${study.slice(0, 12)})`

function researchWords({ columns, rows }: AccountedResearch): string {
  const more = columns.length - COLUMNS_NAMED_MAX
  const named = [...columns.slice(0, COLUMNS_NAMED_MAX), ...(more > 0 ? [`${more} more`] : [])].join(', ')
  const of = rows === null ? 'rows' : `${rows} rows (the last one)`
  return `model updates computed from ${of} of this hospital's table for the study, of which were read: ${named}; no record of any patient; ${MAY_BE}`
}

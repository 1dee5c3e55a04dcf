/** What went out that rests on one patient's rows, as 45 CFR 164.528(b) asks: date, recipient, description, purpose. */
import { csvLine } from '../csvCells.ts'
import { instant } from './exported.ts'

/** A study that used the patient's rows, as this hospital's log and vault tell of it. */
export interface AccountedStudy {
  readonly study: string
  readonly name: string
  readonly purpose: string
  /** Members that the updates went to, not this hospital; `after`: to each after so many of the rounds. */
  readonly recipients: readonly { readonly member: string; readonly after: number }[]
  /** Rounds that rest on the patient's rows, oldest first. */
  readonly rounds: readonly { readonly timeMs: number; readonly entry: string }[]
}

/** From `sinceMs` on and before `untilMs`. */
export interface AccountedPeriod {
  readonly sinceMs: number
  readonly untilMs: number
}

const HEADER = csvLine([
  ...['first_date', 'last_date', 'number', 'recipient', 'recipient_address'],
  ...['description', 'purpose', 'study', 'first_entry', 'last_entry'],
])

const DESCRIPTION =
  'model updates computed from records of several patients, this one among them; no record of any patient'

/** The CSV, a line for each recipient of each study; the header alone where nothing went out. */
export function accountingLines(studies: readonly AccountedStudy[], { sinceMs, untilMs }: AccountedPeriod): string[] {
  const lines = studies.flatMap(({ study, name, purpose, recipients, rounds }) => {
    return recipients.flatMap(({ member, after }) => {
      const within = rounds.slice(after).filter(({ timeMs }) => timeMs >= sinceMs && timeMs < untilMs)
      const [first, last] = [within[0], within.at(-1)]
      if (first === undefined || last === undefined) return []
      const [from, to] = [first, last].map(({ timeMs }) => instant(timeMs).slice(0, 10)) as [string, string]
      return csvLine([
        ...[from, to, String(within.length), member, 'not known here'],
        ...[DESCRIPTION, purpose, `${name} (${study.slice(0, 12)})`, first.entry, last.entry],
      ])
    })
  })
  return [HEADER, ...lines]
}

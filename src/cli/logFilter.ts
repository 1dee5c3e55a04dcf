/** Filters of the log commands, and an entry's body on one line. */
import { type Command, InvalidArgumentError } from 'commander'
import { short } from './output.ts'

const UNITS_MS: Readonly<Record<string, number>> = { s: 1_000, min: 60_000, h: 3_600_000, d: 86_400_000 }

/** Adds what `ls`, `tail`, `timeline` and `export` have in common. */
export function withFilter(command: Command): Command {
  return command
    .option('--member <member>', "only this member's log: its name, or at least 6 digits of its key")
    .option(
      '--kind <kind>',
      'only this kind, or kinds that begin with it: round.merged, round, study; several with commas between them',
    )
    .option('--study <study>', 'only this study: its name, or at least 6 digits of its digest')
    .option('--since <time>', "by the authors' clocks from then on: 2026-11-21T06:00Z, or 90min, 2h, 3d ago", sinceMs)
    .option('--until <time>', 'before then, as --since', sinceMs)
    .option('--state <state>', 'final: a quorum has signed it; pending: not yet', finalOrPending)
}

/** The filter as the control API takes it. */
export function queryOf(options: Readonly<Record<string, unknown>>): string {
  const names = ['member', 'kind', 'study', 'since', 'until', 'state', 'limit']
  const given = names.flatMap((name): [string, string][] =>
    options[name] === undefined ? [] : [[name, String(options[name])]],
  )
  return new URLSearchParams(given).toString()
}

/** A moment in milliseconds since 1970, from an ISO date with its zone, a date alone (UTC), or a time ago. */
export function sinceMs(text: string): string {
  const ago = /^(\d+)\s*(s|min|h|d)$/.exec(text.trim())
  if (ago !== null) return String(Date.now() - Number(ago[1]) * (UNITS_MS[ago[2] as string] as number))
  const zoned = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2}))?$/.test(text.trim())
  const ms = zoned ? Date.parse(text.trim()) : Number.NaN
  if (!Number.isNaN(ms) && ms >= 0) return String(ms)
  throw new InvalidArgumentError(
    'a date (2026-11-21, in UTC), a time with its zone (2026-11-21T06:00Z), or 90min, 2h, 3d is expected.',
  )
}

function finalOrPending(text: string): string {
  if (text === 'final' || text === 'pending') return text
  throw new InvalidArgumentError('final or pending is expected.')
}

/** The body's small values on one line; long ones only by their beginning. */
export function gist(body: unknown): string {
  if (body === null || typeof body !== 'object') return body === null ? '(body dropped)' : ''
  return Object.entries(body)
    .map(([key, value]) => `${key}=${brief(value)}`)
    .join(' ')
}

function brief(value: unknown): string {
  if (typeof value === 'number') return Number.isInteger(value) ? String(value) : value.toPrecision(4)
  if (typeof value === 'string') return /^[0-9a-f]{32,}$/.test(value) ? short(value) : value
  if (Array.isArray(value)) return `[${value.length}]`
  if (typeof value === 'object' && value !== null) return `{${Object.keys(value).join(',')}}`
  return value === null ? '–' : String(value)
}

/** Structured logs: the event as message, facts as fields. For people in a journal, or JSON lines for machines. */
import { pino } from 'pino'

export type Level = 'trace' | 'debug' | 'info' | 'warn' | 'error'
export type Facts = Readonly<Record<string, unknown>>
export type Log = (level: Level, event: string, facts?: Facts) => void

/** Writes to standard error: JSON with `asJson`, else one line `LEVEL event key=value …` (the journal adds the time). */
export function makeLog(level: Level, asJson: boolean): Log {
  if (asJson) {
    const logger = pino(
      { level, base: null, timestamp: pino.stdTimeFunctions.isoTime },
      pino.destination({ fd: 2, sync: true }),
    )
    return (at, event, facts) => logger[at](facts ?? {}, event)
  }
  const threshold = ORDER.indexOf(level)
  return (at, event, facts) => {
    if (ORDER.indexOf(at) < threshold) return
    const fields = Object.entries(facts ?? {}).map(([key, value]) => `${key}=${field(value)}`)
    process.stderr.write(`${PRIORITY[at]}${at.toUpperCase().padEnd(5)} ${[event, ...fields].join(' ')}\n`)
  }
}

const ORDER: readonly Level[] = ['trace', 'debug', 'info', 'warn', 'error']
/** sd-daemon(3) priority prefixes, where a journal reads our standard error. */
const PRIORITY: Record<Level, string> =
  process.env.JOURNAL_STREAM === undefined
    ? { trace: '', debug: '', info: '', warn: '', error: '' }
    : { trace: '<7>', debug: '<7>', info: '<6>', warn: '<4>', error: '<3>' }

function field(value: unknown): string {
  if (typeof value === 'string') return /^[\w.:/+-]+$/.test(value) ? value : JSON.stringify(value)
  if (typeof value === 'object') return JSON.stringify(value)
  return String(value)
}

/** What became of one test file, read from its output and its end: uvu's own exit code misses more than it should. */

/** How a test file's process ended. */
export interface Ending {
  readonly output: string
  /** The exit code, or null where a signal ended it. */
  readonly code: number | null
  readonly signal: string | null
  /** The deadline in milliseconds that it missed, or null. */
  readonly missedMs: number | null
}

/** Counts of one file; `complaint` says why a failure was counted that uvu did not report itself. */
export interface Totals {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
  readonly complaint: string | null
}

const ESCAPES = new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*m`, 'g')
const SUMMARY = /^ {2}Total: +(\d+)\n {2}Passed: +(\d+)\n {2}Skipped: +(\d+)$/gm

/**
 * Counts a file's tests. uvu exits with 0 when `.run()` was forgotten, when a `before` hook throws, and when an `after.each` hook ends
 * a suite early; so what counts here is tests that passed against tests there are, and a file without tests has failed.
 */
export function readTotals(ending: Ending): Totals {
  const summaries = [...ending.output.replaceAll('\r', '').replaceAll(ESCAPES, '').matchAll(SUMMARY)]
  const sum = (group: number): number => summaries.reduce((total, match) => total + Number(match[group]), 0)
  const [total, passed, skipped] = [sum(1), sum(2), sum(3)]
  const unpassed = Math.max(0, total - passed)
  const complaint = complaintOf(ending, summaries.length, total + skipped, unpassed)
  return { passed, failed: unpassed + (complaint === null ? 0 : 1), skipped, complaint }
}

function complaintOf(ending: Ending, summaries: number, tests: number, unpassed: number): string | null {
  if (ending.missedMs !== null) {
    const state = summaries > 0 ? 'its tests ended, but something keeps the process alive' : 'its tests did not end'
    return `killed after ${ending.missedMs / 1000} s: ${state}`
  }
  if (ending.signal !== null) return `ended by ${ending.signal}`
  if (summaries > 1) return 'uvu ran more than once and may have lost a suite: call every .run() before the first await'
  if (ending.code !== 0 && unpassed === 0)
    return `exit code ${ending.code}, but no failed test: it crashed or left early`
  if (tests === 0) return 'no test ran: does the file end with .run()?'
  return null
}

/** A progress line on standard error, on a terminal only: virtual and real time, speed, and when it will be done. */
import { duration } from '../../src/cli/output.ts'
import type { Progress } from '../options.ts'

const REFRESH_MS = 100 // ten times a second looks live and costs nothing
const BAR_COLUMNS = 16 // the line fits 80 with it
const RATE_WINDOW_MS = 5_000 // speed over the last seconds: a start that compiles says little of the rest

/** Where lines are drawn: `process.stderr`, or a stand-in in tests. */
export interface Screen {
  readonly isTTY?: boolean
  readonly columns?: number
  write(text: string): unknown
}

/** Draws `#####-----  42 %  …`, at most ten times a second. Nothing at all where the screen is no terminal. */
export class ProgressLine {
  readonly #screen: Screen
  readonly #now: () => number
  readonly #startMs: number
  #lastMs = Number.NEGATIVE_INFINITY
  #marks: { readonly ms: number; readonly events: number; readonly share: number }[] = []

  constructor(screen: Screen = process.stderr, now: () => number = () => performance.now()) {
    this.#screen = screen
    this.#now = now
    this.#startMs = now()
  }

  show(progress: Progress): void {
    const ms = this.#now()
    if (!this.#screen.isTTY || ms - this.#lastMs < REFRESH_MS) return
    this.#lastMs = ms
    this.#draw(this.#line(progress, ms))
  }

  /** Any text in place of the bar. */
  say(text: string): void {
    if (this.#screen.isTTY) this.#draw(text)
  }

  /** Takes the line away. */
  clear(): void {
    if (this.#screen.isTTY) this.#screen.write('\r\x1b[K')
  }

  #draw(text: string): void {
    this.#screen.write(`\r\x1b[K${text.slice(0, (this.#screen.columns ?? 80) - 1)}`)
  }

  #line({ virtualSeconds, endSeconds, events, roundMean, rounds }: Progress, ms: number): string {
    const share = Math.min(1, Math.max(virtualSeconds / endSeconds, rounds > 0 ? roundMean / rounds : 0)) // it ends by either
    this.#marks = [...this.#marks.filter((mark) => ms - mark.ms <= RATE_WINDOW_MS), { ms, events, share }]
    const first = this.#marks[0] as { ms: number; events: number; share: number }
    const seconds = (ms - first.ms) / 1000
    const rate = seconds > 0 ? (events - first.events) / seconds : 0
    const pace = seconds > 0 ? (share - first.share) / seconds : 0
    const left = pace > 0 ? `, ${duration((1 - share) / pace)} left` : ''
    const filled = Math.round(share * BAR_COLUMNS)
    const bar = '█'.repeat(filled) + '·'.repeat(BAR_COLUMNS - filled)
    const real = duration((ms - this.#startMs) / 1000)
    return `${bar} ${Math.floor(share * 100)} %  ${duration(virtualSeconds)} virtual in ${real}  ${compact(rate)} events/s${left}`
  }
}

/** `1.2 M`, `34 k`, `560`. */
export function compact(value: number): string {
  if (value >= 999_500) return `${(value / 1e6).toFixed(1)} M`
  return value >= 1_000 ? `${Math.round(value / 1e3)} k` : String(Math.round(value))
}

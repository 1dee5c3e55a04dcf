/** The live view: on a terminal it redraws in place, in a pipe it prints plain lines now and then. */
import { phaseWord } from '../../src/daemon/phaseWord.ts'

export interface LiveRow {
  readonly name: string
  /** `starting`, `down`, or the phase of its study. */
  readonly state: string
  /** Complete rounds of `rounds`; null where not known, as are all figures below. */
  readonly round: number | null
  readonly rounds: number
  readonly peers: number | null
  /** Gossip messages heard. */
  readonly messages: number | null
  /** Log-loss and AUC of this hospital's model on everyone's test patients. */
  readonly everyoneLogLoss: number | null
  readonly everyoneAuc: number | null
  /** AUC on its own test patients, and how many they are. */
  readonly ownAuc: number | null
  readonly ownN: number | null
  /** Entries of its own log. */
  readonly ledgerEntries: number | null
}

/** What the screen needs of a stream: `process.stdout` has it all. */
export interface ScreenStream {
  write(text: string): unknown
  readonly columns?: number
  readonly rows?: number
  on?(event: 'resize', listener: () => void): unknown
  off?(event: 'resize', listener: () => void): unknown
}

export interface ScreenOptions {
  readonly tty: boolean
  /** NO_COLOR (no-color.org) and TERM=dumb are obeyed; the process's own where absent. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Milliseconds of any steady clock. */
  readonly now?: () => number
}

const BLOCK_PERIOD_MS = 5_000 // in a pipe: a run of 40 s is eight blocks of six lines, which a log can bear
const WIDTH_MAX = 100
const TERMINAL = { columns: 80, rows: 24 } as const // where the stream does not say

const CODE = {
  hide: '\x1b[?25l',
  show: '\x1b[?25h',
  clearDown: '\r\x1b[J',
  up: (lines: number): string => (lines > 0 ? `\x1b[${lines}A` : ''),
  plain: '\x1b[0m',
  bold: '\x1b[1m',
} as const

/** By the word that is shown for a state. */
const COLOURS: Readonly<Record<string, string>> = {
  training: '\x1b[32m',
  ended: '\x1b[36m',
  down: '\x1b[31m',
  failed: '\x1b[31m',
  waiting: '\x1b[2m',
  starting: '\x1b[2m',
  scaling: '\x1b[2m',
  opening: '\x1b[2m',
}

interface Shown {
  readonly word: string
  readonly colour: string
}

function shownState(state: string): Shown {
  const word = phaseWord(state)
  return { word, colour: COLOURS[word] ?? CODE.plain }
}

/** Draws from construction to `close`, which must be called; if the process ends before, the cursor comes back all the same. */
export class Screen {
  readonly #stream: ScreenStream
  readonly #live: boolean
  readonly #colour: boolean
  readonly #now: () => number
  readonly #startedMs: number
  #rows: readonly LiveRow[] = []
  #header = ''
  /** Lines on the terminal now, as they were written. */
  #shown: readonly string[] = []
  #blockAtMs: number | null = null
  #fresh = false
  #closed = false

  constructor(stream: ScreenStream, { tty, env = process.env, now = () => performance.now() }: ScreenOptions) {
    this.#stream = stream
    this.#live = tty && env.TERM !== 'dumb'
    this.#colour = this.#live && !env.NO_COLOR
    this.#now = now
    this.#startedMs = now()
    if (!this.#live) return
    stream.on?.('resize', this.#redraw)
    process.on('exit', this.#restore)
    stream.write(CODE.hide)
  }

  /** Shows the newest figures: at once on a terminal, at most every 5 s in a pipe. */
  update(rows: readonly LiveRow[], header: string): void {
    if (this.#closed) return
    this.#rows = rows
    this.#header = header
    this.#fresh = true
    if (this.#live) this.#redraw()
    else if (this.#blockAtMs === null || this.#now() - this.#blockAtMs >= BLOCK_PERIOD_MS) this.#printBlock()
  }

  /** A line that stays, above the live view. */
  event(line: string): void {
    if (this.#closed) return
    const text = `${this.#elapsed().padStart(5)}  ${line}\n`
    if (!this.#live) this.#stream.write(text)
    else this.#draw(text)
  }

  /** Leaves the last figures standing and gives the terminal back. Idempotent. */
  close(): void {
    if (this.#closed) return
    if (!this.#live && this.#fresh) this.#printBlock()
    this.#closed = true
    if (!this.#live) return
    this.#stream.off?.('resize', this.#redraw)
    process.off('exit', this.#restore)
    this.#restore()
  }

  #printBlock(): void {
    this.#blockAtMs = this.#now()
    this.#fresh = false
    this.#stream.write(`${[...this.#lines(Number.POSITIVE_INFINITY), ''].join('\n')}`)
  }

  readonly #redraw = (): void => {
    if (!this.#closed && this.#rows.length > 0) this.#draw('')
  }

  readonly #restore = (): void => {
    this.#stream.write(CODE.show)
  }

  /** Takes the live view away, writes `above` where it stood, and the view below. One write, so that nothing flickers. */
  #draw(above: string): void {
    const { columns = TERMINAL.columns, rows = TERMINAL.rows } = this.#stream
    // a terminal that became narrower has wrapped the old lines: they take more rows now than when they were written
    const height = this.#shown.reduce((sum, line) => sum + Math.max(1, Math.ceil(line.length / columns)), 0)
    const erase = `${CODE.up(Math.min(height, rows - 1))}${CODE.clearDown}`
    this.#shown =
      this.#rows.length === 0 ? [] : this.#lines(Math.min(columns - 1, WIDTH_MAX)).slice(0, Math.max(1, rows - 2))
    const view = this.#shown.map((line, i) => `${this.#painted(line, i)}\n`).join('')
    this.#stream.write(`${erase}${above}${view}`)
  }

  #lines(width: number): string[] {
    const cut = (line: string): string =>
      line.length > width ? `${line.slice(0, Math.max(0, width - 1))}…` : line.trimEnd()
    const head = this.#live
      ? [`${this.#header}   ${this.#progress()}`, HEADINGS]
      : [`${this.#elapsed()}  ${this.#header}`]
    const row = this.#live ? tableRow : plainRow
    return [...head, ...this.#rows.map(row)].map(cut)
  }

  /** `████████░░░░ 12/36`: the rounds of the one in the middle, so that neither a fast nor a lost hospital decides. */
  #progress(): string {
    const done = this.#rows.map(({ round }) => round ?? 0).sort((a, b) => a - b)
    const middle = done[Math.floor(done.length / 2)] ?? 0
    const rounds = Math.max(1, ...this.#rows.map((row) => row.rounds))
    const full = Math.round((Math.min(middle, rounds) / rounds) * BAR)
    return `${'█'.repeat(full)}${'░'.repeat(BAR - full)} ${middle}/${rounds} rounds, ${this.#elapsed()}`
  }

  #elapsed(): string {
    return `${Math.floor((this.#now() - this.#startedMs) / 1000)} s`
  }

  #painted(line: string, at: number): string {
    if (!this.#colour) return line
    const row = this.#rows[at - 2] // below the header and the headings
    if (row === undefined) return `${CODE.bold}${line}${CODE.plain}`
    const { word, colour } = shownState(row.state)
    const from = NAME + line.slice(NAME).indexOf(word)
    return from < NAME ? line : `${line.slice(0, from)}${colour}${word}${CODE.plain}${line.slice(from + word.length)}`
  }
}

const BAR = 20
const NAME = 13 // columns: the demo's names have twelve characters at most
const HEADINGS = 'hospital     state     round peers messages log-loss  AUC   own AUC (n) entries'

/** As wide as the headings: a terminal of 80 columns shows it whole. */
function tableRow(row: LiveRow): string {
  return [
    row.name.padEnd(NAME),
    shownState(row.state).word.padEnd(10),
    count(row.round).padStart(5),
    count(row.peers).padStart(6),
    count(row.messages).padStart(9),
    figure(row.everyoneLogLoss, 3).padStart(9),
    '  ',
    figure(row.everyoneAuc, 2).padEnd(6),
    `${figure(row.ownAuc, 2)} (${count(row.ownN)})`.padEnd(12),
    count(row.ledgerEntries).padStart(7),
  ].join('')
}

/** For a log: every figure with its name, nothing to line up with. */
function plainRow(row: LiveRow): string {
  const { word } = shownState(row.state)
  if (row.round === null) return `  ${row.name}: ${word}`
  const own = `own ${figure(row.ownAuc, 2)}, n ${count(row.ownN)}`
  const model = `log-loss ${figure(row.everyoneLogLoss, 3)}, AUC ${figure(row.everyoneAuc, 2)} (${own})`
  const network = `${count(row.peers)} peers, ${count(row.messages)} messages`
  return `  ${row.name}: ${word} ${row.round}/${row.rounds}, ${network}, ${model}, log ${count(row.ledgerEntries)}`
}

const count = (value: number | null): string => (value === null ? '–' : String(value))
const figure = (value: number | null, digits: number): string => (value === null ? '–' : value.toFixed(digits))

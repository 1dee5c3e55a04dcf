/** The live view: gives the terminal back, and never floods a pipe. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type LiveRow, Screen, type ScreenOptions } from '../../scripts/demo/screen.ts'

const it = suite('demo screen')

const ESCAPE = '␛' // stands for the control character, so that expressions and failures can be read

class FakeTerminal {
  text = ''
  columns = 100
  rows = 24
  readonly listeners: (() => void)[] = []
  write(text: string): void {
    this.text += text.replaceAll('\x1b', ESCAPE)
  }
  on(_event: 'resize', listener: () => void): void {
    this.listeners.push(listener)
  }
  off(_event: 'resize', listener: () => void): void {
    this.listeners.splice(this.listeners.indexOf(listener), 1)
  }
  resize(columns: number): void {
    this.columns = columns
    for (const listener of this.listeners) listener()
  }
  take(): string {
    const { text } = this
    this.text = ''
    return text
  }
}

/** What a terminal with endless width shows after `text`; understands what Screen sends, and nothing else. */
function shownAfter(text: string): string[] {
  const lines = ['']
  let at = 0
  for (const [token] of text.matchAll(/␛\[\??(?:\d+)?[A-Za-z]|[^␛]/gu)) {
    const up = /^␛\[(\d+)A$/.exec(token)
    if (up) at -= Number(up[1])
    else if (token === '␛[J') lines.splice(at, lines.length, '')
    else if (token === '\n') lines[++at] ??= ''
    else if (token !== '\r' && !token.startsWith('␛')) lines[at] += token
    assert.ok(at >= 0, 'the cursor never leaves the screen')
  }
  return lines
}

const row = (name: string, change: Partial<LiveRow> = {}): LiveRow => ({
  name,
  state: 'training',
  round: 7,
  rounds: 36,
  peers: 4,
  messages: 212,
  everyoneLogLoss: 0.4567,
  everyoneAuc: 0.876,
  ownAuc: 0.8,
  ownN: 8,
  ledgerEntries: 41,
  ...change,
})
const ROWS = [
  row('Alder House'),
  row('Birch Grove', { state: 'merging' }),
  row('Elm Court', { state: 'down', round: null, everyoneAuc: null }),
]

function make(options: Partial<ScreenOptions> = {}) {
  const terminal = new FakeTerminal()
  const clock = { ms: 0 }
  const screen = new Screen(terminal, { tty: true, env: {}, now: () => clock.ms, ...options })
  return { terminal, clock, screen }
}

it('hides the cursor once and shows it again at the end, however often it is closed', () => {
  const { terminal, screen } = make()
  screen.update(ROWS, 'header')
  screen.event('an event')
  screen.close()
  screen.close()
  screen.update(ROWS, 'late')
  screen.event('late')
  assert.is(terminal.text.match(/␛\[\?25l/g)?.length, 1)
  assert.is(terminal.text.match(/␛\[\?25h/g)?.length, 1)
  assert.ok(terminal.text.endsWith('␛[?25h'))
})

it('the cursor comes back when the process ends first', () => {
  const before = process.listenerCount('exit')
  const { terminal, screen } = make()
  assert.is(process.listenerCount('exit'), before + 1)
  const restore = process.listeners('exit').at(-1) as (code: number) => void
  restore(1)
  assert.ok(terminal.text.endsWith('␛[?25h'))
  screen.close()
  assert.is(process.listenerCount('exit'), before)
})

it('redraws in place: after many updates one view stands, events above it', () => {
  const { terminal, screen, clock } = make({ env: { NO_COLOR: '1' } })
  for (let i = 0; i < 5; i++) {
    clock.ms = i * 1000
    screen.update(
      ROWS.map((one) => ({ ...one, round: i })),
      'Memory clinics',
    )
    if (i === 2) screen.event('Birch Grove is killed.')
  }
  screen.close()
  const lines = shownAfter(terminal.text)
  assert.is(lines.filter((line) => line.includes('Memory clinics')).length, 1)
  assert.is(lines.filter((line) => line.startsWith('Alder House')).length, 1)
  assert.is(lines[0], '  2 s  Birch Grove is killed.')
  assert.ok(lines[1]?.includes('4/36 rounds, 4 s'), lines[1])
})

it('shows a line per hospital with all its figures, steps of a round as training', () => {
  const { terminal, screen } = make({ env: { NO_COLOR: '1' } })
  screen.update(ROWS, 'header')
  screen.close()
  const lines = shownAfter(terminal.text)
  const birch = lines.find((line) => line.startsWith('Birch Grove'))
  assert.equal(birch?.split(/\s{2,}|(?<=Grove) /), [
    'Birch Grove',
    'training',
    '7',
    '4',
    '212',
    '0.457',
    '0.88',
    '0.80 (8)',
    '41',
  ])
  assert.match(lines.find((line) => line.startsWith('Elm Court')) ?? '', /down +–/)
})

it('colours states unless NO_COLOR is set', () => {
  const colours = /␛\[\d+m/
  for (const [env, coloured] of [
    [{}, true],
    [{ NO_COLOR: '' }, true], // no-color.org: when present and not empty
    [{ NO_COLOR: '1' }, false],
  ] as const) {
    const { terminal, screen } = make({ env })
    screen.update(ROWS, 'header')
    screen.close()
    assert.is(colours.test(terminal.text), coloured)
  }
})

it('survives a narrower terminal: lines are cut, and what wrapped is taken away', () => {
  const { terminal, screen } = make({ env: { NO_COLOR: '1' } })
  screen.update(ROWS, 'header')
  const written = shownAfter(terminal.take()).filter((line) => line !== '')
  terminal.resize(40)
  const redrawn = terminal.take()
  const wrapped = written.reduce((sum, line) => sum + Math.ceil(line.length / 40), 0)
  assert.ok(redrawn.startsWith(`␛[${wrapped}A`), JSON.stringify(redrawn.slice(0, 12)))
  for (const line of shownAfter(redrawn.replace(/^␛\[\d+A/, ''))) assert.ok(line.length < 40, line)
  screen.close()
  assert.is(terminal.listeners.length, 0)
})

it('a terminal with few rows never scrolls its own view away', () => {
  const { terminal, screen } = make({ env: { NO_COLOR: '1' } })
  terminal.rows = 4
  for (let i = 0; i < 3; i++) screen.update(ROWS, 'header')
  screen.close()
  assert.is(shownAfter(terminal.text).filter((line) => line.includes('header')).length, 1)
})

it('in a pipe there is no control character, and a block at most every 5 s', () => {
  const { terminal, screen, clock } = make({ tty: false })
  for (let ms = 0; ms <= 12_000; ms += 250) {
    clock.ms = ms
    screen.update(ROWS, 'Memory clinics')
  }
  screen.event('Birch Grove is killed.')
  screen.close()
  const lines = terminal.text.split('\n')
  assert.not.match(terminal.text, /[^\n\P{Cc}]/u)
  const heads = lines.filter((line) => line.includes('Memory clinics'))
  assert.equal(
    heads,
    ['0 s', '5 s', '10 s', '12 s'].map((time) => `${time}  Memory clinics`),
  ) // the last one at close
  assert.is(
    lines.filter(
      (line) =>
        line ===
        '  Alder House: training 7/36, 4 peers, 212 messages, log-loss 0.457, AUC 0.88 (own 0.80, n 8), log 41',
    ).length,
    4,
  )
  assert.ok(lines.includes(' 12 s  Birch Grove is killed.'))
})

it('in a pipe, nothing new since the last block means no block at the end', () => {
  const { terminal, screen } = make({ tty: false })
  screen.update(ROWS, 'header')
  terminal.take()
  screen.close()
  assert.is(terminal.text, '')
})

it('a dumb terminal is a pipe', () => {
  const { terminal, screen } = make({ env: { TERM: 'dumb' } })
  screen.update(ROWS, 'header')
  screen.close()
  assert.not.match(terminal.text, /␛/)
})

it.run()

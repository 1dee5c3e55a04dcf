/** A run as lines for a terminal: what came out, two curves, the checks. */
import { plot } from 'simple-ascii-chart'
import { table } from '../../src/cli/output.ts'
import { bytes, figure, ticks, tickText, timeUnit } from '../../src/report/numbers.ts'
import type { SimulationResult } from '../result.ts'
import { type Chart, chartsOf } from './charts.ts'

const PLOT = { width: 64, height: 10, points: 256 } as const // fits 80 columns with its axis
const MARKS = ['●', '○', '◆'] as const
const SHOWN = ['quality', 'consensus'] as const // on the terminal; the page has all
const FALLBACK = ['rounds', 'ledger'] as const // without data

/** About thirty lines, none longer than 80 columns but for the question. */
export function terminalReport(result: SimulationResult): string[] {
  const charts = chartsOf(result)
  const wanted: readonly string[] = charts.some(({ id }) => id === 'quality') ? SHOWN : FALLBACK
  return [
    result.scenario.question,
    '',
    ...summaryTable(result),
    ...charts.filter(({ id }) => wanted.includes(id)).flatMap((chart) => ['', ...drawn(chart, result)]),
    '',
    ...checks(result),
  ]
}

const OUTCOMES: Record<SimulationResult['outcome'], string> = {
  done: 'all done',
  time: 'its time was over',
  interrupted: 'INTERRUPTED',
  'check-failed': 'A CHECK FAILED',
}

/** How a run ended, in words. */
export const outcomeWord = (outcome: SimulationResult['outcome']): string => OUTCOMES[outcome]

function summaryTable(result: SimulationResult): string[] {
  const last = result.samples.at(-1)
  const nodes = result.scenario.nodes.count
  const rate = result.realSeconds > 0 ? result.events / result.realSeconds : null
  const left: string[][] = [
    ['ended', outcomeWord(result.outcome)],
    ['seed', String(result.seed)],
    ['nodes', `${nodes}, ${last?.live ?? 0} up`],
    ['virtual time', `${figure(result.virtualSeconds)} s`],
    ['real time', `${figure(result.realSeconds)} s`],
    ['events', `${figure(result.events)} (${figure(rate)}/s)`],
    ['local updates', figure(result.localUpdates)],
    ['merges', figure(result.merges)],
  ]
  const right: string[][] = [
    ['AUC', figure(last?.auc)],
    ['accuracy', figure(last?.accuracy)],
    ['log-loss', figure(last?.logLoss)],
    ['consensus distance', figure(last?.consensusDistance)],
    ['sent per node', bytes(last ? last.bytesSent / nodes : null)],
    ['messages, lost', `${figure(last?.messagesSent)}, ${figure(last?.messagesLost)}`],
    ['rounds', `${figure(last?.roundMin)} to ${figure(last?.roundMax)}`],
    ['final entries', last?.entries == null ? 'ledger off' : `${figure(last.entriesFinal)} of ${figure(last.entries)}`],
  ]
  return table(
    ['run', '', 'at the end', ''],
    left.map((row, i) => [...row, ...(right[i] as string[])]),
  )
}

function drawn({ title, unit, series, limits }: Chart, { samples }: SimulationResult): string[] {
  const span = samples.at(-1)?.seconds ?? 0
  const time = timeUnit(span)
  const every = Math.max(1, Math.ceil(samples.length / PLOT.points))
  const curves = series.slice(0, MARKS.length).map(({ name, values }) => ({
    name,
    points: values.flatMap((value, i): [number, number][] =>
      value === null || i % every !== 0 ? [] : [[(samples[i]?.seconds ?? 0) / time.seconds, value]],
    ),
  }))
  const values = curves.flatMap(({ points }) => points.map(([, value]) => value))
  if (values.length < 2 || span === 0) return []
  const [least, most] = [Math.min(...values), Math.max(...values)]
  const room = most === least ? Math.abs(most) * 0.1 + 0.1 : (most - least) * 0.05
  const low = Math.max(limits?.[0] ?? Number.NEGATIVE_INFINITY, least - room)
  const high = Math.min(limits?.[1] ?? Number.POSITIVE_INFINITY, most + room)
  let curve = -1 // the plotter says which point it draws, but not of which curve: each begins with point 0
  const text = plot(
    curves.map(({ points }) => points),
    {
      width: PLOT.width,
      height: PLOT.height,
      yRange: [low, high],
      customXAxisTicks: ticks(0, span / time.seconds, 6),
      customYAxisTicks: ticks(low, high, 6),
      formatter: (value) => tickText(Number(value)),
      lineFormatter: ({ index, plotX: x, plotY: y }) => {
        if (index === 0) curve++
        return { x, y, symbol: MARKS[curve] ?? '·' }
      },
    },
  )
  const legend = curves.map(({ name }, i) => `${MARKS[i]} ${name}`).join('  ')
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  return [`${title} (${unit})  ${legend}`, ...lines.map((line) => line.trimEnd()), time.name.padStart(PLOT.width + 6)]
}

/** Whose a trace is, where it is not every machine's; empty where it is. */
export function traceNote({ scenario }: SimulationResult): string {
  return scenario.learner.kind === 'tfjs'
    ? 'of this machine and backend: TensorFlow.js rounds in its own way on each'
    : ''
}

function checks(result: SimulationResult): string[] {
  const { checks: all, refusals, traceHash } = result

  const refused = Object.entries(refusals).map(([reason, count]) => `${reason} ${figure(count)}`)
  return [
    ...all.map(({ name, checked, failure }) =>
      failure === null
        ? `holds   ${name} (looked ${figure(checked)} times)`
        : `BROKEN  ${name}: event ${failure.event}, ${figure(failure.seconds)} s${failure.node === null ? '' : `, node ${failure.node}`}: ${failure.message}`,
    ),
    ...(refused.length > 0 ? [`refused ${refused.join(', ')}`] : []),
    `trace   ${traceHash}`,
    ...[traceNote(result)].filter((note) => note !== '').map((note) => `        ${note}`),
  ]
}

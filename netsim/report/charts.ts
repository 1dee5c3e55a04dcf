/** Which curves a run is shown as: one list for the terminal and the page. */
import type { Sample, SimulationResult } from '../result.ts'

/** One curve; null where nothing was measured. */
export interface Series {
  readonly name: string
  readonly values: readonly (number | null)[]
}

/** Curves with one axis. */
export interface Chart {
  readonly id: string
  readonly title: string
  /** Of the vertical axis, as a person reads it. */
  readonly unit: string
  readonly series: readonly Series[]
  /** `log` where the values span decades and none is 0. */
  readonly scale: 'linear' | 'log'
  /** Bounds that the axis must not leave. */
  readonly limits: readonly [number, number] | null
  /** Whether the axis begins at 0 in any case, because its parts of a whole are what matters. */
  readonly isCount: boolean
}

interface Wanted {
  readonly id: string
  readonly title: string
  readonly unit: string
  readonly curves: readonly [name: string, of: (sample: Sample, nodes: number) => number | null][]
  readonly limits?: readonly [number, number]
  readonly mayBeLog?: boolean
  readonly isCount?: boolean
}

const LOG_SPAN = 50 // largest ÷ smallest from which a linear axis shows only the largest
const NONNEGATIVE = [0, Number.POSITIVE_INFINITY] as const

const WANTED: readonly Wanted[] = [
  {
    id: 'quality',
    title: 'Model quality',
    unit: 'on own held-out rows',
    curves: [
      ['AUC', (s) => s.auc],
      ['accuracy', (s) => s.accuracy],
    ],
    limits: [0, 1],
  },
  {
    id: 'loss',
    title: 'Log-loss and calibration',
    unit: 'nats; share',
    curves: [
      ['log-loss', (s) => s.logLoss],
      ['calibration error', (s) => s.calibrationError],
    ],
    limits: NONNEGATIVE,
  },
  {
    id: 'consensus',
    title: 'Consensus distance',
    unit: 'RMS per weight',
    curves: [['distance', (s) => s.consensusDistance]],
    limits: NONNEGATIVE,
    mayBeLog: true,
  },
  {
    id: 'rounds',
    title: 'Rounds',
    unit: 'rounds done',
    curves: [
      ['most', (s) => s.roundMax],
      ['mean', (s) => s.roundMean],
      ['least', (s) => s.roundMin],
    ],
    limits: NONNEGATIVE,
  },
  {
    id: 'staleness',
    title: 'Staleness of inputs',
    unit: 'rounds',
    curves: [['mean age', (s) => s.stalenessMean]],
    limits: NONNEGATIVE,
  },
  {
    id: 'inputs',
    title: 'Inputs of a merge',
    unit: 'updates, own one included',
    curves: [['mean', (s) => s.inputsMean]],
    limits: NONNEGATIVE,
  },
  {
    id: 'bytes',
    title: 'Sent per node',
    unit: 'bytes since the start',
    curves: [['bytes', (s, nodes) => s.bytesSent / nodes]],
    limits: NONNEGATIVE,
  },
  {
    id: 'messages',
    title: 'Messages',
    unit: 'since the start, all nodes',
    curves: [
      ['sent', (s) => s.messagesSent],
      ['duplicates', (s) => s.duplicates],
      ['lost', (s) => s.messagesLost],
      ['refused', (s) => s.refused],
    ],
    limits: NONNEGATIVE,
  },
  {
    id: 'live',
    title: 'Nodes that are up',
    unit: 'nodes',
    curves: [['up', (s) => s.live]],
    limits: NONNEGATIVE,
    isCount: true,
  },
  {
    id: 'ledger',
    title: 'Ledger',
    unit: 'entries, all logs',
    curves: [
      ['written', (s) => s.entries],
      ['final', (s) => s.entriesFinal],
    ],
    limits: NONNEGATIVE,
  },
  {
    id: 'finality',
    title: 'Waiting for finality',
    unit: 'seconds, oldest own entry',
    curves: [['mean over nodes', (s) => s.finalityLagSeconds]],
    limits: NONNEGATIVE,
  },
]

/** The charts that have something to show. */
export function chartsOf({ samples, scenario }: Pick<SimulationResult, 'samples' | 'scenario'>): Chart[] {
  return WANTED.flatMap(({ id, title, unit, curves, limits, mayBeLog, isCount }) => {
    const series = curves
      .map(([name, of]) => ({ name, values: samples.map((sample) => finite(of(sample, scenario.nodes.count))) }))
      .filter(({ values }) => values.some((value) => value !== null))
    if (series.length === 0) return []
    const scale = mayBeLog && spansDecades(series) ? 'log' : 'linear'
    return [{ id, title, unit, series, scale, limits: limits ?? null, isCount: isCount ?? false }]
  })
}

const finite = (value: number | null): number | null => (value !== null && Number.isFinite(value) ? value : null)

function spansDecades(series: readonly Series[]): boolean {
  const values = series.flatMap((one) => one.values.filter((value) => value !== null))
  const least = values.reduce((low, value) => Math.min(low, value), Number.POSITIVE_INFINITY)
  const most = values.reduce((high, value) => Math.max(high, value), 0)
  return least > 0 && most / least >= LOG_SPAN
}

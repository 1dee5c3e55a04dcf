/** What a run is summed up as: the figures that sweeps tabulate and comparisons test. */
import type { Sample, SimulationResult } from '../result.ts'

/** One figure of a run. */
export interface Measure {
  readonly key: MeasureKey
  readonly title: string
  readonly unit: string
  /** Which way is good. */
  readonly better: 'more' | 'less'
}

export const MEASURES = [
  { key: 'auc', title: 'AUC', unit: 'at the end', better: 'more' },
  { key: 'accuracy', title: 'accuracy', unit: 'at the end', better: 'more' },
  { key: 'logLoss', title: 'log-loss', unit: 'nats at the end', better: 'less' },
  { key: 'consensusDistance', title: 'consensus distance', unit: 'RMS per weight at the end', better: 'less' },
  { key: 'bytesPerNode', title: 'sent per node', unit: 'bytes', better: 'less' },
  { key: 'roundMean', title: 'rounds', unit: 'mean over nodes', better: 'more' },
  { key: 'lossShare', title: 'messages lost', unit: 'share', better: 'less' },
  { key: 'finalityLagSeconds', title: 'finality lag', unit: 'seconds at the end', better: 'less' },
] as const satisfies readonly { key: string; title: string; unit: string; better: 'more' | 'less' }[]

export type MeasureKey = (typeof MEASURES)[number]['key']
export type Measures = Readonly<Record<MeasureKey, number | null>>

/** What a run's curve is kept of, for times to reach something and mean curves. */
export const CURVES = ['auc', 'accuracy', 'logLoss', 'consensusDistance'] as const
export type CurveKey = (typeof CURVES)[number]

/** Column by column, one value for each sample. */
export type Curve = Readonly<Record<CurveKey | 'seconds', readonly (number | null)[]>>

/** A value of a curve that is to be reached. */
export interface Target {
  readonly key: CurveKey
  readonly value: number
}

/** The measures of a run's end; null where nothing was measured. */
export function measuresOf({ samples, scenario }: Pick<SimulationResult, 'samples' | 'scenario'>): Measures {
  const last = samples.at(-1)
  const newest = (of: (sample: Sample) => number | null): number | null => {
    const found = samples.findLast((sample) => of(sample) !== null)
    return found === undefined ? null : of(found)
  }
  return {
    auc: newest((s) => s.auc),
    accuracy: newest((s) => s.accuracy),
    logLoss: newest((s) => s.logLoss),
    consensusDistance: newest((s) => s.consensusDistance),
    bytesPerNode: last ? last.bytesSent / scenario.nodes.count : null,
    roundMean: last?.roundMean ?? null,
    lossShare: last && last.messagesSent > 0 ? last.messagesLost / last.messagesSent : null,
    finalityLagSeconds: newest((s) => s.finalityLagSeconds),
  }
}

/** The curves of a run. */
export function curveOf({ samples }: Pick<SimulationResult, 'samples'>): Curve {
  const of = (key: CurveKey | 'seconds'): (number | null)[] => samples.map((sample) => sample[key])
  return {
    seconds: of('seconds'),
    auc: of('auc'),
    accuracy: of('accuracy'),
    logLoss: of('logLoss'),
    consensusDistance: of('consensusDistance'),
  }
}

/** Virtual seconds until a curve first reaches a value, from below or from above as is good; null: never. */
export function secondsToReach(curve: Curve, { key, value }: Target): number | null {
  const isMore = MEASURES.find((measure) => measure.key === key)?.better === 'more'
  const at = curve[key].findIndex((each) => each !== null && (isMore ? each >= value : each <= value))
  return at < 0 ? null : (curve.seconds[at] ?? null)
}

/** The report at the end of the demo: what joining was worth to each hospital, with intervals, in lines of at most 80 columns. */
import { plot } from 'simple-ascii-chart'
import {
  ARMS,
  type ArmFigures,
  type ArmName,
  type Figures,
  figuresOf,
  type Interval,
  METRICS,
  type Metric,
  type ReportInput,
} from './figures.ts'

const COLUMNS_MAX = 80 // what every terminal has
const FEW_PATIENTS = 20 // with fewer, one patient more or less moves an AUC by several hundredths

/** The report as lines for a terminal. */
export function report(input: ReportInput): string[] {
  const figures = figuresOnce(input)
  return [
    ...overall(figures),
    ...byHospital(figures),
    ...ownPatients(figures),
    ...worth(figures),
    ...curves(input),
    ...logs(input),
    ...remarks(input, figures),
  ]
}

/** The same as plain data, for a file. */
export function reportJson(input: ReportInput): unknown {
  const { study, seed, realSites, baselines, verified } = input
  const { overall, clinics, everyone, own } = figuresOnce(input)
  const points = Object.fromEntries(
    ARMS.map((arm) => [arm, arm === 'gossip' ? gossipMean(input) : baselines.arms[arm].points]),
  )
  return {
    study: { name: study.name, training: study.training, merge: study.merge, rounds: study.rounds.count },
    seed,
    realSites,
    testPatients: { everyone, own },
    intervals: '95 % percentile bootstrap over test patients, stratified by label',
    overall,
    clinics,
    aucByRound: points,
    logs: verified,
  }
}

/** `report` and `reportJson` are asked for the same input: one bootstrap is enough. */
const known = new WeakMap<ReportInput, Figures>()

function figuresOnce(input: ReportInput): Figures {
  const figures = known.get(input) ?? figuresOf(input)
  known.set(input, figures)
  return figures
}

const METRIC_WORDS: Readonly<Record<Metric, string>> = {
  auc: 'AUC',
  accuracy: 'accuracy',
  logLoss: 'log-loss',
  calibrationError: 'calibration',
}

const NAME = 12
const ARM = 11
const FIGURE = 14

function overall({ overall, own }: Figures): string[] {
  return [
    '',
    'OVERALL',
    ...wrap(
      `Each of the ${own.rows} test patients (${own.positives} positive) scored by the model of their own hospital, with 95 % intervals. AUC and accuracy: more is better; log-loss and calibration error: less is.`,
    ),
    '',
    ''.padEnd(ARM) + METRICS.map((metric) => METRIC_WORDS[metric].padEnd(FIGURE)).join(''),
    ...ARMS.map((arm) => arm.padEnd(ARM) + figureCells(overall[arm])),
  ].map(trimmed)
}

function byHospital({ clinics, everyone }: Figures): string[] {
  const [first] = clinics
  const row = (name: string, arm: ArmName, figures: ArmFigures | null): string =>
    name.padEnd(NAME) + arm.padEnd(ARM) + figureCells(figures)
  const elsewhere = everyone.elsewhere === 0 ? '' : `, ${everyone.elsewhere} of them from hospitals that took no part`
  return [
    '',
    'BY HOSPITAL',
    ...wrap(
      `Each hospital's model on everyone's test patients: the same ${everyone.rows} (${everyone.positives} positive${elsewhere}) for all.`,
    ),
    '',
    ''.padEnd(NAME + ARM) + METRICS.map((metric) => METRIC_WORDS[metric].padEnd(FIGURE)).join(''),
    ...clinics.flatMap(({ name, everyone }) => [
      row(name, 'local-only', everyone['local-only']),
      row('', 'gossip', everyone.gossip),
    ]),
    row('all', 'FedAvg', first?.everyone.FedAvg ?? null),
    row('', 'pooled', first?.everyone.pooled ?? null),
  ].map(trimmed)
}

function ownPatients({ clinics }: Figures): string[] {
  const cell = (auc: number | null): string => (auc === null ? '–' : bare(auc)).padEnd(ARM)
  return [
    '',
    'OWN TEST PATIENTS',
    "AUC of each hospital's model on its own held-out patients only.",
    '',
    `${''.padEnd(NAME)}${'patients'.padEnd(20)}${ARMS.map((arm) => arm.padEnd(ARM)).join('')}`,
    ...clinics.map(({ name, own }) => {
      const patients = `${own.rows} (${own.positives} positive)${own.rows < FEW_PATIENTS ? ' *' : ''}`
      return name.padEnd(NAME) + patients.padEnd(20) + ARMS.map((arm) => cell(own.auc[arm])).join('')
    }),
    ...(clinics.some(({ own }) => own.rows < FEW_PATIENTS) ? [`* fewer than ${FEW_PATIENTS}: too few to judge`] : []),
  ].map(trimmed)
}

function worth({ clinics }: Figures): string[] {
  return [
    '',
    'WHAT JOINING WAS WORTH',
    ...wrap("AUC of gossip less that of local-only, patient by patient on everyone's test patients."),
    '',
    ...clinics.map(({ name, trainRows, worth, everyone }) => {
      const levels = [everyone['local-only'], everyone.gossip]
        .map((figures) => (figures === null ? '–' : bare(figures.auc.value)))
        .join(' → ')
      return `${name.padEnd(NAME)}${`trains on ${trainRows}`.padEnd(15)}${levels.padEnd(12)}${worthWords(worth)}`
    }),
  ].map(trimmed)
}

/** What a paired difference says, in words: nothing where its interval holds 0. */
export function worthWords(worth: Interval | null): string {
  if (worth === null) return 'no model to compare'
  const { value, low, high } = worth
  if (low <= 0 && high >= 0) return `no clear difference: ${signed(value)} (${signed(low)} to ${signed(high)})`
  return value > 0
    ? `worth ${signed(value)} (${bare(low)} to ${bare(high)})`
    : `cost ${bare(-value)} (${bare(-high)} to ${bare(-low)})`
}

const MARKS: Readonly<Record<ArmName, string>> = { pooled: 'P', FedAvg: 'F', 'local-only': 'l', gossip: 'G' }
const PLOT = { width: 72, height: 18, tickRounds: 5, tickAuc: 0.05 } as const

interface Curve {
  readonly arm: ArmName
  readonly line: [round: number, auc: number][]
}

/** AUC over rounds, one letter per arm; gossip is drawn last, so that it is seen where letters fall together. */
function curves(input: ReportInput): string[] {
  const drawn = (Object.keys(MARKS) as ArmName[]).flatMap((arm): Curve[] => {
    const points = arm === 'gossip' ? gossipMean(input) : input.baselines.arms[arm].points
    return points.length === 0 ? [] : [{ arm, line: points.map(({ round, auc }) => [round, auc]) }]
  })
  const legend = drawn.toReversed().map(({ arm, line }) => `${MARKS[arm]} ${arm} ${bare(line.at(-1)?.[1] ?? 0)}`)
  return [
    '',
    'AUC OVER ROUNDS',
    ...wrap("Mean over the hospitals' models, on everyone's test patients; a letter hides those under it."),
    `At the end: ${legend.join(' · ')}.`,
    ...chart(drawn),
    'round'.padStart(PLOT.width + 6),
  ].map(trimmed)
}

function chart(drawn: readonly Curve[]): string[] {
  const aucs = drawn.flatMap(({ line }) => line.map(([, auc]) => auc))
  const rounds = Math.max(...drawn.flatMap(({ line }) => line.map(([round]) => round)))
  const low = Math.floor(Math.min(...aucs) / PLOT.tickAuc) * PLOT.tickAuc
  const high = Math.ceil(Math.max(...aucs) / PLOT.tickAuc) * PLOT.tickAuc
  let series = -1 // the plotter says which point it draws, but not of which curve: each begins with point 0
  const text = plot(
    drawn.map(({ line }) => line),
    {
      width: PLOT.width,
      height: PLOT.height,
      yRange: [low, high],
      customXAxisTicks: ticks(PLOT.tickRounds, rounds, PLOT.tickRounds),
      customYAxisTicks: ticks(low, high, PLOT.tickAuc),
      formatter: (value, { axis }) => (axis === 'y' ? value.toFixed(2) : value),
      lineFormatter: ({ index, plotX: x, plotY: y }) => {
        if (index === 0) series++
        return { x, y, symbol: MARKS[drawn[series]?.arm ?? 'gossip'] }
      },
    },
  )
  return text.split('\n').filter((line) => line.trim() !== '')
}

/** By round, the mean over hospitals of the newest figure seen by then; from the first round that all have been seen. */
function gossipMean({ gossip, cohorts }: ReportInput): { round: number; auc: number }[] {
  const clinics = cohorts.clinics.length
  const newest = new Map<number, number>()
  const means: { round: number; auc: number }[] = []
  for (const { clinic, round, auc } of [...gossip.points].sort((a, b) => a.round - b.round)) {
    newest.set(clinic, auc)
    if (newest.size < clinics) continue
    if (means.at(-1)?.round === round) means.pop()
    means.push({ round, auc: [...newest.values()].reduce((sum, value) => sum + value, 0) / clinics })
  }
  return means
}

function logs({ verified, cohorts }: ReportInput): string[] {
  const names = cohorts.clinics.map(({ name }) => name)
  const faults = verified.flatMap(({ node, logs }) =>
    logs.flatMap(({ name, fault, ok }) =>
      ok ? [] : wrap(`${node} on the log of ${name}: ${fault ?? 'not verified'}`),
    ),
  )
  const all = verified.flatMap((node) => node.logs)
  const roots = new Set(all.map(({ member, root }) => `${member}/${root}`))
  const complete = verified.length === names.length && verified.every(({ logs }) => logs.length === names.length)
  const verdict =
    faults.length > 0 || !complete
      ? 'NOT all logs were verified on all nodes.'
      : `All ${names.length} logs verified on all ${names.length} nodes${roots.size === names.length ? '; all nodes hold the same roots' : ', but NOT all nodes hold the same roots'}.`
  return [
    '',
    'LOGS',
    'Rows: the node that verified; columns: whose log, with its entries.',
    '',
    ''.padEnd(NAME) + names.map((name) => name.padEnd(NAME)).join(''),
    ...verified.map(({ node, logs }) => {
      const cell = (name: string): string => {
        const log = logs.find((one) => one.name === name)
        return log === undefined ? 'missing' : `${log.ok ? 'ok' : 'FAULT'} ${log.entries}`
      }
      return node.padEnd(NAME) + names.map((name) => cell(name).padEnd(NAME)).join('')
    }),
    verdict,
    ...faults,
  ].map(trimmed)
}

function remarks({ realSites, seed }: ReportInput, figures: Figures): string[] {
  const { everyone, own, clinics } = figures
  const smallest = clinics.reduce((a, b) => (b.own.rows < a.own.rows ? b : a))
  const elsewhere =
    everyone.elsewhere === 0
      ? ''
      : `; the other ${everyone.elsewhere} are patients of hospitals that took no part, and see the models as strangers do`
  const lines = [
    realSites
      ? 'The hospitals are real sites of the data set, small ones: little can be learned from so few patients, alone or together.'
      : 'The data set has no sites: dealing its patients to five clinics that do not exist is ours, and it makes them more alike than real hospitals are.',
    `Seed ${seed} is one draw${realSites ? ' of held-out patients' : ''}: another gives other figures (--seed). DATA.md has the means over 20.`,
    `Test patients are few: ${own.rows} at the five hospitals, ${smallest.own.rows} at ${smallest.name}${elsewhere}. The intervals tell of chance in drawing test patients, not in drawing the training patients or the seed; calibration error is overstated where patients are few.`,
    ...(hasFixed(figures)
      ? [
          '"(fixed)" stands for an interval without width: no other draw of test patients changes the figure, because the model calls all patients alike, or all of them right.',
        ]
      : []),
    'Local-only, FedAvg and pooled have the same hyper-parameters and rounds as gossip. Local-only scales by its own training patients; FedAvg has a server and waits for all; pooled moves all records to one place.',
    'Hyper-parameters were chosen over many deals of the same patients, so that all four look a little better than they would on new ones.',
    'The logs prove what was declared and when, not that it is true. Records stayed on site; updates and statistics left, and can leak information.',
    'Research use; not a medical device.',
  ]
  return ['', 'READ THIS WITH CARE', ...lines.flatMap((line) => wrap(line, '- ', '  '))]
}

function figureCells(figures: ArmFigures | null): string {
  if (figures === null) return 'no model'
  return METRICS.map((metric) => `${interval(figures[metric]).padEnd(FIGURE - 1)} `).join('')
}

/** Two decimals, without the zero before the point, as medical journals print figures that are seldom above 1. */
const bare = (value: number): string => value.toFixed(2).replace(/^0\./, '.')
const isFixed = ({ low, high }: Interval): boolean => low === high
const interval = (figure: Interval): string =>
  `${bare(figure.value)} (${isFixed(figure) ? 'fixed' : `${bare(figure.low)}–${bare(figure.high)}`})`

function hasFixed({ overall, clinics }: Figures): boolean {
  const each = [overall, ...clinics.map(({ everyone }) => everyone)].flatMap((arms) => Object.values(arms))
  return each.some((figures) => figures !== null && METRICS.some((metric) => isFixed(figures[metric])))
}

const signed = (value: number): string => {
  const size = bare(Math.abs(value))
  return Number(size) === 0 ? size : `${value < 0 ? '−' : '+'}${size}`
}
const trimmed = (line: string): string => line.trimEnd()

function ticks(from: number, to: number, step: number): number[] {
  const count = Math.floor((to - from) / step + 1e-9) + 1 // the sum of steps may miss `to` by a rounding error
  return Array.from({ length: Math.max(0, count) }, (_, i) => from + i * step)
}

/** Breaks `text` at spaces into lines that fit; the first starts with `first`, the others with `rest`. */
function wrap(text: string, first = '', rest = ''): string[] {
  const lines: string[] = []
  let line = first
  let empty = true
  for (const word of text.split(' ')) {
    if (!empty && line.length + 1 + word.length > COLUMNS_MAX) {
      lines.push(line)
      line = rest
      empty = true
    }
    line += empty ? word : ` ${word}`
    empty = false
  }
  return [...lines, line]
}

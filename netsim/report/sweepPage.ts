/** sweep.html: every measure by combination, each run a dot, each mean with its interval; and mean curves. */

import { dataBlock, esc, htmlTable, page, part } from '../../src/report/html.ts'
import { figure, niceStep, ticks, tickText, timeUnit } from '../../src/report/numbers.ts'
import type { Arm, Column } from '../cli/sweepTable.ts'
import { cellOf, cellText } from '../cli/sweepTable.ts'
import type { Scenario } from '../scenario/schema.ts'
import { mean } from '../statistics.ts'
import { BEHAVIOUR } from './behaviour.ts'
import type { Chart } from './charts.ts'
import { lineChart, type TimeAxis } from './lineChart.ts'
import { CURVES, type CurveKey } from './measures.ts'

const BOX = { width: 400, right: 16, top: 6, row: 24, bottom: 24 } as const
const LABEL_CHARACTERS_MAX = 26
const CHARACTER_WIDTH = 6.4 // of the labels' font, about
const CURVES_MAX = 4 // colours that can be told apart
const DOTS_MAX = 200 // of one combination
const TITLES: Record<CurveKey, string> = {
  auc: 'AUC',
  accuracy: 'Accuracy',
  logLoss: 'Log-loss',
  consensusDistance: 'Consensus distance',
}

/** What the page is made of. */
export interface SweepView {
  readonly name: string
  readonly scenario: Scenario
  readonly arms: readonly Arm[]
  readonly columns: readonly Column[]
  /** Facts under the question, as text. */
  readonly facts: readonly string[]
}

/** A whole HTML document. */
export function sweepPage({ name, scenario, arms, columns, facts }: SweepView): string {
  const rows = arms.map((arm) => [
    esc(arm.label),
    String(arm.records.length),
    ...columns.map((column) => esc(cellText(cellOf(arm, column), column.key, arm.records.length))),
  ])
  const header = ['combination', 'seeds', ...columns.map(({ title }) => title)]
  const right = columns.map((_, i) => i + 2)
  const plots = columns.map((column) => intervalPlot(arms, column)).join('\n')
  const curves = meanCurves(arms)
  return page(
    `${name}, sweep`,
    `<header><h1>${esc(scenario.question)}</h1><p class="sub">${facts.map((fact) => `<span>${esc(fact)}</span>`).join('')}</p></header><main>
${part('By combination', 'Large: the mean over seeds with its 95 % interval (Student). Small: each run.', `<div class="grid">${plots}</div>`)}
${curves}
${part('Table', 'Mean ± half of the 95 % interval.', htmlTable(header, rows, [1, ...right]))}
</main><footer>Written by consilium-netsim. This page loads nothing from anywhere. A simulation says what its model does; it is no evidence about patients.</footer>`,
    BEHAVIOUR,
  )
}

function intervalPlot(arms: readonly Arm[], column: Column): string {
  const cells = arms.map((arm) => cellOf(arm, column))
  const ends = cells.flatMap(({ values, estimate }) =>
    estimate === null ? [] : [...values, ...[estimate.low, estimate.high].filter((value) => !Number.isNaN(value))],
  )
  if (ends.length === 0) return ''
  const [least, most] = [ends.reduce((a, b) => Math.min(a, b)), ends.reduce((a, b) => Math.max(a, b))]
  const step = niceStep(Math.max(most - least, Math.abs(most) * 1e-3, 1e-9) / 4)
  const [low, high] = [
    Math.floor(least / step) * step,
    Math.max(Math.ceil(most / step), Math.floor(least / step) + 1) * step,
  ]
  const longest = Math.min(LABEL_CHARACTERS_MAX, Math.max(...arms.map((arm) => shortLabel(arm).length)))
  const left = 14 + longest * CHARACTER_WIDTH
  const x = (value: number): string =>
    (left + ((value - low) / (high - low)) * (BOX.width - left - BOX.right)).toFixed(1)
  const bottom = BOX.top + arms.length * BOX.row
  const wanted = (BOX.width - left) / 70
  const grid = ticks(low, high, wanted).map(
    (value) =>
      `<line class="rule" x1="${x(value)}" x2="${x(value)}" y1="${BOX.top}" y2="${bottom}"/><text x="${x(value)}" y="${bottom + 16}" text-anchor="middle">${tickText(value)}</text>`,
  )
  const rows = arms.map((arm, i) => {
    const y = BOX.top + (i + 0.5) * BOX.row
    const { values, estimate } = cells[i] as (typeof cells)[number]
    const text = `<text x="${left - 8}" y="${y}" dy="4" text-anchor="end">${esc(shortLabel(arm))}<title>${esc(arm.label)}</title></text>`
    if (estimate === null) return text
    const dots = values.slice(0, DOTS_MAX).map((value) => `<circle class="seed" cx="${x(value)}" cy="${y}" r="3"/>`)
    const isSpread = !Number.isNaN(estimate.low)
    const whisker = isSpread
      ? `<line class="whisker" x1="${x(estimate.low)}" x2="${x(estimate.high)}" y1="${y}" y2="${y}"/>`
      : ''
    const title = `${arm.label}: ${cellText(cells[i] as (typeof cells)[number], column.key, arm.records.length)}`
    return `${text}${dots.join('')}${whisker}<circle class="middle" cx="${x(estimate.mean)}" cy="${y}" r="5.5"><title>${esc(title)}</title></circle>`
  })
  return `<figure><figcaption><h3>${esc(capital(column.title))}</h3><span class="unit">${esc(column.unit)}</span></figcaption>
<svg viewBox="0 0 ${BOX.width} ${bottom + BOX.bottom}" role="img" aria-label="${esc(column.title)} by combination">${grid.join('')}${rows.join('')}</svg></figure>`
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)

/** Only the last word of each path: `fanout=3`. */
function shortLabel({ label }: Arm): string {
  const text = label.replaceAll(/[\w.]+\.(\w+=)/g, '$1')
  return text.length > LABEL_CHARACTERS_MAX ? `${text.slice(0, LABEL_CHARACTERS_MAX - 1)}…` : text
}

/** Where all runs have samples at the same times, and combinations are few enough for colours. */
function meanCurves(arms: readonly Arm[]): string {
  const records = arms.flatMap((arm) => arm.records)
  const seconds = longest(records.map(({ curve }) => curve.seconds.filter((value) => value !== null)))
  const alike = records.every(({ curve }) => curve.seconds.every((value, i) => value === seconds[i]))
  if (arms.length > CURVES_MAX || !alike || seconds.length < 2) return ''
  const every = Math.max(1, Math.ceil(seconds.length / 600))
  const indices = seconds.map((_, i) => i).filter((i) => i % every === 0 || i === seconds.length - 1)
  const axis: TimeAxis = { seconds, indices, unit: timeUnit(seconds.at(-1) ?? 0), bands: [] }
  const charts = CURVES.flatMap((key): Chart[] => {
    const series = arms.map((arm) => ({ name: shortLabel(arm), values: meanCurve(arm, key, seconds.length) }))
    if (!series.some(({ values }) => values.some((value) => value !== null))) return []
    const isShare = key === 'auc' || key === 'accuracy'
    return [
      {
        id: `mean-${key}`,
        title: TITLES[key],
        unit: 'mean over seeds',
        series,
        scale: 'linear',
        isCount: false,
        limits: isShare ? [0, 1] : [0, Number.POSITIVE_INFINITY],
      },
    ]
  })
  if (charts.length === 0) return ''
  const time = dataBlock('time', { seconds: indices.map((i) => seconds[i]), unit: axis.unit })
  const drawn = charts.map((chart) => lineChart(chart, axis)).join('\n')
  return part(
    'Over virtual time',
    `Means over the seeds that had come so far, ${figure(records.length)} runs.`,
    `${time}<div class="grid">${drawn}</div>`,
  )
}

function longest(lists: readonly (readonly number[])[]): readonly number[] {
  return lists.reduce<readonly number[]>((best, each) => (each.length > best.length ? each : best), [])
}

function meanCurve({ records }: Arm, key: CurveKey, length: number): (number | null)[] {
  return Array.from({ length }, (_, i) => {
    const values = records.map(({ curve }) => curve[key][i] ?? null).filter((value) => value !== null)
    return values.length === 0 ? null : mean(values)
  })
}

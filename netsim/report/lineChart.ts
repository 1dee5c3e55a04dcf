/** A chart over virtual time as SVG, with what its script needs to show values under the cursor. */

import { dataBlock, esc } from '../../src/report/html.ts'
import { figure, logTicks, niceStep, type TimeUnit, ticks, tickText } from '../../src/report/numbers.ts'
import type { Chart } from './charts.ts'

const BOX = { width: 400, height: 218, left: 50, right: 10, top: 8, bottom: 34 } as const
const WIDTH = BOX.width - BOX.left - BOX.right
const HEIGHT = BOX.height - BOX.top - BOX.bottom
const CURVES_MAX = 4 // colours and dashes that can be told apart

/** A stretch of time that is shaded in every chart. */
export interface Band {
  readonly from: number
  readonly to: number
  readonly title: string
}

/** What all charts of a page share; `indices` are the samples that are drawn. */
export interface TimeAxis {
  readonly seconds: readonly number[]
  readonly indices: readonly number[]
  readonly unit: TimeUnit
  readonly bands: readonly Band[]
}

interface Scale {
  readonly low: number
  readonly high: number
  readonly log: boolean
  readonly ticks: readonly number[]
}

/** A `figure` with caption, legend, plot and data. */
export function lineChart(chart: Chart, axis: TimeAxis): string {
  const series = chart.series.slice(0, CURVES_MAX)
  const drawn = series.map(({ values }) => axis.indices.map((i) => values[i] ?? null))
  const last = series.map(({ values }) => values.findLast((value) => value !== null) ?? null)
  const scale = scaleOf(
    drawn.flat().filter((value) => value !== null),
    chart,
  )
  const span = Math.max(axis.seconds.at(-1) ?? 0, 1e-9)
  const x = (seconds: number): number => BOX.left + (seconds / span) * WIDTH
  const y = (value: number): number => BOX.top + (1 - place(value, scale)) * HEIGHT
  const legend = series
    .map(({ name }, s) => `<span class="k${s}"><i></i>${esc(name)} <b>${figure(last[s])}</b></span>`)
    .join('')
  const curves = drawn.map((values, s) => `<path class="curve s${s}" d="${path(values, axis, x, y)}"/>`).join('')
  const dots = drawn.map((_, s) => `<circle class="at f${s}" r="4"/>`).join('')
  const data = {
    left: BOX.left,
    width: WIDTH,
    top: BOX.top,
    height: HEIGHT,
    span,
    ...scale,
    last,
    series: drawn.map(rounded),
  }
  const label = `${chart.title}: ${series.map(({ name }, s) => `${name} ${figure(last[s])}`).join(', ')} at the end`
  return `<figure class="chart" id="${chart.id}"><figcaption><h3>${esc(chart.title)}</h3><span class="unit">${esc(chart.unit)}${scale.log ? ', log scale' : ''}</span></figcaption>
<div class="legend">${legend}</div>
<svg class="plot" viewBox="0 0 ${BOX.width} ${BOX.height}" role="img" tabindex="0" aria-label="${esc(label)}">
<rect x="${BOX.left}" y="${BOX.top}" width="${WIDTH}" height="${HEIGHT}" fill="transparent"/>
${bands(axis, x)}${gridOf(scale, y)}${timeTicks(axis, span, x)}${curves}
<line class="cursor" y1="${BOX.top}" y2="${BOX.top + HEIGHT}"/>${dots}</svg>
${dataBlock('data', { ...data, ticks: undefined })}</figure>`
}

const rounded = (values: readonly (number | null)[]): (number | null)[] =>
  values.map((value) => (value === null ? null : Number(value.toPrecision(6))))

/** 0 at the bottom, 1 at the top. */
function place(value: number, { low, high, log }: Scale): number {
  return log ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low)
}

function scaleOf(values: readonly number[], { scale, limits, isCount }: Chart): Scale {
  const least = values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY)
  const most = values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY)
  if (scale === 'log')
    return { low: least / 1.2, high: most * 1.2, log: true, ticks: logTicks(least / 1.2, most * 1.2) }
  const fromZero = limits?.[0] === 0 && limits[1] !== 1 && (isCount || least <= 0.6 * most) // a curve near 0 is shown from 0
  const base = fromZero ? 0 : least
  const room = most > base ? most - base : Math.max(Math.abs(most) * 0.2, 1e-3)
  const step = niceStep(room / 4)
  const low = Math.max(limits?.[0] ?? Number.NEGATIVE_INFINITY, Math.floor((base - room * 0.02) / step) * step)
  const high = Math.min(
    limits?.[1] ?? Number.POSITIVE_INFINITY,
    Math.ceil((most + (isCount ? 0 : room * 0.02)) / step) * step,
  )
  return { low, high, log: false, ticks: ticks(low, high, (high - low) / step) }
}

/** Nulls are gaps. */
function path(
  values: readonly (number | null)[],
  { seconds, indices }: TimeAxis,
  x: (seconds: number) => number,
  y: (value: number) => number,
): string {
  let text = ''
  let isDown = false
  for (const [i, value] of values.entries()) {
    if (value !== null)
      text += `${isDown ? 'L' : 'M'}${x(seconds[indices[i] as number] as number).toFixed(1)} ${y(value).toFixed(1)}`
    isDown = value !== null
  }
  return text
}

function bands({ bands: all }: TimeAxis, x: (seconds: number) => number): string {
  return all
    .map(({ from, to, title }) => {
      const [left, right] = [Math.max(BOX.left, x(from)), Math.min(BOX.width - BOX.right, x(to))]
      const box = `x="${left.toFixed(1)}" y="${BOX.top}" width="${Math.max(0, right - left).toFixed(1)}" height="${HEIGHT}"`
      return `<rect class="band" ${box}><title>${esc(title)}</title></rect>`
    })
    .join('')
}

function gridOf({ ticks: at }: Scale, y: (value: number) => number): string {
  return at
    .map((value) => {
      const height = y(value).toFixed(1)
      const line = `<line class="rule" x1="${BOX.left}" x2="${BOX.width - BOX.right}" y1="${height}" y2="${height}"/>`
      return `${line}<text x="${BOX.left - 7}" y="${height}" dy="4" text-anchor="end">${tickText(value)}</text>`
    })
    .join('')
}

function timeTicks({ unit }: TimeAxis, span: number, x: (seconds: number) => number): string {
  const bottom = BOX.top + HEIGHT
  const marks = ticks(0, span / unit.seconds, 5).map((value) => {
    const at = x(value * unit.seconds).toFixed(1)
    return `<line class="axis" x1="${at}" x2="${at}" y1="${bottom}" y2="${bottom + 4}"/><text x="${at}" y="${bottom + 16}" text-anchor="middle">${tickText(value)}</text>`
  })
  const line = `<line class="axis" x1="${BOX.left}" x2="${BOX.width - BOX.right}" y1="${bottom}" y2="${bottom}"/>`
  return `${line}${marks.join('')}<text class="when" x="${BOX.left}" y="${bottom + 31}"></text><text x="${BOX.width - BOX.right}" y="${bottom + 31}" text-anchor="end">${unit.name}, virtual</text>`
}

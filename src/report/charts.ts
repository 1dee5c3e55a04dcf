/** Drawings of a study's report as SVG, without any script: gains with their intervals, curves over rounds, calibration. */
import type { CalibrationBin, Estimate } from '../core/evaluation.ts'
import { esc } from './html.ts'
import { niceStep, ticks, tickText } from './numbers.ts'
import type { MemberReport } from './report.ts'

/** One line of a forest plot. */
export interface ForestRow {
  readonly name: string
  readonly estimate: Estimate
}

const FOREST = { width: 560, row: 26, left: 190, right: 16, top: 6, bottom: 38 } as const
const NAME_CHARACTERS = 20 // what fits left of the plot

/** Estimates with their intervals, one below the other, about a line at 0. */
export function forestPlot(rows: readonly ForestRow[], unit: string): string {
  const { width, row, left, right, top, bottom } = FOREST
  const ends = rows.flatMap(({ estimate }) => estimate.filter((value) => value !== null))
  const [least, most] = [Math.min(0, ...ends), Math.max(0, ...ends)]
  const step = niceStep(Math.max(most - least, 1e-3) / 5)
  const [low, high] = [Math.floor(least / step) * step, Math.ceil(most / step) * step]
  const x = (value: number): string => (left + ((value - low) / (high - low)) * (width - left - right)).toFixed(1)
  const height = top + rows.length * row
  const grid = ticks(low, high, (high - low) / step).map(
    (value) =>
      `<line class="${Math.abs(value) < step / 1e6 ? 'zero' : 'rule'}" x1="${x(value)}" x2="${x(value)}" y1="${top}" y2="${height}"/><text x="${x(value)}" y="${height + 15}" text-anchor="middle">${tickText(value)}</text>`,
  )
  const marks = rows.map(({ name, estimate: [value, from, to] }, i) => {
    const y = top + (i + 0.5) * row
    const whisker =
      from === null || to === null ? '' : `<line class="whisker" x1="${x(from)}" x2="${x(to)}" y1="${y}" y2="${y}"/>`
    return `<text class="name" x="${left - 12}" y="${y + 4}" text-anchor="end">${esc(cut(name))}</text>${whisker}<circle class="middle" cx="${x(value)}" cy="${y}" r="5"/>`
  })
  const label = rows.map(({ name, estimate }) => `${name} ${estimate[0].toFixed(3)}`).join(', ')
  return `<svg class="wide forest" viewBox="0 0 ${width} ${height + bottom}" role="img" aria-label="${esc(`${unit}: ${label}`)}">${grid.join('')}${marks.join('')}<text x="${width - right}" y="${height + 33}" text-anchor="end">${esc(unit)}</text></svg>`
}

const cut = (name: string): string => (name.length > NAME_CHARACTERS ? `${name.slice(0, NAME_CHARACTERS - 1)}…` : name)

const LINES = { width: 460, height: 250, left: 48, right: 12, top: 8, bottom: 36 } as const
/** Colours times dashes that can be told apart; with more members all lines look alike. */
export const NAMED_MAX = 8

/** One measure of all members over their rounds; null where nobody told any. */
export function roundsChart(
  members: readonly MemberReport[],
  measure: 'auc' | 'logLoss',
  title: string,
): string | null {
  const curves = members.map(({ name, curve }) => ({
    name,
    points: curve.flatMap((point) => (point[measure] === null ? [] : [[point.round, point[measure]] as const])),
  }))
  const all = curves.flatMap(({ points }) => points)
  if (all.length === 0) return null
  const { width, height, left, right, top, bottom } = LINES
  const [least, most] = [Math.min(...all.map(([, value]) => value)), Math.max(...all.map(([, value]) => value))]
  const step = niceStep(Math.max(most - least, 1e-3) / 4)
  const [low, high] = [Math.floor(least / step) * step, Math.ceil(most / step) * step + (most === least ? step : 0)]
  const last = Math.max(...all.map(([round]) => round))
  const x = (round: number): string => (left + (round / last) * (width - left - right)).toFixed(1)
  const y = (value: number): string => (top + (1 - (value - low) / (high - low)) * (height - top - bottom)).toFixed(1)
  const grid = ticks(low, high, (high - low) / step).map(
    (value) =>
      `<line class="rule" x1="${left}" x2="${width - right}" y1="${y(value)}" y2="${y(value)}"/><text x="${left - 7}" y="${y(value)}" dy="4" text-anchor="end">${tickText(value)}</text>`,
  )
  const rounds = ticks(0, last, Math.min(6, last)).map(
    (round) => `<text x="${x(round)}" y="${height - bottom + 16}" text-anchor="middle">${tickText(round)}</text>`,
  )
  const lines = curves.map(({ name, points }, i) => {
    const path = points.map(([round, value], k) => `${k === 0 ? 'M' : 'L'}${x(round)} ${y(value)}`).join('')
    return `<path class="curve ${lookOf(i, curves.length)}" d="${path}"><title>${esc(name)}</title></path>`
  })
  return `<figure><figcaption><h3>${esc(title)}</h3></figcaption>${legendOf(curves.map(({ name }) => name))}<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${esc(`${title} over rounds`)}">${grid.join('')}${rounds.join('')}${lines.join('')}<text x="${width - right}" y="${height - 4}" text-anchor="end">rounds</text></svg></figure>`
}

const lookOf = (i: number, of: number): string => (of > NAMED_MAX ? 'many' : `s${i % 4}${i >= 4 ? ' thin' : ''}`)

function legendOf(names: readonly string[]): string {
  if (names.length > NAMED_MAX) return `<p class="note">${names.length} hospitals, a line each</p>`
  const items = names.map((name, i) => `<span class="k${i % 4}${i >= 4 ? ' thin' : ''}"><i></i>${esc(name)}</span>`)
  return `<div class="legend">${items.join('')}</div>`
}

const SQUARE = { side: 220, left: 34, right: 8, top: 8, bottom: 32 } as const

/** Observed rate over mean prediction of one hospital; a point's area grows with its rows. */
export function calibrationPlot(name: string, bins: readonly CalibrationBin[]): string {
  const { side, left, right, top, bottom } = SQUARE
  const x = (p: number): string => (left + p * (side - left - right)).toFixed(1)
  const y = (p: number): string => (top + (1 - p) * (side - top - bottom)).toFixed(1)
  const marks = [0, 0.25, 0.5, 0.75, 1]
  const grid = marks.map(
    (p) =>
      `<line class="rule" x1="${x(0)}" x2="${x(1)}" y1="${y(p)}" y2="${y(p)}"/><line class="rule" x1="${x(p)}" x2="${x(p)}" y1="${y(0)}" y2="${y(1)}"/>`,
  )
  const texts = [0, 0.5, 1].map(
    (p) =>
      `<text x="${x(p)}" y="${side - bottom + 14}" text-anchor="middle">${p}</text><text x="${left - 6}" y="${y(p)}" dy="4" text-anchor="end">${p}</text>`,
  )
  const most = Math.max(...bins.map(([rows]) => rows))
  const path = bins.map(([, p, o], i) => `${i === 0 ? 'M' : 'L'}${x(p)} ${y(o)}`).join('')
  const dots = bins.map(
    ([rows, p, o]) =>
      `<circle class="middle" cx="${x(p)}" cy="${y(o)}" r="${(2.5 + 3.5 * Math.sqrt(rows / most)).toFixed(1)}"><title>${rows} patients: predicted ${p.toFixed(3)}, observed ${o.toFixed(3)}</title></circle>`,
  )
  const label = bins.map(([rows, p, o]) => `${rows} at ${p.toFixed(2)}: ${o.toFixed(2)}`).join(', ')
  return `<figure><figcaption><h3>${esc(name)}</h3></figcaption><svg viewBox="0 0 ${side} ${side}" role="img" aria-label="${esc(`Calibration at ${name}: ${label}`)}">${grid.join('')}${texts.join('')}<line class="zero" x1="${x(0)}" y1="${y(0)}" x2="${x(1)}" y2="${y(1)}"/><path class="curve s0" d="${path}"/>${dots.join('')}<text x="${side - right}" y="${side - 3}" text-anchor="end">predicted</text></svg></figure>`
}

/** What each hospital came to: a dot plot, and a table that sorts. */

import { esc, htmlTable } from '../../src/report/html.ts'
import { bytes, figure, niceStep, ticks, tickText } from '../../src/report/numbers.ts'
import type { NodeSummary, SimulationResult } from '../result.ts'

const BOX = { width: 560, left: 104, right: 16, top: 6, row: 19, bottom: 34 } as const
const NAMED_MAX = 48 // rows with names; beyond, dots by rank
const DOTS_MAX = 600
const RANK_HEIGHT = 490
const TABLE_MAX = 1_000 // rows of the page's table; nodes.csv has the rest
const NAME_CHARACTERS = 15

type Metric = 'auc' | 'accuracy'
const METRIC_WORDS: Record<Metric, string> = { auc: 'AUC', accuracy: 'Accuracy' }

interface Dot {
  readonly node: NodeSummary
  readonly value: number
}

/** AUC of every node, else accuracy; empty where neither was measured. */
export function dotPlot({ nodes }: SimulationResult): string {
  const metric: Metric | null = nodes.some(({ auc }) => auc !== null)
    ? 'auc'
    : nodes.some(({ accuracy }) => accuracy !== null)
      ? 'accuracy'
      : null
  if (metric === null) return ''
  const dots = nodes.flatMap((node): Dot[] => {
    const value = node[metric]
    return value === null ? [] : [{ node, value }]
  })
  const sorted = dots.sort((a, b) => b.value - a.value || a.node.node - b.node.node)
  const values = sorted.map(({ value }) => value)
  const median = ((values[(values.length - 1) >> 1] as number) + (values[values.length >> 1] as number)) / 2
  const inner = sorted.length <= NAMED_MAX ? named(sorted, median) : ranked(sorted, median)
  const facts = `best ${figure(values[0])}, median ${figure(median)}, worst ${figure(values.at(-1))}`
  return `<figure><figcaption><h3>${METRIC_WORDS[metric]} of each hospital</h3><span class="unit">own model, own held-out rows</span></figcaption>
<div class="legend">${facts}</div>${inner}</figure>`
}

function rangeOf(dots: readonly Dot[]): { low: number; high: number; at: number[] } {
  const [most, least] = [dots[0]?.value ?? 1, dots.at(-1)?.value ?? 0]
  const step = niceStep(Math.max(most - least, 0.02) / 4)
  const low = Math.max(0, Math.floor(least / step) * step)
  const high = Math.min(1, Math.ceil(most / step) * step)
  return { low, high, at: ticks(low, high, (high - low) / step) }
}

const classOf = ({ adversary, up }: NodeSummary): string =>
  adversary !== null ? 'node adv' : up ? 'node' : 'node down'

function named(dots: readonly Dot[], median: number): string {
  const { low, high, at } = rangeOf(dots)
  const inner = BOX.width - BOX.left - BOX.right
  const x = (value: number): string => (BOX.left + ((value - low) / (high - low)) * inner).toFixed(1)
  const bottom = BOX.top + dots.length * BOX.row
  const grid = at.map(
    (value) =>
      `<line class="rule" x1="${x(value)}" x2="${x(value)}" y1="${BOX.top}" y2="${bottom}"/><text x="${x(value)}" y="${bottom + 16}" text-anchor="middle">${tickText(value)}</text>`,
  )
  const rows = dots.map(({ node, value }, i) => {
    const y = BOX.top + (i + 0.5) * BOX.row
    const name = node.name.length > NAME_CHARACTERS ? `${node.name.slice(0, NAME_CHARACTERS - 1)}…` : node.name
    return `<line class="rule" x1="${BOX.left}" x2="${x(value)}" y1="${y}" y2="${y}"/><text x="${BOX.left - 8}" y="${y}" dy="4" text-anchor="end">${esc(name)}</text><circle class="${classOf(node)}" cx="${x(value)}" cy="${y}" r="5"><title>${esc(titleOf(node, value))}</title></circle>`
  })
  const middle = `<line class="median" x1="${x(median)}" x2="${x(median)}" y1="${BOX.top}" y2="${bottom}"/>`
  return `<svg class="wide" viewBox="0 0 ${BOX.width} ${bottom + BOX.bottom - 12}" role="img" aria-label="One dot per hospital">${grid.join('')}${middle}${rows.join('')}</svg>`
}

function ranked(dots: readonly Dot[], median: number): string {
  const { low, high, at } = rangeOf(dots)
  const left = 50
  const inner = BOX.width - left - BOX.right
  const bottom = BOX.top + RANK_HEIGHT
  const y = (value: number): string => (BOX.top + (1 - (value - low) / (high - low)) * RANK_HEIGHT).toFixed(1)
  const x = (share: number): string => (left + share * inner).toFixed(1)
  const every = Math.ceil(dots.length / DOTS_MAX)
  const grid = at.map(
    (value) =>
      `<line class="rule" x1="${left}" x2="${BOX.width - BOX.right}" y1="${y(value)}" y2="${y(value)}"/><text x="${left - 7}" y="${y(value)}" dy="4" text-anchor="end">${tickText(value)}</text>`,
  )
  const below = [0, 25, 50, 75, 100].map(
    (percent) => `<text x="${x(percent / 100)}" y="${bottom + 17}" text-anchor="middle">${percent}</text>`,
  )
  const marks = dots.flatMap(({ node, value }, i) => {
    if (i % every !== 0 && i !== dots.length - 1) return []
    const share = i / Math.max(1, dots.length - 1)
    return `<circle class="${classOf(node)}" cx="${x(share)}" cy="${y(value)}" r="3.2"><title>${esc(titleOf(node, value))}</title></circle>`
  })
  const middle = `<line class="median" x1="${left}" x2="${BOX.width - BOX.right}" y1="${y(median)}" y2="${y(median)}"/>`
  const axis = `<text x="${BOX.width - BOX.right}" y="${bottom + 33}" text-anchor="end">% of hospitals, best first${every > 1 ? `; every ${every}th drawn` : ''}</text>`
  return `<svg class="wide rank" viewBox="0 0 ${BOX.width} ${bottom + 38}" role="img" aria-label="One dot per hospital, best first">${grid.join('')}${middle}${below.join('')}${marks.join('')}${axis}</svg>`
}

function titleOf(node: NodeSummary, value: number): string {
  return `${node.name}: ${figure(value)}, ${node.rows} rows, round ${node.round}${node.adversary === null ? '' : `, ${node.adversary}`}`
}

/** The table of all nodes, up to a thousand. */
export function nodeTable({ nodes, scenario }: SimulationResult): string {
  const shown = nodes.slice(0, TABLE_MAX)
  const header = ['#', 'hospital', 'rows', 'round', 'state', 'starts', 'AUC', 'accuracy', 'log-loss', 'sent', 'merges']
  const right = [0, 2, 3, 5, 6, 7, 8, 9, 10]
  const cell = (value: number | null, text: string, isRight = true): string =>
    `<td${isRight ? ' class="n"' : ''} data-v="${value ?? ''}">${text}</td>`
  const rows = shown.map((node) => {
    const state =
      node.adversary !== null
        ? `<span class="bad">${esc(node.adversary)}</span>`
        : node.up
          ? 'up'
          : '<span class="warn">down</span>'
    return `<tr>${cell(node.node, String(node.node))}<td>${esc(node.name)}</td>${cell(node.rows, String(node.rows))}${cell(node.round, String(node.round))}<td>${state}</td>${cell(node.starts, String(node.starts))}${cell(node.auc, figure(node.auc))}${cell(node.accuracy, figure(node.accuracy))}${cell(node.logLoss, figure(node.logLoss))}${cell(node.bytesSent, bytes(node.bytesSent))}${cell(node.merges, String(node.merges))}</tr>`
  })
  const table = htmlTable(header, [], right, 'sortable').replace('<tbody></tbody>', `<tbody>${rows.join('\n')}</tbody>`)
  const more =
    scenario.nodes.count > shown.length
      ? `<p class="note">The first ${shown.length} of ${figure(scenario.nodes.count)} nodes; nodes.csv has ${nodes.length === scenario.nodes.count ? 'all' : figure(nodes.length)}.</p>`
      : ''
  return more + table.replace('class="scroll"', 'class="scroll tall"')
}

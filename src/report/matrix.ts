/** The cross-site matrix as a heat table: rows are whose patients, columns whose model. */
import type { Estimate } from '../core/evaluation.ts'
import { esc } from './html.ts'
import type { MemberReport, Report } from './report.ts'
import { plain, withInterval } from './words.ts'

const SHADES = 8 // classes h0 to h7 of the style: more are not told apart

/** AUC in each cell; a dash where a hospital held no update of that author, or its patients are too few. */
export function crossSiteTable({ members }: Report): string {
  const shown = members.filter(({ rows }) => rows !== null)
  const cells = shown.map((tester) => shown.map((author) => cellOf(tester, author)))
  const values = cells.flat().flatMap((cell) => (cell === null ? [] : [cell[0]]))
  if (values.length === 0) return '<p class="card">No hospital has told how the others’ models do on its patients.</p>'
  const [low, high] = [Math.min(...values), Math.max(...values)]
  const shade = (value: number): number =>
    Math.min(SHADES - 1, Math.floor(((value - low) / (high - low || 1)) * SHADES))
  const rows = shown.map((tester, i) => {
    const tds = (cells[i] as (Estimate | null)[]).map((cell, j) => {
      const own = i === j ? ' own' : ''
      if (cell === null) return `<td class="n${own}">–</td>`
      const title = `the model of ${(shown[j] as MemberReport).name} on patients of ${tester.name}: ${withInterval(cell)}`
      return `<td class="n h${shade(cell[0])}${own}" title="${esc(title)}">${plain(cell[0])}</td>`
    })
    return `<tr><th scope="row">${esc(tester.name)}${examplesOf(tester)}</th>${tds.join('')}</tr>`
  })
  const header = shown.map(({ name }) => `<th class="n" scope="col">${esc(name)}</th>`).join('')
  return `<div class="scroll"><table class="heat"><thead><tr><th scope="col">patients of ↓ · model of →</th>${header}</tr></thead><tbody>${rows.join('\n')}</tbody></table></div>`
}

function examplesOf({ crossed }: MemberReport): string {
  return crossed === null || crossed.examples === null ? '' : ` <span class="soft">${crossed.examples}</span>`
}

function cellOf(tester: MemberReport, author: MemberReport): Estimate | null {
  if (tester === author) return tester.measured?.evaluation?.shared.auc ?? null
  return tester.crossed?.sites.find((site) => site.author === author.member)?.auc ?? null
}

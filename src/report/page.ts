/** A study's report as one HTML page: no script, nothing loaded, made to be read on a telephone and to be printed. */
import { describeStudy } from '../config/describe.ts'
import { conductParts, day, minute } from './conductParts.ts'
import { evaluationParts, measuredOf } from './evaluationParts.ts'
import { esc, page, part } from './html.ts'
import { privacyParts } from './privacyParts.ts'
import { direction, type Report } from './report.ts'
import { caveats, plain } from './words.ts'

/** A whole HTML document; the same report gives the same page. */
export function reportPage(report: Report): string {
  const { terms } = report.study
  return page(
    `${terms.name}: report`,
    `${head(report)}<main>${tiles(report)}
${evaluationParts(report)}
${conductParts(report)}
${privacyParts(report)}
${part(
  'What this report can say',
  '',
  `<ul class="card">${caveats(report)
    .map((line) => `<li>${esc(line)}</li>`)
    .join('')}</ul>`,
)}
${part('What was agreed', '', agreed(report))}
</main><footer>${foot(report)}</footer>`,
  )
}

function head({ study, members }: Report): string {
  const training = members.filter(({ rows }) => rows !== null)
  const ended = training.filter((member) => member.ended !== null).length
  const state =
    training.length > 0 && ended === training.length
      ? '<span class="tag good">ended</span>'
      : `<span class="tag warn">${ended} of ${training.length} ended</span>`
  const facts = [
    state,
    `proposed by ${esc(study.proposedBy)}, ${day(study.proposedAtMs)}`,
    `study <code>${study.id.slice(0, 16)}</code>`,
  ]
  return `<header><h1>${esc(study.terms.name)}</h1><p class="purpose">${esc(study.terms.purpose)}</p><p class="sub">${facts.map((fact) => `<span>${fact}</span>`).join('')}</p></header>`
}

function tiles(report: Report): string {
  const { members, study } = report
  const measured = measuredOf(report)
  const rows = members.reduce((sum, member) => sum + (member.rows ?? 0), 0)
  const aucs = measured.flatMap(({ evaluation }) => evaluation.shared.auc?.[0] ?? []).sort((a, b) => a - b)
  const ways = measured.map(({ evaluation }) => direction(evaluation.aucGain))
  const compared = ways.filter((way) => way !== null).length
  const all: readonly (readonly [string, string])[] = [
    [String(members.filter((member) => member.rows !== null).length), 'hospitals that train'],
    [String(rows), 'patients, as declared'],
    [String(study.terms.rounds.count), 'rounds agreed'],
    [aucs.length === 0 ? '–' : plain(median(aucs)), 'median AUC, own patients'],
    ...(compared === 0
      ? []
      : [[`${ways.filter((way) => way === 'up').length} of ${compared}`, 'clearly better than alone'] as const]),
  ]
  return `<div class="tiles">${all.map(([value, name]) => `<div class="tile"><b>${esc(value)}</b><span>${name}</span></div>`).join('')}</div>`
}

const median = (sorted: readonly number[]): number =>
  ((sorted[(sorted.length - 1) >> 1] as number) + (sorted[sorted.length >> 1] as number)) / 2

function agreed({ study }: Report): string {
  return `<details><summary>The study’s terms, as all members accepted them</summary><pre>${esc(describeStudy(study.terms))}

digest ${study.id}</pre></details>`
}

function foot({ made }: Report): string {
  return `Made ${minute(made.atMs)} from the logs as ${esc(made.by)} holds them, by Consilium ${esc(made.software)}; consortium <code>${esc(made.founding.slice(0, 16))}</code>. This page loads nothing from anywhere. Check the logs with <code>consilium log verify</code>; a model’s own card: <code>consilium model card</code>. Research use; not a medical device.`
}

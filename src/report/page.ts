/** A study's report as one HTML page: no script, nothing loaded, made to be read on a telephone and to be printed. */
import { describeStudy } from '../config/describe.ts'
import type { Evaluation, GroupFigures } from '../core/evaluation.ts'
import { calibrationPlot, forestPlot, roundsChart } from './charts.ts'
import { esc, htmlTable, page, part } from './html.ts'
import { crossSiteTable } from './matrix.ts'
import { direction, type MemberReport, type Report } from './report.ts'
import { caveats, gainWord, plain, signedInterval, whyNoFigures, withInterval } from './words.ts'

/** A whole HTML document; the same report gives the same page. */
export function reportPage(report: Report): string {
  const { terms } = report.study
  return page(
    `${terms.name}: report`,
    `${head(report)}<main>${tiles(report)}
${part('What joining was worth', worthNote(report), worth(report))}
${part('At each hospital', 'The shared model on the hospital’s own held-out patients.', sites(report))}
${crossSite(report)}
${part('Calibration', 'Of patients in order of their predicted risk, how many had the outcome. On the dotted line predictions come true.', calibration(report))}
${subgroups(report)}
${part('Over the rounds', 'Each hospital’s merged model on its own held-out patients.', overRounds(report))}
${part('Data, rounds and merges', '', roundsTable(report))}
${part('Privacy', '', privacy(report))}
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

interface Measured extends MemberReport {
  readonly evaluation: Evaluation
}

function measuredOf({ members }: Report): Measured[] {
  return members.flatMap((member) => {
    const evaluation = member.measured?.evaluation
    return evaluation ? [{ ...member, evaluation }] : []
  })
}

/** Who takes part and has no figures, and why. */
function withheld({ members }: Report): string {
  const without = members.filter(({ measured, rows }) => !measured?.evaluation && rows !== null)
  const lines = without.map((member) => `<li><b>${esc(member.name)}</b> ${whyNoFigures(member)}</li>`)
  return lines.length === 0 ? '' : `<ul class="plain">${lines.join('')}</ul>`
}

const day = (ms: number): string => new Date(ms).toISOString().slice(0, 10)
const minute = (ms: number): string => `${new Date(ms).toISOString().slice(0, 16).replace('T', ' ')} UTC`

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

function worthNote({ study }: Report): string {
  return study.terms.report.localOnly
    ? 'The shared model against one that the hospital trained alone, on the same held-out patients. An interval that holds 0 shows no difference.'
    : 'This study asks for no model trained alone.'
}

function worth(report: Report): string {
  const measured = measuredOf(report)
  const rows = measured.map(({ name, evaluation: e }) => [
    esc(name),
    patients(e),
    withInterval(e.shared.auc),
    withInterval(e.alone?.auc),
    signedInterval(e.aucGain),
    `<span class="${TONE[direction(e.aucGain) ?? 'open']}">${gainWord(e.aucGain)}</span>`,
    withInterval(e.shared.logLoss),
    signedInterval(e.lossGain),
  ])
  const header = ['hospital', 'held out (ill)', 'AUC', 'AUC alone', 'gain in AUC', '', 'log-loss', 'gain in log-loss']
  const gains = measured.flatMap(({ name, evaluation: { aucGain } }) =>
    aucGain === null ? [] : [{ name, estimate: aucGain }],
  )
  const plot = gains.length === 0 ? '' : `<figure>${forestPlot(gains, 'gain in AUC over training alone')}</figure>`
  return plot + (rows.length === 0 ? '' : htmlTable(header, rows, [1])) + withheld(report)
}

const TONE = { up: 'good', down: 'bad', open: 'soft' } as const

/** `48 (13)`: patients, and of those with the outcome where that may be told. */
const patients = ({ examples, positives }: Evaluation): string =>
  positives === null ? String(examples) : `${examples} (${positives})`

function sites(report: Report): string {
  const { threshold } = report.study.terms.report
  const rows = measuredOf(report).map(({ name, evaluation: { shared, truePositiveRate, falsePositiveRate } }) => [
    esc(name),
    withInterval(shared.accuracy),
    withInterval(shared.brier),
    withInterval(shared.calibrationError),
    withInterval(shared.calibrationSlope, 2),
    withInterval(shared.calibrationIntercept, 2),
    withInterval(truePositiveRate, 2),
    withInterval(falsePositiveRate, 2),
  ])
  const rates = [`true pos. > ${threshold}`, `false pos. > ${threshold}`]
  const header = ['hospital', 'accuracy', 'Brier', 'calib. error', 'calib. slope', 'intercept', ...rates]
  return rows.length === 0 ? NOTHING : htmlTable(header, rows, [])
}

function crossSite(report: Report): string {
  if (!report.study.terms.report.crossSite) return ''
  const note =
    'AUC of each hospital’s newest update (columns) on each hospital’s own held-out patients (rows). On the diagonal its own merged model. The stronger the colour, the better.'
  return part('Everybody’s model on everybody’s patients', note, crossSiteTable(report))
}

function calibration(report: Report): string {
  const plots = measuredOf(report).flatMap(({ name, evaluation: { bins } }) =>
    bins.length > 0 ? [calibrationPlot(name, bins)] : [],
  )
  return plots.length === 0 ? NOTHING : `<div class="squares">${plots.join('')}</div>`
}

const NOTHING = '<p class="card">Nothing has been measured yet, or nothing may be told.</p>'

function subgroups(report: Report): string {
  const { terms, groups } = report.study
  if (terms.report.subgroups.length === 0) return ''
  const tables = terms.report.subgroups.map(({ feature }, by) => {
    const rows = measuredOf(report).flatMap(({ name, evaluation }) =>
      evaluation.groups
        .filter((one) => one.by === by)
        .map((one, i) => [i === 0 ? esc(name) : '', esc(groups[by]?.[one.group] ?? '?'), ...groupCells(one)]),
    )
    const header = [
      'hospital',
      feature,
      'patients (ill)',
      'AUC',
      'log-loss',
      'Brier',
      'predicted',
      'observed',
      'true pos.',
      'false pos.',
    ]
    return `<h3 class="by">By ${esc(feature)}</h3>${htmlTable(header, rows, [2, 4, 5, 6, 7, 8, 9])}`
  })
  const note = `Whom the shared model serves worse. Rates are at a threshold of ${terms.report.threshold}. What is withheld is marked ∗: fewer than ${terms.minimumCohort} patients, or with the outcome, or without, or a cell from which such a one could be worked out.`
  return part('Groups of patients', note, tables.join(''))
}

const HIDDEN = '<span class="withheld">∗</span>'
const shown = (value: number | null, digits = 3): string => (value === null ? HIDDEN : plain(value, digits))

function groupCells(group: GroupFigures): string[] {
  const { examples, positives, auc, logLoss, brier, predicted, truePositiveRate, falsePositiveRate } = group
  const ill = positives === null ? HIDDEN : positives
  return [
    examples === null ? HIDDEN : `${examples} (${ill})`,
    auc === null ? HIDDEN : withInterval(auc),
    shown(logLoss),
    shown(brier),
    shown(predicted),
    shown(examples === null || positives === null ? null : positives / examples),
    shown(truePositiveRate, 2),
    shown(falsePositiveRate, 2),
  ]
}

function overRounds({ members }: Report): string {
  const charts = [roundsChart(members, 'auc', 'AUC'), roundsChart(members, 'logLoss', 'Log-loss')]
  const drawn = charts.filter((chart) => chart !== null)
  return drawn.length === 0 ? NOTHING : `<div class="pair">${drawn.join('')}</div>`
}

function roundsTable({ members }: Report): string {
  const rows = members.map(({ name, rows, trainRows, rounds, ended, aside, takenByOthers, others }) => [
    esc(name),
    rows === null ? 'no table' : `${rows} (${trainRows})`,
    String(rounds.trained),
    `${rounds.merged}${rounds.inputsMean === null ? '' : ` of ${plain(rounds.inputsMean, 1)}`}`,
    String(takenByOthers),
    aside.length === 0 ? '–' : aside.map((one) => `${esc(one.author)} ${one.merges} × ${esc(one.reason)}`).join(', '),
    ended === null ? 'not yet' : `${minute(ended.atMs)}, round ${ended.rounds}`,
    Object.entries(others)
      .map(([kind, count]) => `${esc(kind)} ${count}`)
      .join(', ') || '–',
  ])
  const header = [
    'hospital',
    'patients (train)',
    'rounds',
    'merges, inputs',
    'taken by others',
    'set aside',
    'ended',
    'other entries',
  ]
  return htmlTable(header, rows, [1, 2, 3, 4])
}

function privacy({ members }: Report): string {
  const claims = members.filter((member) => member.privacy !== null)
  if (claims.length === 0)
    return '<p class="card">No update carries a privacy claim: records stayed on site, and updates, statistics and figures left without added noise.</p>'
  const rows = claims.map(({ name, privacy: claim }) => [
    esc(name),
    plain(claim?.epsilon, 2),
    (claim?.delta ?? 0).toExponential(1),
    plain(claim?.noiseMultiplier, 2),
    plain(claim?.sampleRate, 4),
  ])
  return htmlTable(['hospital', 'ε spent', 'δ', 'noise multiplier σ', 'sampling rate q'], rows, [1, 2, 3, 4])
}

function agreed({ study }: Report): string {
  return `<details><summary>The study’s terms, as all members accepted them</summary><pre>${esc(describeStudy(study.terms))}

digest ${study.id}</pre></details>`
}

function foot({ made }: Report): string {
  return `Made ${minute(made.atMs)} from the logs as ${esc(made.by)} holds them, by Consilium ${esc(made.software)}; consortium <code>${esc(made.founding.slice(0, 16))}</code>. This page loads nothing from anywhere. Check the logs with <code>consilium log verify</code>; a model’s own card: <code>consilium model card</code>. Research use; not a medical device.`
}

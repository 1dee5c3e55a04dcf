/** Parts of a report's page that tell how good the models are: what joining was worth, measures, calibration, groups of patients. */
import type { Estimate, Evaluation, GroupFigures } from '../core/evaluation.ts'
import { calibrationPlot, forestPlot, roundsChart } from './charts.ts'
import { esc, htmlTable, part } from './html.ts'
import { crossSiteTable } from './matrix.ts'
import { direction, type MemberReport, type Report } from './report.ts'
import { gainWord, isCompared, plain, signedInterval, whyNoFigures, withInterval } from './words.ts'

/** A member that told figures. */
export interface Measured extends MemberReport {
  readonly evaluation: Evaluation
}

/** Those that told figures, by name. */
export function measuredOf({ members }: Report): Measured[] {
  return members.flatMap((member) => {
    const evaluation = member.measured?.evaluation
    return evaluation ? [{ ...member, evaluation }] : []
  })
}

/** All of them, in the order of the page. */
export function evaluationParts(report: Report): string {
  return [worth, sites, personal, crossSite, calibration, subgroups, overRounds].map((one) => one(report)).join('\n')
}

const NOTHING = '<p class="card">Nothing has been measured yet, or nothing may be told.</p>'
const WIDE = 'sites' // its first column stays in sight

/** The interval on a line of its own: tables of many figures fit a page. */
const cell = (estimate: Estimate | null | undefined, digits = 3): string => stacked(withInterval(estimate, digits))
const stacked = (text: string): string => (text.includes(' (') ? `${text.replace(' (', ' <small>(')}</small>` : text)

function worth(report: Report): string {
  const compared = isCompared(report)
  const measured = measuredOf(report)
  const rows = measured.map(({ name, evaluation: e }) => [
    esc(name),
    patients(e),
    cell(e.shared.auc),
    ...(compared ? [cell(e.alone?.auc), stacked(signedInterval(e.aucGain)), gain(e)] : []),
    cell(e.shared.logLoss),
    ...(compared ? [stacked(signedInterval(e.lossGain))] : []),
  ])
  const header = compared
    ? ['hospital', 'held out (ill)', 'AUC', 'AUC alone', 'gain in AUC', 'by AUC', 'log-loss', 'gain in log-loss']
    : ['hospital', 'held out (ill)', 'AUC', 'log-loss']
  const gains = measured.flatMap(({ name, evaluation: { aucGain } }) =>
    aucGain === null ? [] : [{ name, estimate: aucGain }],
  )
  const plot = gains.length === 0 ? '' : `<figure>${forestPlot(gains, 'gain in AUC over training alone')}</figure>`
  const table = rows.length === 0 ? '' : htmlTable(header, rows, [1], WIDE)
  return part('What joining was worth', worthNote(report), plot + table + elsewhere(report))
}

function worthNote(report: Report): string {
  const { terms } = report.study
  if (isCompared(report))
    return 'The shared model, newest at its hospital, against one that the hospital trained alone, on the same held-out patients. Where an interval holds 0 there is no clear difference.'
  return terms.report.localOnly
    ? 'The shared model, newest at its hospital, on held-out patients. A private study trains no model alone to compare it with: without noise its figures would tell of training patients beyond ε, with noise it would spend of ε.'
    : 'The shared model, newest at its hospital, on held-out patients. This study asks for no model trained alone, so what joining was worth is not known.'
}

const TONE = { up: 'good', down: 'bad', open: 'soft' } as const
const gain = ({ aucGain }: Evaluation): string =>
  `<span class="${TONE[direction(aucGain) ?? 'open']}">${gainWord(aucGain)}</span>`

/** `48 (13)`: patients, and of those with the outcome where that may be told. */
const patients = ({ examples, positives }: Evaluation): string =>
  positives === null ? String(examples) : `${examples} (${positives})`

/** Who takes part and has no figures, and why; and what no hospital can compute. */
function elsewhere({ members }: Report): string {
  const without = members.filter(({ measured, rows }) => !measured?.evaluation && rows !== null)
  const lines = [
    ...without.map((member) => `<b>${esc(member.name)}</b> ${whyNoFigures(member)}`),
    '<b>Not compared here:</b> FedAvg needs a server, one model of all rows needs them in one place, and a consensus of local models needs models that were trained alone, which would tell the others more of one hospital’s patients than this study has agreed to. Simulations compute them, on data that may be pooled: <code>consilium-netsim experiment mcmahan2017</code>, <code>pooled</code>, <code>consensus</code>.',
  ]
  return `<ul class="plain">${lines.map((line) => `<li>${line}</li>`).join('')}</ul>`
}

function sites(report: Report): string {
  const { threshold } = report.study.terms.report
  const rows = measuredOf(report).map(({ name, evaluation: { shared, truePositiveRate, falsePositiveRate } }) => [
    esc(name),
    cell(shared.accuracy),
    cell(shared.brier),
    cell(shared.calibrationError),
    cell(shared.calibrationSlope, 2),
    cell(shared.calibrationIntercept, 2),
    cell(truePositiveRate, 2),
    cell(falsePositiveRate, 2),
  ])
  const rates = [`true pos. > ${threshold}`, `false pos. > ${threshold}`]
  const header = ['hospital', 'accuracy', 'Brier', 'calib. error', 'calib. slope', 'intercept', ...rates]
  const note = `The same model on the same patients. Brier: mean squared error of the probability. Calibration error: the mean gap between predicted and observed rate. Slope: 1 is right, above it predictions are too timid, below too extreme; intercept: 0 is right, above it they are too low. True and false positives: the shares of patients with and without the outcome whose probability is above ${threshold}; a dash where either are fewer than ${report.study.terms.minimumCohort}.`
  return part('At each hospital', note, rows.length === 0 ? NOTHING : htmlTable(header, rows, [], WIDE))
}

function personal({ members }: Report): string {
  const rows = members.flatMap(({ name, personal: own }) =>
    own === null
      ? []
      : [[esc(name), String(own.round), ...[own.auc, own.logLoss, own.calibrationError].map((value) => plain(value))]],
  )
  if (rows.length === 0) return ''
  const note =
    'Trained beside the shared model, for the hospital’s own patients, and never sent. The newest of each, on the same held-out patients; a dash where they are too few.'
  return part(
    'Personal models',
    note,
    htmlTable(['hospital', 'rounds', 'AUC', 'log-loss', 'calib. error'], rows, [1, 2, 3, 4], WIDE),
  )
}

function crossSite(report: Report): string {
  if (!report.study.terms.report.crossSite) return ''
  const note =
    'AUC of each hospital’s newest update (columns) on each hospital’s own held-out patients (rows). On the diagonal its own merged model. The stronger the colour, the better. Intervals show where a pointer rests, and stand in the JSON.'
  return part('Everybody’s model on everybody’s patients', note, crossSiteTable(report))
}

function calibration(report: Report): string {
  const { minimumCohort, consent } = report.study.terms
  const plots = measuredOf(report).flatMap(({ name, evaluation: { bins } }) =>
    bins.length > 0 ? [calibrationPlot(name, bins)] : [],
  )
  const note = `Patients in order of their predicted risk, at least ${minimumCohort} to a point: how many of them had the outcome. On the dotted line predictions come true. No curve where fewer than ${minimumCohort} patients have the outcome, or have it not${consent === null ? '' : ', and none where patients are asked for their word, as here'}.`
  const drawn = plots.length === 0 ? NOTHING : `<div class="squares">${plots.join('')}</div>`
  return part('Calibration', note, drawn + refits(report))
}

/** What hospitals go on with, which is not what was measured above. */
function refits({ members, study }: Report): string {
  const few = (rows: number | null): string => (rows === null ? `< ${study.terms.minimumCohort}` : String(rows))
  const pair = (both: readonly [number, number] | null): string =>
    both === null ? '–' : `${plain(both[0])} → ${plain(both[1])}`
  const rows = members.flatMap(({ name, calibrated }) => {
    if (calibrated === null) return []
    const { round, rows, slope, intercept, logLoss, calibrationError } = calibrated
    const fitted = rows === 0 ? ['none', '–', '–'] : [few(rows), plain(slope, 2), plain(intercept, 2)]
    return [[esc(name), String(round), ...fitted, pair(logLoss), pair(calibrationError)]]
  })
  if (rows.length === 0) return ''
  const header = ['hospital', 'rounds', 'refitted on', 'slope', 'intercept', 'log-loss', 'calib. error']
  const note =
    'What a hospital exports and predicts with after the end: the best of its rounds by its own validation patients, with slope and intercept of the logit refitted on so many of them. Log-loss and calibration error on its held-out patients, before and after. Where validation patients are too few, the newest model as it is.'
  return `<h3 class="by">The final models</h3><p class="note">${note}</p>${htmlTable(header, rows, [1, 2, 3, 4, 5, 6], WIDE)}`
}

function subgroups(report: Report): string {
  const { terms, groups } = report.study
  if (terms.report.subgroups.length === 0) return ''
  const tables = terms.report.subgroups.map(({ feature }, by) => {
    const rows = measuredOf(report).flatMap(({ name, evaluation }) =>
      evaluation.groups
        .filter((one) => one.by === by)
        .map((one, i) => [i === 0 ? esc(name) : '', esc(groups[by]?.[one.group] ?? '?'), ...groupCells(one)]),
    )
    const rates = ['predicted', 'observed', 'true pos.', 'false pos.']
    const header = ['hospital', feature, 'patients (ill)', 'AUC', 'log-loss', 'Brier', ...rates]
    return `<h3 class="by">By ${esc(feature)}</h3>${htmlTable(header, rows, [2, 4, 5, 6, 7, 8, 9])}`
  })
  const note = `Whom the shared model serves worse. Predicted and observed: mean probability, and the share with the outcome. True and false positives at a threshold of ${terms.report.threshold}. What is withheld is marked ∗: fewer than ${terms.minimumCohort} patients, or with the outcome, or without, or a cell from which such a one could be worked out.`
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
  const body = drawn.length === 0 ? NOTHING : `<div class="pair">${drawn.join('')}</div>`
  return part('Over the rounds', 'Each hospital’s merged model on its own held-out patients.', body)
}

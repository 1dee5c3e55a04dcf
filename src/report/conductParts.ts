/** Parts of a report's page about what hospitals did: rounds and merges, whose updates were set aside, what became of the models. */
import { esc, htmlTable, part } from './html.ts'
import type { Report, ReportedModel } from './report.ts'
import { asideWords, plain, withdrawalWords } from './words.ts'

/** All of them, in the order of the page. */
export function conductParts(report: Report): string {
  return `${rounds(report)}\n${setAside(report)}\n${models(report)}`
}

/** `2026-11-21`, of milliseconds since 1970. */
export const day = (ms: number): string => new Date(ms).toISOString().slice(0, 10)
/** `2026-11-21 06:07 UTC`. */
export const minute = (ms: number): string => `${new Date(ms).toISOString().slice(0, 16).replace('T', ' ')} UTC`

function rounds({ members }: Report): string {
  const rows = members.map(({ name, rows, trainRows, rounds, ended, takenByOthers, others }) => [
    esc(name),
    rows === null ? 'no table' : `${rows} (${trainRows})`,
    String(rounds.trained),
    String(rounds.merged),
    plain(rounds.inputsMean, 1),
    String(takenByOthers),
    ended === null ? 'not yet' : `${minute(ended.atMs)} <small>after ${ended.rounds} rounds</small>`,
    Object.entries(others)
      .map(([kind, count]) => `${esc(kind)} ${count}`)
      .join(', ') || '–',
  ])
  const header = [
    'hospital',
    'patients (train)',
    'rounds',
    'merges',
    'inputs of a merge',
    'taken by others',
    'ended',
    'other entries',
  ]
  const note =
    'Inputs of a merge: the mean, the own update among them. Taken by others: so many inputs of their merges were updates of this hospital.'
  return part('Data, rounds and merges', note, htmlTable(header, rows, [1, 2, 3, 4, 5], 'sites'))
}

function setAside({ members }: Report): string {
  const merges = members.flatMap(({ name, rounds, aside }) =>
    aside.map((one) => [esc(one.author), esc(name), `${one.merges} of ${rounds.merged}`, esc(asideWords(one.reason))]),
  )
  const barred = members.flatMap(({ name, excluded }) =>
    excluded.map(({ author, reason, atMs }) => [
      esc(author),
      esc(name),
      'from then on',
      `excluded since ${minute(atMs)}: ${esc(reason)}`,
    ]),
  )
  const rows = [...merges, ...barred].sort(([a], [b]) => (a === b ? 0 : (a as string) < (b as string) ? -1 : 1))
  if (rows.length === 0)
    return part(
      'Updates set aside',
      '',
      '<p class="card">No merge has set an update aside, and nobody is excluded.</p>',
    )
  const note =
    'Merges that gave an update no part, or hardly any. A small hospital, or one whose patients differ, is set aside now and then without any fault; one that nearly all set aside nearly always should be asked.'
  const table = htmlTable(['whose update', 'set aside by', 'merges', 'why'], rows, [2], 'sites')
  return part('Updates set aside', note, table)
}

function models({ models: all, modelsLeftOut, study }: Report): string {
  const title = 'Models that left, were used or were taken back'
  if (all.length === 0)
    return part(
      title,
      '',
      '<p class="card">No export, prediction, explanation or withdrawal of a model is recorded.</p>',
    )
  const { minimumCohort } = study.terms
  const rows = all.map((one) => [
    `<code>${one.model.slice(0, 12)}</code> <small>${one.rounds === null ? 'of no round known here' : `${one.making === 'trained' ? 'update' : 'merged'}, after ${one.rounds} rounds`}</small>`,
    esc(one.name),
    files(one),
    predictions(one, minimumCohort),
    one.explanations === null ? '–' : `${one.explanations.runs} ×`,
    state(one),
  ])
  const header = ['model', 'of', 'files written', 'patients predicted', 'explained', 'state']
  const more = modelsLeftOut === 0 ? '' : `<p class="note">${modelsLeftOut} more, touched earlier, are left out.</p>`
  const note =
    'As recorded by the hospital that holds the model. A file that was written can be taken anywhere; of that no log tells. Without the private output bias its probabilities fit no hospital. A withdrawal by the maker, or by a quorum of the members, binds all; any other binds only who said it.'
  return part(title, note, `<p class="card">${modelsSentence(all)}</p>${htmlTable(header, rows, [], 'prose')}${more}`)
}

function modelsSentence(all: readonly ReportedModel[]): string {
  const sum = (of: (one: ReportedModel) => number): number => all.reduce((total, one) => total + of(one), 0)
  const files = sum((one) => one.exports.reduce((total, { files }) => total + files, 0))
  const runs = sum((one) => one.predictions?.runs ?? 0)
  const few = sum((one) => one.predictions?.runsWithheld ?? 0)
  const known = sum((one) => one.predictions?.patients ?? 0)
  const withdrawn = all.filter((one) => one.withdrawn !== null).length
  const below = all.filter((one) => one.descendsFrom !== null).length
  return [
    `${counted(files, 'file was', 'files were')} written, of ${counted(all.filter((one) => one.exports.length > 0).length, 'model', 'models')}.`,
    `${counted(known, 'patient was', 'patients were')} predicted in ${few === 0 ? '' : 'at least '}${counted(runs, 'run', 'runs')}.`,
    withdrawn === 0
      ? 'No model is withdrawn from all.'
      : `${counted(withdrawn, 'model is', 'models are')} withdrawn from all${below === 0 ? '' : `, and ${counted(below, 'other here descends', 'others here descend')} from withdrawn ones`}.`,
  ].join(' ')
}

const counted = (count: number, one: string, many: string): string => `${count} ${count === 1 ? one : many}`

function files({ exports }: ReportedModel): string {
  const each = exports.map(({ format, withHead, files, firstAtMs, lastAtMs }) => {
    const when = day(firstAtMs) === day(lastAtMs) ? day(lastAtMs) : `${day(firstAtMs)} to ${day(lastAtMs)}`
    return `${files} × ${esc(format)} <small>${withHead ? 'with' : 'without'} the private output bias, ${when}</small>`
  })
  return each.length === 0 ? '–' : each.join('')
}

function predictions({ predictions: used }: ReportedModel, minimumCohort: number): string {
  if (used === null) return '–'
  const { runs, runsWithheld, patients, warned, withoutPrediction, lastAtMs } = used
  const few =
    runsWithheld === 0 ? '' : `, ${runsWithheld} of them or more of fewer than ${minimumCohort} and not counted`
  const which = `${warned} with a warning, ${withoutPrediction} without a prediction; ${counted(runs, 'run', 'runs')}${few}; last ${day(lastAtMs)}`
  return `${patients} <small>${which}</small>`
}

function state({ withdrawn, descendsFrom, words, descendants }: ReportedModel): string {
  const made =
    descendants === null
      ? ''
      : `; ${descendants.models} models${descendants.members.length === 0 ? '' : ` of ${esc(descendants.members.join(', '))}`} descend from it`
  if (withdrawn !== null) {
    const { by, reason, atMs } = withdrawn
    return `<span class="bad">withdrawn</span> <small>${minute(atMs)} by ${esc(by)}: ${esc(withdrawalWords(reason))}${made}</small>`
  }
  if (descendsFrom !== null)
    return `<span class="bad">not to be used</span> <small>made of <code>${descendsFrom.slice(0, 12)}</code>, which is withdrawn</small>`
  const said = words.map(({ name, withdrawn: against, reason, atMs }) =>
    against
      ? `${esc(name)} withdraws it, for its own node alone: ${esc(withdrawalWords(reason ?? ''))}, ${minute(atMs)}`
      : `${esc(name)} says that it may be used, ${minute(atMs)}`,
  )
  return said.length === 0 ? 'not withdrawn' : `not withdrawn from all <small>${said.join('; ')}${made}</small>`
}

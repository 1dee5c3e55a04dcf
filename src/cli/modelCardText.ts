/** A model card for people: sections of sentences and tables, as Markdown or as one HTML page without scripts. */
import type { Feature } from '../config/study.ts'
import type { ModelCard } from '../daemon/modelCardApi.ts'
import { measure, utc } from './output.ts'

interface Table {
  readonly header: readonly string[]
  readonly rows: readonly (readonly string[])[]
}

interface Section {
  readonly title: string
  readonly says: readonly string[]
  readonly table?: Table
}

/** The card as Markdown, without a newline at its end. */
export function cardMarkdown(card: ModelCard): string {
  const sections = sectionsOf(card).map(({ title, says, table }) =>
    [
      `## ${title}`,
      ...says.map(inMarkdown),
      ...(table === undefined || table.rows.length === 0 ? [] : [markdownTable(table)]),
    ].join('\n\n'),
  )
  return [`# Model card: ${inMarkdown(card.study.name)}`, `**${card.notice}**`, ...sections].join('\n\n')
}

/** The card as a page that needs nothing else. */
export function cardHtml(card: ModelCard): string {
  const name = inHtml(card.study.name)
  const body = sectionsOf(card).map(({ title, says, table }) =>
    [
      `<h2>${inHtml(title)}</h2>`,
      ...says.map((text) => `<p>${inHtml(text)}</p>`),
      ...(table === undefined || table.rows.length === 0 ? [] : [htmlTable(table)]),
    ].join('\n'),
  )
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Model card: ${name}</title>
<style>body{font:16px/1.5 sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}table{border-collapse:collapse;font-size:.85rem}td,th{border:1px solid #999;padding:.2rem .5rem;text-align:left;overflow-wrap:anywhere}</style>
<h1>Model card: ${name}</h1>
<p><strong>${inHtml(card.notice)}</strong></p>
${body.join('\n')}
</html>
`
}

function sectionsOf(card: ModelCard): Section[] {
  return [
    details(card),
    use(card),
    factors(card),
    data(card),
    ...metrics(card),
    privacy(card),
    usage(card),
    ...ending(card),
  ]
}

function details({ model, study, lineage, training }: ModelCard): Section {
  const { withdrawn } = model
  const hidden = model.hidden.length > 0 ? `, hidden layers ${model.hidden.join('-')}` : ''
  const { how, merge } = training
  return {
    title: 'Model details',
    says: [
      ...(withdrawn === null
        ? []
        : [`WITHDRAWN (${withdrawn.reason}) by ${withdrawn.by}, entry ${withdrawn.entry}: not to be used.`]),
      `Digest of the shared weights: ${model.digest}. Held by ${model.heldBy}, after ${model.rounds} rounds.`,
      `Study ${study.id}, proposed by ${study.proposedBy} at ${utc(study.proposedAtMs)}.`,
      `${model.kind}${hidden}; ${model.sharedParameters} shared parameters, and an output bias that is private to each hospital.`,
      `Trained by ${how.optimiser}, learning rate ${how.learningRate}, l2 ${how.l2}, ${how.localEpochs} local epochs in batches of ${how.batchRows}; merged by ${merge.rule}.`,
      `${lineage.models} updates and merges lie behind it. Merged last from: ${lineage.inputs.map(({ name, model }) => `${name} ${model.slice(0, 12)}`).join(', ') || 'nothing'}.`,
    ],
  }
}

function use({ intendedUse }: ModelCard): Section {
  const { purpose, label, outOfScope } = intendedUse
  return {
    title: 'Intended use',
    says: [
      purpose,
      `It gives the probability that ${label.name} is "${label.positive}" and not "${label.negative}".`,
      ...outOfScope.map((text) => `Not for: ${text}`),
    ],
  }
}

function factors({ factors }: ModelCard): Section {
  const row = (feature: Feature): string[] =>
    feature.kind === 'number'
      ? [feature.name, feature.unit === '1' ? '–' : feature.unit, feature.range?.join(' to ') ?? 'any', feature.missing]
      : [feature.name, '–', feature.levels.join(', '), feature.missing]
  return {
    title: 'Factors',
    says: ['What it is told of a patient:'],
    table: { header: ['feature', 'unit', 'range or levels', 'missing'], rows: factors.map(row) },
  }
}

function data({ training }: ModelCard): Section {
  const { datasets, scaling } = training
  return {
    title: 'Training data',
    says: [
      'As each hospital declared it. A commitment is a salted digest of the table: the hospital can prove later that it was this one.',
      `Inputs are standardised with statistics of ${scaling.contributions} hospitals, frozen as ${scaling.digest}.`,
    ],
    table: {
      header: ['hospital', 'rows', 'train', 'rounds', 'in this model', 'commitment', 'entry'],
      rows: datasets.map((one) => [
        one.name,
        String(one.rows),
        String(one.trainRows),
        String(one.rounds),
        one.inThisModel ? 'yes' : 'no',
        one.commitment,
        one.entry,
      ]),
    },
  }
}

function metrics({ metrics }: ModelCard): Section[] {
  const { sites, minimumCohort, records } = metrics
  const shown = {
    title: 'Metrics',
    says: [
      `Each hospital's newest model on its own held-out patients, as it recorded it. Nothing of fewer than ${minimumCohort} patients is told.`,
    ],
    table: {
      header: ['hospital', 'patients', 'AUC', 'accuracy', 'log-loss', 'calibration error', 'rounds', 'entry'],
      rows: sites.map((one) => [
        one.name,
        one.examples === null ? `fewer than ${minimumCohort}` : String(one.examples),
        ...[one.auc, one.accuracy, one.logLoss, one.calibrationError].map(measure),
        String(one.rounds),
        one.entry,
      ]),
    },
  }
  if (records.length === 0) return [shown]
  const rows = records.map(({ name, kind, entry }) => [name, kind, entry])
  const says = ['Recorded besides; the card as JSON has what they say, and "consilium log show" prints each.']
  return [shown, { title: 'Further evaluations', says, table: { header: ['hospital', 'kind', 'entry'], rows } }]
}

function privacy({ privacy }: ModelCard): Section {
  const { claims, notCovered } = privacy
  const rows = claims.map(({ name, claim, entry }) => {
    const said = Object.entries(claim).map(([key, value]) => `${key} ${String(value)}`)
    return [name, said.join(', '), entry]
  })
  const none = 'No hospital declared differential privacy.'
  const says = [claims.length === 0 ? none : "What each hospital's newest update says of its privacy:", ...notCovered]
  return { title: 'Privacy', says, table: { header: ['hospital', 'claim', 'entry'], rows } }
}

function usage({ uses }: ModelCard): Section {
  const rows = uses.entries.map(({ entry, name, kind, timeMs, rows }) => [
    name,
    kind,
    rows === null ? '–' : String(rows),
    utc(timeMs),
    entry,
  ])
  const none = 'No export and no prediction is recorded.'
  const more = uses.leftOut > 0 ? ` ${uses.leftOut} older ones are left out.` : ''
  const says = [rows.length === 0 ? none : `Exports and predictions that are recorded.${more}`]
  return { title: 'Use', says, table: { header: ['hospital', 'what', 'rows', 'time', 'entry'], rows } }
}

function ending({ limits, verify, model }: ModelCard): Section[] {
  const { fingerprint, cut } = verify
  return [
    { title: 'Limits', says: limits },
    {
      title: 'How to verify',
      says: [
        `The consortium's fingerprint, to be compared by another way: ${fingerprint}.`,
        'A bundle of the logs ("consilium log export", at any member) is verified offline: "consilium log verify FILE --root FINGERPRINT". "consilium log show ENTRY" prints any entry named here.',
        `An exported file is this model where "consilium model verify FILE" names ${model.digest.slice(0, 16)}.`,
        'The logs as they were read for this card:',
      ],
      table: {
        header: ['log of', 'entries', 'root'],
        rows: cut.map(({ name, entries, root }) => [name, String(entries), root]),
      },
    },
  ]
}

function markdownTable({ header, rows }: Table): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(inMarkdown).join(' | ')} |`
  return [line(header), `|${header.map(() => '---|').join('')}`, ...rows.map(line)].join('\n')
}

function htmlTable({ header, rows }: Table): string {
  const line = (cells: readonly string[], tag: string): string =>
    `<tr>${cells.map((cell) => `<${tag}>${inHtml(cell)}</${tag}>`).join('')}</tr>`
  return `<table>\n${[line(header, 'th'), ...rows.map((row) => line(row, 'td'))].join('\n')}\n</table>`
}

/** Names and purposes are others' text: nothing of it may become markup. */
function inMarkdown(text: string): string {
  return text.replaceAll(/[\\`*_[\]<>|#&]/g, '\\$&').replaceAll(/\s+/g, ' ')
}

function inHtml(text: string): string {
  const names: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  }
  return text.replaceAll(/[&<>"']/g, (character) => names[character] as string)
}

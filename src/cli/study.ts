/** study: add, accept, bind, ls, show, pause, resume; the others of the group have files of their own. */
import { resolve } from 'node:path'
import { Command } from 'commander'
import type { BindReport, StudyReport } from '../daemon/api.ts'
import { readText } from '../daemon/files.ts'
import { phaseWord } from '../daemon/phaseWord.ts'
import { asideWords } from '../report/words.ts'
import { addCalled, type Loaders } from './loading.ts'
import { OUTLIER_COMMANDS } from './outliers.ts'
import { measure, short, table, utc } from './output.ts'
import { type Common, clientOf, command, outputOf, readsTable, type TableOptions } from './shared.ts'
import { standingLines } from './standing.ts'

/** The group `study`; all of it asks the running daemon. Errors: `study-…`, `data-…`, those of `parseStudy`. */
export function studyCommand(called?: string): Promise<Command> {
  const study = new Command('study').description('propose, accept and run studies')
  return addCalled(study, COMMANDS, called === undefined ? [] : [called])
}

const COMMANDS: Loaders = {
  add,
  accept,
  bind,
  ls: list,
  show,
  pause: () => pause('pause'),
  resume: () => pause('resume'),
  end,
  ...OUTLIER_COMMANDS,
  report: async () => (await import('./studyReport.ts')).reportCommand(),
  evaluate: async () => (await import('./studyReport.ts')).evaluateCommand(),
  privacy: async () => (await import('./studyPrivacy.ts')).privacy(),
  'audit-privacy': async () => (await import('./studyPrivacy.ts')).auditPrivacy(),
}

function add(): Command {
  return command(
    'add',
    'propose a study to the consortium (and accept it here)',
    'consilium study add memory.study.yaml',
  )
    .argument('<file>', 'study description in YAML')
    .option('--accept-text', 'keep text that looks like a date, an address or a number of a person: it is none', false)
    .action(async (file: string, options: Common & { acceptText: boolean }) => {
      const { parseStudy, studyDocument, studyIdOf } = await import('../config/study.ts')
      const study = parseStudy(await readText(file, 'study file', 'check the path'), file)
      const document = studyDocument(study)
      const id = studyIdOf(document)
      const { hint } = await clientOf(options).post<{ hint: string | null }>('/v1/studies', {
        document: Buffer.from(document).toString('base64'),
        acceptText: options.acceptText,
      })
      outputOf(options).print({ study: id, name: study.name, hint }, () => [
        `Proposed "${study.name}", and accepted it here. Its digest:`,
        `  ${id}`,
        'The others read it with "consilium study show", compare the digest, and run:',
        `  consilium study accept ${id}`,
        'Then bind your table:',
        `  consilium study bind ${short(id)} --data FILE`,
        ...(hint === null ? [] : ['', `Note: ${hint}.`]),
      ])
    })
}

function accept(): Command {
  return command('accept', 'accept a proposed study by its digest', 'consilium study accept 5f1e09ab34cd…')
    .argument('<digest>', 'the digest that the proposer gave you: all of it')
    .action(async (digest: string, options: Common) => {
      const report = await clientOf(options).post<{ study: string; name: string }>(
        `/v1/studies/${encodeURIComponent(digest)}/accept`,
      )
      outputOf(options).print(report, () => [
        `Accepted "${report.name}" (${short(report.study)}). Next: consilium study bind ${short(report.study)} --data FILE`,
      ])
    })
}

function bind(): Command {
  const bind = command(
    'bind',
    "bind this hospital's own table to a study: rows stay, counts and sums leave once, then model updates",
    'consilium study bind 5f1e09ab34cd --data patients.csv --column tau="Tau [ng/L]" --unit tau=ng/L',
  )
    .argument('<study>', "digest, at least 6 digits of it, or the study's name")
    .requiredOption('--data <file>', 'CSV file with a header line')
  const subject = "the column of the patients' record numbers, where the study asks for their consent"
  type Options = TableOptions & { readonly data: string; readonly subject?: string }
  return readsTable(bind)
    .option('--subject <column>', subject)
    .action(async (ref: string, options: Options) => {
      const body = {
        path: resolve(options.data),
        columns: options.column,
        units: options.unit,
        extra: options.ignoreExtra ? 'ignore' : 'refuse',
        ...(options.subject === undefined ? {} : { subject: options.subject }),
      }
      const report = await clientOf(options).post<BindReport>(`/v1/studies/${encodeURIComponent(ref)}/bind`, body)
      outputOf(options).print(report, () => bindLines(options.data, report))
    })
}

function bindLines(file: string, { study, summary, replaces, contributes, version }: BindReport): string[] {
  const rows = summary.features.map((feature) => {
    const missing = `${(feature.missingShare * 100).toFixed(0)} %`
    if (feature.kind === 'number') {
      const { values, unit } = feature
      return [
        feature.name,
        unit === '1' ? '–' : unit,
        missing,
        values === null ? '–' : `${values.min} … ${values.mean.toPrecision(4)} … ${values.max}`,
      ]
    }
    return [
      feature.name,
      '–',
      missing,
      feature.levels.map(({ level, rows }) => `${level} ${rows ?? '<cohort'}`).join(' · '),
    ]
  })
  const positives = summary.positives === null ? '' : `, ${summary.positives} of them positive`
  return [
    ...table(['feature', 'unit', 'missing', 'smallest … mean … largest, or rows per level'], rows),
    '',
    `Bound ${file} to study ${short(study)}: ${summary.rows} patients${positives}; ${summary.trainRows} train${summary.validationRows > 0 ? `, ${summary.validationRows} validate` : ''}, ${summary.testRows} are held out.`,
    version === null
      ? `Warning: it is no registered version of a dataset, so its rounds rest on this file alone: consilium dataset register ${file} --name NAME, then bind again`
      : `It is ${version.name}@${version.number}: the rounds of this study cite that version.`,
    ...(replaces ? ['It replaces the table that was bound before: the next round trains on this one.'] : []),
    contributes
      ? 'The rows stay in this file. Counts, sums and sums of squares go to the other members once; then model updates.'
      : 'The rows stay in this file. Their numbers (all rows, training rows) go to the other members; then model updates.',
  ]
}

function list(): Command {
  return command('ls', 'list all studies that are known here', 'consilium study ls').action(async (options: Common) => {
    const { studies } = await clientOf(options).get<{ studies: StudyReport[] }>('/v1/studies')
    outputOf(options).print(studies, () =>
      studies.length === 0
        ? ['No study has been proposed yet. Propose one: consilium study add FILE']
        : table(
            ['study', 'name', 'phase', 'rounds', 'accepted', 'bound', 'own AUC', 'proposed'],
            studies.map((s) => [
              short(s.id),
              s.name,
              s.paused ? 'paused' : phaseWord(s.phase),
              `${s.round}/${s.rounds}`,
              String(s.accepted.length),
              String(s.bound.length),
              measure(s.metrics?.auc),
              `${utc(s.proposedAtMs)} by ${s.proposedBy}`,
            ]),
            [3, 4, 5, 6],
          ),
    )
  })
}

function show(): Command {
  return command('show', 'show what a study asks for', 'consilium study show 5f1e09ab34cd')
    .argument('<study>', "digest, at least 6 digits of it, or the study's name")
    .action(async (ref: string, options: Common) => {
      const { report, document } = await clientOf(options).get<{ report: StudyReport; document: string }>(
        `/v1/studies/${encodeURIComponent(ref)}`,
      )
      const [{ studyFromDocument }, { describeStudy }] = await Promise.all([
        import('../config/study.ts'),
        import('../config/describe.ts'),
      ])
      const study = studyFromDocument(new Uint8Array(Buffer.from(document, 'base64')))
      outputOf(options).print({ ...report, study }, () => [
        `${report.id}`,
        `proposed by ${report.proposedBy} at ${utc(report.proposedAtMs)}; accepted by ${report.accepted.join(', ') || 'nobody'}; bound by ${report.bound.join(', ') || 'nobody'}`,
        `here: ${report.paused ? 'paused' : phaseWord(report.phase)}, ${report.round} of ${report.rounds} rounds${report.refusal === null ? '' : ` (${report.refusal})`}${cellWords(report)}`,
        ...privacyLines(report),
        ...report.outliers.map(({ name, merges, reason }) => {
          return `set aside: ${name}, in the last ${merges} merges: ${asideWords(reason)} (consilium study outliers ${short(report.id)})`
        }),
        ...(report.excluded.length > 0 ? [`excluded here: ${report.excluded.join(', ')}`] : []),
        ...standingLines(report),
        '',
        describeStudy(study),
      ])
    })
}

function cellWords({ cell }: StudyReport): string {
  return cell === null ? '' : `, in cell ${cell.cell + 1} of ${cell.of}, of ${cell.members} members`
}

function pause(verb: 'pause' | 'resume'): Command {
  const description =
    verb === 'pause' ? 'stop training in a study at once; nothing is lost' : 'go on with a paused study'
  return command(verb, description, `consilium study ${verb} 5f1e09ab34cd`)
    .argument('<study>', "digest, at least 6 digits of it, or the study's name")
    .action(async (ref: string, options: Common) => {
      const report = await clientOf(options).post<{ study: string; name: string }>(
        `/v1/studies/${encodeURIComponent(ref)}/${verb}`,
      )
      outputOf(options).print(report, () => [
        `${verb === 'pause' ? 'Paused' : 'Resumed'} "${report.name}" (${short(report.study)}).`,
      ])
    })
}

function end(): Command {
  return command(
    'end',
    'say that a study has run long enough: it ends when most of the hospitals that bound a table say so',
    'consilium study end 5f1e09ab34cd',
  )
    .argument('<study>', "digest, at least 6 digits of it, or the study's name")
    .action(async (ref: string, options: Common) => {
      const report = await clientOf(options).post<{ study: string; name: string; said: number; of: number }>(
        `/v1/studies/${encodeURIComponent(ref)}/end`,
      )
      outputOf(options).print(report, () => [
        `Said that "${report.name}" (${short(report.study)}) is enough; ${report.said} of ${report.of} hospitals have said so, more than half are needed.`,
      ])
    })
}

/** What was spent here; nothing where no private round was trained. */
function privacyLines({ privacy, roundsLeft }: Pick<StudyReport, 'privacy' | 'roundsLeft'>): string[] {
  if (privacy === null) return []
  const { epsilon, delta, sampleRate, noiseMultiplier } = privacy
  const left = roundsLeft === null ? '' : `; the budget allows ${roundsLeft} more rounds`
  return [
    `privacy spent here: ε ${epsilon.toPrecision(3)} at δ ${delta.toPrecision(2)} (q ${sampleRate.toPrecision(3)}, σ ${noiseMultiplier})${left}`,
  ]
}

/** log export: a bundle, or with --form entries in the forms that tools of others read, with a text that says what they are, and on request with proofs. */
import { rm } from 'node:fs/promises'
import { basename } from 'node:path'
import { PassThrough } from 'node:stream'
import type { Command } from 'commander'
import { ConsiliumError } from '../core/errors.ts'
import type { ViewPart, ViewReport } from '../daemon/api.ts'
import type { ResearchReport, SubjectReport } from '../daemon/consentApi.ts'
import { drained, requireAbsent, writeNew, writeNewFrom } from '../daemon/files.ts'
import { parseRoot } from '../ledger/bundleVerdict.ts'
import { type AboutExport, aboutLines } from '../report/exports/about.ts'
import { type AccountedPeriod, accountingOf } from '../report/exports/accounting.ts'
import { headerOf, linesOf, VIEWS, type ViewName } from '../report/exports/views.ts'
import type { Client } from './client.ts'
import { recordOf, SUBJECT } from './consent.ts'
import { judgeBundle, wrongBundle } from './logBundle.ts'
import { exportBundle, filterWords, writeBundle } from './logExport.ts'
import { queryOf, withFilter } from './logFilter.ts'
import { utc } from './output.ts'
import { type Common, clientOf, command, outputOf } from './shared.ts'

const FILE_MODE = 0o644 // it is made to be given away
const PRIVATE = 0o600
const SIX_YEARS_MS = 6 * 366 * 24 * 3_600_000 // 45 CFR 164.528(a)(1)
const HIPAA_FILTER = ['member', 'kind', 'study', 'state'] as const

/** What `log export` was given. */
interface ExportOptions extends Common {
  readonly out: string
  readonly gzip: boolean
  readonly form?: string
  readonly proofs: boolean
  readonly patient?: string
  readonly [option: string]: unknown
}

/** `log export`. Errors: those of `exportBundle` and `exportView`. */
export function exportEntries(): Command {
  return withFilter(
    command(
      'export',
      'write entries with their proofs to a bundle, which anybody can verify without a node; or with --form in the form of a regulator’s tools',
      'consilium log export --form fhir-audit --study 9f31c2 --proofs -o audit.ndjson',
    ),
  )
    .requiredOption('-o, --out <file>', 'the file; nothing is overwritten')
    .option('--gzip', 'pack the bundle; verifiers take it as it is', false)
    .option('--form <form>', `${VIEWS.join(', ')}: what is final, a line for each entry; hipaa: for one patient`)
    .option('--proofs', 'with --form: also write FILE.proofs, a bundle that proves every line', false)
    .option('--patient <id>', `with --form hipaa: ${SUBJECT}`)
    .action((options: ExportOptions) => {
      if (options.form !== undefined) return exportView(options)
      if (options.as !== undefined && isForm(options.as))
        throw wrongOption(`--as names the key of who acts: the form is --form ${options.as}`)
      if (options.proofs) throw wrongOption('--proofs goes with --form: a bundle has its proofs in it')
      if (options.patient !== undefined) throw wrongOption('--patient goes with --form hipaa')
      return exportBundle(options)
    })
}

const isForm = (word: string): boolean => word === 'hipaa' || (VIEWS as readonly string[]).includes(word)

/** Writes a view. Errors: `bad-view`, `bad-option`, `file-exists`, `disk-full`, `file-not-writable`, `export-broken-off`, those of the filter. */
async function exportView(options: ExportOptions): Promise<void> {
  const { form: given = '', gzip, proofs, patient } = options
  if (gzip) throw wrongOption('--gzip goes with a bundle: leave it out with --form, and pack the file afterwards')
  if (given === 'hipaa') return exportAccounting(options)
  if (patient !== undefined) throw wrongOption('--patient goes with --form hipaa: the other exports name no patient')
  const view = VIEWS.find((one) => one === given)
  if (view === undefined)
    throw new ConsiliumError({
      code: 'bad-view',
      message: `--form: "${given.slice(0, 40)}" given; ${VIEWS.join(', ')}, hipaa are allowed`,
    })
  await requireAbsent([options.out, aboutFile(options.out), ...(proofs ? [proofsFile(options.out)] : [])])
  const report = proofs ? await writeProven(view, options) : await writePlain(view, options)
  await writeAbout(options.out, {
    ...{ view, consortium: report.consortium, fingerprint: report.fingerprint, proven: proofs },
    ...{ filter: filterWords(report), lines: report.lines, entries: report.entries },
  })
  const files = [options.out, aboutFile(options.out), ...(proofs ? [proofsFile(options.out)] : [])]
  outputOf(options).print({ files, ...report }, () => viewLines(files, report))
}

const proofsFile = (file: string): string => `${file}.proofs`
const aboutFile = (file: string): string => `${file}.about.txt`

/** It names the files as they lie beside each other, wherever they are taken. */
function writeAbout(path: string, about: Omit<AboutExport, 'file' | 'proofs'> & { proven: boolean }): Promise<void> {
  const file = basename(path)
  const proofs = about.proven ? proofsFile(file) : null
  return writeNew(aboutFile(path), `${aboutLines({ ...about, file, proofs }).join('\n')}\n`, FILE_MODE)
}

function viewLines([file, about, proofs]: readonly string[], report: ViewReport): string[] {
  const { entries, lines, logs, fingerprint } = report
  return [
    `${file}: ${lines} ${lines === 1 ? 'line' : 'lines'} from ${entries} ${entries === 1 ? 'entry' : 'entries'} of ${logs} ${logs === 1 ? 'log' : 'logs'}`,
    ...(entries === 0 ? ['No entry matches.'] : []),
    `filter       ${filterWords(report)}`,
    `fingerprint  ${fingerprint}`,
    `${about} says what it is, and what it is not.`,
    ...(proofs === undefined
      ? ['Without proofs: --proofs writes them beside it, a proof for every line.']
      : [
          '',
          'Whoever gets both files checks every line without a node:',
          `  consilium log check-export ${file} --root "${fingerprint}"`,
          ...(report.filter.state === 'pending' ? ['None of it is final: that is said then, with exit code 1.'] : []),
        ]),
    'As declared by the hospitals in their logs.',
  ]
}

/** As the daemon makes it. */
async function writePlain(view: ViewName, options: ExportOptions): Promise<ViewReport> {
  const stop = stopping()
  let report: ViewReport | null = null
  const query = new URLSearchParams(queryOf(options))
  query.set('form', view)
  const pieces = async function* (client: Client): AsyncIterable<string> {
    for await (const part of client.follow<ViewPart>(`/v1/log/view?${query}`, stop)) {
      if ('text' in part) yield part.text
      else {
        report = part.report
        return
      }
    }
    throw brokenOff(stop)
  }
  await writeNewFrom(options.out, pieces(clientOf(options)), FILE_MODE)
  return report as unknown as ViewReport // the file is renamed only after it has come
}

/** A bundle first; then the view is made from what was verified of it, so that every line is one that the proofs bear out. */
async function writeProven(view: ViewName, options: ExportOptions): Promise<ViewReport> {
  const proofs = proofsFile(options.out)
  const { filter, fingerprint, consortium, logs, entries } = await writeBundle(
    options,
    { ...options, state: options.state ?? 'final' },
    { out: proofs, gzip: false },
  )
  let lines = 0
  const out = new PassThrough()
  out.write(headerOf(view))
  const judging = judgeBundle(
    proofs,
    parseRoot(fingerprint),
    (entry, state, _, of) => {
      const made = linesOf(view, entry, state, of)
      lines += made.length
      out.write(made.join(''))
    },
    () => drained(out),
  ).then((verdict) => {
    if (verdict.verdict === 'wrong') throw wrongBundle(proofs, verdict)
    out.end()
  })
  judging.catch((error: Error) => out.destroy(error))
  try {
    await writeNewFrom(options.out, out, FILE_MODE)
    await judging
  } catch (error) {
    await rm(proofs, { force: true }) // half of what was asked for would be taken for all of it
    throw error
  }
  return { view, consortium, fingerprint, filter, entries, lines, logs }
}

/** For one patient: from this hospital's log and vault. Errors: `bad-option`, `vault-…`. */
async function exportAccounting(options: ExportOptions): Promise<void> {
  const { out, patient, proofs } = options
  if (patient === undefined)
    throw wrongOption(
      '--form hipaa: an accounting is of one patient: --patient RECORD, or - to read the number from standard input',
    )
  if (proofs)
    throw wrongOption(
      '--proofs: a line of an accounting sums up many entries; "consilium subject report --out" writes what proves them',
    )
  const unfit = HIPAA_FILTER.find((name) => options[name] !== undefined)
  if (unfit !== undefined)
    throw wrongOption(`--${unfit}: an accounting is of all studies of this hospital; --since and --until are allowed`)
  await requireAbsent([out, aboutFile(out)])
  const client = clientOf(options)
  const subject = await recordOf(patient)
  const { studies, unknown } = await askedOf(client, subject)
  const { consortium } = await client.get<{ consortium: { name: string; fingerprint: string } }>('/v1/status')
  const period = {
    sinceMs: Number(options.since ?? Date.now() - SIX_YEARS_MS),
    untilMs: Number(options.until ?? Date.now()),
  }
  if (period.untilMs <= period.sinceMs)
    throw wrongOption('--until is not after --since, so the period is empty: turn them round')
  const research = await client.get<ResearchReport>(`/v1/research?since=${period.sinceMs}&until=${period.untilMs}`)
  const { lines, entries } = accountingOf({ studies, research: research.studies }, period)
  await writeNew(out, lines.join(''), PRIVATE)
  const [said, counts] = [periodWords(period), { lines: lines.length - 1, entries }]
  const filter = `one patient of this hospital; ${said}${unknown === null ? '' : `; studies that asked patients left out: ${unknown}`}`
  await writeAbout(out, {
    ...{ view: 'hipaa', consortium: consortium.name, fingerprint: consortium.fingerprint, proven: false },
    ...{ filter, ...counts },
  })
  const files = [out, aboutFile(out)]
  outputOf(options).print({ files, ...period, ...counts, unknown }, () => [
    `${out}: ${counts.lines === 1 ? '1 line' : `${counts.lines} lines`} from ${entries === 1 ? '1 update' : `${entries} updates`}, ${said}: what ${research.hospital} knows of disclosures that rest, or may rest, on this patient's records`,
    ...(unknown === null ? [] : [`Studies that asked patients are not in it: ${unknown}.`]),
    ...(lines.length === 1 ? ['No update went out in that time, as far as the log knows.'] : []),
    `${aboutFile(out)} says what it is, and what it cannot know.`,
    'Give it to the patient, or to who speaks for the patient, and to nobody else.',
  ])
}

/** The studies that asked this patient; of one whom the vault does not know, why there are none: what may rest on the rows is told all the same. */
async function askedOf(
  client: Client,
  subject: string,
): Promise<{ readonly studies: SubjectReport['studies']; readonly unknown: string | null }> {
  try {
    return { studies: (await client.post<SubjectReport>('/v1/subjects/report', { subject })).studies, unknown: null }
  } catch (error) {
    if (!(error instanceof ConsiliumError) || !UNKNOWN.has(error.code)) throw error
    return { studies: [], unknown: error.message }
  }
}

const UNKNOWN: ReadonlySet<string> = new Set(['subject-unknown', 'subject-forgotten'])

/** The period as people read it. */
const periodWords = ({ sinceMs, untilMs }: AccountedPeriod): string =>
  `from ${utc(sinceMs)} until before ${utc(untilMs)}`

function stopping(): AbortSignal {
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())
  return stop.signal
}

function brokenOff(signal: AbortSignal): ConsiliumError {
  const why = signal.aborted
    ? 'stopped before the file was whole: nothing was written'
    : 'the daemon ended before the file was whole: nothing was written; run the export again when the daemon is back'
  return new ConsiliumError({ code: 'export-broken-off', message: why })
}

function wrongOption(message: string): ConsiliumError {
  return new ConsiliumError({ code: 'bad-option', message })
}

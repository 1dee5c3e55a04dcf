/** consent: grant, deny, revoke, show, receipt, import, export. Patients' record numbers go to the daemon alone. */
import { join, resolve } from 'node:path'
import { text as readAll } from 'node:stream/consumers'
import { Command, InvalidArgumentError } from 'commander'
import { type DuoCode, duoLabel } from '../core/duo.ts'
import { ConsiliumError } from '../core/errors.ts'
import type { PatientReport, ReceiptReport, RestartReport, SaidReport, WordReport } from '../daemon/consentApi.ts'
import { requireAbsent, writeNew } from '../daemon/files.ts'
import { short, table, utc } from './output.ts'
import { type Common, clientOf, command, outputOf } from './shared.ts'

type Saying = Common & {
  readonly subject: string
  readonly study?: string
  readonly trial?: string
  readonly purpose?: readonly string[]
  readonly from?: number
  readonly to?: number
  readonly effective?: number
  readonly by: string
  readonly speaker?: string
  readonly form?: string
}

const FILE = { import: 'a Consent, a list, a Bundle, or NDJSON', export: 'JSON, made new' } as const
/** How a patient is named. */
export const SUBJECT = 'record number; "-" reads it from standard input, so that no shell keeps it'

/** The group `consent`; all of it asks the running daemon. Errors: `consent-…`, `subject-…`, `vault-…`. */
export function consentCommand(): Command {
  const consent = new Command('consent').description(
    'record what patients say about the use of their records, and what follows',
  )
  for (const sub of [say('grant'), say('deny'), say('revoke'), show(), receipt(), importing(), exporting(), restart()])
    consent.addCommand(sub)
  return consent
}

const VERBS = {
  grant: 'record that a patient agrees; it counts from the next round on',
  deny: 'record that a patient refuses; it binds the next round here, whoever else can be reached',
  revoke: 'record that a patient takes back what was agreed to; it binds the next round here, as a denial does',
} as const

function say(verb: keyof typeof VERBS): Command {
  return command(verb, VERBS[verb], `echo 4711 | consilium consent ${verb} --subject - --purpose DUO:0000006`)
    .requiredOption('--subject <id>', SUBJECT)
    .option(
      '--study <study>',
      'one study alone: digest, at least 6 digits of it, or its name; all where it is left out',
    )
    .option('--trial <trial>', 'one clinical trial alone: its name, or digits of its digest')
    .option('--purpose <code...>', 'codes of the Data Use Ontology; all purposes where it is left out')
    .option('--from <date>', 'the period in which it holds begins then: 2026-11-22 or 2026-11-22T10:00Z', date)
    .option('--to <date>', 'and ends before then, such as when a minor comes of age', date)
    .option('--effective <date>', 'when it takes effect, where that is not now', date)
    .option('--by <who>', 'subject, proxy, guardian, court or emergency', 'subject')
    .option('--speaker <text>', 'who speaks for the patient; it stays in the vault')
    .option('--form <code>', 'what it was given on: a word of your own list', 'in-person')
    .action(async ({ home, json, as, passphraseFile, subject, purpose, ...options }: Saying) => {
      const body = {
        ...options,
        decision: verb === 'grant' ? 'permit' : 'deny',
        subject: await recordOf(subject),
        ...(purpose === undefined ? {} : { purposes: purpose }),
      }
      const report = await clientOf({ home, json, as, passphraseFile }).post<SaidReport>('/v1/consent', body)
      outputOf({ home, json }).print(report, () => saidLines(verb, report, options.trial))
    })
}

function show(): Command {
  return command(
    'show',
    'show what a patient said, and what holds now in each study',
    'echo 4711 | consilium consent show --subject -',
  )
    .requiredOption('--subject <id>', SUBJECT)
    .action(async (options: Common & { subject: string }) => {
      const report = await clientOf(options).post<PatientReport>('/v1/consent/show', {
        subject: await recordOf(options.subject),
      })
      outputOf(options).print(report, () => patientLines(report))
    })
}

function receipt(): Command {
  return command(
    'receipt',
    'write a receipt of what a patient said: a page to read and print, and JSON-LD (ISO/IEC TS 27560)',
    'echo 4711 | consilium consent receipt --subject - --out receipt-0042',
  )
    .requiredOption('--subject <id>', SUBJECT)
    .requiredOption('--out <folder>', 'where receipt.html and receipt.jsonld are written; nothing is overwritten')
    .action(async (options: Common & { subject: string; out: string }) => {
      const files = { page: join(options.out, 'receipt.html'), document: join(options.out, 'receipt.jsonld') }
      await requireAbsent(Object.values(files))
      const subject = await recordOf(options.subject)
      const { page, document, ...told } = await clientOf(options).post<ReceiptReport>('/v1/consent/receipt', {
        subject,
      })
      await writeNew(files.page, page, 0o600)
      await writeNew(files.document, `${JSON.stringify(document, null, 2)}\n`, 0o600)
      outputOf(options).print({ ...files, ...told }, () => [
        `Wrote ${files.page}, to read and to print, and ${files.document}, for machines.`,
        `${told.words} ${told.words === 1 ? 'word' : 'words'}, ${told.recorded} of them told in the ledger. Neither file has the record number; both say who spoke.`,
      ])
    })
}

function restart(): Command {
  return command(
    'restart',
    'begin anew where the vault is lost or an older copy: everybody counts as having said no until they are heard again',
    'consilium consent restart --reason vault-lost',
  )
    .requiredOption('--reason <code>', 'vault-lost, key-lost or vault-older')
    .action(async (options: Common & { reason: string }) => {
      const report = await clientOf(options).post<RestartReport>('/v1/consent/restart', { reason: options.reason })
      const { words, kept } = report
      outputOf(options).print(report, () => [
        `Begun anew: ${words === 1 ? '1 word of a patient that the log tells of is' : `${words} words of patients that the log tells of are`} lost. No rows of a patient are used in any study that asks, opt-out too, until that patient has said yes again.`,
        'Patients have other keys now, and those who were erased are not known as such any more: do not bind their rows.',
        ...(kept === null
          ? []
          : [`The vault that could not serve is kept as ${kept}; delete it, or keep it until its key is found.`]),
      ])
    })
}

function importing(): Command {
  return command(
    'import',
    'record what patients said in FHIR Consent resources (R4 or R5): all of the file, or nothing',
    'consilium consent import consents.ndjson',
  )
    .argument('<file>', FILE.import)
    .action(async (file: string, options: Common) => {
      const report = await clientOf(options).post<{ consents: number; patients: number }>('/v1/consent/import', {
        path: resolve(file),
      })
      outputOf(options).print(report, () => [
        `Recorded ${report.consents} consents of ${report.patients} patients. The next round here goes by them.`,
      ])
    })
}

function exporting(): Command {
  return command(
    'export',
    "write every patient's words as a Bundle of FHIR R4; it has record numbers",
    'consilium consent export consents.json',
  )
    .argument('<file>', FILE.export)
    .action(async (file: string, options: Common) => {
      const report = await clientOf(options).post<{ consents: number }>('/v1/consent/export', { path: resolve(file) })
      outputOf(options).print(report, () => [
        `Wrote ${report.consents} consents to ${file}. Whoever reads it learns who said what.`,
      ])
    })
}

/** `-`: the one line of standard input. Errors: `subject-missing`, `subject-many`. */
export async function recordOf(given: string): Promise<string> {
  if (given !== '-') return given
  const lines = (await readAll(process.stdin)).split(/\r?\n/).map((line) => line.trim())
  const [record, ...more] = lines.filter((line) => line !== '')
  if (record === undefined)
    throw new ConsiliumError({ code: 'subject-missing', message: 'standard input has no record number' })
  if (more.length === 0) return record
  const message = `standard input has ${more.length + 1} lines, and one record number is wanted: nothing was done; give one at a time`
  throw new ConsiliumError({ code: 'subject-many', message })
}

function date(given: string): number {
  const shape = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d)?(?:Z|[+-]\d\d:\d\d))?$/
  const ms = shape.test(given) ? Date.parse(given) : Number.NaN
  if (Number.isNaN(ms) || ms < 0)
    throw new InvalidArgumentError('2026-11-22 (its beginning, UTC) or 2026-11-22T10:00Z is expected.')
  return ms
}

function saidLines(verb: string, said: SaidReport, trial: string | undefined): string[] {
  const { study, effectiveAtMs, receivedAtMs } = said
  const what = `${said.purposes === null ? 'all purposes' : said.purposes.join(', ')}, ${study === null ? 'all studies' : `${trial === undefined ? 'study' : 'trial'} ${short(study)}`}`
  const when = effectiveAtMs === receivedAtMs ? 'from now on' : `from ${utc(effectiveAtMs)} on`
  const word = { grant: 'Granted', deny: 'Denied', revoke: 'Revoked' }[verb]
  return [
    `${word}: ${what}, ${when}. ${trial === undefined ? 'The next round here goes by it' : 'Enrolment and treatment here go by it'}. The log has a sealed word that tells neither who nor what.`,
  ]
}

/** A patient's words as a table. */
export function wordsTable(words: readonly WordReport[]): string[] {
  if (words.length === 0) return ['Said nothing yet.']
  return table(
    ['', 'said', 'purposes', 'study', 'holds', 'by', 'received', 'effective', 'form', 'entry'],
    words.map((word, i) => [
      String(i + 1),
      word.decision,
      word.purposes === null ? 'all' : word.purposes.map((code) => duoLabel(code as DuoCode)).join('; '),
      word.study === null ? 'all' : short(word.study),
      periodOf(word),
      word.speaker === null ? word.by : `${word.by}: ${word.speaker}`,
      utc(word.receivedAtMs),
      utc(word.effectiveAtMs),
      word.form,
      word.entry ?? 'not yet',
    ]),
  )
}

function periodOf({ fromMs, toMs }: WordReport): string {
  if (fromMs === null && toMs === null) return 'always'
  return [...(fromMs === null ? [] : [`from ${utc(fromMs)}`]), ...(toMs === null ? [] : [`before ${utc(toMs)}`])].join(
    ' ',
  )
}

function patientLines({ words, studies }: PatientReport): string[] {
  const rows = studies.map(({ study, name, basis, permitted, rule }) => [
    short(study),
    name,
    permitted ? 'may use the rows' : 'may not use the rows',
    rule === null ? `nothing said: ${basis}` : `word ${rule + 1}`,
  ])
  return [...wordsTable(words), '', ...table(['study', 'name', 'now', 'because'], rows)]
}

/** consent: grant, deny, revoke, show; subject: erase. Patients' record numbers go to the daemon alone. */
import { text as readAll } from 'node:stream/consumers'
import { Command, InvalidArgumentError } from 'commander'
import { type DuoCode, duoLabel } from '../core/duo.ts'
import { ConsiliumError } from '../core/errors.ts'
import type { ErasedReport, PatientReport, SaidReport, WordReport } from '../daemon/consentApi.ts'
import { short, table, utc } from './output.ts'
import { type Common, clientOf, command, outputOf } from './shared.ts'

type Saying = Common & {
  readonly subject: string
  readonly study?: string
  readonly purpose?: readonly string[]
  readonly from?: number
  readonly to?: number
  readonly effective?: number
  readonly by: string
  readonly speaker?: string
  readonly form?: string
}

const SUBJECT = 'record number; "-" reads it from standard input, so that no shell keeps it'

/** The group `consent`; all of it asks the running daemon. Errors: `consent-…`, `subject-…`, `vault-…`. */
export function consentCommand(): Command {
  const consent = new Command('consent').description(
    'record what patients say about the use of their records, and what follows',
  )
  for (const sub of [say('grant'), say('deny'), say('revoke'), show()]) consent.addCommand(sub)
  return consent
}

/** The group `subject`. Errors: `subject-…`, `vault-…`. */
export function subjectCommand(): Command {
  const subject = new Command('subject').description('what became of one patient’s records here')
  for (const sub of [erase()]) subject.addCommand(sub)
  return subject
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
    .option('--purpose <code...>', 'codes of the Data Use Ontology; all purposes where it is left out')
    .option('--from <date>', 'the period in which it holds begins then: 2026-11-22 or 2026-11-22T10:00Z', date)
    .option('--to <date>', 'and ends before then', date)
    .option('--effective <date>', 'when it takes effect, where that is not now', date)
    .option('--by <who>', 'subject, proxy or guardian', 'subject')
    .option('--speaker <text>', 'who the proxy or guardian is; it stays in the vault')
    .option('--form <code>', 'what it was given on: a word of your own list', 'in-person')
    .action(async ({ home, json, subject, purpose, ...options }: Saying) => {
      const body = {
        ...options,
        decision: verb === 'grant' ? 'permit' : 'deny',
        subject: await recordOf(subject),
        ...(purpose === undefined ? {} : { purposes: purpose }),
      }
      const report = await clientOf({ home, json }).post<SaidReport>('/v1/consent', body)
      outputOf({ home, json }).print(report, () => saidLines(verb, report))
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

function erase(): Command {
  return command(
    'erase',
    "destroy a patient's key and words for good; the rows are not used any more, and no older copy of the vault opens",
    'echo 4711 | consilium subject erase - --reason patient-request',
  )
    .argument('<id...>', SUBJECT)
    .requiredOption('--reason <code>', 'patient-request, erasure-order, retention-ended or entered-by-mistake')
    .action(async (ids: string[], options: Common & { reason: string }) => {
      const subjects = ids.includes('-') ? await Promise.all(ids.map(recordOf)) : ids
      const report = await clientOf(options).post<ErasedReport>('/v1/subjects/erase', {
        subjects,
        reason: options.reason,
      })
      outputOf(options).print(report, () => [
        `Erased: the keys and words of ${report.subjects} ${report.subjects === 1 ? 'patient' : 'patients'} are destroyed. What the log has of them can be opened and linked by nobody who holds no copy.`,
        'The key of the vault was replaced: back it up again. Models that had learnt from the rows are what they were: see consilium subject report, before.',
      ])
    })
}

/** `-`: the first line of standard input. Error: `subject-missing`. */
export async function recordOf(given: string): Promise<string> {
  if (given !== '-') return given
  const [line = ''] = (await readAll(process.stdin)).split(/\r?\n/)
  if (line.trim() !== '') return line.trim()
  throw new ConsiliumError({
    code: 'subject-missing',
    message: 'standard input has no record number in its first line',
  })
}

function date(given: string): number {
  const shape = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d)?(?:Z|[+-]\d\d:\d\d))?$/
  const ms = shape.test(given) ? Date.parse(given) : Number.NaN
  if (Number.isNaN(ms) || ms < 0)
    throw new InvalidArgumentError('2026-11-22 (its beginning, UTC) or 2026-11-22T10:00Z is expected.')
  return ms
}

function saidLines(verb: string, said: SaidReport): string[] {
  const { study, effectiveAtMs, receivedAtMs } = said
  const what = `${said.purposes === null ? 'all purposes' : said.purposes.join(', ')}, ${study === null ? 'all studies' : `study ${short(study)}`}`
  const when = effectiveAtMs === receivedAtMs ? 'from now on' : `from ${utc(effectiveAtMs)} on`
  const word = { grant: 'Granted', deny: 'Denied', revoke: 'Revoked' }[verb]
  return [
    `${word}: ${what}, ${when}. The next round here goes by it. The log has a sealed word that tells neither who nor what.`,
  ]
}

/** A patient's words as a table. */
export function wordsTable(words: readonly WordReport[]): string[] {
  if (words.length === 0) return ['Said nothing yet.']
  return table(
    ['', 'said', 'purposes', 'study', 'holds', 'by', 'received', 'effective', 'form'],
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

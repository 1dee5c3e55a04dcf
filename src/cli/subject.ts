/** subject: report, key, bundle, erase. What became of one patient's records, and what lets the patient check it. */
import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { Command } from 'commander'
import { type DuoCode, duoLabel } from '../core/duo.ts'
import type {
  ErasedReport,
  PatientFile,
  SubjectKeyReport,
  SubjectReport,
  SubjectStudyReport,
} from '../daemon/consentApi.ts'
import { requireAbsent, writeNew } from '../daemon/files.ts'
import { recordOf, SUBJECT, wordsTable } from './consent.ts'
import { writeBundle } from './logExport.ts'
import { sinceMs } from './logFilter.ts'
import { short, size, utc } from './output.ts'
import { type Common, clientOf, command, outputOf } from './shared.ts'

const PRIVATE = 0o600
const PAGE = 'scripts/verifier/my_data.html'

/** The group `subject`. Errors: `subject-…`, `vault-…`, `file-exists`. */
export function subjectCommand(): Command {
  const subject = new Command('subject').description('what became of one patient’s records here')
  for (const sub of [report(), key(), bundle(), erase()]) subject.addCommand(sub)
  return subject
}

function report(): Command {
  return command(
    'report',
    'tell a patient who used the records here, when, for what, and which models came of it',
    'echo 4711 | consilium subject report - --out patient.json',
  )
    .argument('<id>', SUBJECT)
    .option(
      '--out <file>',
      'also write the patient file: what lets the patient check it, with the own key, without a network',
    )
    .action(async (id: string, options: Common & { out?: string }) => {
      if (options.out !== undefined) await requireAbsent([options.out])
      const [client, subject] = [clientOf(options), await recordOf(id)]
      const found = await client.post<SubjectReport>('/v1/subjects/report', { subject })
      const file = options.out === undefined ? null : await client.post<PatientFile>('/v1/subjects/file', { subject })
      if (options.out !== undefined) await writeNew(options.out, `${JSON.stringify(file)}\n`, PRIVATE)
      outputOf(options).print(found, () => [
        ...reportLines(found),
        ...(file === null ? [] : ['', ...fileLines(resolve(options.out as string), file)]),
      ])
    })
}

const MODELS_SHOWN = 5 // the newest; --json has all

function reportLines({ hospital, words, studies }: SubjectReport): string[] {
  return [
    `What ${hospital} declares of this patient's records, ${utc(Date.now())}`,
    '',
    ...wordsTable(words),
    ...studies.flatMap((study) => ['', ...studyLines(study)]),
    '',
    'A revocation ends the use from the next round on; what a model has learnt before stays in it.',
  ]
}

function studyLines({
  study,
  name,
  purpose,
  purposes,
  basis,
  permittedNow,
  rounds,
  models,
}: SubjectStudyReport): string[] {
  const uses = purposes.map((code) => duoLabel(code as DuoCode)).join('; ')
  const [first, last] = [rounds[0], rounds.at(-1)]
  const members = [...new Set(models.map(({ member }) => member))].sort()
  return [
    `"${name}" (${short(study)}): ${purpose.replace(/[\s.;]+$/, '')}; used for ${uses}; ${basis}; ${permittedNow ? 'may use the records now' : 'may not use the records now'}`,
    first === undefined || last === undefined
      ? '  no round used them'
      : `  ${rounds.length} rounds used them, from ${utc(first.timeMs)} (${first.entry}) to ${utc(last.timeMs)} (${last.entry})`,
    ...(models.length === 0
      ? []
      : [`  ${models.length} merged models of ${members.join(', ')} descend from those rounds; the newest:`]),
    ...models
      .slice(-MODELS_SHOWN)
      .map(({ member, round, model, entry }) => `    ${short(model)}  round ${round + 1} at ${member} (${entry})`),
  ]
}

function fileLines(path: string, { words, studies }: PatientFile): string[] {
  const openings = studies.reduce((sum, study) => sum + study.openings.length, 0)
  return [
    `Wrote ${path}: it opens ${words.length} words and the patient's place in ${openings} sets of rounds, and nothing of anybody else.`,
    `The patient checks it with the own key (consilium subject key), a bundle of any member (consilium subject bundle) and the page ${PAGE}.`,
  ]
}

function key(): Command {
  return command(
    'key',
    "hand a patient the patient's own key, with which what the logs have of the patient is found",
    'echo 4711 | consilium subject key - --out key.txt',
  )
    .argument('<id>', SUBJECT)
    .requiredOption('--out <file>', 'text to print or to hand over; nothing is overwritten')
    .action(async (id: string, options: Common & { out: string }) => {
      await requireAbsent([options.out])
      const subject = await recordOf(id)
      const found = await clientOf(options).post<SubjectKeyReport>('/v1/subjects/key', { subject })
      await writeNew(options.out, keyText(found), PRIVATE)
      const { key: _, ...from } = found
      outputOf(options).print({ file: options.out, ...from }, () => [
        `Wrote ${options.out}. Give it to the patient, or to who speaks for the patient, and to nobody else; then delete it here.`,
      ])
    })
}

function keyText({ key: own, hospital, consortium, fingerprint }: SubjectKeyReport): string {
  return `Key of one patient of ${hospital}, in the consortium ${consortium}

    ${own}

(Capitals, digits and dashes alone: it fits a small QR code. I, O and Z are letters; there is no 0, 1, 8 or 9 after the first dash.)

With this key, and a file that every hospital of the consortium can export for you ("consilium subject bundle"), the page
my_data.html shows on any computer, without a network, what the hospitals' logs say of the use of your records. The patient file
of ${hospital} ("consilium subject report --out") tells more: which rounds used them, and what you had said.

Whoever holds this key can look up the same. Keep it as you would keep a letter about your health. It opens no health record, and
nobody can agree or refuse in your name with it.

Fingerprint of the consortium, to compare with what the page shows: ${fingerprint}
`
}

/** What a patient may ask about, of all members: words, tables, rounds, merges, what was done with models, and what studies are about. */
const KINDS = [
  'consent.recorded',
  'consent.restarted',
  'dataset.bound',
  'model',
  'round.merged',
  'round.trained',
  'study.proposed',
  'subject.erased',
]

function bundle(): Command {
  return command(
    'bundle',
    'write what patients may ask about, of all members, with proofs: any member can, for any patient; nobody is named in it',
    'consilium subject bundle --out patients.bundle',
  )
    .requiredOption('-o, --out <file>', 'the bundle; nothing is overwritten')
    .option('--since <time>', 'only from then on, where the logs are long: 2026-11-21, or 90d ago', sinceMs)
    .option('--gzip', 'pack it; verifiers take it as it is', false)
    .action(async ({ out, gzip, since, ...common }: Common & { out: string; gzip: boolean; since?: string }) => {
      const whole = await writeBundle(common, { kind: KINDS.join(','), since }, { out, gzip })
      const { size: bytes } = await stat(out)
      outputOf(common).print({ file: out, bytes, ...whole }, () => [
        `${out}: ${whole.entries} entries of ${whole.logs} logs, ${size(bytes)}. The same file serves every patient, and names none.`,
        ...(since === undefined
          ? []
          : ['What was recorded before that time is not in it: words of before cannot be checked with it.']),
        `fingerprint  ${whole.fingerprint}`,
        '',
        `A patient opens the page ${PAGE} on any computer, and gives it this file and the own key.`,
        'The fingerprint is what ties it to this consortium: give it to them another way than the file.',
      ])
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

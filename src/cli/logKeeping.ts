/** log prune, redact, redactions, correct: which bodies of entries go, by age and by order, and what is said of one that is wrong. */
import { type Command, Option } from 'commander'
import { parseStudy, studyDocument } from '../config/study.ts'
import type { CorrectReport, PruneReport, RedactionReport, RedactReport } from '../daemon/api.ts'
import { readText } from '../daemon/files.ts'
import { CORRECTION_REASONS } from '../governance/kinds/keeping.ts'
import { REDACTION_REASONS } from '../governance/retention.ts'
import { table, utc } from './output.ts'
import { type Common, clientOf, command, outputOf } from './shared.ts'

interface RedactOptions extends Common {
  readonly reason: string
  readonly with?: string
  readonly acceptText: boolean
}

/** `log prune`: what the node does by itself once a day. */
export function prune(): Command {
  return command(
    'prune',
    'drop the bodies of entries that are older than config.yaml keeps them (retention); hashes stay, and it is recorded',
    'consilium log prune --dry-run',
  )
    .option('--dry-run', 'say what would go, and drop nothing', false)
    .action(async (options: Common & { dryRun: boolean }) => {
      const report = await clientOf(options).post<PruneReport>('/v1/log/prune', { dryRun: options.dryRun })
      outputOf(options).print(report, () => pruneLines(report))
    })
}

/** `log redact`: takes back the body of an own entry, here and at every member. Errors: `redaction-…`, those of `log show`. */
export function redact(): Command {
  return command(
    'redact',
    "drop the body of an entry of this node's own log for good, here and at every member that hears of it; its hash stays",
    'consilium log redact St.Mary/17 --reason erasure-order',
  )
    .argument('<ref>', "MEMBER/NUMBER, or at least 8 digits of the entry's hash")
    .addOption(new Option('--reason <code>', 'why').choices(REDACTION_REASONS).makeOptionMandatory())
    .option('--with <file>', 'of a study that was proposed: its file without what is to go from name or purpose')
    .option('--accept-text', 'keep text in that file that looks like personal data: it is none', false)
    .action(async (ref: string, options: RedactOptions) => {
      const { reason, acceptText } = options
      const instead = options.with === undefined ? {} : { document: await documentIn(options.with), acceptText }
      const report = await clientOf(options).post<RedactReport>('/v1/log/redact', { ref, reason, ...instead })
      outputOf(options).print(report, () => [
        `Redacted ${ref} (${report.kind}, ${report.reason}): its body is gone here, and goes at each other member when this log reaches it.`,
        'Its header and hash stay. Backups, exports and members under legal hold may still have the body.',
      ])
    })
}

/** `log redactions`: who took what back, when and why. */
export function redactions(): Command {
  return command(
    'redactions',
    'list what members have redacted, when and why, and whether it is gone here',
    'consilium log redactions',
  ).action(async (options: Common) => {
    const { redactions: found } = await clientOf(options).get<{ redactions: RedactionReport[] }>('/v1/log/redactions')
    const rows = found.map((one) => [
      utc(one.timeMs),
      one.name,
      one.of,
      one.kind,
      one.reason,
      one.gone ? (one.instead ? 'gone, told otherwise' : 'gone') : 'still here: legal hold, or it may not go',
      one.ref,
    ])
    outputOf(options).print(found, () =>
      rows.length === 0
        ? ['Nothing was redacted, as far as the logs here tell.']
        : table(['time', 'by', 'entry', 'kind', 'why', 'body', 'recorded in'], rows),
    )
  })
}

/** `log correct`: says of an own entry that it is wrong, and which other own entry holds. Errors: `correction-…`, those of `log show`. */
export function correct(): Command {
  return command(
    'correct',
    "record that an entry of this node's own log is wrong, and which later one holds; both stay, and each is shown with the other",
    'consilium log correct St.Mary/17 --with St.Mary/24 --reason wrong-value',
  )
    .argument('<ref>', 'the entry that is wrong')
    .requiredOption('--with <ref>', 'the later entry that says what holds')
    .addOption(new Option('--reason <code>', 'why').choices(CORRECTION_REASONS).makeOptionMandatory())
    .action(async (ref: string, options: Common & { with: string; reason: string }) => {
      const { with: by, reason } = options
      const report = await clientOf(options).post<CorrectReport>('/v1/log/correct', { ref, with: by, reason })
      outputOf(options).print(report, () => [
        `Recorded: ${ref} (${report.kind}) is corrected by ${by} (${report.reason}). Both stay in the log; "log show" names the one beside the other.`,
      ])
    })
}

async function documentIn(file: string): Promise<string> {
  const study = parseStudy(await readText(file, 'study file', 'check the path'), file)
  return Buffer.from(studyDocument(study)).toString('base64')
}

function pruneLines({ dryRun, legalHold, keepDays, disputed, logs }: PruneReport): string[] {
  const days = keepDays.map((each) => `${each.class} ${each.days === 'unlimited' ? 'unlimited' : `${each.days} days`}`)
  const lines = [`Bodies are kept (config.yaml, retention): ${days.join(', ')}; what decides stays for ever.`]
  if (legalHold === true) lines.push('Everything is under legal hold: nothing goes.')
  else if (Array.isArray(legalHold) && legalHold.length > 0)
    lines.push(`Under legal hold: ${legalHold.length} studies, of which nothing goes.`)
  if (disputed.length > 0) lines.push(`In dispute, and left as they are: the logs of ${disputed.join(', ')}.`)
  if (logs.length === 0) return [...lines, dryRun ? 'Nothing would go.' : 'Nothing went.']
  const rows = logs.map(({ name, class: kind, before, entries }) => [name, kind, utc(before), String(entries)])
  return [...lines, ...table(['log of', 'class', 'older than', dryRun ? 'would go' : 'went'], rows, [3])]
}

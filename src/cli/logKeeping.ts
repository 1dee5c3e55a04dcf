/** log prune and log redact: which bodies of entries go, by age and by order. */
import { type Command, Option } from 'commander'
import type { PruneReport, RedactReport } from '../daemon/api.ts'
import { REDACTION_REASONS } from '../governance/retention.ts'
import { table, utc } from './output.ts'
import { type Common, clientOf, command, outputOf } from './shared.ts'

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
    .action(async (ref: string, options: Common & { reason: string }) => {
      const report = await clientOf(options).post<RedactReport>('/v1/log/redact', { ref, reason: options.reason })
      outputOf(options).print(report, () => [
        `Redacted ${ref} (${report.kind}, ${report.reason}): its body is gone here, and goes at each other member when this log reaches it.`,
        'Its header and hash stay. Backups, exports and members under legal hold may still have the body.',
      ])
    })
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

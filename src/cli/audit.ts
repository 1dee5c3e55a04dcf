/** audit: round, check. On whose word a round rested, and that everybody's was obeyed. */
import { resolve } from 'node:path'
import { Command } from 'commander'
import { ConsiliumError } from '../core/errors.ts'
import type { AuditReport } from '../daemon/consentApi.ts'
import { parseRoot } from '../ledger/bundleVerdict.ts'
import { auditBundle, type OfflineAudit } from './auditBundle.ts'
import { EXIT_UNCHECKED } from './logBundle.ts'
import { short, utc } from './output.ts'
import { type Common, clientOf, command, outputOf } from './shared.ts'

/** The group `audit`. Exit code 1 where something does not fit. Errors: `audit-…`, `entry-unknown`, `vault-…`. */
export function auditCommand(): Command {
  const audit = new Command('audit').description('check that the rounds of a study used nobody who had said no')
  for (const sub of [round(), check()]) audit.addCommand(sub)
  return audit
}

function round(): Command {
  return command(
    'round',
    "make the set of patients of one of this hospital's rounds again from its vault, and compare it with the round's entry",
    'consilium audit round "St. Mary"/412 --open round-412.jsonl',
  )
    .argument('<ref>', 'an entry of kind round.trained: MEMBER/NUMBER, or digits of its hash')
    .option('--open <file>', 'write what an auditor checks: all words and leaves, and not who said them')
    .action(async (ref: string, options: Common & { open?: string }) => {
      const open = options.open === undefined ? {} : { open: resolve(options.open) }
      told(options, await clientOf(options).post<AuditReport>('/v1/audit/round', { ref, ...open }))
    })
}

function check(): Command {
  return command(
    'check',
    "check a file that a hospital opened, against that hospital's log as this node has it, or as a bundle has it",
    'consilium audit check round-412.jsonl --bundle patients.bundle --root "08fc c65f 7636 …"',
  )
    .argument('<file>', 'what "consilium audit round --open" wrote')
    .option(
      '--bundle <file>',
      'check it with no node and no network: what "consilium subject bundle" wrote, at any member',
    )
    .option('--root <fingerprint>', "with --bundle: the consortium's fingerprint, got another way")
    .action(async (file: string, { bundle, root, ...common }: Common & { bundle?: string; root?: string }) => {
      if (bundle === undefined) {
        requireNoRoot(root)
        return told(common, await clientOf(common).post<AuditReport>('/v1/audit/check', { path: resolve(file) }))
      }
      const { report, facts } = await auditBundle(file, bundle, root === undefined ? null : parseRoot(root))
      if (facts.verdict === 'consistent') process.exitCode = EXIT_UNCHECKED
      told(common, report, bundleLines(bundle, facts))
    })
}

/** Error: `bad-root`. */
function requireNoRoot(root: string | undefined): void {
  if (root === undefined) return
  const message = '--root: it says which consortium a bundle has to be of: give --bundle with it, or leave it out'
  throw new ConsiliumError({ code: 'bad-root', message })
}

function bundleLines(file: string, { verdict, consortium, made }: OfflineAudit['facts']): string[] {
  const { name, fingerprint } = consortium
  return [
    `Against ${file}, exported ${made.replace('T', ' ').replace('Z', ' UTC')} as it says: every line of it holds; ${
      verdict === 'good'
        ? `it is of ${name}, which --root names.`
        : `identity not checked: compare ${fingerprint} with a fingerprint that you got another way.`
    }`,
    'That it leaves out no entry cannot be seen in it, beyond the count of words that the entries themselves keep.',
  ]
}

function told(options: Common, report: AuditReport, more: readonly string[] = []): void {
  outputOf(options).print(report, () => [...auditLines(report), ...more])
  if (report.faults.length > 0) process.exitCode = 1
}

function auditLines(report: AuditReport): string[] {
  const { entry, member, study, basis, patients, permitted, rows, denials, recorded, unopened, erased, faults, state } =
    report
  return [
    `Round ${report.round + 1} of study ${short(study)} at ${member}, ${utc(report.timeMs)} (${entry}, ${state}), ${basis}:`,
    `  root in the entry   ${report.declared}`,
    `  root made again     ${report.root}`,
    `  ${patients} patients in the set, ${permitted} of them permitted, with ${rows} rows; ${erased} were erased since and cannot be opened`,
    `  ${recorded} words that the log told of before the round, ${unopened} of them opened by nobody`,
    `  ${denials} of the words opened say no`,
    ...faults.map((fault) => `  WRONG: ${fault}`),
    faults.length === 0
      ? 'Every word was obeyed that was recorded before the round. As declared by the hospital: the log cannot see which rows a program read.'
      : `${faults.length} of this does not fit.`,
  ]
}

/** audit: round, check, people. On whose word a round rested, that everybody's was obeyed, and who signed for what was done. */
import { resolve } from 'node:path'
import { Command } from 'commander'
import { ConsiliumError } from '../core/errors.ts'
import type { AuditReport } from '../daemon/consentApi.ts'
import type { PeopleAudit } from '../daemon/peopleApi.ts'
import { parseRoot } from '../ledger/bundleVerdict.ts'
import { auditBundle, type OfflineAudit } from './auditBundle.ts'
import { EXIT_UNCHECKED } from './logBundle.ts'
import { short, table, utc } from './output.ts'
import { type Common, clientOf, command, outputOf } from './shared.ts'

/** The group `audit`. Exit code 1 where something does not fit. Errors: `audit-…`, `entry-unknown`, `vault-…`. */
export function auditCommand(): Command {
  const audit = new Command('audit').description(
    'check that rounds used nobody who had said no, and who signed for what was done',
  )
  for (const sub of [round(), check(), people()]) audit.addCommand(sub)
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

function people(): Command {
  return command(
    'people',
    'check every sign-off in the logs, and that nothing was done without one where people sign',
    'consilium audit people --member "St. Mary"',
  )
    .option('--member <member>', "only this member's log")
    .action(async (options: Common & { member?: string }) => {
      const query = options.member === undefined ? '' : `?member=${encodeURIComponent(options.member)}`
      const { logs } = await clientOf(options).get<{ logs: PeopleAudit[] }>(`/v1/audit/people${query}`)
      outputOf(options).print(logs, () => peopleLines(logs))
      if (logs.some(({ faults }) => faults.length > 0)) process.exitCode = 1
    })
}

const RESET = 'who has the data folder declared all enrolments void, and nobody signed for that'

function peopleLines(logs: readonly PeopleAudit[]): string[] {
  const rows = logs.map((log) => [
    log.name,
    log.requiredSince ?? 'nobody has to',
    ...[log.enrolled, log.signOffs, log.unsigned].map(String),
    log.faults.length === 0 ? 'holds' : `${log.faults.length + log.moreFaults} do not fit`,
  ])
  return [
    ...table(['log of', 'people sign since', 'people now', 'sign-offs', 'without', 'verdict'], rows, [2, 3, 4]),
    ...logs.flatMap(({ resets }) => resets.map(({ entry, reason }) => `RESET ${entry}: ${RESET} (${reason})`)),
    ...logs.flatMap(({ faults }) => faults.map(({ entry, what }) => `WRONG ${entry}: ${what}`)),
    '',
    'Each signature was verified under the key that its hospital had enrolled. Who holds a key, and that the entry does what was asked, is as',
    'declared by the hospital.',
  ]
}

function told(options: Common, report: AuditReport, more: readonly string[] = []): void {
  outputOf(options).print(report, () => [...auditLines(report), ...more])
  if (report.faults.length > 0) process.exitCode = 1
}

function auditLines(report: AuditReport): string[] {
  const { entry, member, study, basis, patients, permitted, rows, denials, recorded, unopened, erased } = report
  const { sinceMs, faults, state } = report
  return [
    `Round ${report.round + 1} of study ${short(study)} at ${member}, ${utc(report.timeMs)} (${entry}, ${state}), ${basis}:`,
    `  root in the entry   ${report.declared}`,
    `  root made again     ${report.root}`,
    `  ${patients} patients in the set, ${permitted} of them permitted, with ${rows} rows; ${erased} were erased since and cannot be opened`,
    `  words that the log told of before the round: ${recorded}; opened by nobody: ${unopened}`,
    `  words opened that say no: ${denials}; each patient's were judged ${sinceMs === null ? 'at' : `from ${utc(sinceMs)}, before which the round cannot have begun, to`} the time of its entry`,
    ...faults.map((fault) => `  WRONG: ${fault}`),
    faults.length === 0
      ? 'Every word was obeyed that was recorded before the round. As declared by the hospital: the log cannot see which rows a program read.'
      : `${faults.length} of this does not fit.`,
  ]
}

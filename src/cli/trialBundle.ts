/** trial check: goes through a trial at a node, or through an exported bundle with no node and no network. */
import type { Command } from 'commander'
import { ConsiliumError } from '../core/errors.ts'
import type { MemberId } from '../core/ids.ts'
import { squeeze } from '../daemon/squeeze.ts'
import type { TrialCheckReport } from '../daemon/trialApi.ts'
import { checkReport, type Telling } from '../daemon/trialReports.ts'
import { PEOPLE_KINDS } from '../governance/kinds/people.ts'
import { TRIAL_KINDS } from '../governance/kinds/trials.ts'
import { TrialBook } from '../governance/trials/book.ts'
import { severalText, trialsMeant } from '../governance/trials/naming.ts'
import { type BundleFilter, takesKind } from '../ledger/bundle.ts'
import { parseRoot } from '../ledger/bundleVerdict.ts'
import { EXIT_UNCHECKED, judgeBundle, wrongBundle } from './logBundle.ts'
import { type Common, clientOf, command, outputOf } from './shared.ts'
import { TRIAL, trialPath } from './trialReference.ts'
import { checkLines } from './trialText.ts'

/** `trial check`. */
export function checkCommand(): Command {
  return command(
    'check',
    'go through all of a trial: signatures, approvals, positions, allocations, openings, locks; and name what does not fit',
    'consilium trial check stroke-2 --bundle all.bundle --root "08fc c65f …"',
  )
    .argument('<trial>', TRIAL)
    .option('--bundle <file>', 'of "consilium log export": no node is asked')
    .option('--root <digits>', "the consortium's fingerprint, got another way")
    .addHelpText(
      'after',
      '\nExit code 1 where anything does not fit, 3 where a bundle holds and nobody said which consortium it has to be of.',
    )
    .action(async (ref: string, options: Common & { bundle?: string; root?: string }) => {
      if (options.bundle === undefined) {
        const report = await clientOf(options).get<TrialCheckReport>(trialPath(ref, 'check'))
        outputOf(options).print(report, () => checkLines(report))
        if (report.findingsInAll > 0) process.exitCode = 1
        return
      }
      const { report, good } = await checkBundle(ref, options.bundle, options.root ?? null)
      outputOf(options).print({ ...report, identity: good ? 'good' : 'not checked' }, () => [
        ...checkLines(report),
        good
          ? 'The bundle is of the consortium that --root names.'
          : 'The bundle is consistent; identity not checked: give the fingerprint with --root.',
      ])
      if (report.findingsInAll > 0) process.exitCode = 1
      else if (!good) process.exitCode = EXIT_UNCHECKED
    })
}

/** Errors: `trial-unknown`, `trial-ambiguous`, `trial-bundle`, `bundle-…`, `bad-root`. */
async function checkBundle(
  ref: string,
  file: string,
  root: string | null,
): Promise<{ report: TrialCheckReport; good: boolean }> {
  let read: { book: TrialBook; founding: Telling['founding'] } | null = null
  const finals = new Map<MemberId, number>()
  const verdict = await judgeBundle(file, root === null ? null : parseRoot(root), (entry, state, founding) => {
    read ??= { book: new TrialBook(founding), founding }
    if (entry.kind.startsWith('trial.') || entry.kind.startsWith('person.')) read.book.tell(entry)
    if (state === 'final') finals.set(entry.author, Math.max(finals.get(entry.author) ?? 0, entry.seq + 1))
  })
  if (verdict.verdict === 'wrong') throw wrongBundle(file, verdict)
  requireWhole(file, verdict.filter)
  const { book, founding } = (read ?? { book: null, founding: null }) as {
    book: TrialBook | null
    founding: Telling['founding'] | null
  }
  const nameOf = (member: MemberId): string =>
    verdict.logs.find((log) => log.member === member)?.name ?? member.slice(0, 12)
  const found = book === null ? [] : trialsMeant(book, ref, null)
  const [record] = found
  if (found.length > 1)
    throw new ConsiliumError({ code: 'trial-ambiguous', message: `${file}: ${severalText(ref, found, nameOf)}` })
  if (book === null || founding === null || record === undefined)
    throw new ConsiliumError({ code: 'trial-unknown', message: `${file}: "${ref.slice(0, 80)}" is no trial in it` })
  const final = (author: MemberId): number => finals.get(author) ?? 0
  const telling: Telling = {
    ...{ self: null, founding, nameOf, names: new Map(), cut: { final, known: () => Number.POSITIVE_INFINITY } },
    refOf: (member, seq) => `${squeeze(nameOf(member))}/${seq}`,
  }
  return { report: checkReport(book, record, telling), good: verdict.verdict === 'good' }
}

const NEEDED = [...Object.keys(TRIAL_KINDS), ...Object.keys(PEOPLE_KINDS)]

/** A filter that leaves entries out would let a broken rule pass. Error: `trial-bundle`. */
function requireWhole(file: string, { members, kind, study, sinceMs, untilMs, state }: BundleFilter): void {
  const kinds = kind === null || NEEDED.every((one) => takesKind(kind, one))
  if (members === null && kinds && study === null && sinceMs === null && untilMs === null && state === null) return
  const message = `${file}: its filter leaves out what the check needs: make it with "consilium log export --kind trial,person", or without a filter`
  throw new ConsiliumError({ code: 'trial-bundle', message })
}

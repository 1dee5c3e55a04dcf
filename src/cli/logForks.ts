/** log forks: keys that contradict themselves, with the evidence, and the other history as far as it is kept. */
import type { Command } from 'commander'
import { ConsiliumError } from '../core/errors.ts'
import { writeNew } from '../daemon/files.ts'
import type {
  BranchReport,
  ContradictionReport,
  CosignerReport,
  ForkHeadReport,
  ForkReport,
  ForksReport,
} from '../daemon/forkApi.ts'
import { gist } from './logFilter.ts'
import { table, utc } from './output.ts'
import { type Common, clientOf, command, outputOf } from './shared.ts'

interface Options extends Common {
  readonly out?: string
  readonly branch?: true
}

/** `log forks`; ends with 1 where there is something to show. Errors: `member-unknown`, `bad-option`, `file-exists`, `file-not-writable`. */
export function forks(): Command {
  return command(
    'forks',
    'show whose key signed or cosigned conflicting heads, with the evidence',
    'consilium log forks --out evidence.json',
  )
    .argument('[member]', "only this member's: its name, or at least 6 digits of its key")
    .option('-o, --out <file>', 'write the evidence, and with --branch the entries, to a file')
    .option('--branch', "instead show the entries that are kept of the member's other history")
    .action(async (member: string | undefined, options: Options) => {
      if (options.branch === undefined) return showForks(member, options)
      if (member === undefined)
        throw new ConsiliumError({ code: 'bad-option', message: '--branch goes with a member: name it' })
      return showBranches(member, options)
    })
}

async function showForks(member: string | undefined, options: Options): Promise<void> {
  const query = member === undefined ? '' : `?member=${encodeURIComponent(member)}`
  const report = await clientOf(options).get<ForksReport>(`/v1/log/forks${query}`)
  const found = [...report.forks, ...report.cosigners, ...report.contradictions]
  await print(found, options, () => [
    ...(found.length === 0 ? ['No key is known to have signed or cosigned conflicting heads.'] : []),
    ...report.forks.flatMap(forkLines),
    ...report.cosigners.flatMap(cosignerLines),
    ...report.contradictions.flatMap(contradictionLines),
  ])
  if (found.length > 0) process.exitCode = 1
}

async function showBranches(member: string, options: Options): Promise<void> {
  const path = `/v1/log/branch?member=${encodeURIComponent(member)}`
  const { branches } = await clientOf(options).get<{ branches: BranchReport[] }>(path)
  await print(branches, options, () =>
    branches.length === 0 ? ['No other history of this log is kept here.'] : branches.flatMap(branchLines),
  )
}

async function print(value: unknown[], options: Options, lines: () => string[]): Promise<void> {
  const { out } = options
  if (out !== undefined) await writeNew(out, `${JSON.stringify(value, null, 2)}\n`, 0o644)
  outputOf(options).print(value, () => [...lines(), ...(out === undefined ? [] : [`Wrote ${out}`])])
}

/** As it is said to an operator; the last line says whom to call. */
export function forkLines({ name, member, differWithin, finalSize, possibleRestore, heads }: ForkReport): string[] {
  return [
    `${name}: one key signed conflicting heads (${member})`,
    ...heads.flatMap((head) => [`  a head of ${head.size} entries with root ${head.root}`, `    ${keptWords(head)}`]),
    `  they differ within the first ${differWithin} entries; ${finalSize} entries of this log are final here and stay so`,
    possibleRestore
      ? '  no final entry is contradicted: possibly a folder put back from an old backup; call that hospital, it needs a new key'
      : '  a final entry is contradicted: this key, or whoever has it, told two histories; call that hospital',
    '',
  ]
}

function keptWords({ kept, from, entries }: ForkHeadReport): string {
  if (kept === null) return 'nothing of this history has been served by a member yet'
  if (kept === 'branch') return `kept beside the log: ${entries} entries from number ${from} on, where it parts`
  return from === null ? 'this history is the log here' : `the log here: ${entries} entries from number ${from} on`
}

/** As it is said to an operator. */
export function cosignerLines({ name, member, authorName, size, roots }: CosignerReport): string[] {
  return [
    `${name}: one key cosigned conflicting heads (${member})`,
    ...roots.map(({ root, timeMs }) => `  ${size} entries of ${authorName} with root ${root}, at ${utc(timeMs)}`),
    '  no honest witness does: call that hospital; its own log is not in question by this',
    '',
  ]
}

/** As it is said to an operator. */
export function contradictionLines({ name, member, size, root, proven }: ContradictionReport): string[] {
  return [
    `${name}: a final head contradicts what is stored here (${member})`,
    `  a quorum signed ${size} entries with root ${root}; it is not taken for final here`,
    proven
      ? '  the evidence that one key signed both histories is above'
      : '  the other members are asked for what proves that one key signed both histories',
    '',
  ]
}

function branchLines({ name, size, root, from, complete, entries }: BranchReport): string[] {
  return [
    `${name}: the history that is not the log here, from entry ${from} on, under the head of ${size} entries with root ${root}`,
    ...(complete ? [] : ['  not all of it: no member has served the rest, or it is more than is kept']),
    ...table(
      ['time', 'entry', 'kind', 'hash', 'says'],
      entries.map(({ timeMs, ref, kind, hash, body }) => [utc(timeMs), ref, kind, hash.slice(0, 12), gist(body)]),
    ),
    '',
  ]
}

/** log: ls, show, tail, verify, export and more, for any member's log on any node. */
import { Command } from 'commander'
import { ConsiliumError } from '../core/errors.ts'
import type { EntryDetails, EntryReport, VerifyReport } from '../daemon/api.ts'
import type { SignedForReport } from '../daemon/peopleApi.ts'
import { addCalled, type Loaders } from './loading.ts'
import { proveEntry } from './logExport.ts'
import { gist, queryOf, withFilter } from './logFilter.ts'
import { LOG_REPORTS } from './logReports.ts'
import { short, table, utc } from './output.ts'
import { type Common, clientOf, command, outputOf } from './shared.ts'

interface Filter extends Common {
  readonly [name: string]: string | boolean | undefined
}

/** The group `log`; all of it but `verify FILE` and `check-export` asks the running daemon. Errors of `log verify`: `log-wrong`, naming the first log that is; those of `replayMerges`. */
export function logCommand(called?: string): Promise<Command> {
  const log = new Command('log').description('read, verify and keep the logs of all members')
  return addCalled(log, COMMANDS, called === undefined ? [] : [called])
}

const COMMANDS: Loaders = {
  ls: list,
  show,
  tail,
  verify,
  export: async () => (await import('./exportViews.ts')).exportEntries(),
  'check-export': async () => (await import('./checkExport.ts')).checkExport(),
  proof: proveEntry,
  ...LOG_REPORTS,
  prune: async () => (await import('./logKeeping.ts')).prune(),
  redact: async () => (await import('./logKeeping.ts')).redact(),
  redactions: async () => (await import('./logKeeping.ts')).redactions(),
  correct: async () => (await import('./logKeeping.ts')).correct(),
}

function list(): Command {
  return withFilter(
    command(
      'ls',
      'list the newest entries, oldest first',
      'consilium log ls --member "St. Mary" --kind round.merged --since 2d',
    ),
  )
    .option('-n, --limit <count>', 'how many', '40')
    .action(async (options: Filter) => {
      const { entries } = await clientOf(options).get<{ entries: EntryReport[] }>(`/v1/log?${queryOf(options)}`)
      outputOf(options).print(entries, () => (entries.length === 0 ? ['No entry matches.'] : entryTable(entries)))
    })
}

function show(): Command {
  return command('show', 'show one entry, what it cites and what cites it', 'consilium log show St.Mary/17')
    .argument('<ref>', "MEMBER/NUMBER, or at least 8 digits of the entry's hash")
    .action(async (ref: string, options: Common) => {
      const entry = await clientOf(options).get<EntryDetails>(`/v1/log/entry?ref=${encodeURIComponent(ref)}`)
      outputOf(options).print(entry, () => detailLines(entry))
    })
}

function tail(): Command {
  return withFilter(command('tail', 'print the newest entries, a line each', 'consilium log tail -f --kind round'))
    .option('-n, --limit <count>', 'how many', '10')
    .option('-f, --follow', 'go on with those that come, until Ctrl-C', false)
    .action(async (options: Filter) => {
      const print = (entry: EntryReport): void => {
        process.stdout.write(`${options.json ? JSON.stringify(entry) : lineOf(entry).join('  ')}\n`)
      }
      const client = clientOf(options)
      if (!options.follow) {
        const { entries } = await client.get<{ entries: EntryReport[] }>(`/v1/log?${queryOf(options)}`)
        return entries.forEach(print)
      }
      const stop = new AbortController()
      process.once('SIGINT', () => stop.abort())
      for await (const entry of client.follow<EntryReport>(`/v1/log/follow?${queryOf(options)}`, stop.signal))
        print(entry)
    })
}

interface VerifyOptions extends Common {
  readonly member?: string
  readonly full?: true
  readonly replay?: true
  readonly root?: string
}

function verify(): Command {
  return command(
    'verify',
    'verify the logs stored here, or a bundle, which needs no node',
    'consilium log verify 2026.bundle --root "08fc c65f 7636 4473 b231 9a83 072b 6665"',
  )
    .argument('[file]', 'a bundle that "consilium log export" wrote')
    .option('--member <member>', "only this member's log")
    .option('--full', 'recompute every entry from the first')
    .option('--replay', 'instead recompute the merges from the updates that are kept here')
    .option('--root <fingerprint>', "the consortium's fingerprint, got another way: what ties a bundle to reality")
    .action(async (file: string | undefined, options: VerifyOptions) => {
      if (file !== undefined) return (await import('./logBundle.ts')).verifyBundle(file, options.root, options)
      if (options.root !== undefined)
        throw new ConsiliumError({ code: 'bad-option', message: '--root goes with a bundle: name its file' })
      if (options.replay) return (await import('./logReplay.ts')).replayMerges(options)
      const query = new URLSearchParams()
      if (options.member !== undefined) query.set('member', options.member)
      if (!options.full) query.set('quick', '1')
      const { logs } = await clientOf(options).get<{ logs: VerifyReport[] }>(`/v1/log/verify?${query}`)
      outputOf(options).print(logs, () => [
        ...table(
          ['log of', 'entries', 'recomputed', 'final', 'root', 'ms', 'verdict'],
          logs.map((log) => [
            log.name,
            String(log.entries),
            String(log.recomputed),
            String(log.final),
            log.root === null ? '–' : short(log.root),
            log.milliseconds.toFixed(0),
            log.ok ? 'verified' : (log.fault ?? 'wrong'),
          ]),
          [1, 2, 3, 5],
        ),
        '',
        options.full
          ? 'Every hash, link, root and signature was recomputed.'
          : 'Signatures, quorums and roots were checked, the roots from kept hashes of older entries; --full recomputes every entry.',
      ])
      const wrong = logs.find((log) => !log.ok)
      if (wrong !== undefined)
        throw new ConsiliumError({ code: 'log-wrong', message: `log of ${wrong.name}: ${wrong.fault}` })
    })
}

function entryTable(entries: readonly EntryReport[]): string[] {
  return table(['time', 'entry', 'kind', 'study', 'state', 'says'], entries.map(lineOf))
}

function lineOf(entry: EntryReport): string[] {
  return [
    utc(entry.timeMs),
    entry.ref,
    entry.kind,
    entry.study === null ? '–' : short(entry.study),
    entry.state,
    gist(entry.body),
  ]
}

function detailLines(entry: EntryDetails): string[] {
  return [
    `${entry.ref}  ${entry.kind}`,
    `author   ${entry.name}  ${entry.member}`,
    `time     ${utc(entry.timeMs)} (by the author's clock)   lamport ${entry.lamport}   ${entry.bytes} bytes`,
    `hash     ${entry.hash}`,
    `previous ${entry.prev}`,
    ...(entry.study === null ? [] : [`study    ${entry.study}`]),
    `state    ${stateLine(entry)}`,
    `cites    ${entry.refs.join(' ') || '–'}`,
    `cited by ${entry.citedBy.join(' ') || '–'}`,
    ...(entry.signedFor === null ? [] : [`signed   ${signedLine(entry.signedFor)}`]),
    ...entry.remarks.map(
      ({ ref, kind, by, reason, timeMs }) =>
        `${kind === 'redacted' ? 'REDACTED' : 'CORRECTED'} ${by === null ? 'by its author' : `by ${by}`}, ${utc(timeMs)}: ${reason} (${ref})`,
    ),
    'body',
    ...JSON.stringify(entry.body, null, 2)
      .split('\n')
      .map((line) => `  ${line}`),
  ]
}

/** `off by Dr. Ada Lind, person 3f2a91c07d44 (approver): study.accept, …; verified`. */
function signedLine({ person, name, roles, action, signedAtMs, entry, fault }: SignedForReport): string {
  const who = person === null ? 'nobody who is enrolled' : `person ${short(person)} (${roles.join(', ')})`
  const verdict = fault === null ? 'verified under the key that its hospital enrolled' : `DOES NOT HOLD: ${fault}`
  return `off by ${name === null ? '' : `${name}, `}${who}: ${action}, ${utc(signedAtMs)} (${entry}); ${verdict}`
}

/** What the state means for this entry. */
function stateLine({ state, witnessedAtMs, witnesses, name }: EntryDetails): string {
  if (state === 'final' && witnessedAtMs !== null)
    return `final: ${[name, ...witnesses].join(', ')} signed for it, by ${utc(witnessedAtMs)} (the median of their clocks)`
  const meaning = {
    local: 'durable here; no other member is known to hold it',
    replicated: 'held by other members too; a quorum has not signed for it yet',
    final: 'a quorum has signed for it',
    disputed: 'its log is frozen, for one key signed conflicting heads; see "consilium log forks"',
  }
  return `${state}: ${meaning[state]}`
}

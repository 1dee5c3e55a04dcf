/** log: ls, show, tail, verify, for any member's log on any node. */
import { Command } from 'commander'
import { ConsiliumError } from '../core/errors.ts'
import type { EntryDetails, EntryReport, VerifyReport } from '../daemon/api.ts'
import { verifyBundle } from './logBundle.ts'
import { short, table, utc } from './output.ts'
import { type Common, clientOf, command, outputOf } from './shared.ts'

interface Filter extends Common {
  readonly member?: string
  readonly kind?: string
  readonly study?: string
  readonly limit: string
}

/** The group `log`; all of it asks the running daemon. Error of `log verify`: `log-wrong`, naming the first log that is. */
export function logCommand(): Command {
  const log = new Command('log').description('read and verify the logs of all members')
  for (const sub of [list(), show(), tail(), verify()]) log.addCommand(sub)
  return log
}

function filtered(name: string, description: string, example: string): Command {
  return command(name, description, example)
    .option('--member <member>', "only this member's log: its name, or at least 6 digits of its key")
    .option('--kind <kind>', 'only this kind, or kinds that begin with it: round.merged, round, study')
    .option('--study <study>', 'only this study: its name, or at least 6 digits of its digest')
}

function list(): Command {
  return filtered(
    'ls',
    'list the newest entries, oldest first',
    'consilium log ls --member "St. Mary" --kind round.merged',
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
  return filtered('tail', 'print entries as they come, until Ctrl-C', 'consilium log tail --kind round')
    .option('-n, --limit <count>', 'how many older ones to begin with', '10')
    .action(async (options: Filter) => {
      const stop = new AbortController()
      process.once('SIGINT', () => stop.abort())
      for await (const entry of clientOf(options).follow<EntryReport>(
        `/v1/log/follow?${queryOf(options)}`,
        stop.signal,
      )) {
        process.stdout.write(`${options.json ? JSON.stringify(entry) : lineOf(entry).join('  ')}\n`)
      }
    })
}

function verify(): Command {
  return command(
    'verify',
    'recompute every hash, link, root and signature of the logs stored here, or of a bundle, which needs no node',
    'consilium log verify 2026.bundle --root "08fc c65f 7636 4473 b231 9a83 072b 6665"',
  )
    .argument('[file]', 'a bundle that "consilium log export" wrote')
    .option('--member <member>', "only this member's log")
    .option('--root <fingerprint>', "the consortium's fingerprint, got another way: what ties a bundle to reality")
    .action(async (file: string | undefined, options: Common & { member?: string; root?: string }) => {
      if (file !== undefined) return verifyBundle(file, options.root, options)
      if (options.root !== undefined)
        throw new ConsiliumError({ code: 'bad-option', message: '--root goes with a bundle: name its file' })
      const query = options.member === undefined ? '' : `?member=${encodeURIComponent(options.member)}`
      const { logs } = await clientOf(options).get<{ logs: VerifyReport[] }>(`/v1/log/verify${query}`)
      outputOf(options).print(logs, () =>
        table(
          ['log of', 'entries', 'root', 'ms', 'verdict'],
          logs.map((log) => [
            log.name,
            String(log.entries),
            log.root === null ? '–' : short(log.root),
            log.milliseconds.toFixed(0),
            log.ok ? 'verified' : (log.fault ?? 'wrong'),
          ]),
          [1, 3],
        ),
      )
      const wrong = logs.find((log) => !log.ok)
      if (wrong !== undefined)
        throw new ConsiliumError({ code: 'log-wrong', message: `log of ${wrong.name}: ${wrong.fault}` })
    })
}

function queryOf({ member, kind, study, limit }: Filter): string {
  const given = Object.entries({ member, kind, study, limit }).filter(
    (pair): pair is [string, string] => pair[1] !== undefined,
  )
  return new URLSearchParams(given).toString()
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

/** The body's small values on one line; long ones only by their beginning. */
function gist(body: unknown): string {
  if (body === null || typeof body !== 'object') return body === null ? '(body dropped)' : ''
  return Object.entries(body)
    .map(([key, value]) => `${key}=${brief(value)}`)
    .join(' ')
}

function brief(value: unknown): string {
  if (typeof value === 'number') return Number.isInteger(value) ? String(value) : value.toPrecision(4)
  if (typeof value === 'string') return /^[0-9a-f]{32,}$/.test(value) ? short(value) : value
  if (Array.isArray(value)) return `[${value.length}]`
  return value === null ? '–' : String(value)
}

function detailLines(entry: EntryDetails): string[] {
  return [
    `${entry.ref}  ${entry.kind}  ${entry.state}`,
    `author   ${entry.name}  ${entry.member}`,
    `time     ${utc(entry.timeMs)} (by the author's clock)   lamport ${entry.lamport}   ${entry.bytes} bytes`,
    `hash     ${entry.hash}`,
    `previous ${entry.prev}`,
    ...(entry.study === null ? [] : [`study    ${entry.study}`]),
    `cites    ${entry.refs.join(' ') || '–'}`,
    `cited by ${entry.citedBy.join(' ') || '–'}`,
    'body',
    ...JSON.stringify(entry.body, null, 2)
      .split('\n')
      .map((line) => `  ${line}`),
  ]
}

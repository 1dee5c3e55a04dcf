/** log timeline, diff, heads, stats: whole logs at a glance. */
import type { Command } from 'commander'
import type { DiffReport, HeadReport, LogStats, TimelineEntry } from '../daemon/api.ts'
import type { Loaders } from './loading.ts'
import { gist, queryOf, withFilter } from './logFilter.ts'
import { forks } from './logForks.ts'
import { short, size, table, utc } from './output.ts'
import { type Common, clientOf, command, outputOf } from './shared.ts'

/** The commands, in the order of the help. */
export const LOG_REPORTS = { timeline, diff, heads, forks, stats } satisfies Loaders

function timeline(): Command {
  return withFilter(
    command(
      'timeline',
      "show all members' entries in one order, with the author's time and when a quorum had seen each",
      'consilium log timeline --since 2h',
    ),
  )
    .option('-n, --limit <count>', 'how many', '40')
    .action(async (options: Common & Record<string, string | undefined>) => {
      const { entries } = await clientOf(options).get<{ entries: TimelineEntry[] }>(
        `/v1/log/timeline?${queryOf(options)}`,
      )
      outputOf(options).print(entries, () =>
        entries.length === 0
          ? ['No entry matches.']
          : [
              ...table(
                ['lamport', "author's time", 'seen by a quorum', 'entry', 'kind', 'state', 'says'],
                entries.map((entry) => [
                  String(entry.lamport),
                  utc(entry.timeMs),
                  entry.seenByMs === null ? '–' : utc(entry.seenByMs),
                  entry.ref,
                  entry.kind,
                  entry.state,
                  `${skew(entry.skewMs)}${gist(entry.body)}`,
                ]),
                [0],
              ),
              '',
              'The order is that of lamport time, then author, then number: every node computes the same one.',
            ],
      )
    })
}

function skew(skewMs: number | null): string {
  if (skewMs === null) return ''
  return `CLOCK ${Math.abs(skewMs / 60_000).toFixed(0)} min ${skewMs > 0 ? 'ahead' : 'behind'}: `
}

function diff(): Command {
  return command('diff', 'ask a member what it holds, and compare', 'consilium log diff Riverside')
    .argument('<member>', 'its name, or at least 6 digits of its key')
    .action(async (member: string, options: Common) => {
      const report = await clientOf(options).get<{ peer: string; logs: DiffReport[] }>(
        `/v1/log/diff?peer=${encodeURIComponent(member)}`,
      )
      outputOf(options).print(report, () => [
        ...table(
          ['log of', 'here', `at ${report.peer}`, 'in common', ''],
          report.logs.map((log) => [log.name, String(log.here), String(log.there), String(log.common), diffWord(log)]),
          [1, 2, 3],
        ),
      ])
      if (report.logs.some(({ agrees }) => agrees === false)) process.exitCode = 1
    })
}

function diffWord({ here, there, agrees }: DiffReport): string {
  if (agrees === false) return 'DIFFERENT HISTORIES: one key signed both; see "consilium log forks" in a minute'
  if (here === there) return 'the same'
  return here > there ? `${here - there} more here` : `${there - here} more there`
}

interface HeadsReport {
  readonly heads: readonly HeadReport[]
  readonly quorum: number
  readonly members: number
  readonly cosignedConflicting: readonly string[]
}

function heads(): Command {
  return command(
    'heads',
    'show the newest signed head of every log, and how far it is final; --json has the notes themselves',
    'consilium log heads',
  ).action(async (options: Common) => {
    const report = await clientOf(options).get<HeadsReport>('/v1/log/heads')
    outputOf(options).print(report, () => [
      ...table(
        ['log of', 'entries', 'final', 'state', 'root', 'a quorum had seen it', 'signed by'],
        report.heads.map((head) => [
          head.name,
          String(head.size),
          String(head.finalSize),
          stateWord(head),
          short(head.root),
          head.witnessedAtMs === null ? '–' : utc(head.witnessedAtMs),
          signersOf(head),
        ]),
        [1, 2],
      ),
      '',
      quorumSentence(report.quorum, report.members),
      ...report.cosignedConflicting.map(
        (name) => `CAREFUL: the key of ${name} cosigned conflicting heads; see "consilium log forks"`,
      ),
    ])
  })
}

function signersOf({ name, witnesses, pinned }: HeadReport): string {
  if (witnesses.length > 0) return [name, ...witnesses].join(', ')
  return pinned ? 'a quorum, with an epoch of the membership' : '–'
}

function stateWord({ state, replicas }: HeadReport): string {
  return state === 'replicated' && replicas > 0 ? `replicated (${replicas})` : (state ?? 'empty')
}

/** What it takes to be final, and what that means where the consortium is small. */
export function quorumSentence(quorum: number, members: number): string {
  const spare = members - quorum
  const off = spare === 1 ? 'one member may be off' : `${spare} members may be off`
  return spare === 0
    ? `Final with the signatures of all ${members} members: with fewer than 4 there is no slack, and one that is off delays it.`
    : `Final with the signatures of ${quorum} of ${members} members: ${off}, and ${2 * quorum - members} would have to sign both to make two histories final, which proves it of them.`
}

function stats(): Command {
  return command('stats', 'count entries and bytes of every log, by kind', 'consilium log stats').action(
    async (options: Common) => {
      const { logs } = await clientOf(options).get<{ logs: LogStats[] }>('/v1/log/stats')
      outputOf(options).print(logs, () => [
        ...table(
          ['log of', 'entries', 'bytes', 'a day', 'without body', 'first', 'last'],
          logs.map((log) => [
            log.name,
            String(log.entries),
            size(log.bytes),
            log.perDay.toFixed(0),
            String(log.dropped),
            log.firstAtMs === null ? '–' : utc(log.firstAtMs),
            log.lastAtMs === null ? '–' : utc(log.lastAtMs),
          ]),
          [1, 2, 3, 4],
        ),
        '',
        ...table(
          ['kind', 'entries', 'bytes'],
          sumKinds(logs).map(({ kind, entries, bytes }) => [kind, String(entries), size(bytes)]),
          [1, 2],
        ),
      ])
    },
  )
}

function sumKinds(logs: readonly LogStats[]): { kind: string; entries: number; bytes: number }[] {
  const sums = new Map<string, { entries: number; bytes: number }>()
  for (const { kinds } of logs) {
    for (const { kind, entries, bytes } of kinds) {
      const sum = sums.get(kind) ?? { entries: 0, bytes: 0 }
      sums.set(kind, { entries: sum.entries + entries, bytes: sum.bytes + bytes })
    }
  }
  return [...sums].map(([kind, sum]) => ({ kind, ...sum })).sort((a, b) => b.entries - a.entries)
}

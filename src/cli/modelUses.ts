/** model uses and model used: what models were used for, and which files an entry about predictions stands for. */
import { resolve } from 'node:path'
import type { Command } from 'commander'
import type { UseCheckReport, UseLine, UsesReport } from '../daemon/useApi.ts'
import type { Use } from '../governance/useBook.ts'
import { sinceMs } from './logFilter.ts'
import { short, table, utc } from './output.ts'
import { type Common, clientOf, command, outputOf } from './shared.ts'

const SHOWN_MAX = 40 // lines on a screen; --json has all
const RUNS_SHOWN = 10

/** `model uses`. Errors: `study-…`, `member-unknown`, `bad-since`. */
export function uses(): Command {
  return command(
    'uses',
    'show who used which model, when and how often: predictions, explanations, evaluations, exports of all hospitals',
    'consilium model uses Memory --since 30d',
  )
    .argument('[study]', 'only this study: its name, or at least 6 digits of its digest')
    .option('--member <member>', 'only this hospital: its name, or at least 6 digits of its key')
    .option('--since <time>', "by the hospitals' clocks from then on: 2026-11-21T06:00Z, or 90min, 2h, 3d ago", sinceMs)
    .option('--until <time>', 'before then', sinceMs)
    .action(async (study: string | undefined, options: Common & Record<string, string | undefined>) => {
      const { member, since, until } = options
      const given = Object.entries({ study, member, since, until }).flatMap(([name, value]): [string, string][] =>
        value === undefined ? [] : [[name, value]],
      )
      const report = await clientOf(options).get<UsesReport>(`/v1/uses?${new URLSearchParams(given)}`)
      outputOf(options).print(report, () => usesLines(report))
    })
}

function usesLines({ uses: found, silent, untold, lost }: UsesReport): string[] {
  const lines = withEvaluationsTogether(found)
  const rows = lines
    .slice(0, SHOWN_MAX)
    .map((one) => [
      one.hospital,
      one.studyName ?? short(one.study),
      one.models === 1 ? short(one.model) : `${one.models} models`,
      WORDS[one.use],
      one.withheld === 0 ? String(one.runs) : `≥ ${one.runs}`,
      rowsOf(one),
      utc(one.firstMs),
      utc(one.lastMs),
      one.entry,
    ])
  const header = ['hospital', 'study', 'model', 'use', 'times', 'rows', 'first', 'last', 'newest entry']
  return [
    ...(found.length === 0 ? ['No use of a model is recorded there.'] : table(header, rows, [4, 5])),
    ...(lines.length > SHOWN_MAX ? [`and ${lines.length - SHOWN_MAX} more: --json has all`] : []),
    '',
    ...(silent === 0
      ? []
      : [
          `${silent} entries about uses tell of nothing here, whenever they were: their bodies were redacted or pruned, or cannot be read.`,
        ]),
    ...(untold === 0
      ? []
      : [
          `${untold} runs of predictions of this hospital are kept here: few rows are told of when their hour is over, others within seconds.`,
        ]),
    ...(lost === 0
      ? []
      : [
          `CAREFUL: the journal of this hospital was damaged: at least ${lost} runs of predictions are told of by no entry.`,
        ]),
    'As declared by the hospitals in their logs.',
    ...(lines.some(({ withheld }) => withheld > 0)
      ? ['≥: some runs had too few rows to be told, how many they were with them; hours stand for their times.']
      : []),
  ]
}

/** Each round makes a model and evaluates it: of one hospital and study that is one line, with the rows of the newest. */
function withEvaluationsTogether(found: readonly UseLine[]): (UseLine & { readonly models: number })[] {
  const lines = new Map<string, UseLine & { readonly models: number }>()
  for (const one of found) {
    const key = [one.hospital, one.study, one.use, ...(one.use === 'evaluation' ? [] : [one.model])].join(' ')
    const before = lines.get(key)
    if (before === undefined) lines.set(key, { ...one, models: 1 })
    else {
      const newest = one.lastMs > before.lastMs ? one : before
      const runs = before.runs + one.runs
      const withheld = before.withheld + one.withheld
      const firstMs = Math.min(before.firstMs, one.firstMs)
      lines.set(key, { ...newest, runs, withheld, firstMs, models: before.models + 1 })
    }
  }
  return [...lines.values()]
}

const WORDS: Readonly<Record<Use, string>> = {
  prediction: 'predicted',
  explanation: 'explained',
  evaluation: 'evaluated',
  export: 'exported',
}

function rowsOf({ rows, withheld }: UseLine): string {
  if (rows === null) return '–'
  return withheld === 0 ? String(rows) : `≥ ${rows}`
}

/** `model used`. Errors: `use-…`, `entry-unknown`, `file-unreadable`. */
export function used(): Command {
  return command(
    'used',
    'open an own entry about predictions: its runs, and with --verify which of them read or wrote a file',
    'consilium model used St.Mary/412 --verify patients.csv',
  )
    .argument('<ref>', "MEMBER/NUMBER, or at least 8 digits of the entry's hash")
    .option('--verify <file>', 'a table that was predicted, or a file of predictions, byte for byte')
    .addHelpText(
      'after',
      '\nExit code 1 where the runs kept here are not those of the entry, or none of them had the file.',
    )
    .action(async (ref: string, options: Common & { verify?: string }) => {
      const { verify: file } = options
      const path = file === undefined ? {} : { path: resolve(file) }
      const report = await clientOf(options).post<UseCheckReport>('/v1/uses/check', { ref, ...path })
      outputOf(options).print(report, () => usedLines(report, file))
      if (!report.holds || report.matches?.length === 0) process.exitCode = 1
    })
}

function usedLines({ entry, model, rounds, runs, holds, matches }: UseCheckReport, file = ''): string[] {
  const rows = runs.reduce((sum, run) => sum + run.rows, 0)
  const runsAre = runs.length === 1 ? '1 run' : `${runs.length} runs`
  return [
    `${entry}: ${runsAre} of model ${short(model)} after ${rounds} rounds, ${rows} rows in all.`,
    ...table(
      ['run', 'began', 'ended', 'rows', 'warned', 'without prediction'],
      runs
        .slice(0, RUNS_SHOWN)
        .map((run, i) => [
          String(i + 1),
          utc(run.fromMs),
          utc(run.toMs),
          String(run.rows),
          String(run.warned),
          String(run.withoutPrediction),
        ]),
      [0, 3, 4, 5],
    ),
    ...(runs.length > RUNS_SHOWN ? [`and ${runs.length - RUNS_SHOWN} more: --json has all`] : []),
    '',
    holds
      ? 'The commitment in the log is that over these runs: they were fixed when the entry was written.'
      : 'CAREFUL: the commitment in the log is NOT that over the runs that are kept here.',
    ...(matches ?? []).map(
      ({ run, file: which }) => `Run ${run} ${which === 'read' ? 'read' : 'wrote'} ${file}, byte for byte.`,
    ),
    ...(matches?.length === 0 ? [`No run of this entry read or wrote ${file} as it is now.`] : []),
  ]
}

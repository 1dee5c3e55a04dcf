/** count: how many match, asked of hospitals that each answer by themselves; ls, show. */
import { setTimeout } from 'node:timers/promises'
import { type Command, InvalidArgumentError } from 'commander'
import type { CountAnswerLine, CountAskedReport, CountReport } from '../daemon/countApi.ts'
import type { Client } from './client.ts'
import { table, utc } from './output.ts'
import { type Common, clientOf, command, outputOf } from './shared.ts'

const SHOWN_MAX = 40 // questions on a screen; --json has a thousand
const LOOK_MS = 250
const WAIT_S_MAX = 3_600
const DECLARED = 'As declared by the hospitals in their logs. Every member can read every answer.'

interface Asking extends Common {
  readonly where?: string
  readonly at?: string[]
  readonly all: boolean
  readonly purpose?: string[]
  readonly wait: number
}

/** `count` asks; `count ls` and `count show` look. Errors: `count-…`, `catalogue-unknown`, `access-purpose`. */
export function countCommand(): Command {
  const count = command(
    'count',
    'ask how many match at hospitals that announce datasets; each node answers by its own rules, with noise, and counts what it tells',
    `consilium count --where "age >= 65 and sex = 'F'" --at North/stroke-2026 --at South/stroke`,
  )
    .enablePositionalOptions()
    .option(
      '--where <condition>',
      "columns = != < <= > >= in, with and, or, not and brackets; all, if left out: \"age >= 65 and sex in ('F', 'X')\"",
    )
    .option('--at <dataset...>', 'MEMBER/DATASET; may be repeated')
    .option('--all', 'every announced dataset that can be asked this', false)
    .option('--purpose <code...>', 'what for: codes of the Data Use Ontology; that of the grant, if left out')
    .option(
      '--wait <seconds>',
      'how long to wait for answers; those that come later are shown by "count show"',
      seconds,
      20,
    )
    .action(ask)
  for (const sub of [list(), show()]) count.addCommand(sub)
  return count
}

async function ask(options: Asking): Promise<void> {
  const { where, at, all, purpose: purposes, wait } = options
  const client = clientOf(options)
  const asked = await client.post<CountAskedReport>('/v1/counts', { where, at, all, purposes })
  const report = { ...asked, ...(await answered(client, asked, wait * 1_000)) }
  outputOf(options).print(report, () => [
    `Asked ${report.answers.length} ${report.answers.length === 1 ? 'dataset' : 'datasets'} (${report.ref}).`,
    ...report.leftOut.map(({ dataset, because }) => `Not asked: ${dataset}, for ${because}.`),
    '',
    ...reportLines(report),
  ])
}

/** Looks until everybody has answered, or the time is over. */
async function answered(client: Client, asked: CountReport, waitMs: number): Promise<CountReport> {
  const path = `/v1/counts/show?ref=${encodeURIComponent(asked.ref)}`
  const untilMs = Date.now() + waitMs
  let report = asked
  while (report.waiting > 0 && Date.now() < untilMs) {
    await setTimeout(LOOK_MS)
    report = await client.get<CountReport>(path)
  }
  return report
}

function list(): Command {
  return command('ls', 'list what was asked, and what came of it', 'consilium count ls').action(
    async (options: Common) => {
      const { counts, inAll } = await clientOf(options).get<{ counts: CountReport[]; inAll: number }>('/v1/counts')
      outputOf(options).print(counts, () =>
        counts.length === 0
          ? ['Nobody has asked yet: consilium count --all']
          : [
              ...table(
                ['question', 'by', 'asked', 'where', 'told', 'refused', 'waiting', 'total'],
                counts
                  .slice(0, SHOWN_MAX)
                  .map((one) => [
                    one.ref,
                    one.by,
                    utc(one.askedAtMs),
                    one.where ?? 'not readable here',
                    String(one.total?.of ?? 0),
                    String(one.answers.filter(({ status }) => status === 'refused').length),
                    String(one.waiting),
                    one.total === null ? '–' : `${one.total.count} (${one.total.low} to ${one.total.high})`,
                  ]),
                [4, 5, 6],
              ),
              ...(inAll > SHOWN_MAX ? [`and ${inAll - Math.min(inAll, SHOWN_MAX)} older ones`] : []),
              DECLARED,
            ],
      )
    },
  )
}

function show(): Command {
  return command(
    'show',
    'show a question with what each hospital told, or why it did not',
    'consilium count show South/17',
  )
    .argument('<question>', 'the entry that asks: MEMBER/NUMBER')
    .action(async (ref: string, options: Common) => {
      const report = await clientOf(options).get<CountReport>(`/v1/counts/show?ref=${encodeURIComponent(ref)}`)
      outputOf(options).print(report, () => [
        `${report.ref}  by ${report.by}, ${utc(report.askedAtMs)}`,
        ...reportLines(report),
      ])
    })
}

function reportLines({ where, purposes, answers, total }: CountReport): string[] {
  return [
    `where     ${where ?? 'not readable here'}`,
    `purpose   ${purposes.map(({ code, label }) => `${code} (${label})`).join(', ') || 'that of the grant'}`,
    '',
    ...table(
      ['dataset', 'count', '95 %', '', 'ε spent', 'left', 'entry'],
      answers.map((one) => [
        one.dataset,
        one.count === null ? '–' : String(one.count),
        one.count === null ? '–' : `${one.low} to ${one.high}`,
        one.count === null ? (one.code ?? one.status) : one.counted,
        one.spent === null ? '–' : String(one.spent),
        one.left === null ? '–' : String(one.left),
        one.entry ?? '–',
      ]),
      [1],
    ),
    ...answers.filter(({ count, code }) => count === null || code === 'repeated').map(whyLine),
    '',
    total === null
      ? 'Nobody has told a count.'
      : `Total of ${total.of}: ${total.count}, within ${total.low} to ${total.high} in 95 of 100 cases, by noise and rounding.`,
    DECLARED,
  ]
}

function whyLine({ dataset, says, code, cohort, epsilon, left }: CountAnswerLine): string {
  const asked = code === 'budget-asker' || code === 'budget-all' ? ` (ε ${epsilon} was asked, ${left} is left)` : ''
  const least = code === 'cohort' ? ` (${cohort})` : ''
  return `${dataset}: ${says}${least}${asked}.`
}

function seconds(given: string): number {
  const value = Number(given)
  if (/^\d+$/.test(given) && value <= WAIT_S_MAX) return value
  throw new InvalidArgumentError(`A whole number of seconds from 0 to ${WAIT_S_MAX} is expected.`)
}

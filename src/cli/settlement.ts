/** settlement: ls, show, measure, propose, confirm, refuse, check, export. What parties did, what that comes to, and how a period is closed. */
import { Command } from 'commander'
import { ConsiliumError } from '../core/errors.ts'
import { writeNew } from '../daemon/files.ts'
import type {
  SettlementCheckReport,
  SettlementListLine,
  SettlementMeasured,
  SettlementReport,
  SettlementSaid,
} from '../daemon/settlementApi.ts'
import { amountText, noticesOf, objectionWords, type SettlementFacts } from '../report/settlement.ts'
import { settlementCsv, settlementPage } from '../report/settlementPage.ts'
import { short, table, utc } from './output.ts'
import { checkOffline } from './settlementBundle.ts'
import { type Common, clientOf, command, outputOf } from './shared.ts'

const AGREEMENT = "digest, at least 6 digits of it, or the agreement's name"
const REF = 'the proposal, MEMBER/NUMBER as "consilium settlement ls" shows it'
const DECLARED = 'As declared by the hospitals in their logs. A statement, not an invoice.'

/** The group `settlement`. Errors: `settlement-…`, `measure-…`, `agreement-…`. */
export function settlementCommand(): Command {
  const settlement = new Command('settlement').description(
    'compute what each party of an agreement contributed and what that comes to, and close periods together',
  )
  for (const sub of [list(), show(), measure(), propose(), confirm(), refuse(), check(), exportFile()])
    settlement.addCommand(sub)
  return settlement
}

function list(): Command {
  return command('ls', 'list the periods of all agreements that settle something', 'consilium settlement ls').action(
    async (options: Common) => {
      const { settlements } = await clientOf(options).get<{ settlements: SettlementListLine[] }>('/v1/settlements')
      outputOf(options).print(settlements, () =>
        settlements.length === 0
          ? ['No agreement here settles anything: an agreement names a rule in its clause settlement.']
          : table(
              ['agreement', 'name', 'rule', 'period', 'status', 'up to', 'proposal', 'confirmed'],
              settlements.map((one) => [
                short(one.agreement),
                one.agreementName,
                one.rule,
                String(one.period),
                `${one.status}${one.failed === 0 ? '' : ` (attempt ${one.failed + 1})`}`,
                one.untilMs === null ? '–' : utc(one.untilMs),
                one.proposal ?? '–',
                one.proposal === null
                  ? '–'
                  : `${one.confirmed} of ${one.voters}, ${one.needed} needed${one.refused === 0 ? '' : `, ${one.refused} refused`}`,
              ]),
              [3],
            ),
      )
    },
  )
}

function show(): Command {
  return command(
    'show',
    'show what each party did in a period and what that comes to: of the open one so far',
    'consilium settlement show "Memory clinics" --period 1',
  )
    .argument('<agreement>', AGREEMENT)
    .option('--period <number>', 'from 1; the open one where it is not given')
    .action(async (ref: string, options: Common & { period?: string }) => {
      const report = await statementOf(options, ref, options.period)
      outputOf(options).print(report, () => statementLines(report))
    })
}

function statementOf(options: Common, ref: string, period: string | undefined): Promise<SettlementReport> {
  const asked = period === undefined ? '' : `&period=${encodeURIComponent(period)}`
  return clientOf(options).get<SettlementReport>(
    `/v1/settlements/statement?agreement=${encodeURIComponent(ref)}${asked}`,
  )
}

/** What is shown of a statement; used for what was recomputed from a file too. */
function statementLines(facts: SettlementFacts): string[] {
  const { agreementName, agreement, period, status, pool, unit, rule, basis, untilMs, lines } = facts
  const state = { open: 'open: figures may still change', proposed: 'proposed, not closed', closed: 'closed' }[status]
  return [
    `"${agreementName}" (${short(agreement)}), period ${period}, up to ${utc(untilMs)}: ${state}`,
    `${amountText(pool, unit)} shared out ${rule.replaceAll('-', ' ')} (${basis})`,
    '',
    ...table(
      ['party', 'rounds', 'waiting', 'examples', 'in merges', 'value', 'measured', 'amount', 'first', 'last'],
      lines.map((line) => [
        line.signed ? line.name : `${line.name} (had not signed)`,
        String(line.rounds),
        String(line.waiting),
        String(line.examples),
        (line.merged / 1e6).toFixed(3),
        String(line.value),
        String(line.measured),
        amountText(line.amount, unit),
        line.first ?? '–',
        line.last ?? '–',
      ]),
      [1, 2, 3, 4, 5, 6, 7],
    ),
    '',
    ...NOTES,
    ...noticesOf(facts),
    ...standsBehind(facts),
    `result ${facts.result}`,
    DECLARED,
  ]
}

const NOTES = [
  'rounds: merged by others; waiting: told, and not merged by enough others. examples: self-declared, of those rounds.',
  'in merges: what the merges of others made of its updates. value: measured by others, in millionths of a nat of log-loss, medians added up.',
]

function standsBehind({ proposal, proposals, votes, needed, voters }: SettlementFacts): string[] {
  if (proposal === null && proposals.length > 0)
    return [`Proposed to be closed as ${proposals.join(' or ')}: see "consilium settlement check ${proposals[0]}".`]
  if (proposal === null) return ['Nobody has proposed to close it.']
  return [
    `proposed by ${proposal.by} (${proposal.entry}); ${needed} equal confirmations of ${voters} close it`,
    ...votes.map(({ name, entry, objection, final }) => {
      const said = objection === null ? 'confirms' : `does not confirm: ${objectionWords(objection)}`
      return `  ${name} ${said} (${entry}${final ? '' : ', not final yet'})`
    }),
  ]
}

function measure(): Command {
  return command(
    'measure',
    "measure on this hospital's own patients what the others' updates are worth, and tell it",
    'consilium settlement measure "Memory" --method tmc --permutations 100',
  )
    .argument('<study>', "digest, at least 6 digits of it, or the study's name")
    .option('--method <method>', 'tmc: truncated Monte-Carlo Shapley values; loo: leaving one out', 'tmc')
    .option('--permutations <number>', 'orders that are tried, of tmc', '100')
    .option('--last <number>', 'so many of the newest rounds that are due and not measured', '10')
    .action(async (study: string, options: Common & { method: string; permutations: string; last: string }) => {
      const { method, permutations, last } = options
      const body = { study, method, permutations: Number(permutations), last: Number(last) }
      const report = await clientOf(options).post<SettlementMeasured>('/v1/settlements/measure', body)
      outputOf(options).print(report, () => measuredLines(report))
    })
}

function measuredLines({ name, rounds, skipped }: SettlementMeasured): string[] {
  const rows = rounds.flatMap(({ round, patients, part, entry, values }) =>
    values.map((one) => [String(round), one.name, String(one.value), `${patients}+ (${part})`, entry]),
  )
  return [
    rounds.length === 0
      ? `"${name}": no round is due that was not measured before.`
      : `"${name}": measured ${rounds.length} rounds.`,
    ...(rows.length === 0
      ? []
      : ['', ...table(['round', 'update of', 'worth', 'own patients', 'entry'], rows, [0, 2])]),
    ...skipped.map(({ round, why }) => `round ${round} was not measured: ${why}`),
    'Worth: by how many millionths of a nat the log-loss falls with it. It counts when enough others have measured the same.',
  ]
}

function propose(): Command {
  return command(
    'propose',
    'propose to close the open period of an agreement as this node computes it',
    'consilium settlement propose "Memory clinics" --until-cut 2027-03-31',
  )
    .argument('<agreement>', AGREEMENT)
    .option('--until-cut <time>', 'now, or a date (its beginning, UTC) or time: entries of before it count', 'now')
    .action(async (agreement: string, options: Common & { untilCut: string }) => {
      const until = options.untilCut === 'now' ? {} : { untilMs: timeOf(options.untilCut) }
      const report = await clientOf(options).post<SettlementSaid>('/v1/settlements', { agreement, ...until })
      outputOf(options).print(report, () => [
        ...statementLines(report.statement),
        '',
        `Proposed (${report.entry}). The other parties' nodes compute it again and confirm what is the same; see: consilium settlement check ${report.entry}`,
      ])
    })
}

/** Error: `bad-until`. */
function timeOf(given: string): number {
  const ms = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d)?Z)?$/.test(given) ? Date.parse(given) : Number.NaN
  if (!Number.isNaN(ms)) return ms
  const message = `--until-cut: ${JSON.stringify(given.slice(0, 40))} was given, now, 2027-03-31 or 2027-03-31T12:00Z is allowed`
  throw new ConsiliumError({ code: 'bad-until', message })
}

function confirm(): Command {
  return command(
    'confirm',
    'confirm a proposed close that this node computes alike; it does so by itself unless config.yaml says ask',
    'consilium settlement confirm north/481',
  )
    .argument('<ref>', REF)
    .action((ref: string, options: Common) => answer(ref, 'confirm', options))
}

function refuse(): Command {
  return command(
    'refuse',
    'say that this hospital does not confirm a proposed close',
    'consilium settlement refuse north/481',
  )
    .argument('<ref>', REF)
    .action((ref: string, options: Common) => answer(ref, 'refuse', options))
}

async function answer(ref: string, word: 'confirm' | 'refuse', options: Common): Promise<void> {
  const report = await clientOf(options).post<SettlementSaid>(`/v1/settlements/${word}`, { ref })
  outputOf(options).print(report, () => [
    word === 'confirm'
      ? `Confirmed ${report.entry}. It counts when enough members have cosigned it.`
      : `Refused ${report.entry}. When it can find no quorum any more, another proposal may be made.`,
    ...standsBehind(report.statement),
  ])
}

function check(): Command {
  return command(
    'check',
    'compute a proposed or closed settlement again, from the logs here or, without a node, from an exported file',
    'consilium settlement check north/481 --bundle logs.bundle --root "3f1c 9a20 …"',
  )
    .argument('<ref>', REF)
    .option('--bundle <file>', 'a bundle of all logs, of "consilium log export --out FILE": no node is asked')
    .option('--root <fingerprint>', "of the consortium's founding, got by another way")
    .addHelpText(
      'after',
      '\nExit code 1 where it comes out otherwise; 3 where nothing is wrong and --root is not given.',
    )
    .action(async (ref: string, options: Common & { bundle?: string; root?: string }) => {
      const { bundle, root } = options
      if (bundle !== undefined) return printOffline(await checkOffline(ref, bundle, root), bundle, root, options)
      const report = await clientOf(options).get<SettlementCheckReport>(
        `/v1/settlements/check?ref=${encodeURIComponent(ref)}`,
      )
      outputOf(options).print(report, () => checkLines(report))
      if (!report.recomputed) process.exitCode = 1
    })
}

const EXIT_UNCHECKED = 3 // as log verify: nobody said which consortium it has to be of

function printOffline(
  found: Awaited<ReturnType<typeof checkOffline>>,
  bundle: string,
  root: string | undefined,
  options: Common,
): void {
  outputOf(options).print(found, () => [
    ...statementLines(found.statement),
    '',
    found.difference === null
      ? `${bundle}: computed again from its entries: the same to the unit.`
      : `${bundle}: computed again from its entries it is another: ${found.difference}`,
    ...(root === undefined
      ? [
          `Identity not checked: compare ${found.fingerprint} with a fingerprint that you got another way, then give that with --root.`,
        ]
      : []),
  ])
  if (found.difference !== null) process.exitCode = 1
  else if (root === undefined) process.exitCode = EXIT_UNCHECKED
}

function checkLines({ proposal, statement, difference, objection, others }: SettlementCheckReport): string[] {
  return [
    ...statementLines(statement),
    '',
    difference === null
      ? `${proposal}: computed again here: the same to the unit.`
      : `${proposal}: computed again here it is another: ${difference}`,
    ...(objection === null || objection === 'differs'
      ? []
      : [
          objection === 'wait'
            ? 'Entries within its cut are not final here yet.'
            : `This node would not confirm it: ${objectionWords(objection)}.`,
        ]),
    ...others.map(({ by, says }) => `${by} found otherwise: ${says}`),
  ]
}

function exportFile(): Command {
  return command(
    'export',
    'write a statement as a table for a spreadsheet, or as a page to print',
    'consilium settlement export "Memory clinics" --period 1 --csv statement.csv --html statement.html',
  )
    .argument('<settlement>', `${REF}; or an agreement, with --period`)
    .option('--period <number>', 'of an agreement; the open one where it is not given')
    .option('--csv <file>', 'made new')
    .option('--html <file>', 'made new')
    .action(async (ref: string, options: Common & { period?: string; csv?: string; html?: string }) => {
      const { csv, html } = options
      if (csv === undefined && html === undefined)
        throw new ConsiliumError({
          code: 'bad-option',
          message: 'neither --csv FILE nor --html FILE was given: name one',
        })
      const report = /\/\d+$/.test(ref)
        ? (await clientOf(options).get<SettlementCheckReport>(`/v1/settlements/check?ref=${encodeURIComponent(ref)}`))
            .statement
        : await statementOf(options, ref, options.period)
      if (csv !== undefined) await writeNew(csv, settlementCsv(report), 0o644)
      if (html !== undefined) await writeNew(html, settlementPage(report, report.origin), 0o644)
      const files = [csv, html].filter((file) => file !== undefined)
      outputOf(options).print({ files, status: report.status }, () => [
        `Wrote ${files.join(' and ')}: period ${report.period}, ${report.status}. A statement, not an invoice.`,
      ])
    })
}

/** supply: import, trace, product, recall, recalls, check. What members declare of goods, as EPCIS events. */
import { resolve } from 'node:path'
import { Command } from 'commander'
import { ConsiliumError } from '../core/errors.ts'
import type {
  SupplyCheckReport,
  SupplyFindingReport,
  SupplyImportReport,
  SupplyProductReport,
  SupplyStepReport,
  SupplyTraceReport,
} from '../daemon/supplyApi.ts'
import { table, utc } from './output.ts'
import { type Common, clientOf, command, outputOf } from './shared.ts'
import { recall, recalls } from './supplyRecall.ts'
import { DECLARED, ITEM, label, rangeLines, recallText, SHOWN_MAX, standingText } from './supplyText.ts'

/** The group `supply`; all of it asks the running daemon. Errors: `epcis-…`, `gs1-…`, `supply-…`, `recall-…`. */
export function supplyCommand(): Command {
  const supply = new Command('supply').description('follow goods between the members: EPCIS events, recalls, gaps')
  for (const sub of [importFile(), trace(), product(), recall(), recalls(), check()]) supply.addCommand(sub)
  return supply
}

function importFile(): Command {
  return command(
    'import',
    'record the EPCIS 2.0 events of a file; all of them or none, each once',
    'consilium supply import deliveries.jsonld',
  )
    .argument('<file>', 'an EPCISDocument in JSON-LD, or one event in each line')
    .option('--dry-run', 'say what would be recorded and what is wrong, and record nothing', false)
    .addHelpText('after', '\nExit code 1 where an event is not accepted. What is recorded is copied to every member.')
    .action(async (file: string, options: Common & { dryRun: boolean }) => {
      const { dryRun } = options
      const report = await clientOf(options).post<SupplyImportReport>('/v1/supply/import', {
        path: resolve(file),
        dryRun,
      })
      outputOf(options).print(report, () => importedLines(file, report))
      if (report.faultsInAll > 0) process.exitCode = 1
    })
}

function importedLines(file: string, report: SupplyImportReport): string[] {
  const { events, recorded, known, entries, leftOut, faults, faultsInAll, warnings, dryRun, ofNothing } = report
  const more = faultsInAll - Math.min(faults.length, SHOWN_MAX)
  const out = leftOut.map(({ field, times }) => `${field} (${times})`).join(', ')
  const left = leftOut.length === 0 ? [] : [`Stays here, in no log: ${out}`]
  if (faultsInAll > 0)
    return [
      `${file}: nothing was recorded, for ${faultsInAll} of ${events} events are not accepted:`,
      ...faults.slice(0, SHOWN_MAX).map(({ event, message }) => `event ${event}: ${message}`),
      ...(more > 0 ? [`and ${more} more`] : []),
    ]
  const first = dryRun
    ? `${file}: ${events} events are sound, ${known} of them recorded before; nothing was recorded (--dry-run).`
    : `${file}: ${recorded} of ${events} events recorded${entries.length === 0 ? '' : ` (${[...new Set(entries)].join(' to ')})`}, ${known} were before.`
  return [
    first,
    ...left,
    ...ofNothing
      .slice(0, SHOWN_MAX)
      .map(({ timeMs, item }) => `TAKES NOTHING BACK: ${utc(timeMs)}, ${label(item ?? 'no goods')}: ${NOTHING}`),
    ...(report.ofNothingInAll > SHOWN_MAX
      ? [`and ${report.ofNothingInAll - SHOWN_MAX} more that take nothing back`]
      : []),
    ...warnings.map(
      ({ item, step, recall: by }) =>
        `RECALLED: ${label(item)}${ofIt(item, by.item)}, class ${by.class}, ${by.reason}, by ${by.by} (${by.entry}): ${toDo(step)}`,
    ),
  ]
}

const NOTHING =
  'no event of this hospital tells of the same; say it with the time and the content of the one that is wrong'

/** What is recalled where that is another product than what came: what lies in it, or what it was made of. */
function ofIt(item: string, recalled: string): string {
  return item.startsWith(recalled.slice(0, 17)) ? '' : ` with ${label(recalled)}`
}

/** With what is recalled, by what happened to it. */
function toDo(step: string): string {
  if (step === 'dispensing' || step === 'retail_selling') return 'it was given out, find who has it'
  return step === 'shipping' ? 'it was shipped on, call it back' : 'set it aside'
}

interface Limiting extends Common {
  readonly min?: string
  readonly max?: string
  readonly days?: string
}

const limits = ({ min, max, days }: Limiting): string[] =>
  Object.entries({ min, max, days }).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${encodeURIComponent(value)}`],
  )

function limited(sub: Command): Command {
  return sub
    .option('--min <celsius>', 'colder than this is an excursion, whatever is declared of the product')
    .option('--max <celsius>', 'warmer than this is an excursion, whatever is declared of the product')
    .option('--days <days>', 'shipped and not received for longer is overdue', '14')
}

function trace(): Command {
  return limited(
    command(
      'trace',
      'follow one thing through all members: where it was, in what, and what is wrong',
      'consilium supply trace "(01)09506000134352(21)A7"',
    ),
  )
    .argument('<item>', ITEM)
    .addHelpText('after', '\nExit code 1 where anything is wrong, or it is recalled.')
    .action(async (item: string, options: Limiting) => {
      const query = [`item=${encodeURIComponent(item)}`, ...limits(options)].join('&')
      const report = await clientOf(options).get<SupplyTraceReport>(`/v1/supply/trace?${query}`)
      outputOf(options).print(report, () => traceLines(report))
      if (report.findings.length + report.recalls.length > 0) process.exitCode = 1
    })
}

function traceLines(report: SupplyTraceReport): string[] {
  const { item, lots, steps, standing, inside, madeFrom, madeInto, findings, recalls: known, ranges, cut } = report
  const rows = steps
    .slice(-SHOWN_MAX)
    .map((step) => [
      `${utc(step.timeMs)}${step.inError ? ' (in error)' : ''}`,
      what(step),
      label(step.place ?? '–'),
      step.by,
      step.within.map(label).join(' > ') || '–',
      celsius(step),
      `${step.entry}${step.state === 'final' ? '' : ` ${step.state}`}`,
    ])
  const named = (title: string, keys: readonly string[]): string[] =>
    keys.length === 0
      ? []
      : [`${title}${keys.slice(0, 10).map(label).join(', ')}${keys.length > 10 ? ` and ${keys.length - 10} more` : ''}`]
  return [
    label(item),
    ...named('lot       ', lots),
    `now       ${standingText(standing, item)}`,
    ...named('inside    ', inside),
    ...named('made from ', madeFrom),
    ...named('made into ', madeInto),
    ...ranges.flatMap((one) => rangeLines('keep at   ', one, item)),
    ...known.map((one) => `RECALLED  ${label(one.item)}, ${recallText(one)}`),
    '',
    ...(steps.length > rows.length ? [`the last ${rows.length} of ${steps.length} events:`] : []),
    ...table(['when', 'what', 'where', 'told by', 'within', '°C', 'entry'], rows),
    ...(cut ? ['There are more events than are followed.'] : []),
    '',
    ...(findings.length === 0 ? ['Nothing is wrong with this way.'] : findings.slice(0, SHOWN_MAX).map(findingText)),
    DECLARED,
  ]
}

function product(): Command {
  return command(
    'product',
    'say between which temperatures a product is to be kept, or list what is declared',
    'consilium supply product 09506000134352 --min 2 --max 8',
  )
    .argument('[gtin]', 'the product: its 8 to 14 digits, or "(01)…"; without it all are listed')
    .option('--min <degrees>', 'colder than this is an excursion')
    .option('--max <degrees>', 'warmer than this is an excursion')
    .option('--unit <code>', 'CEL, FAH or KEL: what --min and --max are in', 'CEL')
    .option('--none', "take this hospital's own word back", false)
    .addHelpText(
      'after',
      '\nThe strictest of what members declare counts; a wider range than before counts when it is final.',
    )
    .action(async (gtin: string | undefined, options: Declaring) => {
      const { min, max, unit, none } = options
      const declares = min !== undefined || max !== undefined
      if (none && declares) throw refused('bad-option', '--none takes back what --min and --max say: give one of both')
      if (gtin === undefined && (none || declares))
        throw refused(
          'bad-option',
          'which product? give its GTIN: consilium supply product 09506000134352 --min 2 --max 8',
        )
      const client = clientOf(options)
      const query = gtin === undefined ? '' : `?item=${encodeURIComponent(gtin)}`
      const report =
        none || declares
          ? await client.post<SupplyProductReport>('/v1/supply/product', { item: gtin, min, max, unit })
          : await client.get<SupplyProductReport>(`/v1/supply/products${query}`)
      outputOf(options).print(report, () => productLines(report))
    })
}

interface Declaring extends Common {
  readonly min?: string
  readonly max?: string
  readonly unit: string
  readonly none: boolean
}

function productLines({ item, products }: SupplyProductReport): string[] {
  if (products.length === 0)
    return [
      `${item === null ? 'No product' : label(item)}: no member declares a temperature${item === null ? ' of any' : ''}.`,
    ]
  return [...products.flatMap((one) => rangeLines('', one, null)), DECLARED]
}

function check(): Command {
  return limited(
    command(
      'check',
      'go through all goods, or one lot or product, and list what is wrong',
      'consilium supply check --max 8',
    ),
  )
    .argument('[item]', ITEM)
    .addHelpText(
      'after',
      '\nExit code 1 where anything is wrong. What happened to a box is told of the box alone; with an item, while its goods lay in it.',
    )
    .action(async (item: string | undefined, options: Limiting) => {
      const query = [...(item === undefined ? [] : [`item=${encodeURIComponent(item)}`]), ...limits(options)].join('&')
      const report = await clientOf(options).get<SupplyCheckReport>(`/v1/supply/check?${query}`)
      outputOf(options).print(report, () => checkLines(report))
      if (report.findingsInAll > 0 || report.cut) process.exitCode = 1
    })
}

function checkLines(report: SupplyCheckReport): string[] {
  const { items, events, dropped, findings, findingsInAll, byCode, differing, cut } = report
  const first = `${items} goods in ${events} events: ${findingsInAll === 0 ? (cut ? 'no finding' : 'nothing is wrong') : `${findingsInAll} ${findingsInAll === 1 ? 'finding' : 'findings'}`}.`
  return [
    first,
    ...(cut ? ['Of some goods there are more events than are followed: what is wrong in the rest is not told.'] : []),
    ...(dropped === 0 ? [] : [`${dropped} events beyond what one member may tell were not looked at.`]),
    ...(byCode.length === 0
      ? []
      : [
          '',
          ...table(
            ['finding', 'times', 'means'],
            byCode.map(({ code, count, says }) => [code, String(count), says]),
            [1],
          ),
        ]),
    ...(findings.length === 0
      ? []
      : ['', ...findings.slice(0, SHOWN_MAX).map((one) => `${label(one.item)}: ${findingText(one)}`)]),
    ...(differing.length > 0 ? ['', ...differing.flatMap((one) => rangeLines('', one, null))] : []),
    ...(findingsInAll > SHOWN_MAX ? [`and ${findingsInAll - Math.min(findings.length, SHOWN_MAX)} more`] : []),
    DECLARED,
  ]
}

function findingText({ code, says, timeMs, place, by, entry, before, celsius: degrees }: SupplyFindingReport): string {
  const at = `${utc(timeMs)} at ${place === null ? 'a place that is not told' : label(place)}, ${by} (${entry})`
  const since =
    before === null
      ? ''
      : `; before: ${utc(before.timeMs)} at ${label(before.place ?? 'no place')}, ${before.by} (${before.entry})`
  return `${code}: ${says}${degrees === null ? '' : ` (${degrees.toFixed(1)} °C)`}: ${at}${since}`
}

const what = ({ type, action, step, disposition }: SupplyStepReport): string =>
  [step ?? type, action === null || action === 'observe' ? '' : action.toUpperCase(), disposition ?? '']
    .filter((word) => word !== '')
    .join(' ')

function celsius({ low, high }: SupplyStepReport): string {
  if (low === null || high === null) return '–'
  return low === high ? low.toFixed(1) : `${low.toFixed(1)} to ${high.toFixed(1)}`
}

function refused(code: string, message: string): ConsiliumError {
  return new ConsiliumError({ code, message })
}

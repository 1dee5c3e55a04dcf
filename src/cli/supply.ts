/** supply: import, trace, recall, recalls, check. What members declare of goods, as EPCIS events. */
import { resolve } from 'node:path'
import { Command } from 'commander'
import type {
  SupplyCheckReport,
  SupplyFindingReport,
  SupplyImportReport,
  SupplyRecallLine,
  SupplyScopeReport,
  SupplyStandingReport,
  SupplyStepReport,
  SupplyTraceReport,
} from '../daemon/supplyApi.ts'
import { table, utc } from './output.ts'
import { type Common, clientOf, command, outputOf } from './shared.ts'

const SHOWN_MAX = 40 // lines of a list on a screen; --json has a thousand
const ITEM = 'what is on the label, "(01)…(21)…", "(01)…(10)…" for a lot, "(00)…"; or an EPC URN, or a GS1 Digital Link'
const DECLARED = 'As declared by the members in their logs.'

/** The group `supply`; all of it asks the running daemon. Errors: `epcis-…`, `gs1-…`, `supply-…`, `recall-…`. */
export function supplyCommand(): Command {
  const supply = new Command('supply').description('follow goods between the members: EPCIS events, recalls, gaps')
  for (const sub of [importFile(), trace(), recall(), recalls(), check()]) supply.addCommand(sub)
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
  const { events, recorded, known, entries, leftOut, faults, faultsInAll, warnings, dryRun } = report
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
    ...warnings.map(
      ({ item, recall: by }) =>
        `RECALLED: ${label(item)}, class ${by.class}, ${by.reason}, by ${by.by} (${by.entry}): set it aside`,
    ),
  ]
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
    .option('--min <celsius>', 'colder than this is an excursion')
    .option('--max <celsius>', 'warmer than this is an excursion')
    .option('--days <days>', 'shipped and not received for longer is overdue', '14')
}

function trace(): Command {
  return limited(
    command(
      'trace',
      'follow one thing through all members: where it was, in what, and what is wrong',
      'consilium supply trace "(01)09506000134352(21)A7" --min 2 --max 8',
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
  const { item, lots, steps, standing, inside, madeFrom, madeInto, findings, recalls: known, cut } = report
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
    `now       ${standingText(standing)}`,
    ...named('inside    ', inside),
    ...named('made from ', madeFrom),
    ...named('made into ', madeInto),
    ...known.map((one) => `RECALLED  ${recallText(one)}`),
    '',
    ...(steps.length > rows.length ? [`the last ${rows.length} of ${steps.length} events:`] : []),
    ...table(['when', 'what', 'where', 'told by', 'within', '°C', 'entry'], rows),
    ...(cut ? ['There are more events than are followed.'] : []),
    '',
    ...(findings.length === 0 ? ['Nothing is wrong with this way.'] : findings.slice(0, SHOWN_MAX).map(findingText)),
    DECLARED,
  ]
}

function recall(): Command {
  return command(
    'recall',
    'say what a recall of a lot or product reaches and where it is now; with --reason, recall it',
    'consilium supply recall "(01)09506000134352(10)L1" --reason contamination --class 1',
  )
    .argument('<item>', ITEM)
    .option(
      '--reason <code>',
      'recall it: contamination, defect, falsified, labelling, stability, sterility, temperature, authority-order, precaution',
    )
    .option('--class <number>', '1: danger to life, 2: to health, 3: hardly any')
    .option('--lift <code>', "take this hospital's own recall back: completed, entered-by-mistake, investigated")
    .action(async (item: string, options: Common & { reason?: string; class?: string; lift?: string }) => {
      const client = clientOf(options)
      const { reason, lift } = options
      const report =
        lift !== undefined
          ? await client.post<SupplyScopeReport>('/v1/supply/lift', { item, reason: lift })
          : reason !== undefined
            ? await client.post<SupplyScopeReport>('/v1/supply/recall', { item, reason, class: Number(options.class) })
            : await client.get<SupplyScopeReport>(`/v1/supply/recall?item=${encodeURIComponent(item)}`)
      outputOf(options).print(report, () => scopeLines(report))
    })
}

function scopeLines({ item, recalls: known, reached, reachedInAll, cut }: SupplyScopeReport): string[] {
  const how = { lot: 'of the lot', made: 'made of it', holds: 'holds it' }
  const rows = reached
    .slice(0, SHOWN_MAX)
    .map((one) => [
      label(one.item),
      how[one.how],
      standingText(one.standing),
      one.inside.map(label).join(' in ') || '–',
    ])
  return [
    label(item),
    ...(known.length === 0 ? ['not recalled'] : known.map((one) => `RECALLED  ${recallText(one)}`)),
    '',
    ...(rows.length === 0
      ? ['No event that is known here names it, or a pack of it.']
      : table(['what', '', 'now', 'inside'], rows)),
    ...(reachedInAll > rows.length
      ? [`and ${reachedInAll - rows.length} more${cut ? ' or above' : ''}; --json has a thousand`]
      : []),
    DECLARED,
  ]
}

function recalls(): Command {
  return command('recalls', 'list all recalls', 'consilium supply recalls').action(async (options: Common) => {
    const found = await clientOf(options).get<{ recalls: SupplyRecallLine[] }>('/v1/supply/recalls')
    outputOf(options).print(found.recalls, () =>
      found.recalls.length === 0
        ? ['No member recalls anything.']
        : found.recalls.map((one) => `${label(one.item)}  ${one.stands ? 'RECALLED' : 'over'}  ${recallText(one)}`),
    )
  })
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
    .addHelpText('after', '\nExit code 1 where anything is wrong. What happened to a box is told of the box alone.')
    .action(async (item: string | undefined, options: Limiting) => {
      const query = [...(item === undefined ? [] : [`item=${encodeURIComponent(item)}`]), ...limits(options)].join('&')
      const report = await clientOf(options).get<SupplyCheckReport>(`/v1/supply/check?${query}`)
      outputOf(options).print(report, () => checkLines(report))
      if (report.findingsInAll > 0) process.exitCode = 1
    })
}

function checkLines({ items, events, dropped, findings, findingsInAll, byCode }: SupplyCheckReport): string[] {
  const first = `${items} goods in ${events} events: ${findingsInAll === 0 ? 'nothing is wrong' : `${findingsInAll} findings`}.`
  return [
    first,
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
    ...(findingsInAll > SHOWN_MAX ? [`and ${findingsInAll - Math.min(findings.length, SHOWN_MAX)} more`] : []),
    DECLARED,
  ]
}

function findingText({ code, says, timeMs, place, by, entry, before, celsius: degrees }: SupplyFindingReport): string {
  const at = `${utc(timeMs)} at ${label(place ?? 'no place')}, ${by} (${entry})`
  const since =
    before === null
      ? ''
      : `; before: ${utc(before.timeMs)} at ${label(before.place ?? 'no place')}, ${before.by} (${before.entry})`
  return `${code}: ${says}${degrees === null ? '' : ` (${degrees.toFixed(1)} °C)`}: ${at}${since}`
}

function recallText({ class: level, reason, by, entry, timeMs, lifted }: SupplyRecallLine): string {
  const back =
    lifted === null ? '' : `; taken back in ${lifted.entry}${lifted.final ? '' : ', which counts when it is final'}`
  return `class ${level}, ${reason}, by ${by}, ${utc(timeMs)} (${entry})${back}`
}

function standingText({ state, place, towards, sinceMs, by, entry }: SupplyStandingReport): string {
  if (state === 'unknown' || sinceMs === null) return 'nobody says where'
  const where = label(place ?? 'no place')
  const words = {
    here: `at ${where}`,
    'under-way': `under way from ${where}${towards === null ? '' : ` to ${label(towards)}`}`,
    ended: `given out or destroyed at ${where}`,
    used: `used up at ${where}`,
  }
  return `${words[state]} since ${utc(sinceMs)}, ${by} (${entry})`
}

const what = ({ type, action, step, disposition }: SupplyStepReport): string =>
  [step ?? type, action === null || action === 'observe' ? '' : action.toUpperCase(), disposition ?? '']
    .filter((word) => word !== '')
    .join(' ')

function celsius({ low, high }: SupplyStepReport): string {
  if (low === null || high === null) return '–'
  return low === high ? low.toFixed(1) : `${low.toFixed(1)} to ${high.toFixed(1)}`
}

/** As on a label: `(01)09506000134352(21)A7`. */
function label(key: string): string {
  const split =
    /^(01)\/(\d{14})(?:\/(21|10)\/(.*))?$|^(414)\/(\d{13})(?:\/(254)\/(.*))?$|^(00|417|8003|8004)\/(.*)$/.exec(key)
  if (split === null) return key
  const parts = split.slice(1).filter((part) => part !== undefined)
  return parts.map((part, i) => (i % 2 === 0 ? `(${part})` : part)).join('')
}

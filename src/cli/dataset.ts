/** dataset: register, verify, ls, show. Cells of a table go to this terminal alone. */
import { resolve } from 'node:path'
import { Command } from 'commander'
import type { DatasetDetails, DatasetReport, DatasetVerdict } from '../daemon/datasetApi.ts'
import { short, table, utc } from './output.ts'
import { type Common, clientOf, command, keyValue, outputOf } from './shared.ts'

const REF = 'NAME, for its newest version, or NAME@NUMBER'
const SHOWN_MAX = 20 // rows named on a screen; --json has a thousand

/** The group `dataset`; all of it asks the running daemon. Errors: `dataset-…`, `data-…`, `fhir-…`. */
export function datasetCommand(): Command {
  const dataset = new Command('dataset').description(
    "register the hospital's tables, so that rounds cite them, and find what changed since",
  )
  for (const sub of [register(), verify(), list(), show()]) dataset.addCommand(sub)
  return dataset
}

interface Registering extends Common {
  readonly name: string
  readonly query?: string
  readonly source?: string
  readonly fhirProvenance?: string
  readonly keyColumn?: string
  readonly unit: Record<string, string>
  readonly publishSchema: boolean
}

function register(): Command {
  return command(
    'register',
    'commit to what is in a table, row by row; the rows stay, their root and number (to the ten) go into the log',
    'consilium dataset register stroke.csv --name stroke-2026 --query stroke.sql --key-column patient_id --source registry',
  )
    .argument('<file>', 'CSV file with a header line')
    .requiredOption('--name <name>', 'what it is called here; a name that is known gets its next version')
    .option('--query <file>', 'the query that extracted it; the log gets a keyed commitment to it')
    .option('--source <code>', 'what it was taken from: ehr, registry, trial, laboratory, imaging, claims, device …')
    .option('--fhir-provenance <file>', 'a FHIR R4 Provenance resource of its origin; checked, and committed to')
    .option(
      '--key-column <column>',
      'record numbers: each is one patient where it is counted, and a changed row is not one that went and one that came',
    )
    .option('--unit <column=unit>', "a column's unit, where its header does not say it; may be repeated", keyValue, {})
    .option('--publish-schema', 'names, units and kinds of the columns go into the log too, for all to read', false)
    .action(async (file: string, options: Registering) => {
      const { name, source, keyColumn, unit: units, publishSchema: publish, query, fhirProvenance } = options
      const report = await clientOf(options).post<DatasetReport>('/v1/datasets', {
        ...{ path: resolve(file), name, source, keyColumn, units, publish },
        ...(query === undefined ? {} : { query: resolve(query) }),
        ...(fhirProvenance === undefined ? {} : { provenance: resolve(fhirProvenance) }),
      })
      outputOf(options).print(report, () => registeredLines(file, report))
    })
}

function registeredLines(file: string, report: DatasetReport): string[] {
  const { name, number, rows, columns, version, previous, entry, origin } = report
  return [
    `Registered ${file} as ${name}@${number}: ${rows} rows, ${columns.length} columns (${entry}).`,
    `version   ${version}`,
    ...(previous === null ? [] : [`follows   ${previous}`]),
    ...(origin === null ? [] : [`origin    ${originLine(origin)}`]),
    'The log has this root and keyed commitments; nobody learns a cell from them without the secret in this data folder: back it up.',
  ]
}

function verify(): Command {
  return command(
    'verify',
    'say which rows changed, came or went since a version was registered',
    'consilium dataset verify stroke-2026',
  )
    .argument('<name>', REF)
    .argument('[file]', 'the table as it is now; where it was registered from, if left out')
    .addHelpText('after', '\nExit code 1 where anything differs. Key values are shown here, and are in no log.')
    .action(async (name: string, file: string | undefined, options: Common) => {
      const path = `/v1/datasets/${encodeURIComponent(name)}/verify`
      const verdict = await clientOf(options).post<DatasetVerdict>(
        path,
        file === undefined ? {} : { path: resolve(file) },
      )
      outputOf(options).print(verdict, () => verdictLines(verdict))
      if (differs(verdict)) process.exitCode = 1
    })
}

function differs({ changed, added, removed, movedLine, columnsCame, columnsGone }: DatasetVerdict): boolean {
  return changed + added + removed + columnsCame.length + columnsGone.length > 0 || movedLine !== null
}

function verdictLines(verdict: DatasetVerdict): string[] {
  const { name, number, path, rows, registeredRows, changed, added, removed, movedLine, shown, entry } = verdict
  const { keyColumn, columnsCame, columnsGone } = verdict
  const title = `${path} against ${name}@${number}`
  const recorded = `Recorded (${entry}): numbers of rows to the ten, and nothing of which rows they are.`
  if (!differs(verdict)) return [`${title}: the same ${rows} rows in the same order.`, recorded]
  const cells = shown
    .slice(0, SHOWN_MAX)
    .map((row) => [row.what, String(row.line ?? '–'), String(row.registeredLine ?? '–'), row.key ?? '–'])
  const more = changed + added + removed - cells.length
  return [
    `${title}: DIFFERENT. rows changed ${changed}, came ${added}, went ${removed}; ${registeredRows} were registered, ${rows} are here.`,
    ...(columnsGone.length > 0 ? [`Columns that went: ${columnsGone.join(', ')}`] : []),
    ...(columnsCame.length > 0 ? [`Columns that came: ${columnsCame.join(', ')}`] : []),
    ...(movedLine === null ? [] : [`Rows stand in another order, from line ${movedLine} on.`]),
    ...(keyColumn === null && changed + added + removed > 0
      ? ['No key column was named: a row that changed is one that went and one that came.']
      : []),
    ...(cells.length === 0 ? [] : ['', ...table(['row', 'line now', 'line then', keyColumn ?? 'key'], cells, [1, 2])]),
    ...(more > 0 ? [`and ${more} more`] : []),
    '',
    recorded,
  ]
}

function list(): Command {
  return command('ls', 'list registered tables with their versions', 'consilium dataset ls').action(
    async (options: Common) => {
      const { datasets } = await clientOf(options).get<{ datasets: DatasetReport[] }>('/v1/datasets')
      outputOf(options).print(datasets, () =>
        datasets.length === 0
          ? ['No table is registered here yet: consilium dataset register FILE --name NAME']
          : table(
              ['dataset', 'version', 'rows', 'columns', 'source', 'registered', 'entry'],
              datasets.map(({ name, number, version, rows, columns, source, registeredAtMs, entry }) => [
                `${name}@${number}`,
                short(version),
                String(rows),
                String(columns.length),
                source,
                utc(registeredAtMs),
                entry ?? 'not in the log: register it again',
              ]),
              [2, 3],
            ),
      )
    },
  )
}

function show(): Command {
  return command(
    'show',
    'show a registered version: columns, where it comes from, what was trained on it',
    'consilium dataset show stroke-2026@1 --fhir',
  )
    .argument('<name>', REF)
    .option('--fhir', 'print a FHIR R4 Provenance resource in place of it', false)
    .action(async (name: string, options: Common & { fhir: boolean }) => {
      const found = await clientOf(options).get<DatasetDetails>(`/v1/datasets/${encodeURIComponent(name)}`)
      const { fhir, ...rest } = found
      if (options.fhir) outputOf({ ...options, json: true }).print(fhir, () => [])
      else outputOf(options).print(rest, () => detailLines(found))
    })
}

function detailLines(found: DatasetDetails): string[] {
  const { name, number, version, dataset, rows, columns, keyColumn, source, path, query, origin, uses, published } =
    found
  return [
    `${name}@${number}  ${version}`,
    `dataset   ${dataset}, ${found.versions.length} ${found.versions.length === 1 ? 'version' : 'versions'}`,
    `entry     ${found.entry ?? 'not in the log: register it again'}, ${utc(found.registeredAtMs)}`,
    `rows      ${rows}${keyColumn === null ? '' : `, told apart by ${keyColumn}`}`,
    `from      ${path} (${source})`,
    `query     ${query === null ? 'none was given' : `commitment ${short(query)}`}`,
    `origin    ${origin === null ? 'no FHIR Provenance was given' : originLine(origin)}`,
    `schema    ${published ? 'published in the log' : 'committed to; names of columns are in no log'}`,
    ...(uses.length === 0 ? ['used      by no study yet: consilium study bind'] : uses.map(useLine)),
    '',
    ...table(
      ['column', 'unit', 'kind'],
      columns.map((column) => [column.name, column.unit, column.kind]),
    ),
  ]
}

function originLine({ organisations, recordedAtMs, commitment }: NonNullable<DatasetReport['origin']>): string {
  return `recorded ${utc(recordedAtMs)}${organisations.length === 0 ? '' : ` by ${organisations.join(', ')}`}, commitment ${short(commitment)}`
}

function useLine({ study, studyName, entry, rounds }: DatasetDetails['uses'][number]): string {
  const trained =
    rounds === null ? 'no round yet' : `rounds ${rounds[0] + 1} to ${rounds[1] + 1}, ${rounds[2]} updates cite it`
  return `used      by "${studyName}" (${short(study)}), bound in ${entry}: ${trained}`
}

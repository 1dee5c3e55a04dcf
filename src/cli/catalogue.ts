/** catalogue: announce, ls, show, withdraw. Which datasets the members hold, as far as they tell. */
import { Command } from 'commander'
import type { CountColumn } from '../config/countColumns.ts'
import type { AnnouncedReport, CatalogueDetails, CatalogueLine } from '../daemon/catalogueApi.ts'
import { THEMES, WITHDRAWAL_REASONS } from '../governance/kinds/access.ts'
import { short, table } from './output.ts'
import { type Common, clientOf, command, outputOf } from './shared.ts'

const DECLARED = 'As declared by the hospitals in their logs.'

/** The group `catalogue`; all of it asks the running daemon. Errors: `catalogue-…`, `access-purpose`, `dataset-…`, `data-…`. */
export function catalogueCommand(): Command {
  const catalogue = new Command('catalogue').description(
    'tell the other members which datasets are here, and find theirs',
  )
  for (const sub of [announce(), list(), show(), withdraw()]) catalogue.addCommand(sub)
  return catalogue
}

interface Announcing extends Common {
  readonly title?: string[]
  readonly columns?: true | string[]
  readonly texts?: string[]
  readonly rowPerPatient?: true
  readonly purposes?: string[]
}

function announce(): Command {
  return command(
    'announce',
    'announce a registered dataset: what it is about and may be used for, and how many it is of, to a multiple of the minimum cohort',
    'consilium catalogue announce stroke-2026 --title I63 imaging --purposes DUO:0000006 --columns --texts sex',
  )
    .argument('<dataset>', 'as "consilium dataset register" named it: NAME, for its newest version, or NAME@NUMBER')
    .option('--title <code...>', `what it is about: ${THEMES.join(', ')}, and categories of ICD-10 such as I63`)
    .option('--purposes <code...>', 'what it may be used for: codes of the Data Use Ontology; as before, if left out')
    .option(
      '--columns [name...]',
      'names and units of all columns that may be told, or of these; else none. Those of texts are left out, and shown here',
    )
    .option('--texts <column...>', 'columns whose common texts are told too: to every member, for good')
    .option('--row-per-patient', 'where each row has a key of its own: each is a patient, and no visit')
    .action(async (dataset: string, options: Announcing) => {
      const { title, columns, texts, rowPerPatient, purposes } = options
      const report = await clientOf(options).post<AnnouncedReport>('/v1/catalogue', {
        dataset,
        title,
        columns,
        texts,
        rowPerPatient,
        purposes,
      })
      outputOf(options).print(report, () => announcedLines(report))
    })
}

function announcedLines(report: AnnouncedReport): string[] {
  const { ref, entry, announced, leftOut } = report
  const columns = announced?.columns ?? []
  return [
    `Announced ${ref}: at least ${announced?.count} ${announced?.counted} (${entry}). It counts when enough members have cosigned it.`,
    columns.length === 0
      ? 'No columns are told: all can be counted, but nothing asked for.'
      : `Told of ${columns.length} ${columns.length === 1 ? 'column' : 'columns'}: ${columns.map(toldOf).join(', ')}`,
    ...leftOut.map(({ column, because }) => `Not told: ${column}: ${because}.`),
  ]
}

const toldOf = ({ name, values }: CountColumn): string => (values === null ? name : `${name} (${values.join(', ')})`)

function list(): Command {
  return command('ls', 'list the datasets that members announce', 'consilium catalogue ls').action(
    async (options: Common) => {
      const { datasets } = await clientOf(options).get<{ datasets: CatalogueLine[] }>('/v1/catalogue')
      outputOf(options).print(datasets, () =>
        datasets.length === 0
          ? ['No member announces a dataset yet: consilium catalogue announce NAME']
          : [
              ...table(
                ['dataset', 'about', 'holds', 'may be used for', 'counts', 'columns', '', 'entry'],
                datasets.map(({ ref, announced, status, entry }) => [
                  ref,
                  announced?.title.join(', ') || '–',
                  announced === null ? '–' : `${announced.count}+ ${announced.counted}`,
                  announced?.purposes.map(({ code }) => code).join(', ') ?? '–',
                  announced?.counts ?? '–',
                  announced === null ? '–' : String(announced.columns.length || '–'),
                  status,
                  entry,
                ]),
              ),
              DECLARED,
            ],
      )
    },
  )
}

function show(): Command {
  return command(
    'show',
    'show what a member tells of a dataset: what it may be used for, and which columns may be asked about',
    'consilium catalogue show North/stroke-2026',
  )
    .argument('<dataset>', 'MEMBER/DATASET')
    .action(async (ref: string, options: Common) => {
      const path = `/v1/catalogue/show?ref=${encodeURIComponent(ref)}`
      const found = await clientOf(options).get<CatalogueDetails>(path)
      outputOf(options).print(found, () => detailLines(found))
    })
}

function detailLines({
  ref,
  member,
  name,
  dataset,
  status,
  entry,
  reason,
  announced,
  told,
}: CatalogueDetails): string[] {
  const first = [`${ref}  ${status}${reason === null ? '' : ` (${reason})`}, ${entry}`, `dataset   ${dataset}`]
  if (announced === null) return [...first, DECLARED]
  const { version, title, source, purposes, counted, count, cohort, counts, columns } = announced
  return [
    ...first,
    `version   ${short(version)}, from ${source}`,
    `about     ${title.join(', ') || 'not said'}`,
    `holds     at least ${count} ${counted}, to a multiple of ${cohort}`,
    `use       ${purposes.map(({ code, label }) => `${code} (${label})`).join(', ')}`,
    `counts    ${counts === 'granted' ? 'answered where access was granted' : counts === 'never' ? 'not answered' : 'answered to any member'}`,
    ...(told === null
      ? [
          `ask       consilium access ask ${member.replaceAll(/\s+/g, '')} ${name} --purpose ${purposes[0]?.code} --until DATE`,
        ]
      : [
          `told      ε ${round(told.inAll)} of ${round(told.inAllMax)} by counts${told.askers.map((one) => `; ${one.member} ${round(one.epsilon)} of ${round(told.perAskerMax)}`).join('')}`,
          ...(told.sharedWith.length === 0
            ? []
            : [`          with ${told.sharedWith.join(', ')}, the same table: one budget for all`]),
          ...(told.goneToo === 0
            ? []
            : [
                `          with ${told.goneToo} that are registered here no more, and may be the same table: put datasets/ back from a backup`,
              ]),
        ]),
    '',
    ...(columns.length === 0
      ? ['No columns are told: all can be counted, but nothing asked for.']
      : table(['column', 'unit', 'kind', 'texts'], columns.map(columnRow))),
    DECLARED,
  ]
}

const columnRow = ({ name, unit, kind, values }: CountColumn): string[] => [name, unit, kind, values?.join(', ') ?? '']

const round = (epsilon: number): string => String(Math.round(epsilon * 1_000) / 1_000)

function withdraw(): Command {
  return command(
    'withdraw',
    'announce a dataset no longer: what was granted of it is over, here at once, elsewhere when it is heard',
    'consilium catalogue withdraw stroke-2026 --reason replaced',
  )
    .argument('<dataset>', 'NAME of an own one')
    .requiredOption('--reason <code>', WITHDRAWAL_REASONS.join(', '))
    .action(async (name: string, options: Common & { reason: string }) => {
      const path = `/v1/catalogue/${encodeURIComponent(name)}/withdraw`
      const line = await clientOf(options).post<CatalogueLine>(path, { reason: options.reason })
      outputOf(options).print(line, () => [
        `Withdrew ${line.ref} (${line.entry}): no count of it is answered any more, and what was granted of it is over.`,
      ])
    })
}

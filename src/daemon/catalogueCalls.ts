/** The calls about datasets that members announce: what is told of an own one, and what is known of all. */
import { didYouMean } from '../config/closest.ts'
import { COUNT_COLUMN_BOUNDS, columnBytes } from '../config/countColumns.ts'
import { fromHex } from '../core/bytes.ts'
import { type Cbor, encodeCbor } from '../core/cbor.ts'
import { DUO_CODES, type DuoCode, duoLabel, duoNumber, isUse } from '../core/duo.ts'
import { ConsiliumError, invariant } from '../core/errors.ts'
import { MILLION } from '../core/geometric.ts'
import type { Digest } from '../core/ids.ts'
import { LIMITS } from '../core/limits.ts'
import { type Announceable, announceable } from '../data/announceable.ts'
import type { DatasetStanding } from '../governance/access/catalogue.ts'
import { ACCESS_BOUNDS, isTitleCode, THEMES, WITHDRAWAL_REASONS } from '../governance/kinds/access.ts'
import { type Body as EntryBody, type Kind, readBody } from '../governance/kinds.ts'
import { lintText } from '../governance/privacyLint.ts'
import type { Draft } from '../node/actions.ts'
import { FENCED } from '../node/boot.ts'
import { text } from './bodyFields.ts'
import type { AnnouncedReport, CatalogueDetails, CatalogueLine } from './catalogueApi.ts'
import type { Routes } from './control.ts'
import { cutOf } from './cut.ts'
import type { Daemon } from './daemon.ts'
import type { DatasetVersion } from './datasetFiles.ts'
import { memberOf } from './logFilter.ts'
import { entryWith } from './logSlices.ts'
import { refOf } from './models.ts'
import { squeeze } from './squeeze.ts'
import { Turns } from './turns.ts'

type Body = Record<string, unknown>
type Told = Pick<AnnouncedReport, 'leftOut'> & {
  readonly columns: EntryBody<'catalogue.announced'>['columns'] | null
}
const DIGITS_MIN = 6 // of a dataset's id
const ENTRY_BYTES_MAX = LIMITS.entryBytesMax - 4_096 // header, salt and citations have room

/** Routes of the control API. */
export function catalogueCalls(daemon: Daemon): Routes {
  const turns = new Turns<'say'>() // what is looked at before something is said still holds when it is
  return {
    'GET /v1/catalogue': async () => ({ datasets: known(daemon).map((one) => lineOf(daemon, one)) }),
    'GET /v1/catalogue/show': ({ query }) => details(daemon, findDataset(daemon, query.get('ref') ?? '')),
    'POST /v1/catalogue': ({ body }) => turns.run('say', () => announce(daemon, body)),
    'POST /v1/catalogue/:/withdraw': ({ parts, body }) =>
      turns.run('say', () => withdraw(daemon, parts[0] ?? '', body)),
  }
}

/** Every dataset that anybody announced, here now. */
export function known(daemon: Daemon): DatasetStanding[] {
  return daemon.machine.view().access.catalogue.all(cutOf(daemon.machine))
}

/** As commands call a dataset: `North/stroke-2026`. */
export function datasetRef(daemon: Daemon, { owner, announced }: DatasetStanding): string {
  return `${squeeze(daemon.nameOf(owner))}/${announced.name}`
}

/**
 * The dataset that is meant by MEMBER/NAME, or MEMBER and at least 6 digits of its id; of several of that name the one that is announced now.
 * Errors: `catalogue-unknown`, `member-unknown`.
 */
export function findDataset(daemon: Daemon, ref: string): DatasetStanding {
  const [, member, name] = /^(.+)\/([^/]+)$/.exec(ref) ?? []
  if (member === undefined || name === undefined)
    throw refused(
      'catalogue-unknown',
      `"${ref.slice(0, 80)}" was given, MEMBER/DATASET is expected: consilium catalogue ls`,
    )
  const owner = memberOf(daemon, member)
  const all = daemon.machine.view().access.catalogue.of(owner, cutOf(daemon.machine))
  const digits = name.length >= DIGITS_MIN ? all.filter(({ dataset }) => dataset.startsWith(name)) : []
  const named = [...all.filter(({ announced }) => announced.name === name), ...digits]
  const found = named.find(({ status }) => status === 'announced') ?? named[0]
  if (found !== undefined) return found
  const names = all.flatMap(({ announced, status }) => (status === 'withdrawn' ? [] : announced.name))
  const there =
    names.length === 0
      ? `${daemon.nameOf(owner)} announces no dataset here now`
      : `${daemon.nameOf(owner)} announces ${names.slice(0, 10).join(', ')}${didYouMean(name, names)}`
  throw refused('catalogue-unknown', `"${name.slice(0, 80)}" is no dataset of its: ${there}`)
}

function lineOf(daemon: Daemon, standing: DatasetStanding): CatalogueLine {
  const { owner, dataset, status, place, reason, announced } = standing
  return {
    ...{ ref: datasetRef(daemon, standing), member: daemon.nameOf(owner), ours: owner === daemon.home.key.id },
    ...{ name: announced.name, dataset, status, entry: refOf(daemon, place.author, place.seq), reason },
    announced:
      status === 'withdrawn'
        ? null
        : { ...announced, purposes: announced.purposes.map((code) => ({ code, label: duoLabel(code) })) },
  }
}

async function details(daemon: Daemon, standing: DatasetStanding): Promise<CatalogueDetails> {
  const line = lineOf(daemon, standing)
  if (!line.ours) return { ...line, told: null }
  const book = await daemon.counts.book()
  const { microInAll, microPerAsker } = daemon.counts.policy
  const sharing = await daemon.datasets.sharing(standing.dataset, book.spentOn())
  const sum = (spent: (one: Digest) => number): number => sharing.reduce((total, one) => total + spent(one), 0)
  const askers = daemon.home.membership.roll.authors.flatMap((author) => {
    const spent = sum((one) => book.spentBy(author, one))
    return spent === 0 ? [] : [{ member: daemon.nameOf(author), epsilon: spent / MILLION }]
  })
  const inAll = sum((one) => book.spentInAll(one)) / MILLION
  const all = await daemon.datasets.all()
  const others = sharing.filter((one) => one !== standing.dataset)
  const same = all.filter(({ dataset }) => others.includes(dataset))
  const sharedWith = [...new Set(same.map(({ name }) => name))]
  const goneToo = others.filter((one) => !all.some(({ dataset }) => dataset === one)).length
  const told = {
    sharedWith,
    goneToo,
    inAll,
    inAllMax: microInAll / MILLION,
    perAskerMax: microPerAsker / MILLION,
    askers,
  }
  return { ...line, told }
}

/** Reads the table, and tells of it what may be told. Errors: `catalogue-…`, `dataset-…`, `data-…`, `boot-fence`. */
async function announce(daemon: Daemon, body: Body): Promise<AnnouncedReport> {
  const version = await daemon.datasets.find(text(body, 'dataset'))
  const entry = await daemon.datasets.entryOf(version.version)
  if (entry === null) {
    const message = `${version.name}: the log does not tell of this version: register it again, consilium dataset register ${version.path} --name ${version.name}`
    throw refused('catalogue-unregistered', message)
  }
  const { catalogue } = daemon.machine.view().access
  const cut = cutOf(daemon.machine)
  const before = catalogue.standing(daemon.home.key.id, version.dataset, cut)?.announced ?? null
  const { minimumCohort: cohort, answer } = daemon.home.config.counts
  const { keyColumn, columns: registered } = version
  const job = { registered, keyColumn, cohort, isRowPerPatient: body.rowPerPatient === true }
  const survey = await announceable(await daemon.datasets.table(version), job)
  const { columns, leftOut } = columnsTold(body, survey)
  const told: EntryBody<'catalogue.announced'> = {
    ...{ dataset: fromHex(version.dataset), version: fromHex(version.version), name: version.name },
    ...{ title: titleIn(body) ?? [...(before?.title ?? [])], source: version.source },
    purposes: (purposesIn(body) ?? before?.purposes ?? missingPurposes()).map(duoNumber).sort((a, b) => a - b),
    ...{ counted: keyColumn === null ? 'rows' : 'patients', count: toldCount(version, survey, cohort) },
    ...{ cohort, counts: answer, ...(columns === null ? {} : { columns }) },
  }
  requireSayable(version, told)
  if (!catalogue.mayAnnounce(daemon.home.key.id, version.dataset)) {
    const message = `${version.name}: has been announced as often as is followed, or this hospital announces too many datasets: register the table under another name, or withdraw one`
    throw refused('catalogue-full', message)
  }
  await record(daemon, { kind: 'catalogue.announced', refs: [entry], body: told as unknown as Cbor })
  const standing = catalogue.standing(daemon.home.key.id, version.dataset, { ...cut, final: cut.known })
  return { ...lineOf(daemon, standing as DatasetStanding), status: 'pending', leftOut }
}

/** Down to a multiple of the minimum cohort. Error: `catalogue-cohort`. */
function toldCount({ name, keyColumn }: DatasetVersion, { count }: Announceable, cohort: number): number {
  if (count >= cohort) return count - (count % cohort)
  const what = keyColumn === null ? 'rows' : 'patients'
  const message = `${name}: holds fewer than ${cohort} ${what}, the minimum cohort (config.yaml, counts.minimumCohort), so nothing of it is announced`
  throw refused('catalogue-cohort', message)
}

/** All columns that may be asked about, or those that are named; those of texts where they are named by `texts`. Error: `catalogue-column`. */
function columnsTold({ columns, texts }: Body, { columns: found, leftOut }: Announceable): Told {
  const [wanted, asked] = [columns, texts].map((list) => (Array.isArray(list) ? (list as unknown[]).map(String) : []))
  const named = [...(wanted as string[]), ...(asked as string[])]
  if (columns === undefined && named.length === 0) return { columns: null, leftOut: [] }
  const out = new Map(leftOut.map(({ column, because }) => [column, because]))
  for (const { name, values } of found) {
    const isAsked = (asked as string[]).includes(name)
    if (values === null && isAsked) out.set(name, 'it holds no texts, and is told of by --columns')
    if (values !== null && !isAsked) out.set(name, untold(name, values))
  }
  const names = found.map(({ name }) => name)
  for (const name of named) {
    const because =
      out.get(name) ?? (names.includes(name) ? null : `it is no column of the table${didYouMean(name, names)}`)
    if (because === null) continue
    throw refused('catalogue-column', `--columns: "${name.slice(0, 80)}" is not announced: ${because}`)
  }
  const told = found.filter(({ name }) => !out.has(name) && (columns === true || named.includes(name)))
  const shown = columns === true ? [...out].map(([column, because]) => ({ column, because })) : []
  if (told.length > 0)
    return {
      columns: told.map(({ name, unit, kind, values }) => [name, unit, kind, values === null ? null : [...values]]),
      leftOut: shown,
    }
  const why = shown
    .slice(0, 5)
    .map(({ column, because }) => `${column}: ${because}`)
    .join('; ')
  const message = `--columns: no column may be told of (${why}): leave the option out, and all can be counted, but nothing asked for`
  throw refused('catalogue-column', message)
}

/** What is in an announcement is there for good, so a person looks at each text before. */
function untold(name: string, values: readonly string[]): string {
  const shown = values.map((value) => JSON.stringify(value)).join(', ')
  return `its texts are told only where it is named, to every member and for good: --texts ${JSON.stringify(name)} would tell ${shown}`
}

/** Errors: `catalogue-personal-data`, `catalogue-too-large`. */
function requireSayable({ name }: DatasetVersion, told: EntryBody<'catalogue.announced'>): void {
  const found = lintText([told.name, told.title])
  if (found !== null)
    throw refused(
      'catalogue-personal-data',
      `${name}: its name or title holds what looks like ${found.what}, and an announcement is copied to every member for good`,
    )
  const at = told.columns?.find((column) => lintText(column) !== null)
  if (at !== undefined) {
    const message = `--columns: "${at[0]}" or a text in it holds what looks like ${lintText(at)?.what}, and an announcement is copied to every member for good: name the columns to be told, without this one`
    throw refused('catalogue-personal-data', message)
  }
  const { columnsMax, textBytesMax } = COUNT_COLUMN_BOUNDS
  const { columns = [] } = told
  const bytes = columnBytes(columns)
  if (columns.length > columnsMax || bytes > textBytesMax) {
    const message = `--columns: ${columns.length} columns with ${bytes} bytes of names, units and texts would be told, at most ${columnsMax} with ${textBytesMax} are allowed: name those that are to be told`
    throw refused('catalogue-too-large', message)
  }
  const body = told as unknown as Cbor
  if (readBody('catalogue.announced', body) !== null && encodeCbor(body).length <= ENTRY_BYTES_MAX) return
  throw refused(
    'catalogue-too-large',
    `${name}: what would be told fits no entry: tell of fewer columns, --columns NAME`,
  )
}

async function withdraw(daemon: Daemon, name: string, body: Body): Promise<CatalogueLine> {
  const given = text(body, 'reason')
  const reason = WITHDRAWAL_REASONS.find((one) => one === given)
  if (reason === undefined)
    throw refused(
      'catalogue-reason',
      `--reason: ${JSON.stringify(given.slice(0, 64))} was given, ${WITHDRAWAL_REASONS.join(', ')} are allowed`,
    )
  const standing = findDataset(daemon, `${daemon.nameOf(daemon.home.key.id)}/${name}`)
  if (standing.status === 'withdrawn')
    throw refused(
      'catalogue-withdrawn',
      `${name}: was withdrawn before, in entry ${refOf(daemon, standing.place.author, standing.place.seq)}`,
    )
  const refs = [[standing.place.author, standing.place.seq, standing.place.hash]] as const
  await record(daemon, { kind: 'catalogue.withdrawn', refs, body: { dataset: fromHex(standing.dataset), reason } })
  const now = daemon.machine.view().access.catalogue.standing(standing.owner, standing.dataset, cutOf(daemon.machine))
  return lineOf(daemon, now as DatasetStanding)
}

/** Null where none were given. Error: `catalogue-title`. */
function titleIn({ title }: Body): string[] | null {
  if (title === undefined) return null
  const codes = Array.isArray(title) ? [...new Set((title as unknown[]).map(String))] : []
  const wrong = codes.find((code) => !isTitleCode(code))
  if (wrong === undefined && codes.length > 0 && codes.length <= ACCESS_BOUNDS.titleCodesMax) return codes.sort()
  const what =
    wrong === undefined ? `${codes.length} codes were given` : `${JSON.stringify(wrong.slice(0, 40))} was given`
  throw refused(
    'catalogue-title',
    `--title: ${what}; up to ${ACCESS_BOUNDS.titleCodesMax} of ${THEMES.join(', ')}, and of categories of ICD-10 such as I63, are allowed`,
  )
}

/** Codes of the Data Use Ontology, each once; null where none were given. Error: `access-purpose`. */
export function purposesIn({ purposes }: Body): DuoCode[] | null {
  if (purposes === undefined) return null
  const codes = Array.isArray(purposes) ? (purposes as unknown[]) : []
  const wrong = codes.find((code) => !(DUO_CODES as readonly unknown[]).includes(code))
  if (wrong === undefined && (codes as DuoCode[]).some(isUse)) return [...new Set(codes as DuoCode[])].sort()
  const what =
    wrong === undefined
      ? 'no use was given, only conditions'
      : `${JSON.stringify(String(wrong).slice(0, 40))} was given`
  throw refused(
    'access-purpose',
    `--purpose: ${what}; codes of the Data Use Ontology are allowed, a use among them: ${DUO_CODES.map((code) => `${code} (${duoLabel(code)})`).join(', ')}`,
  )
}

function missingPurposes(): never {
  throw refused(
    'access-purpose',
    `--purposes: say what the dataset may be used for, such as DUO:0000006 (${duoLabel('DUO:0000006')})`,
  )
}

/** The hash of the new entry: durable, and folded in here, when it resolves. Error: `boot-fence`. */
export async function record(
  daemon: Daemon,
  draft: Pick<Draft, 'refs' | 'body'> & { readonly kind: Kind; readonly study?: Draft['study'] },
): Promise<Digest> {
  const { writer, logs, home } = daemon
  if (writer === null) throw new ConsiliumError(FENCED)
  const from = logs.sizeOf(home.key.id).size
  writer.record('access', [{ study: null, timeMs: Date.now(), ...draft }], new Map())
  await writer.flush()
  const entry = await entryWith(logs, home.key.id, { kind: draft.kind, body: draft.body, from })
  invariant(entry !== null, 'what was recorded is in the log')
  return entry.hash
}

function refused(code: string, message: string): ConsiliumError {
  return new ConsiliumError({ code, message })
}

/** The calls about goods: events taken in, the way of one thing, what is wrong, and what products need. */
import { utf8 } from '../core/bytes.ts'
import { ConsiliumError } from '../core/errors.ts'
import { type Gs1Key, gs1KindOf, gs1Link, readLabel } from '../core/gs1.ts'
import { SUPPLY_BOUNDS } from '../governance/kinds/supply.ts'
import type { SupplyBook } from '../governance/supply/book.ts'
import { Ranges } from '../governance/supply/excursions.ts'
import {
  examine,
  FINDINGS,
  type FindingCode,
  type Limits,
  ORDER,
  type RecallsAt,
  standingOf,
} from '../governance/supply/findings.ts'
import type { Thing } from '../governance/supply/keys.ts'
import type { Range } from '../governance/supply/products.ts'
import { Recalled } from '../governance/supply/recalled.ts'
import { lotsOf, recallScope } from '../governance/supply/recallScope.ts'
import { containersOf } from '../governance/supply/stays.ts'
import { wayOf } from '../governance/supply/trace.ts'
import { text } from './bodyFields.ts'
import type { Query, Routes } from './control.ts'
import type { Daemon } from './daemon.ts'
import { refOf } from './models.ts'
import type { SupplyCheckReport, SupplyImportReport, SupplyProductReport, SupplyTraceReport } from './supplyApi.ts'
import { firstKeyOf } from './supplyDesk.ts'
import { inSlices } from './supplyReader.ts'
import { supplyRecallCalls } from './supplyRecallCalls.ts'
import { findingReport, lineOf, rangeReport, standingReport, stepReport } from './supplyReports.ts'

type Body = Record<string, unknown>
const SHOWN_MAX = 1_000 // findings in one answer
const LOOKED_MAX = 100_000 // things that are looked into for one trace: half a second
const DAY_MS = 86_400_000
const OVERDUE_DAYS = 14 // no truck between hospitals takes longer

/** Routes of the control API. Everything that is read here every member has. */
export function supplyCalls(daemon: Daemon): Routes {
  return {
    'POST /v1/supply/import': ({ body }) => importFile(daemon, text(body, 'path'), body.dryRun === true),
    'GET /v1/supply/trace': ({ query }) => trace(daemon, query),
    'GET /v1/supply/check': ({ query, signal }) => check(daemon, query, signal),
    'GET /v1/supply/products': ({ query }) => products(daemon, query.get('item')),
    'POST /v1/supply/product': ({ body }) => declare(daemon, body),
    ...supplyRecallCalls(daemon),
  }
}

async function importFile(daemon: Daemon, path: string, dryRun: boolean): Promise<SupplyImportReport> {
  const { file, recorded, known, places, warnings, ofNothing } = await daemon.supply.import(path, Date.now(), dryRun)
  const self = daemon.home.key.id
  return {
    ...{ path, events: file.read, recorded, known, dryRun, faults: file.faults, faultsInAll: file.faultsInAll },
    entries: [places.at(0), places.at(-1)].filter((seq) => seq !== undefined).map((seq) => refOf(daemon, self, seq)),
    leftOut: [...file.leftOut].map(([field, times]) => ({ field, times })),
    warnings: warnings.map(({ item, recall, step }) => ({ item, step, recall: lineOf(daemon, recall) })),
    ofNothing: ofNothing.slice(0, SHOWN_MAX).map((event) => ({ timeMs: event.time, item: firstKeyOf(event) })),
    ofNothingInAll: ofNothing.length,
  }
}

async function trace(daemon: Daemon, query: Query): Promise<SupplyTraceReport> {
  const startMs = performance.now()
  const { fixed, ...limits } = limitsIn(query)
  const book = await daemon.supply.book()
  const thing = find(book, query.get('item') ?? '')
  const way = wayOf(book, thing)
  const { final } = daemon.supply
  const [ranges, recalled] = [new Ranges(book, final, LOOKED_MAX), new Recalled(book, final, LOOKED_MAX)]
  await inSlices(recalled.look(thing))
  const recallsAt: RecallsAt = ({ number }) => recalled.at(thing, number)
  const rangeAt: Limits['rangeAt'] = ({ number, low, high }) => fixed ?? ranges.at(thing, number, { low, high })
  const keys = (things: readonly Thing[]): string[] => things.map((one) => book.keyOf(one))
  return {
    ...{ item: book.keyOf(thing), link: gs1Link(book.keyOf(thing)), lots: keys(lotsOf(book, thing)) },
    steps: way.steps.map((step) => stepReport(daemon, book, step)),
    standing: standingReport(daemon, standingOf(book, way)),
    ...{
      inside: keys(containersOf(book, thing)),
      madeFrom: keys(way.madeFrom),
      madeInto: keys(way.madeInto),
      cut: way.cut,
    },
    findings: examine(book, way, { ...limits, rangeAt }, recallsAt).map((one) =>
      findingReport(daemon, book, thing, one),
    ),
    recalls: recalled.now(thing).map((one) => lineOf(daemon, one)),
    ranges: ranges.declared(thing).map((one) => rangeReport(daemon, one)),
    tookMs: performance.now() - startMs,
  }
}

/** What is meant by a key, or by what a label says. Errors: `gs1-…`, `supply-unknown`, `supply-many`. */
function find(book: SupplyBook, given: string): Thing {
  const key = readLabel(given)
  const thing = book.thingOf(key)
  if (thing !== null && book.isGoods(thing)) return thing
  const known = goodsOf(book, key).length
  if (known === 0) throw unknown(book, key)
  const message = `${key}: a product, of which ${known === 1 ? 'a pack or lot is' : `${known} packs and lots are`} known: trace one of them; "consilium supply check" says what is wrong with any, "consilium supply recall" where all are`
  throw refused('supply-many', message)
}

/** A lot, a product or a thing, as far as it is known, and what was made of it. */
function goodsOf(book: SupplyBook, key: Gs1Key): Thing[] {
  const { reached } = recallScope(book, key)
  return reached.flatMap(({ thing, how }) => (how !== 'holds' && book.isGoods(thing) ? [thing] : []))
}

function unknown(book: SupplyBook, key: Gs1Key): ConsiliumError {
  const message = `${key}: none of the ${book.events - book.forgotten} events that are known here names it; are its members' logs here ("consilium log heads"), and its events imported ("consilium supply import")?`
  return refused('supply-unknown', message)
}

/** Everything, or one thing, lot or product. What happened to a box is told of the box, and not of each pack in it. Error: `supply-unknown`. */
async function check(daemon: Daemon, query: Query, signal: AbortSignal): Promise<SupplyCheckReport> {
  const startMs = performance.now()
  const limits = limitsIn(query)
  const { book, items, counts, shown, cut } = await daemon.supply.check(limits, {
    ...{ shown: SHOWN_MAX, signal },
    scopeOf: (known) => itemsOf(known, query.get('item')),
  })
  const codes = (Object.keys(FINDINGS) as FindingCode[]).sort((a, b) => ORDER[a] - ORDER[b])
  const byCode = codes.flatMap((code) =>
    counts.has(code) ? [{ code, says: FINDINGS[code], count: counts.get(code) as number }] : [],
  )
  return {
    events: book.events - book.forgotten,
    dropped: book.dropped,
    ...{ items, cut },
    findings: shown.map(({ thing, finding }) => findingReport(daemon, book, thing, finding)),
    findingsInAll: byCode.reduce((sum, one) => sum + one.count, 0),
    byCode,
    differing: book.products
      .all(daemon.supply.final)
      .filter(({ differ }) => differ)
      .map((one) => rangeReport(daemon, one)),
    tookMs: performance.now() - startMs,
  }
}

function itemsOf(book: SupplyBook, item: string | null): ReadonlySet<Thing> | null {
  if (item === null) return null
  const key = readLabel(item)
  const found = new Set(goodsOf(book, key))
  if (found.size === 0) throw unknown(book, key)
  return found
}

async function products(daemon: Daemon, item: string | null): Promise<SupplyProductReport> {
  const { products: all } = await daemon.supply.book()
  const wanted = item === null ? null : product(item)
  const found = all.all(daemon.supply.final).filter((one) => wanted === null || one.item === wanted)
  return { item: wanted, products: found.map((one) => rangeReport(daemon, one)) }
}

/** Without `min` and `max` this hospital takes its word back. Errors: `bad-temperature`, `bad-unit`, `supply-product`, `boot-fence`. */
async function declare(daemon: Daemon, body: Body): Promise<SupplyProductReport> {
  const item = product(text(body, 'item'))
  const unit = body.unit === undefined ? 'CEL' : text(body, 'unit')
  const bound = (name: 'min' | 'max'): number | null =>
    body[name] === undefined ? null : milliCelsius(name, text(body, name), unit)
  const [low, high] = [bound('min'), bound('max')]
  if (low !== null && high !== null && low >= high)
    throw refused('bad-temperature', '--min is not below --max: turn them round')
  await daemon.supply.declare({ item: utf8(item), low, high }, Date.now())
  return products(daemon, item)
}

/** Error: `supply-product`. */
function product(given: string): Gs1Key {
  const key = readLabel(given)
  if (gs1KindOf(key) === 'gtin') return key
  throw refused('supply-product', `${key}: a product is expected, by its GTIN: 09506000134352 or (01)09506000134352`)
}

const UNITS: Readonly<Record<string, (value: number) => number>> = {
  CEL: (value) => value,
  FAH: (value) => ((value - 32) * 5) / 9,
  KEL: (value) => value - 273.15,
}

function milliCelsius(option: string, given: string, unit = 'CEL'): number {
  const convert = UNITS[unit]
  if (convert === undefined)
    throw refused('bad-unit', `--unit: ${JSON.stringify(unit.slice(0, 40))} was given; CEL, FAH and KEL are allowed`)
  const value = given.trim() === '' ? Number.NaN : Math.round(convert(Number(given)) * 1_000) + 0
  if (value >= SUPPLY_BOUNDS.milliCelsiusMin && value <= SUPPLY_BOUNDS.milliCelsiusMax) return value
  const what = `${JSON.stringify(given.slice(0, 40))} was given, a temperature in ${unit} is expected, such as 8`
  throw refused('bad-temperature', `--${option}: ${what}`)
}

/** `fixed`: instead of what is declared. Errors: `bad-temperature`, `bad-days`. */
function limitsIn(query: Query): Omit<Limits, 'rangeAt'> & { readonly fixed: Range | null } {
  const celsius = (name: string): number | null => {
    const given = query.get(name)
    return given === null ? null : milliCelsius(name, given)
  }
  const [low, high] = [celsius('min'), celsius('max')]
  if (low !== null && high !== null && low > high)
    throw refused('bad-temperature', '--min is above --max: turn them round')
  const days = Number(query.get('days') ?? OVERDUE_DAYS)
  if (!Number.isInteger(days) || days < 1 || days > 3_660)
    throw refused('bad-days', `--days: ${JSON.stringify(query.get('days'))} was given, 1 to 3660 are allowed`)
  return { fixed: low === null && high === null ? null : { low, high }, overdueMs: days * DAY_MS, nowMs: Date.now() }
}

function refused(code: string, message: string): ConsiliumError {
  return new ConsiliumError({ code, message })
}

/** The calls about goods: events taken in, the way of one thing, what a recall reaches, and what is wrong. */
import { setImmediate } from 'node:timers/promises'
import { utf8 } from '../core/bytes.ts'
import { ConsiliumError } from '../core/errors.ts'
import { type Gs1Key, gs1KindOf, gs1Link, readLabel } from '../core/gs1.ts'
import type { MemberId } from '../core/ids.ts'
import { LIFT_REASONS, RECALL_CLASSES, RECALL_REASONS } from '../governance/kinds/supply.ts'
import type { Happening, SupplyBook, Thing } from '../governance/supply/book.ts'
import {
  examine,
  FINDINGS,
  type Finding,
  type Limits,
  type Standing,
  standingOf,
} from '../governance/supply/findings.ts'
import { lotsOf, recallScope } from '../governance/supply/recallScope.ts'
import type { Recall } from '../governance/supply/recalls.ts'
import { containersOf, type Step, wayOf } from '../governance/supply/trace.ts'
import { text } from './bodyFields.ts'
import type { Query, Routes } from './control.ts'
import type { Daemon } from './daemon.ts'
import { stateOf } from './logFilter.ts'
import { refOf } from './models.ts'
import type {
  SupplyCheckReport,
  SupplyFindingReport,
  SupplyImportReport,
  SupplyRecallLine,
  SupplyScopeReport,
  SupplyStandingReport,
  SupplyStepReport,
  SupplyTraceReport,
} from './supplyApi.ts'

type Body = Record<string, unknown>
const SHOWN_MAX = 1_000 // things or findings in one answer
const SLICE = 200 // things looked at before the event loop gets its turn: some milliseconds
const DAY_MS = 86_400_000
const OVERDUE_DAYS = 14 // no truck between hospitals takes longer

/** Routes of the control API. Everything that is read here every member has. */
export function supplyCalls(daemon: Daemon): Routes {
  return {
    'POST /v1/supply/import': ({ body }) => importFile(daemon, text(body, 'path'), body.dryRun === true),
    'GET /v1/supply/trace': ({ query }) => trace(daemon, query),
    'GET /v1/supply/recall': ({ query }) => scope(daemon, query.get('item') ?? ''),
    'GET /v1/supply/recalls': async () => ({ recalls: await allRecalls(daemon) }),
    'POST /v1/supply/recall': ({ body }) => recall(daemon, body),
    'POST /v1/supply/lift': ({ body }) => lift(daemon, body),
    'GET /v1/supply/check': ({ query, signal }) => check(daemon, query, signal),
  }
}

async function importFile(daemon: Daemon, path: string, dryRun: boolean): Promise<SupplyImportReport> {
  const { file, recorded, known, places, warnings } = await daemon.supply.import(path, Date.now(), dryRun)
  const self = daemon.home.key.id
  return {
    ...{ path, events: file.read, recorded, known, dryRun, faults: file.faults, faultsInAll: file.faultsInAll },
    entries: [places.at(0), places.at(-1)].filter((seq) => seq !== undefined).map((seq) => refOf(daemon, self, seq)),
    leftOut: [...file.leftOut].map(([field, times]) => ({ field, times })),
    warnings: warnings.map(({ item, recall: one }) => ({ item, recall: lineOf(daemon, one) })),
  }
}

async function trace(daemon: Daemon, query: Query): Promise<SupplyTraceReport> {
  const startMs = performance.now()
  const book = await daemon.supply.book()
  const thing = find(book, query.get('item') ?? '')
  const way = wayOf(book, thing)
  const recalls = daemon.supply.recallsOf(book, thing)
  const keys = (things: readonly Thing[]): string[] => things.map((one) => book.keyOf(one))
  return {
    ...{ item: book.keyOf(thing), link: gs1Link(book.keyOf(thing)), lots: keys(lotsOf(book, thing)) },
    steps: way.steps.map((step) => stepReport(daemon, book, step)),
    standing: standingReport(daemon, standingOf(book, way)),
    ...{ inside: keys(way.inside), madeFrom: keys(way.madeFrom), madeInto: keys(way.madeInto), cut: way.cut },
    findings: examine(book, way, limitsIn(query), recalls).map((one) => findingReport(daemon, book, thing, one)),
    recalls: recalls.map((one) => lineOf(daemon, one)),
    tookMs: performance.now() - startMs,
  }
}

/** What is meant by a key, or by what a label says. Errors: `gs1-…`, `supply-unknown`. */
function find(book: SupplyBook, given: string): Thing {
  const key = readLabel(given)
  const thing = book.thingOf(key)
  if (thing !== null && book.isGoods(thing)) return thing
  const message = `${key}: none of the ${book.events} events that are known here names it; are its members' logs here ("consilium log heads"), and its events imported ("consilium supply import")?`
  throw new ConsiliumError({ code: 'supply-unknown', message })
}

async function scope(daemon: Daemon, given: string): Promise<SupplyScopeReport> {
  const book = await daemon.supply.book()
  const item = readLabel(given)
  const { reached, cut } = recallScope(book, item)
  const lines: SupplyScopeReport['reached'][number][] = []
  for (const [i, { thing, how, by }] of reached.slice(0, SHOWN_MAX).entries()) {
    const standing = standingReport(daemon, standingOf(book, wayOf(book, thing)))
    const inside = containersOf(book, thing).map((one) => book.keyOf(one))
    lines.push({ item: book.keyOf(thing), how, by: by === null ? null : book.keyOf(by), inside, standing })
    if (i % SLICE === SLICE - 1) await setImmediate()
  }
  const recalls =
    gs1KindOf(item) === 'lgtin' || gs1KindOf(item) === 'gtin' ? book.recalls.standing(item, daemon.supply.final) : []
  return { item, recalls: recalls.map((one) => lineOf(daemon, one)), reached: lines, reachedInAll: reached.length, cut }
}

async function allRecalls(daemon: Daemon): Promise<SupplyRecallLine[]> {
  const { recalls } = await daemon.supply.book()
  return recalls.all(daemon.supply.final).map((one) => lineOf(daemon, one))
}

async function recall(daemon: Daemon, body: Body): Promise<SupplyScopeReport> {
  const item = recallable(text(body, 'item'))
  const reason = oneOf('--reason', text(body, 'reason'), RECALL_REASONS)
  const found = RECALL_CLASSES.find((one) => one === body.class)
  if (found === undefined)
    throw refused('recall-class', '--class: 1 (danger to life), 2 (to health) or 3 (hardly any) is expected')
  await daemon.supply.recall({ item: utf8(item), reason, class: found }, Date.now())
  return scope(daemon, item)
}

async function lift(daemon: Daemon, body: Body): Promise<SupplyScopeReport> {
  const item = recallable(text(body, 'item'))
  const reason = oneOf('--lift', text(body, 'reason'), LIFT_REASONS)
  await daemon.supply.lift({ item: utf8(item), reason }, Date.now())
  return scope(daemon, item)
}

function recallable(given: string): Gs1Key {
  const key = readLabel(given)
  const kind = gs1KindOf(key)
  if (kind === 'lgtin' || kind === 'gtin') return key
  throw refused('recall-item', `${key}: a lot, (01)…(10)…, or a product, (01)…, is recalled; this is one ${kind}`)
}

function oneOf<W extends string>(option: string, given: string, words: readonly W[]): W {
  const found = words.find((one) => one === given)
  if (found !== undefined) return found
  throw refused(
    'recall-reason',
    `${option}: ${JSON.stringify(given.slice(0, 64))} was given, ${words.join(', ')} are allowed`,
  )
}

/** Everything, or one product. What happened to a box is told of the box, and not of each pack in it. */
async function check(daemon: Daemon, query: Query, signal: AbortSignal): Promise<SupplyCheckReport> {
  const startMs = performance.now()
  const book = await daemon.supply.book()
  const limits = limitsIn(query)
  const item = query.get('item')
  const things = item === null ? null : recallScope(book, readLabel(item)).reached.map(({ thing }) => thing)
  const counts = new Map<Finding['code'], number>()
  const findings: SupplyFindingReport[] = []
  const last = things?.length ?? book.things
  let items = 0
  for (let i = 0; i < last; i++) {
    const thing = things === null ? i : (things[i] as Thing)
    if (i % SLICE === SLICE - 1) await setImmediate(undefined, { signal })
    if (!book.isGoods(thing)) continue
    items++
    const way = wayOf(book, thing)
    const inBox = new Set(way.steps.filter(({ within }) => within.length > 0).map(({ event }) => event.number))
    for (const found of examine(book, way, limits, daemon.supply.recallsOf(book, thing))) {
      if (inBox.has(found.event.number)) continue
      counts.set(found.code, (counts.get(found.code) ?? 0) + 1)
      if (findings.length < SHOWN_MAX) findings.push(findingReport(daemon, book, thing, found))
    }
  }
  const codes = Object.keys(FINDINGS) as Finding['code'][]
  const order = (one: SupplyFindingReport): number => codes.indexOf(one.code)
  findings.sort((a, b) => order(a) - order(b) || a.timeMs - b.timeMs || (a.item < b.item ? -1 : 1))
  const byCode = codes.flatMap((code) =>
    counts.has(code) ? [{ code, says: FINDINGS[code], count: counts.get(code) as number }] : [],
  )
  const findingsInAll = byCode.reduce((sum, one) => sum + one.count, 0)
  return {
    events: book.events,
    dropped: book.dropped,
    items,
    findings,
    findingsInAll,
    byCode,
    tookMs: performance.now() - startMs,
  }
}

/** Errors: `bad-temperature`, `bad-days`. */
function limitsIn(query: Query): Limits {
  const celsius = (name: string): number | null => {
    const given = query.get(name)
    if (given === null) return null
    const value = Number(given)
    if (given.trim() !== '' && value >= -273.15 && value <= 1_000) return Math.round(value * 1_000)
    throw refused(
      'bad-temperature',
      `--${name}: ${JSON.stringify(given.slice(0, 40))} was given, degrees Celsius are expected, such as 8`,
    )
  }
  const [low, high] = [celsius('min'), celsius('max')]
  if (low !== null && high !== null && low > high)
    throw refused('bad-temperature', '--min is above --max: turn them round')
  const days = Number(query.get('days') ?? OVERDUE_DAYS)
  if (!Number.isInteger(days) || days < 1 || days > 3_660)
    throw refused('bad-days', `--days: ${JSON.stringify(query.get('days'))} was given, 1 to 3660 are allowed`)
  return { low, high, overdueMs: days * DAY_MS, nowMs: Date.now() }
}

function stepReport(daemon: Daemon, book: SupplyBook, { event, within, inError }: Step): SupplyStepReport {
  const { timeMs, type, action, step, disposition, location, readPoint, destination, low, high } = event
  return {
    ...{ timeMs, type, action, step, disposition, place: location ?? readPoint, destination, inError },
    ...{ low: celsiusOf(low), high: celsiusOf(high), ...toldBy(daemon, event) },
    state: stateOf(daemon, event.author, event.seq),
    within: within.map((one) => book.keyOf(one)),
  }
}

function findingReport(daemon: Daemon, book: SupplyBook, thing: Thing, found: Finding): SupplyFindingReport {
  const { code, event, before, milliCelsius } = found
  const of = (one: Happening) => ({ timeMs: one.timeMs, place: one.location ?? one.readPoint, ...toldBy(daemon, one) })
  const item = book.keyOf(thing)
  return {
    code,
    says: FINDINGS[code],
    item,
    ...of(event),
    before: before === null ? null : of(before),
    celsius: celsiusOf(milliCelsius),
  }
}

function standingReport(daemon: Daemon, { state, place, towards, since }: Standing): SupplyStandingReport {
  const told = since === null ? { by: null, entry: null } : toldBy(daemon, since)
  return { state, place, towards, sinceMs: since?.timeMs ?? null, ...told }
}

function lineOf(
  daemon: Daemon,
  { item, author, seq, timeMs, reason, class: level, liftedBy }: Recall,
): SupplyRecallLine {
  const final = liftedBy !== null && liftedBy < daemon.supply.final(author)
  return {
    ...{ item, reason, class: level, timeMs, ...toldBy(daemon, { author, seq }), stands: !final },
    lifted: liftedBy === null ? null : { entry: refOf(daemon, author, liftedBy), final },
  }
}

function toldBy(daemon: Daemon, { author, seq }: { author: MemberId; seq: number }): { by: string; entry: string } {
  return { by: daemon.nameOf(author), entry: refOf(daemon, author, seq) }
}

const celsiusOf = (milli: number | null): number | null => (milli === null ? null : milli / 1_000)

function refused(code: string, message: string): ConsiliumError {
  return new ConsiliumError({ code, message })
}

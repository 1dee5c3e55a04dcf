/** The calls about recalls: what one reaches, of one lot or of a list of many, and taking it back. */
import { setImmediate } from 'node:timers/promises'
import { utf8 } from '../core/bytes.ts'
import { ConsiliumError } from '../core/errors.ts'
import { type Gs1Key, gs1KindOf, readLabel } from '../core/gs1.ts'
import { LIFT_REASONS, RECALL_CLASSES, RECALL_REASONS } from '../governance/kinds/supply.ts'
import type { SupplyBook } from '../governance/supply/book.ts'
import { standingOf } from '../governance/supply/findings.ts'
import { type Reached, recallScope } from '../governance/supply/recallScope.ts'
import type { RecallList } from '../governance/supply/recalls.ts'
import { containersOf } from '../governance/supply/stays.ts'
import { wayOf } from '../governance/supply/trace.ts'
import { text } from './bodyFields.ts'
import type { Routes } from './control.ts'
import type { Daemon } from './daemon.ts'
import type { SupplyRecallsReport, SupplyScopeReport } from './supplyApi.ts'
import { readLotFile } from './supplyFile.ts'
import { isListName, lineOf, listLine, standingReport } from './supplyReports.ts'

type Body = Record<string, unknown>
const SHOWN_MAX = 1_000 // things in one answer
const INSIDE_MAX = 100 // boxes told of one lot: each is a line of its own
const SLICE = 200 // things looked at before the event loop gets its turn: some milliseconds

/** Routes of the control API. */
export function supplyRecallCalls(daemon: Daemon): Routes {
  return {
    'GET /v1/supply/recall': ({ query }) => scopeOf(daemon, query.get('item') ?? '', query.get('list')),
    'GET /v1/supply/recalls': () => allRecalls(daemon),
    'POST /v1/supply/recall': ({ body }) => recall(daemon, body),
    'POST /v1/supply/lift': ({ body }) => lift(daemon, body),
  }
}

/** Of one lot or product, of a list that is known here by its name, or of the lots of a file. */
async function scopeOf(daemon: Daemon, given: string, path: string | null): Promise<SupplyScopeReport> {
  if (path !== null) return scope(daemon, await readLotFile(path))
  if (!isListName(given)) return scope(daemon, [readLabel(given)])
  const held = await listNamed(daemon, given)
  return scope(daemon, (await daemon.supply.book()).recalls.itemsOf(held.author, held.list), held)
}

async function scope(
  daemon: Daemon,
  items: readonly Gs1Key[],
  held: RecallList | null = null,
): Promise<SupplyScopeReport> {
  const book = await daemon.supply.book()
  const { reached, cut } = await reachedBy(book, items)
  const lines: SupplyScopeReport['reached'][number][] = []
  for (const [i, { thing, how, by }] of reached.slice(0, SHOWN_MAX).entries()) {
    const standing = standingReport(daemon, standingOf(book, wayOf(book, thing)))
    const inside = containersOf(book, thing)
      .slice(0, INSIDE_MAX)
      .map((one) => book.keyOf(one))
    lines.push({ item: book.keyOf(thing), how, by: by === null ? null : book.keyOf(by), inside, standing })
    if (i % SLICE === SLICE - 1) await setImmediate()
  }
  const [item] = items
  const isOne = items.length === 1 && held === null
  const recalls =
    item !== undefined && isOne && isRecallable(item) ? book.recalls.standing(item, daemon.supply.final) : []
  return {
    item: isOne ? (item as Gs1Key) : null,
    list: held === null ? null : listLine(daemon, held),
    items: items.length,
    recalls: recalls.map((one) => lineOf(daemon, one)),
    ...{ reached: lines, reachedInAll: reached.length, cut },
  }
}

/** Each thing once, however many of the lots reach it. */
async function reachedBy(book: SupplyBook, items: readonly Gs1Key[]): Promise<{ reached: Reached[]; cut: boolean }> {
  const all = new Map<number, Reached>()
  let cut = false
  for (const item of items) {
    const found = recallScope(book, item)
    cut ||= found.cut
    for (const one of found.reached) if (!all.has(one.thing)) all.set(one.thing, one)
    await setImmediate()
  }
  return { reached: [...all.values()], cut }
}

async function allRecalls(daemon: Daemon): Promise<SupplyRecallsReport> {
  const { recalls } = await daemon.supply.book()
  const { final } = daemon.supply
  const alone = recalls.all(final).filter(({ list }) => list === null)
  return {
    recalls: alone.map((one) => lineOf(daemon, one)),
    lists: recalls.lists(final).map((one) => listLine(daemon, one)),
  }
}

async function recall(daemon: Daemon, body: Body): Promise<SupplyScopeReport> {
  const reason = oneOf('--reason', text(body, 'reason'), RECALL_REASONS)
  const found = RECALL_CLASSES.find((one) => one === body.class)
  if (found === undefined)
    throw refused('recall-class', '--class: 1 (danger to life), 2 (to health) or 3 (hardly any) is expected')
  if (typeof body.list === 'string') {
    const items = await readLotFile(body.list)
    return scope(daemon, items, await daemon.supply.recallAll(items, { reason, class: found }, Date.now()))
  }
  const item = recallable(text(body, 'item'))
  await daemon.supply.recall({ item: utf8(item), reason, class: found }, Date.now())
  return scope(daemon, [item])
}

async function lift(daemon: Daemon, body: Body): Promise<SupplyScopeReport> {
  const reason = oneOf('--lift', text(body, 'reason'), LIFT_REASONS)
  const given = typeof body.list === 'string' ? await readLotFile(body.list) : text(body, 'item')
  if (typeof given === 'string' && !isListName(given)) {
    const item = recallable(given)
    await daemon.supply.lift({ item: utf8(item), reason }, Date.now())
    return scope(daemon, [item])
  }
  const list = typeof given === 'string' ? (await listNamed(daemon, given)).list : given
  const held = await daemon.supply.liftAll(list, reason, Date.now())
  return scope(daemon, (await daemon.supply.book()).recalls.itemsOf(held.author, held.list), held)
}

/** Error: `recall-unknown`. */
async function listNamed(daemon: Daemon, name: string): Promise<RecallList> {
  const lists = (await daemon.supply.book()).recalls.lists(daemon.supply.final)
  const named = lists.filter(({ list }) => list.startsWith(name))
  const found = named.find(({ author }) => author === daemon.home.key.id) ?? named[0]
  if (found !== undefined) return found
  throw refused(
    'recall-unknown',
    `${name}: no recall of many is known here by that name; "consilium supply recalls" lists them`,
  )
}

const isRecallable = (key: Gs1Key): boolean => ['lgtin', 'gtin'].includes(gs1KindOf(key) ?? '')

function recallable(given: string): Gs1Key {
  const key = readLabel(given)
  if (isRecallable(key)) return key
  throw refused(
    'recall-item',
    `${key}: a lot, (01)…(10)…, or a product, (01)…, is recalled; this is one ${gs1KindOf(key)}`,
  )
}

function oneOf<W extends string>(option: string, given: string, words: readonly W[]): W {
  const found = words.find((one) => one === given)
  if (found !== undefined) return found
  throw refused(
    'recall-reason',
    `${option}: ${JSON.stringify(given.slice(0, 64))} was given, ${words.join(', ')} are allowed`,
  )
}

function refused(code: string, message: string): ConsiliumError {
  return new ConsiliumError({ code, message })
}

/** A file of EPCIS events: one EPCISDocument, one event, or a line of JSON for each. */
import { open } from 'node:fs/promises'
import { setImmediate } from 'node:timers/promises'
import { ConsiliumError, messageOf } from '../core/errors.ts'
import { type Gs1Key, gs1KindOf, readLabel } from '../core/gs1.ts'
import { eventFault, type SupplyEvent } from '../governance/kinds/supply.ts'
import { eventsIn, readEpcisEvent } from '../governance/supply/epcis.ts'
import { type LeftOut, note } from '../governance/supply/leftOut.ts'

const FILE_BYTES_MAX = 134_217_728 // 200,000 events of 650 bytes
const EVENTS_MAX = 200_000 // 400 entries or more: one commit after another for some seconds
const FAULTS_SHOWN = 100
const SLICE = 500 // events read before the event loop gets its turn

/** What a file holds. `faults` are the first of those that are not accepted, numbered from 1. */
export interface SupplyFile {
  readonly events: readonly SupplyEvent[]
  readonly read: number
  readonly leftOut: LeftOut
  readonly faults: readonly { readonly event: number; readonly message: string }[]
  readonly faultsInAll: number
}

/** Reads all events. `latestMs`: what happens later than this has not happened. Errors: `file-unreadable`, `epcis-document`, `epcis-too-large`. */
export async function readSupplyFile(path: string, latestMs: number): Promise<SupplyFile> {
  const given = jsonIn(path, await textOf(path))
  if (given.length > EVENTS_MAX)
    throw new ConsiliumError({
      code: 'epcis-too-large',
      message: `${path}: ${given.length} events, at most ${EVENTS_MAX} are read at once: split the file`,
    })
  const [events, faults]: [SupplyEvent[], SupplyFile['faults'][number][]] = [[], []]
  const leftOut: LeftOut = new Map()
  let faultsInAll = 0
  for (const [i, one] of given.entries()) {
    try {
      const event = requireFit(requirePast(readEpcisEvent(one, leftOut), latestMs))
      if (namesGoods(event)) events.push(event)
      else note(leftOut, 'event without goods')
    } catch (error) {
      if (!(error instanceof ConsiliumError)) throw error
      if (++faultsInAll <= FAULTS_SHOWN) faults.push({ event: i + 1, message: error.message })
    }
    if (i % SLICE === SLICE - 1) await setImmediate()
  }
  return { events, read: given.length, leftOut, faults, faultsInAll }
}

/** Lots and products, one in each line as on a label, each once; after a # is a remark. Errors: `file-unreadable`, `recall-list`. */
export async function readLotFile(path: string): Promise<Gs1Key[]> {
  const faults: string[] = []
  const items = new Set<Gs1Key>()
  for (const [i, line] of (await textOf(path)).split(/\r?\n/).entries()) {
    const given = line.replace(/(?:^|\s)#.*$/, '').trim()
    if (given === '') continue
    try {
      const key = readLabel(given)
      const kind = gs1KindOf(key)
      if (kind === 'lgtin' || kind === 'gtin') items.add(key)
      else faults.push(`line ${i + 1}: ${key} is a ${kind}; a lot, (01)…(10)…, or a product, (01)…, is recalled`)
    } catch (error) {
      if (!(error instanceof ConsiliumError)) throw error
      faults.push(`line ${i + 1}: ${error.message}`)
    }
  }
  const others = faults.length - 1
  const more = others === 0 ? '' : `; and ${others} more ${others === 1 ? 'line is' : 'lines are'} wrong`
  if (faults.length > 0) throw notLots(`${path}: ${faults[0]}${more}`)
  if (items.size === 0) throw notLots(`${path}: no line names a lot or product, such as (01)09506000134352(10)L1`)
  return [...items].sort()
}

function notLots(message: string): ConsiliumError {
  return new ConsiliumError({ code: 'recall-list', message })
}

function namesGoods({ items, amounts, parent, outputs, outputAmounts }: SupplyEvent): boolean {
  return [items, amounts, parent, outputs, outputAmounts].some((one) => one !== undefined)
}

function requirePast(event: SupplyEvent, latestMs: number): SupplyEvent {
  if (event.time <= latestMs) return event
  const message = `eventTime: ${new Date(event.time).toISOString()} was given, which has not come yet`
  throw new ConsiliumError({ code: 'epcis-event', message })
}

/** What the writer would refuse is named here, with its place in the file. */
function requireFit(event: SupplyEvent): SupplyEvent {
  const fault = eventFault(event)
  if (fault === null) return event
  throw new ConsiliumError({ code: 'epcis-event', message: `no entry has such an event: ${fault}` })
}

async function textOf(path: string): Promise<string> {
  try {
    const file = await open(path, 'r')
    try {
      const { size } = await file.stat()
      if (size > FILE_BYTES_MAX) {
        const message = `${path}: ${size} bytes, at most ${FILE_BYTES_MAX} are read at once: split the file`
        throw new ConsiliumError({ code: 'epcis-too-large', message })
      }
      return new TextDecoder('utf-8', { fatal: true }).decode(await file.readFile())
    } finally {
      await file.close()
    }
  } catch (error) {
    if (error instanceof ConsiliumError) throw error
    const why = (error as NodeJS.ErrnoException).code ?? messageOf(error)
    throw new ConsiliumError({
      code: 'file-unreadable',
      message: `${path}: cannot be read (${why}); check the path, its permissions, and that it is UTF-8`,
    })
  }
}

/** By what the file says, not by its name. Error: `epcis-document`. */
function jsonIn(path: string, text: string): readonly unknown[] {
  const lines = text.split('\n')
  const whole = parsed(text)
  try {
    if (whole !== undefined) return eventsIn(whole)
    return lines.flatMap((line, i) => {
      if (line.trim() === '') return []
      const one = parsed(line)
      if (one !== undefined) return [one]
      throw new ConsiliumError({
        code: 'epcis-document',
        message: `line ${i + 1}: no JSON; one EPCISDocument, or one event in each line, is expected`,
      })
    })
  } catch (error) {
    if (!(error instanceof ConsiliumError)) throw error
    throw new ConsiliumError({ code: error.code, message: `${path}: ${error.message}` })
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // said by the caller, who knows the line
  }
}

/** supply recall, recalls: of one lot, or of many by a list in a file. */
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { ConsiliumError } from '../core/errors.ts'
import type { Gs1Key } from '../core/gs1.ts'
import type { SupplyListLine, SupplyRecallsReport, SupplyScopeReport } from '../daemon/supplyApi.ts'
import { isSingle } from '../governance/supply/keys.ts'
import { table } from './output.ts'
import { type Common, clientOf, command, outputOf } from './shared.ts'
import { DECLARED, ITEM, label, recallText, SHOWN_MAX, standingText } from './supplyText.ts'

/** The command `supply recall`. Errors: `recall-…`, `gs1-…`, `bad-option`. */
export function recall(): Command {
  return command(
    'recall',
    'say what a recall reaches and where that is now; with --reason, recall it; with --list, many lots at once',
    'consilium supply recall "(01)09506000134352(10)L1" --reason contamination --class 1',
  )
    .argument('[item]', `${ITEM}; or the 16 digits of a recall of many`)
    .option('--list <file>', 'lots and products, one in each line as on a label')
    .option(
      '--reason <code>',
      'recall it: contamination, defect, falsified, labelling, stability, sterility, temperature, authority-order, precaution',
    )
    .option('--class <number>', '1: danger to life, 2: to health, 3: hardly any')
    .option('--lift <code>', "take this hospital's own recall back: completed, entered-by-mistake, investigated")
    .addHelpText(
      'after',
      '\nA recall binds at every member as soon as it is known there; its end counts when that is final.',
    )
    .action(async (item: string | undefined, options: Recalling) => {
      const { reason, lift, list: file } = options
      if ((item === undefined) === (file === undefined))
        throw refused('bad-option', 'which lots? give one, "(01)…(10)…", or --list with a file of many')
      if (reason === undefined && options.class !== undefined)
        throw refused('bad-option', '--class goes with --reason: without a reason nothing is recalled')
      if (lift !== undefined && reason !== undefined)
        throw refused('bad-option', '--reason recalls and --lift takes back: give one of both')
      const client = clientOf(options)
      const which = file === undefined ? { item } : { list: resolve(file) }
      const query = Object.entries(which).map(([name, value]) => `${name}=${encodeURIComponent(value as string)}`)
      const report =
        lift !== undefined
          ? await client.post<SupplyScopeReport>('/v1/supply/lift', { ...which, reason: lift })
          : reason !== undefined
            ? await client.post<SupplyScopeReport>('/v1/supply/recall', {
                ...which,
                reason,
                class: Number(options.class),
              })
            : await client.get<SupplyScopeReport>(`/v1/supply/recall?${query[0]}`)
      outputOf(options).print(report, () => scopeLines(report))
    })
}

interface Recalling extends Common {
  readonly list?: string
  readonly reason?: string
  readonly class?: string
  readonly lift?: string
}

function scopeLines({ item, list, items, recalls: known, reached, reachedInAll, cut }: SupplyScopeReport): string[] {
  const how = { lot: 'of the lot', any: 'any lot of it', made: 'made of it', holds: 'holds it' }
  const rows = reached
    .slice(0, SHOWN_MAX)
    .map((one) => [label(one.item), how[one.how], standingText(one.standing, one.item), insideText(one)])
  const standing = list !== null ? [listText(list)] : known.map((one) => `RECALLED  ${recallText(one)}`)
  return [
    item === null ? `${items} lots and products` : label(item),
    ...(standing.length === 0 ? ['not recalled'] : standing),
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

const BOXES_MAX = 3 // each is a line of its own

/** Box in pallet; of a lot, some of the boxes that have some of it. */
function insideText({ item, inside }: SupplyScopeReport['reached'][number]): string {
  if (isSingle(item as Gs1Key)) return inside.map(label).join(' in ') || '–'
  const more = inside.length > BOXES_MAX ? ` and ${inside.length - BOXES_MAX} more` : ''
  return inside.length === 0 ? '–' : `${inside.slice(0, BOXES_MAX).map(label).join(', ')}${more}`
}

/** The command `supply recalls`. */
export function recalls(): Command {
  return command('recalls', 'list all recalls', 'consilium supply recalls').action(async (options: Common) => {
    const report = await clientOf(options).get<SupplyRecallsReport>('/v1/supply/recalls')
    const lines = [
      ...report.recalls.map((one) => `${label(one.item)}  ${one.stands ? 'RECALLED' : 'over'}  ${recallText(one)}`),
      ...report.lists.map(listText),
    ]
    outputOf(options).print(report, () => (lines.length === 0 ? ['No member recalls anything.'] : lines))
  })
}

/** That slices are missing comes first: of the lots in them nothing is known here. */
function listText(list: SupplyListLine): string {
  const { missing, slices, items, differs } = list
  const wanting = missing.length === 1 ? `slice ${missing[0]} is` : `slices ${ranged(missing)} are`
  const whole = slices === 1 ? 'complete' : `complete in ${slices} slices`
  const state =
    missing.length > 0
      ? `INCOMPLETE: ${wanting} missing of ${slices}, wait for ${list.by}'s log or have it recalled again`
      : differs
        ? 'NOT WHAT IT NAMES: its lots are not those of its digest, ask its author'
        : whole
  return `list ${list.list}  ${list.stands ? 'RECALLED' : 'over'}  ${items} lots and products, ${state}; ${recallText(list)}`
}

/** `1–3, 7`. */
function ranged(numbers: readonly number[]): string {
  const runs: [number, number][] = []
  for (const number of numbers) {
    const last = runs.at(-1)
    if (last !== undefined && last[1] === number - 1) last[1] = number
    else runs.push([number, number])
  }
  return runs.map(([from, to]) => (from === to ? `${from}` : `${from}–${to}`)).join(', ')
}

function refused(code: string, message: string): ConsiliumError {
  return new ConsiliumError({ code, message })
}

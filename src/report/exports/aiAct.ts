/**
 * Entries as the events that Article 12 of the EU AI Act (Regulation (EU) 2024/1689) wants logs to have: what an entry has data for, and nothing
 * that it has not. It is a reading of the article, not legal advice.
 */
import { toHex } from '../../core/bytes.ts'
import { bodyIn, type Exported, fieldsOf, instant, placeOf } from './exported.ts'
import type { Json } from './fhirTerms.ts'
import type { AiActPart } from './kindTable.ts'

/** Where the article asks for it. Paragraph 3 binds systems of Annex III 1(a) alone; where its data is here it is named all the same. */
export const AI_ACT_PROVISIONS: Readonly<Record<AiActPart, readonly string[]>> = {
  use: ['12(2)(c)', '12(3)(a)', '12(3)(c)', '26(5)'],
  reference: ['12(3)(b)', '12(2)(a)'],
  person: ['12(3)(d)', '14(5)', '26(2)'],
  risk: ['12(2)(a)', '79(1)'],
  change: ['12(2)(a)', '12(2)(b)'],
  operation: ['12(2)(b)', '12(2)(c)', '72'],
}

/**
 * The event of an entry; null of a kind that the article does not ask for. Null fields: the entry does not say; where `body` is not `there`, all
 * that a body tells is null, the times of what happened among them. `recorded`: the time that the entry claims for itself.
 */
export function aiActEventOf(exported: Exported): Json | null {
  const { entry, state, kind, body, row, hospital } = exported
  if (row.aiAct === null) return null
  const hex = (field: string): string | null => {
    const value = body?.[field]
    return value instanceof Uint8Array ? toHex(value) : null
  }
  const number = (field: string): number | null => {
    const value = body?.[field]
    return typeof value === 'number' ? value : null
  }
  const isUse = row.aiAct === 'use'
  const time = (field: string): string | null => (body === null ? null : instant(number(field) ?? entry.timeMs))
  return {
    event: row.aiAct,
    provisions: AI_ACT_PROVISIONS[row.aiAct],
    says: row.says,
    hospital,
    hospitalKey: entry.author,
    recorded: instant(entry.timeMs),
    start: time('fromMs'),
    end: isUse || row.aiAct === 'operation' ? time('toMs') : null,
    system: { study: entry.study, model: hex('model') ?? hex('result') },
    runs: kind === 'model.used' ? 1 : isUse ? number('runs') : null,
    rows: number('rows') ?? number('examples'),
    referenceData: hex('version') ?? hex('dataset') ?? hex('commitment'),
    inputs: isUse ? (hex('root') ?? hex('run')) : null,
    person: row.aiAct === 'person' ? hex('person') : null,
    cites: entry.refs.map(([, , hash]) => hash),
    body: bodyIn(exported),
    details: Object.fromEntries(fieldsOf(body)),
    entry: placeOf(exported),
    hash: entry.hash,
    state,
  }
}

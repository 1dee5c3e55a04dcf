/** An entry as exports read it, and its body as fields: only what fits its kind's schema is told. */
import { toHex } from '../../core/bytes.ts'
import type { Cbor } from '../../core/cbor.ts'
import type { MemberId } from '../../core/ids.ts'
import { isKind, type Kind, readBody } from '../../governance/kinds.ts'
import type { EntryState } from '../../ledger/bundle.ts'
import type { Entry } from '../../ledger/entry.ts'
import { KIND_TABLE, type KindRow, UNKNOWN_KIND } from './kindTable.ts'

/** The consortium, as its founding and epochs tell of it. */
export interface ExportContext {
  readonly consortium: string
  /** Digest of the founding, hex. */
  readonly founding: string
  /** The name of a member now or before; undefined for a key that never took part. */
  nameOf(member: MemberId): string | undefined
}

/** An entry with what was read of it. */
export interface Exported {
  readonly entry: Entry
  readonly state: EntryState
  /** Null of a kind of another version, of a body that was dropped, and of one that does not fit. */
  readonly kind: Kind | null
  readonly body: Readonly<Record<string, Cbor>> | null
  readonly row: KindRow
  readonly hospital: string
}

/** Reads an entry for all exports alike. */
export function exportedOf(entry: Entry, state: EntryState, context: ExportContext): Exported {
  const kind = isKind(entry.kind) ? entry.kind : null
  const body = kind === null ? null : (readBody(kind, entry.body) as Exported['body'])
  const hospital = context.nameOf(entry.author) ?? entry.author.slice(0, 12)
  const fits = body === null ? null : kind
  return { entry, state, kind: fits, body, row: kind === null ? UNKNOWN_KIND : KIND_TABLE[kind], hospital }
}

/** Whether the body was read: where it is not there, a line has nothing of it, not even what its kind mostly says. */
export function bodyIn({ entry, body }: Pick<Exported, 'entry' | 'body'>): 'there' | 'dropped' | 'not read' {
  return body !== null ? 'there' : entry.body === null ? 'dropped' : 'not read'
}

/** `St.Mary/17`, as commands take it. */
export function placeOf({ hospital, entry }: Exported): string {
  return `${hospital.replaceAll(/\s+/g, '')}/${entry.seq}`
}

const BYTES_SHOWN_MAX = 64
const ITEMS_SHOWN_MAX = 8

/** A body's fields as text, in their order: digests in hex, long lists and documents by their size. */
export function fieldsOf(body: Exported['body']): [name: string, value: string][] {
  return Object.entries(body ?? {}).map(([name, value]) => [name, textOf(value)])
}

function textOf(value: Cbor | undefined): string {
  if (value instanceof Uint8Array) return value.length <= BYTES_SHOWN_MAX ? toHex(value) : `${value.length} bytes`
  if (Array.isArray(value)) {
    const plain = value.every((item) => item === null || typeof item !== 'object' || item instanceof Uint8Array)
    return plain && value.length <= ITEMS_SHOWN_MAX ? value.map(textOf).join(', ') || 'none' : `${value.length} items`
  }
  if (value === null || value === undefined) return 'not told'
  if (typeof value === 'object')
    return Object.entries(value)
      .map(([name, one]) => `${name} ${textOf(one as Cbor)}`)
      .join('; ')
  return String(value) || 'none'
}

/** RFC 3339, in UTC, to the millisecond. */
export const instant = (ms: number): string => new Date(ms).toISOString()

/** Bodies for people and JSON: bytes as hex. */
import type { Cbor } from '../core/cbor.ts'

/** What `JSON.stringify` takes. Bytes become lowercase hex digits, which then look like any text. */
export function readable(value: Cbor): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex')
  if (Array.isArray(value)) return value.map((item) => readable(item as Cbor))
  if (value !== null && typeof value === 'object') {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, readable(item as Cbor)]))
  }
  return value
}

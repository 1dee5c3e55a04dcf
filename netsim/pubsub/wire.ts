/** Bytes on a link: the protocol buffers of gossipsub's RPC, what Yamux and Noise add, but not the headers of TCP and IP. */

const ID_BYTES = 44 // a public key as protocol buffer, and a sequence number of 8
const AUTHOR_FIELDS_BYTES = 40 + 10 + 66 + 38 // author, sequence number, signature and key, each with its tag and length
const FRAME_BYTES_MAX = 65_519 // what one Noise message carries
const FRAME_OVERHEAD_BYTES = 12 + 18 // the header of Yamux; length and tag of Noise

/** One RPC as it leaves a node. `parts`: what its fields take. */
export function frameBytes(parts: number): number {
  const rpc = varintBytes(parts) + parts
  return rpc + Math.ceil(rpc / FRAME_BYTES_MAX) * FRAME_OVERHEAD_BYTES
}

/** A signed message with `dataBytes` of data. */
export function messageBytes(dataBytes: number, topicBytes: number): number {
  return field(field(dataBytes) + field(topicBytes) + AUTHOR_FIELDS_BYTES)
}

export function subscriptionsBytes(topics: number, topicBytes: number): number {
  return topics * field(2 + field(topicBytes))
}

/** The control part of an RPC. `parts`: of `ihaveBytes`, `iwantBytes`, `graftBytes`, `pruneBytes` and `idontwantBytes`. */
export function controlBytes(parts: number): number {
  return field(parts)
}

export function ihaveBytes(ids: number, topicBytes: number): number {
  return field(field(topicBytes) + ids * field(ID_BYTES))
}

export function iwantBytes(ids: number): number {
  return field(ids * field(ID_BYTES))
}

export function idontwantBytes(ids: number): number {
  return iwantBytes(ids)
}

export function graftBytes(topicBytes: number): number {
  return field(field(topicBytes))
}

export function pruneBytes(topicBytes: number, backoffMs: number): number {
  return field(field(topicBytes) + 1 + varintBytes(Math.floor(backoffMs / 1_000)))
}

function field(bytes: number): number {
  return 1 + varintBytes(bytes) + bytes
}

function varintBytes(value: number): number {
  let bytes = 1
  for (let rest = value; rest >= 128; rest /= 128) bytes++
  return bytes
}

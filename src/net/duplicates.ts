/** Which of several connections to one member stays. Both ends decide alike without a word. Pure. */

/** What the choice needs to know of a connection. */
export interface OpenConnection {
  readonly id: string
  readonly direction: 'inbound' | 'outbound'
  readonly openedMs: number
}

/**
 * The connection to keep: one that the lower key dialled, and of those the oldest (ties by id). `weAreLower`: our key is the
 * lower one. Undefined when there is none.
 */
export function keeperOf<C extends OpenConnection>(weAreLower: boolean, connections: readonly C[]): C | undefined {
  const preferred = weAreLower ? 'outbound' : 'inbound'
  const rank = (connection: C) => (connection.direction === preferred ? 0 : 1)
  return [...connections].sort((a, b) => rank(a) - rank(b) || a.openedMs - b.openedMs || (a.id < b.id ? -1 : 1))[0]
}

/**
 * The connections to close now. Age is judged from the newest: both ends must have seen all of them. The higher key waits
 * longer, since two connections of one direction may have opened in another order at the other end: there the lower decides.
 */
export function surplusOf<C extends OpenConnection>(
  weAreLower: boolean,
  connections: readonly C[],
  now: number,
  duplicateMs: number,
): C[] {
  if (connections.length < 2) return []
  const newestMs = Math.max(...connections.map((connection) => connection.openedMs))
  const directions = new Set(connections.map((connection) => connection.direction))
  const waitMs = weAreLower || (connections.length === 2 && directions.size === 2) ? duplicateMs : 4 * duplicateMs
  if (now - newestMs < waitMs) return []
  const keeper = keeperOf(weAreLower, connections)
  return connections.filter((connection) => connection !== keeper)
}

/** Inbound connections before their handshake, by the host they come from: none may hold all the places. Pure. */

const PER_HOST_MAX = 64 // of the 256 in libp2pNode: a consortium's members behind one address fit, and four hosts are needed to shut others out

/** What a connection is here: an object to know it by, told of its end once. */
export interface Knocking {
  addEventListener(type: 'close', listener: () => void): void
}

/** Bounds each host; how many wait in all is bounded by libp2p. */
export class WaitingRoom {
  readonly #hosts = new Map<Knocking, string>()
  readonly #counts = new Map<string, number>()

  /** Whether `connection` from `host` may wait for its handshake. It leaves when it ends, or by `leave`. */
  enter(host: string, connection: Knocking): boolean {
    const count = this.#counts.get(host) ?? 0
    if (count >= PER_HOST_MAX) return false
    this.#counts.set(host, count + 1)
    this.#hosts.set(connection, host)
    connection.addEventListener('close', () => this.leave(connection))
    return true
  }

  /** The handshake is over, or the connection; a second time changes nothing. */
  leave(connection: Knocking): void {
    const host = this.#hosts.get(connection)
    if (host === undefined) return
    this.#hosts.delete(connection)
    const count = (this.#counts.get(host) as number) - 1
    if (count > 0) this.#counts.set(host, count)
    else this.#counts.delete(host)
  }

  get size(): number {
    return this.#hosts.size
  }
}

/**
 * Streams that stand open for a request to come: libp2p agrees on the protocol of every new stream, which takes a way there and back. One
 * for each member and each protocol that is asked for again and again.
 */
import type { Connection, Stream } from '@libp2p/interface'
import type { MemberId } from '../core/ids.ts'

interface Spare {
  readonly connection: Connection
  readonly opening: Promise<Stream | undefined>
}

/** `open` agrees on the protocol of a new stream; its failure is no news here, the next request has its own. */
export class Spares {
  readonly #open: (connection: Connection, protocol: string) => Promise<Stream>
  readonly #spares = new Map<MemberId, Map<string, Spare>>()
  #stopped = false

  constructor(open: (connection: Connection, protocol: string) => Promise<Stream>) {
    this.#open = open
  }

  /** Opens one where there is none on this connection. */
  keep(member: MemberId, connection: Connection, protocol: string): void {
    if (this.#stopped) return
    const own = this.#spares.get(member) ?? new Map<string, Spare>()
    this.#spares.set(member, own)
    const known = own.get(protocol)
    if (known?.connection === connection) return
    if (known !== undefined) drop(known)
    own.set(protocol, { connection, opening: this.#open(connection, protocol).catch(() => undefined) })
  }

  /** The one that is kept, which is the caller's from then on; undefined where there is none, or it broke meanwhile. */
  async take(member: MemberId, connection: Connection, protocol: string): Promise<Stream | undefined> {
    const own = this.#spares.get(member)
    const spare = own?.get(protocol)
    if (own === undefined || spare === undefined) return undefined
    own.delete(protocol)
    if (spare.connection !== connection) {
      drop(spare)
      return undefined
    }
    const stream = await spare.opening
    return stream !== undefined && stream.status === 'open' && stream.remoteWriteStatus !== 'closed'
      ? stream
      : undefined
  }

  /** The member is gone. */
  forget(member: MemberId): void {
    for (const spare of this.#spares.get(member)?.values() ?? []) drop(spare)
    this.#spares.delete(member)
  }

  stop(): void {
    this.#stopped = true
    for (const member of [...this.#spares.keys()]) this.forget(member)
  }
}

function drop({ opening }: Spare): void {
  void opening.then((stream) => stream?.abort(new Error('not needed any more')))
}

/** A TCP relay between two nodes on one machine: it counts what passes, both ways, and can make the way longer. */
import { connect, createServer, type Server, type Socket } from 'node:net'

/** Open until `close`. */
export class Wire {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly port: number
  /** Bytes that have come in at either end. */
  bytes = 0
  /** How long each byte is held, one way. */
  delayMs = 0

  private constructor(server: Server, port: number) {
    this.#server = server
    this.port = port
  }

  static async open(toPort: number): Promise<Wire> {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const wire = new Wire(server, (server.address() as { port: number }).port)
    server.on('connection', (near) => {
      const far = connect(toPort, '127.0.0.1')
      wire.#pass(near, far)
      wire.#pass(far, near)
    })
    return wire
  }

  /** Waits until nothing has passed for `quietMs`; ten times as long at most, for nodes that know each other still say that they live. */
  async settle(quietMs: number): Promise<void> {
    for (let tries = 0, before = -1; before !== this.bytes && tries < 10; tries++) {
      before = this.bytes
      await new Promise((resolve) => setTimeout(resolve, quietMs))
    }
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
  }

  #pass(from: Socket, to: Socket): void {
    this.#sockets.add(from)
    from.setNoDelay(true)
    from.on('error', () => to.destroy())
    from.on('close', () => this.#later(() => to.destroy()))
    from.on('data', (chunk) => {
      this.bytes += chunk.length
      this.#later(() => {
        if (to.write(chunk) || from.destroyed) return
        from.pause()
        to.once('drain', () => from.resume())
      })
    })
  }

  #later(work: () => void): void {
    if (this.delayMs === 0) work()
    else setTimeout(work, this.delayMs)
  }
}

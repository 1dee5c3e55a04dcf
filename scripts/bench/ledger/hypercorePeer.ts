/** One end of a hypercore that is replicated over TCP, as a process. */
import { randomBytes } from 'node:crypto'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { load } from './load.ts'
import { jobOf, tell } from './processes.ts'

interface Job {
  readonly peers: string
  readonly folder: string
  readonly count: number
  readonly as: 'server' | 'reader'
  readonly port?: number
  readonly key?: string
}

/** What is used of a Hypercore. */
interface Core {
  readonly key: Uint8Array
  readonly length: number
  ready(): Promise<void>
  append(blocks: Uint8Array[]): Promise<unknown>
  replicate(initiator: boolean): NodeJS.ReadWriteStream
  download(range: { start: number; end: number }): { done(): Promise<unknown> }
  update(options: { wait: boolean }): Promise<boolean>
}

const BLOCK_BYTES = 404 // as our entries
const BATCH = 256 // as our commits
const job = jobOf<Job>()
const Hypercore = (await load(job.peers, 'hypercore')) as new (folder: string, key?: Uint8Array) => Core
await (job.as === 'server' ? serve() : read())

async function serve(): Promise<void> {
  const core = new Hypercore(join(job.folder, 'server'))
  await core.ready()
  for (let at = 0; at < job.count; at += BATCH) {
    const blocks = Array.from({ length: Math.min(BATCH, job.count - at) }, () => randomBytes(BLOCK_BYTES))
    await core.append(blocks)
  }
  const server = createServer((socket) => pass(core.replicate(false), socket))
  server.listen(0, '127.0.0.1', () => {
    tell({ port: (server.address() as AddressInfo).port, key: Buffer.from(core.key).toString('hex') })
  })
}

async function read(): Promise<void> {
  const core = new Hypercore(join(job.folder, 'reader'), Buffer.from(job.key as string, 'hex'))
  await core.ready()
  const socket = connect(job.port as number, '127.0.0.1')
  await new Promise((resolve) => socket.once('connect', resolve))
  const begun = performance.now()
  pass(core.replicate(true), socket)
  await core.download({ start: 0, end: job.count }).done()
  tell({ seconds: (performance.now() - begun) / 1000 })
}

function pass(stream: NodeJS.ReadWriteStream, socket: Socket): void {
  stream.pipe(socket).pipe(stream)
}

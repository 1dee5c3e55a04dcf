/** Five clinics as five daemon processes: founded, started, killed, started again, and always cleaned up. */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { Client } from '../../src/cli/client.ts'
import { defaultConfigText } from '../../src/config/config.ts'
import type { StatusReport } from '../../src/daemon/api.ts'
import { acceptConsortium, foundConsortium, homePaths, initHome } from '../../src/daemon/home.ts'
import type { ClinicTable } from './deal.ts'

const READY_MS = 60_000 // five daemons starting at once on two cores that other work keeps busy, too
const STOP_MS = 5_000

export class Clinic {
  readonly name: string
  readonly home: string
  readonly table: string
  readonly rows: number
  readonly client: Client
  #process: ChildProcess | null = null

  constructor(folder: string, table: ClinicTable) {
    this.name = table.name
    this.home = join(folder, table.slug)
    this.table = join(this.home, 'patients.csv')
    this.rows = table.rows
    this.client = new Client(this.home, homePaths(this.home).socket)
  }

  get running(): boolean {
    return this.#process !== null
  }

  /** Starts the daemon, its log appended to `daemon.log` in its folder; resolves when its control socket answers. */
  async start(program: string): Promise<void> {
    const log = openSync(join(this.home, 'daemon.log'), 'a')
    const child = spawn(process.execPath, [program, 'start', '--home', this.home], { stdio: ['ignore', log, log] })
    closeSync(log)
    this.#process = child
    child.once('exit', () => {
      if (this.#process === child) this.#process = null
    })
    await until(READY_MS, `${this.name} to start (its log: ${join(this.home, 'daemon.log')})`, async () => {
      if (this.#process !== child)
        throw new Error(`${this.name} stopped while starting; its log: ${join(this.home, 'daemon.log')}`)
      return (await this.status()) !== null
    })
  }

  /** SIGKILL: no goodbye, no chance to save anything. */
  kill(): void {
    this.#process?.kill('SIGKILL')
    this.#process = null
  }

  async stop(): Promise<void> {
    const child = this.#process
    if (child === null) return
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
    child.kill('SIGTERM')
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
    await ended
    clearTimeout(timer)
    this.#process = null
  }

  /** The daemon's status, or null where none answers. */
  async status(): Promise<StatusReport | null> {
    return this.client.get<StatusReport>('/v1/status').catch(() => null)
  }
}

/** Makes keys, cards, the consortium file and its five signatures, and each clinic's table. */
export async function foundClinics(folder: string, tables: readonly ClinicTable[]): Promise<Clinic[]> {
  const clinics = tables.map((table) => new Clinic(folder, table))
  const ports = await freePorts(clinics.length)
  const cards: { text: string; source: string }[] = []
  for (const [i, clinic] of clinics.entries()) {
    const listen = `/ip4/127.0.0.1/tcp/${ports[i]}`
    const { card, paths } = await initHome(
      clinic.home,
      { name: clinic.name, port: ports[i] as number, announce: [] },
      [],
    )
    // one bootstrap address, the first clinic's; the others are found through it
    const bootstrap = i === 0 ? [] : [`/ip4/127.0.0.1/tcp/${ports[0]}`]
    await writeFile(paths.config, defaultConfigText({ name: clinic.name, listen: [listen], bootstrap, mdns: true }))
    await writeFile(clinic.table, tables[i]?.csv ?? '')
    cards.push({ text: card, source: clinic.name })
  }
  const { text } = await foundConsortium('Demo memory clinics', cards)
  const file = join(folder, 'consortium.yaml')
  await writeFile(file, text)
  for (const clinic of clinics) await acceptConsortium(clinic.home, file)
  return clinics
}

/** Waits for a condition with a deadline. */
export async function until(deadlineMs: number, what: string, condition: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + deadlineMs
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`waited ${deadlineMs / 1000} s for ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

/** Ports that nobody listens on now. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer()
      await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve))
      return server
    }),
  )
  const ports = servers.map((server) => (server.address() as { port: number }).port)
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}

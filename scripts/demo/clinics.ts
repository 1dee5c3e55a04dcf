/** Five clinics as five daemon processes: their keys, cards, tables and the file that all sign. */
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { Client } from '../../src/cli/client.ts'
import { defaultConfigText } from '../../src/config/config.ts'
import type { StatusReport } from '../../src/daemon/api.ts'
import { acceptConsortium, foundConsortium, initHome } from '../../src/daemon/home.ts'
import { homePaths } from '../../src/daemon/homePaths.ts'
import { DaemonProcess } from './daemonProcess.ts'
import type { ClinicTable } from './deal.ts'

export class Clinic extends DaemonProcess {
  readonly table: string
  readonly rows: number
  readonly client: Client

  constructor(folder: string, table: ClinicTable) {
    super(table.name, join(folder, table.slug))
    this.table = join(this.home, 'patients.csv')
    this.rows = table.rows
    this.client = new Client(this.home, homePaths(this.home).socket)
  }

  protected async answers(): Promise<boolean> {
    return (await this.status()) !== null
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

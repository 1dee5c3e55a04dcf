/** The nearest peers from npm, in a folder of their own: installed when asked for, used where they are, and missed aloud. */
import { spawn } from 'node:child_process'
import { access, mkdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Child } from './processes.ts'

/** Where they are installed. */
export interface Peers {
  readonly folder: string
}

const FOLDER = join(tmpdir(), 'consilium-bench-peers')
const MANIFEST = {
  name: 'consilium-bench-peers',
  private: true,
  dependencies: {
    hypercore: '11.39.5',
    'ssb-db2': '8.1.0',
    'secret-stack': '6.4.2',
    'ssb-keys': '8.5.0',
    'ssb-caps': '1.1.0',
  },
  overrides: { 'hypercore-storage': '3.3.1' }, // the newest that there is: hypercore asks for ^3.3.2
}

/** Has npm install them. Says where it could not, and goes on. */
export async function installPeers(): Promise<void> {
  await mkdir(FOLDER, { recursive: true })
  await writeFile(join(FOLDER, 'package.json'), JSON.stringify(MANIFEST))
  const npm = spawn('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: FOLDER,
    stdio: ['ignore', 2, 2],
  })
  const code = await new Promise((resolve) => npm.once('exit', resolve).once('error', resolve))
  if (code !== 0) process.stderr.write(`npm could not install the peers in ${FOLDER} (${code})\n`)
}

export async function findPeers(): Promise<Peers | null> {
  for (const name of Object.keys(MANIFEST.dependencies)) {
    try {
      await access(join(FOLDER, 'node_modules', name, 'package.json'))
    } catch {
      return null
    }
  }
  return { folder: FOLDER }
}

export function sayMissing(): void {
  process.stdout.write(
    'The comparison with hypercore and ssb-db2 is left out: they are not installed. "npm run bench -- ledger --peers" has npm install them.\n',
  )
}

/** Blocks a second from one process to another; 400 bytes each, over TCP. */
export async function hypercoreRate({ folder }: Peers, place: string, count: number): Promise<number> {
  const job = { peers: folder, folder: join(place, 'hypercore'), count }
  const server = new Child('./hypercorePeer.ts', { ...job, as: 'server' })
  const { port, key } = await server.next<{ port: number; key: string }>()
  const reader = new Child('./hypercorePeer.ts', { ...job, as: 'reader', port, key })
  const { seconds } = await reader.next<{ seconds: number }>()
  await Promise.all([reader.end('kill'), server.end('kill')])
  return count / seconds
}

/** Messages a second that ssb-db2 validates and appends. */
export async function ssbRate({ folder }: Peers, place: string): Promise<number> {
  const child = new Child('./ssbPeer.ts', { peers: folder, folder: join(place, 'ssb') })
  const { rate } = await child.next<{ rate: number }>()
  await child.end('kill')
  return rate
}

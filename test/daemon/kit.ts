/** Real daemons in child processes, compiled code, temporary folders: what the end-to-end tests share. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Client } from '../../src/cli/client.ts'
import { defaultConfigText } from '../../src/config/config.ts'
import { Rng } from '../../src/core/rng.ts'
import type { StatusReport } from '../../src/daemon/api.ts'
import { acceptConsortium, foundConsortium, initHome } from '../../src/daemon/home.ts'
import { homePaths } from '../../src/daemon/homePaths.ts'

export const PROGRAM = fileURLToPath(new URL('../../dist/src/main.js', import.meta.url))

const PATIENCE_MS = 90_000 // what holds comes in seconds; two busy cores may need a minute, and only a failure costs it
const COMMAND_MS_MAX = 120_000
const PORTS = [20_000, 32_000] as const // below those that the system gives to who asks for any: no other test draws them meanwhile

export interface Ended {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** Runs the command to its end. */
export function consilium(
  args: readonly string[],
  { input, ...options }: { cwd?: string; env?: NodeJS.ProcessEnv; input?: string } = {},
): Promise<Ended> {
  return new Promise((resolve) => {
    const env = { ...process.env, ...options.env }
    const child = execFile(
      process.execPath,
      [PROGRAM, ...args],
      { ...options, env, timeout: COMMAND_MS_MAX },
      (error, out, err) => {
        const code = error === null ? 0 : ((error as { code?: number }).code ?? null)
        resolve({ code, out, err })
      },
    )
    if (input !== undefined) child.stdin?.end(input)
  })
}

export class TestNode {
  readonly name: string
  readonly home: string
  readonly client: Client
  process: ChildProcess | null = null
  /** Of Node itself, before the program. */
  readonly nodeArguments: string[] = []
  /** Standard error of all runs. */
  log = ''

  constructor(folder: string, name: string) {
    this.name = name
    this.home = join(folder, name)
    this.client = new Client(this.home, homePaths(this.home).socket)
  }

  async start(...more: string[]): Promise<void> {
    const child = spawn(process.execPath, [...this.nodeArguments, PROGRAM, 'start', '--home', this.home, ...more], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    this.process = child
    child.stderr.on('data', (chunk: Buffer) => {
      this.log += chunk.toString('utf8')
    })
    await until(90_000, `${this.name} to be ready`, async () => {
      if (child.exitCode !== null || child.signalCode !== null) throw new Error(`${this.name} ended: ${this.log}`)
      return (await this.status()) !== null
    })
  }

  async end(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.process
    this.process = null
    if (child === null || child.exitCode !== null) return child?.exitCode ?? null
    const ended = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)))
    child.kill(signal)
    return ended
  }

  status(): Promise<StatusReport | null> {
    return this.client.get<StatusReport>('/v1/status').catch(() => null)
  }
}

/** Starts all of them, and waits until each has passed its boot fence. */
export async function startAll(nodes: readonly TestNode[], ...more: string[]): Promise<void> {
  await Promise.all(nodes.map((node) => node.start(...more)))
  await signing(nodes)
}

/** Waits until each has passed its boot fence. */
export async function signing(nodes: readonly TestNode[]): Promise<void> {
  for (const node of nodes)
    await until(30_000, `${node.name} to sign`, async () => (await node.status())?.fence === null).catch((error) => {
      throw new Error(`${error.message}; its log ends:\n${node.log.split('\n').slice(-15).join('\n')}`)
    })
}

/** A founded consortium of `names` on loopback; the first is everybody's bootstrap. */
export async function consortium(folder: string, names: readonly string[]): Promise<TestNode[]> {
  const nodes = names.map((name) => new TestNode(folder, name))
  const [port] = await freePorts(1)
  const cards: { text: string; source: string }[] = []
  for (const [i, node] of nodes.entries()) {
    const { card, paths } = await initHome(node.home, { name: node.name, port: 1, announce: [] }, [])
    const listen = [`/ip4/127.0.0.1/tcp/${i === 0 ? port : 0}`]
    const bootstrap = i === 0 ? [] : [`/ip4/127.0.0.1/tcp/${port}`]
    await writeFile(paths.config, defaultConfigText({ name: node.name, listen, bootstrap }))
    cards.push({ text: card, source: node.name })
  }
  const file = join(folder, 'consortium.yaml')
  await writeFile(file, (await foundConsortium('Test consortium', cards)).text)
  for (const node of nodes) await acceptConsortium(node.home, file)
  return nodes
}

/** Has `node` train with this learner, and say more in its log, from its next start on. */
export async function fixBackend({ home }: TestNode, backend: string): Promise<void> {
  const { config } = homePaths(home)
  const text = await readFile(config, 'utf8')
  if (!text.includes('backend: auto') || !text.includes('level: info'))
    throw new Error(`${config} is written otherwise`)
  await writeFile(config, text.replace('backend: auto', `backend: ${backend}`).replace('level: info', 'level: debug'))
}

/** A study of two numbers and a category that a table made by `patients` can be learnt from. */
export function studyText(options: {
  rounds: number
  periodSeconds?: number
  deadlineSeconds?: number
  name?: string
}): string {
  return `name: ${options.name ?? 'Test study'}
purpose: to test the daemon
model: { kind: logistic }
label: { name: ill, positive: 'yes', negative: 'no' }
features:
  - { name: age, kind: number, unit: years, range: [0, 120], missing: mean }
  - { name: marker, kind: number, unit: mg/L, range: [-10, 10], missing: mean }
  - { name: sex, kind: category, levels: [f, m], missing: level }
training: { localEpochs: 2, batchRows: 16, learningRate: 0.05, l2: 0.01, optimiser: adam }
merge: { rule: mean, weighting: sqrt, examplesCap: 1000, ageRoundsMax: 8 }
statistics: { deadlineSeconds: ${options.deadlineSeconds ?? 10} }
rounds: { periodSeconds: ${options.periodSeconds ?? 0.2}, count: ${options.rounds} }
testShare: 0.25
minimumCohort: 5
`
}

/** Adds a study at the first node and accepts it at all others; gives its digest. */
export async function propose(folder: string, nodes: readonly TestNode[], text: string): Promise<string> {
  const file = join(folder, 'test.study.yaml')
  await writeFile(file, text)
  const [first] = nodes as [TestNode]
  const added = await consilium(['study', 'add', file, '--home', first.home, '--json'])
  if (added.code !== 0) throw new Error(added.err)
  const { study } = JSON.parse(added.out) as { study: string }
  for (const node of nodes.slice(1)) {
    await until(
      10_000,
      `the study to reach ${node.name}`,
      async () => (await node.status())?.studies.some((one) => one.id === study) ?? false,
    )
    const accepted = await consilium(['study', 'accept', study, '--home', node.home])
    if (accepted.code !== 0) throw new Error(accepted.err)
  }
  return study
}

/** Binds a table with the content `csv`. */
export async function bind(folder: string, node: TestNode, study: string, csv: string): Promise<void> {
  const file = join(folder, `${node.name}.csv`)
  await writeFile(file, csv)
  const bound = await consilium(['study', 'bind', study.slice(0, 10), '--data', file, '--home', node.home])
  if (bound.code !== 0) throw new Error(bound.err)
}

export function patients(rows: number, seed: number): string {
  const rng = Rng.from('patients', seed)
  const lines = ['age,marker,sex,ill']
  for (let i = 0; i < rows; i++) {
    const age = 30 + rng.below(60)
    const marker = rng.float() * 4 - 2
    const ill = age / 60 + marker + rng.float() > 1.8
    lines.push(
      [rng.below(20) === 0 ? '' : age, marker.toFixed(3), rng.below(2) === 0 ? 'f' : 'm', ill ? 'yes' : 'no'].join(','),
    )
  }
  return `${lines.join('\n')}\n`
}

/** Waits until `condition` holds: `deadlineMs` at least. */
export async function until(deadlineMs: number, what: string, condition: () => Promise<boolean>): Promise<void> {
  const patienceMs = Math.max(deadlineMs, PATIENCE_MS)
  const end = Date.now() + patienceMs
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`waited ${patienceMs / 1000} s for ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer()
      const draw = (): unknown => server.listen(randomInt(...PORTS), '127.0.0.1')
      await new Promise<void>((resolve) => {
        server.on('listening', resolve).on('error', draw)
        draw()
      })
      return server
    }),
  )
  const ports = servers.map((server) => (server.address() as { port: number }).port)
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}

/** A folder that is gone when `use` ends, with everything that still runs in it ended. */
export async function inFolder(use: (folder: string, nodes: TestNode[]) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'consilium-test-'))
  const nodes: TestNode[] = []
  try {
    await use(folder, nodes)
  } finally {
    await Promise.all(nodes.map((node) => node.end('SIGKILL')))
    await rm(folder, { recursive: true, force: true })
  }
}

/** All files below a folder with their bytes; where a running node renamed one since they were listed, they are listed again. */
export async function filesIn(
  folder: string,
  looks = 20,
): Promise<{ readonly file: string; readonly bytes: Buffer }[]> {
  const names = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = names.filter((one) => one.isFile()).map((one) => join(one.parentPath, one.name))
  try {
    return await Promise.all(files.map(async (file) => ({ file, bytes: await readFile(file) })))
  } catch (error) {
    if (looks === 0 || (error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    return filesIn(folder, looks - 1)
  }
}

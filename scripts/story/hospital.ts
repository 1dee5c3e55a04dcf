/** One hospital of the story: its folder, its table, its daemon, and the commands that its people type. */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { until } from '../demo/clinics.ts'
import { consilium, PROGRAM, type Telling } from './stage.ts'

const READY_MS = 90_000 // six daemons on two cores that other work keeps busy, too
const STOP_MS = 5_000

export class Hospital {
  readonly name: string
  readonly home: string
  readonly folder: string
  /** Where its table lies: outside of the data folder. */
  readonly table: string
  #process: ChildProcess | null = null
  /** Who signs for what this hospital does; nobody has to before somebody was enrolled. */
  signer: Telling['signer']

  constructor(name: string, folder: string, slug: string) {
    this.name = name
    this.folder = folder
    this.home = join(folder, slug)
    this.table = `${slug}.csv`
  }

  keepTable(csv: string): Promise<void> {
    return writeFile(join(this.folder, this.table), csv, { mode: 0o600 })
  }

  /** Runs a command for this hospital and shows it. */
  does(args: readonly string[], telling: Partial<Telling> = {}): Promise<string> {
    return consilium(this.name, this.home, args, {
      cwd: this.folder,
      ...(this.signer === undefined ? {} : { signer: this.signer }),
      ...telling,
    })
  }

  /** What a command says with `--json`, not shown. */
  async asks<T>(args: readonly string[], input?: string): Promise<T> {
    const text = await this.does([...args, '--json'], { silent: true, ...(input === undefined ? {} : { input }) })
    return JSON.parse(text) as T
  }

  /** Starts the daemon, its log in `daemon.log` of its folder; resolves when it answers. */
  async start(): Promise<void> {
    const file = join(this.home, 'daemon.log')
    const log = openSync(file, 'a')
    const child = spawn(process.execPath, [PROGRAM, 'start', '--home', this.home], { stdio: ['ignore', log, log] })
    closeSync(log)
    this.#process = child
    child.once('exit', () => {
      if (this.#process === child) this.#process = null
    })
    await until(READY_MS, `${this.name} to start (its log: ${file})`, async () => {
      if (this.#process !== child) throw new Error(`${this.name} stopped while starting; its log: ${file}`)
      return this.asks(['status'])
        .then(() => true)
        .catch(() => false)
    })
  }

  kill(): void {
    this.#process?.kill('SIGKILL')
  }

  async stop(): Promise<void> {
    const child = this.#process
    if (child === null) return
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
    child.kill('SIGTERM')
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
    await ended
    clearTimeout(timer)
  }
}

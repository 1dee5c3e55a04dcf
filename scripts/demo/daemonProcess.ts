/** A hospital's daemon as a process of its own: started, killed, stopped, started again, and never left behind. */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { join } from 'node:path'

const READY_MS = 90_000 // six daemons starting at once on two cores that other work keeps busy, too
const STOP_MS = 5_000

/** One data folder and the process that runs on it, if one does. */
export abstract class DaemonProcess {
  readonly name: string
  readonly home: string
  #process: ChildProcess | null = null

  constructor(name: string, home: string) {
    this.name = name
    this.home = home
  }

  /** Whether the daemon's control socket answers. */
  protected abstract answers(): Promise<boolean>

  get running(): boolean {
    return this.#process !== null
  }

  /** Starts the daemon, its log appended to `daemon.log` in its folder; resolves when its control socket answers. */
  async start(program: string): Promise<void> {
    const file = join(this.home, 'daemon.log')
    const log = openSync(file, 'a')
    const child = spawn(process.execPath, [program, 'start', '--home', this.home], { stdio: ['ignore', log, log] })
    closeSync(log)
    this.#process = child
    child.once('exit', () => {
      if (this.#process === child) this.#process = null
    })
    await until(READY_MS, `${this.name} to start (its log: ${file})`, async () => {
      if (this.#process !== child) throw new Error(`${this.name} stopped while starting; its log: ${file}`)
      return this.answers()
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
}

/** Waits for a condition with a deadline. */
export async function until(deadlineMs: number, what: string, condition: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + deadlineMs
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`waited ${deadlineMs / 1000} s for ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

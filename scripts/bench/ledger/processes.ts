/** Child processes of the ledger's benchmarks: each is given one job, and then they talk in messages, one at a time. */
import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export type Message = Readonly<Record<string, unknown>>

/** A child; `next` gives its messages in order, and throws where it ended before. */
export class Child {
  readonly #process: ChildProcess
  readonly #messages: Message[] = []
  readonly #ended: Promise<void>
  #exit: string | null = null
  #wake: () => void = () => undefined

  /** Runs `file` beside this one under the same options of Node; `job` is its only argument. */
  constructor(file: string, job: object) {
    const path = fileURLToPath(new URL(file, import.meta.url))
    this.#process = fork(path, [JSON.stringify(job)], { execArgv: process.execArgv, stdio: ['ignore', 2, 2, 'ipc'] })
    this.#process.on('message', (message) => {
      this.#messages.push(message as Message)
      this.#wake()
    })
    this.#ended = new Promise((resolve) => {
      this.#process.once('exit', (code, signal) => {
        this.#exit = `${file} ended with ${signal ?? code}`
        this.#wake()
        resolve()
      })
    })
  }

  async next<T>(): Promise<T> {
    while (this.#messages.length === 0) {
      if (this.#exit !== null) throw new Error(this.#exit)
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    return this.#messages.shift() as T
  }

  /** Says "go on", whatever the child waits for. */
  go(): void {
    this.#process.send({})
  }

  /** Lets the child end by itself, or ends it. */
  async end(how: 'wait' | 'kill' = 'wait'): Promise<void> {
    if (how === 'kill') this.#process.kill('SIGKILL')
    await this.#ended
  }
}

/** In a child: its job. It ends with its parent. */
export function jobOf<T>(): T {
  process.once('disconnect', () => process.exit())
  return JSON.parse(process.argv[2] as string) as T
}

/** In a child: tells the parent. */
export function tell(message: Message): void {
  process.send?.(message)
}

/** In a child: waits until the parent says "go on". */
export function told(): Promise<void> {
  return new Promise((resolve) => process.once('message', () => resolve()))
}

/** In a child: it is through. */
export function done(): void {
  process.disconnect()
}

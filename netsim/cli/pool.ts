/** Runs of a sweep in worker threads: each thread does one run after another. */
import { Worker } from 'node:worker_threads'
import { messageOf } from '../../src/core/errors.ts'
import type { Scenario } from '../scenario/schema.ts'
import type { RunRecord } from './sweepFolder.ts'

/** One run, as a thread is told of it. */
export interface Job {
  readonly scenario: Scenario
  readonly seed: number
  readonly scenarioName: string
  readonly baseFolder: string
  readonly parameters: Readonly<Record<string, unknown>>
}

/** A thread's answer. */
export type Answer =
  | { readonly record: RunRecord }
  | { readonly error: { readonly code: string; readonly message: string } }

export interface PoolOptions {
  /** URL of the module that a thread runs: it calls `serveRuns`. */
  readonly worker: string
  readonly threads: number
  /** Ends the threads at once; what they were doing is lost. */
  readonly signal: AbortSignal
  /** Awaited before the thread gets its next run. */
  readonly onAnswer: (job: number, answer: Answer) => Promise<void>
}

/** Resolves when all jobs are answered, or the signal ended it. A thread that dies answers its job with an error. */
export async function runPool(jobs: readonly Job[], options: PoolOptions): Promise<void> {
  let next = 0
  const lane = async (): Promise<void> => {
    let thread: Worker | null = null
    const end = (): void => {
      thread?.terminate()
    }
    options.signal.addEventListener('abort', end)
    try {
      while (next < jobs.length && !options.signal.aborted) {
        const job = next++
        thread ??= spawnThread(options.worker)
        const answer = await ask(thread, jobs[job] as Job)
        if (answer === null || ('error' in answer && answer.error.code === 'thread-died')) thread = null
        if (options.signal.aborted) return
        await options.onAnswer(
          job,
          answer ?? { error: { code: 'thread-died', message: 'the thread of this run ended' } },
        )
      }
    } finally {
      options.signal.removeEventListener('abort', end)
      await thread?.terminate()
    }
  }
  await Promise.all(Array.from({ length: Math.min(options.threads, jobs.length) }, lane))
}

/** Null where the thread ended without an answer. */
function ask(thread: Worker, job: Job): Promise<Answer | null> {
  return new Promise((resolve) => {
    const finish = (answer: Answer | null): void => {
      thread.off('message', answered)
      thread.off('error', failed)
      thread.off('exit', ended)
      resolve(answer)
    }
    const answered = (answer: Answer): void => finish(answer)
    const failed = (error: unknown): void => finish({ error: { code: 'thread-died', message: messageOf(error) } })
    const ended = (): void => finish(null)
    thread.on('message', answered)
    thread.on('error', failed)
    thread.on('exit', ended)
    thread.postMessage(job)
  })
}

/** From a compiled file, or through tsx from a .ts file. */
function spawnThread(url: string): Worker {
  if (!url.endsWith('.ts')) return new Worker(new URL(url), { execArgv: [] })
  // Node 20 decides how to load a thread's first file before the thread's --import hooks run: so a first line that registers tsx itself
  const [tsx, module] = [import.meta.resolve('tsx/esm/api'), url].map((each) => JSON.stringify(each))
  const source = `import(${tsx}).then(({ register }) => { register(); return import(${module}) })`
  return new Worker(source, { eval: true, execArgv: [] })
}

/** A learner in a thread of its own, so that the network never stalls while a model trains. */

import { Worker } from 'node:worker_threads'
import { ConsiliumError, messageOf } from '../core/errors.ts'
import type { StudyId } from '../core/ids.ts'
import type { Metrics } from '../core/metrics.ts'
import type { LearnerChoice } from './chosenLearner.ts'
import { hasSameRows } from './inUse.ts'
import type { DesignMatrix, Learner, Opened, OpenRequest, Part, TrainRequest, TrainResult, Weights } from './learner.ts'
import type { Answer, Call, Question, Result, WorkerOptions } from './worker.ts'

const CALLS_WAITING_MAX = 64 // each may hold a copy of a model; a node asks for one thing per study at a time

interface Waiting {
  readonly resolve: (result: never) => void
  readonly reject: (error: Error) => void
}

/** One life of the thread: what it was asked and has not answered, and whether it ended. */
interface Thread {
  readonly worker: Worker
  readonly waiting: Map<number, Waiting>
  /** Settled when every study has been opened again after a crash. */
  ready: Promise<unknown>
}

/**
 * ChosenLearner in a worker thread. Buffers go over by transfer of a copy, so the caller keeps its own. When the thread dies, what it
 * had not answered is rejected with `learner-crashed`, and the next call starts another and opens the studies again.
 * Errors: those of ChosenLearner, `learner-crashed`, `learner-busy`, `learner-closed`, `learner-internal`.
 */
export class WorkerLearner implements Learner {
  readonly #options: WorkerOptions
  readonly #spawn: typeof spawnThread
  readonly #studies = new Map<StudyId, OpenRequest>()
  #thread: Thread | undefined
  #closing: Promise<void> | undefined
  #next = 0
  #calls = 0
  constructor(
    options: { readonly backend?: LearnerChoice } = {},
    components: { readonly spawn?: typeof spawnThread } = {},
  ) {
    this.#options = { backend: options.backend ?? 'auto' }
    this.#spawn = components.spawn ?? spawnThread
  }

  async open(request: OpenRequest): Promise<Opened> {
    const before = this.#studies.get(request.study)
    const isHere = before !== undefined && this.#thread !== undefined && hasSameRows(before, request)
    const { train, test, validation, ...rest } = request
    const opened = await this.#call(isHere ? { kind: 'reopen', request: rest } : { kind: 'open', request })
    this.#studies.set(request.study, request)
    return opened
  }

  train(request: TrainRequest): Promise<TrainResult> {
    return this.#call({ kind: 'train', request })
  }

  evaluate(study: StudyId, weights: Weights): Promise<Metrics> {
    return this.#call({ kind: 'evaluate', study, weights })
  }

  logits(study: StudyId, weights: Weights, rows: Part | DesignMatrix): Promise<Float32Array> {
    return this.#call({ kind: 'logits', study, weights, rows })
  }

  /** Ends the thread at once; what it had not answered is rejected with `learner-closed`. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#end()
    return this.#closing
  }

  async #end(): Promise<void> {
    const thread = this.#thread
    if (thread === undefined) return
    this.#abandon(thread, closed())
    await thread.worker.terminate()
  }

  async #call<C extends Call>(call: C): Promise<Result<C>> {
    if (this.#closing) throw closed()
    if (this.#calls >= CALLS_WAITING_MAX) {
      throw failure(
        'learner-busy',
        `${this.#calls} calls wait for the learner, at most ${CALLS_WAITING_MAX} may; await some first`,
      )
    }
    this.#calls++
    try {
      const thread = this.#thread ?? this.#start()
      await thread.ready
      return await this.#ask(thread, call)
    } finally {
      this.#calls--
    }
  }

  #start(): Thread {
    const worker = this.#spawn(this.#options)
    const thread: Thread = { worker, waiting: new Map(), ready: Promise.resolve() }
    this.#thread = thread
    worker.on('message', (answer: Answer) => settle(thread, answer))
    worker.on('error', (error) => this.#abandon(thread, crashed(messageOf(error))))
    worker.on('exit', (code) => this.#abandon(thread, crashed(`it exited with code ${code}`)))
    const reopened = [...this.#studies.values()].map((request) => this.#ask(thread, { kind: 'open', request }))
    thread.ready = Promise.all(reopened).catch(async (error) => {
      this.#abandon(thread, error) // a thread without its studies is of no use to the next call
      await worker.terminate()
      throw error
    })
    return thread
  }

  #ask<C extends Call>(thread: Thread, call: C): Promise<Result<C>> {
    if (this.#thread !== thread)
      return Promise.reject(this.#closing ? closed() : crashed('the call had not reached it'))
    const id = this.#next++
    return new Promise<Result<C>>((resolve, reject) => {
      const own = ownBuffers(call)
      thread.worker.postMessage({ id, call: own.call } satisfies Question, own.buffers)
      thread.waiting.set(id, { resolve, reject })
    })
  }

  #abandon(thread: Thread, error: Error): void {
    if (this.#thread === thread) this.#thread = undefined
    for (const { reject } of thread.waiting.values()) reject(error)
    thread.waiting.clear()
  }
}

function settle({ waiting }: Thread, answer: Answer): void {
  const call = waiting.get(answer.id)
  waiting.delete(answer.id)
  if ('error' in answer) call?.reject(new ConsiliumError(answer.error))
  else call?.resolve(answer.result as never)
}

/** Starts a training thread, from the compiled file, or from the .ts file where this one is .ts. */
export function spawnThread(options: WorkerOptions): Worker {
  if (!import.meta.url.endsWith('.ts')) {
    return new Worker(new URL('./worker.js', import.meta.url), { workerData: options, execArgv: [] })
  }
  // Node 20 decides how to load a thread's first file before the thread's --import hooks run: so a first line that registers tsx itself
  const [tsx, worker] = [import.meta.resolve('tsx/esm/api'), import.meta.resolve('./worker.ts')].map((url) =>
    JSON.stringify(url),
  )
  const source = `import(${tsx}).then(({ register }) => { register(); return import(${worker}) })`
  return new Worker(source, { eval: true, workerData: options, execArgv: [] })
}

/** A copy of `call` whose typed arrays own their buffers, and those buffers. A view's clone would take all it looks into along. */
function ownBuffers(call: Call): { readonly call: Call; readonly buffers: ArrayBuffer[] } {
  const buffers: ArrayBuffer[] = []
  const copy = <T>(value: T): T => {
    if (value instanceof Float32Array || value instanceof Uint8Array || value instanceof Uint32Array) {
      const own = value.slice()
      buffers.push(own.buffer as ArrayBuffer)
      return own as T
    }
    if (value === null || typeof value !== 'object' || Array.isArray(value)) return value
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, copy(item)])) as T
  }
  return { call: copy(call), buffers }
}

function crashed(how: string): ConsiliumError {
  return failure(
    'learner-crashed',
    `the training thread ended before it answered (${how}); the next call starts it again`,
  )
}

function closed(): ConsiliumError {
  return failure('learner-closed', 'the learner was closed, it answers no more; make another')
}

function failure(code: string, message: string): ConsiliumError {
  return new ConsiliumError({ code, message })
}

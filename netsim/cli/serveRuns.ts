/** A worker thread's side of a sweep. */
import { parentPort } from 'node:worker_threads'
import { ConsiliumError, invariant, messageOf } from '../../src/core/errors.ts'
import type { Simulate } from '../options.ts'
import type { Answer, Job } from './pool.ts'
import { recordOf } from './sweepFolder.ts'

/** Answers one run after another with this engine. */
export function serveRuns(simulate: Simulate): void {
  const port = parentPort
  invariant(port !== null, 'this runs in a worker thread')
  port.on('message', (job: Job) => {
    void answer(simulate, job).then((message) => port.postMessage(message))
  })
}

async function answer(simulate: Simulate, job: Job): Promise<Answer> {
  try {
    const { parameters, ...options } = job
    const startMs = performance.now()
    const result = await simulate(options)
    const realSeconds = (performance.now() - startMs) / 1000 // the engine has no clock
    return { record: recordOf({ ...result, realSeconds }, parameters) }
  } catch (error) {
    const code = error instanceof ConsiliumError ? error.code : 'internal'
    return { error: { code, message: messageOf(error) } }
  }
}

/** The learner in a thread: the same results, a parent that never stalls, and a thread that may die. */
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Worker } from 'node:worker_threads'
import ts from 'typescript'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ConsiliumError } from '../../src/core/errors.ts'
import type { OpenRequest, TrainRequest } from '../../src/learn/learner.ts'
import { TfjsLearner } from '../../src/learn/tfjsLearner.ts'
import { spawnThread, WorkerLearner } from '../../src/learn/workerLearner.ts'
import { LOGISTIC, MLP, opening, STUDY, someWeights, table } from './fixtures.ts'

const it = suite('worker learner')

const request = (over: Partial<TrainRequest> = {}): TrainRequest => ({
  study: STUDY,
  base: someWeights(LOGISTIC, 5),
  optimiser: new Uint8Array(0),
  seed: 's',
  ...over,
})

/** A study whose round takes about a second. */
const LONG: OpenRequest = opening({
  model: MLP,
  train: table('long', 12_000, 30),
  test: table('t', 9, 30),
  trainings: { localEpochs: 1 },
})
const longRequest = request({ base: someWeights(MLP, 30) })

let threads: Worker[] = []

/** A learner whose threads are listed in `threads` and ended with the test, passed or not. */
function worker(): WorkerLearner {
  const spawn: typeof spawnThread = (options) => {
    const thread = spawnThread(options)
    threads.push(thread)
    return thread
  }
  return new WorkerLearner({ backend: 'wasm' }, { spawn })
}

it.after.each(async () => {
  await Promise.all(threads.map((thread) => thread.terminate()))
  threads = []
})

async function errorOf(work: Promise<unknown>): Promise<ConsiliumError> {
  try {
    await work
  } catch (error) {
    assert.instance(error, ConsiliumError)
    return error as ConsiliumError
  }
  throw new Error('it succeeded')
}

it('gives the bytes that the learner in this thread gives, and leaves the caller its buffers', async () => {
  const here = new TfjsLearner({ backend: 'wasm' })
  const there = worker()
  const sent = opening()
  assert.equal(await there.open(sent), await here.open(opening()))
  assert.is(sent.train.x.length, 300)
  const first = request()
  const trained = await there.train(first)
  assert.is(first.base.shared.length, 5)
  assert.equal(trained, await here.train(request()))
  const again = { base: trained.weights, optimiser: trained.optimiser }
  assert.equal(await there.train(request(again)), await here.train(request(again)))
  assert.equal(await there.evaluate(STUDY, trained.weights), await here.evaluate(STUDY, trained.weights))
  await Promise.all([there.close(), here.close()])
})

it('logits come from the thread as they are in this one', async () => {
  const [there, here] = [new WorkerLearner({ backend: 'cpu' }), new TfjsLearner({ backend: 'cpu' })]
  const request = opening({ model: MLP, validation: table('validation', 12, 5) })
  await Promise.all([there.open(request), here.open(request)])
  const weights = someWeights(MLP, 5)
  for (const rows of ['train', 'validation', 'test', table('others', 9, 5)] as const)
    assert.equal(await there.logits(STUDY, weights, rows), await here.logits(STUDY, weights, rows))
  await Promise.all([there.close(), here.close()])
})

it('a view into a larger buffer arrives as what it shows', async () => {
  const learner = worker()
  await learner.open(opening())
  const { shared, head } = someWeights(LOGISTIC, 5)
  const larger = new Float32Array(900).fill(3)
  larger.set(shared, 41)
  const view = { shared: larger.subarray(41, 46), head }
  assert.equal(await learner.evaluate(STUDY, view), await learner.evaluate(STUDY, { shared, head }))
  await learner.close()
})

it('errors come back with their code and message', async () => {
  const learner = worker()
  await learner.open(opening())
  const shape = await errorOf(learner.evaluate(STUDY, someWeights(MLP, 5)))
  assert.is(shape.code, 'learner-shape')
  assert.match(shape.message, /60 shared and 1 private weights given/)
  const bug = await errorOf(learner.open({ ...opening(), test: table('narrow', 9, 4) }))
  assert.is(bug.code, 'learner-internal')
  assert.match(bug.message, /the same columns/)
  assert.is((await learner.train(request())).examples, 60)
  await learner.close()
})

it("the parent's event loop does not stall while a round takes a second", async () => {
  const learner = worker()
  await learner.open(LONG)
  const delay = monitorEventLoopDelay({ resolution: 10 })
  delay.enable()
  const start = performance.now()
  await learner.train(longRequest)
  const tookMs = performance.now() - start
  delay.disable()
  assert.ok(tookMs > 200, `the round took only ${tookMs} ms: make it longer`)
  assert.ok(delay.max / 1e6 < tookMs / 2, `a timer came ${delay.max / 1e6} ms late in a round of ${tookMs} ms`) // other tests share the cores
  await learner.close()
})

it('a thread that is killed while training rejects what it owed, and the next call starts it again with its studies', async () => {
  const learner = worker()
  await learner.open(LONG)
  const other = 'beef'.padEnd(64, '5') as typeof STUDY
  await learner.open(opening({ study: other }))
  const owed = [learner.train(longRequest), learner.train(request({ study: other }))]
  const settled = Promise.all(owed.map(errorOf))
  await threads[0]?.terminate()
  for (const error of await settled) assert.is(error.code, 'learner-crashed')
  const after = await learner.train(request({ study: other }))
  assert.is(threads.length, 2)
  const here = new TfjsLearner({ backend: 'wasm' })
  await here.open(opening())
  assert.equal(after, await here.train(request()))
  await Promise.all([learner.close(), here.close()])
})

it('a thread killed while idle costs nobody anything', async () => {
  const learner = worker()
  await learner.open(opening())
  await threads[0]?.terminate()
  const both = await Promise.all([learner.train(request()), learner.train(request())])
  assert.equal(both[0], both[1])
  assert.is(threads.length, 2)
  await learner.close()
})

it('a thread that dies while it opens the studies again rejects too, and the call after that starts a third', async () => {
  const learner = worker()
  await learner.open(opening())
  await threads[0]?.terminate()
  const owed = errorOf(learner.train(request()))
  await threads[1]?.terminate()
  assert.is((await owed).code, 'learner-crashed')
  assert.is((await learner.train(request())).examples, 60)
  assert.is(threads.length, 3)
  await learner.close()
})

it('closing ends a round in the middle; then the learner answers no more, and closing again is nothing', async () => {
  const learner = worker()
  await learner.open(LONG)
  const owed = errorOf(learner.train(longRequest))
  await learner.close()
  assert.is(threads[0]?.threadId, -1) // what Node says of a thread that has ended
  assert.is((await owed).code, 'learner-closed')
  assert.is((await errorOf(learner.train(longRequest))).code, 'learner-closed')
  await learner.close()
  assert.is(threads.length, 1)
  await new WorkerLearner().close()
})

it('no more than 64 calls wait', async () => {
  const learner = worker()
  await learner.open(opening())
  const weights = someWeights(LOGISTIC, 5)
  const calls = Array.from({ length: 64 }, () => learner.evaluate(STUDY, weights))
  assert.is((await errorOf(learner.evaluate(STUDY, weights))).code, 'learner-busy')
  await Promise.all(calls)
  assert.is((await learner.evaluate(STUDY, weights)).examples, 45)
  await learner.close()
})

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/** Compiles src/core and src/learn into `folder`, as the build does, without checking types. */
async function compile(folder: string): Promise<void> {
  const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.json'), ts.sys.readFile)
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, ROOT)
  for (const part of ['src/core', 'src/learn']) {
    for (const file of await readdir(join(ROOT, part), { recursive: true })) {
      if (!file.endsWith('.ts')) continue
      const path = join(folder, part, file)
      const { outputText } = ts.transpileModule(await readFile(join(ROOT, part, file), 'utf8'), {
        fileName: path,
        compilerOptions: { ...options, noEmit: false, module: ts.ModuleKind.ESNext },
      })
      await mkdir(dirname(path), { recursive: true })
      await writeFile(path.replace(/\.ts$/, '.js'), outputText)
    }
  }
}

it('runs from compiled files without tsx, and lets the process end once closed', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'consilium-worker-'))
  try {
    await compile(folder)
    await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
    await writeFile(join(folder, 'package.json'), '{"type":"module"}')
    const matrix = '{ rows: 4, columns: 1, x: Float32Array.of(-2, -1, 1, 2), y: Uint8Array.of(0, 0, 1, 1) }'
    const main = `
      import { WorkerLearner } from './src/learn/workerLearner.js'
      const learner = new WorkerLearner({ backend: 'wasm' })
      const training = { localEpochs: 3, batchRows: 2, learningRate: 0.5, l2: 0, optimiser: 'sgd' }
      const study = '${STUDY}', matrix = ${matrix}, optimiser = new Uint8Array(0)
      await learner.open({ study, model: { kind: 'logistic' }, training, train: matrix, test: matrix })
      const base = { shared: new Float32Array(1), head: new Float32Array(1) }
      const { weights } = await learner.train({ study, base, optimiser, seed: 's' })
      console.log((await learner.evaluate(study, weights)).auc)
      await learner.close()`
    await writeFile(join(folder, 'main.js'), main)
    const env = { ...process.env, NODE_OPTIONS: '' }
    const { stdout, stderr } = await promisify(execFile)(process.execPath, ['main.js'], {
      cwd: folder,
      env,
      timeout: 20_000,
    })
    assert.is(stdout.trim(), '1')
    assert.is(stderr, '')
  } finally {
    await rm(folder, { recursive: true })
  }
})

it.run()

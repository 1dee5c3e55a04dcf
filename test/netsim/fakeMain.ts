/** `consilium-netsim` with the engine of the tests. FAKE_PART_AT: the event from which its trace is another one. FAKE_SLOW_MS: per sample. */
import { setTimeout } from 'node:timers/promises'
import { main } from '../../netsim/cli/program.ts'
import { fakeSimulate } from './fakeSimulate.ts'

const partAt = Number(process.env.FAKE_PART_AT ?? Number.POSITIVE_INFINITY)
const slowMs = Number(process.env.FAKE_SLOW_MS ?? 0)
const slowly = async (): Promise<void> => {
  process.stderr.write('.') // it simulates, so it listens for Ctrl-C
  await setTimeout(slowMs)
}
await main(process.argv, {
  simulate: (options) => fakeSimulate(options, partAt, slowMs > 0 ? slowly : undefined),
  worker: new URL('./fakeWorker.ts', import.meta.url).href,
})

/**
 * `npm run swarm -- --minutes 10 [--from SEED]`: scenarios that nobody would think of, one after the other, under all checks. Each failure
 * becomes a file in netsim/regressions/, which the tests run again. Exit code 1 where there was one.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { regressionText, swarmText, trialOf } from '../netsim/swarm/trial.ts'

const FOLDER = fileURLToPath(new URL('../netsim/regressions/', import.meta.url))
const SEEDS = 2 ** 31

async function swarm(minutes: number, from: number): Promise<number> {
  const endMs = Date.now() + minutes * 60_000
  let [runs, events, virtual, failures] = [0, 0, 0, 0]
  for (let seed = from; Date.now() < endMs; seed = (seed + 1) % SEEDS) {
    const trial = await trialOf(swarmText(seed), seed, `swarm-${seed}`, FOLDER)
    runs++
    events += trial.events
    virtual += trial.virtualSeconds
    if (trial.failure === null) {
      if (process.stderr.isTTY) process.stderr.write(`\r${runs} scenarios, ${events} events, ${failures} failures `)
      continue
    }
    failures++
    await mkdir(FOLDER, { recursive: true })
    const file = join(FOLDER, `swarm-${seed}.yaml`)
    await writeFile(file, regressionText(seed, trial.failure))
    process.stdout.write(`seed ${seed}: ${trial.failure}\n  written netsim/regressions/swarm-${seed}.yaml\n`)
  }
  const hours = (virtual / 3_600).toFixed(1)
  process.stdout.write(
    `${runs} scenarios from seed ${from}, ${(events / 1e6).toFixed(1)} million events, ${hours} virtual hours: ${failures} failures\n`,
  )
  return failures
}

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '10' }, from: { type: 'string' } } })
const minutes = Number(values.minutes)
const from = values.from === undefined ? Math.floor(Math.random() * SEEDS) : Number(values.from)
if (!(minutes > 0) || !Number.isSafeInteger(from) || from < 0) {
  process.stderr.write(
    'swarm: --minutes takes a positive number, --from a whole one from 0: npm run swarm -- --minutes 10 --from 7\n',
  )
  process.exitCode = 1
} else if ((await swarm(minutes, from)) > 0) process.exitCode = 1

/**
 * A child that carries out STEPS from number `first` on in the database that it is given, and tells each that is durable; made to run
 * while system calls fail. After a failure it asks for the next step too: `accepted` would be a signature on top of something unknown.
 */
import { writeSync } from 'node:fs'
import { ConsiliumError, messageOf } from '../../src/core/errors.ts'
import { pinNothing, pinPath } from '../../src/store/headPin.ts'
import { LevelStore } from '../../src/store/levelStore.ts'
import { ADA, carryOut, STEPS } from './steps.ts'

const database = process.argv[2] as string
const first = Number(process.argv[3])
const say = (line: string): void => void writeSync(1, `${line}\n`)
const codeOf = (error: unknown): string => (error instanceof ConsiliumError ? error.code : messageOf(error))

async function opened(): Promise<LevelStore> {
  if (first === 0) {
    await pinNothing(pinPath(database)) // as `init` makes it
    say('pinned')
  }
  return LevelStore.open(database, { self: ADA.member })
}

async function run(store: LevelStore): Promise<void> {
  for (let i = first; i < STEPS.length; i++) {
    const failed = await carryOut(store, STEPS[i] as never).then(() => null, codeOf)
    if (failed === null) {
      say(`done ${i}`)
      continue
    }
    say(`failed ${i} ${failed}`)
    const next = STEPS[i + 1] ?? STEPS[i]
    return say(
      await carryOut(store, next as never).then(
        () => 'accepted',
        (error: unknown) => `refused ${codeOf(error)}`,
      ),
    )
  }
}

try {
  const store = await opened()
  say('opened')
  await run(store)
  await store.close()
  say('closed')
} catch (error) {
  say(`failed ${codeOf(error)}`)
}

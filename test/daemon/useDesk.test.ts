/** Predictions between their run and the entry that tells of them: what is kept, what a crash loses, and that nothing is told twice. */
import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { sha256 } from '../../src/core/digest.ts'
import { ConsiliumError } from '../../src/core/errors.ts'
import type { StudyId } from '../../src/core/ids.ts'
import { UseDesk } from '../../src/daemon/useDesk.ts'
import { UseJournal } from '../../src/daemon/useJournal.ts'
import { type Body, readBody } from '../../src/governance/kinds.ts'
import { bodyFault } from '../../src/governance/privacyLint.ts'
import { decodeRuns, encodeRuns, fileCommitment, rootOfRuns, type UseRun } from '../../src/governance/uses.ts'
import type { Draft } from '../../src/node/actions.ts'
import '../../src/polyfill.ts'

const it = suite('use desk')

const folder = mkdtempSync(join(tmpdir(), 'consilium-uses-'))
const KEY = new Uint8Array(32).fill(5)
const STUDY = '5d'.repeat(32) as StudyId
let number = 0

function run(rows = 20, model = 1): UseRun {
  const salt = new Uint8Array(32).fill(++number % 251)
  const fromMs = 1_790_000_000_000 + number
  return {
    ...{
      study: STUDY,
      model: new Uint8Array(32).fill(model),
      round: 6,
      cohort: 10,
      rows,
      warned: 0,
      withoutPrediction: 0,
    },
    ...{ fromMs, toMs: fromMs + 5, salt },
    read: fileCommitment(salt, 'read', sha256(new Uint8Array([number]))),
    written: fileCommitment(salt, 'written', sha256(new Uint8Array([7]))),
  }
}

interface World {
  readonly desk: UseDesk
  readonly told: Draft[]
  readonly state: Map<string, Uint8Array>
}

/** A daemon's parts: what is recorded is durable with the flush, unless `crash` comes before it. */
function world(
  path: string,
  state = new Map<string, Uint8Array>(),
  options: {
    crash?: boolean
    people?: boolean
    fenced?: boolean
    dataKey?: Uint8Array | null
    runsMax?: number
    flushing?: () => Promise<void>
  } = {},
): World {
  const told: Draft[] = []
  const waiting: (() => void)[] = []
  const writer = {
    record: (_: string, drafts: readonly Draft[], changes: ReadonlyMap<string, Uint8Array | null>) => {
      waiting.push(() => {
        told.push(...drafts)
        for (const [key, value] of changes) if (value !== null) state.set(key, value)
      })
    },
    flush: async () => {
      if (options.crash) throw new ConsiliumError({ code: 'killed', message: 'killed' })
      await options.flushing?.()
      for (const write of waiting.splice(0)) write()
    },
  }
  const { dataKey = KEY, runsMax = 1_000 } = options
  const parts = {
    home: { paths: { uses: path }, dataKey },
    writer: options.fenced ? null : writer,
    people: { people: { required: options.people ? { seq: 1 } : null } },
  }
  const timing = { everyMs: 60_000, runsMax, waitingMax: 8_000 }
  const desk = new UseDesk(parts as never, () => ({ getState: async (key) => state.get(key) }), timing)
  return { desk, told, state }
}

const fresh = (): string => join(folder, `uses-${++number}`)
const bodies = (told: readonly Draft[]) => told.map(({ body }) => body as unknown as Body<'model.served'>)

it('many runs of a model become one entry, whose root is over them; of another model there is another', async () => {
  const { desk, told } = world(fresh())
  const runs = [run(4), run(5), run(30, 2), run(3)]
  for (const one of runs) await desk.note(one)
  assert.is(told.length, 0, 'who predicts waits for no entry')
  assert.is(desk.untold, 4)
  await desk.tell()
  assert.equal(
    bodies(told).map(({ runs, rows }) => [runs, rows]),
    [
      [3, 12],
      [1, 30],
    ],
  )
  for (const { kind, body } of told) assert.is(bodyFault(kind, body), null)
  const [first, second, , fourth] = runs as [UseRun, UseRun, UseRun, UseRun]
  assert.equal(bodies(told)[0]?.root, rootOfRuns([first, second, fourth]))
  assert.equal(await desk.runsOf(told[0] as Draft), [first, second, fourth])
  await desk.close()
})

it('a node that is killed after it answered loses no run: the next start tells of each, once', async () => {
  const path = fresh()
  const before = world(path)
  for (let i = 0; i < 5; i++) await before.desk.note(run())
  const after = world(path, before.state) // the first desk is not closed: nobody was asked
  await after.desk.tell()
  assert.equal(
    bodies(after.told).map(({ runs }) => runs),
    [5],
  )
  const again = world(path, before.state)
  await again.desk.tell()
  assert.equal(again.told, [])
  for (const { desk } of [before, after, again]) await desk.close()
})

it('a crash between the entry and the emptying of the journal tells of nothing twice, and counts on', async () => {
  const path = fresh()
  const { desk, state } = world(path)
  for (let i = 0; i < 3; i++) await desk.note(run())
  const journal = readFileSync(path)
  await desk.tell()
  await desk.close()
  assert.is(statSync(path).size, 0)
  writeFileSync(path, journal) // as it lay when the power went
  const after = world(path, state)
  await after.desk.note(run(40))
  await after.desk.tell()
  assert.equal(
    bodies(after.told).map(({ runs, rows }) => [runs, rows]),
    [[1, 40]],
  )
  await after.desk.close()
})

it('runs that come while an entry is written wait for the next one, together', async () => {
  let noted = 0
  const { desk, told } = world(fresh(), new Map(), {
    flushing: async () => {
      for (let i = 0; i < 3 && noted < 12; i++, noted++) await desk.note(run())
    },
  })
  await desk.note(run())
  await desk.tell()
  assert.equal([told.length, desk.untold], [1, 3])
  await desk.tell()
  assert.equal(
    bodies(told).map(({ runs }) => runs),
    [1, 3],
  )
  await desk.close()
})

it('an entry that could not be written leaves the runs where they are', async () => {
  const path = fresh()
  const { desk, state } = world(path, new Map(), { crash: true })
  await desk.note(run())
  assert.is(await codeOf(desk.tell()), 'killed')
  const after = world(path, state)
  await after.desk.tell()
  assert.equal(
    bodies(after.told).map(({ runs }) => runs),
    [1],
  )
  await desk.close()
  await after.desk.close()
})

it('property: wherever the file ends or is damaged, all that is whole is told of, what is lost is counted, and what is added later is told of too', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 6 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.boolean(),
      async (count, share, cut) => {
        const path = fresh()
        const journal = new UseJournal(path, KEY)
        await journal.open(0)
        const ends: number[] = []
        for (let i = 0; i < count; i++) {
          await journal.add(run())
          ends.push(statSync(path).size)
        }
        await journal.close()
        const at = Math.floor(share * (statSync(path).size - 1))
        if (cut) truncateSync(path, at)
        else {
          const bytes = readFileSync(path)
          bytes[at] = (bytes[at] as number) ^ 1
          writeFileSync(path, bytes)
        }
        const whole = ends.filter((end) => end <= at).length
        if (!cut && count === 1) return // a single record under another key is refused, below
        const next = new UseJournal(path, KEY)
        const { runs, lost } = await next.open(0)
        if (cut) assert.equal([runs.length, lost], [whole, 0])
        else assert.equal([runs.length, lost], [count - 1, 1], 'only the damaged one is lost, and it is said')
        const numbers = [...runs.map((one) => one.number), await next.add(run())]
        await next.close()
        const last = new UseJournal(path, KEY)
        assert.equal(
          (await last.open(0)).runs.map((one) => one.number),
          numbers,
        )
        await last.close()
      },
    ),
    { numRuns: 40 },
  )
})

it('runs that come side by side are all kept, each under a number of its own', async () => {
  const path = fresh()
  const journal = new UseJournal(path, KEY)
  await journal.open(17)
  const numbers = await Promise.all(Array.from({ length: 50 }, () => journal.add(run())))
  assert.equal(
    numbers,
    Array.from({ length: 50 }, (_, i) => 17 + i),
  )
  await journal.close()
  const next = new UseJournal(path, KEY)
  assert.is((await next.open(20)).runs.length, 47)
  await next.close()
})

it('where people sign, and in a folder without a data key, each run has its entry before it is answered for', async () => {
  for (const options of [{ people: true }, { dataKey: null }]) {
    const { desk, told } = world(fresh(), new Map(), options)
    const one = run()
    await desk.note(one)
    assert.equal(
      told.map(({ kind }) => kind),
      ['model.used'],
    )
    assert.is(bodyFault('model.used', (told[0] as Draft).body), null)
    assert.is(readBody('model.used', (told[0] as Draft).body)?.rows, 20)
    assert.equal(await desk.runsOf(told[0] as Draft), [one])
  }
})

it('what cannot be recorded is not done: while nothing may be signed, and with a journal of another key', async () => {
  const fenced = world(fresh(), new Map(), { fenced: true })
  assert.is(await codeOf(fenced.desk.note(run())), 'boot-fence')
  const path = fresh()
  const { desk } = world(path)
  await desk.note(run())
  await desk.close()
  const other = world(path, new Map(), { dataKey: new Uint8Array(32).fill(6) })
  assert.is(await codeOf(other.desk.note(run())), 'use-journal-sealed')
  assert.ok(statSync(path).size > 0, 'nothing of it was dropped')
})

it('a damaged record is said, once, and the runs after it are told of', async () => {
  const path = fresh()
  const before = world(path)
  const ends: number[] = []
  for (let i = 0; i < 4; i++) {
    await before.desk.note(run())
    ends.push(statSync(path).size)
  }
  await before.desk.close()
  const bytes = readFileSync(path)
  bytes[(ends[0] as number) + 40] = 0xff ^ (bytes[(ends[0] as number) + 40] as number)
  writeFileSync(path, bytes)
  for (const expected of [
    [3, 1, 1],
    [0, 0, 1],
  ]) {
    const { desk, told } = world(path, before.state)
    const failures: unknown[] = []
    const stop = new AbortController()
    const running = desk.run(stop.signal, (error) => failures.push((error as ConsiliumError).code))
    await desk.tell()
    stop.abort()
    await running
    const runs = bodies(told).reduce((sum, body) => sum + (body.runs ?? 0), 0)
    assert.equal([runs, failures.length, await desk.lost()], expected)
    await desk.close()
  }
})

it('property: a journal that is never without untold runs does not grow for good, and none of them is lost', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 1_500 }), { minLength: 4, maxLength: 9 }), async (groups) => {
      const path = fresh()
      const journal = new UseJournal(path, KEY)
      await journal.open(0)
      let next = 0
      let told = 0
      for (const size of groups) {
        next = ((await Promise.all(Array.from({ length: size }, () => journal.add(run())))).at(-1) as number) + 1
        told = next - 1 // one is always left
        await journal.forget(told)
        assert.ok(statSync(path).size < 1_048_576 + 1_500 * 400, `${statSync(path).size}`)
      }
      await journal.close()
      const after = new UseJournal(path, KEY)
      assert.equal(
        (await after.open(told)).runs.map((one) => one.number),
        [next - 1],
      )
      await after.close()
    }),
    { numRuns: 6 },
  )
})

it('the journal holds nothing in plain that a run says', async () => {
  const path = fresh()
  const journal = new UseJournal(path, KEY)
  await journal.open(0)
  const one = run()
  await journal.add(one)
  await journal.close()
  const bytes = readFileSync(path)
  for (const secret of [one.salt, one.read, one.model]) assert.not.ok(bytes.includes(Buffer.from(secret)))
  assert.not.ok(bytes.includes(STUDY))
})

it('runs that are kept are read back, however many', () => {
  for (const count of [1, 23, 24, 255, 256, 1_000]) {
    const runs = Array.from({ length: count }, () => run())
    assert.equal(decodeRuns(encodeRuns(runs)), runs)
  }
})

it('rows of small runs stay untold, together as apart, and so does how many runs there were', async () => {
  const { desk, told } = world(fresh())
  for (const rows of [3, 4]) await desk.note(run(rows))
  await desk.tell()
  assert.equal(
    bodies(told).map(({ runs, rows }) => [runs, rows]),
    [[null, null]],
  )
  await desk.close()
})

it('a run of few rows waits for the end of its hour, over a stop and beside others that are told, and is told of once', async () => {
  const { now } = Date
  const [path, bedside] = [fresh(), { ...run(1), fromMs: 1_790_000_000_113, toMs: 1_790_000_000_200 }]
  try {
    Date.now = () => 1_790_000_010_000
    const before = world(path)
    await before.desk.note(bedside)
    await before.desk.tell()
    assert.equal([before.told.length, before.desk.untold], [0, 1])
    await before.desk.note(run(30, 2))
    await before.desk.tell()
    assert.equal([bodies(before.told).map(({ rows }) => rows), before.desk.untold], [[30], 1])
    await before.desk.close()
    assert.is(statSync(path).size, 0, 'it lies in the database now')
    rmSync(path)
    const after = world(path, before.state)
    await after.desk.tell()
    assert.equal([after.told.length, after.desk.untold], [0, 1])
    Date.now = () => 1_790_000_010_000 + 3_600_000
    for (let look = 0; look < 2; look++) await after.desk.tell()
    const [first = 0, last = 0] = bodies(after.told).flatMap(({ fromMs, toMs }) => [fromMs, toMs])
    assert.equal([after.told.length, last - first, first % 3_600_000], [1, 3_600_000, 0])
    assert.equal(await after.desk.runsOf(after.told[0] as Draft), [bedside])
    const again = world(path, before.state)
    await again.desk.tell()
    assert.equal([again.told.length, again.desk.untold], [0, 0])
    for (const { desk } of [after, again]) await desk.close()
  } finally {
    Date.now = now
  }
})

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work
    return 'none'
  } catch (error) {
    assert.instance(error, ConsiliumError)
    return (error as ConsiliumError).code
  }
}

it.after(() => rmSync(folder, { recursive: true, force: true }))
it.run()

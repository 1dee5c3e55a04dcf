/** Files of EPCIS events taken in over a log: all or nothing, each once, and what of them is recalled. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { utf8 } from '../../src/core/bytes.ts'
import { type Gs1Key, readGs1 } from '../../src/core/gs1.ts'
import type { MemberId } from '../../src/core/ids.ts'
import type { Daemon } from '../../src/daemon/daemon.ts'
import type { BodiesDropped } from '../../src/daemon/droppedBodies.ts'
import type { SupplyCheckReport } from '../../src/daemon/supplyApi.ts'
import { supplyCalls } from '../../src/daemon/supplyCalls.ts'
import { SupplyDesk } from '../../src/daemon/supplyDesk.ts'
import { SUPPLY_BOUNDS } from '../../src/governance/kinds/supply.ts'
import { readBody } from '../../src/governance/kinds.ts'
import { bodyFault } from '../../src/governance/privacyLint.ts'
import type { Suspension } from '../../src/governance/suspensions.ts'
import { emptyTip } from '../../src/ledger/chain.ts'
import { decodeEntry } from '../../src/ledger/entry.ts'
import type { Draft } from '../../src/node/actions.ts'
import { BOX, eventAt, HOSPITAL, LOT, made, measured, PLANT, pack, packed, seen } from '../governance/supply/kit.ts'
import { commitOf, keyOf } from '../ledger/fixtures.ts'

const it = suite('supply desk')
const ADA = keyOf('ada')
const NOW = Date.UTC(2026, 10, 22)

class Hospital {
  readonly raws: Uint8Array[] = []
  readonly dropped = new Set<BodiesDropped>()
  /** Drafts of one call that are written before a crash. */
  commits = Number.POSITIVE_INFINITY
  whileReading: () => void = () => undefined
  final = 0
  suspensions: readonly Pick<Suspension, 'member' | 'binds' | 'size'>[] = []
  #tip = emptyTip(ADA.member)

  desk(signs = true): SupplyDesk {
    const logs = {
      ...{ authors: () => [ADA.member], dropped: this.dropped },
      sizeOf: (author: MemberId) => ({ author, size: this.raws.length, root: '' as never }),
      entries: async (_: unknown, from: number, to: number) => {
        const read = this.raws.slice(from, to)
        this.whileReading()
        return read
      },
    }
    const writer = {
      record: (_: string, drafts: readonly Draft[]) => this.#append(drafts),
      flush: async () => undefined,
    }
    const machine = {
      finality: { final: () => ({ size: this.final }) },
      view: () => ({ suspensions: this.suspensions }),
    }
    return new SupplyDesk({ home: { key: { id: ADA.member } }, logs, writer: signs ? writer : null, machine })
  }

  #append(given: readonly Draft[]): void {
    const drafts = given.slice(0, this.commits)
    for (const { kind, body } of drafts) assert.is(bodyFault(kind, body), null)
    const { entries, tip } = commitOf(ADA, this.#tip, drafts.length, 'main', drafts)
    this.raws.push(...entries.map(({ raw }) => raw))
    this.#tip = tip
  }
}

async function inFolder(
  use: (write: (events: readonly unknown[] | string) => Promise<string>) => Promise<void>,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'consilium-supply-'))
  let files = 0
  try {
    await use(async (events) => {
      const path = join(folder, `${files++}.ndjson`)
      await writeFile(path, typeof events === 'string' ? events : events.map((one) => JSON.stringify(one)).join('\n'))
      return path
    })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

const faultOf = async (run: Promise<unknown>): Promise<string> => {
  try {
    await run
    return 'none'
  } catch (error) {
    assert.not.match((error as Error).message, /\n/)
    return `${(error as { code: string }).code} ${(error as Error).message}`
  }
}

it('a file is recorded whole, in entries that fit, and a second time not at all', () =>
  inFolder(async (write) => {
    const hospital = new Hospital()
    const events = Array.from({ length: 1_203 }, (_, i) => seen(i, 'storing', pack(`S${i % 7}`), PLANT))
    const first = await hospital.desk().import(await write([...events, events[0]]), NOW, false)
    assert.equal([first.recorded, first.known, first.places.length], [1_203, 1, hospital.raws.length])
    const bodies = hospital.raws.map((raw) => readBody('supply.recorded', decodeEntry(raw).body))
    assert.is(
      bodies.reduce((sum, body) => sum + (body?.events.length ?? 0), 0),
      1_203,
    )
    assert.ok(bodies.length >= 3 && bodies.every((body) => (body?.events.length ?? 501) <= 500))
    const again = await hospital
      .desk()
      .import(await write([...events, seen(5_000, 'storing', pack('S1'), PLANT)]), NOW, false)
    assert.equal([again.recorded, again.known], [1, 1_203])
  }))

it('a file with one event that is not accepted records nothing, and names each of them', () =>
  inFolder(async (write) => {
    const hospital = new Hospital()
    const path = await write([
      made(0, ['A']),
      { ...made(0, ['B']), action: 'PUT' },
      seen(0, 'storing', pack('A'), { id: 'geo:1,2' }),
    ])
    const { recorded, file } = await hospital.desk().import(path, NOW, false)
    assert.equal(
      [recorded, file.faultsInAll, file.faults.map(({ event }) => event), hospital.raws.length],
      [0, 2, [2, 3], 0],
    )
    const future = await hospital.desk().import(await write([made(60 * 24 * 40, ['A'])]), NOW, false)
    assert.match(future.file.faults[0]?.message ?? '', /has not come yet/)
    assert.equal((await hospital.desk().import(await write([made(0, ['A'])]), NOW, true)).recorded, 0)
    assert.is(hospital.raws.length, 0, 'a dry run')
  }))

it('an event that no entry may have is a fault of the file, with its number, and on a dry run too', () =>
  inFolder(async (write) => {
    const hospital = new Hospital()
    const bounds = SUPPLY_BOUNDS as { keysMax: number }
    const { keysMax } = bounds
    const serials = Array.from({ length: keysMax + 1 }, (_, i) => `S${i}`)
    const path = await write([made(0, ['A']), made(1, serials)])
    bounds.keysMax++ // what the reader lets through; the schema was made before
    try {
      for (const dryRun of [true, false]) {
        const { recorded, file } = await hospital.desk().import(path, NOW, dryRun)
        assert.equal([recorded, file.faults.map(({ event }) => event), hospital.raws.length], [0, [2], 0])
        assert.match(file.faults[0]?.message as string, /^no entry has such an event: items: /)
      }
    } finally {
      bounds.keysMax = keysMax
    }
  }))

it('a check that nobody waits for any more ends between two slices of its answer', () =>
  inFolder(async (write) => {
    const hospital = new Hospital()
    const desk = hospital.desk()
    const serials = Array.from({ length: 1_000 }, (_, i) => `S${i}`)
    const readings = Array.from({ length: 30 }, (_, i) => measured(10 + i, BOX, 9))
    await desk.import(await write([packed(1, serials), ...readings]), NOW, false)
    await desk.declare({ item: utf8('01/09506000134352'), low: 2_000, high: 8_000 }, NOW)
    const waiting = new AbortController()
    const limits = { overdueMs: 86_400_000, nowMs: NOW, fixed: null }
    const check = () => desk.check(limits, { shown: 9, signal: waiting.signal, scopeOf: () => null })
    assert.is((await check()).counts.get('excursion'), 30)
    waiting.abort()
    assert.match(await check().then(() => 'answered', String), /AbortError/)
  }))

it('what is no file of events, and a node that may not sign, are refused in one line', () =>
  inFolder(async (write) => {
    const desk = new Hospital().desk()
    assert.match(await faultOf(desk.import('/nowhere/x.jsonld', NOW, false)), /^file-unreadable .*ENOENT/)
    assert.match(
      await faultOf(desk.import(await write(`${JSON.stringify(made(0, ['A']))}\n{"type":`), NOW, false)),
      /^epcis-document .*line 2/,
    )
    assert.match(await faultOf(desk.import(await write('[1]'), NOW, false)), /^epcis-document/)
    assert.match(
      await faultOf(new Hospital().desk(false).import(await write([made(0, ['A'])]), NOW, false)),
      /^boot-fence/,
    )
  }))

it('goods that come in while their lot is recalled are named; after a final end of the recall they are not', () =>
  inFolder(async (write) => {
    const hospital = new Hospital()
    const item = utf8(LOT)
    const receive = (minute: number) => write([seen(minute, 'receiving', pack('A'), HOSPITAL)])
    await hospital.desk().import(await write([made(0, ['A'])]), NOW, false)
    await hospital.desk().recall({ item, reason: 'sterility', class: 1 }, NOW)
    const warned = await hospital.desk().import(await receive(10), NOW, false)
    assert.equal(
      warned.warnings.map((one) => [one.item, one.recall.reason]),
      [['01/09506000134352/21/A', 'sterility']],
    )
    assert.is(warned.recorded, 1, 'what happened is recorded all the same')
    await hospital.desk().lift({ item, reason: 'investigated' }, NOW)
    assert.is((await hospital.desk().import(await receive(20), NOW, false)).warnings.length, 1, 'pending')
    hospital.final = hospital.raws.length
    assert.is((await hospital.desk().import(await receive(30), NOW, false)).warnings.length, 0)
    assert.match(
      await faultOf(hospital.desk().lift({ item, reason: 'investigated' }, NOW)),
      /^recall-unknown .*it has none/,
    )
    hospital.suspensions = [{ member: ADA.member, binds: 'members', size: 1 }]
    const { warnings } = await hospital.desk().import(await receive(40), NOW, false)
    assert.is(warnings.length, 1, 'who was suspended before it took the recall back has not')
  }))

it('a box that comes in with recalled packs in it is named, on a dry run too; emptied before, or by another time, it is not', () =>
  inFolder(async (write) => {
    const hospital = new Hospital()
    const emptied = eventAt(50, 'AggregationEvent', { action: 'DELETE', parentID: BOX, readPoint: PLANT })
    await hospital.desk().import(await write([made(0, ['A', 'B']), packed(5, ['A', 'B']), emptied]), NOW, false)
    await hospital.desk().recall({ item: utf8(LOT), reason: 'sterility', class: 1 }, NOW)
    const named = async (minute: number, dryRun: boolean, more: readonly unknown[] = []): Promise<string[]> => {
      const path = await write([seen(minute, 'receiving', BOX, HOSPITAL), ...more])
      const { warnings } = await hospital.desk().import(path, NOW, dryRun)
      return warnings.map(({ item, step, recall }) => `${item} ${step} ${recall.item}`)
    }
    const box = `${readGs1(BOX)} receiving ${LOT}`
    assert.equal([await named(20, true), await named(60, true)], [[box], []])
    assert.equal(await named(20, false, [seen(60, 'shipping', BOX, HOSPITAL)]), [box], 'shipped on, empty')
  }))

it('a declaration that takes back no event of this hospital is named, on a dry run too', () =>
  inFolder(async (write) => {
    const hospital = new Hospital()
    const wrong = (minute: number, where = HOSPITAL) => seen(minute, 'receiving', pack('A'), where)
    const errorDeclaration = { declarationTime: '2026-11-03T00:00:00Z', reason: 'did_not_occur' }
    const back = (event: object) => ({ ...event, errorDeclaration })
    await hospital.desk().import(await write([wrong(10)]), NOW, false)
    const ofNothing = async (events: readonly unknown[], dryRun = true): Promise<number[]> => {
      const { ofNothing: found } = await hospital.desk().import(await write(events), NOW, dryRun)
      return found.map(({ time }) => new Date(time).getUTCMinutes())
    }
    assert.equal(await ofNothing([back(wrong(10))]), [])
    assert.equal(await ofNothing([back(wrong(11)), back(wrong(10, PLANT))]), [11, 10])
    assert.equal(await ofNothing([wrong(20), back(wrong(20)), back(wrong(30)), wrong(30)]), [30])
    assert.equal(await ofNothing([back(wrong(11)), back(wrong(10))], false), [11], 'recorded all the same')
    assert.equal(await ofNothing([back(wrong(11))]), [], 'said before')
    assert.equal(await ofNothing([back(wrong(11, PLANT))]), [11], 'and the one before is not named again')
  }))

it('what is asked of goods that nobody named is refused, and of a product it is said that it is one', () =>
  inFolder(async (write) => {
    const desk = new Hospital().desk()
    const other = measured(6, 'https://id.gs1.org/01/04012345123456/21/Z', 20)
    await desk.import(await write([made(0, ['A', 'B']), packed(5, ['A', 'B']), measured(6, BOX, 9), other]), NOW, false)
    const routes = supplyCalls({ supply: desk, nameOf: () => 'ada' } as unknown as Daemon)
    const asked = async (route: string, query: Readonly<Record<string, string>>): Promise<unknown> => {
      const given = { query: new URLSearchParams(query), signal: new AbortController().signal, body: {} }
      return routes[`GET /v1/supply/${route}`]?.(given as never)
    }
    for (const item of ['(01)09506000134352(10)TYPO', '09506000134376', PLANT.id, HOSPITAL.id])
      for (const route of ['check', 'trace'])
        assert.match(await faultOf(asked(route, { item })), /^supply-unknown .*: none of the 4 events/)
    assert.match(await faultOf(asked('trace', { item: '09506000134352' })), /^supply-many .*of which 3 packs and lots/)
    for (const item of ['(01)09506000134352(10)L1', pack('A'), '09506000134352']) {
      const { findings } = (await asked('check', { item, max: '8' })) as SupplyCheckReport
      assert.equal(
        findings.map(({ code, item: of }) => `${code} ${of}`),
        [`excursion ${readGs1(BOX)}`],
      )
    }
  }))

it('a recall of many is written in slices that fit, goes on where it was broken off, and is written once', async () => {
  const hospital = new Hospital()
  const lots = Array.from({ length: 2_300 }, (_, i) => `01/09506000134352/10/M${i}` as Gs1Key)
  const said = { reason: 'sterility', class: 1 } as const
  const whole = await hospital.desk().recallAll(lots, said, NOW)
  assert.equal([whole.items, whole.missing, hospital.raws.length], [2_300, [], 3])
  assert.ok(hospital.raws.every(({ length }) => length < 65_536))
  assert.equal((await hospital.desk().recallAll([...lots].reverse(), said, NOW)).missing, [])
  assert.is(hospital.raws.length, 3, 'said before')

  const broken = new Hospital()
  broken.commits = 1
  const begun = await broken.desk().recallAll(lots, said, NOW)
  assert.equal([begun.missing, begun.items], [[1, 2], 1_000])
  broken.commits = 9
  assert.equal((await broken.desk().recallAll(lots, said, NOW)).missing, [])
  assert.is(broken.raws.length, 3, 'only what was missing')

  const { liftedBy } = await broken.desk().liftAll(lots, 'completed', NOW)
  assert.is(liftedBy, 3)
  assert.match(await faultOf(broken.desk().liftAll(lots, 'completed', NOW)), /^recall-unknown /)
  const more = Array.from({ length: 100_001 }, (_, i) => `01/09506000134352/10/N${i}` as Gs1Key)
  assert.match(await faultOf(broken.desk().recallAll(more, said, NOW)), /^recall-too-large .*at most 100000/)
})

it('one of many is taken back with the others, and the line says how', async () => {
  const desk = new Hospital().desk()
  await desk.recallAll([LOT as Gs1Key, `${LOT}2` as Gs1Key], { reason: 'defect', class: 3 }, NOW)
  const fault = await faultOf(desk.lift({ item: utf8(LOT), reason: 'completed' }, NOW))
  assert.match(fault, /^recall-unknown .*as one of many.*supply recall [0-9a-f]{16} --lift/)
})

it('a body that goes while its log is being read is forgotten all the same', () =>
  inFolder(async (write) => {
    const hospital = new Hospital()
    await hospital.desk().import(await write([made(0, ['A'])]), NOW, false)
    await hospital.desk().import(await write([made(1, ['B'])]), NOW, false)
    const desk = hospital.desk()
    const knows = async (serial: string): Promise<boolean> =>
      (await desk.book()).thingOf(`01/09506000134352/21/${serial}` as Gs1Key) !== null
    hospital.whileReading = () => {
      for (const tell of hospital.dropped) tell(ADA.member, [0])
    }
    assert.equal([await knows('A'), await knows('B')], [false, true])
    for (const tell of hospital.dropped) tell(ADA.member, [1])
    assert.equal([await knows('A'), await knows('B')], [false, false])
  }))

it.run()

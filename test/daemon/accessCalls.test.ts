/** The calls about datasets, requests and counts, at a hospital whose log commits what was recorded meanwhile at once. */
import '../../src/polyfill.ts'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { COUNT_DEFAULTS } from '../../src/config/access.ts'
import { fromHex } from '../../src/core/bytes.ts'
import type { Cbor } from '../../src/core/cbor.ts'
import type { MemberId } from '../../src/core/ids.ts'
import type { AccessLine } from '../../src/daemon/accessApi.ts'
import { accessCalls } from '../../src/daemon/accessCalls.ts'
import type { AnnouncedReport } from '../../src/daemon/catalogueApi.ts'
import { catalogueCalls } from '../../src/daemon/catalogueCalls.ts'
import type { Route, Routes } from '../../src/daemon/control.ts'
import type { CountAskedReport } from '../../src/daemon/countApi.ts'
import { countCalls } from '../../src/daemon/countCalls.ts'
import { CountDesk } from '../../src/daemon/countDesk.ts'
import type { Daemon } from '../../src/daemon/daemon.ts'
import { DatasetDesk } from '../../src/daemon/datasetDesk.ts'
import { CountBook } from '../../src/governance/access/counts.ts'
import { Access } from '../../src/governance/access/requests.ts'
import { bodyFault } from '../../src/governance/privacyLint.ts'
import { emptyTip } from '../../src/ledger/chain.ts'
import { decodeEntry, type Entry } from '../../src/ledger/entry.ts'
import type { Draft } from '../../src/node/actions.ts'
import { commitOf, keyOf } from '../ledger/fixtures.ts'

const it = suite('access calls')
const [NORTH, SOUTH] = ['north', 'south'].map(keyOf) as [ReturnType<typeof keyOf>, ReturnType<typeof keyOf>]
const FAR_MS = Date.now() + 86_400_000 * 365

/** North, with South's log beside its own. */
class Hospital {
  readonly folder: string
  readonly access = new Access()
  readonly logs = new Map<MemberId, Uint8Array[]>([
    [NORTH.member, []],
    [SOUTH.member, []],
  ])
  readonly #tips = new Map([NORTH, SOUTH].map(({ member }) => [member, emptyTip(member)]))
  readonly #drafts: Draft[] = []
  readonly daemon: Daemon

  constructor(folder: string) {
    this.folder = folder
    const home = {
      key: { id: NORTH.member },
      paths: { datasets: join(folder, 'datasets'), vault: join(folder, 'vault') },
      dataKey: null,
      config: { counts: COUNT_DEFAULTS, datasets: { registered: 'optional' as const } },
      membership: { roll: { authors: [NORTH.member, SOUTH.member], isMember: () => true } },
    }
    const logs = {
      authors: () => [...this.logs.keys()],
      sizeOf: (author: MemberId) => ({ author, size: this.logs.get(author)?.length ?? 0, root: '' as never }),
      entries: async (author: MemberId, from: number, to: number) => this.logs.get(author)?.slice(from, to) ?? [],
    }
    const writer = {
      record: (_: string, drafts: readonly Draft[]) => void this.#drafts.push(...drafts),
      flush: async () => {
        await setImmediate() // what is recorded meanwhile is in the same commit
        for (const draft of this.#drafts.splice(0)) this.write(NORTH, draft)
      },
    }
    const machine = {
      finality: { final: () => ({ size: Number.POSITIVE_INFINITY }) },
      view: () => ({ access: this.access, suspensions: [], studies: [] }),
    }
    const nameOf = (member: MemberId): string => (member === NORTH.member ? 'North' : 'South')
    const datasets = new DatasetDesk({ home, logs, writer })
    const vault = { book: () => Promise.reject(new Error('none is here')) }
    const followers = { add: () => () => undefined }
    const counts = new CountDesk({ home, logs, writer, machine, datasets, vault, followers })
    this.daemon = { home, logs, writer, machine, nameOf, datasets, counts } as unknown as Daemon
  }

  write(by: typeof NORTH, { kind, body, refs = [] }: Pick<Draft, 'kind' | 'body'> & Partial<Draft>): Entry {
    assert.is(bodyFault(kind, body), null)
    const draft: Draft = { kind, study: null, timeMs: Date.now(), refs, body }
    const made = commitOf(by, this.#tips.get(by.member) as ReturnType<typeof emptyTip>, 1, 'main', [draft])
    const entry = made.entries[0] as Entry
    this.#tips.set(by.member, made.tip)
    this.logs.get(by.member)?.push(entry.raw)
    this.access.fold(entry)
    return entry
  }

  kinds(): string[] {
    return (this.logs.get(NORTH.member) ?? []).map((raw) => decodeEntry(raw).kind)
  }

  /** Registers a table as `stroke`. */
  async table(text: string, keyColumn: string | null = 'mrn'): Promise<void> {
    const path = join(this.folder, 'table.csv')
    await writeFile(path, text)
    const nothing = { query: null, provenance: null, source: null, units: {}, publish: false }
    await this.daemon.datasets.register({ name: 'stroke', path, keyColumn, ...nothing })
  }

  /** A dataset of South's. */
  announced(): void {
    const ids = { dataset: fromHex(keyOf('a dataset').member), version: fromHex(keyOf('a version').member) }
    const said = { name: 'memory', title: [], source: 'ehr', purposes: [6], counts: 'granted' }
    const columns = [['age', '1', 'number', null]]
    const body = { ...ids, ...said, counted: 'patients', count: 400, cohort: 10, columns }
    this.write(SOUTH, { kind: 'catalogue.announced', body: body as Cbor })
  }
}

async function at(use: (hospital: Hospital) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'consilium-access-'))
  try {
    await use(new Hospital(folder))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** A POST as the command line makes it. */
function call<T>(routes: Routes, path: string, body: Record<string, unknown>): Promise<T> {
  const route = (routes as Record<string, Route>)[`POST ${path}`] as Route
  const asked = { signOff: null } as Parameters<Route>[0]['asked']
  const signal = new AbortController().signal
  return route({ query: new URLSearchParams(), parts: [], body, signal, asked }) as Promise<T>
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

const PURPOSES = ['DUO:0000006']
/** Twenty patients with two visits each. */
const visits = (columns: string, cells: (patient: number) => string): string =>
  [`mrn,${columns}`, ...Array.from({ length: 40 }, (_, i) => `QX-${i % 20},${cells(i % 20)}`)].join('\n')

it('texts are shown, and announced where their column is named for it alone', () =>
  at(async (hospital) => {
    await hospital.table(visits('age,sex', (patient) => `${60 + (patient % 4)},${patient % 2 ? 'F' : 'M'}`))
    const announce = (more: object) =>
      call<AnnouncedReport>(catalogueCalls(hospital.daemon), '/v1/catalogue', {
        ...{ dataset: 'stroke', purposes: PURPOSES, ...more },
      })
    const first = await announce({ columns: true })
    const names = ({ announced }: AnnouncedReport) => announced?.columns.map(({ name, values }) => [name, values])
    assert.equal(names(first), [['age', null]])
    assert.match(
      first.leftOut.find(({ column }) => column === 'sex')?.because ?? '',
      /--texts "sex" would tell "F", "M"/,
    )
    const before = hospital.kinds()
    assert.match(await faultOf(announce({ columns: ['sex'] })), /^catalogue-column .*"sex" .* --texts "sex"/)
    assert.match(await faultOf(announce({ columns: true, texts: ['age'] })), /^catalogue-column .*holds no texts/)
    assert.match(await faultOf(announce({ columns: true, texts: ['sec'] })), /no column of the table.*sex/)
    assert.equal(hospital.kinds(), before, 'what is refused is not recorded')
    assert.equal(names(await announce({ columns: ['age'], texts: ['sex'] })), [
      ['age', null],
      ['sex', ['F', 'M']],
    ])
  }))

it('a table that is too wide for an entry is refused before anything is recorded', () =>
  at(async (hospital) => {
    const wide = (columns: number, name: string, unit = '') =>
      visits(Array.from({ length: columns }, (_, i) => `${name}${i}${unit}`).join(','), (patient) =>
        Array.from({ length: columns }, () => String(patient % 4)).join(','),
      )
    const announce = (columns: true | string[]) =>
      call<AnnouncedReport>(catalogueCalls(hospital.daemon), '/v1/catalogue', {
        ...{ dataset: 'stroke', purposes: PURPOSES, columns },
      })
    await hospital.table(wide(129, 'f'))
    const before = hospital.kinds()
    assert.match(await faultOf(announce(true)), /^catalogue-too-large .*129 columns .* at most 128/)
    assert.equal(hospital.kinds(), before)
    assert.is((await announce(['f0', 'f128'])).announced?.columns.length, 2)
    await hospital.table(wide(127, 'ü'.repeat(56), ` [${'x'.repeat(40)}]`))
    assert.match(await faultOf(announce(true)), /^catalogue-too-large .* bytes of names/)
    await hospital.table(`${visits(`age,${'x'.repeat(121)}`, (patient) => `${60 + (patient % 4)},1`)}`)
    const report = await announce(true)
    assert.equal(
      report.leftOut.map(({ because }) => because),
      ['it tells patients apart', 'its name takes more than 120 bytes'],
    )
  }))

/** South asks for a dataset of North's. */
async function askedFor(hospital: Hospital): Promise<string> {
  const body = { name: 'stroke', title: [], source: 'ehr', purposes: [6], counts: 'granted', cohort: 10, count: 60 }
  const ids = { dataset: fromHex(keyOf('ours').member), version: fromHex(keyOf('a version').member) }
  hospital.write(NORTH, { kind: 'catalogue.announced', body: { ...ids, ...body, counted: 'patients' } as Cbor })
  const wanted = { member: fromHex(NORTH.member), dataset: ids.dataset, purposes: [6], until: FAR_MS }
  return `South/${hospital.write(SOUTH, { kind: 'access.asked', body: wanted }).seq}`
}

it('of two answers to a request that are given at once the second sees the first', () =>
  at(async (hospital) => {
    const routes = accessCalls(hospital.daemon)
    const say = (verb: string, ref: string): Promise<AccessLine> =>
      call(routes, `/v1/access/${verb}`, { ref, reason: 'breach' })
    for (const [verbs, fault, kinds] of [
      [['grant', 'refuse'], /^access-order .*was granted: consilium access revoke/, ['access.granted']],
      [['refuse', 'grant'], /^access-over /, ['access.refused']],
      [['grant', 'grant'], /^access-again /, ['access.granted']],
      [['grant', 'revoke'], /^none$/, ['access.granted', 'access.revoked']],
    ] as const) {
      const ref = await askedFor(hospital)
      const from = hospital.kinds().length
      const [first, second] = await Promise.all(verbs.map((verb) => faultOf(say(verb, ref))))
      assert.is(first, 'none')
      assert.match(second as string, fault)
      assert.equal(hospital.kinds().slice(from), kinds)
    }
  }))

it('who asks twice at once for the same asks once, and each of two others is shown its own request', () =>
  at(async (hospital) => {
    hospital.announced()
    const routes = accessCalls(hospital.daemon)
    const ask = (until: number): Promise<AccessLine> =>
      call(routes, '/v1/access', { member: 'South', dataset: 'memory', purposes: PURPOSES, until })
    const twice = await Promise.all([faultOf(ask(FAR_MS)), faultOf(ask(FAR_MS))])
    assert.is(twice[0], 'none')
    assert.match(twice[1] as string, /^access-again North\/0 asks for that already/)
    const lines = await Promise.all([ask(FAR_MS + 1), ask(FAR_MS + 2)])
    assert.equal(
      lines.map(({ ref, untilMs }) => [ref, untilMs - FAR_MS]),
      [
        ['North/1', 1],
        ['North/2', 2],
      ],
    )
  }))

it('a grant beyond what is followed is refused, and not recorded', () =>
  at(async (hospital) => {
    const ref = await askedFor(hospital)
    const grant = (days: number): Promise<AccessLine> =>
      call(accessCalls(hospital.daemon), '/v1/access/grant', { ref, until: FAR_MS - days * 86_400_000 })
    for (let days = 1; days <= 16; days++) await grant(days)
    const from = hospital.kinds().length
    assert.match(await faultOf(grant(17)), /^access-full /)
    assert.is(hospital.kinds().length, from)
  }))

it('of two counts that are asked at once each is shown its own, and one beyond the bound is refused before it is recorded', () =>
  at(async (hospital) => {
    hospital.announced()
    const routes = countCalls(hospital.daemon)
    const ask = (where: string): Promise<CountAskedReport> =>
      call(routes, '/v1/counts', { where, at: ['South/memory'] })
    const asked = await Promise.all(['age > 60', 'age > 70', 'age > 70'].map(ask))
    assert.equal(
      asked.map(({ ref, where }) => [ref, where]),
      [
        ['North/0', 'age > 60'],
        ['North/1', 'age > 70'],
        ['North/2', 'age > 70'],
      ],
    )
    const full = Object.assign(new CountBook(NORTH.member), { mayAsk: () => false })
    Object.assign(hospital.daemon, { counts: { book: async () => full } })
    assert.match(await faultOf(ask('age > 80')), /^count-full /)
    assert.is(hospital.kinds().length, 3)
  }))

it.run()

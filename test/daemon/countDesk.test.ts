/** Counts answered over a log and a table: what each rule tells, that patients' words are kept to, and that failures cost nothing. */
import '../../src/polyfill.ts'
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { COUNT_DEFAULTS, type CountRules } from '../../src/config/access.ts'
import { parseCondition } from '../../src/config/countParser.ts'
import { questionDocument } from '../../src/config/countQuery.ts'
import { fromHex, toHex } from '../../src/core/bytes.ts'
import type { Cbor } from '../../src/core/cbor.ts'
import type { DuoCode } from '../../src/core/duo.ts'
import { ConsiliumError } from '../../src/core/errors.ts'
import type { Digest, MemberId } from '../../src/core/ids.ts'
import { Rng } from '../../src/core/rng.ts'
import { CountDesk, type CountDeskParts } from '../../src/daemon/countDesk.ts'
import { noiseWidth } from '../../src/daemon/countInterval.ts'
import { DatasetDesk } from '../../src/daemon/datasetDesk.ts'
import { Access } from '../../src/governance/access/requests.ts'
import type { ConsentDecision } from '../../src/governance/consent.ts'
import { type Body, type Kind, readBody } from '../../src/governance/kinds.ts'
import { bodyFault } from '../../src/governance/privacyLint.ts'
import type { VaultBook } from '../../src/governance/vaultBook.ts'
import { emptyTip } from '../../src/ledger/chain.ts'
import { decodeEntry, type Entry } from '../../src/ledger/entry.ts'
import type { Draft } from '../../src/node/actions.ts'
import { cpuMsOf } from '../cpu.ts'
import { commitOf, keyOf } from '../ledger/fixtures.ts'

const it = suite('count desk')
const OWNER = keyOf('ada')
const ASKER = keyOf('ben')
/** So little noise that every count is what it is: at ε 10 one in 11,000 is not, and none with this seed. */
const CLEAR: Partial<CountRules> = { epsilonPerQuery: 10, epsilonPerAsker: 40, epsilonInAll: 60, step: 1 }
const PATIENTS = 60
const record = (i: number): string => `QX-${1_000 + i}`
const TABLE = [
  'mrn,age,sex',
  ...Array.from({ length: 90 }, (_, i) => `${record(i % PATIENTS)},${40 + (i % PATIENTS)},${i % 2 ? 'F' : 'M'}`),
].join('\n')
const FAR_MS = Date.parse('2999-01-01T00:00Z')

type Key = typeof OWNER

/** A hospital with a registered table, the log of who asks, and what its patients said. */
class Hospital {
  readonly folder: string
  readonly access = new Access()
  readonly logs = new Map<MemberId, Uint8Array[]>([
    [OWNER.member, []],
    [ASKER.member, []],
  ])
  readonly #tips = new Map([OWNER, ASKER].map(({ member }) => [member, emptyTip(member)]))
  rules: CountRules = { ...COUNT_DEFAULTS, ...CLEAR }
  signs = true
  suspended = false
  isMember = true
  finalTo = Number.POSITIVE_INFINITY
  words = new Map<string, ConsentDecision[]>()
  forgotten = new Set<string>()
  vaultFails = false
  breaks = false
  #datasets: DatasetDesk | null = null
  /** What was looked up of tables for answers. */
  readonly looks: string[] = []
  readonly #rng = Rng.from('counts')
  dataset: Digest = '' as Digest

  constructor(folder: string) {
    this.folder = folder
  }

  get path(): string {
    return join(this.folder, 'table.csv')
  }

  async open(more: { keyColumn?: string | null } = {}): Promise<this> {
    await writeFile(this.path, TABLE)
    return this.announce('stroke', this.path, more.keyColumn === undefined ? 'mrn' : more.keyColumn)
  }

  /** Registers a table, and asks about that from here on. */
  async announce(name: string, path: string, keyColumn: string | null = 'mrn'): Promise<this> {
    const { version } = await this.datasets.register({
      ...{ name, path, query: null, provenance: null, source: null, units: {}, publish: false, keyColumn },
    })
    this.dataset = version.dataset
    this.write(OWNER, 'catalogue.announced', {
      ...{
        dataset: fromHex(version.dataset),
        version: fromHex(version.version),
        name,
        title: [],
        source: 'ehr',
      },
      ...{ purposes: [6], counted: 'patients', count: 60, cohort: 10, counts: 'granted' },
      columns: [
        ['age', '1', 'number', null],
        ['sex', '1', 'text', ['F', 'M']],
      ],
    })
    return this
  }

  get datasets(): DatasetDesk {
    const home = {
      paths: { datasets: join(this.folder, 'datasets') },
      key: { id: OWNER.member },
      dataKey: null,
      config: { datasets: { registered: 'optional' as const }, counts: this.rules },
    }
    this.#datasets ??= new DatasetDesk({ home, logs: this.#logs, writer: this.#writer })
    return this.#datasets
  }

  /** All that was registered goes, and the node starts again. */
  async lose(): Promise<void> {
    await rm(join(this.folder, 'datasets'), { recursive: true })
    this.restart()
  }

  restart(): void {
    this.#datasets = null
  }

  /** Anew, as after a start. */
  desk(): CountDesk {
    const home = {
      key: { id: OWNER.member },
      paths: { vault: this.path }, // one is there
      config: { counts: this.rules },
      membership: { roll: { isMember: () => this.isMember } },
    }
    const binds = this.suspended ? ('members' as const) : null
    const machine = {
      finality: { final: () => ({ size: this.finalTo }) },
      view: () => ({ access: this.access, suspensions: [{ member: ASKER.member, binds, size: 0 }] }),
    }
    const datasets: CountDeskParts['datasets'] = {
      all: () => this.datasets.all(),
      table: (version) => {
        this.looks.push('table')
        return this.datasets.table(version)
      },
      sharing: (dataset, told) => {
        this.looks.push('kin')
        return this.datasets.sharing(dataset, told)
      },
    }
    const vault = { book: async () => this.#book() }
    const followers = { add: () => () => undefined }
    const logs = { ...this.#logs, authors: () => [...this.logs.keys()] }
    const writer = this.signs ? this.#writer : null
    const below = (n: number): number => this.#rng.below(n)
    return new CountDesk({ home, logs, writer, machine, datasets, vault, followers }, below)
  }

  #book(): VaultBook {
    if (this.breaks) throw new Error('the disk is gone')
    if (this.vaultFails) throw new ConsiliumError({ code: 'vault-key-missing', message: 'gone' })
    const book = {
      asked: (question: unknown) => question,
      isForgotten: (one: string) => this.forgotten.has(one),
      subject: (one: string) => {
        const decisions = this.words.get(one)
        return decisions === undefined ? undefined : { decisions }
      },
    }
    return book as unknown as VaultBook
  }

  readonly #logs = {
    sizeOf: (author: MemberId) => ({ author, size: this.logs.get(author)?.length ?? 0, root: '' as never }),
    entries: async (author: MemberId, from: number, to: number) => this.logs.get(author)?.slice(from, to) ?? [],
  }
  readonly #writer = {
    record: (_: string, drafts: readonly Draft[]) => {
      for (const { kind, body } of drafts) this.write(OWNER, kind as Kind, body as object)
    },
    flush: async () => undefined,
  }

  write(by: Key, kind: Kind, body: object): Entry {
    assert.is(bodyFault(kind, body as Cbor), null)
    const tip = this.#tips.get(by.member) as ReturnType<typeof emptyTip>
    const draft: Draft = { kind, study: null, timeMs: Date.now(), refs: [], body: body as Cbor }
    const { entries, tip: next } = commitOf(by, tip, 1, 'main', [draft])
    this.#tips.set(by.member, next)
    const entry = entries[0] as Entry
    this.logs.get(by.member)?.push(entry.raw)
    this.access.fold(entry)
    return entry
  }

  ask(where: string | null, purposes: DuoCode[] = [], by: Key = ASKER): Digest {
    const document = questionDocument({ where: where === null ? null : parseCondition(where), purposes })
    return this.write(by, 'count.asked', { datasets: [[fromHex(OWNER.member), fromHex(this.dataset)]], document }).hash
  }

  grant(): void {
    const body = { member: fromHex(OWNER.member), dataset: fromHex(this.dataset), purposes: [6], until: FAR_MS }
    const { hash } = this.write(ASKER, 'access.asked', body)
    this.write(OWNER, 'access.granted', { request: fromHex(hash), until: FAR_MS })
  }

  get told(): Body<'count.answered'>[] {
    const entries = (this.logs.get(OWNER.member) ?? []).map(decodeEntry)
    return entries.flatMap(({ kind, body }) => (kind === 'count.answered' ? (readBody(kind, body) ?? []) : []))
  }

  /** What came of one question. */
  async answerTo(where: string | null, purposes: DuoCode[] = []): Promise<string> {
    const id = this.ask(where, purposes)
    await this.desk().answer()
    const found = this.told.find(({ request }) => toHex(request) === id)
    return found === undefined ? 'waits' : `${found.code} ${found.count} ${found.spent / 1e6}`
  }
}

async function at(use: (hospital: Hospital) => Promise<void>, more: { keyColumn?: string | null } = {}): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'consilium-count-'))
  try {
    await use(await new Hospital(folder).open(more))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

it('who was granted access is told how many patients match, not how many rows', () =>
  at(async (hospital) => {
    assert.is(await hospital.answerTo('age >= 60'), 'not-granted null 0')
    hospital.grant()
    assert.is(await hospital.answerTo('age >= 60'), 'counted 40 10')
    assert.is(await hospital.answerTo(null), 'counted 60 10')
    assert.is(await hospital.answerTo("age >= 60 and sex = 'F'"), 'counted 20 10')
    assert.is(await hospital.answerTo('age >= 95'), 'cohort null 10', 'five are too few, and that is paid for too')
    assert.is(await hospital.answerTo('age >= 61'), 'budget-asker null 0')
    assert.is(await hospital.answerTo('age >= 60.0'), 'repeated 40 0')
    assert.is(await hospital.answerTo('age >= 95'), 'cohort null 0')
  }))

it('where no column tells patients apart rows are counted', () =>
  at(
    async (hospital) => {
      hospital.rules = { ...hospital.rules, answer: 'any-member' }
      assert.is(await hospital.answerTo(null), 'counted 90 10')
      hospital.rules = { ...hospital.rules, consent: 'opt-out' }
      assert.is(await hospital.answerTo('age >= 1', ['DUO:0000006']), 'consent null 0', 'nobody can be asked')
    },
    { keyColumn: null },
  ))

it('by the rules: never, any member, another purpose, columns that were not announced', () =>
  at(async (hospital) => {
    hospital.rules = { ...hospital.rules, answer: 'never' }
    assert.is(await hospital.answerTo(null), 'never null 0')
    hospital.rules = { ...hospital.rules, answer: 'any-member' }
    assert.is(await hospital.answerTo('mrn = 1001'), 'question null 0')
    assert.is(await hospital.answerTo("sex = 'X'"), 'question null 0')
    assert.is(await hospital.answerTo(null, ['DUO:0000042']), 'purpose null 0')
    assert.is(await hospital.answerTo(null, ['DUO:0000007']), 'counted 60 10')
    hospital.suspended = true
    assert.is(await hospital.answerTo(null), 'not-a-member null 0')
    hospital.suspended = false
    hospital.isMember = false
    assert.is(await hospital.answerTo(null), 'not-a-member null 0')
  }))

it('patients who said no are not counted, nor those who were forgotten; with opt-in those alone who agreed to the purpose', () =>
  at(async (hospital) => {
    const say = (i: number, decision: 'permit' | 'deny', purposes: ConsentDecision['purposes']): void => {
      const times = { fromMs: null, toMs: null, receivedAtMs: 5, effectiveAtMs: 5 }
      hospital.words.set(record(i), [{ decision, purposes, study: 'all', by: 'subject', form: 'paper', ...times }])
    }
    hospital.rules = { ...hospital.rules, answer: 'any-member', epsilonPerAsker: 90, epsilonInAll: 90 }
    hospital.forgotten.add(record(0))
    assert.is(await hospital.answerTo(null), 'counted 59 10', 'forgotten, whatever the rules')
    for (let i = 1; i < 8; i++) say(i, 'deny', 'all')
    for (let i = 8; i < 30; i++) say(i, 'permit', ['DUO:0000006'])
    hospital.rules = { ...hospital.rules, consent: 'opt-out' }
    assert.is(await hospital.answerTo(null), 'purpose null 0', 'it has to be said what for')
    assert.is(await hospital.answerTo(null, ['DUO:0000006']), 'counted 52 10')
    hospital.rules = { ...hospital.rules, consent: 'opt-in' }
    assert.is(await hospital.answerTo('age > 1', ['DUO:0000006']), 'counted 22 10')
    hospital.words.clear()
    assert.is(
      await hospital.answerTo('age > 1', ['DUO:0000006']),
      'repeated 22 0',
      'the same question tells nothing new',
    )
    assert.is(await hospital.answerTo('age > 2', ['DUO:0000006']), 'cohort null 10')
    hospital.vaultFails = true
    assert.is(await hospital.answerTo('age > 3', ['DUO:0000006']), 'consent null 0')
  }))

it('a table that is not the announced one, or cannot be read, is not counted, and nothing is spent', () =>
  at(async (hospital) => {
    hospital.rules = { ...hospital.rules, answer: 'any-member' }
    await writeFile(hospital.path, `${TABLE}\nQX-9,99,F\n`)
    assert.is(await hospital.answerTo(null), 'table-changed null 0')
    await rm(hospital.path)
    assert.is(await hospital.answerTo(null), 'table-unreadable null 0')
    await writeFile(hospital.path, TABLE)
    assert.is(await hospital.answerTo(null), 'counted 60 10')
  }))

it('what is not final, or may not be signed, waits and is answered later; once', () =>
  at(async (hospital) => {
    hospital.grant()
    hospital.finalTo = 1 // the registration alone
    assert.is(await hospital.answerTo(null), 'waits', 'the announcement is not final')
    hospital.finalTo = 2 // registration and announcement, not the grant
    assert.is(await hospital.desk().answer(), 'soon', 'the grant is not')
    hospital.finalTo = 3
    hospital.signs = false
    assert.is(await hospital.desk().answer(), 'soon')
    hospital.signs = true
    const desk = hospital.desk()
    assert.equal(await Promise.all([desk.answer(), desk.answer()]), [null, null])
    assert.is(await hospital.desk().answer(), null)
    assert.equal(
      hospital.told.map(({ code, count }) => [code, count]),
      [['counted', 60]],
    )
  }))

it('the same table under another name shares the budget, by where it lies or by its bytes', () =>
  at(async (hospital) => {
    hospital.rules = { ...hospital.rules, answer: 'any-member' }
    for (const where of ['age > 1', 'age > 2', 'age > 3']) await hospital.answerTo(where)
    const first = hospital.dataset
    const copy = join(hospital.folder, 'copy.csv')
    await writeFile(copy, TABLE)
    for (const [name, path] of [
      ['again', hospital.path],
      ['copied', copy],
    ] as const) {
      await hospital.announce(name, path)
      assert.is(await hospital.answerTo('age > 4'), name === 'again' ? 'counted 60 10' : 'budget-asker null 0', name)
    }
    await writeFile(copy, `${TABLE}\nQX-9,99,F\n`)
    const other = join(hospital.folder, 'other.csv')
    await writeFile(other, `${TABLE}\nQX-8,99,F\n`)
    await hospital.announce('other', other)
    assert.is(await hospital.answerTo('age > 4'), 'counted 61 10', 'another table')
    hospital.dataset = first
    assert.is(await hospital.answerTo('age > 5'), 'budget-asker null 0')
  }))

it('what was told of a table is told of it for good: also where another version of it was the same as one under another name', () =>
  at(async (hospital) => {
    hospital.rules = { ...hospital.rules, answer: 'any-member' }
    const copy = join(hospital.folder, 'copy.csv')
    await writeFile(copy, TABLE)
    await hospital.announce('copied', copy)
    for (const where of ['age > 1', 'age > 2', 'age > 3', 'age > 4']) await hospital.answerTo(where)
    assert.is(await hospital.answerTo('age > 5'), 'budget-asker null 0')
    await writeFile(hospital.path, `${TABLE}\nQX-9,99,F\n`)
    await hospital.announce('stroke', hospital.path)
    assert.is(await hospital.answerTo('age > 6'), 'budget-asker null 0', 'one row more is the same patients')
  }))

it('what was told of datasets that are registered here no more counts against every one, until they are put back', () =>
  at(async (hospital) => {
    hospital.rules = { ...hospital.rules, answer: 'any-member' }
    for (const where of ['age > 1', 'age > 2', 'age > 3', 'age > 4']) await hospital.answerTo(where)
    await cp(join(hospital.folder, 'datasets'), join(hospital.folder, 'kept'), { recursive: true })
    await hospital.lose()
    await hospital.announce('stroke', hospital.path)
    assert.is(await hospital.answerTo('age > 5'), 'budget-asker null 0', 'the same table under a new id')
    await hospital.lose()
    const other = join(hospital.folder, 'other.csv')
    await writeFile(other, `${TABLE}\nQX-8,99,F\n`)
    await hospital.announce('other', other)
    assert.is(await hospital.answerTo('age > 5'), 'budget-asker null 0', 'nobody knows that it is another table')
    await cp(join(hospital.folder, 'kept'), join(hospital.folder, 'datasets'), { recursive: true })
    assert.is(await hospital.answerTo('age > 5'), 'budget-asker null 0', 'until the node starts again')
    hospital.restart()
    assert.is(await hospital.answerTo('age > 5'), 'counted 61 10')
  }))

it('nothing is looked up for what waits or is refused, and no table is read for a repeated answer', () =>
  at(async (hospital) => {
    hospital.grant()
    hospital.finalTo = 2 // not the grant
    for (const where of ['age > 1', 'age > 2', 'age > 3']) hospital.ask(where)
    assert.is(await hospital.desk().answer(), 'soon')
    assert.is(await hospital.answerTo('mrn = 1001'), 'waits')
    assert.equal(hospital.looks, [])
    hospital.finalTo = 3
    await hospital.desk().answer()
    assert.equal(hospital.looks, ['kin', 'table', 'kin', 'table', 'kin', 'table'], 'the fourth fits no column')
    assert.is(await hospital.answerTo('age > 1.0'), 'repeated 60 0')
    assert.equal(hospital.looks.slice(6), ['kin'])
  }))

it('what fails is tried again, and told', () =>
  at(async (hospital) => {
    hospital.rules = { ...hospital.rules, answer: 'any-member', consent: 'opt-out' }
    const desk = hospital.desk()
    const stopping = new AbortController()
    const failures: unknown[] = []
    hospital.ask(null, ['DUO:0000006'])
    hospital.breaks = true
    await desk.run(stopping.signal, (error) => {
      failures.push(error)
      stopping.abort()
    })
    assert.is(failures.length, 1)
    hospital.breaks = false
    assert.is(await desk.answer(), null)
    assert.is(hospital.told.at(-1)?.code, 'counted')
  }))

it('a withdrawn dataset is counted no more', () =>
  at(async (hospital) => {
    hospital.rules = { ...hospital.rules, answer: 'any-member' }
    hospital.write(OWNER, 'catalogue.withdrawn', { dataset: fromHex(hospital.dataset), reason: 'replaced' })
    hospital.finalTo = 0
    assert.is(await hospital.answerTo(null), 'dataset-unknown null 0')
  }))

it('a member cannot fill the log with refusals: of those that cost nothing it gets so many a day', () =>
  at(async (hospital) => {
    for (let i = 0; i < 205; i++) hospital.ask(`age > ${i}`)
    assert.is(await hospital.desk().answer(), 'later', 'the others wait')
    assert.is(hospital.told.length, 200)
  }))

it('no record number, and no row, is in what was told', () =>
  at(async (hospital) => {
    hospital.grant()
    await hospital.answerTo("age >= 60 and sex = 'F'")
    for (const raws of hospital.logs.values()) for (const raw of raws) assert.not.ok(Buffer.from(raw).includes('QX-'))
  }))

it('the error bar holds what the noise is in 95 of 100 cases, for one answer and for sums', () => {
  const tail = (micro: number, k: number): number => {
    const alpha = Math.exp(-micro / 1e6)
    return (2 * alpha ** (k + 1)) / (1 + alpha)
  }
  for (const micro of [50_000, 200_000, 1_000_000, 3_000_000]) {
    const k = noiseWidth([micro])
    assert.ok(tail(micro, k) <= 0.05 && tail(micro, k - 1) > 0.05, `${micro}: ${k}`)
  }
  // by convolution: three hospitals of different ε
  const sum = new Map<number, number>([[0, 1]])
  for (const epsilon of [0.2, 0.5, 1]) {
    const alpha = Math.exp(-epsilon)
    const next = new Map<number, number>()
    for (const [at, chance] of sum)
      for (let y = -120; y <= 120; y++)
        next.set(at + y, (next.get(at + y) ?? 0) + chance * ((1 - alpha) / (1 + alpha)) * alpha ** Math.abs(y))
    sum.clear()
    for (const [at, chance] of next) if (chance > 1e-15) sum.set(at, chance)
  }
  const within = (k: number): number =>
    [...sum].reduce((all, [at, chance]) => all + (Math.abs(at) <= k ? chance : 0), 0)
  const k = noiseWidth([200_000, 500_000, 1_000_000])
  assert.ok(within(k) >= 0.95 && within(k - 1) < 0.95, `${k}: ${within(k)}`)
  assert.is(noiseWidth([]), 0)
  const ms = cpuMsOf(() => {
    for (let i = 0; i < 100; i++) {
      const widths = Array.from({ length: 64 }, (_, j) => 1_000 + i + 7 * j)
      for (const width of widths) assert.ok(noiseWidth([width]) > 1_000)
      const deviation = Math.sqrt(widths.reduce((all, micro) => all + 2 * (1e6 / micro) ** 2, 0))
      assert.ok(noiseWidth(widths) > 1.96 * deviation)
    }
  })
  assert.ok(ms < 2_000, `${ms} ms, where adding up one exact distribution takes a second`)
})

it.run()

/** Tables registered and verified over a log: versions in a chain, what is told of them, and bindings that cite them. */
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { parseStudy, studyDocument, studyIdOf } from '../../src/config/study.ts'
import { equalBytes, toHex, utf8 } from '../../src/core/bytes.ts'
import { sha256 } from '../../src/core/digest.ts'
import type { Digest } from '../../src/core/ids.ts'
import { Bindings } from '../../src/daemon/bindings.ts'
import { DatasetDesk, type RegisterRequest } from '../../src/daemon/datasetDesk.ts'
import { DatasetFiles, type DatasetVersion, isDatasetFile } from '../../src/daemon/datasetFiles.ts'
import type { RowManifest } from '../../src/data/rowDifferences.ts'
import { toldRows } from '../../src/governance/datasets.ts'
import { readBody } from '../../src/governance/kinds.ts'
import { bodyFault } from '../../src/governance/privacyLint.ts'
import { emptyTip } from '../../src/ledger/chain.ts'
import { decodeEntry, type Entry } from '../../src/ledger/entry.ts'
import { Frontier, leafHash } from '../../src/ledger/merkle.ts'
import type { Draft } from '../../src/node/actions.ts'
import { MemoryStore } from '../../src/store/memoryStore.ts'
import { commitOf, keyOf } from '../ledger/fixtures.ts'
import { patients, studyText } from './kit.ts'

const it = suite('dataset desk')
const ADA = keyOf('ada')
const DATA_KEY = sha256(utf8('data key'))

/** A hospital: its folder, its log, and the tables that lie there. */
class Hospital {
  readonly folder: string
  readonly raws: Uint8Array[] = []
  registered: 'optional' | 'required' = 'optional'
  cohort = 5
  signs = true
  dataKey: Uint8Array | null = DATA_KEY
  /** Entries are lost, as where a stop comes before they are durable. */
  forgets = false
  #tip = emptyTip(ADA.member)

  constructor(folder: string) {
    this.folder = folder
  }

  /** Anew, as after a start. */
  desk(): DatasetDesk {
    const home = {
      paths: { datasets: join(this.folder, 'datasets') },
      key: { id: ADA.member },
      dataKey: this.dataKey,
      config: { datasets: { registered: this.registered }, counts: { minimumCohort: this.cohort } },
    }
    const logs = {
      sizeOf: () => ({ author: ADA.member, size: this.raws.length, root: '' as never }),
      entries: async (_: unknown, from: number, to: number) => this.raws.slice(from, to),
    }
    const writer = {
      record: (_: string, drafts: readonly Draft[]) => this.#append(drafts),
      flush: async () => undefined,
    }
    return new DatasetDesk({ home, logs, writer: this.signs ? writer : null })
  }

  get entries(): Entry[] {
    return this.raws.map(decodeEntry)
  }

  async table(name: string, text: string): Promise<string> {
    const path = join(this.folder, name)
    await writeFile(path, text)
    return path
  }

  #append(drafts: readonly Draft[]): void {
    for (const { kind, body } of drafts) assert.is(bodyFault(kind, body), null)
    if (this.forgets) return
    const { entries, tip } = commitOf(ADA, this.#tip, drafts.length, 'main', drafts)
    this.raws.push(...entries.map(({ raw }) => raw))
    this.#tip = tip
  }
}

async function atHospital(use: (hospital: Hospital) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'consilium-desk-'))
  try {
    await use(new Hospital(folder))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

const filesAt = ({ folder, dataKey }: Hospital): DatasetFiles => new DatasetFiles(join(folder, 'datasets'), dataKey)

const request = (path: string, more: Partial<RegisterRequest> = {}): RegisterRequest => {
  const nothing = { query: null, provenance: null, source: null, keyColumn: null, units: {}, publish: false }
  return { name: 'stroke', path, ...nothing, ...more }
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

/** Record numbers, names and dates that no entry may have. */
const planted = (row: number): string[] => [`QX-7${1_000 + row}`, `Brandt${row}`, `19${10 + (row % 90)}-03-17`]
const table = (rows: number): string[][] =>
  Array.from({ length: rows }, (_, row) => [...planted(row), String(row % 7), row % 2 === 0 ? 'yes' : 'no'])
const csv = (rows: readonly (readonly string[])[]): string =>
  `${['mrn,surname,born,score [1],ill', ...rows.map((row) => row.join(','))].join('\n')}\n`

it('versions of a name are a chain under one secret, each with the root over its rows', () =>
  atHospital(async (hospital) => {
    const path = await hospital.table('a.csv', csv(table(137)))
    const first = await hospital
      .desk()
      .register(request(path, { keyColumn: 'mrn', source: 'registry', units: { ill: 'bool' } }))
    await hospital.table('a.csv', csv(table(149)))
    const second = await hospital.desk().register(request(path))
    const bodies = hospital.entries.map(({ body }) => readBody('dataset.registered', body))
    assert.equal(
      bodies.map((body) => [body?.rows, body?.columns, body?.source, body?.previous && toHex(body.previous)]),
      [
        [130, 5, 'registry', null],
        [140, 5, 'registry', first.version.version],
      ],
    )
    assert.ok(equalBytes(bodies[0]?.dataset as Uint8Array, bodies[1]?.dataset as Uint8Array))
    assert.equal(hospital.entries[1]?.refs, [first.entry])
    assert.equal([second.version.number, second.version.keyColumn, second.version.columns[4]?.unit], [2, 'mrn', 'bool'])
    const { commitments } = await filesAt(hospital).manifest(second.version)
    const tree = new Frontier()
    for (let row = 0; row < 149; row++) tree.append(leafHash(commitments.subarray(row * 32, row * 32 + 32)))
    assert.is(toHex(tree.root()), second.version.version)
  }))

it('no cell, file, query or name of a column is in any entry or in the files of the data folder that only its owner may read', () =>
  atHospital(async (hospital) => {
    const rows = table(200)
    const path = await hospital.table('a.csv', csv(rows))
    const query = await hospital.table('q.sql', "select * from wards where surname like 'Brandt%'")
    const origin = { resourceType: 'Provenance', target: [{ display: 'QX-71003' }], recorded: '2026-11-20T09:30:00Z' }
    const agent = [{ who: { reference: 'Practitioner/1', display: 'Brandt17' } }]
    const provenance = await hospital.table('p.json', JSON.stringify({ ...origin, agent }))
    const { version } = await hospital.desk().register(request(path, { keyColumn: 'mrn', query, provenance }))
    await hospital.table(
      'a.csv',
      csv(rows.with(3, ['QX-71003', 'Brandtner', '1913-03-17', '3', 'no']).toSpliced(50, 60)),
    )
    const { differences } = await hospital.desk().verify(version, path)
    assert.equal([differences.changed, differences.removed, differences.shown[0]?.key], [1, 60, 'QX-71003'])
    const told = readBody('dataset.verified', hospital.entries[1]?.body ?? null)
    assert.equal([told?.changed, told?.added, told?.removed, told?.moved], [null, 0, 60, false])
    const words = [...rows.flatMap((_, row) => planted(row)), 'mrn', 'surname', 'a.csv', 'wards', 'Brandt']
    const log = Buffer.concat(hospital.raws).toString('latin1')
    for (const word of words) assert.not.ok(log.includes(word), word)
    const file = join(hospital.folder, 'datasets', 'stroke', '1')
    assert.is((await stat(file)).mode & 0o777, 0o600)
    const kept = (await readFile(file)).toString('latin1')
    for (const word of words.slice(0, 600)) assert.not.ok(kept.includes(word), word)
  }))

it('between two numbers of rows that are told there are ten, and few are told apart from none alone', () => {
  const told = [0, 1, 9, 10, 19, 137].map((rows) => toldRows(rows, 5))
  assert.equal(told, [0, null, null, 10, 10, 130])
})

it('where the hospital tells of no fewer than eleven, no number of rows in its log is between none and eleven', () =>
  atHospital(async (hospital) => {
    hospital.cohort = 11
    const path = await hospital.table('a.csv', csv(table(10)))
    await hospital.desk().register(request(path))
    await hospital.table('a.csv', csv(table(139)))
    const { version } = await hospital.desk().register(request(path))
    await hospital.table('a.csv', csv(table(129)))
    await hospital.desk().verify(version, path)
    const rows = hospital.entries.slice(0, 2).map(({ body }) => readBody('dataset.registered', body)?.rows)
    const verified = readBody('dataset.verified', hospital.entries[2]?.body ?? null)
    assert.equal([rows, verified?.removed, verified?.added], [[0, 132], null, 0])
  }))

it('the same rows again are refused, unless a stop had come before the entry: then it is made up for', () =>
  atHospital(async (hospital) => {
    const path = await hospital.table('a.csv', csv(table(20)))
    hospital.forgets = true
    assert.match(await faultOf(hospital.desk().register(request(path))), /internal/)
    assert.is(hospital.raws.length, 0)
    assert.is(
      await hospital.desk().registered({ name: path, bytes: utf8(csv(table(20))) }),
      null,
      'no entry, no version',
    )
    hospital.forgets = false
    const { version } = await hospital.desk().register(request(path))
    assert.equal([version.number, hospital.raws.length], [1, 1])
    assert.match(
      await faultOf(hospital.desk().register(request(path))),
      /dataset-unchanged .*a\.csv: has the rows of stroke@1/,
    )
    assert.is(hospital.raws.length, 1)
  }))

it('columns that are published are read by all, and none of them may look like a person', () =>
  atHospital(async (hospital) => {
    const path = await hospital.table('a.csv', csv(table(20)))
    await hospital.desk().register(request(path, { publish: true }))
    const { published } = readBody('dataset.registered', hospital.entries[0]?.body ?? null) ?? {}
    assert.equal(published?.[3], ['score [1]', '1', 'number'])
    const named = await hospital.table('b.csv', 'id,MRN: AB-1234\n1,2\n')
    assert.match(
      await faultOf(hospital.desk().register(request(named, { name: 'b', publish: true }))),
      /dataset-personal-data .*column 2/,
    )
    assert.equal(await readdir(join(hospital.folder, 'datasets')), ['stroke'])
    assert.is(hospital.raws.length, 1)
  }))

it('a wrong name, an unknown one, and a file that was tampered with are each refused in a line', () =>
  atHospital(async (hospital) => {
    const path = await hospital.table('a.csv', csv(table(20)))
    for (const name of ['Stroke', '../up', '', '.x', 'a'.repeat(65), 'ä'])
      assert.match(await faultOf(hospital.desk().register(request(path, { name }))), /^dataset-name /)
    assert.match(await faultOf(hospital.desk().find('stroke')), /dataset-unknown .*none is registered yet/)
    const { version } = await hospital.desk().register(request(path))
    assert.match(await faultOf(hospital.desk().find('stroke@2')), /it has versions 1 to 1/)
    assert.match(await faultOf(hospital.desk().find('strok')), /there are stroke/)
    assert.is((await hospital.desk().find('stroke@1')).version, version.version)
    hospital.signs = false
    assert.match(await faultOf(hospital.desk().register(request(path, { name: 'b' }))), /^boot-fence /)
    hospital.signs = true
    const file = join(hospital.folder, 'datasets', 'stroke', '1')
    const bytes = await readFile(file)
    bytes.writeUInt8(bytes.readUInt8(bytes.length - 50) ^ 1, bytes.length - 50)
    await writeFile(file, bytes)
    assert.match(await faultOf(hospital.desk().verify(version, path)), /dataset-damaged .*backup/)
  }))

it('kin is found over all versions, at any remove, and kept where files and tables went', () =>
  atHospital(async (hospital) => {
    const [a, b, c, d] = await Promise.all(
      [20, 21, 20, 22].map((rows, i) => hospital.table(`${i}.csv`, csv(table(rows)))),
    )
    const desk = hospital.desk()
    const register = async (name: string, path: string) =>
      (await desk.register(request(path, { name }))).version.dataset
    const first = await register('first', a as string)
    assert.equal(await desk.sharing(first, []), [first])
    await hospital.table('0.csv', csv(table(30)))
    await register('first', a as string)
    const same = await register('same', c as string) // as first@1
    const place = await register('place', b as string)
    await hospital.table('1.csv', csv(table(31)))
    const there = await register('there', b as string)
    const other = await register('other', d as string)
    await hospital.table('2.csv', csv(table(31))) // same@2 is as there@1
    await register('same', c as string)
    const family = [first, same, place, there].sort()
    for (const one of [0, 1, 2, 3]) await rm(join(hospital.folder, `${one}.csv`))
    const lost = toHex(bytes(1)) as Digest
    for (const each of [desk, hospital.desk()]) {
      for (const one of family) assert.equal((await each.sharing(one, [other, one])).sort(), family)
      assert.equal(await each.sharing(other, [first]), [other])
      assert.equal(await each.sharing(other, [first, lost]), [other, lost], 'what is not known here')
    }
    await rm(join(hospital.folder, 'datasets', 'same', '1'))
    assert.equal((await hospital.desk().sharing(there, [])).sort(), family, 'a later version knows as much')
    await rm(join(hospital.folder, 'datasets', 'there'), { recursive: true })
    assert.equal((await hospital.desk().sharing(first, [there])).sort(), family, 'also of one that went')
  }))

it('of two names for one table that are registered at once each knows the other', () =>
  atHospital(async (hospital) => {
    const paths = await Promise.all(['a.csv', 'b.csv'].map((name) => hospital.table(name, csv(table(20)))))
    const desk = hospital.desk()
    const both = await Promise.all(paths.map((path, i) => desk.register(request(path, { name: `n${i}` }))))
    const ids = both.map(({ version }) => version.dataset).sort()
    for (const id of ids) assert.equal((await desk.sharing(id, [])).sort(), ids)
  }))

const bytes = (first: number, length = 32): Uint8Array => Uint8Array.from({ length }, (_, i) => (first + i) % 256)

/** A version and its rows. */
function sample(): { version: DatasetVersion; manifest: RowManifest } {
  const version: DatasetVersion = {
    ...{
      name: 'stroke',
      number: 3,
      dataset: toHex(bytes(1)) as Digest,
      secret: bytes(2),
      rows: 2,
      path: '/data/a.csv',
    },
    ...{ version: toHex(bytes(3)) as Digest, previous: toHex(bytes(4)) as Digest, keyColumn: 'id', source: 'ehr' },
    columns: [{ name: 'id', unit: '1', kind: 'text' }],
    ...{ file: bytes(5), query: null, published: false, registeredAtMs: 1_790_000_000_000 },
    origin: { commitment: bytes(6), recordedAtMs: 1_780_000_000_000, targets: 1, organisations: ['North'] },
  }
  const manifest = { rows: 2, commitments: bytes(7, 64), keys: bytes(8, 32), lines: Uint32Array.of(2, 70_000) }
  return { version, manifest }
}

for (const [how, key, digest] of [
  ['plain', null, 'f44d9cfebac0814e0ed60ff62f1e00e9ac9c14e40dd82e87c83ecff4fc1e0e4c'],
  ['sealed', DATA_KEY, '32ec3cddd0f5681565b94f9957a79585274160095a7bca08d8435aae48999358'],
] as const) {
  it(`the file of a version is frozen, byte by byte: ${how}`, () =>
    atHospital(async ({ folder }) => {
      const { version, manifest } = sample()
      const files = new DatasetFiles(join(folder, 'datasets'), key, (length) => bytes(9, length))
      await files.write(version, manifest)
      assert.equal(await files.versions('stroke'), [version])
      assert.equal(await files.manifest(version), manifest)
      const written = await readFile(join(folder, 'datasets', 'stroke', '3'))
      assert.is(toHex(sha256(written)), digest)
    }))
}

it('a copied folder tells nothing of a version: secret, commitments, columns and paths are sealed, also what an older version left plain', () =>
  atHospital(async (hospital) => {
    const { version, manifest } = sample()
    const file = join(hospital.folder, 'datasets', 'stroke', '3')
    const secrets = [version.secret, version.file, manifest.commitments.subarray(0, 32), manifest.keys ?? bytes(0)]
    const words = ['/data/a.csv', 'North', 'registeredAtMs']
    const kept = async () => (await readFile(file)).toString('latin1')
    const told = (text: string): number =>
      [...secrets.map((one) => Buffer.from(one).toString('latin1')), ...words].filter((one) => text.includes(one))
        .length
    await new DatasetFiles(join(hospital.folder, 'datasets'), null).write(version, manifest)
    assert.is(told(await kept()), secrets.length + words.length, 'the search finds what is there')
    await filesAt(hospital).sealAll()
    assert.is(told(await kept()), 0)
    assert.is((await stat(file)).mode & 0o777, 0o600)
    assert.equal(await filesAt(hospital).versions('stroke'), [version])
    assert.equal(await filesAt(hospital).manifest(version), manifest)
    const sealed = await kept()
    await filesAt(hospital).sealAll()
    assert.is(await kept(), sealed, 'once')
  }))

it('a sealed version with any byte altered, cut short, at another place or under another key is refused in a line', () =>
  atHospital(async (hospital) => {
    const { version, manifest } = sample()
    const at = (number: string): string => join(hospital.folder, 'datasets', 'stroke', number)
    await filesAt(hospital).write(version, manifest)
    const whole = await readFile(at('3'))
    const read = async (given = version): Promise<string> => {
      const heading = await faultOf(filesAt(hospital).versions('stroke'))
      return heading === 'none' ? faultOf(filesAt(hospital).manifest(given)) : heading
    }
    assert.is(await read(), 'none')
    for (let i = 0; i < whole.length; i++) {
      const altered = Buffer.from(whole)
      altered.writeUInt8(altered.readUInt8(i) ^ 1, i)
      await writeFile(at('3'), altered)
      assert.match(await read(), /^(dataset-damaged|file-unreadable) /, `byte ${i}`)
    }
    for (let length = 0; length < whole.length; length += 7) {
      await writeFile(at('3'), whole.subarray(0, length))
      assert.match(await read(), /^dataset-damaged /, `${length} bytes`)
    }
    await rm(at('3'))
    await writeFile(at('4'), whole)
    assert.match(await read({ ...version, number: 4 }), /^dataset-damaged /)
    await rm(at('4'))
    await writeFile(at('3'), whole)
    hospital.dataKey = sha256(utf8('another key'))
    assert.match(await read(), /^dataset-damaged .*another data\.key/)
    hospital.dataKey = null
    assert.match(await read(), /^dataset-sealed .*data\.key.*registered anew/)
  }))

it('of a backup only paths of versions are taken for such', () => {
  const taken = ['datasets/stroke/1', 'datasets/a.b-c_1/999999999']
  const left = [
    'datasets/../1',
    'datasets/stroke/0',
    'datasets/stroke/1/2',
    'datasets/stroke',
    'x/stroke/1',
    'datasets/a/1.new',
  ]
  assert.equal([...taken, ...left].filter(isDatasetFile), taken)
})

const STUDY = parseStudy(studyText({ rounds: 5 }), 'test.study.yaml')
const ID = studyIdOf(studyDocument(STUDY))

async function boundAt(hospital: Hospital, path: string): Promise<{ bindings: Bindings; facts: unknown }> {
  const bindings = await Bindings.load(new MemoryStore())
  const asked = { path, columns: {}, units: {}, extra: 'refuse' } as const
  const desk = hospital.desk()
  const { facts } = await bindings.bind(ID, STUDY, asked, {
    permitted: async ({ dataset }) => dataset,
    registered: (file) => desk.registered(file),
  })
  return { bindings, facts }
}

it('a table that is a registered version is bound as that version, with the entry that registered it; another is not', () =>
  atHospital(async (hospital) => {
    const path = await hospital.table('a.csv', patients(60, 1))
    assert.not.ok('registered' in ((await boundAt(hospital, path)).facts as object))
    hospital.registered = 'required'
    assert.match(await faultOf(boundAt(hospital, path)), /dataset-not-registered .*consilium dataset register/)
    const { version, entry } = await hospital.desk().register(request(path))
    const { facts } = await boundAt(hospital, path)
    const { dataset } = version
    assert.equal((facts as { registered: unknown }).registered, { dataset, version: version.version, entry })
    const other = await hospital.table('b.csv', patients(60, 1).replace('\n', '\r\n'))
    assert.match(await faultOf(boundAt(hospital, other)), /dataset-not-registered/)
  }))

it('a table that is altered after it was bound is found before the next round, and is sound again when it is put back', () =>
  atHospital(async (hospital) => {
    const text = patients(60, 1)
    const path = await hospital.table('a.csv', text)
    const { bindings } = await boundAt(hospital, path)
    await bindings.intact(ID)
    await bindings.intact(ID)
    const altered = text.replace(/yes\n$/, 'no\n').replace(/,f,/, ',m,')
    assert.is(altered.length >= text.length - 1, true)
    await hospital.table('a.csv', altered)
    for (let round = 0; round < 2; round++)
      assert.match(await faultOf(bindings.intact(ID)), /data-changed .*is not the one that was bound; put it back/)
    await hospital.table('a.csv', text)
    await bindings.intact(ID)
    await rm(path)
    assert.match(await faultOf(bindings.intact(ID)), /data-file .*there is no such file/)
  }))

it.run()

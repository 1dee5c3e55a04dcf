/** Keyed commitments to rows, and what differs between a registered table and the one of now. */
import { createHmac } from 'node:crypto'
import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { toHex, utf8 } from '../../src/core/bytes.ts'
import { sha256 } from '../../src/core/digest.ts'
import { type RowScanOptions, scanRows, schemaCommitment } from '../../src/data/rowCommitments.ts'
import { type Differences, RowComparison, type RowManifest } from '../../src/data/rowDifferences.ts'
import { cpuMsOf } from '../cpu.ts'

const it = suite('row commitments')
const SECRET = sha256(utf8('secret of a dataset'))
const OPTIONS: RowScanOptions = { secret: SECRET, keyColumn: null }

const fileOf = (text: string) => ({ name: 'table.csv', bytes: utf8(text) })

async function committed(text: string, options: Partial<RowScanOptions> = {}) {
  const rows: { commitment: string; key: string | null; line: number }[] = []
  const found = await scanRows(fileOf(text), { ...OPTIONS, ...options }, ({ commitment, key, line }) => {
    rows.push({ commitment: toHex(commitment), key: key === null ? null : toHex(key), line })
  })
  return { ...found, list: rows }
}

async function manifestOf(text: string, keyColumn: string | null): Promise<RowManifest> {
  const { list, rows } = await committed(text, { keyColumn })
  const bytes = (parts: (string | null)[]): Uint8Array => new Uint8Array(Buffer.from(parts.join(''), 'hex'))
  return {
    rows,
    commitments: bytes(list.map(({ commitment }) => commitment)),
    keys: keyColumn === null ? null : bytes(list.map(({ key }) => key)),
    lines: Uint32Array.from(list, ({ line }) => line),
  }
}

async function differencesOf(before: string, now: string, keyColumn: string | null): Promise<Differences> {
  const comparison = new RowComparison(await manifestOf(before, keyColumn))
  await scanRows(fileOf(now), { ...OPTIONS, keyColumn }, comparison.take)
  return comparison.differences()
}

const csv = (rows: readonly (readonly string[])[]): string =>
  ['id,a,b', ...rows.map((row) => row.map((cell) => `"${cell.replaceAll('"', '""')}"`).join(','))].join('\n')

it('quotes, line ends, a byte order mark, the delimiter and spaces around a cell are not what a row says', async () => {
  const { list } = await committed('id,name\n7,Ann\n8,"B, C"\n')
  const same = [
    '\ufeffid,name\r\n7,Ann\r\n8,"B, C"\r\n',
    'id;name\n"7";"Ann"\n\n8;B, C',
    'id\tname\r 7 \tAnn\r8\t"B, C"\r\t\r',
  ]
  for (const text of same) {
    const other = await committed(text)
    assert.equal(
      other.list.map(({ commitment }) => commitment),
      list.map(({ commitment }) => commitment),
      JSON.stringify(text),
    )
  }
})

it('where one cell ends and the next begins counts, and so do the names of the columns', async () => {
  const zeros = '\0'.repeat(4)
  const tables = [
    `a,b\n1${zeros},2`,
    `a,b\n1,${zeros}2`,
    'a,b\n12,3',
    'a,b\n1,23',
    'a,b\n123,',
    'a,b\n,123',
    'a,c\n12,3',
    'b,a\n12,3',
    'a,b\n12,3 ́',
  ]
  const found = await Promise.all(tables.map((text) => committed(text)))
  assert.is(new Set(found.map(({ list }) => list[0]?.commitment)).size, tables.length)
})

it('a commitment is what is written of it: HMAC over domain, commitment to the names, and each cell behind its length', async () => {
  const mac = (...parts: Uint8Array[]): Uint8Array => createHmac('sha256', SECRET).update(Buffer.concat(parts)).digest()
  const cell = (text: string): Buffer => Buffer.concat([Buffer.from([0, 0, 0, utf8(text).length]), utf8(text)])
  const names = mac(utf8('consilium/dataset-header/v1\0'), Uint8Array.of(0x82, 0x62, 0x69, 0x64, 0x61, 0x61))
  const row = mac(utf8('consilium/dataset-row/v1\0'), names, cell('7'), cell('Zoë'))
  const key = mac(utf8('consilium/dataset-key/v1\0'), utf8('7')).subarray(0, 16)
  const { list } = await committed('id,a\n7,Zoë', { keyColumn: 'id' })
  assert.equal(list, [{ commitment: toHex(row), key: toHex(key), line: 2 }])
})

it('equal rows of two datasets have nothing in common', async () => {
  const text = 'id,a\n1,x\n1,x'
  const one = await committed(text, { keyColumn: 'id' })
  const other = await committed(text, { keyColumn: 'id', secret: sha256(utf8('another secret')) })
  assert.equal(one.list[0]?.commitment, one.list[1]?.commitment)
  for (const field of ['commitment', 'key'] as const) assert.is.not(one.list[0]?.[field], other.list[0]?.[field])
  const schema = (secret: Uint8Array): string => toHex(schemaCommitment(secret, one.columns))
  assert.is.not(schema(SECRET), schema(sha256(utf8('another secret'))))
})

it('columns that moved are the same columns: rows go by the order that was registered', async () => {
  const before = await committed('id,a [mg/L],b\n1,x,y\n2,z,w')
  const now = await committed('b,id,a [mg/L]\ny,1,x\nw,2,z', { before: before.columns })
  assert.equal(
    now.list.map(({ commitment }) => commitment),
    before.list.map(({ commitment }) => commitment),
  )
  assert.equal(now.columns, before.columns)
  const fewer = await committed('b,id\ny,1', { before: before.columns })
  assert.equal(
    fewer.columns.map(({ name }) => name),
    ['b', 'id'],
  )
})

it('kinds are what the cells say, units what header, operator or the registration before say', async () => {
  const text = 'n,d,t,e,m [mg/L],x\n-1.5e3,2026-11-22,x,,1,7\n.5,2026-11-22T10:00:00Z,1,,y,2026-11-22'
  const { columns } = await committed(text, {
    units: { n: 'g', m: 'ng/L' },
    before: [{ name: 'd', unit: 'day', kind: 'text' }],
  })
  const told = columns.map(({ name, unit, kind }) => `${name} ${unit} ${kind}`)
  assert.equal(told, ['n g number', 'd day date', 't 1 text', 'e 1 empty', 'm [mg/L] ng/L text', 'x 1 text'])
})

const code = async (run: Promise<unknown>): Promise<string> => {
  try {
    await run
    return 'nothing'
  } catch (error) {
    return `${(error as { code: string }).code}: ${(error as Error).message}`
  }
}

it('a column that is not there is named with what was meant, and one without a name is refused', async () => {
  assert.match(
    await code(committed('patient_id,a\n1,2', { keyColumn: 'patientid' })),
    /data-missing-column.*did you mean "patient_id"/,
  )
  assert.match(await code(committed('a,b\n1,2', { units: { c: 'mg' } })), /data-missing-column.*--unit/)
  assert.match(await code(committed('a,\n1,2')), /data-header.*column 2 has no name/)
  const { list } = await committed('a,b\n1,2', { keyColumn: 'gone', lenient: true })
  assert.is(list[0]?.key, null)
})

const cell = fc.constantFrom('', '0', '1', 'x', 'é', 'a,b', 'say "no"', 'two\nlines', '00')
const rowsOf = fc.array(fc.tuple(cell, cell), { minLength: 2, maxLength: 12 })
const numbered = (rows: readonly (readonly [string, string])[]): string[][] =>
  rows.map(([a, b], i) => [`P-${100 + i}`, a, b])

it('any cell that changes is found, and its row is named by its key and both its lines', () =>
  fc.assert(
    fc.asyncProperty(
      rowsOf,
      fc.nat(),
      fc.boolean(),
      fc.constantFrom('!', '0.0', 'ä'),
      async (given, pick, first, add) => {
        const before = numbered(given)
        const at = pick % before.length
        const now = before.map((row) => [...row])
        ;(now[at] as string[])[first ? 1 : 2] += add
        const found = await differencesOf(csv(before), csv(now), 'id')
        assert.equal([found.changed, found.added, found.removed, found.movedLine], [1, 0, 0, null])
        const { lines } = await manifestOf(csv(before), 'id')
        const { lines: linesNow } = await manifestOf(csv(now), 'id')
        const named = { what: 'changed', key: `P-${100 + at}`, registeredLine: lines[at], line: linesNow[at] }
        assert.equal(found.shown, [named])
      },
    ),
    { numRuns: 60 },
  ))

it('a row that comes, one that goes, and two that change places are found, each for what it is', () =>
  fc.assert(
    fc.asyncProperty(rowsOf, fc.nat(), fc.nat(), async (given, pick, other) => {
      const before = numbered(given)
      const [at, to] = [pick % before.length, other % before.length]
      const more = before.toSpliced(at, 0, ['P-new', 'x', ''])
      const came = await differencesOf(csv(before), csv(more), 'id')
      assert.equal([came.changed, came.added, came.removed, came.movedLine], [0, 1, 0, null])
      assert.equal([came.shown[0]?.key, came.shown[0]?.registeredLine], ['P-new', null])
      const fewer = before.toSpliced(at, 1)
      const went = await differencesOf(csv(before), csv(fewer), 'id')
      assert.equal([went.changed, went.added, went.removed, went.movedLine], [0, 0, 1, null])
      assert.equal(went.shown[0]?.registeredLine, (await manifestOf(csv(before), 'id')).lines[at])
      const swapped = before.with(at, before[to] as string[]).with(to, before[at] as string[])
      const moved = await differencesOf(csv(before), csv(swapped), 'id')
      assert.equal([moved.changed, moved.added, moved.removed], [0, 0, 0])
      assert.is(moved.movedLine === null, at === to)
    }),
    { numRuns: 60 },
  ))

it('without keys rows are counted by their content, as often as it occurs, and which of equal ones went does not move the others', () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom('p', 'q', 'r'), { minLength: 1, maxLength: 10 }),
      fc.array(fc.constantFrom('p', 'q', 'r', 's'), { minLength: 1, maxLength: 10 }),
      async (before, now) => {
        const text = (rows: string[]): string => ['a', ...rows].join('\n')
        const found = await differencesOf(text(before), text(now), null)
        const kept = ['p', 'q', 'r'].map((one) => {
          return Math.min(before.filter((row) => row === one).length, now.filter((row) => row === one).length)
        })
        const stayed = kept.reduce((sum, count) => sum + count, 0)
        assert.equal([found.changed, found.added, found.removed], [0, now.length - stayed, before.length - stayed])
      },
    ),
    { numRuns: 100 },
  ))

it('of equal rows the one that keeps the order stayed', async () => {
  const found = await differencesOf('a\np\nq\np', 'a\nq\np', null)
  assert.equal([found.removed, found.added, found.movedLine], [1, 0, null])
  assert.is((await differencesOf('a\np\nq\np', 'a\nq\np\np', null)).movedLine, 4)
})

it('a hundred thousand equal rows, before which the last row has moved, are found one after the other without a search among them', () => {
  const rows = 100_001
  const commitments = new Uint8Array(rows * 32)
  commitments.fill(7, (rows - 1) * 32)
  const comparison = new RowComparison({ rows, commitments, keys: null, lines: new Uint32Array(rows) })
  const take = (fill: number, line: number): void =>
    comparison.take({ commitment: new Uint8Array(32).fill(fill), key: null, keyText: null, line })
  const ms = cpuMsOf(() => {
    take(7, 2)
    for (let line = 3; line < rows + 2; line++) take(0, line)
    const { changed, added, removed, movedLine } = comparison.differences()
    assert.equal([changed, added, removed, movedLine], [0, 0, 0, 3])
  })
  assert.ok(ms < 5_000, `${ms} ms, where a search among them takes a minute`)
})

it('of several rows with one key those that differ are paired in their order, and what is left over came or went', async () => {
  const before = 'id,v\n1,a\n1,b\n1,c\n2,d'
  const found = await differencesOf(before, 'id,v\n1,b\n1,x\n1,y\n1,z\n2,d', 'id')
  assert.equal([found.changed, found.added, found.removed], [2, 1, 0])
  assert.equal(
    found.shown.map(({ what, line, registeredLine }) => [what, line, registeredLine]),
    [
      ['changed', 3, 2],
      ['changed', 4, 4],
      ['added', 5, null],
    ],
  )
})

it.run()

/** A table of 100,000 rows and 30 columns registered, and verified against what was registered, beside one SHA-256 over its file. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { toHex, utf8 } from '../../../src/core/bytes.ts'
import { sha256 } from '../../../src/core/digest.ts'
import type { MemberId } from '../../../src/core/ids.ts'
import { Rng } from '../../../src/core/rng.ts'
import { DatasetDesk, type DatasetDeskParts } from '../../../src/daemon/datasetDesk.ts'
import { emptyTip, extend } from '../../../src/ledger/chain.ts'
import type { Draft } from '../../../src/node/actions.ts'
import { type Figure, median, under } from '../figures.ts'

const ROWS = 100_000
const COLUMNS = 30
const TIMES = 3
const SECONDS_MAX = 8 // a person waits for it, and the event loop goes on meanwhile
const SELF = toHex(sha256(utf8('hospital'))) as string as MemberId

/** Registering, verifying the same file, and verifying one in which one row in a hundred is another. */
export async function bench(): Promise<Figure[]> {
  const folder = await mkdtemp(join(tmpdir(), 'consilium-bench-datasets-'))
  try {
    const [path, other] = [join(folder, 'a.csv'), join(folder, 'b.csv')]
    await writeFile(
      path,
      csv(() => false),
    )
    await writeFile(
      other,
      csv((row) => row % 100 === 7),
    )
    const desk = new DatasetDesk(hospitalIn(folder))
    const nothing = { query: null, provenance: null, source: null, units: {}, publish: false } as const
    const [register, same, changed, plain]: [number[], number[], number[], number[]] = [[], [], [], []]
    for (let i = 0; i < TIMES; i++) {
      const request = { ...nothing, name: `bench${i}`, path, keyColumn: 'id' }
      register.push(await seconds(() => desk.register(request)))
      const version = await desk.find(`bench${i}`)
      same.push(await seconds(() => desk.verify(version, path)))
      changed.push(await seconds(() => desk.verify(version, other)))
      plain.push(await seconds(async () => sha256(await readFile(path))))
    }
    const megabytes = (await readFile(path)).length / 1e6
    const beside = (times: readonly number[]): string =>
      `${megabytes.toFixed(0)} MB, ${(median(times) / median(plain)).toFixed(0)} × one SHA-256 over the file, ${(median(plain) * 1e3).toFixed(0)} ms`
    return [
      under('dataset register, 100,000 rows × 30', median(register), SECONDS_MAX, 's', beside(register)),
      under('dataset verify, nothing changed', median(same), SECONDS_MAX, 's', beside(same)),
      under('dataset verify, 1 % of the rows changed', median(changed), SECONDS_MAX, 's', beside(changed)),
    ]
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function csv(isOther: (row: number) => boolean): string {
  const rng = Rng.from('datasets')
  const lines = [`id,${Array.from({ length: COLUMNS - 1 }, (_, i) => `f${i}`).join(',')}`]
  for (let row = 0; row < ROWS; row++) {
    const cells = Array.from({ length: COLUMNS - 1 }, () => (rng.float() * 100).toFixed(3))
    if (isOther(row)) cells[row % (COLUMNS - 1)] = 'other'
    lines.push(`P-${row},${cells.join(',')}`)
  }
  return `${lines.join('\n')}\n`
}

/** With a log in memory. */
function hospitalIn(folder: string): DatasetDeskParts {
  const raws: Uint8Array[] = []
  let tip = emptyTip(SELF)
  const record = (_: string, drafts: readonly Draft[]): void => {
    const made = extend(
      tip,
      drafts,
      drafts.map(() => sha256(utf8(`salt ${raws.length}`))),
    )
    raws.push(...made.raws)
    tip = made.tip
  }
  return {
    home: {
      paths: { datasets: join(folder, 'datasets') },
      key: { id: SELF },
      dataKey: sha256(utf8('data key')),
      config: { datasets: { registered: 'optional' }, counts: { minimumCohort: 10 } },
    },
    logs: {
      sizeOf: () => ({ author: SELF, size: raws.length, root: toHex(sha256()) as never }),
      entries: async (_, from, to) => raws.slice(from, to),
    },
    writer: { record, flush: async () => undefined },
  }
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now()
  await work()
  return (performance.now() - startMs) / 1e3
}

/** What can be compared: the combinations of sweeps, and runs, those of one scenario together. */
import { existsSync } from 'node:fs'
import { basename, join } from 'node:path'
import { refusal } from './command.ts'
import { readResult } from './runFolder.ts'
import { readHeader, readRecords, recordOf } from './sweepFolder.ts'
import { tasksOf } from './sweepPlan.ts'
import { type Arm, armsOf } from './sweepTable.ts'

/** An arm with the folder that it came from. */
export interface Source {
  readonly folder: string
  readonly arms: readonly Arm[]
}

/** Reads sweeps and runs; runs that differ in their seed alone become one arm. Errors: `sweep-…`, `run-…`. */
export async function readSources(folders: readonly string[]): Promise<Source[]> {
  const sources: Source[] = []
  const runs = new Map<string, { at: number; arm: Arm }>()
  for (const folder of folders) {
    if (existsSync(join(folder, 'sweep.json'))) sources.push({ folder, arms: await armsOfSweep(folder) })
    else await addRun(sources, runs, folder)
  }
  return sources
}

async function armsOfSweep(folder: string): Promise<Arm[]> {
  const header = await readHeader(folder)
  const tasks = tasksOf(header)
  const records = await readRecords(folder, tasks)
  const found = tasks.flatMap(({ key }) => records.get(key) ?? [])
  if (found.length === 0) throw refusal('sweep-empty', `${folder}: no run of this sweep is done yet`)
  return armsOf(header, found)
}

async function addRun(sources: Source[], runs: Map<string, { at: number; arm: Arm }>, folder: string): Promise<void> {
  const result = await readResult(folder)
  const key = JSON.stringify(result.scenario)
  const record = recordOf(result, {})
  const known = runs.get(key)
  const before = known?.arm.records ?? []
  if (before.some(({ seed }) => seed === record.seed))
    throw refusal('run-twice', `${folder}: seed ${record.seed} of the same scenario was given before it`)
  const arm: Arm = { label: 'as written', parameters: {}, records: [...before, record].sort((a, b) => a.seed - b.seed) }
  const at = known?.at ?? sources.length
  const name = known === undefined ? folder : (sources[at] as Source).folder
  sources[at] = { folder: name, arms: [arm] }
  runs.set(key, { at, arm })
}

/** Two arms, and what to call them. */
export interface Pair {
  readonly name: string
  readonly reference: Arm
  readonly other: Arm
}

/** Every arm against the one of the same label in the first source; within one source, against its first arm. Error: `nothing-to-compare`. */
export function pairsOf(sources: readonly Source[]): Pair[] {
  const [first, ...others] = sources
  if (first === undefined) return []
  const nameOf = ({ folder, arms }: Source, arm: Arm): string =>
    arms.length > 1 || others.length === 0 ? `${basename(folder)} ${arm.label}` : basename(folder)
  if (others.length === 0) {
    const [reference, ...rest] = first.arms
    if (reference === undefined || rest.length === 0)
      throw refusal(
        'nothing-to-compare',
        `${first.folder} has one combination: give two folders, or a sweep with several`,
      )
    return rest.map((other) => ({ name: `${other.label} − ${reference.label}`, reference, other }))
  }
  return others.flatMap((source) =>
    source.arms.map((other) => {
      const reference = first.arms.length === 1 ? first.arms[0] : first.arms.find(({ label }) => label === other.label)
      const alone = first.arms.length > 1 && source.arms.length === 1
      if (reference === undefined || alone)
        throw refusal(
          'nothing-to-compare',
          `${source.folder} has "${other.label}", for which ${first.folder} has no counterpart: compare folders with the same --param`,
        )
      return { name: `${nameOf(source, other)} − ${nameOf(first, reference)}`, reference, other }
    }),
  )
}

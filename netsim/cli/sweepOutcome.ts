/** What a sweep ends with: its table, its files, and what went wrong. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Target } from '../report/measures.ts'
import { sweepPage } from '../report/sweepPage.ts'
import { EXIT, shellLine } from './command.ts'
import type { RunRecord, SweepHeader } from './sweepFolder.ts'
import { label, shown, type Task } from './sweepPlan.ts'
import { armsOf, columnsOf, meansCsv, runsCsv, sweepLines } from './sweepTable.ts'

const SHOWN_MAX = 5 // of failures and missing runs; the rest is counted

/** Writes sweep.csv, means.csv and sweep.html, and prints the table. Runs whose check failed set the exit code. */
export async function finishSweep(
  folder: string,
  header: SweepHeader,
  records: readonly RunRecord[],
  planned: number,
  targets: readonly Target[],
): Promise<void> {
  const columns = columnsOf(records, targets)
  const arms = armsOf(header, records)
  const facts = [
    `scenario ${header.scenarioName}`,
    `${records.length} of ${planned} runs`,
    `${header.seeds.length} seeds`,
    `consilium ${header.consilium}`,
    ...(header.commit === null ? [] : [`commit ${header.commit.slice(0, 12)}`]),
  ]
  await writeFile(join(folder, 'sweep.csv'), runsCsv(header, records, columns))
  await writeFile(join(folder, 'means.csv'), meansCsv(header, arms, columns))
  await writeFile(
    join(folder, 'sweep.html'),
    sweepPage({ name: header.scenarioName, scenario: header.scenario, arms, columns, facts }),
  )
  const lines = [header.scenario.question, '', ...sweepLines(header, arms, columns)]
  process.stdout.write(`${lines.join('\n')}\nwritten ${folder}, to look at: ${join(folder, 'sweep.html')}\n`)
  tellBroken(header, records)
}

function tellBroken({ scenarioName }: SweepHeader, records: readonly RunRecord[]): void {
  const broken = records.filter(({ outcome }) => outcome === 'check-failed')
  if (broken.length === 0) return
  process.exitCode = EXIT.failed
  process.stderr.write(
    `consilium-netsim: a check failed in ${broken.length} of ${records.length} runs, which the means leave out:\n`,
  )
  for (const { parameters, seed, failure } of broken.slice(0, SHOWN_MAX)) {
    const sets = Object.entries(parameters).flatMap(([path, value]) => ['--set', `${path}=${shown(value)}`])
    const again = shellLine(['consilium-netsim', 'run', scenarioName, '--seed', String(seed), ...sets])
    process.stderr.write(`  ${failure ?? 'unknown'}: ${again}\n`)
  }
}

/** `missing  gossip.fanout=3  seeds 4, 5`: at most a few lines. */
export function missingLines(tasks: readonly Task[], present: ReadonlyMap<string, unknown>): string[] {
  const missing = tasks.filter(({ key }) => !present.has(key))
  const lines = [...byLabel(missing)].map(([name, own]) => {
    const seeds = own.map(({ seed }) => seed)
    const more = seeds.length > 2 * SHOWN_MAX ? `, and ${seeds.length - 2 * SHOWN_MAX} more` : ''
    return `  ${name}: seeds ${seeds.slice(0, 2 * SHOWN_MAX).join(', ')}${more}`
  })
  const rest = lines.length > SHOWN_MAX ? [`  and ${lines.length - SHOWN_MAX} more combinations`] : []
  return [...lines.slice(0, SHOWN_MAX), ...rest]
}

function byLabel(tasks: readonly Task[]): Map<string, Task[]> {
  const found = new Map<string, Task[]>()
  for (const task of tasks) {
    const name = label(task.parameters)
    found.set(name, [...(found.get(name) ?? []), task])
  }
  return found
}

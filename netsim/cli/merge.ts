/** merge: joins the shards of a sweep. */
import { resolve } from 'node:path'
import type { Command } from 'commander'
import type { Target } from '../report/measures.ts'
import { command, EXIT, refusal } from './command.ts'
import { reachOption } from './sweep.ts'
import {
  openSweep,
  type RunRecord,
  readHeader,
  readRecords,
  refuseOther,
  type SweepHeader,
  writeRecord,
} from './sweepFolder.ts'
import { finishSweep, missingLines } from './sweepOutcome.ts'
import { tasksOf } from './sweepPlan.ts'

/** Errors: `sweep-…`, `folder-…`, `merge-into-itself`. */
export function mergeCommand(): Command {
  return command(
    'merge',
    'join the shards of one sweep; exit code 1 where runs are missing',
    'consilium-netsim merge shard-1 shard-2 shard-3 --out whole',
  )
    .argument('<folders...>', 'what "sweep --shard" wrote')
    .requiredOption('--out <folder>', 'where to write the whole')
    .option('--reach <measure=value>', 'also the virtual time until it is reached; may be repeated', reachOption, [])
    .action(async (folders: string[], { out, reach }: { out: string; reach: readonly Target[] }) => {
      const itself = folders.find((folder) => resolve(folder) === resolve(out))
      if (itself !== undefined)
        throw refusal('merge-into-itself', `--out ${out} is one of the shards: name another folder`)
      const header = await commonHeader(folders)
      const tasks = tasksOf(header)
      const records = new Map<string, RunRecord>()
      for (const folder of folders) {
        for (const [key, record] of await readRecords(folder, tasks)) {
          refuseContradiction(folder, records.get(key), record)
          records.set(key, record)
        }
      }
      await openSweep(out, header)
      for (const task of tasks) {
        const record = records.get(task.key)
        if (record !== undefined) await writeRecord(out, task, record)
      }
      const found = tasks.flatMap(({ key }) => records.get(key) ?? [])
      await finishSweep(out, header, found, tasks.length, reach)
      const missing = missingLines(tasks, records)
      if (missing.length === 0) return
      process.exitCode = EXIT.failed
      const count = tasks.length - found.length
      process.stderr.write(`consilium-netsim: ${count} of ${tasks.length} runs are missing:\n${missing.join('\n')}\n`)
    })
}

/** Two shards may hold the same run, and then it is the same to the byte. */
function refuseContradiction(folder: string, before: RunRecord | undefined, now: RunRecord): void {
  if (before === undefined || before.traceHash === now.traceHash) return
  const which = `seed ${now.seed} with ${JSON.stringify(now.parameters)}`
  throw refusal(
    'merge-contradiction',
    `${folder}: ${which} has another trace than in a folder before it: one of the machines is at fault`,
  )
}

async function commonHeader(folders: readonly string[]): Promise<SweepHeader> {
  const headers: SweepHeader[] = []
  for (const folder of folders) headers.push(await readHeader(folder))
  const first = headers[0] as SweepHeader
  for (const [i, header] of headers.entries()) {
    const folder = folders[i] as string
    refuseOther(folder, first, header)
    const plan = ({ axes, seeds }: SweepHeader): string => JSON.stringify([axes, seeds])
    if (plan(header) !== plan(first))
      throw refusal(
        'sweep-differs',
        `${folder} has other --param or --seeds than ${folders[0]}: only shards of one sweep can be joined`,
      )
  }
  return { ...first, shard: null }
}

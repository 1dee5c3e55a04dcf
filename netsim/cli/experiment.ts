/** experiment: a classic algorithm on rows of ours, beside its paper's claim. */
import { writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { table } from '../../src/cli/output.ts'
import { bytes } from '../../src/report/numbers.ts'
import { DATA_SETS, type DataSetName, loadFederation } from '../experiments/data.ts'
import type { ExperimentOptions, ExperimentResult } from '../experiments/frame.ts'
import { EXPERIMENTS, type ExperimentName } from '../experiments/index.ts'
import { command, refusal, seedOption } from './command.ts'

interface Options {
  readonly data?: DataSetName
  readonly seed: number
  readonly rounds?: number
  readonly loss?: number
  readonly offline?: number
  readonly head?: 'private' | 'shared'
  readonly out?: string
}

const ROOT = fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? '../../' : '../../../', import.meta.url))

/** Errors: `experiment-unknown`, those of reading rows. */
export function experimentCommand(): Command {
  const names = Object.keys(EXPERIMENTS)
  return command(
    'experiment',
    'run a classic algorithm; without a name: list them',
    'consilium-netsim experiment lian2017 --data alzheimer --rounds 40',
  )
    .argument('[name]', names.join(', '))
    .addOption(new Option('--data <set>', 'rows; made-up ones of its own where absent').choices(Object.keys(DATA_SETS)))
    .option('--seed <number>', 'whole number', seedOption, 1)
    .option('--rounds <number>', 'rounds, or cycles of gossip', wholeOption)
    .option('--loss <share>', 'of messages that never arrive', shareOption)
    .option('--offline <share>', 'of nodes that are off at any time', shareOption)
    .addOption(
      new Option('--head <whose>', "the output bias: each node's own, or averaged too").choices(['private', 'shared']),
    )
    .option('--out <file>', 'write all curves as JSON')
    .action(async (name: string | undefined, options: Options) => {
      if (name === undefined) return list()
      if (!Object.hasOwn(EXPERIMENTS, name))
        throw refusal('experiment-unknown', `"${name}" is no experiment; there are ${names.join(', ')}`)
      const { paper, reproduces, run } = EXPERIMENTS[name as ExperimentName]
      const result = await run(await given(options))
      if (options.out !== undefined) await writeFile(options.out, `${JSON.stringify(result, null, 1)}\n`)
      process.stdout.write(`${[paper, `to be seen: ${reproduces}`, '', ...lines(result)].join('\n')}\n`)
    })
}

function list(): void {
  const rows = Object.entries(EXPERIMENTS).map(([name, { paper }]) => [name, paper])
  process.stdout.write(`${table(['experiment', 'paper'], rows).join('\n')}\n`)
}

async function given({ data, seed, rounds, loss, offline, head }: Options): Promise<Partial<ExperimentOptions>> {
  return {
    seed,
    ...(data === undefined ? {} : { federation: await loadFederation(data, seed, ROOT) }),
    ...(rounds === undefined ? {} : { rounds }),
    ...(loss === undefined ? {} : { loss }),
    ...(offline === undefined ? {} : { offlineShare: offline }),
    ...(head === undefined ? {} : { head }),
  }
}

/** The end of each arm's curve. */
function lines({ arms, nodes, parameters, seed }: ExperimentResult): string[] {
  const share = (value: number | null | undefined): string => value?.toFixed(3) ?? '–'
  const rows = arms.map(({ name, curve }) => {
    const end = curve.at(-1)
    const sent = bytes(end === undefined ? null : end.bytes / nodes)
    return [
      name,
      String(end?.round ?? 0),
      share(end?.auc),
      share(end?.logLoss),
      share(end?.aucEverywhere),
      share(end?.logLossEverywhere),
      sent,
    ]
  })
  const header = ['', 'rounds', 'AUC, own rows', 'log-loss', "AUC, everybody's", 'log-loss', 'sent per node']
  return [`${nodes} nodes, ${parameters} parameters, seed ${seed}`, ...table(header, rows, [1, 2, 3, 4, 5, 6])]
}

function wholeOption(text: string): number {
  const value = Number(text)
  if (/^\d+$/.test(text) && value >= 1 && value <= 1_000_000) return value
  throw new InvalidArgumentError('A whole number from 1 to 1000000 is expected.')
}

function shareOption(text: string): number {
  const value = Number(text)
  if (text.trim() !== '' && value >= 0 && value < 1) return value
  throw new InvalidArgumentError('A share from 0 to below 1 is expected, 0.2 for example.')
}

/**
 * `npm run bench [-- name … [--peers]]`: every figure of the product, each as a ratio in one run. Exit code 1 where one is missed.
 * `--peers` has npm install what the ledger is compared with.
 */
import { table } from '../../src/cli/output.ts'
import type { Figure } from './figures.ts'

const BENCHES: Record<string, () => Promise<{ bench: () => Promise<Figure[]> }>> = {
  merge: () => import('./merge.ts'),
  'learning-merge': () => import('./learning/mergeRules.ts'),
  'learning-attacks': () => import('./learning/attacks.ts'),
  'learning-evaluation': () => import('./learning/evaluation.ts'),
  kernels: () => import('./kernels.ts'),
  stacked: () => import('./stacked.ts'),
  daemon: () => import('./daemon.ts'),
  latency: () => import('./latency.ts'),
  study: () => import('./study.ts'),
  netsim: () => import('./netsim.ts'),
  stroke: () => import('./stroke.ts'),
  'learning-kill': () => import('./learning/killAndPoison.ts'),
  'learning-cells': () => import('./learning/cells.ts'),
  'learning-privacy': () => import('./learning/privacy.ts'),
  bundle: () => import('./bundle.ts'),
  'learning-training': () => import('./learning/daemonTraining.ts'),
  'learning-wire': () => import('./learning/bigModels.ts'),
  'governance-consent': () => import('./governance/consent.ts'),
  'governance-round': () => import('./governance/round.ts'),
  'governance-sealing': () => import('./governance/sealing.ts'),
  'governance-agreements': () => import('./governance/agreements.ts'),
  'governance-datasets': () => import('./governance/datasets.ts'),
  'governance-subject': () => import('./governance/subject.ts'),
  'records-access': () => import('./records/access.ts'),
  'records-supply': () => import('./records/supply.ts'),
  'records-settlement': () => import('./records/settlement.ts'),
  ledger: async () => {
    const { bench } = await import('./ledger.ts')
    return { bench: () => bench({ peers: process.argv.includes('--peers') }) }
  },
}

const asked = process.argv.slice(2).filter((word) => word !== '--peers')
/** `learning` stands for all whose names begin so. */
const wanted = asked.flatMap((word) => {
  const parts = Object.keys(BENCHES).filter((name) => name.startsWith(`${word}-`))
  return parts.length > 0 ? parts : [word]
})
const unknown = wanted.find((name) => !Object.hasOwn(BENCHES, name))
if (unknown !== undefined) {
  process.stderr.write(`bench: "${unknown}" is not one of ${Object.keys(BENCHES).join(', ')}\n`)
  process.exit(1)
}

const figures: Figure[] = []
for (const [name, load] of Object.entries(BENCHES)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue
  process.stdout.write(`${name} …\n`)
  figures.push(...(await (await load()).bench()))
}
const rows = figures.map(({ name, figure, ratio, target, ok }) => [
  name,
  `${ratio.toFixed(2)} ×`,
  `≥ ${target}`,
  ok ? 'met' : 'MISSED',
  figure,
])
process.stdout.write(`\n${table(['figure', 'ratio', 'target', '', 'measured'], rows, [1, 2]).join('\n')}\n`)
if (figures.some((figure) => !figure.ok)) process.exitCode = 1

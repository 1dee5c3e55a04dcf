import { execFile } from 'node:child_process'
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { parse, parseAllDocuments } from 'yaml'
import { VERSION } from '../../src/config/version.ts'
import { inFolder } from './program.ts'

const it = suite('deploy')
const run = promisify(execFile)
const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const FOLDER = join(ROOT, 'scripts/deploy/netsim')

/** A `consilium-netsim` that writes its arguments down, makes what a sweep would, and fails where told. */
const STUB = `#!/usr/bin/env bash
echo "$*" >> "$CALLS"
if [[ "$*" == *"--shard 2/"* && -n "\${FAIL:-}" ]]; then exit 1; fi
while (($# > 0)); do
  if [[ $1 == --out ]]; then mkdir -p "$2"; touch "$2/sweep.json"; fi
  shift
done
`

/** GNU parallel, as far as the script uses it: one job after another; the same exit code. */
const PARALLEL_STUB = `#!/usr/bin/env bash
while [[ $1 == --* ]]; do case $1 in --quote) shift ;; *) shift 2 ;; esac; done
words=()
while [[ $1 != ::: ]]; do words+=("$1"); shift; done
shift
failed=0
for i in "$@"; do "\${words[@]//\\{\\}/$i}" || failed=$((failed + 1)); done
exit $failed
`

async function inStub(work: (cwd: string, env: NodeJS.ProcessEnv, calls: () => Promise<string[]>) => Promise<void>) {
  await inFolder(async (cwd) => {
    await mkdir(join(cwd, 'bin'))
    for (const [name, text] of [
      ['consilium-netsim', STUB],
      ['parallel', PARALLEL_STUB],
    ] as const) {
      await writeFile(join(cwd, 'bin', name), text)
      await chmod(join(cwd, 'bin', name), 0o755)
    }
    const env = { ...process.env, PATH: `${join(cwd, 'bin')}:${process.env.PATH}`, CALLS: join(cwd, 'calls') }
    await work(cwd, env, async () => (await readFile(join(cwd, 'calls'), 'utf8')).trim().split('\n').sort())
  })
}

const SWEEP = ['fanout', '--param', 'gossip.fanout=1,3', '--seeds', '20'] as const

for (const name of ['sweep.parallel.sh', 'sweep.sbatch'])
  it(`${name} is a script that bash understands`, async () => {
    await run('bash', ['-n', join(FOLDER, name)])
  })

it('parallel: every shard once, then all of them joined', () =>
  inStub(async (cwd, env, calls) => {
    await run('bash', [join(FOLDER, 'sweep.parallel.sh'), 'out', ...SWEEP], { cwd, env: { ...env, SHARDS: '3' } })
    assert.equal(await calls(), [
      'merge out/shard-1 out/shard-2 out/shard-3 --out out/whole',
      ...[1, 2, 3].map((i) => `sweep ${SWEEP.join(' ')} --jobs 1 --shard ${i}/3 --out out/shard-${i}`),
    ])
  }))

it('parallel: a shard that fails leaves the others joined, and is an error', () =>
  inStub(async (cwd, env, calls) => {
    const words = [join(FOLDER, 'sweep.parallel.sh'), 'out', ...SWEEP]
    const ending = await run('bash', words, { cwd, env: { ...env, SHARDS: '3', FAIL: '1' } }).then(
      () => 0,
      ({ code }) => code as number,
    )
    assert.is(ending, 1)
    assert.is((await calls())[0], 'merge out/shard-1 out/shard-3 --out out/whole')
  }))

it('slurm: the tasks of an array are the shards from 1, wherever the array begins', () =>
  inStub(async (cwd, env, calls) => {
    for (const [id, min] of [
      ['0', '0'],
      ['3', '0'],
      ['5', '4'],
    ] as const) {
      const task = {
        SLURM_ARRAY_TASK_ID: id,
        SLURM_ARRAY_TASK_MIN: min,
        SLURM_ARRAY_TASK_COUNT: '4',
        SLURM_CPUS_PER_TASK: '2',
      }
      await run('bash', [join(FOLDER, 'sweep.sbatch'), 'out', ...SWEEP], { cwd, env: { ...env, ...task } })
    }
    assert.equal(
      await calls(),
      [1, 2, 4].map((i) => `sweep ${SWEEP.join(' ')} --jobs 2 --shard ${i}/4 --out out/shard-${i}`),
    )
  }))

interface Job {
  readonly spec: {
    readonly completions: number
    readonly completionMode: string
    readonly template: { readonly spec: { readonly containers: readonly [Container] } }
  }
}
interface Container {
  readonly command: readonly string[]
  readonly args: readonly [string]
  readonly env: readonly { readonly name: string; readonly value: string }[]
}

it('kubernetes: the indices of the job are the shards from 1, as many as it has completions', () =>
  inStub(async (cwd, env, calls) => {
    const documents = parseAllDocuments(await readFile(join(FOLDER, 'sweep.job.yaml'), 'utf8')).map(
      (one) => one.toJS() as Job,
    )
    const { spec } = documents[1] as Job
    const [container] = spec.template.spec.containers
    const set = Object.fromEntries(container.env.map(({ name, value }) => [name, value]))
    assert.equal([spec.completionMode, set.SHARDS], ['Indexed', String(spec.completions)])
    const [shell = '', ...flags] = container.command
    const script = container.args[0].replaceAll('/results/', `${cwd}/`)
    for (const index of ['0', '15'])
      await run(shell, [...flags, script], { cwd, env: { ...env, ...set, JOB_COMPLETION_INDEX: index } })
    const words = (i: number): string => `sweep ${set.SWEEP} --jobs 2 --shard ${i}/16 --out ${cwd}/shard-${i}`
    assert.equal(await calls(), [words(1), words(16)].sort())
  }))

it('the citation names this version', async () => {
  const { version, 'cff-version': cff } = parse(await readFile(join(ROOT, 'CITATION.cff'), 'utf8')) as Record<
    string,
    string
  >
  assert.equal([version, cff], [VERSION, '1.2.0'])
})

it.run()

/** log verify FILE: what a person reads, and how it ends. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { verifyBundle } from '../../src/cli/logBundle.ts'
import { utf8 } from '../../src/core/bytes.ts'
import { ConsiliumError } from '../../src/core/errors.ts'
import { fingerprint } from '../../src/ledger/founding.ts'
import { FAULTS, FIVE, GOOD } from '../ledger/bundleFaults.ts'
import { consortiumOf, cosigned, judge, linesOf, logFor } from '../ledger/bundleKit.ts'
import { CLINICS, EPOCH_BUNDLES } from '../ledger/epochFaults.ts'

const it = suite('log verify FILE')

const home = mkdtempSync(join(tmpdir(), 'consilium-bundle-'))
const file = join(home, 'a.bundle')
const BYTES = utf8(GOOD.join(''))
const ROOT = fingerprint(FIVE.digest)

interface Ended {
  readonly code: number
  readonly out: string
  readonly error: string | null
}

/** Runs the command's action here, on `bytes` as a file. */
async function run(bytes: Uint8Array, root?: string, json = false): Promise<Ended> {
  writeFileSync(file, bytes)
  const write = process.stdout.write
  let out = ''
  process.stdout.write = ((text: string) => {
    out += text
    return true
  }) as typeof process.stdout.write
  try {
    await verifyBundle(file, root, { home, json })
    return { code: Number(process.exitCode ?? 0), out, error: null }
  } catch (error) {
    assert.instance(error, ConsiliumError)
    return { code: 1, out, error: `${(error as ConsiliumError).code}: ${(error as Error).message}` }
  } finally {
    process.stdout.write = write
    process.exitCode = undefined
  }
}

it('log verify FILE: a good bundle under its root: code 0, and a report that says what it shows', async () => {
  const { code, out } = await run(BYTES, ROOT)
  assert.is(code, 0)
  for (const words of [
    'a.bundle: good.',
    'Oncology of the tests',
    ROOT,
    '5; an entry is final under 4 signatures',
    '2026-11-21 15:00:00 UTC by Ben',
    /filter +none/,
    /Ben +4 +7 +4 +0 +0 +1 +2026-09-21 14:13:20 UTC +2026-09-21 14:13:26 UTC/,
    /Klinikum Köln +0 +2 +0 +0 +0 +0 +– +–/,
    'DISPUTED: St. Mary signed two histories of 4 entries; entries from number 3 on count as disputed; 2 of these lie under a final head.',
    'What no bundle can rule out',
    'left out, by who exported',
    'later entries',
    'what was declared is untrue',
    'membership changed later',
    'two heads of one log',
  ])
    assert.ok(typeof words === 'string' ? out.includes(words) : words.test(out), `${words} in:\n${out}`)
  assert.not.match(out, /no slack|not checked/)
})

it('log verify FILE: without --root the code is 3, and it says that the identity is not checked', async () => {
  const { code, out } = await run(BYTES)
  assert.is(code, 3)
  assert.match(out, /^\S+: consistent; identity not checked\n/)
  assert.ok(out.includes(`compare ${ROOT}`))
})

it('log verify FILE: below four members it says that finality has no slack', async () => {
  const three = consortiumOf(3)
  const log = logFor(three.keys[0] as (typeof three.keys)[0], 2)
  const filter = { kind: 'round', sinceMs: 1_790_000_000_000, state: 'final' } as const
  const { out } = await run(utf8(linesOf(three, [cosigned(three, log, 2, [])], filter).join('')))
  assert.match(out, /With 3 members a head needs all 3 signatures: finality has no slack/)
  assert.match(out, /filter +kind round; from 2026-09-21 14:13:20 UTC; final only\n/)
  assert.match(out, /left out, by the filter or by who exported/)
})

it('log verify FILE: it says which epoch the bundle reaches, and that later ones are not ruled out', async () => {
  const root = fingerprint(CLINICS.digest)
  const { code, out } = await run(EPOCH_BUNDLES['three epochs'] as Uint8Array, root)
  assert.is(code, 0)
  for (const words of [
    /epoch +3, the newest in it: the membership was changed 3 times since the founding\n/,
    /members +4; an entry is final under 3 signatures, its author's own among them; earlier ones under those of their epoch\n/,
    /\nBen +1 +3 +0 +1 +0 /,
    /\nBen +1 +5 +1 +0 +0 /,
    /\nEve +2 +7 +2 /,
    /DISPUTED: Dan signed two histories of 7 entries/,
    /the membership changed later: it is shown up to epoch 3\n/,
  ])
    assert.match(out, words)
  assert.match((await run(EPOCH_BUNDLES['round 24'] as Uint8Array, root)).out, /epoch +1, [^\n]+ changed once /)
  assert.match((await run(BYTES, ROOT)).out, /epoch +0, the founding\nmembers +5; [^\n]+ among them\n/)
})

it('log verify FILE: --json prints the verdict', async () => {
  assert.equal(JSON.parse((await run(BYTES, ROOT, true)).out), judge(BYTES, FIVE.digest))
  const wrong = FAULTS.find(({ name }) => name === 'siblings swapped') as (typeof FAULTS)[0]
  const { out, code } = await run(wrong.bytes, ROOT, true)
  assert.is(code, 1)
  assert.equal(JSON.parse(out), judge(wrong.bytes, FIVE.digest))
})

it('log verify FILE: gzip is taken, also in parts, and damage to it is told', async () => {
  assert.is((await run(gzipSync(BYTES), ROOT)).code, 0)
  const parts = [BYTES.subarray(0, 5_000), BYTES.subarray(5_000)].map((part) => gzipSync(part))
  assert.is((await run(Buffer.concat(parts), ROOT)).code, 0)
  const damaged = gzipSync(BYTES)
  damaged[damaged.length - 6] = (damaged.at(-6) as number) ^ 1
  for (const bytes of [gzipSync(BYTES).subarray(0, -9), damaged, Buffer.concat([gzipSync(BYTES), utf8('more')])])
    assert.match((await run(bytes, ROOT)).error as string, /^bundle-gzip: [^\n]+ gzip [^\n]+$/)
})

it('log verify FILE: the first wrong line is named in one line', async () => {
  for (const { name, expected, bytes, root } of FAULTS.filter((_, i) => i % 9 === 0)) {
    const { error, code, out } = await run(bytes, root ?? undefined)
    const [fault, line] = expected.split(' ')
    assert.equal([code, out], [1, ''], name)
    assert.match(error as string, new RegExp(`^${fault}: \\S+: wrong at line ${line}: [^\\n]+$`), name)
  }
})

it('log verify FILE: as a command it ends with one line and code 1 for a file or a root that is none', () => {
  const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
  writeFileSync(file, BYTES)
  for (const [args, words] of [
    [[join(home, 'nothing')], /there is no such file/],
    [[home], /cannot be read \(EISDIR\)/],
    [[file, '--root', 'ee5e 905c'], /--root: "ee5e 905c" given; the 32 digits/],
    [['--root', ROOT], /--root goes with a bundle/],
  ] as [string[], RegExp][]) {
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      ['--import', 'tsx', main, 'log', 'verify', ...args],
      {
        encoding: 'utf8',
      },
    )
    assert.equal([status, stdout], [1, ''])
    assert.match(stderr, /^consilium: [^\n]+\n$/)
    assert.match(stderr, words)
  }
})

it('log verify FILE: what was written for these tests is removed', () => rmSync(home, { recursive: true }))

it.run()

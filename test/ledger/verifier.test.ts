/** The second verifier, scripts/verifier/verify_bundle.py: written from the formats alone, it must say what ours says. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { concat, fromHex, toHex, utf8 } from '../../src/core/bytes.ts'
import { decodeCbor, encodeCbor } from '../../src/core/cbor.ts'
import { signingKey, verify } from '../../src/core/ed25519.ts'
import type { MemberId } from '../../src/core/ids.ts'
import { Rng } from '../../src/core/rng.ts'
import { fingerprint } from '../../src/ledger/founding.ts'
import { refusal } from '../core/refusal.ts'
import { FAULTS, FIVE, forkOfTwoSizes, GOOD } from './bundleFaults.ts'
import { judge, resealed } from './bundleKit.ts'
import { CLINICS, EPOCH_BUNDLES, EPOCHS_GOOD } from './epochFaults.ts'

const it = suite('second verifier')

const FOLDER = fileURLToPath(new URL('../../scripts/verifier', import.meta.url))
const SCRIPT = join(FOLDER, 'verify_bundle.py')
const FLIPS = 100 // some 10 ms each in Python
const MUTANTS = 8_000

const python = spawnSync('python3', ['-c', 'import sys; sys.exit(sys.version_info < (3, 9))'])
const here = python.status === 0
if (!here) console.log('SKIPPED: python3 3.9 or newer is not here, so the second verifier is NOT tested')
const claim = here ? it : it.skip

const home = mkdtempSync(join(tmpdir(), 'consilium-verifier-'))

/** What `program` prints for `input`, both as JSON; it finds the verifier as `v`. */
function ask<T>(program: string, input: unknown): T {
  const script = `import sys, io, json\nsys.path.insert(0, ${JSON.stringify(FOLDER)})\nsys.dont_write_bytecode = True\nimport verify_bundle as v\ngiven = json.load(sys.stdin)\n${program}`
  const { status, stdout, stderr } = spawnSync('python3', ['-c', script], {
    input: JSON.stringify(input),
    encoding: 'utf8',
    maxBuffer: 1e8,
  })
  assert.is(status, 0, stderr)
  return JSON.parse(stdout) as T
}

type Case = { readonly bytes: Uint8Array; readonly root: string | null }

function verdicts(cases: readonly Case[]): unknown[] {
  const program = `import base64
print(json.dumps([v.verify(io.BytesIO(base64.b64decode(data)), root) for data, root in given]))`
  return ask(
    program,
    cases.map(({ bytes, root }) => [Buffer.from(bytes).toString('base64'), root?.replaceAll(' ', '') ?? null]),
  )
}

/** The same verdict, whatever the words. */
function bare(verdict: unknown): unknown {
  const { fault, ...rest } = structuredClone(verdict) as { fault?: { message?: string } }
  return { ...rest, fault: fault && { ...fault, message: undefined } }
}

function assertAgree(cases: readonly Case[], names: readonly string[]): void {
  const theirs = verdicts(cases)
  for (const [i, { bytes, root }] of cases.entries())
    assert.equal(bare(theirs[i]), bare(judge(bytes, root?.replaceAll(' ', '') ?? null)), names[i])
}

claim('second verifier: it agrees on what is good, down to the last count', () => {
  const bytes = utf8(GOOD.join(''))
  assertAgree(
    [
      { bytes, root: null },
      { bytes, root: FIVE.digest },
      { bytes, root: fingerprint(FIVE.digest) },
      { bytes: forkOfTwoSizes(), root: FIVE.digest },
      ...Object.values(EPOCH_BUNDLES).map((bytes) => ({ bytes, root: CLINICS.digest })),
    ],
    ['', '', '', '', ...Object.keys(EPOCH_BUNDLES)],
  )
})

claim(
  'second verifier: it names the same first wrong thing, at the same line, for every row of the fault table',
  () => {
    assertAgree(
      FAULTS,
      FAULTS.map(({ name }) => name),
    )
  },
)

claim('second verifier: it agrees on flipped bits, sealed anew or not', () => {
  const rng = Rng.from('second verifier', 'flips')
  const cases = Array.from({ length: FLIPS }, (_, i) => {
    const [lines, root] = i % 4 < 2 ? [GOOD, FIVE.digest] : [EPOCHS_GOOD, CLINICS.digest]
    const bytes = utf8(lines.join(''))
    const at = rng.below(bytes.length)
    bytes[at] = (bytes[at] as number) ^ (1 << rng.below(7))
    const text = Buffer.from(bytes).toString('latin1')
    return { bytes: i % 2 === 0 ? bytes : utf8(resealed(text.split(/(?<=\n)/)).join('')), root, at }
  })
  assertAgree(
    cases,
    cases.map(({ at }) => `byte ${at}`),
  )
})

claim('second verifier: it takes the same CBOR: every float of 16 bits, and mutants of all else', () => {
  const rng = Rng.from('second verifier', 'cbor')
  const seeds = [
    0,
    23,
    24,
    -1,
    2 ** 53 - 1,
    -(2 ** 53 - 1),
    1.5,
    0.1,
    1e300,
    2 ** -24,
    65_504.5,
    'ü',
    '\u{1f600}',
    null,
    true,
  ]
  const rich = encodeCbor({ a: seeds, bb: { c: utf8('bytes'), d: [[], {}, [[1], { e: 'f' }]] } })
  const rows: Uint8Array[] = Array.from({ length: 65_536 }, (_, i) => Uint8Array.of(0xf9, i >> 8, i & 255))
  for (const seed of [...seeds, 3.4028234663852886e38, 3.5e38, 2 ** 60, 5e-324, 1.17549435e-38])
    rows.push(encodeCbor(seed))
  for (let i = 0; i < MUTANTS; i++) {
    const mutant = rich.slice(0, rng.below(8) === 0 ? rng.below(rich.length) : rich.length)
    for (let n = rng.below(3); n >= 0 && mutant.length > 0; n--) mutant[rng.below(mutant.length)] = rng.below(256)
    rows.push(i % 4 === 0 ? Uint8Array.from({ length: 1 + rng.below(10) }, () => rng.below(256)) : mutant)
  }
  const program = `def takes(data):
    try:
        v.cbor(bytes.fromhex(data))
        return True
    except v.Wrong:
        return False
print(json.dumps([takes(data) for data in given]))`
  const theirs = ask<boolean[]>(program, rows.map(toHex))
  for (const [i, row] of rows.entries()) assert.is(theirs[i], refusal(() => decodeCbor(row)) === null, toHex(row))
  assert.ok(theirs.filter(Boolean).length > 1_000)
})

claim('second verifier: it takes the same Ed25519 signatures, at the edges too', () => {
  const rng = Rng.from('second verifier', 'ed25519')
  const random = (length: number) => Uint8Array.from({ length }, () => rng.below(256))
  const order = fromHex('edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010')
  const rows: [key: string, message: Uint8Array, signature: Uint8Array][] = []
  for (let i = 0; i < 30; i++) {
    const key = signingKey(random(32))
    const message = random(i)
    const signature = key.sign(message)
    rows.push([key.member, message, signature], [key.member, random(i + 1), signature])
    const flipped = signature.slice()
    flipped[rng.below(64)] = rng.below(256)
    rows.push([key.member, message, flipped], [toHex(random(32)), message, signature])
    rows.push([key.member, message, concat([signature.subarray(0, 32), order])])
  }
  for (const point of POINTS)
    for (const other of POINTS) rows.push([point, utf8('any'), concat([fromHex(other), new Uint8Array(32)])])
  const program = `print(json.dumps([v.signed(bytes.fromhex(k), bytes.fromhex(m), bytes.fromhex(s)) for k, m, s in given]))`
  const theirs = ask<boolean[]>(
    program,
    rows.map(([key, message, signature]) => [key, toHex(message), toHex(signature)]),
  )
  for (const [i, [key, message, signature]] of rows.entries())
    assert.is(theirs[i], verify(key as MemberId, message, signature), `${i}: ${key} ${toHex(signature)}`)
  assert.ok(theirs.filter(Boolean).length >= 30)
})

/** Points of small order, and encodings that are not canonical, with either sign. */
const POINTS = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
].flatMap((point) => [point, point.slice(0, 62) + (Number.parseInt(point.slice(62), 16) ^ 0x80).toString(16)])

claim('second verifier: as a command it ends with the same codes: 0 good, 3 not checked, 1 wrong', () => {
  const run = (bytes: Uint8Array | null, ...args: string[]) => {
    const file = join(home, 'a.bundle')
    if (bytes === null) rmSync(file, { force: true })
    else writeFileSync(file, bytes)
    const { status, stdout, stderr } = spawnSync('python3', [SCRIPT, file, ...args], { encoding: 'utf8' })
    return { status, stdout, stderr }
  }
  const bytes = utf8(GOOD.join(''))
  assert.is(run(bytes, '--root', fingerprint(FIVE.digest)).status, 0)
  assert.is(run(gzipSync(bytes), '--root', FIVE.digest).status, 0)
  assert.is(run(bytes).status, 3)
  assert.match(run(bytes).stdout, /consistent; identity not checked/)
  for (const [given, ...args] of [
    [bytes, '--root', 'ee5e'],
    [bytes, '--root', '0'.repeat(64)],
    [gzipSync(bytes).subarray(0, -9)],
    [new Uint8Array()],
    [null],
  ] as [Uint8Array | null, ...string[]][]) {
    const { status, stdout, stderr } = run(given, ...args)
    assert.equal([status, stdout], [1, ''], stderr)
    assert.match(stderr, /^[^\n]+\n$/)
  }
  assert.equal(JSON.parse(run(bytes, '--json', '--root', FIVE.digest).stdout), judge(bytes, FIVE.digest))
})

it('second verifier: it has at most 300 lines, of at most 120 characters', () => {
  const lines = readFileSync(SCRIPT, 'utf8').trimEnd().split('\n')
  assert.ok(lines.length <= 300, `${lines.length} lines`)
  assert.equal(
    lines.filter((line) => line.length > 120),
    [],
  )
})

it('second verifier: what was written for these tests is removed', () => rmSync(home, { recursive: true }))

it.run()

/** The key file of a person: what opens it, and that nothing else does. */
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { utf8 } from '../../src/core/bytes.ts'
import { verify } from '../../src/core/ed25519.ts'
import { ConsiliumError } from '../../src/core/errors.ts'
import { createPersonKey, readPersonKey } from '../../src/daemon/personKey.ts'

const it = suite('person key')
const WORDS = 'correct horse battery staple'
const SEALING = { passphrase: WORDS, costLog2: 10 } // a guess in a millisecond: for tests alone

async function inFolder(use: (path: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'consilium-person-'))
  try {
    await use(join(folder, 'ada.key'))
  } finally {
    await rm(folder, { recursive: true })
  }
}

const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'opened',
    (error: unknown) => {
      assert.instance(error, ConsiliumError, String(error))
      assert.not.match((error as Error).message, /\n|battery/)
      return (error as ConsiliumError).code
    },
  )

it('a key that was made is opened by its passphrase, is its owner’s alone, and signs as itself', () =>
  inFolder(async (path) => {
    const made = await createPersonKey(path, 'Dr. Ada Lind', SEALING)
    assert.is((await stat(path)).mode & 0o777, 0o600)
    const key = await readPersonKey(path, async () => WORDS)
    assert.is(key.member, made.member)
    assert.ok(verify(made.member, utf8('x'), key.sign(utf8('x'))))
    assert.is(await codeOf(createPersonKey(path, 'Dr. Ada Lind', SEALING)), 'file-exists')
  }))

it('a key file of the first version opens for good', () =>
  inFolder(async (path) => {
    const golden = new URL('../golden/person-key-v1.txt', import.meta.url)
    await writeFile(path, await readFile(golden), { mode: 0o600 })
    const key = await readPersonKey(path, async () => WORDS)
    assert.is(key.member, '7e43c546c3b932906879f8366db527777047ef7fa5d3bde24c543e80a1abe80d')
  }))

it('a passphrase is the same whichever way its letters were composed', () =>
  inFolder(async (path) => {
    await createPersonKey(path, 'Åsa', { ...SEALING, passphrase: 'Ångström och fjäll' })
    await readPersonKey(path, async () => 'A\u030angstro\u0308m och fja\u0308ll')
  }))

it('an open key needs no passphrase, and asks for none', () =>
  inFolder(async (path) => {
    const made = await createPersonKey(path, 'Bo', { passphrase: null })
    const key = await readPersonKey(path, () => Promise.reject(new Error('asked')))
    assert.is(key.member, made.member)
    const text = await readFile(path, 'utf8')
    await writeFile(path, text.replace(/seed .{8}/, 'seed 00000000'))
    assert.is(await codeOf(readPersonKey(path, async () => WORDS)), 'person-key')
  }))

/** Each row breaks one thing in the file. */
const FAULTS: readonly [what: string, alter: (text: string) => string, code: string][] = [
  ['another name', (text) => text.replace('Ada', 'Eve'), 'passphrase-wrong'],
  ['another key', (text) => text.replace(/key [0-9a-f]{64}/, `key ${'ab'.repeat(32)}`), 'passphrase-wrong'],
  ['a cheaper way to seal', (text) => text.replace('2^10', '2^11'), 'passphrase-wrong'],
  ['a way that takes all memory', (text) => text.replace('2^10', '2^30'), 'person-key'],
  ['another salt', (text) => text.replace(/8 1 ../, '8 1 00'), 'passphrase-wrong'],
  [
    'a digit of the seed',
    (text) => text.replace(/.\n$/, (end) => (end[0] === '0' ? '1\n' : '0\n')),
    'passphrase-wrong',
  ],
  ['less of it', (text) => text.slice(0, -9), 'person-key'],
  ['less of the seed', (text) => `${text.slice(0, -9)}\n`, 'person-key'],
  ['what seals it taken away', (text) => text.replace(/scrypt.*/, 'open'), 'person-key'],
  ['another version', (text) => text.replace('key v1', 'key v2'), 'person-key'],
  ['another file', () => 'consilium vault key v1\n', 'person-key'],
  ['nothing', () => '', 'person-key'],
]

for (const [what, alter, code] of FAULTS) {
  it(`a key file with ${what} does not open: ${code}`, () =>
    inFolder(async (path) => {
      await createPersonKey(path, 'Dr. Ada Lind', SEALING)
      const text = await readFile(path, 'utf8')
      assert.is.not(alter(text), text)
      await writeFile(path, alter(text))
      assert.is(await codeOf(readPersonKey(path, async () => WORDS)), code)
    }))
}

it('a wrong passphrase, a file that others may read, none at all and a short passphrase each have a line of their own', () =>
  inFolder(async (path) => {
    assert.is(await codeOf(readPersonKey(path, async () => WORDS)), 'file-missing')
    assert.is(await codeOf(createPersonKey(path, 'Ada', { ...SEALING, passphrase: 'battery' })), 'passphrase-short')
    assert.is(await codeOf(createPersonKey(path, ' Ada', SEALING)), 'bad-name')
    await createPersonKey(path, 'Ada', SEALING)
    assert.is(await codeOf(readPersonKey(path, async () => 'correct horse battery')), 'passphrase-wrong')
    await chmod(path, 0o640)
    assert.is(await codeOf(readPersonKey(path, async () => WORDS)), 'key-permissions')
  }))

it.run()

/** The vault on the disk: what it gives back, what it refuses, and what an erasure leaves. Real files. */
import { chmod, copyFile, mkdtemp, open, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { toHex, utf8 } from '../../src/core/bytes.ts'
import { sha256 } from '../../src/core/digest.ts'
import { VaultFile, type VaultPlace } from '../../src/store/vaultFile.ts'
import { golden } from '../ledger/goldenFile.ts'

const it = suite('vault file')

const RECORDS = ['one', 'patient Müller-Hagenbuch, record 40077', 'three'].map(utf8)

async function inFolder(use: (place: VaultPlace, folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'consilium-vault-'))
  try {
    await use({ path: join(folder, 'vault'), keyFile: join(folder, 'outside.key') }, folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function filled(place: VaultPlace): Promise<void> {
  const { vault } = await VaultFile.open(place)
  await vault.append(RECORDS.slice(0, 2))
  await vault.append(RECORDS.slice(2))
  await vault.close()
}

async function contents(place: VaultPlace): Promise<Uint8Array[]> {
  const { vault, records } = await VaultFile.open(place)
  await vault.close()
  return records
}

const refusedWith = async (code: string, act: () => Promise<unknown>): Promise<string> => {
  const error = await act().then(
    () => null,
    (error: unknown) => error as { code?: string; message: string },
  )
  assert.is(error?.code, code, error?.message ?? 'nothing was refused')
  return error?.message ?? ''
}

it('a disk that takes a few bytes at a time, as one that fills up does, loses none of a record', () =>
  inFolder(async (place, folder) => {
    const probe = await open(join(folder, 'probe'), 'w')
    const files = Object.getPrototypeOf(probe) as { write: (...given: unknown[]) => Promise<unknown> }
    await probe.close()
    const { write } = files
    files.write = function few(bytes, from, length, at) {
      return write.call(this, bytes, from, Math.min(7, length as number), at)
    }
    try {
      await filled(place)
    } finally {
      files.write = write
    }
    assert.equal(await contents(place), RECORDS)
  }))

it('gives back what was appended, in order, after each start', () =>
  inFolder(async (place) => {
    await filled(place)
    assert.equal(await contents(place), RECORDS)
    const { vault } = await VaultFile.open(place)
    await vault.append([utf8('four')])
    await vault.close()
    assert.equal(await contents(place), [...RECORDS, utf8('four')])
  }))

it('no byte of a record is on the disk, and only the owner may read vault and key', () =>
  inFolder(async (place, folder) => {
    await filled(place)
    for (const name of await readdir(folder)) {
      const bytes = await readFile(join(folder, name))
      assert.is(bytes.includes('Hagenbuch') || bytes.includes('40077'), false, name)
      assert.is((await stat(join(folder, name))).mode & 0o077, 0, name)
    }
  }))

it('its bytes are frozen: header, then each record sealed at its place', () =>
  inFolder(async (place) => {
    let calls = 0
    const chance = (bytes: number): Uint8Array => sha256(utf8(`chance ${calls++}`)).slice(0, bytes)
    await filled({ ...place, chance })
    const made = new Uint8Array(await readFile(place.path))
    const kept = golden('vault-v1.bin', made)
    assert.is(toHex(made), toHex(kept))
    const key = await readFile(place.keyFile, 'latin1')
    assert.is(key, `consilium vault key v1\n${toHex(sha256(utf8('chance 0')))}\n`)
  }))

it('any bit that differs is refused, and so are records that were swapped, repeated or taken from another vault', () =>
  inFolder(async (place) => {
    await filled(place)
    const bytes = await readFile(place.path)
    for (let at = 0; at < bytes.length; at++) {
      const wrong = Buffer.from(bytes)
      wrong[at] = (wrong[at] as number) ^ (1 << (at % 8))
      await writeFile(place.path, wrong)
      const found = await contents(place).catch((error: { code?: string }) => error.code)
      assert.ok(['vault-damaged', 'vault-key-wrong', 'vault-newer'].includes(String(found)), `byte ${at}: ${found}`)
    }
    const cuts = framesOf(bytes)
    const [a, b, c] = cuts as [Buffer, Buffer, Buffer]
    const header = bytes.subarray(0, 84)
    for (const frames of [
      [b, a, c],
      [a, a, b],
      [b, c],
    ]) {
      await writeFile(place.path, Buffer.concat([header, ...frames]))
      await refusedWith('vault-damaged', () => contents(place))
    }
  }))

it('a record that a stop cut short is dropped, and the next takes its place', () =>
  inFolder(async (place) => {
    await filled(place)
    const bytes = await readFile(place.path)
    for (const cut of [1, 20, 30]) {
      await writeFile(place.path, bytes.subarray(0, bytes.length - cut))
      const { vault, records } = await VaultFile.open(place)
      assert.equal(records, RECORDS.slice(0, 2))
      await vault.append([utf8('again')])
      await vault.close()
      assert.equal(await contents(place), [...RECORDS.slice(0, 2), utf8('again')])
    }
  }))

it('a missing, wrong, broken or open key is told apart, and none is made where a vault is', () =>
  inFolder(async (place, folder) => {
    await filled(place)
    const away = join(folder, 'away')
    await copyFile(place.keyFile, away)
    await rm(place.keyFile)
    assert.match(await refusedWith('vault-key-missing', () => contents(place)), /put the file back/)
    await writeFile(place.keyFile, `consilium vault key v1\n${'7'.repeat(64)}\n`, { mode: 0o600 })
    await refusedWith('vault-key-wrong', () => contents(place))
    await writeFile(place.keyFile, 'something else\n', { mode: 0o600 })
    await refusedWith('vault-key-malformed', () => contents(place))
    await copyFile(away, place.keyFile)
    await chmod(place.keyFile, 0o640)
    assert.match(await refusedWith('key-permissions', () => contents(place)), /mode 0640/)
    await chmod(place.keyFile, 0o600)
    assert.equal(await contents(place), RECORDS)
  }))

it('after a rewrite no old copy of the vault opens with the key that is left, and what was left out is nowhere', () =>
  inFolder(async (place, folder) => {
    await filled(place)
    const backup = join(folder, 'backup')
    await copyFile(place.path, backup)
    const before = await readFile(place.keyFile, 'latin1')
    const { vault } = await VaultFile.open(place)
    await vault.rewrite([RECORDS[0] as Uint8Array, RECORDS[2] as Uint8Array])
    await vault.append([utf8('four')])
    await vault.close()
    const kept = [RECORDS[0], RECORDS[2], utf8('four')]
    assert.equal(await contents(place), kept)
    await refusedWith('vault-key-wrong', () => contents({ ...place, path: backup }))
    const after = await readFile(place.keyFile, 'latin1')
    assert.not.match(after, new RegExp(before.split('\n')[1] as string))
    for (const name of await readdir(folder)) assert.is(name.endsWith('.new'), false, name)
  }))

it('a stop in the middle of a rewrite leaves a vault that opens, old or new, and one secret', () =>
  inFolder(async (place) => {
    await filled(place)
    const [oldVault, oldKey] = [await readFile(place.path), await readFile(place.keyFile, 'latin1')]
    const { vault } = await VaultFile.open(place)
    await vault.rewrite([utf8('left')])
    await vault.close()
    const [newVault, newKey] = [await readFile(place.path), await readFile(place.keyFile, 'latin1')]
    const both = oldKey + newKey.split('\n').slice(1).join('\n')
    for (const [bytes, records, key] of [
      [oldVault, RECORDS, oldKey], // the secret had joined, and the new vault not yet its name
      [newVault, [utf8('left')], newKey], // the old secret was still there
    ] as const) {
      await writeFile(place.keyFile, both)
      await writeFile(place.path, bytes)
      assert.equal(await contents(place), records)
      assert.is(await readFile(place.keyFile, 'latin1'), key)
    }
  }))

function framesOf(bytes: Buffer): Buffer[] {
  const frames: Buffer[] = []
  for (let at = 84; at < bytes.length; ) {
    const end = at + 20 + bytes.readUInt32BE(at)
    frames.push(bytes.subarray(at, end))
    at = end
  }
  return frames
}

it.run()

/** The keys of a data folder on the disk: sealed by init, sealed anew, rotated, lost. Real files, no daemon. */
import { chmod, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { utf8 } from '../../src/core/bytes.ts'
import { keyFindings, rotateKeys, sealKeys, showKeys } from '../../src/daemon/folderKeys.ts'
import { initHome, readConfig } from '../../src/daemon/home.ts'
import { homePaths } from '../../src/daemon/homePaths.ts'
import { readDataKey, readMemberKey } from '../../src/daemon/memberKey.ts'
import { openerOf } from '../../src/daemon/opener.ts'
import { type KeySecrets, readKeyFile } from '../../src/store/keyFile.ts'
import { VaultFile } from '../../src/store/vaultFile.ts'

const it = suite('keys of a folder')

const PLAIN = `-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIB8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8f
-----END PRIVATE KEY-----
`
const NAMED = { name: 'Dan', port: 0, announce: [] }

async function inFolder(use: (home: string, folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'consilium-keys-'))
  try {
    await use(join(folder, 'home'), folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function keysIn(home: string): Promise<string[]> {
  const paths = homePaths(home)
  const config = await readConfig(paths)
  const opening = () => openerOf({ config, paths })
  const data = await readDataKey(paths.dataKey, opening)
  return [(await readMemberKey(paths.key, opening)).id, Buffer.from(data ?? []).toString('hex')]
}

const finding = async (home: string) => {
  const paths = homePaths(home)
  return (await keyFindings({ paths, config: await readConfig(paths) }))[0]
}
const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'done',
    (error: { code?: string }) => error.code ?? String(error),
  )

/** An old folder: its key plain, no data key, and a key file that opens the vault alone. */
async function older(home: string): Promise<void> {
  const { paths } = await initHome(home, NAMED, [])
  await writeFile(paths.key, PLAIN)
  await rm(paths.dataKey)
  const { vault } = (await readKeyFile(paths.vaultKey)) as KeySecrets
  await writeFile(paths.vaultKey, `consilium vault key v1\n${Buffer.from(vault[0] as Uint8Array).toString('hex')}\n`)
}

it('init seals both keys; no byte of either, and none of the key file, is in the folder', () =>
  inFolder(async (home) => {
    const { key, paths } = await initHome(home, NAMED, [])
    const [, data] = await keysIn(home)
    const secrets = (await readKeyFile(paths.vaultKey)) as KeySecrets
    const hidden = [key.seed, Buffer.from(data as string, 'hex'), ...secrets.node, ...secrets.vault]
    const texts = hidden.flatMap((one) => [
      Buffer.from(one),
      ...['hex', 'base64'].map((as) => Buffer.from(Buffer.from(one).toString(as as 'hex'))),
    ])
    const files = await readdir(home)
    assert.ok(files.length >= 5)
    for (const name of files) {
      const bytes = await readFile(join(home, name))
      assert.not.ok(
        texts.some((text) => bytes.includes(text)),
        name,
      )
    }
    assert.equal((await showKeys(home)).memberKey.sealed, 'key-file')
    assert.is((await finding(home))?.ok, true)
  }))

it('a folder of an older version is read, found fault with, and sealed without losing the key', () =>
  inFolder(async (home) => {
    await older(home)
    const paths = homePaths(home)
    const before = await readMemberKey(paths.key, () => assert.unreachable('a plain key asks nobody') as never)
    assert.match((await finding(home))?.text ?? '', /keys seal/)
    assert.is((await finding(home))?.ok, false)
    const report = await sealKeys(home, 'as-configured')
    assert.equal([report.memberKey.sealed, report.dataKey.sealed], ['key-file', 'key-file'])
    assert.is((await keysIn(home))[0], before.id)
    assert.not.ok((await readFile(paths.key, 'utf8')).includes('PRIVATE KEY'))
    assert.is((await finding(home))?.ok, true)
  }))

it('a passphrase opens what was sealed under it, the key file does not, and back', () =>
  inFolder(async (home, folder) => {
    const phrase = join(folder, 'phrase')
    await writeFile(phrase, 'correct horse battery\n', { mode: 0o600 })
    const { paths } = await initHome(home, { ...NAMED, passphraseFile: phrase }, [])
    const keys = await keysIn(home)
    await writeFile(phrase, 'short\n')
    assert.is(await codeOf(keysIn(home)), 'passphrase-short')
    await chmod(phrase, 0o644)
    assert.is(await codeOf(keysIn(home)), 'key-permissions')
    await chmod(phrase, 0o600)
    await writeFile(phrase, 'correct horse battery\n')
    await sealKeys(home, 'key-file')
    assert.is(await codeOf(keysIn(home)), 'passphrase-not-needed', 'config.yaml says something else now')
    const text = await readFile(paths.config, 'utf8')
    await writeFile(paths.config, text.replace(/passphraseFile: .*/, 'passphraseFile: null'))
    assert.equal(await keysIn(home), keys)
    assert.is(
      await codeOf(initHome(join(folder, 'b'), { ...NAMED, passphraseFile: join(folder, 'b', 'x') }, [])),
      'passphrase-inside',
    )
  }))

it('a vault goes on under a new key: its key file lies where the new folder looks before init, which keeps it', () =>
  inFolder(async (home, folder) => {
    const { paths: old } = await initHome(home, NAMED, [])
    const { vault } = await VaultFile.open({ path: old.vault, keyFile: old.vaultKey })
    await vault.append([utf8('a patient')])
    await vault.close()
    const saved = await Promise.all([old.vault, old.vaultKey].map((path) => readFile(path)))
    const lay = async (path: string, bytes: Buffer): Promise<void> => writeFile(path, bytes, { mode: 0o600 })
    const next = homePaths(join(folder, 'next'))
    await lay(next.vaultKey, saved[1] as Buffer)
    await initHome(next.folder, NAMED, [])
    await lay(next.vault, saved[0] as Buffer)
    assert.not.equal(await keysIn(next.folder), await keysIn(home))
    const opened = await VaultFile.open({ path: next.vault, keyFile: next.vaultKey })
    assert.equal(opened.records, [utf8('a patient')])
    await opened.vault.close()
    const late = await initHome(join(folder, 'late'), NAMED, [])
    await lay(late.paths.vaultKey, saved[1] as Buffer)
    assert.is(
      await codeOf(keysIn(late.paths.folder)),
      'node-key-wrong',
      'laid there after init, it locks the new key out',
    )
  }))

it('a rotation leaves the keys as they were, and what was copied before opens no more with the new key file', () =>
  inFolder(async (home, folder) => {
    const { paths } = await initHome(home, NAMED, [])
    const { vault } = await VaultFile.open({ path: paths.vault, keyFile: paths.vaultKey })
    await vault.append([utf8('a patient')])
    await vault.close()
    const keys = await keysIn(home)
    const copies = await Promise.all([paths.key, paths.vault].map((path) => readFile(path)))
    await rotateKeys(home)
    assert.equal(await keysIn(home), keys)
    const opened = await VaultFile.open({ path: paths.vault, keyFile: paths.vaultKey })
    assert.equal(opened.records, [utf8('a patient')])
    await opened.vault.close()
    await writeFile(paths.key, copies[0] as Buffer)
    assert.is(await codeOf(keysIn(home)), 'node-key-wrong')
    await writeFile(join(folder, 'old'), copies[1] as Buffer)
    assert.is(await codeOf(VaultFile.open({ path: join(folder, 'old'), keyFile: paths.vaultKey })), 'vault-key-wrong')
  }))

it('a rotation that was stopped anywhere leaves a folder that opens, and the next one ends it', () =>
  inFolder(async (home) => {
    const { paths } = await initHome(home, NAMED, [])
    const keys = await keysIn(home)
    const before = await readFile(paths.vaultKey, 'latin1')
    const old = { key: await readFile(paths.key), data: await readFile(paths.dataKey) }
    await rotateKeys(home)
    const fresh = { key: await readFile(paths.key), data: await readFile(paths.dataKey) }
    const [secret] = /node [0-9a-f]{64}\n/.exec(await readFile(paths.vaultKey, 'latin1')) as unknown as [string]
    const both = before.replace(/(node [0-9a-f]{64}\n)/, `$1${secret}`)
    for (const [key, data] of [
      [old.key, old.data],
      [fresh.key, old.data],
      [old.key, fresh.data],
      [fresh.key, fresh.data],
    ] as const) {
      await writeFile(paths.vaultKey, both)
      await writeFile(paths.key, key)
      await writeFile(paths.dataKey, data)
      assert.equal(await keysIn(home), keys)
      await rotateKeys(home)
      assert.equal(await keysIn(home), keys)
      assert.is((await readKeyFile(paths.vaultKey))?.node.length, 1)
      await writeFile(paths.key, old.key)
      assert.is(await codeOf(keysIn(home)), 'node-key-wrong', 'the old secret is gone')
    }
  }))

it('a key file that is gone, open to others or of another folder is told apart, each with what to do', () =>
  inFolder(async (home, folder) => {
    const { paths } = await initHome(home, NAMED, [])
    await chmod(paths.vaultKey, 0o640)
    assert.is(await codeOf(keysIn(home)), 'key-permissions')
    assert.match((await finding(home))?.text ?? '', /chmod 600/)
    await chmod(paths.vaultKey, 0o600)
    await rename(paths.vaultKey, join(folder, 'away'))
    assert.is(await codeOf(keysIn(home)), 'key-file-missing')
    assert.match((await finding(home))?.text ?? '', /put it back/)
    const other = await initHome(join(folder, 'other'), NAMED, [])
    await rename(other.paths.vaultKey, paths.vaultKey)
    assert.is(await codeOf(keysIn(home)), 'node-key-wrong')
    await writeFile(paths.vaultKey, 'consilium keys v3\nnode 00\n')
    assert.match(await keysIn(home).then(String, (error: Error) => error.message), /newer version/)
  }))

it.run()

/** What a backup brings back of a folder: everything but what opens it. Real files, no daemon. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { rotateKeys } from '../../src/daemon/folderKeys.ts'
import { initHome } from '../../src/daemon/home.ts'
import { homePaths } from '../../src/daemon/homePaths.ts'
import { restoreBackup } from '../../src/daemon/restore.ts'
import { rowParts, writeBackup } from '../../src/store/backupFile.ts'
import { VaultFile } from '../../src/store/vaultFile.ts'

const it = suite('backup')

async function inFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'consilium-backup-'))
  try {
    await use(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function* nothing(): AsyncIterable<[Uint8Array, Uint8Array]> {}

it('names of people and registered tables come back; a file of any other name, and of a place above, does not', () =>
  inFolder(async (folder) => {
    const { paths, key } = await initHome(join(folder, 'home'), { name: 'Dan', port: 0, announce: [] }, [])
    const names = ['people', 'datasets/stroke-2026/12', 'datasets/../../12', 'datasets/a/b/1', 'datasets/a/0', 'other']
    const parts = async function* () {
      yield { type: 'about' as const, about: { software: '0', member: key.id, timeMs: 7 } }
      yield* rowParts(nothing())
      yield { type: 'file' as const, name: 'config.yaml', bytes: new Uint8Array(await readFile(paths.config)) }
      for (const name of names) yield { type: 'file' as const, name, bytes: Buffer.from(name) }
    }
    const pieces: Uint8Array[] = []
    for await (const piece of writeBackup(parts())) pieces.push(Buffer.from(piece))
    await writeFile(join(folder, 'backup'), Buffer.concat(pieces))
    await restoreBackup(join(folder, 'backup'), join(folder, 'new'))
    const back = await Promise.all(
      names.map((name) =>
        readFile(join(folder, 'new', name), 'latin1').then(
          (text) => text === name,
          () => false,
        ),
      ),
    )
    assert.equal(back, [true, true, false, false, false, false])
  }))

it('rotating the keys renews what the names of people lie under, and loses none', () =>
  inFolder(async (folder) => {
    const home = join(folder, 'home')
    await initHome(home, { name: 'Dan', port: 0, announce: [] }, [])
    const { people, vaultKey } = homePaths(home)
    const place = { path: people, keyFile: `${vaultKey}-people` }
    const { vault } = await VaultFile.open(place)
    await vault.append([Buffer.from('Ada')])
    await vault.close()
    const [before, key] = [await readFile(people), await readFile(place.keyFile)]
    await rotateKeys(home)
    assert.not.equal(await readFile(people), before)
    assert.not.equal(await readFile(place.keyFile), key)
    const { vault: after, records } = await VaultFile.open(place)
    await after.close()
    assert.equal(records.map(String), ['65,100,97'])
  }))

it.run()

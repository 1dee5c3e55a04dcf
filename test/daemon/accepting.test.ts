/** Which consortium file a data folder takes, and in the place of which. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ConsiliumError } from '../../src/core/errors.ts'
import { writeConsortium } from '../../src/daemon/consortiumFile.ts'
import { acceptConsortium, initHome, openHome } from '../../src/daemon/home.ts'
import { homePaths } from '../../src/daemon/homePaths.ts'
import { Membership } from '../../src/ledger/epoch.ts'
import type { Founding } from '../../src/ledger/founding.ts'
import { ADA, BEN, CLEO, EVE, FAY, membersOf, type Person, recordOf } from './epochKit.ts'

const it = suite('accepting')
const FOUNDERS = [ADA, BEN, CLEO]

/** A data folder of a new key, among the founders or not, and the files of three epochs: Eve comes, then Fay. */
async function inHome(
  use: (home: string, files: readonly [string, string, string], person: Person) => Promise<void>,
  founds = true,
) {
  const folder = await mkdtemp(join(tmpdir(), 'consilium-accepting-'))
  try {
    const home = join(folder, 'home')
    const { key } = await initHome(home, { name: 'Dan', port: 0, announce: [] }, [])
    const dan: Person = { name: 'Dan', key: key.signing }
    const people = founds ? [...FOUNDERS, dan] : FOUNDERS
    const founding: Founding = { name: 'Clinics', members: membersOf(people) }
    const membership = new Membership(founding)
    const files: string[] = []
    for (const more of [[EVE], [EVE, FAY], null]) {
      const file = join(folder, `epoch${files.length}.yaml`)
      await writeFile(file, writeConsortium('Clinics', membership, new Map()))
      files.push(file)
      const all = [...people, ...(more ?? [])]
      if (more !== null) membership.add(recordOf(membership.current, all, [], all))
    }
    await use(home, files as [string, string, string], dan)
  } finally {
    await rm(folder, { recursive: true })
  }
}

const codeOf = async (work: Promise<unknown>): Promise<string | null> =>
  work.then(
    () => null,
    (error: unknown) => (error instanceof ConsiliumError ? error.code : String(error)),
  )

it('a newer file takes the place of an older one, and no older one that of a newer', () =>
  inHome(async (home, [founded, first, second]) => {
    const epoch = async () => (await openHome(home)).membership.current.number
    await acceptConsortium(home, founded)
    await acceptConsortium(home, first)
    assert.is(await codeOf(acceptConsortium(home, founded)), 'consortium-older')
    assert.is(await epoch(), 1)
    await acceptConsortium(home, second)
    await acceptConsortium(home, second)
    for (const file of [founded, first]) assert.is(await codeOf(acceptConsortium(home, file)), 'consortium-older')
    assert.is(await epoch(), 2)
  }))

it('a file in the folder that cannot be read gives way to any of the same consortium', () =>
  inHome(async (home, [founded, , second]) => {
    await acceptConsortium(home, second)
    const { consortium } = homePaths(home)
    await writeFile(consortium, (await readFile(consortium, 'utf8')).slice(0, 200))
    assert.is(await codeOf(openHome(home)).then((code) => code?.startsWith('consortium-')), true)
    assert.is(await codeOf(acceptConsortium(home, founded)), null)
  }))

it('who is no member joins by its own word, and starts as one that waits', () =>
  inHome(async (home, [founded, first]) => {
    assert.is(await codeOf(acceptConsortium(home, founded)), 'consortium-not-member')
    assert.is(await codeOf(acceptConsortium(home, founded, true)), null)
    const { membership, key } = await openHome(home)
    assert.equal([membership.current.number, membership.roll.isAuthor(key.id)], [0, false])
    assert.is(await codeOf(acceptConsortium(home, first, true)), null)
  }, false))

it.run()

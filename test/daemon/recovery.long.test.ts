/** A node that has lost what it signed, or goes on from an old copy of its folder, fetches its log back and signs no second history. */
import { rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Level } from 'level'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { openHome } from '../../src/daemon/home.ts'
import { numberKey, shortAuthor, TABLE } from '../../src/store/records.ts'
import { bind, consilium, inFolder, patients, signing, until } from './kit.ts'
import { checkHistory, roundOf, sizeOf, training } from './recoveryKit.ts'

const it = suite('recovery')

it('a node whose database is gone fetches all logs back, its own too, and goes on after what it had signed', () =>
  inFolder(async (folder, nodes) => {
    const [one, two, three] = await training(folder, nodes)
    await one.end('SIGTERM')
    const signed = await sizeOf(two, 'one')
    await rm(join(one.home, 'database'), { recursive: true })
    await one.start()
    await signing([one])
    assert.ok((await sizeOf(one, 'one')) >= signed)
    const study = (await two.status())?.studies[0]?.id as string
    await until(20_000, 'the study to be known again', async () => ((await one.status())?.studies.length ?? 0) === 1)
    await bind(folder, one, study, patients(60, 0)) // the binding was in the database
    const before = await roundOf(two)
    await until(30_000, 'training to go on', async () => (await roundOf(one)) > before)
    await until(10_000, 'the others to hear of it', async () => (await sizeOf(three, 'one')) > signed + 4)
    await checkHistory(one, [two, three])
  }))

for (const whose of ['one', 'two'] as const)
  it(`a start that finds ${whose === 'one' ? 'its own log' : 'the log of another'} damaged says what to do, and with that goes on as if nothing had been`, () =>
    inFolder(async (folder, nodes) => {
      const [one, two, three] = await training(folder, nodes)
      await one.end('SIGTERM')
      const signed = await sizeOf(two, 'one')
      const database = join(one.home, 'database')
      const author = (await openHome(join(folder, whose))).key.id
      const db = new Level<Uint8Array, Uint8Array>(database, { keyEncoding: 'view', valueEncoding: 'view' })
      await db.del(numberKey(TABLE.entry, shortAuthor(author), 5)) // after five rounds among the newest 256
      await db.close()
      const refused = await consilium(['start', '--home', one.home])
      assert.is(refused.code, 1)
      assert.match(refused.err, /entry \d+ of \d+ is missing.*move database\/ out of the data folder/)
      await rename(database, join(folder, 'moved-away')) // as the message says, with heads.pin left where it is
      await one.start()
      await signing([one])
      assert.ok((await sizeOf(one, 'one')) >= signed, 'all that was signed is back before anything is signed')
      const study = (await two.status())?.studies[0]?.id as string
      await until(20_000, 'the study to be known again', async () => ((await one.status())?.studies.length ?? 0) === 1)
      await bind(folder, one, study, patients(60, 0))
      const before = await roundOf(two)
      await until(30_000, 'training to go on', async () => (await roundOf(one)) > before)
      await until(10_000, 'the others to hear of it', async () => (await sizeOf(three, 'one')) > signed + 4)
      await checkHistory(one, [two, three])
    }))

it('a node that hears nobody signs nothing, says why, and stops cleanly', () =>
  inFolder(async (folder, nodes) => {
    const [one, two, three] = await training(folder, nodes)
    for (const node of [two, three]) await node.end('SIGTERM')
    await one.end('SIGTERM')
    await one.start()
    const size = await sizeOf(one, 'one')
    const fence = (await one.status())?.fence
    assert.equal([fence?.answered, fence?.needed, fence?.stored], [0, 1, size])
    const paused = await consilium(['study', 'pause', 'Test study', '--home', one.home])
    assert.is(paused.code, 1)
    assert.match(paused.err, /^consilium: .*may not sign yet.*doctor/)
    const doctor = await consilium(['doctor', '--home', one.home])
    assert.match(doctor.out, /LOOK {2}signing .*0 of 1 other members/)
    assert.match((await consilium(['status', '--home', one.home])).out, /not signing yet: 0 of 1/)
    assert.is(await one.end('SIGTERM'), 0)
    await one.start()
    assert.is(await sizeOf(one, 'one'), size, 'neither the start nor the stop was signed')
    await two.start()
    await signing([one, two])
  }))

it.run()

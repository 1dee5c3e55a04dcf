/** The book of names: what the log calls people means somebody here alone, and nobody once they are forgotten. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { toHex, utf8 } from '../../src/core/bytes.ts'
import { sha256 } from '../../src/core/digest.ts'
import type { Digest } from '../../src/core/ids.ts'
import { exists } from '../../src/daemon/files.ts'
import { PeopleBook } from '../../src/daemon/peopleBook.ts'
import { personCommitment } from '../../src/governance/signOff.ts'
import { personKey } from '../governance/peopleKit.ts'

const it = suite('people book')
const SALT = sha256(utf8('salt'))

async function inFolder(use: (open: () => PeopleBook, path: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'consilium-book-'))
  const path = join(folder, 'people')
  const books: PeopleBook[] = []
  const open = (): PeopleBook => {
    const book = new PeopleBook(
      () => ({ path, keyFile: join(folder, 'key') }),
      () => exists(path),
    )
    books.push(book)
    return book
  }
  try {
    await use(open, path)
  } finally {
    await Promise.all(books.map((book) => book.close()))
    await rm(folder, { recursive: true })
  }
}

it('asking for names makes no file; a name that was written down is there at the next start, and nowhere in the clear', () =>
  inFolder(async (open, path) => {
    assert.is((await open().names()).size, 0)
    assert.not.ok(await exists(path))
    const { member } = personKey('ada')
    const person = await open().write('Dr. Ada Lind', member, SALT)
    assert.equal(person, personCommitment(SALT, 'Dr. Ada Lind', member))
    assert.is((await open().names()).get(toHex(person) as Digest), 'Dr. Ada Lind')
    assert.is((await readFile(path)).indexOf('Lind'), -1)
  }))

it('who is forgotten is in no copy of the book that still opens', () =>
  inFolder(async (open, path) => {
    const book = open()
    const [ada, bo] = [
      await book.write('Dr. Ada Lind', personKey('ada').member, SALT),
      await book.write('Bo Ek', personKey('bo').member, SALT),
    ].map((person) => toHex(person) as Digest) as [Digest, Digest]
    const before = await readFile(path)
    assert.is(await book.forget([ada]), 1)
    assert.is(await book.forget([ada]), 0)
    assert.equal([...(await open().names())], [[bo, 'Bo Ek']])
    await writeFile(path, before) // an old backup: its key was destroyed
    assert.is((await open().names()).size, 0)
  }))

it('with the key lost nobody is named, and nothing else fails', () =>
  inFolder(async (open, path) => {
    await open().write('Dr. Ada Lind', personKey('ada').member, SALT)
    await rm(join(path, '..', 'key'))
    assert.is((await open().names()).size, 0)
  }))

it.run()

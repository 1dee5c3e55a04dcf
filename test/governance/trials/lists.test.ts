/** Lists that were made known: each is drawn again once, however often that is said, and found the same in whatever order logs came. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Cbor } from '../../../src/core/cbor.ts'
import { examineTrial } from '../../../src/governance/trials/findings.ts'
import { verifying } from '../../../src/governance/trials/listFindings.ts'
import { trialsHash } from '../../../src/governance/trials/state.ts'
import { ALL, begun, NORTH, SOUTH, type Told, tagOf, WEST } from './kit.ts'

const it = suite('trial lists')

it('a list that is not what was declared is drawn again once, however often its seed is told and it is looked at', () => {
  const { story, lists } = begun()
  const root = new Uint8Array([...tagOf('another'), ...tagOf('root')])
  const wrong = story.add(WEST, 'trial.list', { ...(lists.north.body as object), root } as unknown as Cbor)
  for (let i = 0; i < 20; i++) story.unseal(WEST, wrong, `list of ${NORTH}`)
  const book = story.book()
  const record = story.record(book)
  let draws = 0
  const counted = (bytes: Uint8Array): Uint8Array => {
    draws++ // a root is compared when the list is drawn, and no sooner
    return bytes
  }
  const word = record.voices.get(WEST)?.of('trial.list')[2]
  Object.defineProperty(word?.body, 'root', { get: () => counted(root) })
  assert.equal([...verifying(record)], [6])
  assert.equal([...verifying(record)], [])
  const found = [0, 1].map(
    () => examineTrial(book, record, ALL).filter(({ code }) => code === 'unsealing-wrong').length,
  )
  assert.equal([draws, ...found], [1, 4, 4])
})

it('what another says of a list is found, whether it came before or after the word of who drew it', () => {
  const { story, lists } = begun()
  story.unseal(WEST, lists.north, `list of ${NORTH}`)
  story.unseal(SOUTH, lists.north, `list of ${NORTH}`)
  const first = (one: Told): number => (one.author === SOUTH ? 0 : 1)
  const books = [story.entries, [...story.entries].sort((a, b) => first(a) - first(b))].map((all) => story.book(all))
  for (const book of books) {
    const found = examineTrial(book, story.record(book), ALL).filter(({ code }) => code !== 'not-signed-for')
    assert.equal(
      found.map(({ code, place }) => `${code} ${place.author}`),
      [`unsealing-wrong ${SOUTH}`],
    )
  }
  const [one, other] = books.map((book) => trialsHash(book, ALL))
  assert.is(one, other)
})

it('openings and allocations are verified once too, each at the cost of a path', () => {
  const { story, lists, rests } = begun()
  story.allocate(story.enrol(NORTH, 'P', lists.north, 0, rests.north), `list of ${NORTH}`)
  story.open(NORTH, lists.north, `list of ${NORTH}`, 0)
  story.unseal(WEST, lists.south, `list of ${SOUTH}`)
  const record = story.record()
  assert.equal([...verifying(record)], [1, 1, 6])
  assert.equal([...verifying(record)], [])
})

it.run()

/** Others' entries end before this node's own do. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Room } from '../../src/daemon/room.ts'
import { refusal } from '../core/refusal.ts'

const it = suite('room')
const MB = 1_000_000
const codeOf = async (work: Promise<void>): Promise<string | null> => {
  const error = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  )
  return refusal(() => {
    if (error !== null) throw error
  })
}

it('the reserve is 268 MB, of a small disk a twentieth', async () => {
  const room = (free: number, total: number) => new Room('/data', async () => ({ free, total }))
  assert.is(await codeOf(room(300 * MB, 100_000 * MB).require(MB)), null)
  assert.is(await codeOf(room(260 * MB, 100_000 * MB).require(MB)), 'disk-low')
  assert.is(await codeOf(room(60 * MB, 1_000 * MB).require(MB)), null)
  assert.is(await codeOf(room(49 * MB, 1_000 * MB).require(MB)), 'disk-low')
})

it('what was let in counts until the next look, five seconds later', async () => {
  let [now, looks] = [0, 0]
  const measure = async () => {
    looks++
    return { free: 300 * MB, total: 100_000 * MB }
  }
  const room = new Room('/data', measure, () => now)
  for (let i = 0; i < 30; i++) assert.is(await codeOf(room.require(MB)), null)
  assert.is(await codeOf(room.require(2 * MB)), 'disk-low')
  assert.is(looks, 1)
  now = 5_000
  assert.is(await codeOf(room.require(2 * MB)), null)
  assert.is(looks, 2)
})

it.run()

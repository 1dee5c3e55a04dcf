/** Files that are written piece by piece. */
import { PassThrough } from 'node:stream'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { drained } from '../../src/daemon/files.ts'

const it = suite('files')

it('who waits for a slow reader again and again leaves no listener behind, and waits no longer when the reader is gone', async () => {
  const out = new PassThrough()
  const before = out.eventNames().map((name) => [name, out.listenerCount(name)])
  for (let i = 0; i < 30; i++) {
    out.write('x'.repeat(100_000))
    const waiting = drained(out)
    out.read()
    await waiting
  }
  assert.equal(
    out.eventNames().map((name) => [name, out.listenerCount(name)]),
    before,
  )
  out.write('x'.repeat(100_000))
  const waiting = drained(out)
  out.destroy()
  await waiting
  await drained(out)
})

it('a reader that fails is an error of who waits for it', async () => {
  const out = new PassThrough()
  out.write('x'.repeat(100_000))
  const waiting = drained(out)
  out.destroy(new Error('the disk is full'))
  const message = await waiting.then(
    () => 'nothing',
    (error: Error) => error.message,
  )
  assert.is(message, 'the disk is full')
})

it.run()

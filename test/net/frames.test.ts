/** Frames over a stream that a test plays by hand: cut, trickled, too large. */

import type { Stream } from '@libp2p/interface'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { FrameStream } from '../../src/net/frames.ts'
import { codeOf } from './kit.ts'

const it = suite('frames')
const IDLE_MS = 60

/** What FrameStream uses of a libp2p stream; `push` plays the other side. */
class HandStream extends EventTarget {
  status = 'open'
  readStatus = 'readable'
  readableEnded = false
  aborted: Error | null = null
  push(...bytes: number[]): void {
    this.give(Uint8Array.from(bytes))
  }
  give(data: Uint8Array): void {
    this.dispatchEvent(Object.assign(new Event('message'), { data }))
  }
  abort(error: Error): void {
    this.status = 'aborted'
    this.aborted ??= error
    this.dispatchEvent(new Event('close'))
  }
}

/** With the order of libp2p's `resume`: what was held is delivered first, then the other side is told to go on. */
class HoldingStream extends HandStream {
  othersMaySend = true
  readonly #held: Uint8Array[] = []
  override give(data: Uint8Array): void {
    if (this.readStatus === 'readable') super.give(data)
    else this.#held.push(data)
  }
  pause(): void {
    this.readStatus = 'paused'
    this.othersMaySend = false
  }
  resume(): void {
    this.readStatus = 'readable'
    for (const data of this.#held.splice(0)) super.give(data)
    this.othersMaySend = true
  }
}

function framesOn(stream: HandStream): FrameStream {
  return new FrameStream(stream as unknown as Stream, IDLE_MS, new AbortController().signal)
}

it('a frame may come in any pieces', async () => {
  const stream = new HandStream()
  const frames = framesOn(stream)
  const read = frames.read(10)
  for (const byte of [0, 0, 0, 3, 7, 8, 9, 0, 0]) stream.push(byte)
  assert.equal(await read, Uint8Array.of(7, 8, 9))
  stream.push(0, 0)
  assert.equal(await frames.read(10), new Uint8Array(0))
  stream.push(255, 255, 255, 255)
  assert.is(await frames.read(10), undefined)
  frames.release()
})

it('a byte now and then does not hold a request open', async () => {
  const stream = new HandStream()
  const frames = framesOn(stream)
  const read = codeOf(() => frames.read(1_000))
  stream.push(0, 0, 0, 200)
  let sent = 0
  const trickle = setInterval(() => {
    sent++
    stream.push(1)
  }, IDLE_MS / 3)
  try {
    assert.is(await read, 'request-timeout')
  } finally {
    clearInterval(trickle)
  }
  assert.ok(sent >= 4, `${sent} bytes came, each before the idle limit`)
  assert.ok(stream.aborted !== null)
})

it('silence, a cut and a frame too large each have their code', async () => {
  const silent = framesOn(new HandStream())
  assert.is(await codeOf(() => silent.read(10)), 'request-timeout')
  const cut = new HandStream()
  const reading = codeOf(() => framesOn(cut).read(10))
  cut.push(0, 0, 0, 5, 1)
  cut.abort(new Error('gone'))
  assert.is(await reading, 'stream-reset')
  const large = new HandStream()
  const asked = codeOf(() => framesOn(large).read(10))
  large.push(0, 0, 0, 11)
  assert.is(await asked, 'frame-too-large')
})

it('while a reader is behind, the other side is held back, also where what was held fills the buffer again', async () => {
  const stream = new HoldingStream()
  const frames = framesOn(stream)
  const body = Array.from({ length: 40_000 }, (_, i) => i % 251)
  const frame = [0, 0, 40_000 >> 8, 40_000 & 255, ...body]
  for (let i = 0; i < 6; i++) stream.push(...frame)
  for (let i = 0; i < 6; i++) {
    assert.equal([...((await frames.read(40_000)) as Uint8Array)], body)
    assert.is(stream.othersMaySend, stream.readStatus === 'readable', `after frame ${i}`)
  }
  const more = frames.read(10)
  assert.ok(stream.othersMaySend)
  stream.push(255, 255, 255, 255)
  assert.is(await more, undefined)
  frames.release()
})

it('a frame larger than what is read ahead comes whole, wherever the reader was paused', async () => {
  const stream = new HoldingStream()
  const frames = framesOn(stream)
  const length = 200_000
  const sent = new Uint8Array(3 * (4 + length)).fill(7)
  for (let i = 0; i < 3; i++) new DataView(sent.buffer).setUint32(i * (4 + length), length)
  let at = 0
  const give = () => {
    stream.give(sent.slice(at, at + 70_001))
    at += 70_001
  }
  while (at < 350_000) give()
  const feeding = setInterval(() => stream.othersMaySend && at < sent.length && give(), 1)
  try {
    for (let i = 0; i < 3; i++) assert.is((await frames.read(length))?.length, length)
  } finally {
    clearInterval(feeding)
  }
  frames.release()
})

it.run()

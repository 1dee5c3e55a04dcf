/** Chunks that are pulled by digest from whoever has them: what faults cost, and whom. */
import '../../src/polyfill.ts'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ConsiliumError } from '../../src/core/errors.ts'
import { LIMITS } from '../../src/core/limits.ts'
import { encodeNewest, encodeOne, FETCH } from '../../src/gossip/fetchWire.ts'
import { HeldPayload } from '../../src/gossip/heldPayload.ts'
import { manifestOf, payloadId } from '../../src/gossip/manifest.ts'
import { headerOf, keyOf } from '../gossip/fixtures.ts'
import { until } from '../net/kit.ts'
import { FOREVER, payloadOf, publish, type Spoil, type SwarmNode, swarmOf } from './swarmKit.ts'

const it = suite('chunk loader')
const MEMBERS = ['author', 'ben', 'cleo', 'dan', 'eve', 'fay', 'gus'].map((name) => keyOf(name).member)
type Member = (typeof MEMBERS)[number]
const [AUTHOR, BEN, , , EVE] = MEMBERS as [Member, Member, Member, Member, Member]
const CHUNKS = 24
const PAYLOAD = payloadOf((CHUNKS - 1) * LIMITS.chunkBytesMin + 99)
const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'none',
    (error) => (error instanceof ConsiliumError ? error.code : String(error)),
  )

it('six receivers have all of it, and the author gave out each chunk about once', async () => {
  const { nodes, ready } = swarmOf(MEMBERS)
  await ready
  const [author, ...receivers] = nodes as [SwarmNode, ...SwarmNode[]]
  const manifest = publish(author, PAYLOAD)
  const loaded = await Promise.all(receivers.map(({ loader }) => loader.load(manifest, AUTHOR, FOREVER)))
  for (const { bytes } of loaded) assert.equal(bytes, PAYLOAD)
  assert.ok(author.chunksOut <= 1.1 * CHUNKS, `${author.chunksOut} of ${CHUNKS}`)
  for (const { bytesIn, faults } of receivers) {
    assert.ok(bytesIn <= 1.1 * PAYLOAD.length, `${bytesIn} bytes`)
    assert.equal(faults, [])
  }
})

const wrong = (frame: Uint8Array): Uint8Array => frame.with(40, (frame[40] as number) ^ 1)
const FAULTS: readonly (readonly [claim: string, spoil: Spoil, fault: string | null])[] = [
  ['a wrong chunk', (protocol, frame) => (protocol === FETCH.chunks ? wrong(frame) : frame), 'chunk-wrong'],
  ['half a chunk', (protocol, frame) => (protocol === FETCH.chunks ? frame.slice(0, 900) : frame), 'chunk-wrong'],
  [
    'a frame too short for a number',
    (protocol, frame) => (protocol === FETCH.chunks ? frame.slice(0, 1) : frame),
    'chunk-wrong',
  ],
  [
    'a chunk that nobody asked for',
    (protocol, frame) => (protocol === FETCH.chunks ? frame.with(0, 200) : frame),
    'chunk-wrong',
  ],
  [
    'bits beyond the last chunk',
    (protocol, frame) => (protocol === FETCH.held && frame.length > 0 ? frame.with(-1, 255).slice(0, -1) : frame),
    'chunks-malformed',
  ],
  ['silence', () => new Promise<never>(() => undefined), null],
]
for (const [what, spoil, fault] of FAULTS) {
  it(`${what} costs its sender, not the model`, async () => {
    const { nodes, ready } = swarmOf(MEMBERS.slice(0, 3), { [BEN]: spoil })
    await ready
    const [author, ben, cleo] = nodes as [SwarmNode, SwarmNode, SwarmNode]
    const manifest = publish(author, PAYLOAD)
    publish(ben, PAYLOAD)
    const { bytes } = await cleo.loader.load(manifest, AUTHOR, FOREVER)
    assert.equal(bytes, PAYLOAD)
    for (const said of cleo.faults) assert.is(said, `${BEN.slice(0, 4)} ${fault}`)
    assert.is(cleo.faults.length > 0, fault !== null, cleo.faults.join())
  })
}

it('who sends a wrong chunk is asked for none of that payload again', async () => {
  const { nodes, ready } = swarmOf(MEMBERS.slice(0, 2), {
    [AUTHOR]: (protocol, frame) => (protocol === FETCH.chunks ? wrong(frame) : frame),
  })
  await ready
  const [author, ben] = nodes as [SwarmNode, SwarmNode]
  const manifest = publish(author, PAYLOAD)
  const stop = new AbortController()
  const loading = codeOf(ben.loader.load(manifest, AUTHOR, stop.signal))
  await until('the fault', () => ben.faults.length > 0)
  const asked = author.chunksOut
  await new Promise((resolve) => setImmediate(resolve))
  assert.ok(author.chunksOut <= asked + 1)
  stop.abort()
  assert.is(await loading, 'fetch-ended')
})

it('the author is gone after half of it: the others bring what they have, and it goes on when somebody has the rest', async () => {
  const { nodes, gone, ready } = swarmOf(MEMBERS.slice(0, 3))
  await ready
  const [author, ben, cleo] = nodes as [SwarmNode, SwarmNode, SwarmNode]
  const manifest = publish(author, PAYLOAD)
  const id = payloadId(manifest)
  const first = ben.loader.load(manifest, AUTHOR, FOREVER)
  await until('half of it', () => (ben.shelf.payload(id)?.have.count ?? 0) >= CHUNKS / 2)
  gone.add(AUTHOR)
  const second = cleo.loader.load(manifest, AUTHOR, FOREVER)
  await until('cleo to have what ben has', () => {
    const [has, had] = [cleo.shelf.payload(id)?.have.count ?? 0, ben.shelf.payload(id)?.have.count ?? 0]
    return has > 0 && (has === had || had === CHUNKS)
  })
  gone.delete(AUTHOR)
  for (const { bytes } of await Promise.all([first, second])) assert.equal(bytes, PAYLOAD)
})

it('a fetch that is not wanted any more ends at once, and its chunks are served no more', async () => {
  const { nodes, ready } = swarmOf(MEMBERS.slice(0, 2), { [AUTHOR]: () => new Promise<never>(() => undefined) })
  await ready
  const [author, ben] = nodes as [SwarmNode, SwarmNode]
  const manifest = publish(author, PAYLOAD)
  const stop = new AbortController()
  const loading = codeOf(ben.loader.load(manifest, AUTHOR, stop.signal))
  stop.abort()
  assert.is(await loading, 'fetch-ended')
  assert.is(ben.shelf.payload(payloadId(manifest)), null)
})

it('who signs a copy of an author’s manifest takes nothing from it: both share one fetch, and either may end without the other', async () => {
  const { nodes, ready } = swarmOf(MEMBERS.slice(0, 2))
  await ready
  const [author, ben] = nodes as [SwarmNode, SwarmNode]
  const manifest = publish(author, PAYLOAD)
  const stops = [new AbortController(), new AbortController()] as const
  const [before, honest, after] = [
    ben.loader.load(manifest, EVE, stops[0].signal),
    ben.loader.load(manifest, AUTHOR, FOREVER),
    ben.loader.load(manifest, EVE, stops[1].signal),
  ]
  stops[0].abort()
  assert.is(await codeOf(before), 'fetch-ended')
  await until('some of it', () => (ben.shelf.payload(payloadId(manifest))?.have.count ?? 0) > 2)
  const [shared, copied] = await Promise.all([honest, after])
  stops[1].abort()
  assert.is(shared, copied)
  assert.equal(shared.bytes, PAYLOAD)
  assert.is(ben.shelf.payload(shared.id), shared)
  assert.ok(author.chunksOut <= 1.1 * CHUNKS, `${author.chunksOut} of ${CHUNKS}`)
})

it('copies of a manifest take no room from other payloads', async () => {
  const { nodes, ready } = swarmOf(MEMBERS.slice(0, 2))
  await ready
  const [author, ben] = nodes as [SwarmNode, SwarmNode]
  const { modelBytesMax, chunkBytesMax, chunksMax } = LIMITS
  const unserved = {
    payloadBytes: modelBytesMax,
    chunkBytes: chunkBytesMax,
    chunks: Array(chunksMax).fill(payloadId(publish(author, PAYLOAD))),
  }
  const stop = new AbortController()
  const copies = MEMBERS.map((member) => codeOf(ben.loader.load(unserved, member, stop.signal)))
  const other = payloadOf(3 * LIMITS.chunkBytesMin, 'another')
  const { bytes } = await ben.loader.load(publish(author, other), AUTHOR, FOREVER)
  assert.equal(bytes, other)
  stop.abort()
  for (const code of await Promise.all(copies)) assert.is(code, 'fetch-ended')
})

it('what is withheld goes to nobody from the next chunk on, and goes on when it may', async () => {
  const { nodes, ready } = swarmOf(MEMBERS.slice(0, 2))
  await ready
  const [author, ben] = nodes as [SwarmNode, SwarmNode]
  const manifest = manifestOf(PAYLOAD)
  const header = headerOf(new Float32Array(3), { author: AUTHOR })
  const { study, digest } = header
  const withhold = (authors: readonly Member[], made: readonly { author: Member; model: typeof digest }[]): void => {
    for (const id of author.shelf.withhold({ study, authors, made })) author.server.changed(id)
  }
  const payload = HeldPayload.whole(manifest, PAYLOAD)
  author.shelf.put({ message: Uint8Array.of(7), header, payload, keyframe: null })
  const told = async (protocol: string, ask: Uint8Array): Promise<number> => {
    let frames = 0
    for await (const _ of ben.transport.request(AUTHOR, protocol, ask, { signal: FOREVER, frameBytesMax: 99 })) frames++
    return frames
  }
  const messages = async (): Promise<number[]> => [
    await told(FETCH.newest, encodeNewest({ study, known: new Map() })),
    await told(FETCH.one, encodeOne({ study, author: AUTHOR, digest })),
  ]
  assert.equal(await messages(), [1, 1])
  const loading = ben.loader.load(manifest, AUTHOR, FOREVER)
  await until('some of it', () => (ben.shelf.payload(payloadId(manifest))?.have.count ?? 0) > 3)
  withhold([AUTHOR], [])
  const out = author.chunksOut
  assert.equal(await messages(), [0, 0])
  withhold(
    [],
    [
      { author: BEN, model: digest },
      { author: AUTHOR, model: digest },
    ],
  )
  assert.equal(await messages(), [0, 0])
  assert.ok(author.shelf.isPayloadWithheld(payload.id))
  assert.ok(author.chunksOut <= out + 1, `${author.chunksOut - out} chunks went out`)
  withhold([BEN], [{ author: BEN, model: digest }])
  assert.equal((await loading).bytes, PAYLOAD)
  assert.equal(await messages(), [1, 1])
})

it('what is here in whole is not asked for', async () => {
  const { nodes, ready } = swarmOf(MEMBERS.slice(0, 2))
  await ready
  const [author, ben] = nodes as [SwarmNode, SwarmNode]
  const manifest = publish(author, PAYLOAD)
  publish(ben, PAYLOAD)
  const { bytes } = await ben.loader.load(manifest, AUTHOR, FOREVER)
  assert.equal([bytes, ben.bytesIn], [PAYLOAD, 0])
})

it.run()

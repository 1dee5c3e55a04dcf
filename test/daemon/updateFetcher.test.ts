/** What a node fetches and serves of announced updates: what their authors signed, and nothing that it has not checked. */
import '../../src/polyfill.ts'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { floatBytes } from '../../src/core/digest.ts'
import { verify } from '../../src/core/ed25519.ts'
import type { Digest } from '../../src/core/ids.ts'
import { type Arrival, UpdateFetcher } from '../../src/daemon/updateFetcher.ts'
import { Bitfield } from '../../src/gossip/bitfield.ts'
import { CODING, type WeightFormat } from '../../src/gossip/coding/coding.ts'
import { decodeFloat16, encodeFloat16 } from '../../src/gossip/coding/float16.ts'
import { HeldPayload } from '../../src/gossip/heldPayload.ts'
import { manifestOf, payloadId } from '../../src/gossip/manifest.ts'
import { Shelf } from '../../src/gossip/shelf.ts'
import { decodeUpdate, type Update, type UpdateBody, type UpdateHeader } from '../../src/gossip/update.ts'
import type { NodeEvent } from '../../src/node/events.ts'
import { ADA, BEN, headerOf, signedBody } from '../gossip/fixtures.ts'
import { FOREVER, payloadOf, type SwarmNode, swarmOf } from './swarmKit.ts'

const it = suite('update fetcher')
const PARAMETERS = 20_011
const WEIGHTS = Float32Array.from({ length: PARAMETERS }, (_, i) => Math.fround(Math.sqrt(i) / 7))
const FLOAT32: WeightFormat = { coding: { kind: 'float32' }, tensors: [PARAMETERS], parameters: PARAMETERS }
const TOP_K: WeightFormat = { ...FLOAT32, coding: { kind: 'top-k', share: 0.1, keyframeRounds: 4 } }

/** A node's fetcher; `stored` is what its disk has. */
function fetcherOf(
  { transport, shelf, server, loader }: SwarmNode,
  format: WeightFormat,
  stored = new Map<Digest, Float32Array>(),
) {
  const arrived: Arrival[] = []
  const fed: NodeEvent[] = []
  const fetcher = new UpdateFetcher({
    ...{ transport, shelf, server, loader, verify },
    inputs: { read: async (_, digest) => stored.get(digest) ?? null },
    formatOf: () => format,
    arrived: (arrival) => arrived.push(arrival),
    take: () => undefined,
    feed: (event) => fed.push(event),
    log: () => undefined,
  })
  return { fetcher, arrived, fed }
}

function signed(header: UpdateHeader, body: UpdateBody, key = ADA): { update: Update; message: Uint8Array } {
  const message = signedBody(header, body, key)
  return { update: decodeUpdate(message), message }
}

function fetch(
  fetcher: UpdateFetcher,
  { update, message }: ReturnType<typeof signed>,
  signal = FOREVER,
): Promise<void> {
  const { study, author, round, digest } = update.header
  fetcher.expect(update, message)
  return fetcher.fetch({ type: 'fetch-update', study, author, round, digest }, signal)
}

it('stored weights are served only under a manifest that is of them: who signed another is to blame', async () => {
  const { nodes } = swarmOf([BEN.member])
  const [ben] = nodes as [SwarmNode]
  const header = headerOf(WEIGHTS)
  const { fetcher, arrived, fed } = fetcherOf(ben, FLOAT32, new Map([[header.digest, WEIGHTS]]))
  const right = manifestOf(floatBytes(WEIGHTS))
  const wrong = { ...right, chunks: [...right.chunks.slice(1), right.chunks[0] as Digest] }
  const short = { ...right, payloadBytes: right.payloadBytes - 4 }
  for (const manifest of [wrong, short]) await fetch(fetcher, signed(header, { payload: null, manifest }))
  const { study, author, round, digest } = header
  const failed = { type: 'fetch-failed', study, author, round, digest, code: 'update-digest', blame: true }
  assert.equal([arrived, fed], [[], [failed, failed]])
  await fetch(fetcher, signed(header, { payload: null, manifest: right }))
  assert.is(arrived[0]?.payload?.id, payloadId(right))
  assert.equal(arrived[0]?.weights, WEIGHTS)
})

it('a keyframe that is not written as the study says is not fetched, and one that cannot be read is left nowhere', async () => {
  const { nodes, ready } = swarmOf([BEN.member, ADA.member])
  await ready
  const [ben, ada] = nodes as [SwarmNode, SwarmNode]
  const { fetcher, fed } = fetcherOf(ben, TOP_K)
  const rounded = decodeFloat16(encodeFloat16(WEIGHTS), PARAMETERS)
  const keyframe = { ...headerOf(rounded, { round: 6 }), coding: CODING.float16 }
  const { digest, study, author } = keyframe
  const delta = { ...headerOf(WEIGHTS.with(3, 8)), coding: CODING.topK, reference: digest }
  const asked: (readonly [claim: string, payload: Uint8Array, code: string, fetched: boolean])[] = [
    ['of twice the length', payloadOf(4 * PARAMETERS), 'payload-length', false],
    ['short', payloadOf(2 * PARAMETERS - 2), 'payload-length', false],
    ['of other weights', encodeFloat16(WEIGHTS.with(9, 9)), 'update-digest', true],
    ['of no numbers', new Uint8Array(2 * PARAMETERS).fill(0xff), 'payload-range', true],
  ]
  for (const [claim, payload, code, isFetched] of asked) {
    const body = { payload: null, manifest: manifestOf(payload) }
    const { message } = signed(keyframe, body)
    ada.shelf.put({ message, header: keyframe, payload: HeldPayload.whole(body.manifest, payload), keyframe: null })
    const out = ada.chunksOut
    await fetch(fetcher, signed(delta, { payload: new Uint8Array(8), manifest: null }))
    const [failed] = fed.splice(0)
    assert.equal(failed?.type === 'fetch-failed' && [failed.code, failed.blame], [code, true], claim)
    assert.is(ada.chunksOut > out, isFetched, claim)
    assert.is(ben.shelf.payload(payloadId(body.manifest)), null, `${claim}: it is on the shelf still`)
  }
  assert.is(ben.shelf.keyframe(study, author, digest), null)
})

it('the shelf keeps what is being fetched of an author over its next updates, as far as there is room, and not what nobody asks for', () => {
  const payloads = [0, 1, 2, 3, 4].map((round) => {
    const bytes = payloadOf(100_000, `${round}`)
    return HeldPayload.whole(manifestOf(bytes), bytes)
  })
  const heldBy = (bytesMax: number): boolean[] => {
    const shelf = new Shelf(bytesMax)
    for (const [round, payload] of payloads.entries()) {
      shelf.put({ message: Uint8Array.of(round), header: headerOf(WEIGHTS, { round }), payload, keyframe: null })
      payloads[0]?.give(Bitfield.full(payload.have.length), false)
    }
    return payloads.map(({ id }) => shelf.payload(id) !== null)
  }
  assert.equal(heldBy(500_000), [true, false, false, true, true])
  assert.equal(heldBy(250_000), [false, false, false, true, true])
  assert.equal(heldBy(100_000), [false, false, false, false, true])
})

it('the shelf counts keyframes, too, when it makes room', () => {
  const shelf = new Shelf(9_000)
  for (const [i, { member }] of [ADA, BEN].entries()) {
    const header = headerOf(WEIGHTS, { author: member, round: i })
    shelf.put({ message: Uint8Array.of(i), header, payload: null, keyframe: new Float32Array(1_200 + i) })
  }
  const { study, digest } = headerOf(WEIGHTS)
  assert.equal(
    [ADA, BEN].map(({ member }) => shelf.keyframe(study, member, digest)?.length ?? null),
    [null, 1_201],
  )
})

it.run()

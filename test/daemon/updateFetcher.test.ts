/** What a node fetches and serves of announced updates: what their authors signed, and nothing that it has not checked. */
import '../../src/polyfill.ts'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { floatBytes } from '../../src/core/digest.ts'
import { verify } from '../../src/core/ed25519.ts'
import type { Digest } from '../../src/core/ids.ts'
import { type Arrival, UpdateFetcher } from '../../src/daemon/updateFetcher.ts'
import type { WeightFormat } from '../../src/gossip/coding/coding.ts'
import { manifestOf, payloadId } from '../../src/gossip/manifest.ts'
import { decodeUpdate, type Update, type UpdateBody, type UpdateHeader } from '../../src/gossip/update.ts'
import type { NodeEvent } from '../../src/node/events.ts'
import { ADA, BEN, headerOf, signedBody } from '../gossip/fixtures.ts'
import { FOREVER, type SwarmNode, swarmOf } from './swarmKit.ts'

const it = suite('update fetcher')
const PARAMETERS = 20_011
const WEIGHTS = Float32Array.from({ length: PARAMETERS }, (_, i) => Math.fround(Math.sqrt(i) / 7))
const FLOAT32: WeightFormat = { coding: { kind: 'float32' }, tensors: [PARAMETERS], parameters: PARAMETERS }

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

it.run()

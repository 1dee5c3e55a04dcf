/** Kinds of newer versions: entries of the golden file are stored, hashed, replicated, verified and shown, and nothing else is done to them. */
import { readFileSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { toHex } from '../../src/core/bytes.ts'
import type { ConsiliumError } from '../../src/core/errors.ts'
import type { Daemon } from '../../src/daemon/daemon.ts'
import { Followers } from '../../src/daemon/followers.ts'
import { LogReader } from '../../src/daemon/logReader.ts'
import { decodeEntry } from '../../src/ledger/entry.ts'
import { Membership } from '../../src/ledger/epoch.ts'
import { Finality } from '../../src/ledger/finality.ts'
import { openHead } from '../../src/ledger/head.ts'
import type { Transport } from '../../src/net/transport.ts'
import { FOUNDING } from '../ledger/fixtures.ts'
import { ADA, BEN, CLEO, DAY_MS, KeptNode, NOW_MS } from './keepingKit.ts'

const it = suite('unknown kind')
const golden = (name: string): Uint8Array => new Uint8Array(readFileSync(new URL(`../golden/${name}`, import.meta.url)))
const UNKNOWN = golden('ledger-v1-entry-unknown-kind.cbor')
const SEQ = 2

/** A node that fetched the golden log: started, merged, unknown kind. */
async function withGolden(): Promise<KeptNode> {
  const node = await KeptNode.start(BEN)
  const peer = {
    request: async function* () {
      yield golden('ledger-v1-frame.cbor')
    },
  } as unknown as Transport
  await node.fetchFrom(peer, ADA.member, 3)
  return node
}

it('it is stored as it came, under the head that its author signed, and goes on to others the same', async () => {
  const ben = await withGolden()
  const cleo = await KeptNode.start(CLEO)
  await cleo.fetch(ben, ADA)
  for (const node of [ben, cleo]) {
    const raw = (await node.store.entries(ADA.member, SEQ, SEQ + 1))[0] as Uint8Array
    assert.is(toHex(raw), toHex(UNKNOWN), 'byte for byte')
    const { entries, root, fault } = await node.logs.verify(ADA.member)
    assert.equal([entries, fault], [3, null])
    assert.is(root, toHex(openHead(golden('ledger-v1-head.txt'), FOUNDING).root))
  }
})

it('it is not interpreted, at its arrival or at a start', async () => {
  const ben = await withGolden()
  assert.equal(ben.facts, [])
  const again = await KeptNode.start(BEN, ben.store.reopen())
  assert.equal(await again.logs.readFacts(), [])
})

it('log show and log ls show it with its body', async () => {
  const ben = await withGolden()
  const members = [{ key: ADA.member, name: 'Ada' }]
  const home = {
    consortium: { members },
    membership: new Membership({ name: 'Ours', members }),
    key: { id: BEN.member },
  }
  const reader = new LogReader({
    logs: ben.logs,
    home,
    followers: new Followers(),
    machine: { finality: new Finality(() => null) },
    nameOf: () => 'Ada',
  } as unknown as Daemon)
  const shown = await reader.show('Ada/2')
  assert.equal([shown.kind, shown.hash, shown.bytes], ['future.some-kind', decodeEntry(UNKNOWN).hash, UNKNOWN.length])
  assert.equal(shown.body, { b: -1.5e-7, aa: [true, null, -24, 2 ** 40], c: 'käse' })
  assert.is((await reader.list(new URLSearchParams({ kind: 'future.some-kind' }))).entries.length, 1)
})

it('it is not pruned, however old, and its author’s older version cannot redact it', async () => {
  const ben = await withGolden()
  const { logs } = await ben.keeperAt(NOW_MS + 100_000 * DAY_MS).prune(false)
  assert.equal(
    logs.map((one) => [one.class, one.entries]),
    [
      ['training', 1],
      ['operation', 1],
    ],
  )
  assert.equal(await ben.gone(ADA), [0, 1])
  const ada = await KeptNode.start(ADA, ben.store.reopen())
  const entry = (await ada.entries())[SEQ] as ReturnType<typeof decodeEntry>
  const refused = await ada
    .keeperAt(NOW_MS + 100_000 * DAY_MS)
    .redact(entry, 'erasure-order')
    .catch((error: unknown) => error)
  assert.is((refused as ConsiliumError).code, 'redaction-decides')
})

it.run()

/** The logs that a node holds: evidence of a fork, whichever side of it was stored or only heard. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { equalBytes } from '../../src/core/bytes.ts'
import { Logs } from '../../src/daemon/logs.ts'
import { openFork } from '../../src/ledger/fork.ts'
import type { Transport } from '../../src/net/transport.ts'
import { MemoryStore } from '../../src/store/memoryStore.ts'
import { batchOf, FOUNDING, keyOf, logOf } from '../ledger/fixtures.ts'

const it = suite('logs')
const ADA = keyOf('ada')
const MAIN = logOf(ADA, [2, 3, 4])
const OTHER = logOf(ADA, [2, 3, 4], 'other')

async function logsWith(commits: number): Promise<{ logs: Logs; store: MemoryStore }> {
  const store = new MemoryStore()
  for (const commit of MAIN.slice(0, commits)) await store.append(batchOf(commit))
  const logs = new Logs({ founding: FOUNDING, members: [ADA.member], store, transport: null as unknown as Transport })
  await logs.load()
  return { logs, store }
}

for (const { name, stored, hear } of [
  { name: 'the newest stored head and one heard', stored: 2, hear: [OTHER[1]] },
  { name: 'an older stored head and one heard', stored: 3, hear: [OTHER[0]] },
  { name: 'two heads heard of entries that are not here', stored: 0, hear: [MAIN[2], OTHER[2]] },
  { name: 'two heads heard, with others between them', stored: 1, hear: [MAIN[2], MAIN[1], OTHER[0], OTHER[2]] },
]) {
  it(`a fork between ${name} is kept as two notes that prove it`, async () => {
    const { logs, store } = await logsWith(stored)
    for (const commit of hear) assert.ok(logs.readHead(commit?.head.note as Uint8Array, null).signatureValid)
    const size = hear.at(-1)?.tip.size as number
    await logs.keepFork(ADA.member, size)
    const fork = openFork((await store.forkEvidence(ADA.member)) as Uint8Array, FOUNDING)
    assert.equal([fork.author, fork.size], [ADA.member, size])
    assert.equal(logs.forked(), [ADA.member])
    const [commit] = hear.slice(-1)
    assert.ok(fork.heads.some((head) => equalBytes(head.note, commit?.head.note as Uint8Array)))
  })
}

it('a member that floods with heads cannot push out the one that contradicts', async () => {
  const { logs, store } = await logsWith(0)
  const flood = logOf(
    ADA,
    Array.from({ length: 40 }, () => 1),
  )
  const fork = logOf(ADA, [40], 'other')
  logs.readHead(flood[39]?.head.note as Uint8Array, null)
  for (const { head } of flood) logs.readHead(head.note, null)
  logs.readHead(fork[0]?.head.note as Uint8Array, null)
  await logs.keepFork(ADA.member, 40)
  assert.ok((await store.forkEvidence(ADA.member)) !== undefined)
})

it.run()

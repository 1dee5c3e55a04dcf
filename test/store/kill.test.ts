import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { toHex } from '../../src/core/bytes.ts'
import { Rng } from '../../src/core/rng.ts'
import { decodeEntry } from '../../src/ledger/entry.ts'
import { openHead } from '../../src/ledger/head.ts'
import { Frontier } from '../../src/ledger/merkle.ts'
import { verifyLog } from '../../src/ledger/verify.ts'
import { FOUNDING } from '../ledger/fixtures.ts'
import { folder, SELF } from './places.ts'

const it = suite('kill')

const KILLS = Number(process.env.CONSILIUM_KILLS ?? 6) // 1,000 in the long run
const DEADLINE_MS = 20_000

/** Starts the child, kills it after `confirmations` commits, and returns what it had confirmed: size and root. */
async function runAndKill(database: string, confirmations: number): Promise<[number, string][]> {
  const child = spawn(process.execPath, ['--import', 'tsx', 'test/store/appender.ts', database], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const deadline = setTimeout(() => child.kill('SIGKILL'), DEADLINE_MS)
  let text = ''
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk
    if (text.split('\n').length > confirmations + 1) child.kill('SIGKILL')
  })
  const [code, signal] = await once(child, 'close')
  clearTimeout(deadline)
  assert.is(signal, 'SIGKILL', `the child ended by itself with ${code}`)
  const lines = text.split('\n').slice(0, -1)
  assert.ok(lines.length > confirmations, `no ${confirmations} confirmations in time`)
  return lines.map((line) => [Number(line.split(' ')[1]), line.split(' ')[2] as string])
}

it('kill: SIGKILL under load loses nothing that was confirmed, tears no batch, and no number ever has two entries', async () => {
  const place = await folder()
  const rng = Rng.from('kills')
  const confirmed = new Map<number, string>()
  let largest = 0
  try {
    for (let kill = 0; kill < KILLS; kill++) {
      for (const [size, root] of await runAndKill(place.database, 1 + rng.below(60))) {
        assert.is(confirmed.get(size) ?? root, root, `two roots at size ${size}`)
        confirmed.set(size, root)
        largest = Math.max(largest, size)
      }
    }
    const store = await place.open()
    const head = await store.head(SELF)
    assert.ok(head !== undefined && head.size >= largest, `${head?.size} stored, ${largest} confirmed`)
    const raws = await store.entries(SELF, 0, head.size)
    assert.ok(verifyLog([raws], openHead(head.note, FOUNDING)).ok)
    assert.is(Buffer.from((await store.getState('size')) as Uint8Array).toString(), `${head.size}`)
    const frontier = new Frontier()
    for (const raw of raws) {
      frontier.append(decodeEntry(raw).leaf)
      const root = confirmed.get(frontier.size)
      assert.is(root ?? toHex(frontier.root()), toHex(frontier.root()), `size ${frontier.size}`)
    }
    await store.close()
  } finally {
    await place.remove()
  }
})

it.run()

/** A failed append is unknown, not undone: nothing more is signed, and the next start goes on after what the disk then holds. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { SigningKey } from '../../src/core/ed25519.ts'
import type { MemoryStore } from '../../src/store/memoryStore.ts'
import type { WriteHooks } from '../../src/store/writes.ts'
import { folder } from '../store/places.ts'
import { ADA, KeptNode, round } from './keepingKit.ts'

const it = suite('failed append')
const hashes = async (node: KeptNode) => (await node.entries()).map(({ hash }) => hash)

for (const moment of ['before', 'after'] as const)
  for (const nth of [1, 3]) {
    const outcome = moment === 'before' ? 'was not written' : 'was written all the same'
    it(`append ${nth} failed and ${outcome}: nothing more is signed, and the next start extends what is there`, async () => {
      const place = await folder()
      let signatures = 0
      const key: SigningKey = {
        ...ADA,
        sign: (message) => {
          signatures++
          return ADA.sign(message)
        },
      }
      let appends = 0
      const fault: WriteHooks = {
        [moment]: (operation: string) => {
          if (operation === 'append' && ++appends === nth) throw new Error('injected')
        },
      }
      const node = await KeptNode.start(key, (await place.open(fault)) as unknown as MemoryStore)
      for (let i = 1; i < nth; i++) await node.write(round(9, i))
      const reported = node.logs.tip(ADA.member)
      await node.write(round(9, nth)).then(
        () => assert.unreachable('the append failed'),
        (error: Error) => assert.is(error.message, 'injected'),
      )
      assert.is(node.failures.length, 1, 'which stops the node')
      const signed = signatures
      node.writer?.record('more', [round(9, 70)], new Map())
      await node.write(round(9, 71)).catch(() => undefined)
      assert.is(signatures, signed, 'nothing is signed after it')
      assert.equal(node.logs.tip(ADA.member), reported, 'what is unknown is told to nobody')
      await node.store.close()

      const again = await KeptNode.start(key, (await place.open()) as unknown as MemoryStore)
      const found = await hashes(again)
      assert.is(found.length, moment === 'after' ? nth : nth - 1)
      assert.is(again.logs.tip(ADA.member).size, found.length, 'the tip is read again before anything is signed')
      await again.write(round(9, 72))
      const extended = await hashes(again)
      assert.equal(extended.slice(0, found.length), found, 'no number has two entries')
      assert.is(extended.length, found.length + 1)
      assert.is((await again.logs.verify(ADA.member)).fault, null)
      await again.store.close()
      await (await place.open()).close() // its pin agrees
      await place.remove()
    })
  }

it.run()

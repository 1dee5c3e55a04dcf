/** A child that appends own commits as fast as they are durable and tells each as it is confirmed; made to be killed. */
import { randomBytes } from 'node:crypto'
import { writeSync } from 'node:fs'
import { toHex } from '../../src/core/bytes.ts'
import { emptyTip, extend, rootAt, storedHead, tipOf } from '../../src/ledger/chain.ts'
import { signHead } from '../../src/ledger/head.ts'
import { LevelStore } from '../../src/store/levelStore.ts'
import { draftOf, FOUNDING, keyOf } from '../ledger/fixtures.ts'

const key = keyOf('ada')
const store = await LevelStore.open(process.argv[2] as string, { self: key.member })
const head = await store.head(key.member)
const last = head && (await store.entries(key.member, head.size - 1, head.size))[0]
let tip = head && last ? tipOf(head, last) : emptyTip(key.member)
writeSync(1, `open ${tip.size} ${toHex(rootAt(tip))}\n`)
for (let round = 0; ; round++) {
  const from = tip.size
  const drafts = Array.from({ length: 1 + (round % 7) }, (_, i) => draftOf(from + i))
  const {
    raws,
    nodes,
    tip: next,
  } = extend(
    tip,
    drafts,
    drafts.map(() => new Uint8Array(randomBytes(32))),
  )
  const { note } = signHead(key, FOUNDING, next.size, rootAt(next))
  await store.append({
    author: key.member,
    from,
    entries: raws,
    head: storedHead(next, note),
    nodes,
    state: new Map([['size', Buffer.from(`${next.size}`)]]),
  })
  tip = next
  writeSync(1, `done ${tip.size} ${toHex(rootAt(tip))}\n`)
}

/** ssb-db2 validates messages of another and appends them, as after a replication, as a process. */
import { randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import { load } from './load.ts'
import { jobOf, tell } from './processes.ts'

const MESSAGES = 20_000 // some seconds
const BATCH = 650 // as entries in our frames
const CONTENT_BYTES = 300 // 400 in base64; the message around it comes on top
const BEGUN_MS = 1_600_000_000_000
const { peers, folder } = jobOf<{ peers: string; folder: string }>()
const keys = await load(peers, 'ssb-keys')
const classic = await load(peers, 'ssb-classic/format', 'ssb-db2')
const caps = await load(peers, 'ssb-caps')
const secretStack = await load(peers, 'secret-stack')
const ssbDb2 = await load(peers, 'ssb-db2')

const theirs = keys.generate()
const messages: unknown[] = []
let previous: unknown = null
for (let i = 0; i < MESSAGES; i++) {
  const content = { type: 'round', body: randomBytes(CONTENT_BYTES).toString('base64') }
  const value = classic.newNativeMsg({ keys: theirs, content, previous, timestamp: BEGUN_MS + i, hmacKey: null })
  previous = { key: classic.getMsgId(value), value }
  messages.push(value)
}
const app = secretStack({ appKey: caps.shs }).use(ssbDb2)
const { db } = app({ path: folder, keys: keys.generate() })
const addBatch = promisify(db.addBatch)
const begun = performance.now()
for (let at = 0; at < MESSAGES; at += BATCH) await addBatch(messages.slice(at, at + BATCH))
await promisify(db.onDrain)()
tell({ rate: (MESSAGES * 1000) / (performance.now() - begun) })

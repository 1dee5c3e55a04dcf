/** Loaded with `node --import` into a test's daemon: it gives out one chunk every 600 ms, as over an uplink of 0.2 Mbit/s. */
import { Ration } from '../../dist/src/gossip/ration.js'

const CHUNK_MS = 600
const { give } = Ration.prototype
let freeAtMs = 0

Ration.prototype.give = function (...asked) {
  const now = performance.now()
  if (now < freeAtMs) return null
  const index = give.apply(this, asked)
  if (index !== null) freeAtMs = now + CHUNK_MS
  return index
}

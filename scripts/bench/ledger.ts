/**
 * The ledger's floors on entries of 400 bytes (verify and append, replication, full verification, start, a small gap, how long the
 * event loop waits), with what bounds them measured in the same run, and the nearest peers from npm where they are installed.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Figure } from './figures.ts'
import { blocking } from './ledger/blocking.ts'
import { appending, starting, verifying } from './ledger/local.ts'
import { copyOf, framesOf, makeLong } from './ledger/log.ts'
import { findPeers, installPeers, sayMissing } from './ledger/peers.ts'
import { measureReferences } from './ledger/references.ts'
import { catchingUp, replicating } from './ledger/remote.ts'

const LONG = 1_000_000 // entries: a year of rounds of half a minute
const MISSING = 100
const WATCHED = 100_000 // entries that long work goes over while the event loop is watched
const MOVED = 200_000 // entries that are appended, and replicated, in one run: 80 MB, some seconds

/** `peers`: hypercore and ssb-db2 are installed, from the registry, where they are not yet. */
export async function bench(options: { readonly peers: boolean }): Promise<Figure[]> {
  const folder = await mkdtemp(join(tmpdir(), 'consilium-bench-'))
  try {
    if (options.peers) await installPeers()
    const peers = await findPeers()
    if (peers === null) sayMissing()
    const short = join(folder, 'short')
    const long = join(folder, 'long')
    const watched = join(folder, 'watched')
    await makeLong(short, LONG - MISSING)
    await makeLong(watched, WATCHED)
    await copyOf(short, long)
    await makeLong(long, LONG)
    const frames = await framesOf(long, MOVED)
    const references = await measureReferences(folder, frames)
    const figures = [
      ...(await appending(folder, frames, references, peers)),
      ...(await verifying(long, references)),
      ...(await starting(long)),
      ...(await replicating(folder, long, MOVED, references, peers)),
      ...(await catchingUp(folder, short, long, LONG)),
      ...(await blocking(watched, WATCHED)),
    ]
    return figures
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** What bounds a ledger on this machine, in this run: hashing the same bytes, writing them to a plain file, checking a signature each. */
import { createHash } from 'node:crypto'
import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { verify } from '../../../src/core/ed25519.ts'
import { median } from '../figures.ts'
import { type Frames, KEYS } from './log.ts'

const RUNS = 5
const SIGNED = 5_000 // signatures: half a second
const PER_SYNC = 650 // entries in a frame of 256 KiB

/** Entries a second; medians of several runs. */
export interface References {
  /** SHA-256 of each entry by node:crypto, which no ledger does without. */
  readonly hashed: number
  /** Appended to a file with `fdatasync` after as many as a frame holds. */
  readonly filed: number
  /** An Ed25519 signature verified for each. */
  readonly signatures: number
}

export async function measureReferences(folder: string, { raws }: Frames): Promise<References> {
  const signature = KEYS.author.sign(raws[0] as Uint8Array)
  const hashed: number[] = []
  const filed: number[] = []
  const signatures: number[] = []
  for (let run = 0; run < RUNS; run++) {
    hashed.push(
      rate(raws.length, () => {
        for (const raw of raws) createHash('sha256').update(raw).digest()
      }),
    )
    filed.push(await writing(join(folder, 'plain'), raws))
    signatures.push(
      rate(SIGNED, () => {
        for (let i = 0; i < SIGNED; i++) verify(KEYS.author.member, raws[0] as Uint8Array, signature)
      }),
    )
  }
  return { hashed: median(hashed), filed: median(filed), signatures: median(signatures) }
}

async function writing(path: string, raws: readonly Uint8Array[]): Promise<number> {
  const file = await open(path, 'w')
  const begun = performance.now()
  for (let at = 0; at < raws.length; at += PER_SYNC) {
    await file.writev(raws.slice(at, at + PER_SYNC))
    await file.datasync()
  }
  const seconds = (performance.now() - begun) / 1000
  await file.close()
  await rm(path)
  return raws.length / seconds
}

function rate(count: number, work: () => void): number {
  const begun = performance.now()
  work()
  return (count * 1000) / (performance.now() - begun)
}

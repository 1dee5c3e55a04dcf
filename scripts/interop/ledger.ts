/** Logs of many sizes, sound and spoilt, for Go's transparency-log packages to open: `golang.org/x/mod/sumdb`, `transparency-dev/formats`. */
import { fileURLToPath } from 'node:url'
import { toHex, utf8 } from '../../src/core/bytes.ts'
import { sha256 } from '../../src/core/digest.ts'
import { type SigningKey, signingKey } from '../../src/core/ed25519.ts'
import type { Digest } from '../../src/core/ids.ts'
import { Rng } from '../../src/core/rng.ts'
import { emptyTip, extend, rootAt, type Tip } from '../../src/ledger/chain.ts'
import { headerOf } from '../../src/ledger/entry.ts'
import { base64, NOTE_KEY, signHead } from '../../src/ledger/head.ts'
import { proofFilesOf, verifierKey } from './ledgerProofs.ts'
import { judgedBy, type Verdict } from './tool.ts'

const FOUNDING = toHex(sha256(utf8('interop'))) as Digest
/** Entry, size at which the log is cosigned, and an earlier such size. */
const PROOFS = [
  [0, 1, 1],
  [1, 2, 1],
  [2, 3, 2],
  [5, 8, 6],
  [12, 13, 13],
  [77, 128, 64],
  [100, 129, 127],
  [999, 1000, 333],
] as const
const SIZES = [1, 2, 3, 4, 5, 7, 8, 9, 31, 32, 33, 100, 127, 128, 129, 1000]

interface LogFile {
  readonly name: string
  /** The author's key as a note verifier's: name, key hash and key (C2SP signed-note). */
  readonly key: string
  readonly note: string
  /** What is hashed of each entry, in base64. */
  readonly headers: readonly string[]
  readonly refused: boolean
}

/** Every sound log must be opened, and every spoilt one refused. */
export async function checkLedger(): Promise<Verdict> {
  const key = signingKey(sha256(utf8('interop key')))
  const logs = SIZES.flatMap((size) => {
    const sound = logOf(key, size)
    return [sound, ...spoilt(sound)]
  })
  const proofs = PROOFS.flatMap(([index, size, from]) =>
    proofFilesOf({ key, founding: FOUNDING, headers: grow(key, size).headers }, index, from),
  )
  const cwd = fileURLToPath(new URL('ledger', import.meta.url))
  const tool = { command: 'go', args: ['run', '.'], probe: ['mod', 'download'], cwd }
  return judgedBy(
    { ...tool, wants: 'Go 1.25 or newer, and the Go module proxy for the modules in go.mod' },
    { logs, proofs },
  )
}

function logOf(key: SigningKey, size: number): LogFile {
  const { headers, tip } = grow(key, size)
  const { note } = signHead(key, FOUNDING, size, rootAt(tip))
  return {
    name: `size ${size}`,
    key: verifierKey(key, FOUNDING, NOTE_KEY.head),
    note: Buffer.from(note).toString('utf8'),
    headers: headers.map(base64),
    refused: false,
  }
}

/** What is hashed of each of `size` entries, and where they end. */
function grow(key: SigningKey, size: number): { headers: Uint8Array[]; tip: Tip } {
  const rng = Rng.from('interop', size)
  const bytes = (count: number): Uint8Array => Uint8Array.from({ length: count }, () => rng.below(256))
  const headers: Uint8Array[] = []
  let tip: Tip = emptyTip(key.member)
  while (tip.size < size) {
    const drafts = Array.from({ length: Math.min(50, size - tip.size) }, (_, i) => ({
      kind: 'node.started',
      study: null,
      timeMs: 1_790_000_000_000 + tip.size + i,
      refs: [],
      body: { software: toHex(bytes(1 + rng.below(40))) },
    }))
    const { raws, tip: next } = extend(
      tip,
      drafts,
      drafts.map(() => bytes(32)),
    )
    headers.push(...raws.map(headerOf))
    tip = next
  }
  return { headers, tip }
}

function spoilt(log: LogFile): LogFile[] {
  const lines = log.note.split('\n')
  const [first = '', ...rest] = log.headers
  const flipped = Buffer.from(first, 'base64').map((byte, i) => (i === 20 ? byte ^ 1 : byte))
  return [
    { ...log, name: `${log.name}, another size`, note: lines.with(1, `${log.headers.length + 1}`).join('\n') },
    { ...log, name: `${log.name}, an altered entry`, headers: [base64(flipped), ...rest] },
    { ...log, name: `${log.name}, an entry more`, headers: [...log.headers, first] },
  ].map((one) => ({ ...one, refused: true }))
}

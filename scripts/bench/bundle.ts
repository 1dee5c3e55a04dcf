/** Benchmark: verifying a bundle of one entry among 7 members, against the same number of bare signature verifications. */
import { performance } from 'node:perf_hooks'
import { utf8 } from '../../src/core/bytes.ts'
import { sha256 } from '../../src/core/digest.ts'
import { type SigningKey, signingKey, verify } from '../../src/core/ed25519.ts'
import { compareIds } from '../../src/core/ids.ts'
import { BundleWriter, LineSplitter } from '../../src/ledger/bundle.ts'
import { BundleVerifier } from '../../src/ledger/bundleVerify.ts'
import { emptyTip, extend } from '../../src/ledger/chain.ts'
import { formatCosigned, signCosignature } from '../../src/ledger/cosignature.ts'
import { encodeFounding, foundingDigest } from '../../src/ledger/founding.ts'
import { signHead } from '../../src/ledger/head.ts'
import { nodeHash } from '../../src/ledger/merkle.ts'
import { type Figure, median, under } from './figures.ts'

const MEMBERS = 7
const LOG_LEVELS = 20 // a log of 2^20 entries: years of rounds
const RUNS = 300 // interleaved, so that a neighbour's load falls on both alike
const LIMIT_MS = 2 // LEDGER §6, row 27
const SHARE_MIN = 0.6 // reading, hashing and the path may cost two thirds of what the signatures do

/** Two figures: the time of one verification, and how much of it the bare signatures are. */
export async function bench(): Promise<Figure[]> {
  const { bytes, root, signatures } = sample()
  const [bundleMs, bareMs]: [number[], number[]] = [[], []]
  for (let run = -20; run < RUNS; run++) {
    const bundle = time(() => verifyAll(bytes, root))
    const bare = time(() => {
      for (const { key, message, signature } of signatures) verify(key, message, signature)
    })
    if (run < 0) continue // the first ones compile
    bundleMs.push(bundle)
    bareMs.push(bare)
  }
  const [ms, bare] = [Math.min(...bundleMs), Math.min(...bareMs)] // of many short runs: a neighbour's load only ever adds
  const share = bare / ms
  const how = `${bytes.length} bytes, ${signatures.length} signatures, ${LOG_LEVELS} hashes; median ${median(bundleMs).toFixed(2)} ms`
  const figure = `${signatures.length} bare verifications ${bare.toFixed(2)} ms of ${ms.toFixed(2)} ms (median ${median(bareMs).toFixed(2)})`
  return [
    under(`verify a bundle of one entry, n = ${MEMBERS}`, ms, LIMIT_MS, 'ms', how),
    { name: 'the share of the signatures in it', figure, ratio: share, target: SHARE_MIN, ok: share >= SHARE_MIN },
  ]
}

/** One entry of a large log, under a head that all members signed. */
function sample() {
  const keys = Array.from({ length: MEMBERS }, (_, i) => signingKey(sha256(utf8(`bench ${i}`))))
  keys.sort((a, b) => compareIds(a.member, b.member))
  const founding = { name: 'bench', members: keys.map(({ member }, i) => ({ name: `hospital ${i}`, key: member })) }
  const digest = foundingDigest(founding)
  const author = keys[0] as SigningKey
  const draft = {
    kind: 'round.trained',
    study: null,
    timeMs: 1_790_000_000_000,
    refs: [],
    body: { round: 1, loss: 0.5 },
  }
  const made = extend(emptyTip(author.member), [draft], [sha256(utf8('salt'))])
  const proof = Array.from({ length: LOG_LEVELS }, (_, level) => sha256(utf8(`sibling ${level}`)))
  const leaf = made.entries[0]?.leaf as Uint8Array
  const head = signHead(author, digest, 2 ** LOG_LEVELS, proof.reduce(nodeHash, leaf))
  const cosignatures = keys.slice(1).map((key, i) => signCosignature(key, head.text, 1_790_000_000 + i))
  const writer = new BundleWriter()
  const filter = { members: null, kind: null, study: null, sinceMs: null, untilMs: null, state: null }
  const heading = { made: '2026-11-21T15:00:00Z', by: author.member, founding: encodeFounding(founding), filter }
  const lines = [
    writer.start(heading),
    writer.push({ type: 'head', note: formatCosigned(head, cosignatures) }),
    writer.push({ type: 'entry', head: 0, seq: 0, raw: made.raws[0] as Uint8Array, proof }),
    writer.end(),
  ]
  const message = utf8(head.text)
  const signatures = keys.map((key) => ({ key: key.member, message, signature: key.sign(message) }))
  return { bytes: utf8(lines.join('')), root: digest, signatures }
}

function verifyAll(bytes: Uint8Array, root: string): void {
  const verifier = new BundleVerifier(root)
  const splitter = new LineSplitter()
  for (const line of splitter.split(bytes)) verifier.push(line)
  const { verdict } = verifier.finish(splitter.rest)
  if (verdict !== 'good') throw new Error(`the bundle of the benchmark is ${verdict}`)
}

function time(work: () => void): number {
  const start = performance.now()
  work()
  return performance.now() - start
}

/** The rule of a witness: its whole table, and that no sequence of requests and crashes brings two roots under one size. */
import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { equalBytes, utf8 } from '../../src/core/bytes.ts'
import { sha256 } from '../../src/core/digest.ts'
import { Frontier } from '../../src/ledger/merkle.ts'
import { answer, consistencyProof, verifyConsistency } from '../../src/ledger/proof.ts'
import type { Witnessed } from '../../src/ledger/store.ts'
import { type CosignRefusal, cosignRefusal } from '../../src/ledger/witness.ts'

const it = suite('witness rule')

const [MINE, THEIRS] = ['mine', 'theirs'].map((label) => sha256(utf8(label))) as [Uint8Array, Uint8Array]

/** What the rule must say of a head of 7 entries, put down case by case and not as the rule computes it. */
function expected(frozen: boolean, stored: number, rootFits: boolean, last: number | null, lastFits: boolean) {
  if (frozen) return 'frozen'
  if (stored < 7) return 'not-stored'
  if (!rootFits) return 'conflict'
  if (last === null) return null
  if (last > 7) return 'older'
  return lastFits ? null : 'conflict'
}

it('a head is cosigned where it is stored, extends what was cosigned, and its log is sound; the whole table', () => {
  const counts = new Map<CosignRefusal | null, number>()
  for (const frozen of [false, true])
    for (const stored of [0, 6, 7, 9])
      for (const rootFits of [true, false])
        for (const last of [null, 1, 6, 7, 8, 9])
          for (const lastFits of [true, false]) {
            const log = {
              last: last === null ? undefined : { size: last, root: MINE },
              size: stored,
              rootAtLast: last === null || last > stored ? null : lastFits ? MINE : THEIRS,
              rootAtHead: stored >= 7 ? MINE : null,
              frozen,
            }
            const head = { size: 7, root: rootFits ? MINE : THEIRS }
            const answer = cosignRefusal(log, head)
            const where = JSON.stringify({ frozen, stored, rootFits, last, lastFits })
            assert.is(answer, expected(frozen, stored, rootFits, last, lastFits), where)
            counts.set(answer, (counts.get(answer) ?? 0) + 1)
          }
  assert.equal([...counts.keys()].sort(), ['conflict', 'frozen', 'not-stored', 'older', null].sort())
})

it('a store that lost entries under what was cosigned signs nothing more of that log', () => {
  const last = { size: 6, root: MINE }
  const log = { last, size: 8, rootAtLast: null, rootAtHead: MINE, frozen: false }
  assert.is(cosignRefusal(log, { size: 7, root: MINE }), 'conflict')
})

it('an empty head is never cosigned', () => {
  const log = { last: undefined, size: 7, rootAtLast: null, rootAtHead: MINE, frozen: false }
  assert.is(cosignRefusal(log, { size: 0, root: MINE }), 'not-stored')
})

/** Leaves of the two branches of one author, alike up to `fork`. */
const leavesOf = (branch: number, fork: number, size: number): Uint8Array[] =>
  Array.from({ length: size }, (_, i) => sha256(utf8(`${i < fork ? 0 : branch} ${i}`)))
function rootOf(leaves: readonly Uint8Array[], from = 0, to = leaves.length): Uint8Array {
  const frontier = new Frontier()
  for (const leaf of leaves.slice(from, to)) frontier.append(leaf)
  return frontier.root()
}

type Crash = 'none' | 'before-store' | 'after-store'
interface Request {
  readonly branch: number
  readonly size: number
  readonly grow: number
  readonly crash: Crash
}

const SIZE_MAX = 40
const requests = fc.array(
  fc.record<Request>({
    branch: fc.integer({ min: 0, max: 1 }),
    size: fc.integer({ min: 0, max: SIZE_MAX + 3 }),
    grow: fc.integer({ min: 0, max: 6 }),
    crash: fc.constantFrom('none', 'none', 'none', 'before-store', 'after-store'),
  }),
  { minLength: 1, maxLength: 40 },
)

/** The order that the rule asks of its caller, over a disk of one branch; gives what was signed. */
function signedBy(asked: readonly Request[], stored: number, fork: number): Witnessed[] {
  const signed: Witnessed[] = []
  let [size, last] = [0, undefined as Witnessed | undefined]
  for (const { branch, size: wanted, grow, crash } of asked) {
    size = Math.min(size + grow, SIZE_MAX)
    const here = leavesOf(stored, fork, size)
    const head = { size: wanted, root: rootOf(leavesOf(branch, fork, wanted)) }
    const at = (n: number) => (n > size ? null : rootOf(here, 0, n))
    const log = { last, size, rootAtLast: last ? at(last.size) : null, rootAtHead: at(wanted), frozen: false }
    if (cosignRefusal(log, head) !== null || crash === 'before-store') continue
    last = head // durable from here on
    if (crash !== 'after-store') signed.push(head)
  }
  return signed
}

it('property: whatever is asked and whenever the power goes, what was cosigned is one growing history', () => {
  let signatures = 0
  fc.assert(
    fc.property(
      requests,
      fc.integer({ min: 0, max: SIZE_MAX }),
      fc.integer({ min: 0, max: 1 }),
      (asked, fork, stored) => {
        const signed = signedBy(asked, stored, fork)
        signatures += signed.length
        for (const [i, { size, root }] of signed.entries()) {
          const before = signed[i - 1]
          if (before === undefined) continue
          assert.ok(size >= before.size, 'a size never goes back')
          const leaves = leavesOf(stored, fork, size)
          const ask = consistencyProof(before.size, size)
          const proof = answer(ask, ({ from, to }) => rootOf(leaves, from, to))
          assert.ok(verifyConsistency(before.size, before.root, size, root, proof), 'each extends the one before')
          if (size === before.size) assert.ok(equalBytes(root, before.root), 'no two roots under one size')
        }
      },
    ),
    { numRuns: 300 },
  )
  assert.ok(signatures > 100, `${signatures} signatures were compared`)
})

it.run()

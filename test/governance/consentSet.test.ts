/** A table's patients under one study: who is permitted, the root over it, what an erasure leaves; and the vault's records. */
import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { toHex, utf8 } from '../../src/core/bytes.ts'
import { sha256 } from '../../src/core/digest.ts'
import { consentOf } from '../../src/governance/consent.ts'
import { consentLeaf, historyOf, leafContext, leafSecrets } from '../../src/governance/consentLeaf.ts'
import { ConsentSet, leafAt, rootOver } from '../../src/governance/consentSet.ts'
import type { BareLeaf, Stand } from '../../src/governance/roundSets.ts'
import type { VaultBook, VaultSubject } from '../../src/governance/vaultBook.ts'
import { LeafTree } from '../../src/ledger/leafTree.ts'
import { Frontier } from '../../src/ledger/merkle.ts'
import { HOSPITAL, Kept, STUDY } from './keptBook.ts'

const it = suite('consent set')

const QUESTION = { id: STUDY, consent: { basis: 'opt-out', purposes: ['DUO:0000006'] } } as const

const namesOf = (count: number): string[] => Array.from({ length: count }, (_, i) => `MRN-${4_000 + 7 * i}`)
const tableOf = (records: readonly string[]) => ({ records, rows: Uint32Array.from(records, (_, i) => 1 + (i % 3)) })

/** By the definition: a leaf for each, sorted by tag, hashed as RFC 6962 says. */
function naiveRoot(book: VaultBook, table: ReturnType<typeof tableOf>, nowMs: number): string {
  const leaves = table.records.flatMap((record, i) => {
    const subject = book.subject(record)
    if (subject === undefined) return []
    const { tag, salt } = leafSecrets(subject.key, leafContext(STUDY, HOSPITAL))
    const decisions = subject.words.map(({ decision }) => decision)
    const { permitted } = consentOf(decisions, QUESTION, nowMs)
    const history = historyOf(subject.words.map(({ commitment }) => commitment))
    const leaf = consentLeaf({ tag, salt, permitted, rows: table.rows[i] as number, history })
    return [{ tag: toHex(tag), leaf }]
  })
  const frontier = new Frontier()
  for (const { leaf } of leaves.sort((a, b) => (a.tag < b.tag ? -1 : 1))) frontier.append(leaf)
  return toHex(frontier.root())
}

it('a tree whose leaves change has the root of RFC 6962 at every size', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 70 }), fc.array(fc.nat(69), { maxLength: 9 }), (size, changed) => {
      const hashes = Array.from({ length: size }, (_, i) => sha256(utf8(`leaf ${i}`)))
      const tree = new LeafTree(Buffer.concat(hashes).subarray() as Uint8Array)
      const indices = [...new Set(changed.filter((i) => i < size))].sort((a, b) => a - b)
      for (const i of indices) hashes[i] = sha256(utf8(`changed ${i}`))
      tree.update(indices, (i) => hashes[i] as Uint8Array)
      const frontier = new Frontier()
      for (const hash of hashes) frontier.append(hash)
      assert.is(toHex(tree.root()), toHex(frontier.root()))
    }),
  )
})

it('permissions and root are those of the definition after every word and at every time, and after a start', () => {
  const step = fc.record({
    who: fc.nat(8),
    decision: fc.constantFrom('permit' as const, 'deny' as const),
    after: fc.nat(300),
    waits: fc.nat(400),
    toMs: fc.option(fc.integer({ min: 100, max: 4_000 })),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
      const kept = new Kept()
      const table = tableOf(namesOf(9))
      kept.admit(...table.records)
      const set = new ConsentSet(QUESTION, HOSPITAL, table, kept.book)
      let now = 100
      assert.is(set.update(now).root, naiveRoot(kept.book, table, now))
      for (const { who, decision, after, waits, toMs } of steps) {
        kept.say(table.records[who] as string, decision, now, { effectiveAtMs: now + after, toMs })
        now += waits
        const before = [...set.permitted]
        const { root, moved } = set.update(now)
        assert.is(root, naiveRoot(kept.book, table, now))
        assert.is(
          moved,
          before.some((one, i) => one !== set.permitted[i]),
        )
      }
      const again = new Kept()
      again.keep(kept.records)
      const afterStart = new ConsentSet(QUESTION, HOSPITAL, table, again.book)
      assert.is(afterStart.update(now).root, set.update(now).root)
      assert.equal([...afterStart.permitted], [...set.permitted])
    }),
    { numRuns: 150 },
  )
})

/** Keeps a set as the daemon does, and gives its root. */
function settle(kept: Kept, table: ReturnType<typeof tableOf>, now: number) {
  const { root, changes } = new ConsentSet(QUESTION, HOSPITAL, table, kept.book).update(now)
  kept.keep([kept.book.sets.record({ study: STUDY, root, atMs: now }, changes)])
  return root
}

const leavesAt = (book: VaultBook, root: ReturnType<typeof settle>): BareLeaf[] =>
  [...(book.sets.at(STUDY, root) ?? [])].map(([number, stand]) =>
    'leaf' in stand ? stand : leafAt(book.bearing(number) as VaultSubject, STUDY, HOSPITAL, stand as Stand),
  )

it('the root of each set can be made again from the vault, before and after a patient was forgotten', () => {
  const kept = new Kept()
  const table = tableOf(namesOf(7))
  kept.admit(...table.records)
  const first = settle(kept, table, 100)
  kept.say('MRN-4014', 'deny', 200)
  kept.say('MRN-4021', 'deny', 200)
  const second = settle(kept, table, 300)
  assert.is.not(first, second)
  assert.is(rootOver(leavesAt(kept.book, first)), first)
  assert.is(rootOver(leavesAt(kept.book, second)), second)
  kept.forget('MRN-4014')
  assert.is(rootOver(leavesAt(kept.book, first)), first)
  assert.is(rootOver(leavesAt(kept.book, second)), second)
})

it('of who was forgotten neither record number, key, salt nor word is left, and the rows stay unused in an opt-out study', () => {
  const kept = new Kept()
  const table = tableOf(namesOf(5))
  kept.admit(...table.records)
  kept.say('MRN-4014', 'deny', 200)
  kept.say('MRN-4007', 'permit', 250)
  settle(kept, table, 300)
  const { key, words, number } = kept.book.subject('MRN-4014') as VaultSubject
  const secrets = [utf8('MRN-4014'), key, words[0]?.salt, words[0]?.commitment, words[0]?.bytes] as Uint8Array[]
  const tag = leafSecrets(key, leafContext(STUDY, HOSPITAL)).salt
  const holds = (bytes: Uint8Array): boolean =>
    kept.records.some((record) => Buffer.from(record).includes(Buffer.from(bytes)))
  assert.ok(secrets.filter((_, i) => i !== 3).every(holds), 'they were there')
  kept.forget('MRN-4014')
  assert.not.ok([...secrets, tag].some(holds))
  assert.is(kept.book.subject('MRN-4014'), undefined)
  assert.is(kept.book.bearing(number), undefined)
  assert.is(kept.book.isForgotten('MRN-4014'), true)
  assert.is(kept.book.isForgotten('MRN-4007'), false)
  kept.admit('MRN-4014', 'MRN-9')
  assert.is(kept.book.subject('MRN-4014'), undefined)
  const set = new ConsentSet(QUESTION, HOSPITAL, table, kept.book)
  set.update(400)
  assert.equal([...set.permitted], [1, 1, 0, 1, 1])
  assert.equal(kept.book.words, 2)
  assert.equal(kept.book.erasures, [{ number: 0, subjects: 1, reason: 'patient-request', atMs: 9_000 }])
  kept.say('MRN-9', 'deny', 500)
  assert.is(kept.book.subject('MRN-9')?.words[0]?.number, 2, 'numbers of words are never used again')
})

it.run()

/** What is opened to one patient: leaves that lie under the roots of rounds, and of nobody else. */
import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { fromHex, toHex } from '../../src/core/bytes.ts'
import { leafAt, rootOver } from '../../src/governance/consentSet.ts'
import type { BareLeaf, Stand } from '../../src/governance/roundSets.ts'
import { openingsOf, type SubjectOpening } from '../../src/governance/subjectOpening.ts'
import type { VaultSubject } from '../../src/governance/vaultBook.ts'
import { verifyInclusion } from '../../src/ledger/proof.ts'
import { HOSPITAL, Kept, STUDY } from './keptBook.ts'

const it = suite('subject opening')

const GONE: Stand = { permitted: false, rows: 0, words: 0 }

/** Keeps the set that differs from the one before in `changes`, as a desk would. */
function keepSet(kept: Kept, changes: Map<number, Stand>, atMs: number): void {
  const { sets } = kept.book
  const before = sets.of(STUDY).at(-1)
  const all = new Map<number, Stand | BareLeaf>(before === undefined ? [] : (sets.at(STUDY, before.root) ?? []))
  for (const [number, stand] of changes) {
    if (stand.rows === 0) all.delete(number)
    else all.set(number, stand)
  }
  const leaves = [...all].map(([number, stand]) => {
    return 'leaf' in stand ? stand : leafAt(kept.book.bearing(number) as VaultSubject, STUDY, HOSPITAL, stand)
  })
  kept.keep([sets.record({ study: STUDY, root: rootOver(leaves), atMs }, changes)])
}

function opened(kept: Kept, record: string, wanted: (root: string) => boolean = () => true): SubjectOpening[] {
  const asked = { study: STUDY, hospital: HOSPITAL, wanted }
  return [...openingsOf(kept.book, kept.book.subject(record) as VaultSubject, asked)]
}

/** Whether the patient's leaf, made of what is opened and the patient's own key and words, is under the root. */
function holds(kept: Kept, record: string, { index, size, path, root, ...stand }: SubjectOpening): boolean {
  const { leaf } = leafAt(kept.book.subject(record) as VaultSubject, STUDY, HOSPITAL, stand)
  return verifyInclusion(leaf, index, size, path, fromHex(root))
}

it('every set in which the patient was is opened, and its leaf is under its root: while patients come, speak, go and are forgotten', () => {
  const step = fc.record({ who: fc.nat(10), does: fc.constantFrom('says', 'goes', 'comes'), permitted: fc.boolean() })
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 14 }), fc.option(fc.nat(10)), (steps, forgotten) => {
      const kept = new Kept()
      const names = Array.from({ length: 11 }, (_, i) => `P-${3 * i}`)
      kept.admit(...names)
      keepSet(kept, new Map(names.map((_, i) => [i, { permitted: true, rows: 1 + (i % 3), words: 0 }])), 1_000)
      const inside = new Set(names.keys())
      const expected: number[] = [1_000]
      for (const [i, { who, does, permitted }] of steps.entries()) {
        if (does === 'goes') inside.delete(who)
        else inside.add(who)
        if (does === 'says') kept.say(names[who] as string, permitted ? 'permit' : 'deny', 2_000 + i)
        const words = kept.book.subject(names[who] as string)?.words.length ?? 0
        keepSet(kept, new Map([[who, does === 'goes' ? GONE : { permitted, rows: 2, words }]]), 2_000 + i)
        if (inside.has(7)) expected.push(2_000 + i)
      }
      if (forgotten !== null && forgotten !== 7) kept.forget(names[forgotten] as string)
      const found = opened(kept, names[7] as string)
      assert.equal(
        found.map(({ atMs }) => atMs),
        expected,
      )
      for (const one of found) assert.ok(holds(kept, names[7] as string, one), `set of ${one.atMs}`)
    }),
    { numRuns: 300 },
  )
})

it('a forged opening does not hold: other rows, another permission, a word less, another place or path', () => {
  const kept = new Kept()
  const names = Array.from({ length: 6 }, (_, i) => `P-${3 * i}`)
  kept.admit(...names)
  kept.say('P-6', 'permit', 900)
  kept.say('P-6', 'deny', 950)
  keepSet(kept, new Map(names.map((_, i) => [i, { permitted: i !== 2, rows: 3, words: i === 2 ? 2 : 0 }])), 1_000)
  const [one] = opened(kept, 'P-6') as [SubjectOpening]
  assert.ok(holds(kept, 'P-6', one))
  const forged: Partial<SubjectOpening>[] = [
    { permitted: true },
    { rows: 4 },
    { words: 1 },
    { index: one.index ^ 1 },
    { size: 3 * one.size },
    { path: one.path.slice(1) },
    { path: one.path.map((hash) => hash.map((byte, i) => (i === 5 ? byte ^ 4 : byte))) },
  ]
  for (const change of forged) assert.not.ok(holds(kept, 'P-6', { ...one, ...change }), JSON.stringify(change))
  assert.not.ok(holds(kept, 'P-9', one), 'of another patient')
  const others = names
    .filter((name) => name !== 'P-6')
    .map((name) => toHex((kept.book.subject(name) as VaultSubject).key))
  assert.not.ok(others.some((key) => JSON.stringify(one.path.map(toHex)).includes(key)))
})

it('sets that no round rests on are left out', () => {
  const kept = new Kept()
  kept.admit('P-1', 'P-2', 'P-3')
  keepSet(kept, new Map([0, 1, 2].map((i) => [i, { permitted: true, rows: 1, words: 0 }])), 1_000)
  kept.say('P-2', 'deny', 1_500)
  keepSet(kept, new Map([[1, { permitted: false, rows: 1, words: 1 }]]), 2_000)
  const last = kept.book.sets.of(STUDY).at(-1)?.root
  const found = opened(kept, 'P-2', (root) => root === last)
  assert.equal(
    found.map(({ atMs, permitted, words }) => [atMs, permitted, words]),
    [[2_000, false, 1]],
  )
})

it.run()

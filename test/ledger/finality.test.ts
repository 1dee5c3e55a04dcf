/** Finality as a count of votes: what liars among the witnesses can and cannot do for an author that signs two histories. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Digest, MemberId } from '../../src/core/ids.ts'
import { Finality } from '../../src/ledger/finality.ts'
import { quorum } from '../../src/ledger/founding.ts'

const it = suite('finality')

const membersOf = (n: number): MemberId[] => Array.from({ length: n }, (_, i) => `${i}`.padStart(64, '0') as MemberId)
const [LEFT, RIGHT] = ['aa', 'bb'].map((byte) => byte.repeat(32)) as [Digest, Digest]
const SIZE = 12

interface Split {
  readonly n: number
  /** Honest witnesses that saw the left head first; the others saw the right one. */
  readonly left: number
  readonly liars: number
}

/**
 * Everything that is signed where member 0 equivocates, the last `liars` sign both, and each honest one signs what it saw first; the
 * observer hears it in the given order. Gives the root that is final there.
 */
function observe({ n, left, liars }: Split, first: Digest): Digest | null {
  const members = membersOf(n)
  const [author, ...witnesses] = members as [MemberId, ...MemberId[]]
  const finality = new Finality(() => ({ epoch: 0, members: new Set(members), quorum: quorum(n) }))
  const honest = witnesses.length - liars
  for (const root of [first, first === LEFT ? RIGHT : LEFT])
    for (const [i, witness] of witnesses.entries()) {
      const signs = i >= honest || (i < left ? LEFT : RIGHT) === root
      if (signs) finality.noteCosigned({ author, size: SIZE, root }, witness)
    }
  return finality.final(author)?.root ?? null
}

for (const n of [4, 7, 10]) {
  const f = Math.floor((n - 1) / 3)

  it(`of ${n} members ${f} liars never make two heads final, at one observer or at two, however the honest ones split`, () => {
    // the author is one of the f: the liars among the witnesses are one fewer, and still none with all f
    for (let liars = 0; liars < f; liars++)
      for (let left = 0; left <= n - 1 - liars; left++) {
        const finals = [observe({ n, left, liars }, LEFT), observe({ n, left, liars }, RIGHT)]
        const roots = new Set(finals.filter((root) => root !== null))
        assert.ok(roots.size <= 1, `left ${left}, liars ${liars}: ${[...roots]}`)
      }
  })

  it(`of ${n} members ${f + 1} that sign both make a conflict, and the two quorums name at least 2k − n of them`, () => {
    const k = quorum(n)
    let conflicts = 0
    for (let left = 0; left <= n - 1 - f; left++) {
      const finals = new Set([observe({ n, left, liars: f }, LEFT), observe({ n, left, liars: f }, RIGHT)])
      if (finals.has(LEFT) && finals.has(RIGHT)) {
        conflicts++
        const honest = n - 1 - f
        const both = [left + f + 1, honest - left + f + 1] // signers of each, the author among them
        assert.ok(both.every((signers) => signers >= k))
        assert.ok(f + 1 >= 2 * k - n, 'who signed both are in both quorums')
      }
    }
    assert.ok(conflicts > 0, 'the bound is tight')
  })
}

const members = membersOf(5)
const [AUTHOR, BEN, CLEO, DAN, EVE] = members as [MemberId, MemberId, MemberId, MemberId, MemberId]
const ELECTORATE = { epoch: 0, members: new Set(members), quorum: 4 }
const at = (size: number, root = LEFT) => ({ author: AUTHOR, size, root })

it('the author counts once and its own cosignature not at all, strangers never, and nobody twice', () => {
  const finality = new Finality(() => ELECTORATE)
  for (const witness of [BEN, BEN, AUTHOR, 'f'.repeat(64) as MemberId, CLEO])
    assert.not.ok(finality.noteCosigned(at(3), witness))
  assert.equal(finality.signers(at(3)), [AUTHOR, BEN, CLEO])
  assert.ok(finality.noteCosigned(at(3), DAN))
  assert.equal(finality.final(AUTHOR), at(3))
  assert.not.ok(finality.noteCosigned(at(3), EVE), 'it becomes final once')
  assert.is(finality.replicas(AUTHOR, 3), 4, 'but who stored it is counted on')
})

it('an author that is no member any more adds no vote of its own', () => {
  const finality = new Finality(() => ({ epoch: 0, members: new Set([BEN, CLEO, DAN, EVE]), quorum: 3 }))
  assert.not.ok(finality.noteCosigned(at(3), BEN))
  assert.not.ok(finality.noteCosigned(at(3), CLEO))
  assert.ok(finality.noteCosigned(at(3), DAN))
})

it('where no epoch governs a size nothing counts', () => {
  const finality = new Finality((_, size) => (size < 5 ? ELECTORATE : null))
  for (const witness of [BEN, CLEO, DAN, EVE]) assert.not.ok(finality.noteCosigned(at(5), witness))
  assert.is(finality.replicas(AUTHOR, 1), 0)
})

it('what is final never goes back, and a smaller head is not collected any more', () => {
  const finality = new Finality(() => ELECTORATE)
  assert.ok(finality.noteFinal(at(9)))
  assert.not.ok(finality.noteFinal(at(9, RIGHT)))
  assert.not.ok(finality.noteFinal(at(4)))
  for (const witness of [BEN, CLEO, DAN, EVE]) assert.not.ok(finality.noteCosigned(at(8), witness))
  assert.equal([finality.final(AUTHOR), finality.signers(at(8))], [at(9), []])
})

it('one witness that signs a thousand roots and sizes leaves a few rows, and does not stop the newest head', () => {
  const finality = new Finality(() => ELECTORATE)
  for (let i = 0; i < 1_000; i++) finality.noteCosigned(at(3, `${i}`.padStart(64, '0') as Digest), BEN)
  assert.equal(finality.signers(at(3, '0'.repeat(64) as Digest)), [AUTHOR, BEN])
  assert.equal(finality.signers(at(3, '1'.padStart(64, '0') as Digest)), [], 'of two roots only the first counts')
  for (let size = 10; size < 1_000; size++) finality.noteCosigned(at(size), BEN)
  const kept = Array.from({ length: 1_000 }, (_, size) => size).filter((size) => finality.signers(at(size)).length > 0)
  assert.is(kept.length, 8)
  assert.is(kept.at(-1), 999)
  finality.noteCosigned(at(1_001), CLEO)
  finality.noteCosigned(at(1_001), DAN)
  assert.ok(finality.noteCosigned(at(1_001), EVE))
})

it.run()

/** Lists of randomisation: balanced blocks, the same out of the same seed for good, and no position that could be another. */
import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { toHex, utf8 } from '../../../src/core/bytes.ts'
import { sha256 } from '../../../src/core/digest.ts'
import {
  designCommitment,
  designFault,
  drawList,
  drawnAgain,
  type ListDesign,
  listTree,
  positionLeaf,
  positionSalt,
  standsIn,
} from '../../../src/governance/trials/randomisation.ts'

const it = suite('randomisation')
const seed = sha256(utf8('seed of the tests'))

const designs = fc
  .tuple(
    fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 2, maxLength: 4 }),
    fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 3 }),
  )
  .map(([ratios, times]): ListDesign => {
    const sum = ratios.reduce((total, ratio) => total + ratio, 0)
    return { ratios, blocks: times.map((time) => time * sum) }
  })
const seeds = fc.uint8Array({ minLength: 32, maxLength: 32 })

it('at the end of each block the arms stand in their ratio, whatever the seed', () => {
  fc.assert(
    fc.property(seeds, designs, fc.integer({ min: 1, max: 120 }), (key, design, size) => {
      const { arms, ends } = drawList(key, design, size)
      const sum = design.ratios.reduce((total, ratio) => total + ratio, 0)
      assert.ok(arms.length >= size && arms.length === ends.at(-1))
      for (const [i, end] of ends.entries()) {
        assert.ok(design.blocks.includes(end - (ends[i - 1] ?? 0)))
        for (const [arm, ratio] of design.ratios.entries())
          assert.is(arms.subarray(0, end).filter((one) => one === arm).length, (end / sum) * ratio)
      }
    }),
    { numRuns: 200 },
  )
})

it('the draw is frozen: whoever is given a seed in thirty years draws the same list', () => {
  const design = { ratios: [2, 1], blocks: [3, 6] }
  const drawn = drawList(seed, design, 12)
  assert.is([...drawn.arms].join(''), FROZEN.arms)
  assert.is(toHex(listTree(seed, drawn).root()), FROZEN.root)
  assert.is(toHex(designCommitment(seed, design)), FROZEN.design)
})

const FROZEN = {
  arms: '001001100100',
  root: 'd38947cee60aaad6f83a1449c7fa98fdd3548c5ebc2526f5ab67c6b1b2d35822',
  design: '2e8d4f8220de168a1f33155059a71baf68c622d27761b8b9ca866403b1c5abee',
}

it('of many lists each order of a block comes equally often', () => {
  const counts = new Map<string, number>()
  const draws = 6_000
  for (let i = 0; i < draws; i++) {
    const { arms } = drawList(sha256(utf8(`list ${i}`)), { ratios: [2, 2], blocks: [4] }, 4)
    const order = [...arms].join('')
    counts.set(order, (counts.get(order) ?? 0) + 1)
  }
  const expected = draws / 6
  const chiSquare = [...counts.values()].reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0)
  assert.is(counts.size, 6)
  assert.ok(chiSquare < 20.5, `χ² = ${chiSquare} with 5 degrees of freedom; 20.5 is passed once in a thousand`)
})

it('each position stands in the list at its own place alone, and as no other arm, salt or path', () => {
  const design = { ratios: [1, 1], blocks: [4, 6] }
  const drawn = drawList(seed, design, 23)
  const tree = listTree(seed, drawn)
  const list = { size: drawn.arms.length, root: tree.root() }
  for (const [position, arm] of drawn.arms.entries()) {
    const leaf = positionLeaf(positionSalt(seed, position), position, arm)
    const path = tree.path(position)
    assert.ok(standsIn(leaf, position, path, list))
    assert.not.ok(standsIn(positionLeaf(positionSalt(seed, position), position, 1 - arm), position, path, list))
    assert.not.ok(standsIn(positionLeaf(positionSalt(seed, position + 1), position, arm), position, path, list))
    assert.not.ok(standsIn(leaf, (position + 1) % list.size, path, list))
    assert.not.ok(standsIn(leaf, position, path.slice(1), list))
  }
})

it('any tampered part of what is unsealed is found', () => {
  fc.assert(
    fc.property(
      seeds,
      designs,
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 0, max: 31 }),
      (key, design, asked, at) => {
        const drawn = drawList(key, design, asked)
        const list = {
          size: drawn.arms.length,
          root: listTree(key, drawn).root(),
          design: designCommitment(key, design),
        }
        assert.equal(drawnAgain(key, design, list), drawn)
        const other = key.map((byte, i) => (i === at ? byte ^ 1 : byte))
        assert.type(drawnAgain(other, design, list), 'string', 'the seed')
        assert.type(
          drawnAgain(key, { ...design, blocks: [...design.blocks, ...design.blocks] }, list),
          'string',
          'the blocks',
        )
        assert.type(drawnAgain(key, design, { ...list, root: other }), 'string', 'the root')
        const longer = { ...list, size: list.size + 1 }
        assert.type(drawnAgain(key, design, longer), 'string', 'the size')
        const blocks = design.blocks.map((block) => block + 1)
        assert.type(
          drawnAgain(key, { ...design, blocks }, { ...list, design: designCommitment(key, { ...design, blocks }) }),
          'string',
        )
      },
    ),
    { numRuns: 60 },
  )
})

it('blocks that cannot hold the ratio are named', () => {
  assert.is(designFault({ ratios: [2, 1], blocks: [3, 6] }), null)
  assert.match(designFault({ ratios: [2, 1], blocks: [3, 4] }) ?? '', /^4 was given, multiples of 3 up to 64/)
  assert.match(designFault({ ratios: [1, 1], blocks: [66] }) ?? '', /^66 was given/)
})

it.run()

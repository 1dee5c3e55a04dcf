/** RFC 6962 proofs against the RFC's own recursion: same bytes, same verdicts, and no altered proof accepted. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { equalBytes, fromHex, toHex, utf8 } from '../../src/core/bytes.ts'
import { Rng } from '../../src/core/rng.ts'
import {
  answer,
  consistencyProof,
  inclusionProof,
  PROOF_HASHES_MAX,
  type Subtree,
  treeHash,
  verifyConsistency,
  verifyInclusion,
} from '../../src/ledger/proof.ts'
import { golden } from './goldenFile.ts'
import { consistencyFaults, type Fault, flipped, inclusionFaults } from './proofFaults.ts'
import {
  type Consistency,
  hash,
  type Inclusion,
  isConsistent,
  isIncluded,
  leafOf,
  ReferenceTree,
} from './proofReference.ts'

const it = suite('proof')

const SIZE_MAX = 300 // LEDGER §6 test 7
const NEIGHBOURS_MAX = 100 // wrong places are tried up to here: they cost as much as the right ones
const TREE = new ReferenceTree((i) => utf8(`leaf ${i * i}`))

const included = ({ leaf, index, size, proof, root }: Inclusion) => verifyInclusion(leaf, index, size, proof, root)
const consistent = ({ from, fromRoot, to, toRoot, proof }: Consistency) =>
  verifyConsistency(from, fromRoot, to, toRoot, proof)

/** Hashes for a maker of proofs, which may ask only for perfect subtrees. */
const hashOf =
  (tree: ReferenceTree) =>
  ({ from, to }: Subtree): Uint8Array => {
    const count = to - from
    assert.ok(
      count > 0 && Number.isInteger(Math.log2(count)) && from % count === 0,
      `${from} to ${to} is no perfect subtree`,
    )
    return tree.head(from, to)
  }
const made = (tree: ReferenceTree) => {
  const at = hashOf(tree)
  return {
    inclusion: (index: number, size: number): Inclusion => {
      const root = tree.head(0, size)
      return { leaf: tree.leaf(index), index, size, proof: answer(inclusionProof(index, size), at), root }
    },
    consistency: (from: number, to: number): Consistency => ({
      from,
      fromRoot: tree.head(0, from),
      to,
      toRoot: tree.head(0, to),
      proof: answer(consistencyProof(from, to), at),
    }),
  }
}
const same = (a: readonly Uint8Array[], b: readonly Uint8Array[]): boolean =>
  a.length === b.length && a.every((one, i) => equalBytes(one, b[i] as Uint8Array))

it(`proof: at all sizes to ${SIZE_MAX}, every leaf's path is that of the RFC, and is accepted for it and for no neighbour`, () => {
  const { inclusion } = made(TREE)
  for (let size = 1; size <= SIZE_MAX; size++) {
    assert.ok(equalBytes(answer(treeHash(0, size), hashOf(TREE)), TREE.head(0, size)), `root at ${size}`)
    for (let index = 0; index < size; index++) {
      const one = inclusion(index, size)
      if (!same(one.proof, TREE.path(index, 0, size))) assert.unreachable(`path of ${index} in ${size}`)
      if (!included(one)) assert.unreachable(`${index} in ${size} refused`)
      const other = { ...one, index: (index + 1) % size }
      if (size > 1 && size <= NEIGHBOURS_MAX && included(other))
        assert.unreachable(`${index} in ${size} accepted as ${other.index}`)
    }
  }
})

it(`proof: between all sizes to ${SIZE_MAX}, the consistency proof is that of the RFC, and is accepted for them and for no other start`, () => {
  const { consistency } = made(TREE)
  for (let to = 1; to <= SIZE_MAX; to++) {
    for (let from = 1; from <= to; from++) {
      const one = consistency(from, to)
      if (!same(one.proof, TREE.proof(from, to))) assert.unreachable(`proof from ${from} to ${to}`)
      if (!consistent(one)) assert.unreachable(`${from} to ${to} refused`)
      const other = { ...one, from: (from % to) + 1 }
      if (to > 1 && to <= NEIGHBOURS_MAX && consistent(other))
        assert.unreachable(`${from} to ${to} accepted from ${other.from}`)
    }
  }
})

const BIG = 2 ** 40
const ODD = new Set(Array.from({ length: 64 }, (_, i) => Rng.from('odd leaves', i).below(2 ** 30) * 1024 + i))
/** Trees of 2^40 leaves that need few hashes: of equal leaves, and of eight kinds that repeat, with 64 others strewn in. */
const BIG_TREES: readonly (readonly [name: string, tree: ReferenceTree])[] = [
  [
    'equal leaves',
    new ReferenceTree(
      () => utf8('leaf'),
      () => '',
    ),
  ],
  [
    'leaves that differ',
    new ReferenceTree(
      (i) => utf8(ODD.has(i) ? `odd ${i}` : `kind ${i % 8}`),
      (from, count) => {
        for (const odd of ODD) if (odd >= from && odd < from + count) return from
        return `kind ${count < 8 ? from % 8 : 0}`
      },
    ),
  ],
]

for (const [name, tree] of BIG_TREES) {
  it(`proof: 5,000 random proofs over up to 2^40 ${name} are those of the RFC and accepted; altered ones are not`, () => {
    const seed = Number(process.env.CONSILIUM_TEST_SEED ?? 1_207)
    const rng = Rng.from(`proofs of ${name}`, seed)
    const below = (n: number) => Math.floor(rng.float() * n)
    const odd = [...ODD]
    const { inclusion, consistency } = made(tree)
    for (let i = 0; i < 2_500; i++) {
      const size = 1 + below(2 ** (1 + below(40)))
      const near = odd[below(odd.length)] as number
      const index = i % 2 === 0 && near < size ? near : below(size)
      const from = 1 + below(size)
      const told = `CONSILIUM_TEST_SEED=${seed}, ${index} in ${size}, from ${from}`
      const [leaf, growth] = [inclusion(index, size), consistency(from, size)]
      assert.ok(same(leaf.proof, tree.path(index, 0, size)) && same(growth.proof, tree.proof(from, size)), told)
      assert.ok(included(leaf) && consistent(growth), told)
      const bit = below(256)
      const at = below(leaf.proof.length)
      const sibling = leaf.proof[at]
      assert.not(included({ ...leaf, leaf: flipped(leaf.leaf, bit) }), told)
      if (sibling !== undefined)
        assert.not(included({ ...leaf, proof: leaf.proof.with(at, flipped(sibling, bit)) }), told)
      assert.not(consistent({ ...growth, fromRoot: flipped(growth.fromRoot, bit) }), told)
      assert.not(consistent({ ...growth, toRoot: flipped(growth.toRoot, bit) }), told)
    }
  })
}

it('proof: the largest sizes are exact, to the last leaf of 2^53 − 1, and within the number of hashes that C2SP allows', () => {
  const tree = new ReferenceTree(
    () => utf8('leaf'),
    () => '',
  )
  const { inclusion, consistency } = made(tree)
  const size = Number.MAX_SAFE_INTEGER
  for (const index of [0, 1, 2 ** 31, 2 ** 32 + 1, 2 ** 52 - 1, 2 ** 52, size - 1]) {
    const one = inclusion(index, size)
    assert.ok(one.proof.length <= 53 && one.proof.length <= PROOF_HASHES_MAX)
    assert.ok(included(one) && isIncluded(one), `index ${index}`)
    const growth = consistency(index + 1, size)
    assert.ok(consistent(growth) && isConsistent(growth), `from ${index + 1}`)
  }
  assert.not(included({ ...inclusion(0, BIG), size: 2 ** 53 }))
})

const ALL_BITS = Array.from({ length: 256 }, (_, bit) => bit)
const FEW_BITS = [0, 100, 255]

/** Holds a table of faults against `accepts`; the reference must refuse each too, or the table is wrong. */
function noneAccepted<T>(
  told: string,
  faults: readonly Fault<T>[],
  accepts: (one: T) => boolean,
  reference: (one: T) => boolean,
) {
  for (const [name, altered] of faults) {
    if (reference(altered)) assert.unreachable(`${told}: ${name}: the reference accepts it: a wrong row`)
    if (accepts(altered)) assert.unreachable(`${told}: ${name}: accepted`)
  }
  return faults.length
}

it('proof: of every altered inclusion proof in trees of 1 to 20 leaves none is accepted', () => {
  const { inclusion } = made(TREE)
  let tried = 0
  for (let size = 1; size <= 20; size++) {
    for (let index = 0; index < size; index++) {
      const bits = size === 13 && index === 7 ? ALL_BITS : FEW_BITS
      const faults = inclusionFaults(inclusion(index, size), bits, TREE.path((index + 1) % size, 0, size))
      tried += noneAccepted(`${index} in ${size}`, faults, included, isIncluded)
    }
  }
  assert.ok(tried > 10_000, `only ${tried} faults`)
})

it('proof: of every altered consistency proof between trees of 1 to 20 leaves none is accepted', () => {
  const { consistency } = made(TREE)
  let tried = 0
  for (let to = 1; to <= 20; to++) {
    for (let from = 1; from <= to; from++) {
      const bits = to === 13 && from === 7 ? ALL_BITS : FEW_BITS
      const faults = consistencyFaults(consistency(from, to), bits, TREE.proof((from % to) + 1, to))
      tried += noneAccepted(`${from} to ${to}`, faults, consistent, isConsistent)
    }
  }
  assert.ok(tried > 10_000, `only ${tried} faults`)
})

/** With sizes that are lies a proof may still hold, for a root does not name its size; both verifiers must then say the same. */
it('proof: under any index and any sizes the verdict is that of the definition read backwards', () => {
  const { inclusion, consistency } = made(TREE)
  for (let size = 1; size <= 12; size++) {
    for (let given = 0; given < size; given++) {
      const leaf = inclusion(given, size)
      const growth = consistency(given + 1, size)
      for (let a = 0; a <= 18; a++) {
        for (let b = 0; b <= 18; b++) {
          const [moved, claimed] = [
            { ...leaf, index: a, size: b },
            { ...growth, from: a, to: b },
          ]
          if (included(moved) !== isIncluded(moved)) assert.unreachable(`${given} in ${size} as ${a} in ${b}`)
          if (consistent(claimed) !== isConsistent(claimed))
            assert.unreachable(`${given + 1} to ${size} as ${a} to ${b}`)
        }
      }
    }
  }
})

it('proof: a flood of hashes is refused unread', () => {
  const { inclusion, consistency } = made(TREE)
  const none = Object.defineProperty(new Uint8Array(0), 'length', {
    get: () => assert.unreachable('a hash was looked at'),
  })
  const flood = Array.from({ length: 100_000 }, () => none)
  assert.not(included({ ...inclusion(3, 7), proof: flood }))
  assert.not(consistent({ ...consistency(3, 7), proof: flood }))
})

it('proof: proofs that no tree has are never asked for', () => {
  for (const [index, size] of [
    [-1, 5],
    [5, 5],
    [0, 0],
    [0.5, 5],
    [Number.NaN, 5],
  ] as const)
    assert.throws(() => answer(inclusionProof(index, size), hashOf(TREE)), /invariant/, `${index} in ${size}`)
  for (const [from, to] of [
    [0, 5],
    [6, 5],
    [-1, 5],
    [1.5, 5],
    [Number.NaN, 5],
  ] as const)
    assert.throws(() => answer(consistencyProof(from, to), hashOf(TREE)), /invariant/, `${from} to ${to}`)
})

/**
 * Eight leaves whose hashes every implementation of Certificate Transparency shares: the constants of Google's certificate-transparency,
 * cpp/merkletree/merkle_tree_test.cc, today in transparency-dev/merkle, testonly/constants.go. By level, then from left to right.
 */
const CT_LEAVES = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f']
const CT_NODES = [
  [
    '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
    '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7',
    '0298d122906dcfc10892cb53a73992fc5b9f493ea4c9badb27b791b4127a7fe7',
    '07506a85fd9dd2f120eb694f86011e5bb4662e5c415a62917033d4a9624487e7',
    'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
    '4271a26be0d8a84f0bd54c8c302e7cb3a3b5d1fa6780a40bcce2873477dab658',
    'b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f',
    '46f6ffadd3d06a09ff3c5860d2755c8b9819db7df44251788c7d8e3180de8eb1',
  ],
  [
    'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
    '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
    '0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a',
    'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0',
  ],
  [
    'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
    '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4',
  ],
  ['5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328'],
]
const CT_ROOTS: Readonly<Record<number, string>> = {
  3: 'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  5: '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  6: '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  7: 'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
}
const ctNode = (level: number, at: number): string => CT_NODES[level]?.[at] as string
const ctRoot = (size: number): string => CT_ROOTS[size] ?? ctNode(Math.log2(size), 0)

it('proof: over the eight leaves of Certificate Transparency, proofs are made of the published hashes, for the published roots', () => {
  const at = ({ from, to }: Subtree): Uint8Array => fromHex(ctNode(Math.log2(to - from), from / (to - from)))
  for (const [i, leaf] of CT_LEAVES.entries()) assert.is(toHex(leafOf(fromHex(leaf))), ctNode(0, i))
  for (let size = 1; size <= 8; size++) assert.is(toHex(answer(treeHash(0, size), at)), ctRoot(size))
  const path = (index: number, size: number) => answer(inclusionProof(index, size), at)
  assert.equal(path(5, 8).map(toHex), [ctNode(0, 4), ctNode(1, 3), ctNode(2, 0)])
  assert.equal(path(2, 3).map(toHex), [ctNode(1, 0)])
  assert.equal(path(1, 5).map(toHex), [ctNode(0, 0), ctNode(1, 1), ctNode(0, 4)])
  assert.ok(verifyInclusion(fromHex(ctNode(0, 1)), 1, 5, path(1, 5), fromHex(ctRoot(5))))
  const growth = (from: number, to: number) => answer(consistencyProof(from, to), at)
  assert.equal(growth(1, 8).map(toHex), [ctNode(0, 1), ctNode(1, 1), ctNode(2, 1)])
  assert.equal(growth(6, 8).map(toHex), [ctNode(1, 2), ctNode(1, 3), ctNode(2, 0)])
  assert.equal(growth(2, 5).map(toHex), [ctNode(1, 1), ctNode(0, 4)])
  assert.ok(verifyConsistency(6, fromHex(ctRoot(6)), 8, fromHex(ctRoot(8)), growth(6, 8)))
})

/** The vectors that are kept: over the eight leaves, sound proofs, and of some of them every fault that short JSON can hold. */
function vectors(): { inclusion: object[]; consistency: object[] } {
  const tree = new ReferenceTree((i) => fromHex(CT_LEAVES[i] as string))
  const inclusionOf = (index: number, size: number): Inclusion => {
    return { leaf: tree.leaf(index), index, size, proof: tree.path(index, 0, size), root: tree.head(0, size) }
  }
  const consistencyOf = (from: number, to: number): Consistency => {
    return { from, fromRoot: tree.head(0, from), to, toRoot: tree.head(0, to), proof: tree.proof(from, to) }
  }
  const kept = <T extends Inclusion | Consistency>(base: string, sound: T, faults: readonly Fault<T>[]) =>
    [['sound', sound] as Fault<T>, ...faults]
      .filter(
        ([, one]) =>
          one.proof.length <= 7 && Object.values(one).every((v) => typeof v !== 'number' || Number.isInteger(v)),
      )
      .map(([name, { proof, ...rest }]) => {
        const fields = Object.entries(rest).map(([key, value]) => [
          key,
          value instanceof Uint8Array ? toHex(value) : value,
        ])
        return {
          name: `${base}: ${name}`,
          accepted: name === 'sound',
          ...Object.fromEntries(fields),
          proof: proof.map(toHex),
        }
      })
  const inclusion: object[] = []
  const consistency: object[] = []
  for (let size = 1; size <= 8; size++) {
    for (let at = 0; at < size; at++) {
      const [leaf, growth] = [inclusionOf(at, size), consistencyOf(at + 1, size)]
      const spoilt = [0, 5, 13, 29].includes((size * (size - 1)) / 2 + at) // 0 in 1, 2 in 3, 3 in 5, 1 in 8; 1 to 1, 3 to 3, 4 to 5, 2 to 8
      const wrong = spoilt ? inclusionFaults(leaf, [0, 255], tree.path((at + 1) % size, 0, size)) : []
      const broken = spoilt ? consistencyFaults(growth, [0, 255], tree.proof(((at + 1) % size) + 1, size)) : []
      inclusion.push(...kept(`${at} in ${size}`, leaf, wrong))
      consistency.push(...kept(`${at + 1} to ${size}`, growth, broken))
    }
  }
  return { inclusion, consistency }
}

const lines = (rows: readonly object[]): string => rows.map((row) => `  ${JSON.stringify(row)}`).join(',\n')
const { inclusion: INCLUSION, consistency: CONSISTENCY } = vectors()
const VECTORS = utf8(`{\n"inclusion": [\n${lines(INCLUSION)}\n],\n"consistency": [\n${lines(CONSISTENCY)}\n]\n}\n`)
const NAME = 'ledger-v1-merkle-proofs.json'

it(`proof: the reference gives ${NAME}, byte for byte`, () => {
  assert.is(toHex(hash(golden(NAME, VECTORS))), toHex(hash(VECTORS)))
})

it(`proof: every verdict in ${NAME} is ours too`, () => {
  type Row = { name: string; accepted: boolean; proof: string[] } & Record<string, never>
  const kept = JSON.parse(Buffer.from(golden(NAME, VECTORS)).toString('utf8')) as Record<string, Row[]>
  for (const { name, accepted, proof, leaf, index, size, root } of kept.inclusion as Row[]) {
    const verdict = verifyInclusion(
      fromHex(leaf as never),
      index as never,
      size as never,
      proof.map(fromHex),
      fromHex(root as never),
    )
    assert.is(verdict, accepted, name)
  }
  for (const { name, accepted, proof, from, fromRoot, to, toRoot } of kept.consistency as Row[]) {
    const verdict = verifyConsistency(
      from as never,
      fromHex(fromRoot as never),
      to as never,
      fromHex(toRoot as never),
      proof.map(fromHex),
    )
    assert.is(verdict, accepted, name)
  }
  assert.ok((kept.inclusion?.length ?? 0) > 98 && (kept.consistency?.length ?? 0) > 98)
})

it.run()

/** What can be wrong with a proof, as tables: each row alters one sound proof in one way, and none may be accepted. */
import { type Consistency, hash, type Inclusion } from './proofReference.ts'

export type Fault<T> = readonly [name: string, altered: T]

const ZERO = new Uint8Array(32)

/** `bytes` with one bit changed. */
export function flipped(bytes: Uint8Array, bit: number): Uint8Array {
  const copy = Uint8Array.from(bytes)
  copy[bit >> 3] = (copy[bit >> 3] as number) ^ (1 << (bit & 7))
  return copy
}

/** Every fault of `sound`; `bits` are those that are flipped in each hash, `other` a proof for another index of the same tree. */
export function inclusionFaults(
  sound: Inclusion,
  bits: readonly number[],
  other: readonly Uint8Array[],
): Fault<Inclusion>[] {
  const { leaf, index, size, root } = sound
  const rows: Fault<Partial<Inclusion>>[] = [
    ['index before', { index: index - 1 }],
    ['index after', { index: index + 1 }],
    ['index ^ 2', { index: index ^ 2 }],
    ['index == size', { index: size }],
    ['index beyond size', { index: size + index + 1 }],
    ['index is a fraction', { index: index + 0.5 }],
    ['size 0', { size: 0 }],
    ['size 0, index 0, no proof', { size: 0, index: 0, proof: [], root: hash() }],
    ['size == index', { size: index }],
    ['size × 2', { size: size * 2 }],
    ['size ÷ 2', { size: Math.floor(size / 2) }],
    ['size is negative', { size: -size }],
    ['size 2^53', { size: 2 ** 53 }],
    ['leaf of nothing', { leaf: hash() }],
    ['leaf cut short', { leaf: leaf.slice(0, 31) }],
    ['leaf and root cut short', { leaf: leaf.slice(0, 31), root: root.slice(0, 31) }],
    ['root of nothing', { root: hash() }],
    ['root of zeros', { root: ZERO }],
    ['root cut short', { root: root.slice(0, 31) }],
    ['root a byte longer', { root: Buffer.concat([root, ZERO.slice(0, 1)]) }],
    ...bits.map((bit): Fault<Partial<Inclusion>> => [`leaf, bit ${bit}`, { leaf: flipped(leaf, bit) }]),
    ...bits.map((bit): Fault<Partial<Inclusion>> => [`root, bit ${bit}`, { root: flipped(root, bit) }]),
    ...proofFaults(sound.proof, bits, [leaf, root]).map(
      ([name, proof]): Fault<Partial<Inclusion>> => [name, { proof }],
    ),
  ]
  if (size > 1) {
    rows.push(['leaf and root swapped', { leaf: root, root: leaf }], ['proof of another index', { proof: other }])
    const [sibling = ZERO, ...above] = sound.proof
    const moved = (left: Uint8Array, right: Uint8Array): [Uint8Array, Uint8Array] => [
      left.slice(0, 31),
      Buffer.concat([left.slice(31), right]),
    ]
    const [shortLeaf, longSibling] = moved(leaf, sibling) // what is hashed stays the same: only the lengths tell
    const [shortSibling, longLeaf] = moved(sibling, leaf)
    rows.push(['a byte moved from the leaf', { leaf: shortLeaf, proof: [longSibling, ...above] }])
    rows.push(['a byte moved to the leaf', { leaf: longLeaf, proof: [shortSibling, ...above] }])
    rows.push(['root is the leaf', { root: leaf }], ['root is the leaf, no proof', { root: leaf, proof: [] }])
  }
  return rows.map(([name, change]) => [name, { ...sound, ...change }])
}

/** Every fault of `sound`; `other` is a proof from another size to the same. */
export function consistencyFaults(
  sound: Consistency,
  bits: readonly number[],
  other: readonly Uint8Array[],
): Fault<Consistency>[] {
  const { from, fromRoot, to, toRoot } = sound
  const rows: Fault<Partial<Consistency>>[] = [
    ['from 0', { from: 0 }],
    ['from 0 with the root of nothing', { from: 0, fromRoot: hash() }],
    ['from 0 with the root of nothing, no proof', { from: 0, fromRoot: hash(), proof: [] }],
    ['from 0 to 0', { from: 0, to: 0, fromRoot: hash(), toRoot: hash(), proof: [] }],
    ['from less by 1', { from: from - 1 }],
    ['from more by 1', { from: from + 1 }],
    ['from ^ 2', { from: from ^ 2 }],
    ['from is a fraction', { from: from + 0.5 }],
    ['from beyond to', { from: to + 1 }],
    ['to × 2', { to: to * 2 }],
    ['to ÷ 2', { to: Math.floor(to / 2) }],
    ['to 0', { to: 0 }],
    ['to less than from', { to: from - 1 }],
    ['to 2^53', { to: 2 ** 53 }],
    ['old root of nothing', { fromRoot: hash() }],
    ['old root of zeros', { fromRoot: ZERO }],
    ['new root of nothing', { toRoot: hash() }],
    ['new root of zeros', { toRoot: ZERO }],
    ['old root cut short', { fromRoot: fromRoot.slice(0, 31) }],
    ['both roots cut short', { fromRoot: fromRoot.slice(0, 31), toRoot: toRoot.slice(0, 31) }],
    ['new root a byte longer', { toRoot: Buffer.concat([toRoot, ZERO.slice(0, 1)]) }],
    ...bits.map((bit): Fault<Partial<Consistency>> => [`old root, bit ${bit}`, { fromRoot: flipped(fromRoot, bit) }]),
    ...bits.map((bit): Fault<Partial<Consistency>> => [`new root, bit ${bit}`, { toRoot: flipped(toRoot, bit) }]),
    ...bits.map(
      (bit): Fault<Partial<Consistency>> => [
        `both roots, bit ${bit}`,
        { fromRoot: flipped(fromRoot, bit), toRoot: flipped(toRoot, bit), ...(from === to ? { proof: [ZERO] } : {}) },
      ],
    ),
    ...proofFaults(sound.proof, bits, [fromRoot, toRoot]).map(
      ([name, proof]): Fault<Partial<Consistency>> => [name, { proof }],
    ),
  ]
  if (from !== to) {
    rows.push(['swapped roots', { fromRoot: toRoot, toRoot: fromRoot }], ['proof from another size', { proof: other }])
    rows.push(['old root twice', { toRoot: fromRoot }], ['new root twice', { fromRoot: toRoot }])
    rows.push(
      ['sizes swapped', { from: to, to: from }],
      ['equal sizes, other roots, no proof', { from: to, proof: [] }],
    )
  }
  return rows.map(([name, change]) => [name, { ...sound, ...change }])
}

function proofFaults(
  proof: readonly Uint8Array[],
  bits: readonly number[],
  known: readonly [Uint8Array, Uint8Array],
): Fault<readonly Uint8Array[]>[] {
  const rows: Fault<readonly Uint8Array[]>[] = [
    ['trailing zeros', [...proof, ZERO]],
    ['trailing first hash', [...proof, known[0]]],
    ['trailing second hash', [...proof, known[1]]],
    ['trailing hash of nothing', [...proof, hash()]],
    ['trailing hash of no bytes', [...proof, new Uint8Array(0)]],
    ['preceding zeros', [ZERO, ...proof]],
    ['preceding first hash', [known[0], ...proof]],
    ['preceding second hash', [known[1], ...proof]],
    ['64 hashes', Array.from({ length: 64 }, (_, i) => proof[i] ?? ZERO)],
  ]
  if (proof.length > 0) rows.push(['no hash', []], ['every hash twice', proof.flatMap((one) => [one, one])])
  for (const [i, one] of proof.entries()) {
    for (const bit of bits) rows.push([`hash ${i}, bit ${bit}`, proof.with(i, flipped(one, bit))])
    rows.push([`hash ${i} removed`, proof.toSpliced(i, 1)])
    rows.push([`hash ${i} of zeros`, proof.with(i, ZERO)])
    rows.push([`hash ${i} cut short`, proof.with(i, one.slice(0, 31))])
    rows.push([`hash ${i} a byte longer`, proof.with(i, Buffer.concat([one, ZERO.slice(0, 1)]))])
    const next = proof[i + 1]
    if (next !== undefined) rows.push([`hashes ${i} and ${i + 1} swapped`, proof.with(i, next).with(i + 1, one)])
  }
  return rows
}

/** Members that publish garbage: what a node sends in place of its own update. */
import { weightsDigest } from '../../src/core/digest.ts'
import type { Digest, MemberId } from '../../src/core/ids.ts'
import type { UpdateHeader } from '../../src/gossip/update.ts'

/** One way to lie: each gives another reason to refuse. */
export type Lie = keyof typeof LIES

/** Who lies, and the ways, which take turns. */
export interface Liar {
  readonly node: number
  readonly lies: readonly Lie[]
}

/** What a node publishes in place of its own update: other weights, a lie, or nothing. `seen`: what it holds, its own too. */
export type Publisher = (situation: {
  readonly round: number
  readonly base: Float32Array
  readonly honest: Float32Array
  readonly seen: () => readonly Float32Array[]
}) => Float32Array | Lie | null

/** What a message says, and the weights that it stands for. */
export interface Content {
  readonly header: UpdateHeader
  readonly weights: Float32Array
}
type Make = (honest: Content, other: MemberId) => Content

/** An update with other weights, sound in itself. */
export const withWeights = (header: UpdateHeader, weights: Float32Array): Content => {
  return { header: { ...header, parameters: weights.length, digest: weightsDigest(weights) }, weights }
}

/** Every lie, by the reason for which an honest node refuses it. */
export const LIES = {
  'update-not-finite': ({ header, weights }) =>
    withWeights(
      header,
      weights.map((_, i) => (i % 3 === 0 ? Number.NaN : 1)),
    ),
  'update-norm': ({ header, weights }) =>
    withWeights(
      header,
      weights.map(() => 3e7),
    ),
  'update-shape': ({ header, weights }) => withWeights(header, new Float32Array(weights.length + 5).fill(0.25)),
  'update-digest': ({ header, weights }) => ({ header, weights: weights.map((weight) => weight + 7) }),
  'update-author': ({ header, weights }, other) => ({ header: { ...header, author: other }, weights }),
  'update-signature': (honest) => honest, // the signature is spoilt on the way out
  'update-without-examples': ({ header, weights }) => ({ header: { ...header, examples: 0 }, weights }),
  'round-beyond-end': ({ header, weights }) => ({ header: { ...header, round: 4_000_000_000 }, weights }),
  'scaling-differs': ({ header, weights }) => ({ header: { ...header, scaling: 'ab'.repeat(32) as Digest }, weights }),
} as const satisfies Record<string, Make>

/**
 * A list of randomisation: permuted blocks of sizes that are drawn too, all of it out of one seed, so that whoever is given the seed draws the
 * same list again (ICH E9 2.3.2). Until then the ledger has the root over its salted positions, which says nothing of any of them.
 */
import { concat, equalBytes, utf8 } from '../../core/bytes.ts'
import { encodeCbor } from '../../core/cbor.ts'
import { hmacSha256, taggedHash, taggedMessage } from '../../core/digest.ts'
import { LeafTree } from '../../ledger/leafTree.ts'
import { leafHash } from '../../ledger/merkle.ts'
import { verifyInclusion } from '../../ledger/proof.ts'
import { TRIAL_BOUNDS } from '../kinds/trials.ts'

/** How a list is drawn. `blocks`: sizes that are drawn from, each a multiple of the sum of `ratios`. */
export interface ListDesign {
  readonly ratios: readonly number[]
  readonly blocks: readonly number[]
}

/** A list as its holder has it: the arm of each position by its place among the arms, and where blocks end. */
export interface DrawnList {
  readonly arms: Uint8Array
  /** Positions after each block, the last one the size. */
  readonly ends: readonly number[]
}

const ORDER = utf8('order')
const SALT = utf8('salt')
const WORDS = 8 // of 32 bits in one HMAC

/** Whole blocks until there are `size` positions or more. */
export function drawList(seed: Uint8Array, { ratios, blocks }: ListDesign, size: number): DrawnList {
  const draw = new Draw(seed)
  const sum = ratios.reduce((total, ratio) => total + ratio, 0)
  const arms: number[] = []
  const ends: number[] = []
  while (arms.length < size) {
    const length = blocks[draw.below(blocks.length)] as number
    const block = ratios.flatMap((ratio, arm) => new Array<number>((length / sum) * ratio).fill(arm))
    for (let i = block.length - 1; i > 0; i--) {
      const j = draw.below(i + 1)
      const swap = block[i] as number
      block[i] = block[j] as number
      block[j] = swap
    }
    arms.push(...block)
    ends.push(arms.length)
  }
  return { arms: Uint8Array.from(arms), ends }
}

/** Why blocks are not those of a list with these ratios, or null. */
export function designFault({ ratios, blocks }: ListDesign): string | null {
  const sum = ratios.reduce((total, ratio) => total + ratio, 0)
  const wrong = blocks.find((block) => block % sum !== 0 || block > TRIAL_BOUNDS.blockMax || block < 2)
  if (wrong === undefined) return null
  return `${wrong} was given, multiples of ${sum} up to ${TRIAL_BOUNDS.blockMax} are allowed, for the arms are ${ratios.join(':')}`
}

/** What the ledger has of a design until the list is unsealed. */
export function designCommitment(seed: Uint8Array, { ratios, blocks }: ListDesign): Uint8Array {
  return taggedHash('trialDesign', seed, encodeCbor([ratios, blocks]))
}

/** The salt of a position; 32 bytes that say nothing of the seed. */
export function positionSalt(seed: Uint8Array, position: number): Uint8Array {
  return hmacSha256(seed, SALT, encodeCbor(position))
}

/** RFC 6962 leaf over salt, position and arm. */
export function positionLeaf(salt: Uint8Array, position: number, arm: number): Uint8Array {
  return leafHash(taggedMessage('trialLeaf', concat([salt, encodeCbor([position, arm])])))
}

/** The tree over all positions. */
export function listTree(seed: Uint8Array, { arms }: DrawnList): LeafTree {
  const leaves = new Uint8Array(arms.length * 32)
  for (const [i, arm] of arms.entries()) leaves.set(positionLeaf(positionSalt(seed, i), i, arm), i * 32)
  return new LeafTree(leaves)
}

/** What a list commits to. */
export interface Committed {
  readonly size: number
  readonly root: Uint8Array
}

/** Whether the leaf stands at that position of the list. */
export function standsIn(
  leaf: Uint8Array,
  position: number,
  path: readonly Uint8Array[],
  { size, root }: Committed,
): boolean {
  return verifyInclusion(leaf, position, size, path, root)
}

/** The list drawn again out of what was unsealed, or what is wrong with that. */
export function drawnAgain(
  seed: Uint8Array,
  design: ListDesign,
  committed: Committed & { readonly design: Uint8Array },
): DrawnList | string {
  const fault = designFault(design)
  if (fault !== null) return `its blocks: ${fault}`
  if (!equalBytes(designCommitment(seed, design), committed.design))
    return 'seed and blocks are not those that the list committed to'
  const drawn = drawList(seed, design, committed.size)
  if (drawn.arms.length !== committed.size)
    return `it has ${drawn.arms.length} positions drawn again, and ${committed.size} were declared`
  return equalBytes(listTree(seed, drawn).root(), committed.root) ? drawn : 'drawn again it has another root'
}

/** Words of HMAC-SHA-256(seed, "order" | counter), without bias. */
class Draw {
  readonly #seed: Uint8Array
  #view: DataView<ArrayBufferLike> = new DataView(new ArrayBuffer(0))
  #at = WORDS
  #counter = 0

  constructor(seed: Uint8Array) {
    this.#seed = seed
  }

  below(n: number): number {
    const limit = Math.floor(2 ** 32 / n) * n
    for (;;) {
      const x = this.#next()
      if (x < limit) return x % n
    }
  }

  #next(): number {
    if (this.#at === WORDS) {
      this.#view = new DataView(hmacSha256(this.#seed, ORDER, encodeCbor(this.#counter++)).buffer)
      this.#at = 0
    }
    return this.#view.getUint32(this.#at++ * 4)
  }
}

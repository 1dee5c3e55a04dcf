/** Who the simulated members are: their keys, and signatures that are real or only modelled. */
import { utf8 } from '../../src/core/bytes.ts'
import { sha256, taggedDigest } from '../../src/core/digest.ts'
import { type SigningKey, signingKey, verify } from '../../src/core/ed25519.ts'
import { compareIds, type Digest, type MemberId } from '../../src/core/ids.ts'
import { Rng } from '../../src/core/rng.ts'
import { formatNote, type Head, headText, originOf, parseHead, verifyHead } from '../../src/ledger/head.ts'

/** `modelled` signatures are 64 zero bytes that everybody believes: two fifths of the time of a run with `LinearLearner` are saved. */
export type Signatures = 'real' | 'modelled'

const MODELLED = new Uint8Array(64)

/** Who founded a consortium: its digest, and the members' keys, in any order. */
export interface Founders {
  readonly founding: Digest
  readonly keys: readonly SigningKey[]
}

/** Made up from a seed. */
export function seededFounders(seed: string, nodes: number): Founders {
  return {
    founding: taggedDigest('founding', utf8(`netsim ${seed}`)),
    keys: Array.from({ length: nodes }, (_, i) => signingKey(sha256(utf8(`netsim key ${seed} ${i}`)))),
  }
}

/** The consortium of a simulation; members are sorted by key, and nodes are numbered in that order. */
export class Identities {
  readonly founding: Digest
  readonly members: readonly MemberId[]
  readonly #keys: readonly SigningKey[]
  readonly #real: boolean
  /** Of each note in memory what it says: in a study of weeks one note is heard thousands of times. */
  readonly #read = new WeakMap<Uint8Array, { readonly head: Head; readonly signatureValid: boolean }>()

  constructor({ founding, keys }: Founders, signatures: Signatures) {
    this.founding = founding
    this.#keys = [...keys].sort((a, b) => compareIds(a.member, b.member))
    this.members = this.#keys.map((key) => key.member)
    this.#real = signatures === 'real'
  }

  memberOf(node: number): MemberId {
    return (this.#keys[node] as SigningKey).member
  }

  sign(node: number, message: Uint8Array): Uint8Array {
    return this.#real ? (this.#keys[node] as SigningKey).sign(message) : MODELLED
  }

  /** Whether `signature` is by `author`; a modelled one always is, unless it was spoilt. */
  verifies = (author: MemberId, message: Uint8Array, signature: Uint8Array): boolean => {
    return this.#real ? verify(author, message, signature) : signature.every((byte) => byte === 0)
  }

  /** The signed head of a node's own log. */
  signHead(node: number, size: number, root: Uint8Array): Uint8Array {
    const member = this.memberOf(node)
    const origin = originOf(this.founding, member)
    const text = headText(origin, size, root)
    return formatNote(text, origin, member, this.sign(node, utf8(text)))
  }

  /** What a note says, and whether its author signed it. */
  readHead(note: Uint8Array): { readonly head: Head; readonly signatureValid: boolean } {
    let read = this.#read.get(note)
    if (read === undefined) {
      const head = parseHead(note, this.founding)
      read = { head, signatureValid: this.#real ? verifyHead(head) : true }
      this.#read.set(note, read)
    }
    return read
  }
}

/** The salt of one entry. */
export function saltOf(seed: string, node: number, seq: number): Uint8Array {
  const rng = Rng.from('netsim salt', seed, node, seq)
  return Uint8Array.from({ length: 32 }, () => rng.below(256))
}

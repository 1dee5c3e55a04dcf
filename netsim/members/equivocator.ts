/** A member that signs two histories: a second disk whose own log has the same entries under other salts, shown to some of the others. */
import type { MemberId } from '../../src/core/ids.ts'
import { extend, rootAt } from '../../src/ledger/chain.ts'
import type { Draft } from '../../src/node/actions.ts'
import { Disk } from './disk.ts'
import { type Identities, saltOf } from './identity.ts'

/** Which node equivocates, and to which nodes it shows the second history. */
export interface Equivocator {
  readonly node: number
  readonly fools: readonly number[]
}

/** The second face of one node; it lasts over its restarts. */
export class Equivocation {
  readonly disk: Disk
  readonly #identities: Identities
  readonly #seed: string
  readonly #node: number
  readonly #fooled: ReadonlySet<MemberId>

  constructor(identities: Identities, seed: string, { node, fools }: Equivocator) {
    this.disk = new Disk(identities.members)
    this.#identities = identities
    this.#seed = `${seed} of the second history`
    this.#node = node
    this.#fooled = new Set(fools.map((other) => identities.memberOf(other)))
  }

  fools(member: MemberId): boolean {
    return this.#fooled.has(member)
  }

  /** The same entries, and another history. */
  commit(drafts: readonly Draft[]): void {
    for (let written = 0; written < drafts.length; ) {
      const { tip: before } = this.disk.log(this.#identities.memberOf(this.#node))
      const rest = drafts.slice(written)
      const salts = rest.map((_, i) => saltOf(this.#seed, this.#node, before.size + i))
      const { entries, tip } = extend(before, rest, salts, this.disk.lamport)
      this.disk.append(tip, entries, this.#identities.signHead(this.#node, tip.size, rootAt(tip)))
      written += entries.length
    }
  }
}

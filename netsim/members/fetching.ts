/** What a simulated node asks one other: its heads, a range of a log, or whether a log forks. */
import type { MemberId } from '../../src/core/ids.ts'
import type { Action } from '../../src/node/actions.ts'
import type { NodeEvent } from '../../src/node/events.ts'
import type { Disk } from './disk.ts'
import { forkBetween, takeFinals } from './forks.ts'
import type { Identities } from './identity.ts'
import type { Network, Port } from './network.ts'
import { takeFrames } from './replication.ts'
import { finalsBeyond } from './witness.ts'

type Of<T extends Action['type']> = Extract<Action, { type: T }>

export const EVIDENCE_BYTES = 282 // two signed heads, as the golden file has them
const FINAL_BYTES = 700 // a head and the signatures of a quorum

/** Another node, as far as it answers. */
export interface Answering extends Port {
  readonly disk: Disk
  /** What it shows to a member: liars show different things to different members. */
  diskFor(member: MemberId): Disk
}

/** What it works with. */
export interface FetchingParts<P extends Answering> {
  readonly self: MemberId
  readonly node: number
  readonly network: Network<P>
  readonly identities: Identities
  readonly disk: Disk
  readonly feed: (event: NodeEvent) => void
  readonly hearHead: (note: Uint8Array, from: MemberId) => void
  readonly hearFork: (author: MemberId, size: number) => void
  readonly isDead: () => boolean
}

export class Fetching<P extends Answering> {
  readonly #parts: FetchingParts<P>

  constructor(parts: FetchingParts<P>) {
    this.#parts = parts
  }

  askHeads(peer: MemberId): void {
    const { network, node, disk, self, feed, hearHead } = this.#parts
    const ask = (port: P) => ({ notes: port.diskFor(self).notes(), finals: finalsBeyond(port.disk, disk.finals) })
    const bytesOf = ({ notes, finals }: ReturnType<typeof ask>): number =>
      notes.reduce((sum, note) => sum + note.length, 0) + finals.length * FINAL_BYTES
    network.request(node, this.#numberOf(peer), ask, bytesOf, (told) => {
      if (told === null) return
      for (const note of told.notes) hearHead(note, peer)
      feed({ type: 'heads-told', from: peer })
      takeFinals(disk, told.finals, feed)
    })
  }

  /** Each frame is verified and stored by itself; a fetch ends at what was wanted, or fails. */
  replicate({ author, peer, to }: Of<'replicate'>): void {
    const { network, node, disk, self, feed, isDead } = this.#parts
    const from = disk.log(author).tip.size
    const ask = (port: P) => port.diskFor(self).frames(author, from)
    const bytesOf = (frames: ReturnType<typeof ask>): number =>
      frames.reduce((sum, { raws, note }) => raws.reduce((all, raw) => all + raw.length, sum + note.length), 0)
    network.request(node, this.#numberOf(peer), ask, bytesOf, (frames) => {
      if (isDead()) return
      const fault = frames === null ? 'stream-failed' : takeFrames(this.#parts, { self, author, peer, frames, feed })
      const code = fault ?? (disk.log(author).tip.size < to ? 'range-short' : null)
      if (code === null) return
      const blame = code.startsWith('range-') && code !== 'range-short'
      feed({ type: 'replication-failed', author, from: peer, code, blame })
    })
  }

  /** Both have what they hold under signed heads, so that the heads prove what the entries show. */
  examine({ author, peer }: Of<'examine-fork'>): void {
    const { network, node, disk, self, hearFork } = this.#parts
    const compare = (port: P) => forkBetween(disk, port.diskFor(self), author)
    const bytesOf = (): number => EVIDENCE_BYTES
    network.request(node, this.#numberOf(peer), compare, bytesOf, (size) => {
      if (size !== null) hearFork(author, size)
    })
  }

  #numberOf(member: MemberId): number {
    return this.#parts.identities.members.indexOf(member)
  }
}

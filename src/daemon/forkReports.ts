/** Answers about keys that contradict themselves: what is proven, what is kept of both histories, and what is not proven yet. */
import { toHex } from '../core/bytes.ts'
import type { Digest, MemberId } from '../core/ids.ts'
import type { Fork } from '../ledger/fork.ts'
import { rootOf, type VerifiedHead } from '../ledger/head.ts'
import type { EntryReport } from './api.ts'
import type { Daemon } from './daemon.ts'
import type {
  BranchReport,
  ContradictionReport,
  CosignerReport,
  ForkHeadReport,
  ForkReport,
  ForksReport,
} from './forkApi.ts'
import { memberOf } from './logFilter.ts'
import type { LogReader } from './logReader.ts'

/** Reads what is kept at this node. Calls may run side by side. */
export class ForkReports {
  readonly #daemon: Daemon
  readonly #reader: Pick<LogReader, 'report'>

  constructor(daemon: Daemon, reader: Pick<LogReader, 'report'>) {
    this.#daemon = daemon
    this.#reader = reader
  }

  /** Of all members, or of one. Error: `member-unknown`. */
  async forks(given: string | null): Promise<ForksReport> {
    const { forks, witness } = this.#daemon
    const only = given === null ? null : memberOf(this.#daemon, given)
    const isMeant = (member: MemberId) => only === null || member === only
    const proven = [...forks.known.values()].filter(({ author }) => isMeant(author))
    return {
      forks: await Promise.all(proven.map((fork) => this.#fork(fork))),
      cosigners: this.#cosigners().filter(({ member }) => isMeant(member as MemberId)),
      contradictions: [...witness.kept.contradicting.values()]
        .filter(({ log }) => isMeant(log.author))
        .map(({ log, note }): ContradictionReport => {
          const { author, size, root } = log
          const proven = forks.known.has(author)
          return { type: 'final', member: author, name: this.#name(author), size, root, note: textOf(note), proven }
        }),
    }
  }

  /** Every history of a member's log that is kept beside it. Error: `member-unknown`. */
  async branches(given: string): Promise<{ branches: BranchReport[] }> {
    const author = memberOf(this.#daemon, given)
    const { forks } = this.#daemon
    const sizes = new Map(forks.known.get(author)?.heads.map((head) => [rootOf(head), head.size]))
    const reports = forks.branches.view(author).map(async ({ root, from, complete }): Promise<BranchReport> => {
      const entries = await this.#entries(author, root)
      return { member: author, name: this.#name(author), size: sizes.get(root) ?? 0, root, from, complete, entries }
    })
    return { branches: await Promise.all(reports) }
  }

  /** None of them is final, whatever the entry of that number in the log is. */
  async #entries(author: MemberId, root: Digest): Promise<EntryReport[]> {
    const entries = await this.#daemon.forks.branches.entries(author, root)
    return entries.map((entry) => ({ ...this.#reader.report(entry), state: 'disputed' }))
  }

  async #fork(fork: Fork): Promise<ForkReport> {
    const { machine, witness } = this.#daemon
    const { author, heads, differWithin, evidence } = fork
    const finalSize = machine.finality.final(author)?.size ?? 0
    const contradicting = witness.kept.contradicting.get(author)?.log.size ?? 0
    const from = this.#daemon.forks.branches.view(author).find(({ entries }) => entries > 0)?.from ?? null
    return {
      type: 'signed',
      member: author,
      name: this.#name(author),
      differWithin,
      finalSize,
      possibleRestore: differWithin > Math.max(finalSize, contradicting),
      heads: await Promise.all(heads.map((head) => this.#head(head, from))),
      evidence: Buffer.from(evidence).toString('base64'),
    }
  }

  async #head(head: VerifiedHead, partsAt: number | null): Promise<ForkHeadReport> {
    const { forks, logs } = this.#daemon
    const said = { size: head.size, root: toHex(head.root), note: textOf(head.note) }
    if (await forks.branches.isHere(head)) {
      const entries = logs.sizeOf(head.author).size - (partsAt ?? 0)
      return { ...said, kept: 'log', from: partsAt, entries }
    }
    const branch = forks.branches.view(head.author).find(({ root }) => root === said.root)
    return branch === undefined
      ? { ...said, kept: null, from: null, entries: 0 }
      : { ...said, kept: 'branch', from: branch.from, entries: branch.entries }
  }

  #cosigners(): CosignerReport[] {
    return [...this.#daemon.forks.cosigners.known.values()].map(({ witness, author, size, statements, evidence }) => ({
      type: 'cosigned',
      member: witness,
      name: this.#name(witness),
      author,
      authorName: this.#name(author),
      size,
      roots: statements.map(({ root, cosignature }) => ({
        root: toHex(root),
        timeMs: cosignature.timeS * 1_000,
      })),
      evidence: Buffer.from(evidence).toString('base64'),
    }))
  }

  #name(member: MemberId): string {
    return this.#daemon.nameOf(member)
  }
}

function textOf(note: Uint8Array): string {
  return Buffer.from(note).toString('utf8')
}

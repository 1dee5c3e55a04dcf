/** Changes of the membership at this node: who may connect, the vote on the next epoch, and the epochs that have begun. */
import { setTimeout } from 'node:timers/promises'
import type { MemberId } from '../core/ids.ts'
import type { ChangeState } from '../governance/changes.ts'
import { type Epoch, Membership } from '../ledger/epoch.ts'
import type { LogStore } from '../ledger/store.ts'
import { parseAddress } from '../net/addresses.ts'
import type { Transport, Verdict } from '../net/transport.ts'
import type { Action } from '../node/actions.ts'
import type { LogSize, NodeEvent } from '../node/events.ts'
import { Ballot } from './ballot.ts'
import { parseConsortium, writeConsortium } from './consortiumFile.ts'
import { Epochs } from './epochs.ts'
import { EpochValues } from './epochValues.ts'
import { readText, writeAtomically } from './files.ts'
import type { Home } from './home.ts'
import type { Log } from './log.ts'
import type { Logs } from './logs.ts'
import { Turns } from './turns.ts'
import type { Witness } from './witness.ts'

const PARTING_MS = 1_000 // a message of the slot takes a few hops

/** What it works with. `changes` and `final` are the machine's. */
export interface ReconfigurationParts {
  readonly home: Home
  readonly store: LogStore
  readonly transport: Transport
  readonly logs: Logs
  readonly witness: Witness
  readonly changes: () => readonly ChangeState[]
  readonly final: (author: MemberId) => LogSize | null
  readonly publish: (message: Uint8Array) => void
  readonly feed: (event: NodeEvent) => void
  readonly onFailed: (error: unknown) => void
  readonly log: Log
}

/** One per daemon. */
export class Reconfiguration {
  readonly #parts: ReconfigurationParts
  readonly #ballot: Ballot
  readonly #epochs: Epochs
  readonly #turns = new Turns<'admit'>()

  constructor(parts: ReconfigurationParts) {
    this.#parts = parts
    const { home, store, publish, onFailed, log } = parts
    const { membership } = home
    const values = new EpochValues({ ...parts, self: home.key.id, membership })
    this.#ballot = new Ballot({
      ...{ key: home.key.signing, membership, store, values, publish, onFailed, log },
      onDecided: (record) => this.#epochs.take(record),
    })
    this.#epochs = new Epochs({
      ...{ ...parts, membership },
      save: (records) => this.#save(records),
      onBegun: () => this.#ballot.begun(),
    })
  }

  /** Lets the others ask for epochs. */
  serve(): Promise<void> {
    return this.#epochs.serve()
  }

  /** Takes up what `peer` knows of epochs; gives the number of the newest. Errors: those of `Epochs.ask`. */
  ask(peer: MemberId, signal: AbortSignal): Promise<number> {
    return this.#epochs.ask(peer, signal)
  }

  /** Nothing may be cosigned meanwhile. */
  get isVoting(): boolean {
    return this.#ballot.holds
  }

  /** A message of the slot. Errors: those of `Ballot.hear`. */
  hear(message: Uint8Array, author: MemberId): Promise<Verdict> {
    return this.#ballot.hear(message, author)
  }

  /** What the machine asks for. Never throws: what cannot be stored ends the node. */
  async carryOut(action: Extract<Action, { type: 'admit' | 'open-slot' | 'vote' }>): Promise<void> {
    try {
      await this.#carryOut(action)
    } catch (error) {
      this.#parts.onFailed(error)
    }
  }

  async #carryOut(action: Extract<Action, { type: 'admit' | 'open-slot' | 'vote' }>): Promise<void> {
    if (action.type === 'admit') return this.#turns.run('admit', () => this.#admit(action.members))
    if (action.type === 'vote') return this.#ballot.vote(action.epoch)
    const { epoch, again } = action
    if (await this.#ballot.open(epoch, again)) this.#parts.feed({ type: 'slot-opened', epoch })
  }

  close(): void {
    this.#ballot.close()
  }

  /** Who is to go is told of the decision first. */
  async #admit(members: readonly MemberId[]): Promise<void> {
    const { home, transport } = this.#parts
    if (transport.peers().some(({ member, connected }) => connected && !members.includes(member)))
      await setTimeout(PARTING_MS, undefined, { ref: false })
    const listed = new Map(home.consortium.members.map(({ key, addresses }) => [key, addresses]))
    await transport.setMembers(members.map((id) => ({ id, addresses: listed.get(id) ?? [] })))
  }

  /** The file as it is now gives the addresses, for they may have been corrected; a newcomer's are those that it announced. */
  async #save(records: readonly Uint8Array[]): Promise<void> {
    const { home, transport } = this.#parts
    const { consortium, paths } = home
    const { name } = consortium
    const listed = await readText(paths.consortium, 'consortium file', '').then(
      (text) => parseConsortium(text, paths.consortium).members,
      () => consortium.members,
    )
    const own = transport.addresses().map((text) => parseAddress('own address', text).address)
    const peers = [...transport.peers(), { member: home.key.id, addresses: own }]
    const announced = peers.map(({ member, addresses }) => [member, addresses] as const)
    const addresses = new Map([...announced, ...listed.map((one) => [one.key, one.addresses] as const)])
    const founders = (home.membership.epochs[0] as Epoch).members
    const membership = new Membership({ name, members: founders }, records)
    await writeAtomically(paths.consortium, writeConsortium(name, membership, addresses))
  }
}

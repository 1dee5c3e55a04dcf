/**
 * Changes of the membership at one node: which are proposed and approved, when it goes to vote in the decision slot of the next epoch,
 * and who may connect though it is no member yet. The slot itself is the shell's, for it holds the key.
 */
import { fromHex } from '../core/bytes.ts'
import type { MemberId } from '../core/ids.ts'
import {
  type Change,
  type ChangeState,
  Changes,
  changeBody,
  PROPOSALS_MAX,
  type Voices,
} from '../governance/changes.ts'
import type { Fact } from '../governance/studies.ts'
import type { Context } from './context.ts'
import type { NodeEvent } from './events.ts'
import { isSuspendCommand, SUSPENDED, type SuspendCommand, suspending } from './suspending.ts'

/** The commands about members. */
export type EpochCommand =
  | Extract<NodeEvent, { type: 'epoch-propose' | 'epoch-approve' | 'epoch-reject' }>
  | SuspendCommand

type Refusal = { readonly code: string; readonly message: string }

/** One per machine. */
export class Reconfiguring {
  readonly #context: Context
  readonly #changes: Changes
  /** The epoch whose slot the shell was asked to open, and the one that it votes in. */
  #openedFor = 0
  #votesFor = 0
  /** Whom the shell was told to let in last. */
  #admitted: readonly MemberId[]
  /** Something was said since that was looked at. */
  #changed = true
  /** As they are: asked for after every event, and many authors may have said much. */
  #states: ChangeState[] | null = null

  constructor(context: Context) {
    this.#context = context
    this.#changes = new Changes(context.self)
    this.#changes.begun(context.roll.number)
    this.#admitted = this.others()
  }

  fold(fact: Fact): void {
    const isOfKeys = this.#context.suspensions.fold(fact)
    if (!isOfKeys && !fact.kind.startsWith('epoch.')) return
    this.#changes.fold(fact)
    this.#look()
  }

  /** The next epoch as it is proposed: every change, the most approved first. */
  view(): readonly ChangeState[] {
    if (!this.#context.suspensions.isEmpty) this.#states = null // a way back counts as soon as it is final
    this.#states ??= this.#changes.states(this.#next, this.#context.roll.members, this.#voices)
    return this.#states
  }

  /** A key that is not to be trusted has a say in its own going, and in nothing else. */
  get #voices(): Voices {
    const context = this.#context
    return {
      isObserver: (member) => context.roll.isObserver(member),
      counts: (member, seq, { remove }) => context.trusts(member, seq) || remove.includes(member),
    }
  }

  /** All that may connect: the other members, and those whom this node's people want as members. Sorted as the roll is, newcomers last. */
  others(): MemberId[] {
    const { self, roll } = this.#context
    const coming = this.#own().flatMap(({ change }) => change.add.map(({ key }) => key))
    return [...new Set([...roll.members, ...coming])].filter((member) => member !== self)
  }

  /** Null where it is carried out. */
  command(event: EpochCommand): Refusal | null {
    const context = this.#context
    if (isSuspendCommand(event)) return suspending(event, context)
    if (!context.roll.isMember(context.self)) return refused('not-a-member', 'members alone change who is a member')
    if (event.type === 'epoch-propose') return this.#propose(event.change)
    const known = this.view().find(({ change }) => change.id === event.change)
    if (known === undefined)
      return refused('change-unknown', 'no such change is proposed for the next epoch: see "consilium members ls"')
    if (event.type === 'epoch-reject' && (this.#openedFor === this.#next || this.#changes.isVoting(this.#next)))
      return refused(
        'change-voting',
        'enough members approve, and this node is voting already: propose the opposite afterwards',
      )
    const isOwn = known.change.remove.includes(context.self)
    if (event.type === 'epoch-approve' && !isOwn && context.isSuspended(context.self)) return SUSPENDED
    const kind = event.type === 'epoch-approve' ? 'epoch.approved' : 'epoch.rejected'
    const body = { epoch: this.#next, change: fromHex(event.change) }
    context.record('change', [context.draft(kind, null, body)])
    return null
  }

  /** The shell keeps the slot's state durably: own votes may follow. */
  opened(epoch: number): void {
    const context = this.#context
    if (epoch !== this.#next) return
    const votes = this.#changes.isVoting(epoch) || !context.roll.isMember(context.self)
    if (votes) return this.#vote(epoch)
    context.record(TAG, [context.draft('epoch.voting', null, { epoch })])
  }

  /** Own entries are durable. */
  committed(tags: readonly string[]): void {
    if (tags.includes(TAG) && this.#openedFor === this.#next) this.#vote(this.#next)
  }

  /** An epoch has begun. False where this node was a member and is none any more. */
  begin({ call, digest }: Extract<NodeEvent, { type: 'epoch-begun' }>): boolean {
    const context = this.#context
    const { self, roll } = context
    const wasMember = roll.isMember(self)
    roll.begin(call)
    context.epochDigest = digest
    context.tell('info', 'epoch-begun', { epoch: call.number, members: call.members.length })
    if (wasMember && !roll.isMember(self)) return false
    this.#changes.begun(call.number)
    this.#look()
    context.record('epoch', [context.draft('epoch.begun', null, { epoch: call.number, digest: fromHex(digest) })])
    return true
  }

  /** `signs`: the boot fence is passed; a hospital that is not a member yet has nothing to fence. `admit` hears who may connect from now on. */
  advance(signs: boolean, admit: (others: readonly MemberId[]) => void): void {
    const context = this.#context
    if (this.#changed) this.#admit(admit)
    const votes = context.roll.isMember(context.self) ? signs : true
    if (!votes || this.#openedFor >= this.#next || !this.#own().some(({ approved }) => approved)) return
    this.#openedFor = this.#next
    context.out.push({ type: 'open-slot', epoch: this.#next, again: this.#changes.isVoting(this.#next) })
  }

  #look(): void {
    this.#changed = true
    this.#states = null
  }

  #admit(admit: (others: readonly MemberId[]) => void): void {
    this.#changed = false
    const others = this.others()
    if (others.join() === this.#admitted.join()) return
    this.#admitted = others
    admit(others)
    this.#context.out.push({ type: 'admit', members: others })
  }

  #propose(change: Change): Refusal | null {
    const context = this.#context
    if (context.isSuspended(context.self) && !change.remove.includes(context.self)) return SUSPENDED
    if (change.epoch !== this.#next)
      return refused('change-late', `epoch ${this.#next} is next, not ${change.epoch}: propose it again`)
    const id = fromHex(change.id)
    const known = this.view().find((one) => one.change.id === change.id)
    const own = this.view().filter(({ proposedBy }) => proposedBy.includes(context.self)).length
    if (known === undefined && own >= PROPOSALS_MAX)
      return refused(
        'changes-full',
        `this hospital has proposed ${own} changes for epoch ${change.epoch}, and no more are read: approve one of them, or let another member propose`,
      )
    const drafts = known === undefined ? [context.draft('epoch.proposed', null, changeBody(change))] : []
    if (!known?.approvedBy.includes(context.self))
      drafts.push(context.draft('epoch.approved', null, { epoch: change.epoch, change: id }))
    if (drafts.length > 0) context.record('change', drafts)
    return null
  }

  #vote(epoch: number): void {
    if (this.#votesFor >= epoch) return
    this.#votesFor = epoch
    this.#context.out.push({ type: 'vote', epoch })
  }

  /** What this node is for: what its people approve; or, of one that is no member yet, what would make it one. */
  #own(): ChangeState[] {
    const { self, roll } = this.#context
    const isMember = roll.isMember(self)
    return this.view().filter(({ change, approvedBy }) =>
      isMember ? approvedBy.includes(self) : change.add.some(({ key }) => key === self),
    )
  }

  get #next(): number {
    return this.#context.roll.number + 1
  }
}

const TAG = 'voting'

/** The members pinned another history of a log than the one that its author's key signed here. */
export const PIN_CONTRADICTED = 'pin-contradicted'

function refused(code: string, message: string): Refusal {
  return { code, message }
}

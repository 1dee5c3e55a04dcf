/** This node's part in the decision slot of the next epoch: its state on disk, its votes by gossip, its waits. */
import type { SigningKey } from '../core/ed25519.ts'
import { ConsiliumError, exhaustive, messageOf } from '../core/errors.ts'
import type { Digest, MemberId } from '../core/ids.ts'
import { type Epoch, encodeEpoch, epochSlot, type Membership } from '../ledger/epoch.ts'
import { Slot, type SlotAction, type SlotEvent } from '../ledger/slot.ts'
import { encodeMessage, type OpenedMessage, openMessage, type SlotRules, type Value } from '../ledger/slotMessage.ts'
import { decodeSlotState, encodeSlotState, FRESH, type SlotState } from '../ledger/slotState.ts'
import type { LogStore } from '../ledger/store.ts'
import { encodeEquivocation } from '../ledger/vote.ts'
import type { Verdict } from '../net/transport.ts'
import type { EpochValues } from './epochValues.ts'
import type { Log } from './log.ts'
import { Turns } from './turns.ts'

const JUDGE_AGAIN_MS = 1_000 // entries that a value pins are on their way
const STATE = 'slot/'

/** How long this node cosigns nothing for the vote, and lets the logs settle. */
export const BALLOT_TIMING = {
  roundMs: 20_000, // from a round's beginning: proposal and both votes take seconds
  preparedMs: 600_000, // while a value is known to be prepared: who was cut off between the votes is back by then, or finality goes on without
  settleMs: 3_000, // what was cosigned before the others stopped comes here before it is pinned
}

/** What a ballot works with. */
export interface BallotParts {
  readonly key: SigningKey
  readonly membership: Membership
  readonly store: Pick<LogStore, 'getState' | 'putState'>
  readonly values: Pick<EpochValues, 'offer' | 'judge'>
  readonly publish: (message: Uint8Array) => void
  /** The record of a decided epoch, checked. */
  readonly onDecided: (record: Uint8Array) => Promise<void>
  /** The store took no write: what was signed is unknown. */
  readonly onFailed: (error: unknown) => void
  readonly log: Log
}

/** The slot of the epoch after `before`. */
interface Running {
  readonly before: Epoch
  readonly slot: Slot
  readonly rules: SlotRules
  round: number
  /** A value is known to be prepared: it may be decided without this node. */
  prepared?: boolean
}

/** One per daemon. All that happens to the slot happens in turn, so that nothing is said before the state that it follows from is durable. */
export class Ballot {
  readonly #parts: BallotParts
  readonly #timing: typeof BALLOT_TIMING
  readonly #turns = new Turns<'slot'>()
  readonly #timers = new Set<ReturnType<typeof setTimeout>>()
  #running: Running | null = null
  #wake: ReturnType<typeof setTimeout> | undefined
  #release: ReturnType<typeof setTimeout> | undefined
  #closed = false
  #holds = false
  #holdUntilMs = 0
  /** How often it has let go: what was looked at before counts no more. */
  #letGoes = 0
  /** Values that this node would vote for while it holds. */
  readonly #accepted = new Set<Digest>()

  constructor(parts: BallotParts, timing: typeof BALLOT_TIMING = BALLOT_TIMING) {
    this.#parts = parts
    this.#timing = timing
  }

  /**
   * True while nothing may be cosigned. A value pins the logs, and nothing that this node cosigned may lie beyond its pins when it commits to
   * it: else two histories beyond a pin could become final, one with the members before and one with those after.
   */
  get holds(): boolean {
    return this.#holds
  }

  /**
   * Makes sure that the state of the slot is on disk. False where this node must not vote in it: `again` says that it has begun to, and
   * what it said then is lost.
   */
  open(epoch: number, again: boolean): Promise<boolean> {
    if (epoch === this.#parts.membership.current.number + 1) this.#hold(this.#timing.roundMs) // at once: it may have voted before a restart
    return this.#turns.run('slot', async () => {
      const { membership, store, log } = this.#parts
      if (epoch !== membership.current.number + 1) return false
      try {
        if ((await this.#saved(epochSlot(membership.current))) !== null) return true
      } catch (error) {
        if (!(error instanceof ConsiliumError)) throw error
        log('error', 'slot-abstained', { epoch, why: messageOf(error) })
        return false
      }
      if (again) {
        log('error', 'slot-abstained', { epoch, why: 'its state is lost: a second vote could contradict the first' })
        return false
      }
      await store.putState(new Map([[`${STATE}${epoch}`, encodeSlotState(FRESH, epoch)]]))
      return true
    })
  }

  /** Votes from here on. */
  async vote(epoch: number): Promise<void> {
    await this.#run(() => this.#turns.run('slot', () => this.#start(epoch)))
  }

  /** A message of the slot, by gossip: whether gossip is to carry it on. Errors: those of `openMessage`, `vote-author`; they blame the sender. */
  async hear(bytes: Uint8Array, author: MemberId): Promise<Verdict> {
    const { membership } = this.#parts
    const rules = epochSlot(membership.current)
    let message: OpenedMessage
    try {
      message = openMessage(bytes, rules)
    } catch (error) {
      // of another epoch: whoever is behind asks for the records with the next heads
      if (error instanceof ConsiliumError && error.code === 'slot-other') return 'ignore'
      throw error
    }
    const voter = voterOf(message)
    if (voter !== null && voter !== author)
      throw new ConsiliumError({ code: 'vote-author', message: 'the vote of another member', blame: 'reject' })
    if (message.type === 'certificate' && message.certificate.phase === 'commit') {
      await this.#decided(encodeEpoch(message.certificate))
      return 'accept'
    }
    await this.#run(() => this.#feed(message, rules))
    return 'accept'
  }

  /** The epoch has begun: its slot is over. */
  async begun(): Promise<void> {
    await this.#turns.run('slot', async () => {
      this.#end()
      const before = this.#parts.membership.current.number - 1
      if (before > 0) await this.#parts.store.putState(new Map([[`${STATE}${before}`, null]]))
    })
  }

  close(): void {
    this.#closed = true
    this.#end()
  }

  async #start(epoch: number): Promise<void> {
    const { membership, key } = this.#parts
    const before = membership.current
    if (this.#running !== null || epoch !== before.number + 1) return
    const rules = epochSlot(before)
    const slot = new Slot(rules, key, (await this.#saved(rules)) ?? FRESH)
    this.#running = { before, slot, rules, round: slot.state.round }
    await this.#carryOut(slot.start(Date.now()), this.#running)
    await this.#beginRound(this.#running)
  }

  /** Holds, lets the logs settle, then offers what they have come to. */
  async #beginRound(running: Running): Promise<void> {
    running.round = running.slot.state.round
    this.#hold(this.#timing.roundMs)
    await this.#carryOut(running.slot.step({ type: 'offer', value: null }, Date.now()), running)
    this.#later(this.#timing.settleMs, running, () => void this.#offer())
  }

  #hold(ms: number): void {
    const untilMs = Date.now() + ms
    if (this.#closed || (this.#holds && untilMs <= this.#holdUntilMs)) return
    this.#holdUntilMs = untilMs
    this.#holds = true
    clearTimeout(this.#release)
    this.#release = setTimeout(() => void this.#run(() => this.#letGo(untilMs)), ms)
  }

  /** What was accepted has to be looked at again, before anything is cosigned. `untilMs`: it held for that, and may hold for longer now. */
  async #letGo(untilMs: number): Promise<void> {
    await this.#turns.run('slot', async () => {
      const running = this.#running
      const digests = [...this.#accepted]
      this.#accepted.clear()
      if (running !== null) {
        for (const value of digests)
          await this.#carryOut(running.slot.step({ type: 'judged', value, accepted: null }, Date.now()), running)
        await this.#carryOut(running.slot.step({ type: 'offer', value: null }, Date.now()), running)
        if (running.slot.state.locked !== null)
          this.#parts.log('warn', 'vote-stuck', { epoch: running.rules.number, means: 'other voters are away' })
      }
      this.#letGoes++
      if (this.#holdUntilMs === untilMs) this.#holds = false // not by the clock, which may step
    })
  }

  #end(): void {
    this.#running = null
    this.#holds = false
    this.#holdUntilMs = 0
    this.#accepted.clear()
    clearTimeout(this.#release)
    clearTimeout(this.#wake)
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
  }

  async #saved(rules: SlotRules): Promise<SlotState | null> {
    const bytes = await this.#parts.store.getState(`${STATE}${rules.number}`)
    return bytes === undefined ? null : decodeSlotState(bytes, rules)
  }

  /**
   * `rules` are those that the event belongs to; of an epoch that has begun meanwhile nothing is heard. `letGoes`: what it says of a value was
   * so while this node held.
   */
  async #feed(given: SlotEvent, rules: SlotRules, letGoes = this.#letGoes): Promise<void> {
    await this.#turns.run('slot', async () => {
      const running = this.#running
      if (running === null || this.#closed || rules.number !== running.rules.number) return
      const stale = letGoes !== this.#letGoes || !this.#holds
      const event = stale ? withoutAcceptance(given) : given
      if (event.type === 'offer' && event.value !== null) this.#accepted.add(event.value.digest)
      if (event.type === 'judged' && event.accepted) this.#accepted.add(event.value)
      await this.#carryOut(running.slot.step(event, Date.now()), running)
      const { round, valid, locked } = running.slot.state
      if (round !== running.round) await this.#beginRound(running)
      if (!running.prepared && (valid !== null || locked !== null)) {
        running.prepared = true
        this.#hold(this.#timing.preparedMs)
      }
    })
  }

  async #carryOut(actions: readonly SlotAction[], running: Running): Promise<void> {
    for (const action of actions) {
      if (this.#closed) return // a timer set now would never be cleared
      await this.#do(action, running)
    }
  }

  async #do(action: SlotAction, { rules }: Running): Promise<void> {
    const { store, publish, log } = this.#parts
    switch (action.type) {
      case 'persist':
        return store.putState(new Map([[`${STATE}${rules.number}`, encodeSlotState(action.state, rules.number)]]))
      case 'broadcast':
        return publish(encodeMessage(action.message, rules.number))
      case 'judge':
        return void this.#judge(action.value)
      case 'decided':
        publish(encodeMessage({ type: 'certificate', certificate: action.certificate }, rules.number)) // for who leaves, and who did not vote
        return void this.#decided(encodeEpoch(action.certificate))
      case 'evidence': {
        const [{ voter, round, phase }] = action.equivocation
        const evidence = Buffer.from(encodeEquivocation(action.equivocation)).toString('base64')
        return log('warn', 'member-voted-twice', { member: voter, epoch: rules.number, round, phase, evidence })
      }
      case 'halted': {
        const { round, phase } = action.vote
        return log('error', 'slot-abstained', {
          epoch: rules.number,
          why: `a vote with this key came from elsewhere (round ${round}, ${phase}): it is in use twice, or this folder is an old copy`,
        })
      }
      case 'wake':
        clearTimeout(this.#wake)
        this.#wake = setTimeout(() => void this.#run(() => this.#feed({ type: 'wake' }, rules)), wait(action.atMs))
        return
      default:
        exhaustive(action)
    }
  }

  /** Entries that it pins may be on their way, for as long as this node holds for it. */
  async #judge(value: Value, again = false): Promise<void> {
    await this.#run(async () => {
      const running = this.#running
      if (running === null) return
      if (!again) this.#hold(this.#timing.roundMs) // before it looks at what it has cosigned
      const letGoes = this.#letGoes
      const accepted = this.#holds ? await this.#parts.values.judge(value, running.before) : false
      if (accepted !== null)
        return this.#feed({ type: 'judged', value: value.digest, accepted }, running.rules, letGoes)
      this.#later(JUDGE_AGAIN_MS, running, () => void this.#judge(value, true))
    })
  }

  /** What it proposes in its turn. */
  async #offer(): Promise<void> {
    await this.#run(async () => {
      const running = this.#running
      if (running === null) return
      if (!this.#holds) return
      const value = this.#parts.values.offer(running.before)
      if (value === null) return this.#later(this.#timing.settleMs, running, () => void this.#offer())
      await this.#feed({ type: 'offer', value }, running.rules)
    })
  }

  async #decided(record: Uint8Array): Promise<void> {
    await this.#run(() => this.#parts.onDecided(record))
  }

  /** Not where the slot is over by then. */
  #later(ms: number, running: Running, work: () => void): void {
    if (this.#closed || this.#running !== running) return
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      work()
    }, ms)
    this.#timers.add(timer)
  }

  async #run(work: () => Promise<void>): Promise<void> {
    try {
      if (!this.#closed) await work()
    } catch (error) {
      if (this.#closed) return
      this.close() // the slot is ahead of its stored state: what it would say again may never have been stored
      this.#parts.onFailed(error)
    }
  }
}

/** What was accepted before this node let go, and may have cosigned since, is to be looked at again. */
function withoutAcceptance(event: SlotEvent): SlotEvent {
  if (event.type === 'offer') return { ...event, value: null }
  return event.type === 'judged' && event.accepted ? { ...event, accepted: null } : event
}

function voterOf(message: OpenedMessage): MemberId | null {
  if (message.type === 'vote') return message.vote.voter
  return message.type === 'proposal' ? message.proposal.vote.voter : null
}

function wait(atMs: number): number {
  return Math.min(Math.max(0, atMs - Date.now()), 2 ** 31 - 1)
}

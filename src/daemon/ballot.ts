/** This node's part in the decision slot of the next epoch: its state on disk, its votes by gossip, its waits. */
import type { SigningKey } from '../core/ed25519.ts'
import { ConsiliumError, exhaustive, messageOf } from '../core/errors.ts'
import type { MemberId } from '../core/ids.ts'
import { type Epoch, encodeEpoch, epochSlot, type Membership } from '../ledger/epoch.ts'
import { Slot, type SlotAction, type SlotEvent } from '../ledger/slot.ts'
import { encodeMessage, type OpenedMessage, openMessage, type SlotRules, type Value } from '../ledger/slotMessage.ts'
import { decodeSlotState, encodeSlotState, FRESH, type SlotState } from '../ledger/slotState.ts'
import { RESEND_MS } from '../ledger/slotTimes.ts'
import type { LogStore } from '../ledger/store.ts'
import type { Verdict } from '../net/transport.ts'
import type { EpochValues } from './epochValues.ts'
import type { Log } from './log.ts'
import { Turns } from './turns.ts'

const JUDGE_AGAIN_MS = 1_000 // entries that a value pins are on their way
const STATE = 'slot/'

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
}

/** One per daemon. All that happens to the slot happens in turn, so that nothing is said before the state that it follows from is durable. */
export class Ballot {
  readonly #parts: BallotParts
  readonly #turns = new Turns<'slot'>()
  readonly #timers = new Set<ReturnType<typeof setTimeout>>()
  #running: Running | null = null
  #wake: ReturnType<typeof setTimeout> | undefined
  #closed = false

  constructor(parts: BallotParts) {
    this.#parts = parts
  }

  /**
   * Makes sure that the state of the slot is on disk. False where this node must not vote in it: `again` says that it has begun to, and
   * what it said then is lost.
   */
  open(epoch: number, again: boolean): Promise<boolean> {
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
    await this.#offer()
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
    this.#running = { before, slot, rules }
    await this.#carryOut(slot.start(Date.now()), this.#running)
  }

  #end(): void {
    this.#running = null
    clearTimeout(this.#wake)
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
  }

  async #saved(rules: SlotRules): Promise<SlotState | null> {
    const bytes = await this.#parts.store.getState(`${STATE}${rules.number}`)
    return bytes === undefined ? null : decodeSlotState(bytes, rules)
  }

  /** `rules` are those that the event belongs to; of an epoch that has begun meanwhile nothing is heard. */
  async #feed(event: SlotEvent, rules: SlotRules): Promise<void> {
    await this.#turns.run('slot', async () => {
      const running = this.#running
      if (running === null || this.#closed || rules.number !== running.rules.number) return
      await this.#carryOut(running.slot.step(event, Date.now()), running)
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
        return log('warn', 'member-voted-twice', { member: voter, epoch: rules.number, round, phase })
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

  async #judge(value: Value): Promise<void> {
    await this.#run(async () => {
      const running = this.#running
      if (running === null) return
      const accepted = await this.#parts.values.judge(value, running.before)
      if (accepted !== null) return this.#feed({ type: 'judged', value: value.digest, accepted }, running.rules)
      this.#later(JUDGE_AGAIN_MS, running, () => void this.#judge(value))
    })
  }

  /** What it proposes in its turn, anew from time to time: the logs go on meanwhile. */
  async #offer(): Promise<void> {
    await this.#run(async () => {
      const running = this.#running
      if (running === null) return
      await this.#feed({ type: 'offer', value: await this.#parts.values.offer(running.before) }, running.rules)
      this.#later(RESEND_MS, running, () => void this.#offer())
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

function voterOf(message: OpenedMessage): MemberId | null {
  if (message.type === 'vote') return message.vote.voter
  return message.type === 'proposal' ? message.proposal.vote.voter : null
}

function wait(atMs: number): number {
  return Math.min(Math.max(0, atMs - Date.now()), 2 ** 31 - 1)
}

/** Decision slots for tests: values that are labels, keys that sign at no cost, and random schedules with liars, losses and crashes. */
import * as assert from 'uvu/assert'
import { fromUtf8, toHex, utf8 } from '../../src/core/bytes.ts'
import { sha256 } from '../../src/core/digest.ts'
import type { SigningKey } from '../../src/core/ed25519.ts'
import { compareIds, type Digest, type MemberId, memberId } from '../../src/core/ids.ts'
import { Rng } from '../../src/core/rng.ts'
import { Slot, type SlotAction, type SlotEvent } from '../../src/ledger/slot.ts'
import {
  type Certificate,
  type OpenedMessage,
  proposerOf,
  type SlotMessage,
  type SlotRules,
  type Value,
} from '../../src/ledger/slotMessage.ts'
import { decodeSlotState, encodeSlotState, FRESH, type SlotState } from '../../src/ledger/slotState.ts'
import { jointQuorum, memberQuorum, type Phase, type Quorum, type Vote } from '../../src/ledger/vote.ts'
import { FOUNDING } from './fixtures.ts'

export const SLOT = 5
const UNSIGNED = new Uint8Array(64).fill(7)

/** Voter number i, whose key sorts as i does. */
export const voterOf = (i: number): MemberId => memberId((i + 1).toString(16).padStart(64, '0'))
export const votersOf = (count: number): MemberId[] => Array.from({ length: count }, (_, i) => voterOf(i))
/** Signs nothing: machines take messages that have been opened, and tests of machines make those themselves. */
export const stubKey = (member: MemberId): SigningKey => ({ member, sign: () => UNSIGNED })
export const opened = (message: SlotMessage): OpenedMessage => message as OpenedMessage

/** The value of a label; its content names, after a space, the voters that it adds and those that it removes: `v +7 -2`. */
export function labelled(label: string, members: readonly MemberId[]): Value {
  const changes = label.split(' ').slice(1)
  const numbers = (sign: string): MemberId[] =>
    changes.filter((change) => change.startsWith(sign)).map((change) => voterOf(Number(change.slice(1))))
  const gone = numbers('-')
  const next = [...members.filter((member) => !gone.includes(member)), ...numbers('+')]
  const quorum: Quorum = changes.length === 0 ? memberQuorum(members) : jointQuorum(members, next)
  return { digest: toHex(sha256(utf8(label))) as Digest, content: utf8(label), quorum }
}

export const labelOf = ({ content }: Pick<Value, 'content'>): string => fromUtf8(content)

export function rulesOf(members: readonly MemberId[], number = SLOT): SlotRules {
  const read = (content: Uint8Array): Value => labelled(fromUtf8(content), members)
  return { founding: FOUNDING, number, members: memberQuorum(members), read }
}

export function voteOf(voter: MemberId, phase: Phase, round: number, value: Value | null, slot = SLOT): Vote {
  return { slot, phase, round, value: value?.digest ?? null, validRound: null, voter, signature: UNSIGNED }
}

export function certificateOf(
  voters: Iterable<MemberId>,
  phase: 'prepare' | 'commit',
  round: number,
  value: Value,
): Certificate {
  const signatures = [...voters].sort(compareIds).map((voter) => ({ voter, signature: UNSIGNED }))
  return { phase, round, value, signatures }
}

/** A proposal by `voter`; with a certificate it is one of a value that was prepared before. */
export function proposalOf(
  voter: MemberId,
  round: number,
  value: Value,
  certificate: Certificate | null = null,
  slot = SLOT,
): SlotMessage & { type: 'proposal' } {
  const vote = { ...voteOf(voter, 'propose', round, value, slot), validRound: certificate?.round ?? null }
  return { type: 'proposal', proposal: { vote, value, certificate } }
}

/** What one random schedule is made of. */
export interface Schedule {
  readonly seed: string | number
  readonly members: number
  readonly liars: number
  /** Random steps before the faults stop. */
  readonly steps: number
  /** What honest voters offer, in turn; liars use any. */
  readonly labels: readonly string[]
  /** Voters after the members, for labels that add them. */
  readonly joiners?: number
}

export interface Outcome {
  readonly decided: string
  readonly rounds: number
  /** Liars of whom some honest voter gave out evidence. */
  readonly caught: number
  readonly restarts: number
}

interface Node {
  readonly voter: MemberId
  slot: Slot
  disk: SlotState
  now: number
  wakeAt: number
  offer: Value
  side: number
  decided: string | null
}

interface Flying {
  /** The sender's side when it was sent; null from liars, who reach everybody. */
  readonly side: number | null
  readonly to: Node
  readonly event: SlotEvent
}

const STABLE_STEPS_MAX = 40_000 // deliveries and time-outs after the faults have stopped; usual runs take some hundreds

const FLYING_MAX = 200 // messages under way: of more, any is lost
const BURST = 4 // messages that arrive in one step
const HOURS_MS = 5 * 3_600_000 // longer than any wait

/** One random schedule: asserts safety throughout, and liveness once the faults have stopped. */
export class Simulation {
  readonly #rng: Rng
  readonly #rules: SlotRules
  readonly #nodes: Node[]
  readonly #liars: MemberId[]
  readonly #values: Value[]
  readonly #schedule: Schedule
  readonly #flying: Flying[] = []
  /** Persons who have been asked and will answer. */
  #judging: { to: Node; value: Digest }[] = []
  /** Every vote that an honest voter has said, and those that the liars have made up: what liars build certificates from. */
  readonly #votes = new Map<string, Set<MemberId>>()
  readonly #said = new Map<string, string>()
  readonly #caught = new Set<MemberId>()
  #restarts = 0
  #stable = false
  readonly #liarsGoOn: boolean
  /** In hundredths; they differ from run to run. */
  readonly #lieShare: number
  readonly #wakeShare: number
  readonly #loss: number
  /** Where above 0, the honest voters are parted, anew with this chance in hundredths at each step. */
  readonly #partShare: number

  constructor(schedule: Schedule) {
    this.#schedule = schedule
    this.#rng = Rng.from('slot', schedule.seed)
    const members = votersOf(schedule.members)
    this.#rules = rulesOf(members, this.#rng.below(schedule.members))
    this.#values = schedule.labels.map((label) => labelled(label, members))
    const shuffled = this.#rng.shuffle(votersOf(schedule.members))
    this.#liars = shuffled.slice(0, schedule.liars)
    const honest = [
      ...shuffled.slice(schedule.liars),
      ...votersOf(schedule.members + (schedule.joiners ?? 0)).slice(schedule.members),
    ]
    this.#nodes = honest.sort(compareIds).map((voter) => this.#nodeOf(voter))
    this.#liarsGoOn = this.#rng.below(2) === 0
    this.#lieShare = 5 + this.#rng.below(30)
    this.#wakeShare = 1 + this.#rng.below(30)
    this.#loss = this.#rng.below(80)
    this.#partShare = this.#rng.below(3) === 0 ? 0 : 1 + this.#rng.below(4)
    for (const node of this.#nodes) this.#restart(node)
  }

  run(): Outcome {
    for (let i = 0; i < this.#schedule.steps; i++) this.#randomStep()
    this.#stable = true
    const latest = Math.max(...this.#nodes.map(({ now }) => now))
    for (const node of this.#nodes) node.now = latest
    let steps = 0
    while (this.#nodes.some(({ decided }) => decided === null)) {
      if (steps++ > STABLE_STEPS_MAX) assert.unreachable(`no decision: ${this.describe()}`)
      this.#stableStep()
    }
    return {
      decided: this.#nodes[0]?.decided as string,
      rounds: Math.max(...this.#nodes.map(({ slot }) => slot.state.decided?.round ?? 0)),
      caught: this.#caught.size,
      restarts: this.#restarts,
    }
  }

  describe(): string {
    const of = ({ slot }: Node): string => {
      const { round, prepare, commit, locked, valid, decided } = slot.state
      return JSON.stringify([round, prepare?.value, commit?.value, locked, valid?.round, decided?.round])
    }
    return `seed ${this.#schedule.seed}: ${this.#nodes.map(of).join(' ')}`
  }

  #nodeOf(voter: MemberId): Node {
    const offer = this.#pick(this.#values)
    const slot = new Slot(this.#rules, stubKey(voter))
    return { voter, slot, disk: FRESH, now: 0, wakeAt: Infinity, offer, side: 0, decided: null }
  }

  #randomStep(): void {
    if (this.#rng.below(3) === 0) this.#answer()
    if (this.#rng.below(100) < this.#partShare) this.#part()
    const dice = this.#rng.below(100)
    if (dice < this.#lieShare) return this.#lie()
    const node = this.#pick(this.#nodes)
    if (dice < this.#lieShare + this.#wakeShare) return this.#wake(node)
    if (dice === 99) return this.#restart(node)
    for (let i = 0; i < BURST; i++) this.#deliver(this.#rng.below(100) >= this.#loss)
  }

  #stableStep(): void {
    this.#answer()
    if (this.#liarsGoOn && this.#rng.below(20) === 0) this.#lie()
    if (this.#flying.length > 0) return this.#deliver(true)
    const next = Math.min(...this.#nodes.map(({ wakeAt }) => wakeAt))
    for (const node of this.#nodes) {
      node.now = Math.max(node.now, next)
      if (node.wakeAt <= next) this.#do(node, node.slot.step({ type: 'wake' }, node.now))
    }
  }

  /** One of the messages that are under way, which may stay under way as well, or get lost. */
  #deliver(arrives: boolean): void {
    if (this.#flying.length === 0) return
    const i = this.#rng.below(this.#flying.length)
    const chosen = this.#flying[i] as Flying
    const last = this.#flying.pop() as Flying
    if (i < this.#flying.length) this.#flying[i] = last
    if (!this.#stable && this.#rng.below(10) === 0) this.#send(chosen.to, chosen.event, chosen.side)
    const heard = this.#stable || chosen.side === null || chosen.side === chosen.to.side
    if ((arrives && heard) || chosen.event.type === 'judged')
      this.#do(chosen.to, chosen.to.slot.step(chosen.event, chosen.to.now))
  }

  #send(to: Node, event: SlotEvent, side: number | null = null): void {
    if (this.#flying.length < FLYING_MAX) this.#flying.push({ to, event, side })
    else this.#flying[this.#rng.below(FLYING_MAX)] = { to, event, side }
  }

  /** New sides; whoever waited on the old ones has waited long enough. */
  #part(): void {
    for (const node of this.#nodes) {
      node.side = this.#rng.below(2)
      for (let i = this.#rng.below(4); i > 0; i--) this.#wake(node) // each ends a wait
    }
  }

  #answer(): void {
    const answers = this.#judging
    this.#judging = []
    for (const { to, value } of answers) this.#do(to, to.slot.step({ type: 'judged', value, accepted: true }, to.now))
  }

  #wake(node: Node): void {
    if (node.wakeAt === Infinity) return
    const late = this.#rng.below(2) === 0 ? 0 : HOURS_MS // a clock that runs ahead: every wait is over
    node.now = Math.max(node.now, node.wakeAt) + late
    this.#do(node, node.slot.step({ type: 'wake' }, node.now))
  }

  /** From what is on the disk, now and then in the bytes in which it is kept. */
  #restart(node: Node): void {
    this.#restarts++
    const { number } = this.#rules
    if (this.#rng.below(4) === 0) node.disk = decodeSlotState(encodeSlotState(node.disk, number), this.#rules)
    node.slot = new Slot(this.#rules, stubKey(node.voter), node.disk)
    node.wakeAt = Infinity
    this.#do(node, node.slot.start(node.now))
    this.#do(node, node.slot.step({ type: 'offer', value: node.offer }, node.now))
  }

  /** Carries out actions in order; before the faults stop, a crash may come between any two. */
  #do(node: Node, actions: readonly SlotAction[]): void {
    const slot = node.slot
    for (const action of actions) {
      if (!this.#stable && this.#rng.below(200) === 0) return this.#restart(node)
      this.#doOne(node, action)
      if (node.slot !== slot) return
    }
  }

  #doOne(node: Node, action: SlotAction): void {
    if (action.type === 'persist') node.disk = action.state
    else if (action.type === 'wake') node.wakeAt = action.atMs
    else if (action.type === 'evidence') this.#onEvidence(action.equivocation)
    else if (action.type === 'judge') this.#judging.push({ to: node, value: action.value.digest })
    else if (action.type === 'decided') this.#onDecided(node, action.certificate)
    else if (action.type === 'broadcast') this.#onBroadcast(node, action.message)
    else assert.unreachable(`an honest voter halted: ${this.describe()}`)
  }

  #onEvidence([one, other]: readonly [Vote, Vote]): void {
    if (!this.#liars.includes(one.voter)) assert.unreachable(`evidence against an honest voter: ${this.describe()}`)
    assert.ok(one.value !== other.value || one.validRound !== other.validRound)
    this.#caught.add(one.voter)
  }

  #onDecided(node: Node, { value, phase, signatures }: Certificate): void {
    const label = labelOf(value)
    assert.is(phase, 'commit')
    const voters = signatures.map(({ voter }) => voter)
    assert.equal(voters, [...new Set(voters)].sort(compareIds), 'each once, in order')
    assert.ok(value.quorum.reached(new Set(voters)))
    node.decided = label
    node.wakeAt = Infinity
    const labels = new Set(this.#nodes.flatMap(({ decided }) => decided ?? []))
    if (labels.size !== 1) assert.unreachable(`decided ${[...labels].join(' and ')}: ${this.describe()}`)
  }

  #onBroadcast(from: Node, message: SlotMessage): void {
    if (message.type !== 'certificate')
      this.#checkSaid(from, message.type === 'vote' ? message.vote : message.proposal.vote)
    if (message.type === 'vote') this.#note(message.vote)
    for (const to of this.#nodes) if (to !== from) this.#send(to, opened(message), from.side)
  }

  #checkSaid({ voter }: Node, vote: Vote): void {
    assert.is(vote.voter, voter)
    const place = `${voter} ${vote.phase} ${vote.round}`
    const said = `${vote.value} ${vote.validRound}`
    if ((this.#said.get(place) ?? said) !== said) assert.unreachable(`said two things: ${this.describe()}`)
    this.#said.set(place, said)
  }

  #note({ phase, round, value, voter }: Vote): void {
    const key = `${phase} ${round} ${value}`
    this.#votes.set(key, (this.#votes.get(key) ?? new Set()).add(voter))
  }

  /** A liar says anything to one or some: votes, proposals out of the blue, or certificates that it has but should not keep to itself. */
  #lie(): void {
    if (this.#liars.length === 0) return
    const liar = this.#pick(this.#liars)
    const round = Math.max(0, this.#pick(this.#nodes).slot.state.round + this.#rng.below(4) - 2)
    const value = this.#pick(this.#values)
    if (this.#rng.below(2) === 0) return this.#lead(value)
    const message = this.#lieOf(liar, round, value)
    for (const to of this.#nodes) if (this.#rng.below(2) === 0) this.#send(to, opened(message))
  }

  /** Liars take one side along: in their turn they propose anything to it, and vote for what one of it is for; few honest voters are enough then. */
  #lead(value: Value): void {
    const { slot, side } = this.#pick(this.#nodes)
    const { round, prepare, commit } = slot.state
    const turn = this.#liars.find((liar) => liar === proposerOf(this.#rules, round))
    const said: SlotMessage[] = [prepare, commit].flatMap((vote) =>
      this.#liars.flatMap((voter) => (vote === null ? [] : { type: 'vote', vote: { ...vote, voter } })),
    )
    if (turn !== undefined && prepare === null) said.push(proposalOf(turn, round, value, null, this.#rules.number))
    for (const to of this.#nodes.filter((node) => node.side === side))
      for (const message of said) this.#do(to, to.slot.step(opened(message), to.now))
  }

  #lieOf(liar: MemberId, round: number, value: Value): SlotMessage {
    const { number } = this.#rules
    const turn = this.#liars.find((one) => one === proposerOf(this.#rules, round))
    if (turn !== undefined && this.#rng.below(2) === 0) {
      const before = this.#rng.below(2) === 0 ? this.#collected('prepare', this.#rng.below(round + 1), value) : null
      return proposalOf(turn, round, value, before !== null && before.round < round ? before : null, number)
    }
    const phase = this.#rng.below(2) === 0 ? 'prepare' : 'commit'
    const certificate = this.#rng.below(8) === 0 ? this.#collected(phase, round, value) : null
    if (certificate !== null) return { type: 'certificate', certificate }
    const vote = voteOf(liar, phase, round, this.#rng.below(6) === 0 ? null : value, number)
    return { type: 'vote', vote }
  }

  /** A certificate from what honest voters have said and all that liars could add. */
  #collected(phase: 'prepare' | 'commit', round: number, value: Value): Certificate | null {
    const said = this.#votes.get(`${phase} ${round} ${value.digest}`) ?? new Set()
    const voters = new Set([...said, ...this.#liars].filter((voter) => value.quorum.voters.includes(voter)))
    return value.quorum.reached(voters) ? certificateOf(voters, phase, round, value) : null
  }

  #pick<T>(items: readonly T[]): T {
    return items[this.#rng.below(items.length)] as T
  }
}

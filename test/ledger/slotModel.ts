/**
 * Every schedule of one decision slot up to a depth, states that were met before left out: three honest voters and a liar, who
 * says anything to anybody. A step gives one voter some of the votes of one phase and round, or a proposal, a
 * certificate, the end of a wait, or a restart. Steps after which the voter says and waits for the same as before are left out: what
 * they gave can as well be given later, for nothing that was said is ever lost.
 */
import * as assert from 'uvu/assert'
import { toHex } from '../../src/core/bytes.ts'
import type { MemberId } from '../../src/core/ids.ts'
import { Slot, type SlotAction, type SlotEvent } from '../../src/ledger/slot.ts'
import {
  encodeMessage,
  proposerOf,
  type SlotMessage,
  type SlotRules,
  type Value,
} from '../../src/ledger/slotMessage.ts'
import { FRESH, type SlotState } from '../../src/ledger/slotState.ts'
import type { Phase } from '../../src/ledger/vote.ts'
import { labelled, labelOf, opened, proposalOf, rulesOf, stubKey, voteOf, votersOf } from './slotKit.ts'

const VOTERS = votersOf(4)
const LIAR = VOTERS[0] as MemberId
const HONEST = VOTERS.slice(1)
const VALUES = ['v', 'w'].map((label) => labelled(label, VOTERS))

/** What happens to one honest voter: messages, by their numbers, or something else. */
type Step = readonly number[] | 'wait over' | 'restart'

/** One state of one honest voter, with how it was reached and where each step leads. */
interface Local {
  readonly id: number
  readonly voter: MemberId
  readonly history: readonly Step[]
  readonly decided: string | null
  readonly state: SlotState
  readonly waits: readonly Phase[]
  /** By the step as text. */
  readonly next: Map<string, Option>
}

/** One step of one voter: where it leads, what is said on the way, and what others can notice of the state. */
interface Option {
  readonly to: Local
  readonly said: readonly number[]
  readonly seen: string
}

/** The honest voters, and all that they have said. */
interface State {
  readonly locals: readonly Local[]
  readonly said: ReadonlySet<number>
  readonly saidKey: string
  readonly key: string
}

/** What was met on the way. */
export interface Explored {
  readonly depth: number
  readonly states: number
  readonly locals: number
  /** Labels decided by some voter in some state. */
  readonly decided: readonly string[]
  /** Whether every state up to `depth` was met, or there were too many. */
  readonly complete: boolean
}

/** The slot, and all that is said in it, each message once. */
class Messages {
  readonly all: SlotMessage[] = []
  readonly rules: SlotRules
  readonly #numbers = new Map<string, number>()

  constructor(rules: SlotRules) {
    this.rules = rules
  }

  number(message: SlotMessage): number {
    const key = toHex(encodeMessage(message, this.rules.number))
    const known = this.#numbers.get(key) ?? this.all.length
    if (known === this.all.length) this.all.push(message)
    this.#numbers.set(key, known)
    return known
  }
}

/** Explores breadth first; asserts in each state that no two voters have decided differently. */
export class Model {
  readonly #messages: Messages
  readonly #locals = new Map<string, Local>()
  readonly #choices = new Map<string, readonly Option[]>()
  readonly #lies: readonly number[]
  readonly #roundMax: number
  #start: State

  /** The liar has its turn in round `turn` first. Rounds after `roundMax` are not entered. */
  constructor(turn: number, roundMax: number) {
    const rules = rulesOf(VOTERS, 2 * VOTERS.length - turn)
    assert.is(proposerOf(rules, turn), LIAR)
    this.#messages = new Messages(rules)
    this.#roundMax = roundMax
    this.#lies = lies(rules, roundMax).map((message) => this.#messages.number(message))
    const runs = HONEST.map((voter) => new Run(voter, this.#messages, roundMax))
    const locals = HONEST.map((voter, i) => this.#local(voter, [], runs[i] as Run))
    this.#start = stateOf(locals, new Set(runs.flatMap(({ said }) => [...said])))
  }

  /** Begins where honest voter `i` has come, by the fewest steps of its own, to what `wanted` describes. */
  lead(i: number, wanted: (local: Local) => boolean): void {
    let level = [this.#start]
    const seen = new Set([this.#start.key])
    for (let depth = 0; depth < 8; depth++) {
      const there = level.find(({ locals }) => wanted(locals[i] as Local))
      if (there !== undefined) {
        this.#start = there
        return
      }
      const found = level.flatMap((state) => [...this.#successors(state, i)])
      level = found.filter(({ key }) => !seen.has(key) && seen.add(key))
    }
    assert.unreachable(`voter ${i} can't be led there`)
  }

  explore(depthMax: number, statesMax: number): Explored {
    let level = [this.#start]
    const seen = new Set([this.#start.key])
    const decided = new Set<string>()
    let depth = 0
    for (; depth < depthMax && level.length > 0 && seen.size < statesMax; depth++) {
      const found: State[] = []
      for (const state of level) {
        for (const next of this.#successors(state)) {
          if (seen.has(next.key)) continue
          seen.add(next.key)
          found.push(next)
          for (const label of this.#decided(next)) decided.add(label)
        }
        if (seen.size >= statesMax) break
      }
      level = found
    }
    const complete = seen.size < statesMax
    return { depth, states: seen.size, locals: this.#locals.size, decided: [...decided].sort(), complete }
  }

  #decided({ locals }: State): Set<string> {
    const labels = new Set(locals.flatMap(({ decided }) => decided ?? []))
    if (labels.size > 1) assert.unreachable(`two values decided: ${this.#tell(locals)}`)
    return labels
  }

  *#successors(state: State, only?: number): Generator<State> {
    for (const [i, local] of state.locals.entries()) {
      if (local.decided !== null || (only !== undefined && only !== i)) continue
      for (const { to, said } of this.#options(local, state)) {
        const locals = state.locals.map((one) => (one === local ? to : one))
        yield said.every((one) => state.said.has(one))
          ? { locals, said: state.said, saidKey: state.saidKey, key: keyOf(locals, state.saidKey) }
          : stateOf(locals, new Set([...state.said, ...said]))
      }
    }
  }

  /** Where a voter can go. Of two batches with the same effect, one within the other, the smaller is enough: the rest can come later. */
  #options(local: Local, { said, saidKey }: State): readonly Option[] {
    const key = keyOf([local], saidKey)
    const known = this.#choices.get(key)
    if (known !== undefined) return known
    const kept: { batch: readonly number[]; option: Option }[] = []
    for (const batch of batches(local.voter, [...this.#lies, ...said], this.#messages.all)) {
      const option = this.#step(local, batch)
      const less = kept.some(
        (one) => one.option.seen === option.seen && one.batch.every((number) => batch.includes(number)),
      )
      if (option.to !== local && !less) kept.push({ batch, option })
    }
    const others = (['wait over', 'restart'] as const).map((step) => this.#step(local, step))
    const made = [...kept.map(({ option }) => option), ...others.filter(({ to }) => to !== local)]
    this.#choices.set(key, made)
    return made
  }

  #step(local: Local, step: Step): Option {
    const known = local.next.get(String(step))
    if (known !== undefined) return known
    const run = new Run(local.voter, this.#messages, this.#roundMax)
    for (const earlier of local.history) run.step(earlier)
    run.said.clear()
    const before = run.seen()
    run.step(step)
    const idle = run.tooFar || (step !== 'restart' && run.seen() === before)
    const to = idle ? local : this.#local(local.voter, [...local.history, step], run)
    const made = { to, said: idle ? [] : [...run.said], seen: run.seen() }
    local.next.set(String(step), made)
    return made
  }

  #local(voter: MemberId, history: readonly Step[], run: Run): Local {
    const key = run.key()
    const known = this.#locals.get(key)
    if (known !== undefined) return known
    const { decided, state, waits } = run
    const made: Local = { id: this.#locals.size, voter, history, decided, state, waits, next: new Map() }
    this.#locals.set(key, made)
    return made
  }

  #tell(locals: readonly Local[]): string {
    const name = (number: number): string => {
      const message = this.#messages.all[number] as SlotMessage
      const vote = message.type === 'vote' ? message.vote : message.type === 'proposal' ? message.proposal.vote : null
      return vote ? `${vote.voter.slice(-1)} ${vote.phase} ${vote.round} ${vote.value?.slice(0, 4)}` : message.type
    }
    const tell = (step: Step): string => (typeof step === 'string' ? step : step.map(name).join(' + '))
    return locals.map(({ voter, history }) => `${voter.slice(-1)}: ${history.map(tell).join(', ')}`).join(' | ')
  }
}

/** A model that begins where one voter has decided w, another has locked it, and that one and the third are in round 1, the liar's. */
export function afterDecision(): Model {
  const [, w] = VALUES
  const model = new Model(1, 2)
  const inRound = ({ state }: Local): boolean => state.round === 1
  for (const i of [0, 1]) model.lead(i, ({ state }) => state.prepare?.value === w?.digest)
  for (const i of [0, 1]) model.lead(i, ({ state }) => state.commit?.value === w?.digest)
  model.lead(0, ({ decided }) => decided === 'w')
  for (const i of [2, 1]) model.lead(i, inRound)
  return model
}

/** One honest voter, stepped through its history. */
class Run {
  readonly said = new Set<number>()
  decided: string | null = null
  #slot: Slot
  #disk: SlotState = FRESH
  #now = 0
  #wakeAt = Infinity
  readonly #voter: MemberId
  readonly #messages: Messages
  readonly #roundMax: number

  constructor(voter: MemberId, messages: Messages, roundMax: number) {
    this.#voter = voter
    this.#messages = messages
    this.#roundMax = roundMax
    this.#slot = this.#begin()
  }

  get state(): SlotState {
    return this.#slot.state
  }

  get waits(): readonly Phase[] {
    return this.#slot.snapshot(this.#now).waits.map(([phase]) => phase)
  }

  get tooFar(): boolean {
    return this.#slot.state.round > this.#roundMax
  }

  key(): string {
    return JSON.stringify([this.#voter, this.#slot.snapshot(this.#now)], plain)
  }

  /** What others can notice sooner or later: the durable state, and the waits. */
  seen(): string {
    return JSON.stringify([this.state, this.waits], plain)
  }

  step(step: Step): void {
    if (step === 'restart') this.#slot = this.#begin()
    else if (step === 'wait over') this.#waitOver()
    else for (const number of step) this.#do(opened(this.#messages.all[number] as SlotMessage))
  }

  #begin(): Slot {
    this.#slot = new Slot(this.#messages.rules, stubKey(this.#voter), this.#disk)
    this.#all(this.#slot.start(this.#now))
    for (const value of VALUES) this.#do({ type: 'judged', value: value.digest, accepted: true })
    this.#do({ type: 'offer', value: VALUES[1] as Value })
    return this.#slot
  }

  /** Wakes until some wait in the round is over; saying things again changes nothing. */
  #waitOver(): void {
    for (let i = 0; i < 100 && this.#wakeAt !== Infinity; i++) {
      const before = this.#slot.state
      this.#now = this.#wakeAt
      this.#do({ type: 'wake' })
      if (this.#slot.state !== before) return
    }
  }

  #do(event: SlotEvent): void {
    this.#all(this.#slot.step(event, this.#now))
  }

  #all(actions: readonly SlotAction[]): void {
    for (const action of actions) {
      if (action.type === 'persist') this.#disk = action.state
      else if (action.type === 'wake') this.#wakeAt = action.atMs
      else if (action.type === 'broadcast') this.said.add(this.#messages.number(action.message))
      else if (action.type === 'decided') this.decided = labelOf(action.certificate.value)
      else if (action.type === 'halted') assert.unreachable('an honest voter halted')
    }
  }
}

/** All that the liar may say: each value proposed in its turns, and voted for in every phase and round. */
function lies(rules: SlotRules, roundMax: number): SlotMessage[] {
  const rounds = Array.from({ length: roundMax + 1 }, (_, round) => round)
  return rounds.flatMap((round) =>
    VALUES.flatMap((value) => {
      const phases = ['prepare', 'commit'] as const
      const votes = phases.map((phase) => voteOf(LIAR, phase, round, value, rules.number))
      const said: SlotMessage[] = votes.map((vote) => ({ type: 'vote', vote }))
      const turn = proposerOf(rules, round) === LIAR
      return turn ? [proposalOf(LIAR, round, value, null, rules.number), ...said] : said
    }),
  )
}

/** Proposals and certificates one by one; of the others' votes in a phase and round every set. The smallest come first. */
function batches(self: MemberId, available: readonly number[], all: readonly SlotMessage[]): number[][] {
  const found: number[][] = []
  const groups = new Map<string, number[]>()
  for (const number of available) {
    const message = all[number] as SlotMessage
    if (message.type !== 'vote') found.push([number])
    else if (message.vote.voter !== self) {
      const group = `${message.vote.phase} ${message.vote.round}`
      groups.set(group, [...(groups.get(group) ?? []), number])
    }
  }
  for (const group of groups.values())
    for (let chosen = 1; chosen < 1 << group.length; chosen++) found.push(group.filter((_, i) => chosen & (1 << i)))
  return found.sort((a, b) => a.length - b.length)
}

/** Values by their digests, and no signatures, which are all alike. */
function plain(_: string, value: unknown): unknown {
  if (value instanceof Uint8Array) return 0
  return typeof value === 'object' && value !== null && 'quorum' in value ? (value as Value).digest : value
}

function stateOf(locals: readonly Local[], said: ReadonlySet<number>): State {
  const saidKey = [...said].sort((a, b) => a - b).join()
  return { locals, said, saidKey, key: keyOf(locals, saidKey) }
}

function keyOf(locals: readonly Local[], saidKey: string): string {
  return `${locals.map(({ id }) => id).join()};${saidKey}`
}

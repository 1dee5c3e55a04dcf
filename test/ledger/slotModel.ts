/**
 * Every schedule of one decision slot up to a depth, states that were met before left out: three honest voters and a liar, who proposes
 * first and says anything to anybody. A step gives one voter some votes of one phase and round, from any of the others, or a proposal, a
 * certificate, the end of a wait, or a restart. Steps after which the voter says and waits for the same as before are left out: what
 * they gave can as well be given later, for nothing that was said is ever lost.
 */
import * as assert from 'uvu/assert'
import { toHex } from '../../src/core/bytes.ts'
import type { MemberId } from '../../src/core/ids.ts'
import { Slot, type SlotAction, type SlotEvent } from '../../src/ledger/slot.ts'
import { encodeMessage, proposerOf, type SlotMessage, type Value } from '../../src/ledger/slotMessage.ts'
import { FRESH, type SlotState } from '../../src/ledger/slotState.ts'
import type { Vote } from '../../src/ledger/vote.ts'
import { labelled, labelOf, opened, proposalOf, rulesOf, stubKey, voteOf, votersOf } from './slotKit.ts'

const VOTERS = votersOf(4)
const SLOT = 4 // the liar, voter 0, has the first turn
const RULES = rulesOf(VOTERS, SLOT)
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
  /** By the step as text. */
  readonly next: Map<string, Option>
}

/** One step of one voter: where it leads, what is said on the way, and what others can notice of the state. */
interface Option {
  readonly to: Local
  readonly said: readonly number[]
  readonly seen: string
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

/** All messages of the model, each once. */
class Messages {
  readonly all: SlotMessage[] = []
  readonly #numbers = new Map<string, number>()

  number(message: SlotMessage): number {
    const key = toHex(encodeMessage(message, SLOT))
    const known = this.#numbers.get(key) ?? this.all.length
    if (known === this.all.length) this.all.push(message)
    this.#numbers.set(key, known)
    return known
  }
}

/** Explores breadth first; asserts in each state that no two voters have decided differently. */
export class Model {
  readonly #messages = new Messages()
  readonly #locals = new Map<string, Local>()
  readonly #choices = new Map<string, readonly Option[]>()
  readonly #lies: readonly number[]
  readonly #roundMax: number

  /** Rounds after `roundMax` are not entered. */
  constructor(roundMax: number) {
    this.#roundMax = roundMax
    this.#lies = lies(roundMax).map((message) => this.#messages.number(message))
  }

  explore(depthMax: number, statesMax: number): Explored {
    let level: { locals: Local[]; said: Set<number> }[] = [
      { locals: HONEST.map((voter) => this.#local(voter, [])), said: new Set() },
    ]
    const seen = new Set([keyOf(level[0] as { locals: Local[]; said: Set<number> })])
    const decided = new Set<string>()
    let depth = 0
    for (; depth < depthMax && level.length > 0 && seen.size < statesMax; depth++) {
      const found: typeof level = []
      for (const state of level) {
        for (const next of this.#successors(state)) {
          const key = keyOf(next)
          if (seen.has(key)) continue
          seen.add(key)
          found.push(next)
          const labels = new Set(next.locals.flatMap((local) => local.decided ?? []))
          if (labels.size > 1) assert.unreachable(`two values decided: ${this.#tell(next.locals)}`)
          for (const label of labels) decided.add(label)
        }
        if (seen.size >= statesMax) break
      }
      level = found
    }
    return {
      depth,
      states: seen.size,
      locals: this.#locals.size,
      decided: [...decided].sort(),
      complete: seen.size < statesMax,
    }
  }

  *#successors({
    locals,
    said,
  }: {
    locals: Local[]
    said: Set<number>
  }): Generator<{ locals: Local[]; said: Set<number> }> {
    for (const [i, local] of locals.entries()) {
      if (local.decided !== null) continue
      for (const { to, said: more } of this.#options(local, said)) {
        yield {
          locals: locals.with(i, to),
          said: more.every((one) => said.has(one)) ? said : new Set([...said, ...more]),
        }
      }
    }
  }

  /** Where a voter can go. Of two batches with the same effect, one within the other, the smaller is enough: the rest can come later. */
  #options(local: Local, said: ReadonlySet<number>): readonly Option[] {
    const key = `${local.id} ${[...said].sort((a, b) => a - b).join()}`
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

  #local(voter: MemberId, history: readonly Step[], run = new Run(voter, this.#messages, this.#roundMax)): Local {
    const key = run.key()
    const known = this.#locals.get(key)
    if (known !== undefined) return known
    const made = { id: this.#locals.size, voter, history, decided: run.decided, next: new Map() }
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

  get tooFar(): boolean {
    return this.#slot.state.round > this.#roundMax
  }

  key(): string {
    return JSON.stringify([this.#voter, this.#slot.snapshot(this.#now)], plain)
  }

  /** What others can notice sooner or later: the durable state, and the waits. */
  seen(): string {
    return JSON.stringify([this.#slot.state, this.#slot.waits], plain)
  }

  step(step: Step): void {
    if (step === 'restart') this.#slot = this.#begin()
    else if (step === 'wait over') this.#waitOver()
    else for (const number of step) this.#do(opened(this.#messages.all[number] as SlotMessage))
  }

  #begin(): Slot {
    this.#slot = new Slot(RULES, stubKey(this.#voter), this.#disk)
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
function lies(roundMax: number): SlotMessage[] {
  const said: SlotMessage[] = []
  for (let round = 0; round <= roundMax; round++) {
    for (const value of VALUES) {
      if (proposerOf(RULES, round) === LIAR) said.push(proposalOf(LIAR, round, value, null, SLOT))
      for (const phase of ['prepare', 'commit'] as const)
        said.push({ type: 'vote', vote: voteOf(LIAR, phase, round, value, SLOT) })
    }
  }
  return said
}

/** Proposals and certificates one by one; votes of a phase and round from any set of voters, for one value or for all. */
function batches(self: MemberId, available: readonly number[], all: readonly SlotMessage[]): number[][] {
  const found = new Map<string, number[]>()
  const votes = new Map<string, { number: number; vote: Vote }[]>()
  for (const number of available) {
    const message = all[number] as SlotMessage
    if (message.type !== 'vote') found.set(String(number), [number])
    else if (message.vote.voter !== self) {
      const { phase, round, value } = message.vote
      for (const group of [`${phase} ${round}`, `${phase} ${round} ${value}`])
        votes.set(group, [...(votes.get(group) ?? []), { number, vote: message.vote }])
    }
  }
  const others = VOTERS.filter((voter) => voter !== self)
  for (const group of votes.values()) {
    for (let chosen = 1; chosen < 1 << others.length; chosen++) {
      const batch = group.filter(({ vote }) => chosen & (1 << others.indexOf(vote.voter))).map(({ number }) => number)
      if (batch.length > 0) found.set(batch.join(), batch)
    }
  }
  return [...found.values()].sort((a, b) => a.length - b.length)
}

function plain(_: string, value: unknown): unknown {
  return value instanceof Uint8Array ? value[0] : value
}

function keyOf({ locals, said }: { locals: readonly Local[]; said: ReadonlySet<number> }): string {
  return `${locals.map(({ id }) => id).join()};${[...said].sort((a, b) => a - b).join()}`
}

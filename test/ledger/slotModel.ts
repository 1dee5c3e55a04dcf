/**
 * Every schedule of one decision slot up to a depth, states that were met before left out: three honest voters and a liar, who proposes
 * first and says anything to anybody. Honest voters' states are told apart by their snapshots, so that none is stepped twice.
 */
import * as assert from 'uvu/assert'
import { toHex } from '../../src/core/bytes.ts'
import type { MemberId } from '../../src/core/ids.ts'
import { Slot, type SlotAction, type SlotEvent } from '../../src/ledger/slot.ts'
import { encodeMessage, proposerOf, type SlotMessage, type Value } from '../../src/ledger/slotMessage.ts'
import { FRESH, type SlotState } from '../../src/ledger/slotState.ts'
import { labelled, labelOf, opened, proposalOf, rulesOf, stubKey, voteOf, votersOf } from './slotKit.ts'

const VOTERS = votersOf(4)
const SLOT = 4 // the liar, voter 0, has the first turn
const RULES = rulesOf(VOTERS, SLOT)
const LIAR = VOTERS[0] as MemberId
const HONEST = VOTERS.slice(1)
const VALUES = ['v', 'w'].map((label) => labelled(label, VOTERS))

/** What happens to one honest voter. */
type Step = number | 'wait over' | 'restart'

/** One state of one honest voter, with how it was reached and where each step leads. */
interface Local {
  readonly id: number
  readonly voter: MemberId
  readonly history: readonly Step[]
  readonly decided: string | null
  readonly next: Map<Step, { readonly to: Local; readonly said: readonly number[] }>
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
      for (const step of [...this.#lies, ...said, 'wait over', 'restart'] as Step[]) {
        const { to, said: more } = this.#step(local, step)
        if (to === local) continue
        yield {
          locals: locals.with(i, to),
          said: more.every((one) => said.has(one)) ? said : new Set([...said, ...more]),
        }
      }
    }
  }

  #step(local: Local, step: Step): { to: Local; said: readonly number[] } {
    const known = local.next.get(step)
    if (known !== undefined) return known
    const run = new Run(local.voter, this.#messages, this.#roundMax)
    for (const before of local.history) run.step(before)
    run.said.clear()
    run.step(step)
    const made = {
      to: run.tooFar ? local : this.#local(local.voter, [...local.history, step], run),
      said: [...run.said],
    }
    local.next.set(step, made)
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
    const name = (step: Step): string => {
      const message = typeof step === 'number' ? this.#messages.all[step] : undefined
      if (message === undefined) return String(step)
      const vote = message.type === 'vote' ? message.vote : message.type === 'proposal' ? message.proposal.vote : null
      return vote ? `${vote.voter.slice(-1)} ${vote.phase} ${vote.round} ${vote.value?.slice(0, 4)}` : message.type
    }
    return locals.map(({ voter, history }) => `${voter.slice(-1)}: ${history.map(name).join(', ')}`).join(' | ')
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
    const bytes = (_: string, value: unknown): unknown => (value instanceof Uint8Array ? value[0] : value)
    return JSON.stringify([this.#voter, this.#slot.snapshot(this.#now)], bytes)
  }

  step(step: Step): void {
    if (step === 'restart') this.#slot = this.#begin()
    else if (step === 'wait over') this.#waitOver()
    else this.#do({ ...opened(this.#messages.all[step] as SlotMessage) })
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

function keyOf({ locals, said }: { locals: readonly Local[]; said: ReadonlySet<number> }): string {
  return `${locals.map(({ id }) => id).join()};${[...said].sort((a, b) => a - b).join()}`
}

assert.is(proposerOf(RULES, 0), LIAR)
assert.is(HONEST.length, 3)

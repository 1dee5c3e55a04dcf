/** One machine of a consortium of four whose members change: fed by hand, asked what it wants. */
import { fromHex } from '../../src/core/bytes.ts'
import type { Cbor } from '../../src/core/cbor.ts'
import { compareIds, type MemberId } from '../../src/core/ids.ts'
import { type Change, changeBody, changeOf } from '../../src/governance/changes.ts'
import type { Fact } from '../../src/governance/studies.ts'
import type { Member } from '../../src/ledger/founding.ts'
import type { Pin, RollCall } from '../../src/ledger/membership.ts'
import type { LogState } from '../../src/ledger/replication.ts'
import type { Action } from '../../src/node/actions.ts'
import type { NodeEvent } from '../../src/node/events.ts'
import { Machine } from '../../src/node/machine.ts'
import { digestOf, keyOf } from '../gossip/fixtures.ts'

export const START_MS = 1_750_000_000_000
const named = (name: string): Member => ({ name, key: keyOf(name).member })
type Six = [Member, Member, Member, Member, Member, Member]
export const [SELF, ADA, BEN, CLEO, EVE, FAY] = ['self', 'ada', 'ben', 'cleo', 'eve', 'fay'].map(named) as Six
export const keysOf = (people: readonly Member[]): MemberId[] => people.map(({ key }) => key).sort(compareIds)
export const FOUR = [SELF, ADA, BEN, CLEO]
export const OTHERS = keysOf([ADA, BEN, CLEO])
export const JOIN = changeOf(1, [EVE], [])
export const LEAVE = changeOf(1, [], [CLEO.key])
export const headOf = ({ key }: Member, size: number): LogState => {
  return { author: key, size, root: digestOf(`${key} ${size}`) }
}
export const FOUNDING_CALL: RollCall = { number: 0, members: keysOf(FOUR), pins: [] }

export const factOf = ({ key }: Member, kind: string, body: Cbor, seq = 0): Fact => {
  return {
    author: key,
    seq,
    hash: digestOf('entry'),
    timeMs: START_MS,
    lamport: 0,
    kind,
    study: null,
    refs: [],
    body,
  }
}
export const proposed = (author: Member, change: Change): Fact =>
  factOf(author, 'epoch.proposed', changeBody(change) as Cbor)
export const approved = (author: Member, { id, epoch }: Change): Fact =>
  factOf(author, 'epoch.approved', { epoch, change: fromHex(id) })

export type Of<T extends Action['type']> = Extract<Action, { type: T }>

/** A machine with all that it has asked for since it was last looked at. */
export class Node {
  readonly machine = new Machine()
  readonly self: Member
  now = START_MS
  #out: Action[] = []
  #ticket = 0
  #size = 3

  /** Signs at once, unless `needs` says how many must answer first. */
  constructor(more: Partial<Extract<NodeEvent, { type: 'booted' }>> = {}, self = SELF) {
    this.self = self
    this.feed({
      type: 'booted',
      self: self.key,
      founding: digestOf('founding'),
      epochs: [FOUNDING_CALL],
      epochDigest: digestOf('founding'),
      software: '0.0.0',
      logs: [],
      facts: [],
      checkpoints: [],
      datasets: [],
      acceptance: new Uint8Array(64),
      finals: [],
      forks: [],
      cosigners: [],
      fence: { others: 0, needed: 0, wanted: 0 },
      signed: 0,
      ...more,
    })
  }

  feed(event: NodeEvent): void {
    this.#out.push(...this.machine.step(event, this.now))
  }

  wait(ms: number): void {
    this.now += ms
    this.feed({ type: 'woken' })
  }

  /** What it asked for since the last call, of these types. */
  asked<T extends Action['type']>(...types: readonly T[]): Of<T>[] {
    const out = this.#out
    this.#out = []
    return out.filter((action): action is Of<T> => types.includes(action.type as T))
  }

  hear(...facts: readonly Fact[]): void {
    for (const fact of facts) {
      const log = headOf({ name: '', key: fact.author }, ++this.#size)
      this.feed({ type: 'replicated', log, from: fact.author, facts: [fact], published: [] })
    }
  }

  /** What it recorded under that tag is durable, whatever else it asked for meanwhile. */
  commits(tag: string, ...facts: readonly Fact[]): void {
    this.feed({ type: 'committed', log: headOf(this.self, ++this.#size), tags: [tag], facts })
  }

  /** Says yes, and the entry is durable. */
  approves(change: Change): void {
    this.command({ type: 'epoch-approve', ticket: 0, change: change.id })
    this.commits('change', approved(this.self, change))
  }

  /** The code of the answer; null where it is carried out. */
  command(event: Extract<NodeEvent, { type: `${'epoch' | 'member'}-${string}`; ticket: number }>): string | null {
    const ticket = ++this.#ticket
    const actions = this.machine.step({ ...event, ticket }, this.now)
    this.#out.push(...actions)
    const answer = actions.find((action) => action.type === 'answer' && action.ticket === ticket) as Of<'answer'>
    return answer.error?.code ?? null
  }

  begin(members: readonly Member[], pins: readonly Pin[], number = 1): void {
    this.feed({ type: 'epoch-begun', call: { number, members: keysOf(members), pins }, digest: digestOf(`${number}`) })
  }

  kinds(): string[] {
    return this.asked('record').flatMap(({ drafts }) => drafts.map(({ kind }) => kind))
  }

  get wakeAtMs(): number | null {
    const wakes = this.#out.filter((action) => action.type === 'wake')
    return wakes.at(-1)?.atMs ?? null
  }
}

/** A proposal with the approvals of all others. */
export const quorumFor = (change: Change): Fact[] => [
  proposed(ADA, change),
  ...[ADA, BEN, CLEO].map((one) => approved(one, change)),
]

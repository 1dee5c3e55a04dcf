/** Consortia of a few keys for tests of epochs: foundings, values, records that enough have signed, and a clock that is turned by hand. */
import { setImmediate } from 'node:timers/promises'
import { toHex, utf8 } from '../../src/core/bytes.ts'
import { sha256 } from '../../src/core/digest.ts'
import type { SigningKey } from '../../src/core/ed25519.ts'
import { compareIds, type Digest } from '../../src/core/ids.ts'
import { type Epoch, encodeEpoch, epochContent, epochSlot } from '../../src/ledger/epoch.ts'
import type { Founding, Member } from '../../src/ledger/founding.ts'
import type { Pin } from '../../src/ledger/membership.ts'
import type { Value } from '../../src/ledger/slotMessage.ts'
import { signVote } from '../../src/ledger/vote.ts'
import { keyOf } from '../ledger/fixtures.ts'

export interface Person {
  readonly name: string
  readonly key: SigningKey
}

const person = (name: string): Person => ({ name, key: keyOf(name.toLowerCase()) })
type Six = [Person, Person, Person, Person, Person, Person]
export const [ADA, BEN, CLEO, DAN, EVE, FAY] = ['Ada', 'Ben', 'Cleo', 'Dan', 'Eve', 'Fay'].map(person) as Six
export const FOUR = [ADA, BEN, CLEO, DAN]

export const membersOf = (people: readonly Person[]): Member[] =>
  people.map(({ name, key }) => ({ name, key: key.member })).sort((a, b) => compareIds(a.key, b.key))

export const FOUNDING: Founding = { name: 'Clinics', members: membersOf(FOUR) }

export const pinOf = ({ key }: Person, size: number, label = 'main'): Pin => ({
  author: key.member,
  size,
  root: toHex(sha256(utf8(`${label} ${size}`))) as Digest,
})

/** What `people` would be after `before`. */
export function epochOf(before: Epoch, people: readonly Person[], heads: readonly Pin[] = []): Value {
  const value = epochSlot(before).read(epochContent(before, membersOf(people), heads))
  if (value === null) throw new Error('no value of that slot')
  return value
}

/** The record of that epoch, with the commit votes of `signers`. */
export function recordOf(
  before: Epoch,
  people: readonly Person[],
  heads: readonly Pin[] = [],
  signers: readonly Person[] = [...new Set([...FOUR, ...people])],
): Uint8Array {
  const value = epochOf(before, people, heads)
  const statement = {
    slot: before.number + 1,
    phase: 'commit',
    round: 0,
    value: value.digest,
    validRound: null,
  } as const
  const signatures = signers
    .map(({ key }) => signVote(key, before.founding, statement))
    .sort((a, b) => compareIds(a.voter, b.voter))
  return encodeEpoch({ phase: 'commit', round: 0, value, signatures })
}

interface Timer {
  readonly atMs: number
  readonly work: () => void
}

/** Stands in for `Date.now` and the timers of the process, from `install` to `remove`. */
export class Clock {
  now = 1_790_000_000_000
  readonly #pending = new Map<number, Timer>()
  #count = 0
  readonly #real = { setTimeout, clearTimeout, now: Date.now }

  install(): void {
    const set = (work: () => void, ms = 0): number => {
      this.#pending.set(++this.#count, { atMs: this.now + ms, work })
      return this.#count
    }
    const clear = (timer: number | undefined): void => void this.#pending.delete(timer ?? 0)
    Object.assign(globalThis, { setTimeout: set, clearTimeout: clear })
    Date.now = () => this.now
  }

  remove(): void {
    const { setTimeout, clearTimeout, now } = this.#real
    Object.assign(globalThis, { setTimeout, clearTimeout })
    Date.now = now
  }

  /** Timers that are set. */
  get pending(): number {
    return this.#pending.size
  }

  /** Goes on to the next timer; false where there is none. */
  next(): boolean {
    const [first] = [...this.#pending].sort(([a, x], [b, y]) => x.atMs - y.atMs || a - b)
    if (first === undefined) return false
    const [id, { atMs, work }] = first
    this.#pending.delete(id)
    this.now = Math.max(this.now, atMs)
    work()
    return true
  }
}

/** Lets all work go on that waits for no timer. */
export async function settled(turns = 20): Promise<void> {
  for (let i = 0; i < turns; i++) await setImmediate()
}

/**
 * Who acts for one hospital, as a fold over that hospital's own log: nobody else's entries count, so the order in which logs arrive does not
 * matter. At the hospital itself a word binds as soon as it is durable there.
 */
import { fromHex, toHex } from '../core/bytes.ts'
import type { Cbor } from '../core/cbor.ts'
import { verify } from '../core/ed25519.ts'
import type { Digest, MemberId } from '../core/ids.ts'
import type { Role } from './kinds/people.ts'
import { readBody } from './kinds.ts'
import type { Act } from './roles.ts'
import { type Asked, requestOf, type Signed, type SignOff, signOffMessage } from './signOff.ts'

export const PEOPLE_MAX = 1_000 // since the last reset, those who left among them
export const SIGN_OFF_MS_MAX = 300_000 // clocks of one machine differ by nothing, a person takes a while at a prompt

/** An entry as this fold needs it; of one author, in that author's order. */
export interface PeopleFact {
  readonly seq: number
  readonly hash: Digest
  readonly timeMs: number
  readonly kind: string
  readonly body: Cbor | null
}

/** Where and when something stands in the hospital's log. */
export type Said = Pick<PeopleFact, 'seq' | 'hash' | 'timeMs'>

/** One enrolment. */
export interface Person {
  /** The commitment that the log calls this person by. */
  readonly person: Digest
  readonly key: MemberId
  readonly roles: readonly Role[]
  readonly enrolled: Said
  /** What ended it; null while it holds. `reason` is `enrolled-again` where the same key was enrolled anew. */
  readonly ended: (Said & { readonly reason: string }) | null
}

/** Of one hospital. */
export class People {
  readonly #people = new Map<Digest, Person>()
  readonly #byKey = new Map<MemberId, Digest>()
  #required: Said | null = null

  /** Whether the fact was about who acts here. What does not fit, or is one too many, is skipped. */
  fold(fact: PeopleFact): boolean {
    switch (fact.kind) {
      case 'person.enrolled':
        this.#enrol(fact)
        return true
      case 'person.revoked': {
        const body = readBody('person.revoked', fact.body)
        if (body !== null) this.#end(toHex(body.person) as Digest, fact, body.reason)
        return true
      }
      case 'person.reset':
        if (readBody('person.reset', fact.body) === null) return true
        this.#people.clear()
        this.#byKey.clear()
        this.#required = null
        return true
      default:
        return false
    }
  }

  /** All enrolments since the last reset, in the log's order; those that ended among them. */
  all(): readonly Person[] {
    return [...this.#people.values()]
  }

  /** Those who act here now under any of these roles. */
  having(roles: readonly Role[]): readonly Person[] {
    return this.all().filter((one) => one.ended === null && one.roles.some((role) => roles.includes(role)))
  }

  named(person: Digest): Person | undefined {
    return this.#people.get(person)
  }

  /** The newest enrolment of a key. */
  holding(key: MemberId): Person | undefined {
    const person = this.#byKey.get(key)
    return person === undefined ? undefined : this.#people.get(person)
  }

  get isFull(): boolean {
    return this.#people.size >= PEOPLE_MAX
  }

  /** The enrolment of the first approver, since which every act has to be signed for; null while none has to. */
  get required(): Said | null {
    return this.#required
  }

  #enrol(fact: PeopleFact): void {
    const body = readBody('person.enrolled', fact.body)
    const person = body === null ? null : (toHex(body.person) as Digest)
    if (body === null || person === null || this.isFull || this.#people.has(person)) return
    const key = toHex(body.key) as MemberId
    const before = this.#byKey.get(key)
    if (before !== undefined) this.#end(before, fact, 'enrolled-again')
    const enrolled = saidIn(fact)
    const roles = [...new Set(body.roles)].sort()
    this.#people.set(person, { person, key, roles, enrolled, ended: null })
    this.#byKey.set(key, person)
    if (roles.includes('approver')) this.#required ??= enrolled
  }

  #end(person: Digest, fact: PeopleFact, reason: string): void {
    const found = this.#people.get(person)
    if (found?.ended === null) this.#people.set(person, { ...found, ended: { ...saidIn(fact), reason } })
  }
}

const saidIn = ({ seq, hash, timeMs }: PeopleFact): Said => ({ seq, hash, timeMs })

/** Where a call is signed for. */
export interface Where {
  readonly founding: Digest
  readonly member: MemberId
  readonly nowMs: number
  /** A sign-off from before this time may have been used before: what was used is not kept over a start. */
  readonly sinceMs: number
}

/** What is wrong with a sign-off; `person` where it is somebody's who was enrolled. */
export interface SignOffFault {
  readonly fault: 'unknown' | 'ended' | 'signature' | 'early' | 'late' | 'before-start' | 'role'
  readonly person: Person | null
}

/** A sign-off that counts. */
export interface SignedFor {
  readonly person: Person
  readonly signed: Signed
}

/** Judges a sign-off of a call. Whether it was used before is left to `UsedRequests`. */
export function judgeSignOff(
  people: People,
  act: Act,
  asked: Asked,
  signOff: SignOff,
  where: Where,
): SignOffFault | SignedFor {
  const person = people.holding(signOff.key)
  if (person === undefined) return { fault: 'unknown', person: null }
  const { timeMs, salt, signature } = signOff
  const { founding, member, nowMs, sinceMs } = where
  const signed = { founding, member, action: act.action, request: requestOf(asked, salt), timeMs }
  const fault = ((): SignOffFault['fault'] | null => {
    if (!verify(person.key, signOffMessage(signed), signature)) return 'signature'
    if (person.ended !== null) return 'ended'
    if (timeMs > nowMs + SIGN_OFF_MS_MAX) return 'early'
    if (timeMs < nowMs - SIGN_OFF_MS_MAX) return 'late'
    if (timeMs < sinceMs) return 'before-start'
    return person.roles.some((role) => act.roles.includes(role)) ? null : 'role'
  })()
  return fault === null ? { person, signed } : { fault, person }
}

/** Requests that were carried out, or are: none is taken twice. Bounded, and what is too old to be taken is forgotten. */
export class UsedRequests {
  readonly #max: number
  readonly #used = new Map<string, number>()

  constructor(max: number) {
    this.#max = max
  }

  /** Whether it is new. `full` where so many are remembered that no more are taken for a while. */
  take(request: Uint8Array, timeMs: number, nowMs: number): 'new' | 'used' | 'full' {
    const digest = toHex(request)
    if (this.#used.has(digest)) return 'used'
    if (this.#used.size >= this.#max)
      for (const [old, then] of this.#used) if (then < nowMs - SIGN_OFF_MS_MAX) this.#used.delete(old)
    if (this.#used.size >= this.#max) return 'full'
    this.#used.set(digest, timeMs)
    return 'new'
  }
}

/** The body of the entry about one part of a request. */
export function actedBody({ person, signed }: SignedFor, signature: Uint8Array, part: number) {
  const { action, request, timeMs } = signed
  return { person: fromHex(person.person), action, request, timeMs, part, signature }
}

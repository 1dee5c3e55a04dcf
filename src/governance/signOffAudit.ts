/**
 * Checks one hospital's log for who signed for what: every sign-off against the enrolments before it, and that nothing was done without one
 * from the first approver's enrolment on. It needs the log from its first entry on, and nothing else.
 */
import { toHex } from '../core/bytes.ts'
import type { Cbor } from '../core/cbor.ts'
import { verify } from '../core/ed25519.ts'
import type { Digest, MemberId } from '../core/ids.ts'
import { type Body, readBody } from './kinds.ts'
import { People, type Person } from './people.ts'
import { type Act, actNamed, isAskedFor } from './roles.ts'
import { signOffMessage } from './signOff.ts'

const RECORDED_WITHIN_MS = 86_400_000 // a prediction over a large table takes long; an old sign-off is not for later
const FAULTS_MAX = 1_000 // told; the others are counted
const CITED_MAX = 100_000 // entries with the sign-off that cites them
const RECENT_MAX = 1_024 // what one call records is one commit or a few: LIMITS.commitEntriesMax each

/** An entry as it is audited; from the author's first on, in order. */
export interface AuditedEntry {
  readonly author: MemberId
  readonly seq: number
  readonly hash: Digest
  readonly timeMs: number
  readonly kind: string
  readonly refs: readonly (readonly [MemberId, number, Digest])[]
  readonly body: Cbor | null
}

/** Something that does not fit, at the entry of that number. */
export interface SignOffFinding {
  readonly seq: number
  readonly what: string
}

/** Of one log. `dropped`: so many more faults than are told. */
export interface SignOffFindings {
  readonly signOffs: number
  /** Entries that should have a sign-off and have none. */
  readonly unsigned: number
  readonly faults: readonly SignOffFinding[]
  readonly dropped: number
  /** Where all enrolments were declared void, which nobody signs for. */
  readonly resets: readonly { readonly seq: number; readonly reason: string }[]
}

/** Who signed for an entry, and whether that holds. */
export interface SignedEntry {
  readonly seq: number
  readonly person: Person | null
  readonly action: string
  readonly timeMs: number
  /** What is wrong with it; null where nothing is. */
  readonly fault: string | null
}

/** `open` where the sign-off, which comes right after, is still awaited. */
interface Recent {
  readonly seq: number
  readonly kind: string
  open: boolean
}

type Acted = Body<'person.acted'>

/** Of one log. */
export class SignOffAudit {
  readonly people = new People()
  readonly #founding: Digest
  readonly #faults: SignOffFinding[] = []
  /** The last entries, by hash. */
  readonly #recent = new Map<Digest, Recent>()
  /** Those since the last that is none of them, and needs no sign-off. */
  #awaiting: Recent[] = []
  /** Parts there were of each request. */
  readonly #parts = new Map<string, number>()
  readonly #signed = new Map<number, SignedEntry>()
  readonly #resets: { readonly seq: number; readonly reason: string }[] = []
  #dropped = 0
  #signOffs = 0
  #unsigned = 0

  constructor(founding: Digest) {
    this.#founding = founding
  }

  take(entry: AuditedEntry): void {
    if (entry.kind === 'person.acted') return this.#acted(entry)
    const { seq, hash, kind } = entry
    const open = this.people.required !== null && isAskedFor(kind)
    if (!open) this.#close()
    const recent = { seq, kind, open }
    if (open) this.#awaiting.push(recent)
    this.#recent.set(hash, recent)
    if (this.#recent.size > RECENT_MAX) this.#recent.delete(this.#recent.keys().next().value as Digest)
    this.people.fold(entry)
    if (kind === 'person.reset' && this.#resets.length < FAULTS_MAX)
      this.#resets.push({ seq, reason: readBody('person.reset', entry.body)?.reason ?? 'unknown' })
  }

  /** What was found, in the log's order. Call it once, after the last entry. */
  finish(): SignOffFindings {
    this.#close()
    const resets = this.#resets
    return {
      resets,
      signOffs: this.#signOffs,
      unsigned: this.#unsigned,
      faults: this.#faults,
      dropped: this.#dropped,
    }
  }

  /** Who signed for the entry of that number, or which sign-off it is; null where nobody did. */
  signedFor(seq: number): SignedEntry | null {
    return this.#signed.get(seq) ?? null
  }

  #acted(entry: AuditedEntry): void {
    this.#signOffs++
    const body = readBody('person.acted', entry.body)
    const person = body === null ? undefined : this.people.named(toHex(body.person) as Digest)
    const fault = body === null ? 'its body is gone, or of another version' : this.#faultOf(entry, body, person)
    if (fault !== null) this.#tell(entry.seq, `this sign-off does not hold: ${fault}`)
    const found = {
      seq: entry.seq,
      person: person ?? null,
      action: body?.action ?? 'unknown',
      timeMs: body?.timeMs ?? entry.timeMs,
      fault,
    }
    const seqs = [entry.seq]
    for (const [, , hash] of entry.refs.slice(1)) {
      const cited = this.#recent.get(hash)
      if (cited === undefined) continue
      cited.open = false
      seqs.push(cited.seq)
    }
    if (this.#signed.size < CITED_MAX) for (const seq of seqs) this.#signed.set(seq, found)
  }

  #faultOf(entry: AuditedEntry, body: Acted, person: Person | undefined): string | null {
    if (person === undefined) return 'nobody is enrolled here under this commitment'
    const { ended } = person
    const endedByThis = entry.refs.some(([, , hash]) => hash === ended?.hash) // one's own revocation is signed for, too
    if (ended !== null && !endedByThis) return `that person acts here no longer, since entry ${ended.seq}`
    const { request, action, timeMs, signature, part } = body
    const member = entry.author
    const message = signOffMessage({ founding: this.#founding, member, action, request, timeMs })
    if (!verify(person.key, message, signature)) return 'its signature is not by the key that is enrolled'
    const parts = this.#parts.get(toHex(request)) ?? 0
    if (part !== parts) return `it is part ${part} of a request that has ${parts} parts so far: a sign-off used twice`
    this.#parts.set(toHex(request), parts + 1)
    if (Math.abs(entry.timeMs - timeMs) > RECORDED_WITHIN_MS)
      return 'it was signed more than a day from when it was recorded'
    const act = actNamed(action)
    if (act === undefined) return null // an act of another version: who signed is verified, what may come of it is not known here
    if (!person.roles.some((role) => act.roles.includes(role)))
      return `${action} needs the role ${act.roles.join(' or ')}, and this person has ${person.roles.join(', ')}`
    return this.#citesFault(entry, person, act)
  }

  /** First the enrolment, then entries right before this one that may come of such an act. */
  #citesFault({ author, refs }: AuditedEntry, person: Person, { action, leads }: Act): string | null {
    const [first, ...others] = refs
    if (first === undefined || first[0] !== author || first[2] !== person.enrolled.hash)
      return 'it does not cite the enrolment'
    for (const [, , hash] of others) {
      const cited = this.#recent.get(hash)
      if (cited === undefined) return 'it cites what does not stand right before it in this log'
      if (!(leads as readonly string[]).includes(cited.kind))
        return `it cites an entry of kind ${cited.kind}, and ${action} leads to none`
      if (this.#signed.has(cited.seq)) return `entry ${cited.seq} has a sign-off before this one`
    }
    return null
  }

  /** What was done is signed for in the very commit that records it: what is open when something else follows has no sign-off. */
  #close(): void {
    for (const { seq, kind, open } of this.#awaiting) {
      if (!open) continue
      this.#unsigned++
      const since = this.people.required?.seq ?? 0
      this.#tell(seq, `${kind} has no sign-off, and people sign here since entry ${since}`)
    }
    this.#awaiting = []
  }

  #tell(seq: number, what: string): void {
    if (this.#faults.length < FAULTS_MAX) this.#faults.push({ seq, what })
    else this.#dropped++
  }
}

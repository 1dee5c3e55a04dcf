/** A vault's book for tests, with the records that a vault would keep of it. */
import { toHex, utf8 } from '../../src/core/bytes.ts'
import { sha256 } from '../../src/core/digest.ts'
import type { MemberId, StudyId } from '../../src/core/ids.ts'
import type { ConsentDecision } from '../../src/governance/consent.ts'
import { leafAt } from '../../src/governance/consentSet.ts'
import { VaultBook, type VaultSubject } from '../../src/governance/vaultBook.ts'

export const STUDY = toHex(sha256(utf8('study'))) as StudyId
export const HOSPITAL = toHex(sha256(utf8('hospital'))) as string as MemberId

/** A book whose records are kept as a vault would keep them. */
export class Kept {
  book = new VaultBook()
  records: Uint8Array[] = []
  #draws = 0

  chance = (): Uint8Array => sha256(utf8(`draw ${this.#draws++}`))

  keep(records: readonly Uint8Array[]): void {
    for (const record of records) this.book.read(record)
    this.records.push(...records)
  }

  admit(...records: string[]): void {
    this.keep(this.book.admit(records, this.chance))
  }

  say(record: string, decision: 'permit' | 'deny', atMs: number, more: Partial<ConsentDecision> = {}): void {
    const whole: ConsentDecision = {
      ...{ decision, purposes: 'all', study: 'all', fromMs: null, toMs: null, by: 'subject' },
      ...{ receivedAtMs: atMs, effectiveAtMs: atMs, form: 'in-person', ...more },
    }
    const subject = this.book.subject(record) as VaultSubject
    this.keep(this.book.say([{ subject, decision: whole, speaker: null }], this.chance))
  }

  forget(...records: string[]): void {
    const gone = records.map((record) => this.book.subject(record) as VaultSubject)
    const left = this.book.without(
      gone,
      { reason: 'patient-request', atMs: 9_000 },
      (subject) => (study, stand) => leafAt(subject, study, HOSPITAL, stand),
      this.chance,
    )
    this.records = []
    this.book = new VaultBook()
    this.keep(left)
  }
}

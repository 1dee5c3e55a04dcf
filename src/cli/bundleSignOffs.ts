/** Who signed for what in a bundle: checked where a hospital's log is whole from its first entry on. */
import type { Digest, MemberId } from '../core/ids.ts'
import { squeeze } from '../daemon/squeeze.ts'
import { SignOffAudit } from '../governance/signOffAudit.ts'
import type { BundledLog } from '../ledger/bundleVerdict.ts'
import type { Entry } from '../ledger/entry.ts'
import { table } from './output.ts'

const FAULTS_SHOWN = 20

/** Of one log. `checked` is false where entries of it are not in the bundle: the rest is empty then. */
export interface BundledSignOffs {
  readonly member: MemberId
  readonly name: string
  readonly checked: boolean
  readonly requiredSince: number | null
  readonly signOffs: number
  readonly unsigned: number
  readonly faults: readonly { readonly seq: number; readonly what: string }[]
  readonly moreFaults: number
  readonly resets: readonly { readonly seq: number; readonly reason: string }[]
}

/** Takes the entries as they are verified: by author, in each author's order. */
export class BundleSignOffs {
  readonly #audits = new Map<MemberId, { readonly audit: SignOffAudit; next: number; people: boolean }>()

  take(entry: Entry, founding: Digest): void {
    const one = this.#audits.get(entry.author) ?? { audit: new SignOffAudit(founding), next: 0, people: false }
    this.#audits.set(entry.author, one)
    one.people ||= entry.kind.startsWith('person.')
    if (entry.seq !== one.next) return // with a hole before it, nothing that follows can be judged
    one.next++
    one.audit.take(entry)
  }

  /** Of the logs that tell of people. */
  found(logs: readonly BundledLog[]): BundledSignOffs[] {
    return logs.flatMap(({ member, name, entries }): BundledSignOffs[] => {
      const one = this.#audits.get(member)
      if (one?.people !== true) return []
      const checked = one.next === entries
      const { signOffs, unsigned, faults, dropped, resets } = one.audit.finish()
      if (!checked)
        return [
          {
            member,
            name,
            checked,
            requiredSince: null,
            signOffs: 0,
            unsigned: 0,
            faults: [],
            moreFaults: 0,
            resets: [],
          },
        ]
      const requiredSince = one.audit.people.required?.seq ?? null
      return [{ member, name, checked, requiredSince, signOffs, unsigned, faults, moreFaults: dropped, resets }]
    })
  }
}

/** What people read of them; none where no log tells of people. */
export function signOffLines(found: readonly BundledSignOffs[]): string[] {
  if (found.length === 0) return []
  const refOf = (name: string, seq: number): string => `${squeeze(name)}/${seq}`
  const rows = found.map(({ name, checked, requiredSince, signOffs, unsigned, faults, moreFaults }) => [
    name,
    !checked ? 'entries are missing' : requiredSince === null ? 'nobody has to' : refOf(name, requiredSince),
    ...(checked ? [String(signOffs), String(unsigned)] : ['–', '–']),
    !checked ? 'not checked' : faults.length === 0 ? 'holds' : `${faults.length + moreFaults} do not fit`,
  ])
  const faults = found.flatMap(({ name, faults: own }) => own.map(({ seq, what }) => `${refOf(name, seq)}: ${what}`))
  return [
    'People who signed, under the keys that their hospitals enrolled:',
    ...table(['log of', 'people sign since', 'sign-offs', 'without', 'verdict'], rows, [2, 3]),
    ...found.flatMap(({ name, resets }) =>
      resets.map(({ seq, reason }) => `RESET ${refOf(name, seq)}: all enrolments were declared void (${reason})`),
    ),
    ...faults.slice(0, FAULTS_SHOWN).map((line) => `NOT SIGNED FOR ${line}`),
    ...(faults.length > FAULTS_SHOWN ? [`and ${faults.length - FAULTS_SHOWN} more: see --json`] : []),
    '',
  ]
}

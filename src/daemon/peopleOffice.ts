/** Who acts for this hospital: enrols, revokes and forgets them, and keeps the desk at which they sign. */
import { randomBytes } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { fromHex } from '../core/bytes.ts'
import { ConsiliumError } from '../core/errors.ts'
import type { Digest } from '../core/ids.ts'
import { RESET_REASONS, type REVOCATION_REASONS, type Role } from '../governance/kinds/people.ts'
import { PEOPLE_MAX, type People, type PeopleFact, type Person } from '../governance/people.ts'
import { readPersonCard } from '../governance/personCard.ts'
import type { ActPattern } from '../governance/roles.ts'
import { SALT_BYTES } from '../governance/signOff.ts'
import { fingerprint } from '../ledger/founding.ts'
import type { Draft } from '../node/actions.ts'
import { FENCED } from '../node/boot.ts'
import type { Signable } from './control.ts'
import { exists, readText } from './files.ts'
import type { Home } from './home.ts'
import type { LedgerWriter } from './ledgerWriter.ts'
import { vaultKeyOf } from './opener.ts'
import type { PeopleReport, PersonReport } from './peopleApi.ts'
import { PeopleBook } from './peopleBook.ts'
import { SignOffDesk } from './signOffDesk.ts'
import { squeeze } from './squeeze.ts'
import { Turns } from './turns.ts'

const DIGITS_MIN = 6 // of a commitment, as of every digest that a command takes

/** What an office works with. `writer` is null while nothing may be signed. */
export interface PeopleOfficeParts {
  readonly home: Pick<Home, 'paths' | 'key' | 'config' | 'consortium'>
  readonly startedAtMs: number
  readonly writer: () => Pick<LedgerWriter, 'record' | 'flush'> | null
  readonly hospital: () => string
}

/** One per daemon. */
export class PeopleOffice {
  readonly #parts: PeopleOfficeParts
  readonly #book: PeopleBook
  readonly #desk: SignOffDesk
  readonly #turns = new Turns<'office'>()

  constructor(parts: PeopleOfficeParts) {
    this.#parts = parts
    const { home, startedAtMs, writer } = parts
    const { people: path } = home.paths
    this.#book = new PeopleBook(
      () => ({ path, keyFile: `${vaultKeyOf(home)}-people` }),
      () => exists(path),
    )
    this.#desk = new SignOffDesk({
      ...{ founding: home.consortium.founding, self: home.key.id, startedAtMs, writer },
      refOf: (seq) => this.refOf(seq),
      names: () => this.names(),
    })
  }

  get people(): People {
    return this.#desk.people
  }

  /** Of this hospital's people, by commitment. */
  names(): Promise<ReadonlyMap<Digest, string>> {
    return this.#book.names()
  }

  /** An entry of this hospital as commands call it: `St.Mary/17`. */
  refOf(seq: number): string {
    return `${squeeze(this.#parts.hospital())}/${seq}`
  }

  /** Own entries that are durable. */
  note(facts: Parameters<SignOffDesk['note']>[0] & readonly PeopleFact[]): void {
    this.#desk.note(facts)
  }

  /** What the writer asks of each record. */
  get signedFor(): SignOffDesk['signedFor'] {
    return this.#desk.signedFor
  }

  /** Carries a call out where it may be. Errors: `person-…`, those of the call. */
  async pass(pattern: ActPattern, asked: Signable, answer: () => unknown): Promise<unknown> {
    await this.#takeReset()
    return this.#desk.pass(pattern, asked, answer)
  }

  async report(): Promise<PeopleReport> {
    await this.#takeReset()
    const { home, hospital } = this.#parts
    const names = await this.names()
    const { required } = this.people
    return {
      ...{ hospital: hospital(), member: home.key.id, founding: home.consortium.founding },
      requiredSince: required === null ? null : this.refOf(required.seq),
      people: this.people.all().map((person) => this.#reportOf(person, names)),
    }
  }

  /** Durable when it resolves. Errors: `person-…`, those of `readPersonCard`, `boot-fence`, `vault-…`. */
  enrol(card: string, roles: readonly Role[]): Promise<PersonReport> {
    return this.#turns.run('office', async () => {
      const { name, key } = readPersonCard(card, 'card')
      const before = this.people.holding(key)
      this.#requireRoom()
      if (before !== undefined && !roles.includes('approver')) this.#requireApprover(before)
      const timeMs = Date.now()
      const commitment = await this.#book.write(name, key, new Uint8Array(randomBytes(SALT_BYTES)))
      const body = { person: commitment, key: fromHex(key), roles: [...roles] }
      await this.#record({ kind: 'person.enrolled', study: null, timeMs, refs: [], body })
      return this.#reportOf(this.people.holding(key) as Person, await this.names())
    })
  }

  /** Durable when it resolves. Errors: `person-…`, `boot-fence`. */
  revoke(given: string, reason: (typeof REVOCATION_REASONS)[number]): Promise<PersonReport> {
    return this.#turns.run('office', async () => {
      const person = await this.#find(given)
      if (person.ended !== null) throw refused('ended', `"${given}" acts here no longer; see "consilium person ls"`)
      this.#requireApprover(person)
      const { seq, hash } = person.enrolled
      await this.#record({
        ...{ kind: 'person.revoked', study: null, timeMs: Date.now(), refs: [[this.#parts.home.key.id, seq, hash]] },
        body: { person: fromHex(person.person), reason },
      })
      return this.#reportOf(this.people.named(person.person) as Person, await this.names())
    })
  }

  /** Destroys name and salt: what the log has of this person means nobody then. Errors: `person-…`, `vault-…`. */
  forget(given: string): Promise<{ person: string }> {
    return this.#turns.run('office', async () => {
      const person = await this.#find(given)
      if (person.ended === null) {
        const message = `"${given}" still acts here; "consilium person revoke" first, then forget`
        throw refused('acts', message)
      }
      if ((await this.#book.forget([person.person])) === 0)
        throw refused('forgotten', `"${given}" is known by no name here: nothing is left to forget`)
      return { person: person.person }
    })
  }

  async close(): Promise<void> {
    await this.#book.close()
  }

  /** Who has the data folder declared all enrolments void. Recorded once it may be; until then they count. */
  #takeReset(): Promise<void> {
    const { peopleReset } = this.#parts.home.paths
    return this.#turns.run('office', async () => {
      if (!(await exists(peopleReset)) || this.#parts.writer() === null) return
      const given = (await readText(peopleReset, 'reset', 'run "consilium person reset" again')).trim()
      const reason = RESET_REASONS.find((one) => one === given) ?? 'entered-by-mistake'
      await this.#record({ kind: 'person.reset', study: null, timeMs: Date.now(), refs: [], body: { reason } })
      await rm(peopleReset, { force: true })
    })
  }

  async #record(draft: Draft): Promise<void> {
    const writer = this.#parts.writer()
    if (writer === null) throw new ConsiliumError(FENCED)
    writer.record('person', [draft], new Map())
    await writer.flush()
  }

  /** Digits of the commitment or of the key, or the name. Errors: `person-unknown`, `person-ambiguous`. */
  async #find(given: string): Promise<Person> {
    const names = await this.names()
    const digits = given.length >= DIGITS_MIN && /^[0-9a-f]+$/.test(given)
    const fits = ({ person, key }: Person): boolean =>
      names.get(person) === given || (digits && (person.startsWith(given) || key.startsWith(given)))
    const found = this.people.all().filter(fits)
    const acting = found.filter(({ ended }) => ended === null)
    const [one] = acting.length > 0 ? acting : found.slice(-1)
    if (one === undefined)
      throw refused(
        'unknown',
        `"${given.slice(0, 80)}" is nobody who was enrolled here; a name as on the card, or at least ${DIGITS_MIN} digits of the person are expected: see "consilium person ls"`,
      )
    if (acting.length > 1)
      throw refused('ambiguous', `"${given}" is ${acting.length} people; give digits: see "consilium person ls"`)
    return one
  }

  /** Somebody must be able to decide here. Error: `person-last`. */
  #requireApprover(without: Person): void {
    if (without.ended !== null || !without.roles.includes('approver')) return
    if (this.people.having(['approver']).some(({ person }) => person !== without.person)) return
    const message =
      'this is the last approver here, and nobody could decide anything afterwards; enrol another first, or, where the key is lost or stolen, run "consilium person reset"'
    throw refused('last', message)
  }

  #requireRoom(): void {
    if (!this.people.isFull) return
    const message = `${PEOPLE_MAX} people have been enrolled here, and no more are read; "consilium person reset" begins anew`
    throw refused('full', message)
  }

  #reportOf({ person, key, roles, enrolled, ended }: Person, names: ReadonlyMap<Digest, string>): PersonReport {
    return {
      ...{ person, name: names.get(person) ?? null, key, fingerprint: fingerprint(key), roles },
      ...{ entry: this.refOf(enrolled.seq), enrolledAtMs: enrolled.timeMs },
      ended: ended === null ? null : { entry: this.refOf(ended.seq), atMs: ended.timeMs, reason: ended.reason },
    }
  }
}

function refused(code: string, message: string): ConsiliumError {
  return new ConsiliumError({ code: `person-${code}`, message })
}

/** Who is behind the commitments of this hospital's people: names and salts, sealed on the disk as the vault is, with a key of its own. */
import { toHex } from '../core/bytes.ts'
import { decodeCbor, encodeCbor } from '../core/cbor.ts'
import type { Digest, MemberId } from '../core/ids.ts'
import { personCommitment } from '../governance/signOff.ts'
import { VaultFile, type VaultPlace } from '../store/vaultFile.ts'
import { Turns } from './turns.ts'

interface Known {
  readonly name: string
  readonly record: Uint8Array
}

interface Opened {
  readonly vault: VaultFile
  readonly known: Map<Digest, Known>
}

/** One per daemon; made on the disk when the first person is enrolled. */
export class PeopleBook {
  readonly #place: () => VaultPlace
  readonly #exists: () => Promise<boolean>
  readonly #turns = new Turns<'book'>()
  #opening: Promise<Opened> | null = null

  /** `place` may throw where it lies wrong; `exists`: whether anybody was ever written down here. */
  constructor(place: () => VaultPlace, exists: () => Promise<boolean>) {
    this.#place = place
    this.#exists = exists
  }

  /** The names that are known here, by commitment; none where the book cannot be opened, for an act must not fail for want of a name. */
  async names(): Promise<ReadonlyMap<Digest, string>> {
    if (this.#opening === null && !(await this.#exists())) return new Map()
    const opened = await this.#opened().catch(() => null)
    return new Map([...(opened?.known ?? [])].map(([person, { name }]) => [person, name]))
  }

  /** Writes somebody down; gives the commitment. Durable when it resolves. Errors: those of `VaultFile`. */
  write(name: string, key: MemberId, salt: Uint8Array): Promise<Uint8Array> {
    return this.#turns.run('book', async () => {
      const { vault, known } = await this.#opened()
      const person = personCommitment(salt, name, key)
      const record = encodeCbor([person, name, salt])
      await vault.append([record])
      known.set(toHex(person) as Digest, { name, record })
      return person
    })
  }

  /** Destroys name and salt of these, and the key that they were sealed under; how many there were. Errors: those of `VaultFile`. */
  forget(people: readonly Digest[]): Promise<number> {
    return this.#turns.run('book', async () => {
      const { vault, known } = await this.#opened()
      const gone = people.filter((person) => known.has(person))
      if (gone.length === 0) return 0
      const left = [...known].filter(([person]) => !gone.includes(person)).map(([, { record }]) => record)
      await vault.rewrite(left)
      for (const person of gone) known.delete(person)
      return gone.length
    })
  }

  async close(): Promise<void> {
    const opened = await this.#opening?.catch(() => null)
    await opened?.vault.close()
  }

  /** Opened anew after a failure, so that a key that was put back serves without a restart. */
  #opened(): Promise<Opened> {
    this.#opening ??= this.#open().catch((error: unknown) => {
      this.#opening = null
      throw error
    })
    return this.#opening
  }

  async #open(): Promise<Opened> {
    const { vault, records } = await VaultFile.open(this.#place())
    const known = new Map<Digest, Known>()
    for (const record of records) {
      const [person, name] = decodeCbor(record) as [Uint8Array, string]
      known.set(toHex(person) as Digest, { name, record })
    }
    return { vault, known }
  }
}

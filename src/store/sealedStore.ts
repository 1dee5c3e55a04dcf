/**
 * A log store whose state is sealed with AES-256-GCM: weights, private heads, bindings, how far a round has come. All state, so that none is
 * forgotten. Entries stay as they are: every member holds the same bytes of them, so that sealing would hide them from nobody.
 */
import { hkdfSync, randomBytes } from 'node:crypto'
import { equalBytes, utf8 } from '../core/bytes.ts'
import { taggedMessage } from '../core/digest.ts'
import { ConsiliumError } from '../core/errors.ts'
import type { MemberId } from '../core/ids.ts'
import type { Final, FinalTimes, LogBatch, LogStore, Repaired, StoredHead, Witnessed } from '../ledger/store.ts'
import { KEY_BYTES, NONCE_BYTES, seal, TAG_BYTES, unseal } from './aead.ts'

const MAGIC = Uint8Array.of(0x43, 0x53, 0x54, 0x01) // CST and the version
const MARK = 'sealed' // a state that says that all of it is, and by which a wrong key is known at once
const MARKED = utf8('consilium sealed state')

type State = ReadonlyMap<string, Uint8Array | null>

/** What lies below: `compactState` rewrites the files of a database, so that what was overwritten leaves the disk. */
export interface Sealable extends LogStore {
  compactState(): Promise<void>
}

/** How to open. `onStateDamaged` hears of a state that is not as it was sealed under its name; it is as if it were not there. */
export interface SealedOptions {
  readonly onStateDamaged?: (name: string) => void
  readonly chance?: (bytes: number) => Uint8Array
}

/** The bytes of one state: magic, nonce, content and tag; its name is sealed with it. */
export function sealState(key: Uint8Array, name: string, value: Uint8Array, nonce: Uint8Array): Uint8Array {
  return seal(key, nonce, aadOf(name), value, [MAGIC, nonce]) // one copy of what may be many megabytes
}

/** The key that seals state, of a folder's data key. */
export function stateKeyOf(dataKey: Uint8Array): Uint8Array {
  const info = taggedMessage('sealedState', new Uint8Array(0))
  return new Uint8Array(hkdfSync('sha256', dataKey, new Uint8Array(0), info, KEY_BYTES))
}

/** Error `data-key-missing` where the state of `store` is sealed, and there is no key. */
export async function requireUnsealed(store: LogStore, keyPath: string): Promise<void> {
  if ((await store.getState(MARK)) === undefined) return
  const message = `${keyPath}: there is no such key, and what database/ keeps of studies is sealed under it; restore it from a backup, or move database/ out of the folder and start: the node fetches the logs back`
  throw new ConsiliumError({ code: 'data-key-missing', message })
}

/** Owns the store below it. */
export class SealedStore implements LogStore {
  readonly #below: Sealable
  readonly #key: Uint8Array
  readonly #onStateDamaged: (name: string) => void
  readonly #chance: (bytes: number) => Uint8Array

  private constructor(below: Sealable, key: Uint8Array, options: SealedOptions) {
    this.#below = below
    this.#key = key
    this.#onStateDamaged = options.onStateDamaged ?? (() => undefined)
    this.#chance = options.chance ?? ((bytes) => new Uint8Array(randomBytes(bytes)))
  }

  /**
   * Over `below`; state that lies there plain, as older versions wrote it, is sealed first, and leaves the disk. Error `data-key-wrong`,
   * where another key sealed it; `keyPath` is named in it.
   */
  static async open(
    below: Sealable,
    dataKey: Uint8Array,
    keyPath: string,
    options: SealedOptions = {},
  ): Promise<SealedStore> {
    const store = new SealedStore(below, stateKeyOf(dataKey), options)
    const mark = await below.getState(MARK)
    if (mark === undefined) await store.#sealAll()
    else if (!equalBytes(store.#unseal(MARK, mark) ?? MAGIC, MARKED)) {
      const message = `${keyPath}: is not the key that sealed what database/ keeps of studies; put the right one back, or move database/ out of the folder and start: the node fetches the logs back`
      throw new ConsiliumError({ code: 'data-key-wrong', message })
    }
    return store
  }

  /** After a stop in between, the next start does it all again. What was plain lies in tables since the database was opened, apart from what is written now. */
  async #sealAll(): Promise<void> {
    const plain = await this.#below.listState('')
    for (const [name, value] of plain)
      if (!isSealed(value)) await this.#below.putState(new Map([[name, this.#seal(name, value)]]))
    if (plain.length > 0) await this.#below.compactState()
    await this.#below.putState(new Map([[MARK, this.#seal(MARK, MARKED)]]))
  }

  append(batch: LogBatch): Promise<void> {
    const { state } = batch
    return this.#below.append(state === undefined ? batch : { ...batch, state: this.#sealEach(state) })
  }

  async getState(name: string): Promise<Uint8Array | undefined> {
    const bytes = await this.#below.getState(name)
    return bytes === undefined ? undefined : this.#openState(name, bytes)
  }

  async listState(prefix: string): Promise<[string, Uint8Array][]> {
    const found = (await this.#below.listState(prefix)).filter(([name]) => name !== MARK)
    return found.flatMap(([name, bytes]): [string, Uint8Array][] => {
      const value = this.#openState(name, bytes)
      return value === undefined ? [] : [[name, value]]
    })
  }

  putState(state: State): Promise<void> {
    return this.#below.putState(this.#sealEach(state))
  }

  dropBodies(author: MemberId, seqs: readonly number[], state?: State): Promise<void> {
    return this.#below.dropBodies(author, seqs, state === undefined ? undefined : this.#sealEach(state))
  }

  head(author: MemberId): Promise<StoredHead | undefined> {
    return this.#below.head(author)
  }

  heads(): Promise<StoredHead[]> {
    return this.#below.heads()
  }

  entries(author: MemberId, from: number, to: number, bytesMax?: number): Promise<Uint8Array[]> {
    return this.#below.entries(author, from, to, bytesMax)
  }

  commit(author: MemberId, above: number, upTo: number): Promise<{ size: number; note: Uint8Array } | undefined> {
    return this.#below.commit(author, above, upTo)
  }

  nodes(author: MemberId, level: number, from: number, to: number): Promise<Uint8Array[]> {
    return this.#below.nodes(author, level, from, to)
  }

  witnessed(author: MemberId): Promise<Witnessed | undefined> {
    return this.#below.witnessed(author)
  }

  putWitnessed(author: MemberId, witnessed: Witnessed): Promise<void> {
    return this.#below.putWitnessed(author, witnessed)
  }

  putFinal(author: MemberId, final: Final): Promise<void> {
    return this.#below.putFinal(author, final)
  }

  final(author: MemberId, size?: number): Promise<Omit<Final, 'timeS'> | undefined> {
    return this.#below.final(author, size)
  }

  finalTimes(author: MemberId, size: number): Promise<FinalTimes> {
    return this.#below.finalTimes(author, size)
  }

  putForkEvidence(author: MemberId, evidence: Uint8Array): Promise<void> {
    return this.#below.putForkEvidence(author, evidence)
  }

  forkEvidence(author: MemberId): Promise<Uint8Array | undefined> {
    return this.#below.forkEvidence(author)
  }

  repair(author: MemberId, from: number, raws: readonly Uint8Array[]): Promise<Repaired> {
    return this.#below.repair(author, from, raws)
  }

  close(): Promise<void> {
    return this.#below.close()
  }

  #sealEach(state: State): State {
    return new Map([...state].map(([name, value]) => [name, value === null ? null : this.#seal(name, value)]))
  }

  #seal(name: string, value: Uint8Array): Uint8Array {
    return sealState(this.#key, name, value, this.#chance(NONCE_BYTES))
  }

  #openState(name: string, bytes: Uint8Array): Uint8Array | undefined {
    const value = this.#unseal(name, bytes)
    if (value !== null) return value
    this.#onStateDamaged(name)
    return undefined
  }

  #unseal(name: string, bytes: Uint8Array): Uint8Array | null {
    const at = MAGIC.length + NONCE_BYTES
    if (bytes.length < at + TAG_BYTES || !isSealed(bytes)) return null
    return unseal(this.#key, bytes.subarray(MAGIC.length, at), aadOf(name), bytes.subarray(at))
  }
}

/** No state that was stored plain begins so: CBOR would be a text of three bytes. */
const isSealed = (bytes: Uint8Array): boolean => equalBytes(bytes.subarray(0, MAGIC.length), MAGIC)

const aadOf = (name: string): Uint8Array => taggedMessage('sealedState', Buffer.concat([MAGIC, utf8(name)]))

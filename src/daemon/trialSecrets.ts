/**
 * What a hospital keeps of a trial for itself: seeds of lists that it drew, keys of commitments to documents and data. All of it is state of
 * the database, sealed there and in backups; it is written in one batch with the entry that commits to it.
 */
import { toHex } from '../core/bytes.ts'
import { type Cbor, decodeCbor, encodeCbor } from '../core/cbor.ts'
import { ConsiliumError } from '../core/errors.ts'
import type { ListDesign } from '../governance/trials/randomisation.ts'
import type { LogStore } from '../ledger/store.ts'

/** A list's seed and how it was drawn. */
export interface ListSecret extends ListDesign {
  readonly seed: Uint8Array
}

const LISTS = 'trial/list/'

/** One per daemon. `sealed`: whether the folder has what seals state. */
export class TrialSecrets {
  readonly #store: () => Pick<LogStore, 'getState' | 'listState'>
  readonly #sealed: () => boolean
  #hasLists: boolean | null = null

  constructor(store: () => Pick<LogStore, 'getState' | 'listState'>, sealed: () => boolean) {
    this.#store = store
    this.#sealed = sealed
  }

  /** To be written with the entry of a list of that root. Error: `trial-unsealed`. */
  listState(root: Uint8Array, { seed, ratios, blocks }: ListSecret): ReadonlyMap<string, Uint8Array> {
    this.#requireSealed()
    this.#hasLists = true
    return new Map([[`${LISTS}${toHex(root)}`, encodeCbor([seed, [...ratios], [...blocks]] as Cbor)]])
  }

  /** To be written with an entry that commits to a document or data with that key. Error: `trial-unsealed`. */
  keyState(commitment: Uint8Array, key: Uint8Array): ReadonlyMap<string, Uint8Array> {
    this.#requireSealed()
    return new Map([[`trial/key/${toHex(commitment)}`, key]])
  }

  /** Whether any list was drawn here. */
  async hasLists(): Promise<boolean> {
    this.#hasLists ??= (await this.#store().listState(LISTS)).length > 0
    return this.#hasLists
  }

  /** Null where the list was not drawn here, or its secret is lost. */
  async list(root: Uint8Array): Promise<ListSecret | null> {
    const bytes = await this.#store().getState(`${LISTS}${toHex(root)}`)
    if (bytes === undefined) return null
    const [seed, ratios, blocks] = decodeCbor(bytes) as unknown as [Uint8Array, number[], number[]]
    return { seed, ratios, blocks }
  }

  /** The key of a commitment that was made here; null where there is none. */
  async key(commitment: Uint8Array): Promise<Uint8Array | null> {
    return (await this.#store().getState(`trial/key/${toHex(commitment)}`)) ?? null
  }

  #requireSealed(): void {
    if (this.#sealed()) return
    const message =
      'what is secret of a trial would lie unsealed in this data folder: run "consilium keys seal" first, and restart the node'
    throw new ConsiliumError({ code: 'trial-unsealed', message })
  }
}

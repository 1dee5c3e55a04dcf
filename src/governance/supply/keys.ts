/** GS1 keys by number: each once, and those of a product together. */
import { type Gs1Key, gtinOf } from '../../core/gs1.ts'

/** A key by its number in one book. */
export type Thing = number

/** Whether a key that names goods names one of them, and not a lot or a product, of which there may be any at many places. */
export function isSingle(key: Gs1Key): boolean {
  return !key.startsWith('01/') || key.startsWith('/21/', 17)
}

/** Whether a key names a lot of a product. */
export function isLot(key: Gs1Key): boolean {
  return key.startsWith('01/') && key.startsWith('/10/', 17)
}

/** Numbers are given in the order in which keys come, and never again. */
export class Keys {
  readonly #things = new Map<string, Thing>()
  readonly #keys: Gs1Key[] = []
  readonly #products = new Map<string, Thing[]>()

  /** Numbers go from 0 to this. */
  get size(): number {
    return this.#keys.length
  }

  of(key: string): Thing | null {
    return this.#things.get(key) ?? null
  }

  at(thing: Thing): Gs1Key {
    return this.#keys[thing] as Gs1Key
  }

  /** Packs, lots and the product itself, of a GTIN. */
  ofProduct(gtin: string): readonly Thing[] {
    return this.#products.get(gtin) ?? []
  }

  /** The number of a key: the next where it has none. */
  intern(text: string): Thing {
    const known = this.#things.get(text)
    if (known !== undefined) return known
    const thing = this.#keys.length
    this.#things.set(text, thing)
    this.#keys.push(text as Gs1Key)
    const gtin = gtinOf(text as Gs1Key)
    if (gtin === null) return thing
    const others = this.#products.get(gtin)
    if (others === undefined) this.#products.set(gtin, [thing])
    else others.push(thing)
    return thing
  }

  /** Nothing of the key is left but that its number was given. */
  forget(thing: Thing): void {
    const key = this.at(thing)
    const gtin = gtinOf(key)
    if (gtin !== null)
      this.#products.set(
        gtin,
        this.ofProduct(gtin).filter((other) => other !== thing),
      )
    this.#things.delete(key)
    this.#keys[thing] = '' as Gs1Key
  }
}

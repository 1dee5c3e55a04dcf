/**
 * The newest update of each author as it was signed, for whoever asks later: messages, coded weights, and the keyframes that deltas are
 * against; and the coded weights of those before it that are still being fetched.
 */
import type { Digest, MemberId, StudyId } from '../core/ids.ts'
import type { HeldPayload } from './heldPayload.ts'
import type { UpdateHeader } from './update.ts'
import { Withheld, type Withholding } from './withheld.ts'

const BEFORE_MAX = 3 // of one author: who is slow fetches one of them for several of its rounds, and who is slower another
const SHELF_BYTES_MAX = 1_073_741_824 // of payloads and keyframes, the own ones too: 40 members' largest models as int8

/** One update that is here in whole. */
export interface Shelved {
  /** As it was signed and sent. */
  readonly message: Uint8Array
  readonly header: UpdateHeader
  /** Null where the message carries it. */
  readonly payload: HeldPayload | null
  /** Its weights where it is a keyframe, by which the author's next updates are read. */
  readonly keyframe: Float32Array | null
}

interface Place {
  readonly newest: Shelved
  readonly keyframe: Shelved | null
  /** With payloads, the newest first: the one before the newest, and those that somebody has asked for since that came. */
  readonly before: readonly Shelved[]
  /** The newest is too old to be merged here. */
  retired: boolean
}

/** One per node; what takes too much memory gives way, the oldest first. */
export class Shelf {
  readonly #bytesMax: number
  /** By study and author, those put last at the end. */
  readonly #places = new Map<string, Place>()
  readonly #payloads = new Map<Digest, HeldPayload>()
  readonly #withheld = new Withheld()

  constructor(bytesMax: number = SHELF_BYTES_MAX) {
    this.#bytesMax = bytesMax
  }

  /** Keeps an update, in place of an older one of its author. */
  put(shelved: Shelved): void {
    const key = keyOf(shelved.header.study, shelved.header.author)
    const place = this.#places.get(key)
    const isNewest = place === undefined || place.newest.header.round <= shelved.header.round
    const newest = isNewest ? shelved : place.newest
    const before = isNewest && place !== undefined ? stillWanted(place) : (place?.before ?? [])
    const keyframe = shelved.keyframe === null ? (place?.keyframe ?? null) : shelved
    this.#places.delete(key)
    this.#places.set(key, { newest, keyframe, before, retired: isNewest ? false : place.retired })
    this.#tidy()
  }

  /** The weights that `author`'s deltas are against; null where they are not here. */
  keyframe(study: StudyId, author: MemberId, digest: Digest): Float32Array | null {
    const kept = this.#places.get(keyOf(study, author))?.keyframe
    return kept?.header.digest === digest ? kept.keyframe : null
  }

  /** The newest update, or the keyframe, of `author` with that digest. */
  find(study: StudyId, author: MemberId, digest: Digest): Shelved | null {
    const place = this.#places.get(keyOf(study, author))
    return [place?.newest, place?.keyframe].find((one) => one?.header.digest === digest) ?? null
  }

  /** The newest updates of a study by round, for all authors. */
  newest(study: StudyId): Shelved[] {
    return [...this.#places.values()].flatMap(({ newest }) => (newest.header.study === study ? [newest] : []))
  }

  /** What another is told of: of who has been away for long, nothing, for to who hears it now its update would be as good as new. */
  current(study: StudyId): Shelved[] {
    return [...this.#places.values()].flatMap(({ newest, retired }) =>
      newest.header.study === study && !retired ? [newest] : [],
    )
  }

  /** These weights are merged no more. They are still found by name, and known of. */
  retire(study: StudyId, digests: readonly Digest[], self: MemberId): void {
    for (const place of this.#places.values()) {
      const { header } = place.newest
      if (header.study === study && header.author !== self && digests.includes(header.digest)) place.retired = true
    }
  }

  /** A payload that is being fetched is served from its first chunk on. */
  begin(payload: HeldPayload): void {
    this.#payloads.set(payload.id, payload)
  }

  /** It is not fetched any more; it goes unless it was put. */
  end(id: Digest): void {
    if (!this.#holds(id)) this.#payloads.delete(id)
  }

  payload(id: Digest): HeldPayload | null {
    return this.#payloads.get(id) ?? null
  }

  /** Whole or in part. */
  payloads(): HeldPayload[] {
    return [...this.#payloads.values()]
  }

  /** What is served to nobody from here on, in place of what was said of that study before; returns the payloads that this may be about. */
  withhold(withholding: Withholding): Digest[] {
    this.#withheld.set(withholding)
    const all = this.#all().filter(({ header }) => header.study === withholding.study)
    return all.flatMap(({ payload }) => (payload === null ? [] : [payload.id]))
  }

  /** Whether an update goes to nobody. */
  isWithheld({ header }: Shelved): boolean {
    return this.#withheld.has(header)
  }

  /** Whether a payload goes to nobody, in whole or in part. */
  isPayloadWithheld(id: Digest): boolean {
    return !this.#withheld.isEmpty && this.#withheld.hasAll(this.#naming(id).map(({ header }) => header))
  }

  /** Lets go of what no place refers to, and of the oldest places while there is too much; the one put last stays. */
  #tidy(): void {
    const kept = new Map<Digest, HeldPayload>()
    let bytes = 0
    for (const [key, { newest, keyframe }] of [...this.#places].reverse()) {
      const own = new Set(keyframe === null ? [newest] : [newest, keyframe])
      const more = [...own].reduce((sum, one) => sum + bytesOf(one, kept), 0)
      if (bytes > 0 && bytes + more > this.#bytesMax) {
        this.#places.delete(key)
        continue
      }
      bytes += more
      for (const { payload } of own) if (payload !== null) kept.set(payload.id, payload)
    }
    for (const [key, place] of [...this.#places].reverse()) {
      const before = place.before.filter((one) => {
        const more = bytesOf(one, kept)
        if (one.payload === null || bytes + more > this.#bytesMax) return false
        bytes += more
        return kept.set(one.payload.id, one.payload)
      })
      this.#places.set(key, { ...place, before })
    }
    for (const [id, payload] of this.#payloads) if (payload.have.isFull && !kept.has(id)) this.#payloads.delete(id)
    for (const [id, payload] of kept) this.#payloads.set(id, payload)
  }

  #holds(id: Digest): boolean {
    return this.#naming(id).length > 0
  }

  #naming(id: Digest): Shelved[] {
    return this.#all().filter(({ payload }) => payload?.id === id)
  }

  #all(): Shelved[] {
    return [...this.#places.values()].flatMap(({ newest, keyframe, before }) =>
      keyframe === null ? [newest, ...before] : [newest, keyframe, ...before],
    )
  }
}

/** What of a place is kept when a newer update takes the newest's: of keyframes the place has its own. */
function stillWanted({ newest, before }: Place): Shelved[] {
  const wanted = [newest, ...before.filter(({ payload }) => payload?.wasAsked())]
  newest.payload?.wasAsked() // from here on it is asked for by those who fetch what is not the newest any more
  return wanted.slice(0, BEFORE_MAX).map((one) => ({ ...one, keyframe: null }))
}

/** What it takes beyond what is `kept` already. */
function bytesOf({ payload, keyframe }: Shelved, kept: ReadonlyMap<Digest, HeldPayload>): number {
  const payloadBytes = payload === null || kept.has(payload.id) ? 0 : payload.bytes.length
  return payloadBytes + (keyframe?.byteLength ?? 0)
}

const keyOf = (study: StudyId, author: MemberId): string => `${study} ${author}`

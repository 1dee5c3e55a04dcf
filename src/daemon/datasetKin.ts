/**
 * Which registered datasets are one table under several names, and so share what may be told of it. Found when a version is registered and kept
 * with it, for files change and go.
 */
import { setImmediate } from 'node:timers/promises'
import { equalBytes } from '../core/bytes.ts'
import type { Digest } from '../core/ids.ts'
import { datasetSecretHash } from '../data/rowCommitments.ts'
import type { TableFile } from '../data/table.ts'
import type { DatasetVersion } from './datasetFiles.ts'

/** Other datasets of which any version, the newest or not, is exactly these bytes. */
export async function ofSameBytes(file: TableFile, dataset: Digest, all: readonly DatasetVersion[]): Promise<Digest[]> {
  const commitments = new Map<Digest, Uint8Array>()
  const found = new Set<Digest>()
  for (const one of all) {
    if (one.dataset === dataset || found.has(one.dataset)) continue
    const known = commitments.get(one.dataset)
    if (known === undefined) await setImmediate() // a hash over a large file takes a second, and there is one for each secret
    const commitment = known ?? datasetSecretHash(one.secret, 'datasetFile', file.bytes)
    commitments.set(one.dataset, commitment)
    if (equalBytes(commitment, one.file)) found.add(one.dataset)
  }
  return [...found]
}

/** Who is kin to whom by a list of versions: what shares a place or was found to share bytes, at any remove. */
export class Kinship {
  readonly #known: ReadonlySet<Digest>
  readonly #links = new Map<string, Set<string>>()

  /** `versions` are all that are registered. */
  constructor(versions: readonly Pick<DatasetVersion, 'dataset' | 'path' | 'kin'>[]) {
    this.#known = new Set(versions.map(({ dataset }) => dataset))
    for (const { dataset, path, kin = [] } of versions)
      for (const other of [PLACE + path, ...kin]) {
        this.#link(dataset, other)
        this.#link(other, dataset)
      }
  }

  /** Whether a version of it is registered here. */
  knows(dataset: Digest): boolean {
    return this.#known.has(dataset)
  }

  /** The others, sorted; some may be registered here no more. */
  of(dataset: Digest): Digest[] {
    const seen = new Set<string>([dataset])
    for (const one of seen) for (const other of this.#links.get(one) ?? []) seen.add(other) // grows while it is read
    const others = [...seen].filter((one) => one !== dataset && !one.startsWith(PLACE))
    return (others as Digest[]).sort()
  }

  #link(from: string, to: string): void {
    const links = this.#links.get(from) ?? new Set()
    this.#links.set(from, links.add(to))
  }
}

const PLACE = 'at ' // no digest begins so

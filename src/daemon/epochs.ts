/** Epochs of the membership at one node: taken up when they are decided or told, kept in the consortium file, handed on to who is behind. */
import { type Cbor, decodeCbor, encodeCbor } from '../core/cbor.ts'
import { ConsiliumError } from '../core/errors.ts'
import type { MemberId } from '../core/ids.ts'
import { type Epoch, epochNumberOf, type Membership, openEpoch, RECORD_BYTES_MAX, rollCall } from '../ledger/epoch.ts'
import type { Transport } from '../net/transport.ts'
import type { NodeEvent } from '../node/events.ts'
import type { Logs } from './logs.ts'
import { Turns } from './turns.ts'

const EPOCHS = '/consilium/epochs/1'
const REQUEST_BYTES_MAX = 16 // a number

/** What the keeper of the epochs works with. */
export interface EpochsParts {
  readonly membership: Membership
  readonly transport: Transport
  readonly logs: Pick<Logs, 'agrees'>
  readonly feed: (event: NodeEvent) => void
  /** Writes the consortium file durably, with the records of all epochs. */
  readonly save: (records: readonly Uint8Array[]) => Promise<void>
  /** Tells what votes on the next epoch that it has begun. */
  readonly onBegun: () => Promise<void>
  /** A record could not be kept, so that this node and its files are of different epochs. */
  readonly onFailed: (error: unknown) => void
}

/** One per daemon. */
export class Epochs {
  readonly #parts: EpochsParts
  readonly #turns = new Turns<'epoch'>()

  constructor(parts: EpochsParts) {
    this.#parts = parts
  }

  /** Lets the others ask for the records of epochs that they lack. What the newest pins is looked at again: the power may have gone in between. */
  async serve(): Promise<void> {
    const { transport, membership } = this.#parts
    await this.#compare(membership.current)
    await transport.handle(EPOCHS, async function* (_, request) {
      for (const record of membership.records.slice(decodeRequest(request))) yield record
    })
  }

  /**
   * Takes up the epochs that `peer` knows and this node does not; gives the number of the newest. Errors: those of `openEpoch`, `epochs-unordered`, which blame the peer;
   * those of the transport.
   */
  async ask(peer: MemberId, signal: AbortSignal): Promise<number> {
    const { transport, membership, onFailed } = this.#parts
    let { number } = membership.current
    const options = { signal, frameBytesMax: RECORD_BYTES_MAX }
    for await (const record of transport.request(peer, EPOCHS, encodeCbor(number), options)) {
      if (epochNumberOf(record) !== ++number)
        throw refused('epochs-unordered', `epoch ${number} was expected, as the next one that was asked for`) // else they might never end
      try {
        await this.take(record)
      } catch (error) {
        if (error instanceof ConsiliumError && error.blame === 'reject') throw error
        onFailed(error)
        break
      }
    }
    return membership.current.number
  }

  /**
   * Goes on to the next epoch, when it is durable; a record of one that has begun is passed over. Errors: those of `openEpoch`; those of the
   * file.
   */
  take(record: Uint8Array): Promise<void> {
    return this.#turns.run('epoch', async () => {
      const { membership, save, feed, onBegun } = this.#parts
      if (epochNumberOf(record) <= membership.current.number) return // other votes may have decided the same
      const epoch = openEpoch(record, membership.current)
      await save([...membership.records, record])
      membership.add(record)
      await this.#compare(epoch)
      feed({ type: 'epoch-begun', call: rollCall(epoch), digest: epoch.digest })
      await onBegun()
    })
  }

  /** Of an author whose log here is not what the members pinned of it, two histories are signed. */
  async #compare({ pins }: Epoch): Promise<void> {
    const { logs, feed } = this.#parts
    for (const pin of pins.values())
      if (!(await logs.agrees(pin))) feed({ type: 'fork-proven', author: pin.author, size: pin.size })
  }
}

function decodeRequest(bytes: Uint8Array): number {
  const number: Cbor = decodeCbor(bytes, REQUEST_BYTES_MAX)
  if (typeof number === 'number' && Number.isSafeInteger(number) && number >= 0) return number
  throw refused('epochs-malformed', 'the number of an epoch is expected')
}

function refused(code: string, message: string): ConsiliumError {
  return new ConsiliumError({ code, message, blame: 'reject' })
}

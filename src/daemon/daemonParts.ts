/** What is handed to a daemon when it is made. */
import type { Learner } from '../learn/learner.ts'
import type { LogStore } from '../ledger/store.ts'
import type { Transport, TransportEvents } from '../net/transport.ts'
import type { Home } from './home.ts'
import type { InputStore } from './inputStore.ts'
import type { Log } from './log.ts'
import type { Recorder } from './recorder.ts'

/** What a daemon is made of; everything that touches the world is handed in. */
export interface DaemonParts {
  readonly home: Home
  readonly store: LogStore
  /** Everything in the database, as it is at one moment; state is sealed in it. */
  readonly rows: () => AsyncIterable<readonly [Uint8Array, Uint8Array]>
  /** Own entries that this key has signed, by the head pin. */
  readonly signed: number
  /** Brings that number down to what is stored; appends that follow wait for it. */
  readonly forgetSigned: () => Promise<void>
  readonly makeTransport: (events: TransportEvents) => Transport
  readonly learner: Learner
  readonly inputs: InputStore
  readonly log: Log
  readonly recorder: Recorder | null
}

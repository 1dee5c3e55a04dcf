/** `consilium start`: builds the daemon from a data folder and runs it until it is told to stop. */
import { inspect } from 'node:util'
import { messageOf } from '../core/errors.ts'
import { WorkerLearner } from '../learn/workerLearner.ts'
import type { Member } from '../ledger/founding.ts'
import type { LogStore } from '../ledger/store.ts'
import { Libp2pTransport } from '../net/libp2pTransport.ts'
import { LevelStore } from '../store/levelStore.ts'
import { requireUnsealed, SealedStore } from '../store/sealedStore.ts'
import { Control } from './control.ts'
import { Daemon } from './daemon.ts'
import { DatasetFiles } from './datasetFiles.ts'
import { type Home, openHome, requireWritable } from './home.ts'
import { InputStore } from './inputStore.ts'
import { Invitations } from './invitations.ts'
import { type Log, makeLog } from './log.ts'
import { proposeChange } from './proposing.ts'
import { Recorder } from './recorder.ts'
import { Room } from './room.ts'
import { routesOf } from './routes.ts'
import { SettlementDesk } from './settlementDesk.ts'

const LINGER_MS = 1_000

/** Options of `consilium start`. `json` is the form of the log; `record` a file to make, or null. */
export interface RunOptions {
  readonly home: string
  readonly json: boolean
  readonly record: string | null
  /** Take the ledger as it lies, and pin it anew. */
  readonly trustLedger: boolean
}

/** Resolves when the node has stopped. Errors: all of `openHome`, the store's, the network's and the control socket's. */
export async function runDaemon({ home: folder, json, record, trustLedger }: RunOptions): Promise<void> {
  const home = await openHome(folder)
  await requireWritable(home.paths.folder)
  const log = makeLog(home.config.log.level, json)
  const recorder = record === null ? null : await openRecorder(record, log)
  const inputs = inputsOf(home, log)
  const daemon = await build(home, log, recorder, trustLedger, inputs)
  const propose = (member: Member) => proposeChange(daemon, [member], [])
  const signs = (): boolean => daemon.people.people.required !== null
  const invitations = new Invitations({ home, transport: daemon.transport, propose, signs, log })
  const settlement = new SettlementDesk(daemon, inputs, log)
  const routes = routesOf(daemon, inputs, invitations, settlement)
  const control = new Control(home.paths.socket, routes, (event, facts) => log('error', event, facts))
  const stop = (signal: NodeJS.Signals): void => void daemon.stop(signal === 'SIGTERM' ? 'sigterm' : 'sigint')
  process.on('SIGTERM', stop).on('SIGINT', stop)
  // a promise that a library dropped must not end a node that runs for months; our own writes are all awaited
  const dropped = (reason: unknown): void => log('error', 'unexpected', { error: inspect(reason) })
  process.on('unhandledRejection', dropped)
  try {
    await control.start()
    inputs.start()
    await daemon.start()
    await invitations.serve()
    settlement.start()
    await daemon.done
    log('info', 'stopped', {})
  } finally {
    await control.stop()
    settlement.stop()
    await daemon.discard()
    await inputs.close()
    process.off('SIGTERM', stop).off('SIGINT', stop).off('unhandledRejection', dropped)
    setTimeout(() => process.exit(), LINGER_MS).unref() // a library's timer or socket must not keep a stopped node in the process list
  }
}

function inputsOf({ paths, config }: Home, log: Log): InputStore {
  const keepBytes = config.replay.keepMegabytes * 1e6
  return new InputStore({ folder: paths.inputs, keepBytes, room: new Room(paths.folder), log })
}

function openRecorder(path: string, log: Log): Promise<Recorder> {
  return Recorder.open(path, (error) => log('error', 'recording-ended', { file: path, error: messageOf(error) }))
}

/** What it means that a state of this name is lost; the ledger is not touched by it. */
function lossOf(state: string): string {
  if (state.startsWith('binding/')) return 'the table of this study has to be bound again'
  if (state.startsWith('facts/')) return 'nothing is lost: this log is read from its beginning'
  if (state.startsWith('traces/')) return 'nothing is lost: this part of a log is read again'
  if (state.startsWith('progress/')) return 'the round that was under way is trained from its beginning'
  if (state.startsWith('consent/')) return 'what patients said is told in the log once more'
  if (state.startsWith('pruning/')) return 'a pruning that was interrupted is not recorded'
  return 'this study begins anew here, and catches up with the others'
}

/** State is sealed where the folder has the key to it. Errors: `data-key-missing`, `data-key-wrong`. */
async function sealedIn(level: LevelStore, home: Home, onStateDamaged: (state: string) => void): Promise<LogStore> {
  const { dataKey, paths } = home
  try {
    if (dataKey !== null) return await SealedStore.open(level, dataKey, paths.dataKey, { onStateDamaged })
    await requireUnsealed(level, paths.dataKey)
    return level
  } catch (error) {
    await level.close()
    throw error
  }
}

async function build(
  home: Home,
  log: Log,
  recorder: Recorder | null,
  trustLedger: boolean,
  inputs: InputStore,
): Promise<Daemon> {
  const { paths, config, consortium, key } = home
  const onStateDamaged = (state: string): void => log('error', 'state-damaged', { state, means: lossOf(state) })
  const pin = trustLedger ? 'trust' : 'check'
  const level = await LevelStore.open(paths.database, { self: key.id, pin, onStateDamaged })
  const store = await sealedIn(level, home, onStateDamaged)
  await new DatasetFiles(paths.datasets, home.dataKey).sealAll()
  const members = consortium.members.map(({ key: id, addresses }) => ({ id, addresses }))
  return new Daemon({
    home,
    store,
    rows: () => level.rows(),
    signed: level.signed.size,
    forgetSigned: () => level.forgetSigned(),
    log,
    recorder,
    inputs,
    learner: new WorkerLearner({ backend: config.learner.backend }),
    makeTransport: (events) =>
      new Libp2pTransport(
        {
          privateKeySeed: key.seed,
          members: members.filter(({ id }) => id !== key.id),
          listen: config.listen,
          announce: config.announce,
          bootstrap: config.bootstrap,
          mdns: config.mdns,
          topicPrefix: `consilium/1/${consortium.founding.slice(0, 16)}`,
          datastorePath: paths.addressBook,
          log,
        },
        events,
      ),
  })
}

/** What the daemon's parts do of each action of the machine. */
import { exhaustive } from '../core/errors.ts'
import type { Transport } from '../net/transport.ts'
import type { Action } from '../node/actions.ts'
import type { WeightStore } from '../training/weightStore.ts'
import type { Forks } from './forks.ts'
import { haltedBecause } from './halted.ts'
import type { Inbox } from './inbox.ts'
import type { Log } from './log.ts'
import type { Logs } from './logs.ts'
import type { Publisher } from './publisher.ts'
import type { Reconfiguration } from './reconfiguration.ts'
import type { Replicator } from './replicator.ts'
import type { StudyWork } from './studyWork.ts'
import type { Tasks } from './tasks.ts'
import type { Tickets } from './tickets.ts'
import type { Updates } from './updates.ts'
import type { Witness } from './witness.ts'

const HAND_OVER_MS = 2_500 // a head is announced and its entries fetched in a few round trips; a busy machine takes its time

/** The parts of a daemon that act. */
export interface Hands {
  readonly publisher: Publisher
  readonly replicator: Replicator
  readonly reconfiguration: Reconfiguration
  readonly witness: Witness
  readonly forks: Forks
  readonly inbox: Inbox
  readonly studyWork: StudyWork
  readonly updates: Updates
  readonly weights: WeightStore
  readonly tickets: Tickets
  readonly tasks: Tasks
  readonly transport: Transport
  readonly logs: Logs
  readonly stopping: AbortSignal
  readonly log: Log
  readonly forgetSigned: () => Promise<void>
  readonly record: (action: Extract<Action, { type: 'record' }>) => void
  readonly fail: (error: unknown) => void
  /** The stop is recorded, and was handed over or will not be. */
  readonly stopped: () => void
}

/** Begins what the action asks for; what fails in the background is told of by `tasks`. */
export function carryOut(action: Action, hands: Hands): void {
  switch (action.type) {
    case 'record':
      return hands.record(action)
    case 'announce-head':
      return hands.publisher.head(hands.logs.note(hands.logs.self))
    case 'forget-signed':
      return hands.tasks.run('forget-signed', () => hands.forgetSigned())
    case 'ask-cosign':
      return hands.replicator.askCosign(hands.publisher.witness)
    case 'cosign':
      return hands.tasks.run('cosign', () => hands.replicator.cosign(action.log))
    case 'announce-cosigned':
      return hands.witness.tell(action.logs, hands.publisher.witness)
    case 'keep-final':
      return hands.tasks.run('keep-final', () => hands.replicator.keepFinal(action.log))
    case 'ask-heads':
      return hands.tasks.run('ask-heads', () => hands.replicator.askHeads(action.peer, hands.stopping))
    case 'replicate':
      return hands.tasks.run('replicate', () => hands.replicator.fetch(action, hands.stopping))
    case 'keep-fork':
      return hands.tasks.run('keep-fork', () => hands.forks.keep(action.author, action.size))
    case 'examine-fork':
      return hands.tasks.run('examine-fork', () => hands.replicator.examine(action, hands.stopping))
    case 'admit':
    case 'open-slot':
    case 'vote':
      return hands.tasks.run(action.type, () => hands.reconfiguration.carryOut(action))
    case 'verdict':
      return hands.inbox.settle(action.ticket, action.verdict)
    case 'disconnect':
      return hands.tasks.run('disconnect', () => hands.transport.disconnect(action.member, action.reason))
    case 'topics':
      return hands.publisher.studies.follow(action)
    case 'consult-consent':
    case 'open-study':
    case 'trace':
    case 'train':
    case 'merge':
    case 'evaluate':
    case 'measure':
    case 'cross':
      return hands.studyWork.begin(action)
    case 'publish-update':
      return hands.publisher.update(action.claims)
    case 'withhold':
      return hands.updates.withhold(action)
    case 'fetch-update':
    case 'ask-updates':
      return hands.tasks.run(action.type, () => hands.updates.carryOut(action, hands.stopping))
    case 'forget':
      hands.updates.retire(action)
      return hands.weights.forget(action.study, action.digests)
    case 'answer':
      return hands.tickets.answer(action.ticket, action.error)
    case 'tell':
      return hands.log(action.level, action.event, action.facts)
    case 'halt':
      return hands.fail(haltedBecause(action.code))
    case 'stopped':
      return void hands.logs.handedOver(HAND_OVER_MS).then(hands.stopped)
    case 'wake':
      return // kept by the driver
    default:
      exhaustive(action)
  }
}

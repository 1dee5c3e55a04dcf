/** One hospital's node: the machine's shell. Events in from network, disk, learner and operator; actions out to them. */
import { ConsiliumError, invariant, messageOf } from '../core/errors.ts'
import type { MemberId, StudyId } from '../core/ids.ts'
import type { Dataset } from '../data/dataset.ts'
import type { StudyState } from '../governance/studies.ts'
import type { Transport, TransportEvents } from '../net/transport.ts'
import type { Action } from '../node/actions.ts'
import type { NodeEvent, Ticket } from '../node/events.ts'
import { Machine } from '../node/machine.ts'
import type { Trainer } from '../training/trainer.ts'
import { WeightStore } from '../training/weightStore.ts'
import { runBackground } from './background.ts'
import { Backups } from './backup.ts'
import { type BindingCounsel, Bindings, requireBindable } from './bindings.ts'
import { bootEvent } from './bootEvent.ts'
import { carryOut, type Hands } from './carryOut.ts'
import { checkpointState, progressIn, storedCheckpoints } from './checkpointState.ts'
import { type BoundSubjects, ConsentDesk } from './consentDesk.ts'
import { CountDesk } from './countDesk.ts'
import type { DaemonParts } from './daemonParts.ts'
import { DatasetDesk } from './datasetDesk.ts'
import { Driver } from './driver.ts'
import { Followers } from './followers.ts'
import { Forks } from './forks.ts'
import { requireGranted } from './granting.ts'
import { type Home, nameIn } from './home.ts'
import { Inbox } from './inbox.ts'
import { Keeper } from './keeper.ts'
import { LedgerWriter } from './ledgerWriter.ts'
import { LineageReader } from './lineageReader.ts'
import { Logs } from './logs.ts'
import { LogTraces } from './logTraces.ts'
import { OwnLog } from './ownLog.ts'
import { PeopleOffice } from './peopleOffice.ts'
import { Publisher } from './publisher.ts'
import { Reconfiguration } from './reconfiguration.ts'
import { Replicator } from './replicator.ts'
import { Room } from './room.ts'
import { Scrub } from './scrub.ts'
import { StudyModels } from './studyModels.ts'
import { makeTrainer, StudyWork } from './studyWork.ts'
import { SupplyDesk } from './supplyDesk.ts'
import { Tasks } from './tasks.ts'
import { Tickets } from './tickets.ts'
import { transportEvents } from './transportEvents.ts'
import { TrialDesk } from './trialDesk.ts'
import { formatIn, Updates } from './updates.ts'
import { UseDesk } from './useDesk.ts'
import { type VaultKeeper, vaultOf } from './vaultKeeper.ts'
import { Witness } from './witness.ts'

const STOP_MS = 2_000 // of the 5 s that a stop may take; what is not done by then is done again at the next start

/** One node. `start` once; it owns its parts, and closes transport, learner, store and recorder at its end. */
export class Daemon {
  readonly #parts: DaemonParts
  readonly #machine = new Machine()
  readonly #driver: Driver
  readonly #weights = new WeightStore()
  readonly #tickets = new Tickets()
  readonly #tasks = new Tasks((what, error) => {
    if (this.#stopping.signal.aborted) return
    const level = what.startsWith('keep-') ? 'error' : 'debug' // the network asks again by itself; evidence may never come again
    this.#parts.log(level, `${what}-failed`, { error: messageOf(error) })
  })
  readonly #stopping = new AbortController()
  #closing = false
  readonly transport: Transport
  readonly logs: Logs
  readonly #replicator: Replicator
  readonly witness: Witness
  readonly forks: Forks
  readonly scrub: Scrub
  readonly #reconfiguration: Reconfiguration
  readonly #studyWork: StudyWork
  readonly models: StudyModels
  readonly #inbox: Inbox
  readonly #updates: Updates
  readonly #publisher: Publisher
  readonly followers = new Followers()
  readonly #traces = new LogTraces(() => ({ logs: this.logs, store: this.#parts.store }))
  readonly lineage = new LineageReader(this.#traces)
  readonly ownLog = new OwnLog(this.#traces)
  readonly vault: VaultKeeper
  readonly consent: ConsentDesk
  readonly people: PeopleOffice
  readonly backups: Backups
  #bindings: Bindings | null = null
  readonly #intact = (id: StudyId): Promise<void> => this.#bindingsOf().intact(id)
  #trainer: Trainer | null = null
  #writer: LedgerWriter | null = null
  readonly keeper = new Keeper(this)
  readonly datasets = new DatasetDesk(this)
  readonly supply = new SupplyDesk(this)
  readonly trials = new TrialDesk(this, () => this.#parts.store)
  readonly uses = new UseDesk(this, () => this.#parts.store)
  readonly counts = new CountDesk(this)
  readonly #hands: Hands
  #finish: (error: unknown) => void = () => undefined
  /** Settles when the node has stopped; rejects where it had to. */
  readonly done: Promise<void>
  readonly startedAtMs = Date.now()

  constructor(parts: DaemonParts) {
    this.#parts = parts
    this.#driver = new Driver(
      this.#machine,
      (action) => carryOut(action, this.#hands),
      parts.recorder,
      (error) => this.#fail(error),
    )
    this.transport = parts.makeTransport(this.#transportEvents())
    const { home, store, log } = parts
    const { founding } = home.consortium
    const { feed } = this.#driver
    const { roll } = home.membership
    const shared = { founding, roll, store, transport: this.transport }
    const { retention } = home.config
    this.logs = new Logs({ ...shared, self: home.key.id, room: new Room(home.paths.folder), retention })
    this.#publisher = new Publisher({
      ...{ founding, key: home.key.signing, transport: this.transport, tasks: this.#tasks, log },
      ...{ weights: this.#weights, inputs: parts.inputs, updates: () => this.#updates },
      written: (study, update) => this.#trainerOf().written(study, update),
    })
    const { logs } = this
    const isVoting = (): boolean => this.#reconfiguration.isVoting
    this.forks = new Forks({ ...shared, logs, feed, publish: this.#publisher.witness, log })
    const watching = { tasks: this.#tasks, cosigners: this.forks.cosigners, log }
    const witness = new Witness({ ...shared, ...watching, key: home.key.signing, logs, isVoting })
    this.witness = witness
    this.scrub = new Scrub({ ...shared, daemon: this, feed, log }, (error) => this.#fail(error))
    this.#reconfiguration = new Reconfiguration({
      ...{ home, store, logs, witness, feed, log, transport: this.transport, publish: this.#publisher.epochs },
      changes: () => this.#machine.changes,
      final: (author) => this.#machine.finality.final(author),
      onFailed: (error) => this.#fail(error),
    })
    this.#replicator = new Replicator({
      ...{ epochs: this.#reconfiguration, logs, witness, forks: this.forks, feed, log },
      tellFollowers: (entries) => this.followers.tell(entries),
      onStoreFailed: (error) => this.#fail(error),
    })
    const work = { trainer: () => this.#trainerOf(), tasks: this.#tasks, feed, log, lineage: this.lineage }
    this.#studyWork = new StudyWork({ ...work, intact: this.#intact, stopping: this.#stopping.signal })
    this.models = new StudyModels({
      trainer: () => this.#trainer,
      machine: this.#machine,
      dataset: ({ id }) => this.dataset(id),
    })
    const ofStudies = { study: (id: StudyId) => this.#studyState(id).study, table: (id: StudyId) => this.#table(id) }
    this.vault = vaultOf({ home, store, logs, feed, writer: () => this.writer, machine: this.#machine })
    this.consent = new ConsentDesk({ self: home.key.id, vault: this.vault, ...ofStudies })
    this.people = this.#officeOf()
    this.backups = new Backups({ ...parts, uses: this.uses, vault: () => this.vault.copy(), writer: () => this.writer })
    this.#inbox = new Inbox({
      ...{ topics: this.#publisher.topics, logs, witness, forks: this.forks, epochs: this.#reconfiguration },
      ...{ weights: this.#weights, inputs: parts.inputs, updates: () => this.#updates, feed },
    })
    this.#updates = new Updates({
      ...{ self: home.key.id, transport: this.transport, inputs: parts.inputs, feed, log },
      formatOf: (study) => formatIn(this.#machine, study),
      heard: (author, make) => this.#inbox.hear(this.#tickets.next(), author, make),
    })
    this.#hands = this.#handsOf()
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.done = promise
    this.#finish = (error) => (error === null ? resolve() : reject(error))
  }

  /** Reads what is stored, joins the network and boots the machine. After a failure call `discard`. */
  async start(): Promise<void> {
    try {
      await this.#start()
    } catch (error) {
      if (!this.#closing) throw error // a stop while starting takes away what start works with
    }
  }

  async #start(): Promise<void> {
    const { home, store, log, learner, inputs } = this.#parts
    await this.logs.load()
    this.#bindings = await Bindings.load(store)
    const stored = await storedCheckpoints(store)
    this.#trainer = makeTrainer({
      ...{ learner, inputs, weights: this.#weights },
      loadDataset: async (id) => (await this.#table(id)).dataset,
      permitted: this.consent.permitted,
      partsOf: (...update) => this.#updates.partsOf(...update),
      studyState: (id) => this.#studyState(id),
      tell: log,
      stored,
      epsilonMax: home.config.privacy.epsilonMax,
      ...progressIn(store),
    })
    this.#writer = new LedgerWriter({
      key: home.key.signing,
      founding: home.consortium.founding,
      tip: () => this.logs.tip(home.key.id),
      heardLamport: () => this.logs.lamport(),
      store,
      onCommitted: ({ tags, entries, tip, head }) => {
        const facts = this.logs.committed(tip, head.note, entries)
        if (this.logs.facts.saveIsDue) this.#tasks.run('save-bookmarks', () => this.logs.facts.save())
        this.followers.tell(entries)
        this.#tasks.run('tell-untold', () => this.backups.tellUntold())
        this.#driver.feed({ type: 'committed', tags, log: this.logs.sizeOf(home.key.id), facts })
      },
      signedFor: this.people.signedFor,
      onFailed: (error) => this.#fail(error),
    })
    const facts = await this.logs.readFacts() // before the network: long logs can take a while, and nobody must wait for us
    this.people.note(facts)
    if (this.#closing) return
    await this.logs.serve()
    await this.#updates.serve()
    await this.transport.start(this.#stopping.signal)
    this.#publisher.subscribe()
    await this.witness.load()
    await this.forks.load()
    await this.#reconfiguration.serve()
    if (this.#closing) return
    const { witness, forks, logs } = this
    this.#driver.feed(bootEvent({ ...this.#parts, logs, facts, stored, bindings: this.#bindings, witness, forks }))
    runBackground(this, this.#tasks, this.#stopping.signal, log)
    const shown = { name: home.config.name, member: home.key.id, addresses: this.transport.addresses() }
    log('info', 'ready', { ...shown, startMs: Date.now() - this.startedAtMs })
  }

  /** Closes everything without recording a stop: after a failure to start. */
  discard(): Promise<void> {
    return this.#close(null)
  }

  /** Records the stop, finishes what is being written and closes everything; idempotent. */
  async stop(reason: string): Promise<void> {
    if (!this.#closing) await this.uses.tell().catch(() => undefined) // what stays in its journal is told at the next start
    if (!this.#machine.booted) await this.#close(null)
    else if (!this.#closing) this.#driver.feed({ type: 'stop', reason })
    await this.done.catch(() => undefined)
  }

  get machine(): Machine {
    return this.#machine
  }
  /** For what an operator records beside the machine; null while nothing may be signed. */
  get writer(): LedgerWriter | null {
    return this.#machine.booted && this.#machine.view().fence === null ? this.#writer : null
  }
  get home(): Home {
    return this.#parts.home
  }

  nameOf(member: MemberId): string {
    return nameIn(this.#parts.home, member, this.#machine.changes)
  }

  /** Why the learner of a study failed last, or null where it did not. */
  failure(id: StudyId): string | null {
    return this.#studyWork.failure(id)
  }

  model(id: StudyId, which: 'newest' | 'best' = 'newest'): ReturnType<Trainer['model']> {
    return this.#trainer?.model(id, which) ?? null
  }

  /** The rows that are bound to a study and may be used now. Errors: `dataset-not-bound`, `data-…`, `vault-…`. */
  dataset(id: StudyId): Promise<Dataset> {
    return this.consent.dataset(id, Date.now())
  }

  /** Reads and checks a table, then tells the machine. Errors: `data-…`, `study-…`. */
  async bind(id: StudyId, request: Parameters<Bindings['bind']>[2]) {
    const state = this.#studyState(id)
    const self = this.#parts.home.key.id
    requireBindable(state, self, this.#machine.view().fence !== null)
    const replaces = state.bound.has(self)
    const contributes = state.scaling === null && !state.statistics.has(self)
    const permitted = (table: BoundSubjects): Promise<Dataset> => this.consent.permittedOf(id, table, Date.now())
    const registered: BindingCounsel['registered'] = async (file) => {
      const found = await this.datasets.registered(file)
      await requireGranted(this, state, found?.version.dataset ?? null)
      return found
    }
    const bound = await this.#bindingsOf().bind(id, state.study, request, { permitted, registered })
    const { facts, summary, version } = bound
    await this.command((ticket) => ({ type: 'study-bind', ticket, dataset: facts }))
    return { summary, replaces, contributes, version: version && { name: version.name, number: version.number } }
  }

  /** Feeds a command and waits for the machine's answer, and for the entries that it wrote. */
  async command(make: (ticket: Ticket) => NodeEvent): Promise<void> {
    await this.#tickets.asked((ticket) => this.#driver.feed(make(ticket)))
    await this.#writer?.flush()
  }

  #officeOf(): PeopleOffice {
    const { home } = this.#parts
    const hospital = (): string => this.nameOf(home.key.id)
    const office = new PeopleOffice({ home, startedAtMs: this.startedAtMs, writer: () => this.writer, hospital })
    this.followers.add((entry) => office.note([entry])) // written here, or fetched back after a loss
    return office
  }

  #handsOf(): Hands {
    return {
      ...{ publisher: this.#publisher, replicator: this.#replicator, reconfiguration: this.#reconfiguration },
      ...{
        witness: this.witness,
        forks: this.forks,
        inbox: this.#inbox,
        studyWork: this.#studyWork,
        updates: this.#updates,
      },
      ...{
        logs: this.logs,
        log: this.#parts.log,
        weights: this.#weights,
        tickets: this.#tickets,
        tasks: this.#tasks,
        transport: this.transport,
      },
      ...{ stopping: this.#stopping.signal, forgetSigned: this.#parts.forgetSigned },
      record: (action) => this.#record(action),
      fail: (error) => this.#fail(error),
      stopped: () => void this.#close(null),
    }
  }

  #transportEvents(): TransportEvents {
    const { log } = this.#parts
    return transportEvents({
      feed: this.#driver.feed,
      log,
      nameOf: (member) => this.nameOf(member),
      take: ({ topic, author, from, data }) => this.#inbox.take(this.#tickets.next(), topic, author, from, data),
      isClosing: () => this.#closing,
    })
  }

  #record(action: Extract<Action, { type: 'record' }>): void {
    const { tag, drafts, checkpoint } = action
    const state = checkpoint === null ? new Map() : checkpointState(this.#trainerOf().stored(checkpoint))
    invariant(this.#writer !== null, 'nothing is recorded before start')
    this.#writer.record(tag, drafts, state)
  }

  /** Stops without another entry: after a failed write the log's state is unknown until it is read again. */
  #fail(error: unknown): void {
    const stack = error instanceof Error && !(error instanceof ConsiliumError) ? { stack: error.stack } : {}
    this.#parts.log('error', 'node-failed', { error: messageOf(error), ...stack })
    void this.#close(error)
  }

  async #close(reason: unknown): Promise<void> {
    if (this.#closing) return
    this.#closing = true
    let error = reason
    await this.#writer?.flush().catch((failure: unknown) => {
      error ??= failure
    })
    this.#driver.stop()
    this.#stopping.abort()
    this.#inbox.close()
    this.#reconfiguration.close()
    const work = (async () => {
      await this.transport.stop()
      await this.#parts.learner.close()
      await this.#tasks.drained()
      await this.vault.close()
      await this.people.close()
      await this.uses.close()
    })()
    await Promise.race([work, new Promise((resolve) => setTimeout(resolve, STOP_MS).unref())])
    await this.logs.facts.save().catch(() => undefined) // a short cut for the next start; a store that failed takes nothing more
    await this.#parts.store.close()
    await this.#parts.recorder?.close()
    this.#finish(error)
  }

  #studyState(id: StudyId): StudyState {
    const found = this.#machine.view().studies.find(({ state }) => state.id === id)
    if (found === undefined)
      throw new ConsiliumError({ code: 'study-unknown', message: `study ${id.slice(0, 12)} is not known here` })
    return found.state
  }

  #table(id: StudyId): Promise<BoundSubjects> {
    return this.#bindingsOf().table(id, this.#studyState(id).study)
  }

  #bindingsOf(): Bindings {
    invariant(this.#bindings !== null, 'the daemon has started')
    return this.#bindings
  }

  #trainerOf(): Trainer {
    invariant(this.#trainer !== null, 'the daemon has started')
    return this.#trainer
  }
}

/** One machine whose disk, learner, peers and operator do what a list of moves says; the rules are checked at every step. */

import { Rules } from '../../netsim/checkers/rules.ts'
import type { Step } from '../../netsim/members/trace.ts'
import { sharedParameters, studyDocument, studyIdOf } from '../../src/config/study.ts'
import type { LocalFigures } from '../../src/core/figures.ts'
import { type Digest, digest, type MemberId } from '../../src/core/ids.ts'
import { CODING } from '../../src/gossip/coding/coding.ts'
import type { UpdateFacts, UpdateHeader } from '../../src/gossip/update.ts'
import type { Fact } from '../../src/governance/studies.ts'
import type { Action, Draft } from '../../src/node/actions.ts'
import type { Checkpoint } from '../../src/node/checkpoint.ts'
import type { BoundDataset, NodeEvent } from '../../src/node/events.ts'
import { Machine } from '../../src/node/machine.ts'
import { digestOf, keyOf, SOUND } from '../gossip/fixtures.ts'
import { studyOf } from './clinics.ts'

type Of<T extends Action['type']> = Extract<Action, { type: T }>
type Job = Of<'open-study' | 'train' | 'merge' | 'evaluate' | 'measure' | 'cross'>
const JOBS: readonly string[] = ['open-study', 'train', 'merge', 'evaluate', 'measure', 'cross']

export const ROUNDS = 4
export const STUDY = studyOf(ROUNDS)
export const DOCUMENT = studyDocument(STUDY)
export const ID = studyIdOf(DOCUMENT)
export const SELF = keyOf('self').member
export const OTHERS = ['ada', 'ben', 'cleo'].map((name) => keyOf(name).member)
const MEMBERS = [SELF, ...OTHERS]
const START_MS = 1_750_000_000_000

const MEAN = { rule: 'mean', nearest: false, faulty: 0, radius: null } as const

export class Harness {
  readonly rules = new Rules()
  readonly steps: Step[] = []
  now = START_MS
  #machine = new Machine()
  #start = 0
  #ticket = 0
  /** Recorded, not durable yet. */
  #waiting: Of<'record'>[] = []
  #jobs: Job[] = []
  #wakeAtMs = Number.POSITIVE_INFINITY
  // what a crash leaves
  readonly #facts: Fact[] = []
  #checkpoint: Checkpoint | null = null
  #dataset: BoundDataset | null = null
  readonly #sizes = new Map<MemberId, number>()

  readonly #booting: Pick<Of<'booted'>, 'agreementsRequired' | 'grantsRequired'>
  /** Of the others, who has no part in studies. */
  readonly #observers: readonly MemberId[]

  constructor(
    booting: Pick<Of<'booted'>, 'agreementsRequired' | 'grantsRequired'> = {},
    observers: readonly MemberId[] = [],
  ) {
    this.#booting = booting
    this.#observers = observers
    this.#boot()
  }

  get view() {
    return this.#machine.view()
  }

  get machine(): Machine {
    return this.#machine
  }

  get run() {
    return this.view.studies[0]?.run ?? null
  }

  get state() {
    return this.view.studies[0]?.state
  }

  /** What the learner says of merged models, where it is not the usual. */
  local: Partial<LocalFigures> = {}

  /** Kinds of the own entries that are durable, in order. */
  get kinds(): string[] {
    return this.#facts.filter(({ author }) => author === SELF).map(({ kind }) => kind)
  }

  feed(event: NodeEvent): readonly Action[] {
    const actions = this.#machine.step(event, this.now)
    const step = { now: this.now, node: 0, start: this.#start, event, actions }
    this.steps.push(step)
    this.rules.check(step)
    this.#wakeAtMs = Number.POSITIVE_INFINITY
    for (const action of actions) {
      if (action.type === 'record') this.#waiting.push(action)
      if (action.type === 'wake') this.#wakeAtMs = action.atMs
      if (JOBS.includes(action.type)) this.#jobs.push(action as Job)
    }
    return actions
  }

  command(make: (ticket: number) => NodeEvent): readonly Action[] {
    return this.feed(make(this.#ticket++))
  }

  /** Makes the first `count` records durable; `report` is false where the node dies before it hears of it. */
  commit(count: number, report = true): void {
    const records = this.#waiting.splice(0, count)
    if (records.length === 0) return
    const facts = records.flatMap(({ drafts }) => drafts.map((draft) => this.#append(SELF, draft)))
    for (const { checkpoint } of records) this.#checkpoint = checkpoint ?? this.#checkpoint
    if (report) {
      this.feed({ type: 'committed', log: this.#sizeOf(SELF), tags: records.map(({ tag }) => tag), facts })
    }
  }

  /** The learner answers the oldest question; `fails` or an answer that fits. */
  learn(fails = false): void {
    const job = this.#jobs.shift()
    if (job === undefined) return
    const { study, scaling, dataset } = job.permit
    const round = 'round' in job ? job.round : 0
    if (job.type === 'measure' || job.type === 'cross') this.#assess(job, fails)
    else if (fails) this.feed({ type: 'learner-failed', study, round, code: 'internal' })
    else if (job.type === 'open-study') {
      const stored = job.start === 'resume' ? this.#checkpoint?.shared : undefined
      const base = stored ?? digestOf('initial weights')
      this.feed({ type: 'opened', study, scaling, base, parameters: sharedParameters(STUDY) })
    } else if (job.type === 'train') {
      // another table or another base gives another update; a repetition after a crash may differ in nothing
      const update = digestOf(`${scaling} ${dataset} ${job.base} ${round}`)
      this.feed({ type: 'trained', study, round, update, head: digestOf(`head ${round}`), examples: 45, loss: 0.5 })
    } else if (job.type === 'merge') {
      const result = digestOf(job.inputs.map((input) => input.digest).join(' '))
      const coefficients = job.inputs.map(() => 1 / job.inputs.length)
      this.feed({ type: 'merged', study, round, result, coefficients, by: MEAN, aside: [] })
    } else {
      const metrics = {
        examples: 15,
        positives: 7,
        auc: 0.8,
        accuracy: 0.7,
        logLoss: 0.6,
        brier: 0.2,
        calibrationError: 0.1,
      }
      this.feed({ type: 'evaluated', study, round, model: job.model, metrics, local: { ...LOCAL, ...this.local } })
    }
  }

  #assess(job: Of<'measure' | 'cross'>, fails: boolean): void {
    const { study } = job.permit
    const what = job.type
    const checkpoint = this.#checkpoint
    if (fails || checkpoint === null) return void this.feed({ type: 'measuring-failed', study, what, code: 'internal' })
    const { round, shared: model } = checkpoint
    if (job.type === 'measure') return void this.feed({ type: 'measured', study, round, model, evaluation: null })
    const figures = { auc: null, accuracy: 0.7, logLoss: 0.6, brier: 0.2, calibrationError: 0.1 }
    const sites = job.others.map(({ author, round, digest: update }) => ({ author, round, update, ...figures }))
    this.feed({ type: 'crossed', study, round, model, examples: 15, sites })
  }

  /** An entry of another member is replicated. */
  hearEntry(author: MemberId, draft: Omit<Draft, 'timeMs' | 'refs'> & Partial<Draft>): void {
    const fact = this.#append(author, { timeMs: this.now, refs: [], ...draft })
    this.feed({ type: 'replicated', log: this.#sizeOf(author), from: author, facts: [fact], published: [] })
  }

  /** The shell records an own entry beside the machine, and tells of it when it is durable. */
  say(draft: Omit<Draft, 'timeMs' | 'refs'>): void {
    const fact = this.#append(SELF, { timeMs: this.now, refs: [], ...draft })
    this.feed({ type: 'committed', log: this.#sizeOf(SELF), tags: [], facts: [fact] })
  }

  /** All that is known of a log has become final. */
  makeFinal(author: MemberId): readonly Action[] {
    return this.feed({ type: 'final-kept', log: this.#sizeOf(author) })
  }

  hearUpdate(author: MemberId, more: Partial<UpdateHeader> = {}, facts: Partial<UpdateFacts> = {}): readonly Action[] {
    const header: UpdateHeader = {
      study: ID,
      author,
      round: 0,
      examples: 30,
      scaling: this.state?.scaling?.digest ?? digestOf('no scaling'),
      base: digestOf('initial weights'),
      parents: [],
      digest: digestOf(`${author} ${more.round ?? 0}`),
      parameters: sharedParameters(STUDY),
      privacy: null,
      coding: CODING.float32,
      reference: null,
      ...more,
    }
    const ticket = this.#ticket++
    return this.feed({ type: 'update-heard', ticket, from: author, header, facts: { ...SOUND, ...facts }, cell: null })
  }

  hearHead(author: MemberId, size: number, label: string, signatureValid = true, gossip = true): readonly Action[] {
    const log = { author, size, root: digestOf(`root ${author} ${size} ${label}`) }
    return this.feed({
      type: 'head-heard',
      ticket: gossip ? this.#ticket++ : null,
      from: author,
      log,
      signatureValid,
      asks: false,
    })
  }

  bind(label: string, registered?: BoundDataset['registered']): readonly Action[] {
    const statistics = { count: [45, 45], sum: [45 * 60, 45 * 300], sumOfSquares: [45 * 3_650, 45 * 91_000] }
    const facts = { study: ID, commitment: digestOf(label), rows: 60, trainRows: 45, statistics }
    const dataset: BoundDataset = registered === undefined ? facts : { ...facts, registered }
    if (this.state?.accepted.has(SELF)) this.#dataset = dataset // remembered before the machine is told, as shells do
    return this.command((ticket) => ({ type: 'study-bind', ticket, dataset }))
  }

  wait(ms: number): void {
    this.now += ms
    this.feed({ type: 'woken' })
  }

  /** Waits for as long as the machine wishes; false where it wishes for nothing. */
  waitAsWished(): boolean {
    if (!Number.isFinite(this.#wakeAtMs)) return false
    this.wait(Math.max(1, this.#wakeAtMs - this.now))
    return true
  }

  /** The stored checkpoint is damaged: at the next start it is as if it were not there. */
  loseCheckpoint(): void {
    this.#checkpoint = null
  }

  /** The power goes; of what was being written, the first `durable` records are on the disk. */
  crash(durable = 0): void {
    this.commit(durable, false)
    this.#waiting = []
    this.#jobs = []
    this.#machine = new Machine()
    this.#start++
    this.now += 500
    this.#boot()
  }

  /** Everybody does what is asked until the study has ended and is evaluated; false where nothing moves any more. */
  finish(): boolean {
    for (let i = 0; i < 4_000; i++) {
      if (this.run?.phase === 'ended' && !this.run.evaluating && this.#waiting.length === 0) return true
      if (this.#waiting.length > 0) this.commit(this.#waiting.length)
      else if (this.#jobs.length > 0) this.learn()
      else if (!this.waitAsWished()) return false
    }
    return false
  }

  #boot(): void {
    const logs = [...this.#sizes.keys()].map((author) => this.#sizeOf(author))
    this.feed({
      type: 'booted',
      self: SELF,
      founding: digestOf('founding'),
      epochs: [{ number: 0, members: MEMBERS, pins: [], ...this.#roles() }],
      epochDigest: digestOf('founding'),
      software: '0.0.0',
      logs,
      facts: [...this.#facts].sort((a, b) => (a.author < b.author ? -1 : a.author > b.author ? 1 : a.seq - b.seq)),
      checkpoints: this.#checkpoint === null ? [] : [this.#checkpoint],
      datasets: this.#dataset === null ? [] : [this.#dataset],
      acceptance: new Uint8Array(64),
      finals: [],
      forks: [],
      cosigners: [],
      fence: { others: 0, needed: 0, wanted: 0 },
      signed: 0,
      ...this.#booting,
    })
  }

  #roles(): { observers?: readonly MemberId[] } {
    return this.#observers.length === 0 ? {} : { observers: this.#observers }
  }

  #append(author: MemberId, { kind, study, timeMs, refs, body }: Draft): Fact {
    const seq = this.#sizes.get(author) ?? 0
    this.#sizes.set(author, seq + 1)
    const fact = { author, seq, hash: digestOf(`entry ${author} ${seq}`), timeMs, lamport: 0, kind, study, refs, body }
    this.#facts.push(fact)
    return fact
  }

  #sizeOf(author: MemberId): { author: MemberId; size: number; root: Digest } {
    const size = this.#sizes.get(author) ?? 0
    return { author, size, root: digest(digestOf(`root ${author} ${size} main`)) }
  }
}
const LOCAL: LocalFigures = { apart: true, validationLoss: 0.61, calibration: null, calibrated: null, personal: null }

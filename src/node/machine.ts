/**
 * The one machine: `step(event, now) → actions`. Pure: no clock, chance, input or output of its own, so that the daemon and the
 * simulator drive the same decisions and a recorded run replays to the byte.
 */
import type { Study } from '../config/study.ts'
import { toHex } from '../core/bytes.ts'
import { exhaustive, invariant } from '../core/errors.ts'
import type { MemberId, StudyId } from '../core/ids.ts'
import { Liveness } from '../gossip/liveness.ts'
import type { ChangeState } from '../governance/changes.ts'
import { readBody } from '../governance/kinds.ts'
import { isOfHospitals } from '../governance/observers.ts'
import { type Fact, Studies } from '../governance/studies.ts'
import type { Finality } from '../ledger/finality.ts'
import { Roll } from '../ledger/membership.ts'
import { Replication } from '../ledger/replication.ts'
import type { Action } from './actions.ts'
import { alarmFork, alarmWitness, forkedIn } from './alarms.ts'
import { Announcing } from './announcing.ts'
import { isUpdateEvent, updateEvent } from './arrivals.ts'
import { type Booted, bootDrafts, FENCED, sizeIn } from './boot.ts'
import { carryOutStudy, isStudyCommand, type StudyCommand } from './commands.ts'
import { noteWords } from './consulting.ts'
import { Context } from './context.ts'
import type { LogSize, NodeEvent } from './events.ts'
import { exclusionOf } from './exclusion.ts'
import { ASK_OWN_MS, Fence, fenceNeeds } from './fence.ts'
import { isLearned, learned } from './learned.ts'
import { headsTold, met, parted } from './meeting.ts'
import { type EpochCommand, PIN_CONTRADICTED, Reconfiguring } from './reconfiguring.ts'
import { Rejections } from './rejections.ts'
import { StudyRun } from './studyRun.ts'
import { cosignedHeard, verdict } from './verdicts.ts'
import { Witnessing } from './witnessing.ts'

/** The running parts, made by `booted`. */
interface Parts {
  readonly context: Context
  readonly liveness: Liveness
  readonly replication: Replication
  readonly rejections: Rejections
  readonly fence: Fence
  readonly witnessing: Witnessing
  readonly reconfiguring: Reconfiguring
  readonly booted: Booted
  readonly runs: Map<StudyId, StudyRun>
  readonly accepted: Set<MemberId>
  readonly seen: Map<MemberId, number>
}

const BEGINS_STUDY: ReadonlySet<string> = new Set(['study.proposed', 'operator.redacted'])
const WAKE_MS_MIN = 20 // a wish that cannot be met yet must not spin

/** One node. The first event is `booted`, and comes once; the same events at the same times give the same actions. */
export class Machine {
  #parts: Parts | null = null
  readonly #announcing = new Announcing()
  #stopping: string | null = null
  #askOwnAtMs: number | null = null
  #halted = false

  /** Takes one event at time `now` (milliseconds since 1970, non-decreasing); returns what to do, in order. */
  step(event: NodeEvent, now: number): Action[] {
    if (event.type === 'booted') this.#boot(event, now)
    invariant(this.#parts !== null, 'the first event is `booted`')
    const { context } = this.#parts
    context.now = Math.max(now, context.now)
    if (this.#halted) return [] // nothing more may be signed
    if (event.type !== 'booted') this.#handle(event, this.#parts)
    if (!this.#halted) this.#advance(this.#parts)
    const out = context.out
    context.out = []
    return out
  }

  get booted(): boolean {
    return this.#parts !== null
  }

  /** What a person may want to know, as plain data. */
  view() {
    invariant(this.#parts !== null, 'a booted machine')
    const { context, liveness, replication, rejections, runs, accepted, fence } = this.#parts
    const studies = context.studies.all().map((state) => ({ state, run: runs.get(state.id)?.view() ?? null }))
    return {
      connected: liveness.view(),
      logs: replication.view(),
      rejections: rejections.view(),
      studies,
      accepted: [...accepted],
      fence: fence.view(this.#ownSize(this.#parts), context.roll.isMember(context.self)),
      epoch: context.roll.number,
      changes: this.changes,
      withdrawals: context.studies.withdrawals,
      suspensions: context.suspensions.all(context),
      ...context.studies.folds,
      words: { count: context.words, newest: context.newestWord },
    }
  }

  /** A study that was proposed; null where none is known by that digest. */
  study(id: StudyId): Study | null {
    return this.#parts?.context.studies.get(id)?.study ?? null
  }

  /** Changes of the members that are proposed for the next epoch. */
  get changes(): readonly ChangeState[] {
    return this.#parts?.reconfiguring.view() ?? []
  }

  /** Which heads are final, and who is known to hold what. */
  get finality(): Finality {
    invariant(this.#parts !== null, 'a booted machine')
    return this.#parts.witnessing.finality
  }

  #handle(event: Exclude<NodeEvent, Booted>, parts: Parts): void {
    if (isLearned(event)) {
      if (this.#stopping === null) learned(parts.runs.get(event.study), event) // else it is done again after the next start
      return
    }
    if (isStudyCommand(event)) return this.#command(parts, event)
    if (isUpdateEvent(event)) return updateEvent(parts, event)
    switch (event.type) {
      case 'woken':
        return
      case 'consent-changed':
        for (const run of parts.runs.values()) run.leaves.consulting.changed()
        return
      case 'peer-connected':
        return met(parts, event.member)
      case 'peer-disconnected':
        return parted(parts, event.member)
      case 'stranger-refused':
        return parts.rejections.stranger(parts.context)
      case 'peer-misbehaved':
        return parts.rejections.member(parts.context, event.member, 'score-below-threshold')
      case 'malformed-heard':
        return verdict(parts, event.ticket, event.from, event.from, event.blame, event.code)
      case 'head-heard':
        return this.#headHeard(parts, event)
      case 'heads-told':
        return headsTold(parts, event.from)
      case 'cosigned-heard':
        return this.#finals(parts, cosignedHeard(parts, event))
      case 'cosigned':
        return this.#finals(parts, parts.witnessing.cosigned(event.log) ? [event.log] : [])
      case 'cosign-refused':
        return parts.witnessing.refused(event.author, event.code)
      case 'slot-opened':
        return parts.reconfiguring.opened(event.epoch)
      case 'epoch-begun':
        return this.#epochBegun(parts, event)
      case 'fork-proven':
        return this.#forkProven(parts, event.author, event.size)
      case 'witness-proven':
        return alarmWitness(parts.context, event)
      case 'final-refused':
        return parts.witnessing.finality.withdraw(event.log, event.kept)
      case 'final-kept':
        return void parts.witnessing.finality.noteFinal(event.log)
      case 'replicated':
        return this.#replicated(parts, event)
      case 'replication-failed':
        return this.#replicationFailed(parts, event)
      case 'committed':
        return this.#committed(parts, event)
      case 'epoch-propose':
      case 'epoch-approve':
      case 'epoch-reject':
      case 'member-suspend':
      case 'member-reinstate':
        return this.#command(parts, event)
      case 'stop':
        return this.#stop(parts, event.reason)
      default:
        exhaustive(event)
    }
  }

  #boot(event: Booted, now: number): void {
    invariant(this.#parts === null, 'a machine boots once')
    const context = new Context(event.self, event.founding, new Roll(event.epochs), new Studies())
    context.now = now
    context.epochDigest = event.epochDigest
    const reconfiguring = new Reconfiguring(context)
    const frozen = [...forkedIn(event), ...event.forks.map(({ author }) => author)]
    const parts: Parts = {
      context,
      liveness: new Liveness(reconfiguring.others()),
      replication: new Replication(event.self, context.roll.authors, event.logs, frozen),
      rejections: new Rejections(),
      fence: new Fence(event.fence, event.signed),
      witnessing: new Witnessing(context, event.finals),
      reconfiguring,
      booted: event,
      runs: new Map(),
      accepted: new Set(),
      seen: new Map(),
    }
    this.#parts = parts
    const { finality } = parts.witnessing
    context.finalSize = (author) => finality.final(author)?.size ?? 0
    context.goBy(event)
    for (const fact of event.facts) this.#fold(parts, fact)
    for (const state of context.studies.all()) this.#run(parts, state.id)
    for (const log of event.logs) if (log.size > 0) parts.witnessing.stored(log)
    for (const author of frozen) parts.witnessing.froze(author)
  }

  /** The fence is passed: from here on the node signs. */
  #open(parts: Parts): void {
    const { context, replication, accepted, runs, booted } = parts
    replication.seal()
    context.unseal(bootDrafts(context, booted, accepted.has(context.self)))
    for (const [id, run] of runs) {
      const dataset = booted.datasets.find((bound) => bound.study === id) ?? null
      run.restore(dataset, booted.checkpoints.find((checkpoint) => checkpoint.study === id) ?? null)
    }
  }

  #headHeard(parts: Parts, event: Extract<NodeEvent, { type: 'head-heard' }>): void {
    const { context, replication, witnessing } = parts
    const { log, from, ticket } = event
    if (!event.signatureValid) return verdict(parts, ticket, from, log.author, 'reject', 'head-signature')
    if (context.roll.governing(log.author, log.size) === null) {
      const pin = context.roll.pinned(log.author)
      if (pin !== null && ticket === null) replication.onHead(pin, from, context.now) // who holds more holds that too
      return verdict(parts, ticket, from, log.author, 'ignore', 'head-ungoverned')
    }
    const outcome = replication.onHead(log, from, context.now, ticket !== null)
    if (outcome.fork) witnessing.froze(log.author)
    const carried = event.asks && outcome.reason !== 'author-unknown' && witnessing.asked(log)
    verdict(parts, ticket, from, log.author, carried ? 'accept' : outcome.verdict, carried ? null : outcome.reason)
    if (log.author === context.self) {
      if (!parts.fence.passed) parts.fence.ownHead(log)
      if (outcome.fork) this.#halt(parts, 'own-log-forked')
      else if (outcome.reason === 'own-log-ahead') this.#halt(parts, 'own-log-ahead')
    } else if (outcome.fork) context.out.push({ type: 'keep-fork', author: log.author, size: log.size })
  }

  /** Nothing more of that log is taken or cosigned; what is final stays so. */
  #forkProven(parts: Parts, author: MemberId, size: number): void {
    const { context, replication, witnessing } = parts
    if (author === context.self) return this.#halt(parts, 'own-log-forked')
    replication.freeze(author)
    witnessing.froze(author)
    if (!forkedIn(parts.booted).includes(author)) alarmFork(context, author, size) // else the own log tells of it already
  }

  /** Who came is followed, who left is followed no further than its pin; this node ends where it is the one that left. */
  #epochBegun(parts: Parts, event: Extract<NodeEvent, { type: 'epoch-begun' }>): void {
    const { context, reconfiguring, replication, fence, witnessing } = parts
    if (!reconfiguring.begin(event)) return this.#halt(parts, 'no-longer-a-member')
    fence.need(fenceNeeds(context.roll.members.length), context.roll.members, context.now)
    replication.admit(context.roll.authors)
    for (const pin of event.call.pins) if (!context.roll.isMember(pin.author)) replication.end(pin)
    this.#finals(parts, witnessing.begun(event.call.pins))
  }

  #halt(parts: Parts, code: string): void {
    this.#halted = true
    parts.context.out.push({ type: 'halt', code })
  }

  #finals({ context }: Parts, logs: readonly LogSize[]): void {
    for (const log of logs) context.out.push({ type: 'keep-final', log })
  }

  #replicated(parts: Parts, { log, facts, published }: Extract<NodeEvent, { type: 'replicated' }>): void {
    parts.replication.onFetched(log)
    this.#finals(parts, parts.witnessing.stored(log))
    for (const fact of facts) this.#fold(parts, fact)
    for (const { study, round } of published) this.#run(parts, study).published(round)
  }

  #replicationFailed(parts: Parts, event: Extract<NodeEvent, { type: 'replication-failed' }>): void {
    const { context, replication, rejections } = parts
    replication.onFetchFailed(event.author, event.from, event.blame, context.now)
    if (event.code === 'range-link') {
      if (event.author === context.self) return this.#halt(parts, 'own-log-forked')
      context.out.push({ type: 'examine-fork', author: event.author, peer: event.from })
    } else if (event.code === PIN_CONTRADICTED) {
      return this.#forkProven(parts, event.author, context.roll.pinned(event.author)?.size ?? 0)
    }
    context.tell(event.blame ? 'warn' : 'debug', 'replication-failed', {
      author: event.author,
      from: event.from,
      code: event.code,
    })
    if (!event.blame) return
    rejections.member(context, event.from, event.code)
    context.out.push({ type: 'disconnect', member: event.from, reason: event.code })
  }

  #committed(parts: Parts, { log, tags, facts }: Extract<NodeEvent, { type: 'committed' }>): void {
    parts.replication.onOwn(log)
    this.#finals(parts, parts.witnessing.stored(log))
    parts.reconfiguring.committed(tags)
    this.#announcing.grown()
    for (const fact of facts) this.#fold(parts, fact)
    if (this.#stopping === null) for (const tag of tags) for (const run of parts.runs.values()) run.committed(tag)
    if (this.#stopping !== null && tags.includes('stopped'))
      parts.context.out.push({ type: 'announce-head' }, { type: 'stopped' })
  }

  #command(parts: Parts, event: StudyCommand | EpochCommand): void {
    const { context, fence, reconfiguring } = parts
    const error = !fence.passed
      ? FENCED
      : isStudyCommand(event)
        ? carryOutStudy(event, context, (id) => this.#run(parts, id))
        : reconfiguring.command(event)
    context.out.push({ type: 'answer', ticket: event.ticket, error })
  }

  #stop(parts: Parts, reason: string): void {
    if (this.#stopping !== null) return
    this.#stopping = reason
    if (!parts.fence.passed) return void parts.context.out.push({ type: 'stopped' })
    parts.rejections.settle(parts.context)
    parts.context.record('stopped', [parts.context.draft('node.stopped', null, { reason })])
  }

  #fold(parts: Parts, fact: Fact): void {
    const { context, accepted, seen } = parts
    if (isOfHospitals(fact.kind) && context.roll.isObserver(fact.author)) return
    context.studies.fold(fact)
    parts.reconfiguring.fold(fact)
    if (fact.kind === 'member.accepted') accepted.add(fact.author)
    noteWords(context, fact)
    const exclusion = fact.author === context.self ? exclusionOf(fact) : null
    if (exclusion !== null) this.#run(parts, exclusion.study).merging.exclude(exclusion.member, exclusion.excluded)
    if (fact.author === context.self && fact.kind === 'member.seen') {
      const body = readBody('member.seen', fact.body)
      if (body !== null) seen.set(toHex(body.member) as MemberId, fact.timeMs)
    }
    if (BEGINS_STUDY.has(fact.kind) && fact.study !== null && context.studies.get(fact.study) !== undefined)
      this.#run(parts, fact.study)
  }

  #run(parts: Parts, id: StudyId): StudyRun {
    let run = parts.runs.get(id)
    if (run === undefined) {
      run = new StudyRun(id, parts.context)
      parts.runs.set(id, run)
    }
    return run
  }

  /** Everything that time or new knowledge lets go on, then when to be woken next. */
  #advance(parts: Parts): void {
    const { context, liveness, replication, fence, witnessing, reconfiguring, runs } = parts
    const connected = liveness.view().map(({ member }) => member)
    if (!fence.passed) this.#advanceFence(parts)
    if (this.#stopping === null) reconfiguring.advance(fence.passed, (others) => liveness.admit(others))
    if (fence.passed && this.#stopping === null) {
      for (const run of runs.values()) {
        run.advance(connected)
        run.leaves.withhold(run.table.registered)
      }
      witnessing.advance(connected.length)
    }
    for (const fetch of replication.due(context.now)) context.out.push({ type: 'replicate', ...fetch })
    const peer = liveness.dueForHeads(context.now)
    if (peer !== null) context.out.push({ type: 'ask-heads', peer })
    if (this.#announcing.isDue(context.now)) context.out.push({ type: 'announce-head' })
    const times = [liveness.wakeAtMs(), replication.wakeAtMs(), this.#announcing.wakeAtMs()]
    if (!fence.passed) times.push(fence.wakeAtMs(context.now), this.#askOwnAtMs)
    else if (this.#stopping === null) {
      times.push(witnessing.wakeAtMs(connected.length))
      for (const run of runs.values()) times.push(run.wakeAtMs())
    }
    const atMs = Math.min(...times.map((time) => time ?? Number.POSITIVE_INFINITY))
    if (Number.isFinite(atMs)) context.out.push({ type: 'wake', atMs: Math.max(atMs, context.now + WAKE_MS_MIN) })
  }

  #ownSize({ context, replication }: Parts): number {
    return replication.view().find(({ author }) => author === context.self)?.size ?? 0
  }

  #advanceFence(parts: Parts): void {
    const { context, fence, liveness, booted } = parts
    const entries = this.#ownSize(parts)
    if (this.#stopping === null && context.roll.isMember(context.self) && fence.mayPass(entries, context.now)) {
      this.#askOwnAtMs = null
      if (fence.hasLost(entries)) context.out.push({ type: 'forget-signed' })
      context.tell('info', 'signing', { entries, fetchedBack: entries - sizeIn(booted, context.self) })
      return this.#open(parts)
    }
    if (this.#askOwnAtMs === null)
      context.tell('info', 'not-signing-yet', { ...fence.view(entries, context.roll.isMember(context.self)) })
    if (this.#askOwnAtMs !== null && context.now < this.#askOwnAtMs) return
    if (this.#askOwnAtMs !== null) {
      for (const { member } of liveness.view())
        if (!fence.hasAnswered(member)) context.out.push({ type: 'ask-heads', peer: member })
    }
    this.#askOwnAtMs = context.now + ASK_OWN_MS
  }
}

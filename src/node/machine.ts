/**
 * The one machine: `step(event, now) → actions`. Pure: no clock, chance, input or output of its own, so that the daemon and the
 * simulator drive the same decisions and a recorded run replays to the byte.
 */
import { fromHex, toHex } from '../core/bytes.ts'
import { exhaustive, invariant } from '../core/errors.ts'
import type { MemberId, StudyId } from '../core/ids.ts'
import { LIMITS } from '../core/limits.ts'
import { UPDATE_CONTRADICTS } from '../gossip/exchange.ts'
import { Liveness } from '../gossip/liveness.ts'
import type { UpdateFacts, UpdateHeader } from '../gossip/update.ts'
import { readBody } from '../governance/kinds.ts'
import { type Fact, Studies, type StudyState } from '../governance/studies.ts'
import { Replication } from '../ledger/replication.ts'
import type { Action } from './actions.ts'
import { Context } from './context.ts'
import type { LogSize, NodeEvent, Ticket } from './events.ts'
import { Rejections } from './rejections.ts'
import { StudyRun } from './studyRun.ts'

type Booted = Extract<NodeEvent, { type: 'booted' }>
/** The running parts, made by `booted`. */
interface Parts {
  readonly context: Context
  readonly liveness: Liveness
  readonly replication: Replication
  readonly rejections: Rejections
  readonly runs: Map<StudyId, StudyRun>
  readonly accepted: Set<MemberId>
  readonly seen: Map<MemberId, number>
}

const SEEN_AGAIN_MS = 24 * 3_600_000 // one `member.seen` a day and member keeps the log readable over months
const WAKE_MS_MIN = 20 // a wish that cannot be met yet must not spin
/** What a learner reports. */
const LEARNED: ReadonlySet<NodeEvent['type']> = new Set(['opened', 'trained', 'merged', 'evaluated', 'learner-failed'])
const HEAD_ANNOUNCE_MS = 500 // own heads on gossipsub: often enough to follow a round, seldom enough for 40 members

/** One node. The first event is `booted`, and comes once; the same events at the same times give the same actions. */
export class Machine {
  #parts: Parts | null = null
  #headDirty = false
  #headAnnouncedAtMs = Number.NEGATIVE_INFINITY
  #stopping: string | null = null
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
    const { context, liveness, replication, rejections, runs, accepted } = this.#parts
    const studies = context.studies.all().map((state) => ({ state, run: runs.get(state.id)?.view() ?? null }))
    return {
      connected: liveness.view(),
      logs: replication.view(),
      rejections: rejections.view(),
      studies,
      accepted: [...accepted],
    }
  }

  #handle(event: Exclude<NodeEvent, Booted>, parts: Parts): void {
    if (this.#stopping !== null && LEARNED.has(event.type)) return // done again after the next start
    switch (event.type) {
      case 'woken':
        return
      case 'peer-connected':
        return this.#connected(parts, event.member)
      case 'peer-disconnected':
        parts.replication.onPeerGone(event.member)
        return parts.liveness.disconnected(event.member)
      case 'stranger-refused':
        return parts.rejections.stranger(parts.context)
      case 'peer-misbehaved':
        return parts.rejections.member(parts.context, event.member, 'score-below-threshold')
      case 'malformed-heard':
        return this.#verdict(parts, event.ticket, event.from, event.from, event.blame, event.code)
      case 'head-heard':
        return this.#headHeard(parts, event)
      case 'update-heard':
        return this.#updateHeard(parts, event.ticket, event.from, event.header, event.facts)
      case 'replicated':
        return this.#replicated(parts, event.log, event.facts)
      case 'replication-failed':
        return this.#replicationFailed(parts, event)
      case 'committed':
        return this.#committed(parts, event.log, event.tags, event.facts)
      case 'opened':
        return parts.runs.get(event.study)?.opened(event.scaling, event.base, event.parameters)
      case 'trained':
        return parts.runs.get(event.study)?.trained(event.round, event.update, event.head, event.examples, event.loss)
      case 'merged':
        return parts.runs.get(event.study)?.merged(event.round, event.result, event.coefficients)
      case 'evaluated':
        return parts.runs.get(event.study)?.evaluated(event.round, event.model, event.metrics)
      case 'learner-failed':
        return parts.runs.get(event.study)?.failed(event.round, event.code)
      case 'study-add':
      case 'study-accept':
      case 'study-bind':
      case 'study-pause':
        return this.#command(parts, event)
      case 'stop':
        return this.#stop(parts, event.reason)
      default:
        exhaustive(event)
    }
  }

  #boot(event: Booted, now: number): void {
    invariant(this.#parts === null, 'a machine boots once')
    const context = new Context(event.self, event.founding, event.members, new Studies())
    context.now = now
    const others = event.members.filter((member) => member !== event.self)
    const parts: Parts = {
      context,
      liveness: new Liveness(others),
      replication: new Replication(event.self, event.members, event.logs, forkedIn(event)),
      rejections: new Rejections(),
      runs: new Map(),
      accepted: new Set(),
      seen: new Map(),
    }
    this.#parts = parts
    for (const fact of event.facts) this.#fold(parts, fact)
    for (const state of context.studies.all()) this.#run(parts, state.id)
    const first = parts.accepted.has(event.self)
      ? []
      : [
          context.draft('member.accepted', null, {
            epoch: 0,
            founding: fromHex(event.founding),
            signature: event.acceptance,
          }),
        ]
    context.record('booted', [...first, context.draft('node.started', null, { software: event.software })])
    for (const [id, run] of parts.runs) {
      const dataset = event.datasets.find((bound) => bound.study === id) ?? null
      run.restore(dataset, event.checkpoints.find((checkpoint) => checkpoint.study === id) ?? null)
    }
  }

  #connected(parts: Parts, member: MemberId): void {
    const { context, liveness, seen } = parts
    if (!liveness.connected(member, context.now)) return
    context.out.push({ type: 'ask-heads', peer: member })
    const before = seen.get(member)
    if (before !== undefined && context.now - before < SEEN_AGAIN_MS) return
    seen.set(member, context.now)
    context.record('seen', [context.draft('member.seen', null, { member: fromHex(member) })])
  }

  #headHeard(parts: Parts, event: Extract<NodeEvent, { type: 'head-heard' }>): void {
    const { context, replication } = parts
    const { log, from, ticket } = event
    if (!event.signatureValid) return this.#verdict(parts, ticket, from, log.author, 'reject', 'head-signature')
    const outcome = replication.onHead(log, from, context.now, ticket !== null)
    this.#verdict(parts, ticket, from, log.author, outcome.verdict, outcome.reason)
    if (log.author === context.self && (outcome.fork || outcome.reason === 'own-log-ahead')) {
      this.#halted = true
      context.out.push({ type: 'halt', code: 'own-log-ahead' })
    } else if (outcome.fork) {
      context.out.push({ type: 'keep-fork', author: log.author, size: log.size })
      context.record('alarm', [context.draft('alarm.fork', null, { member: fromHex(log.author), size: log.size })])
      context.tell('warn', 'conflicting-heads', { member: log.author, size: log.size })
    }
  }

  #updateHeard(parts: Parts, ticket: Ticket, from: MemberId, header: UpdateHeader, facts: UpdateFacts): void {
    const run = parts.runs.get(header.study)
    const judgement = run?.judge(header, facts) ?? { verdict: 'ignore' as const, reason: 'study-unknown' }
    this.#verdict(
      parts,
      ticket,
      from,
      header.author,
      judgement.verdict,
      judgement.verdict === 'accept' ? null : judgement.reason,
    )
    if (judgement.verdict !== 'accept' && judgement.reason === UPDATE_CONTRADICTS)
      parts.rejections.member(parts.context, header.author, judgement.reason)
  }

  /** Answers a message; a rejected one is noted against the member who signed it (not against who relayed it unseen). */
  #verdict(
    parts: Parts,
    ticket: Ticket | null,
    from: MemberId,
    author: MemberId,
    verdict: 'accept' | 'ignore' | 'reject',
    reason: string | null,
  ): void {
    if (ticket !== null) parts.context.out.push({ type: 'verdict', ticket, verdict, reason })
    if (verdict === 'reject')
      parts.rejections.member(parts.context, ticket === null ? from : author, reason ?? 'rejected')
  }

  #replicated(parts: Parts, log: LogSize, facts: readonly Fact[]): void {
    parts.replication.onFetched(log)
    for (const fact of facts) this.#fold(parts, fact)
  }

  #replicationFailed(parts: Parts, event: Extract<NodeEvent, { type: 'replication-failed' }>): void {
    const { context, replication, rejections } = parts
    replication.onFetchFailed(event.author, event.from, event.blame, context.now)
    context.tell(event.blame ? 'warn' : 'debug', 'replication-failed', {
      author: event.author,
      from: event.from,
      code: event.code,
    })
    if (!event.blame) return
    rejections.member(context, event.from, event.code)
    context.out.push({ type: 'disconnect', member: event.from, reason: event.code })
  }

  #committed(parts: Parts, log: LogSize, tags: readonly string[], facts: readonly Fact[]): void {
    parts.replication.onOwn(log)
    this.#headDirty = true
    for (const fact of facts) this.#fold(parts, fact)
    if (this.#stopping === null) for (const tag of tags) for (const run of parts.runs.values()) run.committed(tag)
    if (this.#stopping !== null && tags.includes('stopped'))
      parts.context.out.push({ type: 'announce-head' }, { type: 'stopped' })
  }

  #command(
    parts: Parts,
    event: Extract<NodeEvent, { type: 'study-add' | 'study-accept' | 'study-bind' | 'study-pause' }>,
  ): void {
    const { context } = parts
    const id = event.type === 'study-bind' ? event.dataset.study : event.study
    const state = context.studies.get(id)
    const error = refusalOf(event.type, state, context, id)
    context.out.push({ type: 'answer', ticket: event.ticket, error })
    if (error !== null) return
    if (event.type === 'study-bind') this.#run(parts, id).bind(event.dataset)
    else if (event.type === 'study-pause') {
      if (this.#run(parts, id).pause(event.paused)) {
        context.record('paused', [context.draft(event.paused ? 'study.paused' : 'study.resumed', id, {})])
      }
    } else if (event.type === 'study-add') {
      const drafts = state === undefined ? [context.draft('study.proposed', id, { document: event.document })] : []
      const accept = state?.accepted.has(context.self) ? [] : [context.draft('study.accepted', id, {})]
      if (drafts.length + accept.length > 0) context.record('study', [...drafts, ...accept])
    } else if (state !== undefined && !state.accepted.has(context.self)) {
      context.record('study', [context.draft('study.accepted', id, {})])
    }
  }

  #stop(parts: Parts, reason: string): void {
    if (this.#stopping !== null) return
    this.#stopping = reason
    parts.rejections.settle(parts.context)
    parts.context.record('stopped', [parts.context.draft('node.stopped', null, { reason })])
  }

  #fold(parts: Parts, fact: Fact): void {
    const { context, accepted, seen } = parts
    context.studies.fold(fact)
    if (fact.kind === 'member.accepted') accepted.add(fact.author)
    if (fact.author === context.self && fact.kind === 'member.seen') {
      const body = readBody('member.seen', fact.body)
      if (body !== null) seen.set(toHex(body.member) as MemberId, fact.timeMs)
    }
    if (fact.kind === 'study.proposed' && fact.study !== null && context.studies.get(fact.study) !== undefined)
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
    const { context, liveness, replication, runs } = parts
    if (this.#stopping === null) for (const run of runs.values()) run.advance()
    for (const fetch of replication.due(context.now)) context.out.push({ type: 'replicate', ...fetch })
    const peer = liveness.dueForHeads(context.now)
    if (peer !== null) context.out.push({ type: 'ask-heads', peer })
    if (this.#headDirty && context.now >= this.#headAnnouncedAtMs + HEAD_ANNOUNCE_MS) {
      this.#headDirty = false
      this.#headAnnouncedAtMs = context.now
      context.out.push({ type: 'announce-head' })
    }
    const times = [liveness.wakeAtMs(), replication.wakeAtMs()]
    if (this.#stopping === null) for (const run of runs.values()) times.push(run.wakeAtMs())
    if (this.#headDirty) times.push(this.#headAnnouncedAtMs + HEAD_ANNOUNCE_MS)
    const atMs = Math.min(...times.map((time) => time ?? Number.POSITIVE_INFINITY))
    if (Number.isFinite(atMs)) context.out.push({ type: 'wake', atMs: Math.max(atMs, context.now + WAKE_MS_MIN) })
  }
}

/** The authors of whom contradictory heads were recorded: nothing more of them is fetched. */
function forkedIn({ self, facts }: Booted): MemberId[] {
  return facts.flatMap(({ author, kind, body }) => {
    const alarm = author === self && kind === 'alarm.fork' ? readBody('alarm.fork', body) : null
    return alarm === null ? [] : [toHex(alarm.member) as MemberId]
  })
}

/** Why a table is not bound to a study that is over. */
export const STUDY_ENDED = 'this study has ended here, so nothing trains on another table: propose a new study for it'

function refusalOf(
  command: string,
  state: StudyState | undefined,
  { self, studies }: Context,
  id: StudyId,
): { code: string; message: string } | null {
  if (command === 'study-add') {
    if (state !== undefined || studies.mayPropose(self)) return null
    const message = `this hospital has proposed ${LIMITS.studiesPerMemberMax} studies, and no more are followed: let another member propose it`
    return { code: 'studies-full', message }
  }
  if (state === undefined) {
    return {
      code: 'study-unknown',
      message: `no member has proposed study ${id.slice(0, 12)}: check the digest with "consilium study ls", or wait until the proposer's log is here`,
    }
  }
  if (!studies.maySpeakOf(self, id)) {
    const message = `this hospital has taken part in ${LIMITS.studiesMentionedMax} studies, and no more are followed`
    return { code: 'studies-full', message }
  }
  if (command === 'study-bind' && !state.accepted.has(self)) {
    return {
      code: 'study-not-accepted',
      message: `accept the study before binding a table: consilium study accept ${id.slice(0, 12)}`,
    }
  }
  if (command === 'study-bind' && state.ended.has(self)) {
    return { code: 'study-ended', message: STUDY_ENDED }
  }
  const bound = studies.all().filter((one) => one.bound.has(self)).length
  if (command === 'study-bind' && bound >= LIMITS.studiesMax && !state.bound.has(self)) {
    return { code: 'studies-full', message: `${bound} studies are bound here, and no more are run by one node` }
  }
  return null
}

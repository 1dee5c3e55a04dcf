/**
 * How the others' updates come to a study: announced, fetched, or asked for after a while away. What is announced is judged as far as that
 * goes without its weights, before anything is fetched.
 */
import type { Study } from '../config/study.ts'
import { exhaustive } from '../core/errors.ts'
import type { Digest, MemberId, StudyId } from '../core/ids.ts'
import { Announced } from '../gossip/announced.ts'
import { CatchUp } from '../gossip/catchUp.ts'
import type { UpdateTopic } from '../gossip/cells.ts'
import {
  type Exchange,
  type Expectation,
  type Held,
  type Judgement,
  type MergeInput,
  UPDATE_CONTRADICTS,
} from '../gossip/exchange.ts'
import type { Phase } from '../gossip/phase.ts'
import type { UpdateFacts, UpdateHeader } from '../gossip/update.ts'
import type { CellTopics } from './cellTopics.ts'
import type { Context } from './context.ts'
import type { HeldUpdate } from './descent.ts'
import type { NodeEvent } from './events.ts'
import { writingFault } from './expectation.ts'
import type { Rejections } from './rejections.ts'
import { verdict } from './verdicts.ts'

type Of<T extends NodeEvent['type']> = Extract<NodeEvent, { type: T }>
/** Everything that is heard of updates. */
export type UpdateEvent = Of<'update-heard' | 'update-announced' | 'fetch-failed' | 'updates-told'>

interface Parts {
  readonly context: Context
  readonly rejections: Rejections
  readonly runs: ReadonlyMap<StudyId, Run>
}

/** One study at this node, as far as updates concern it. */
interface Run {
  readonly arrivals: Arrivals
  judge(header: UpdateHeader, facts: UpdateFacts, cell: UpdateTopic): Judgement
  announced(event: Of<'update-announced'>): Judgement
}

const UPDATE_EVENTS: ReadonlySet<NodeEvent['type']> = new Set<UpdateEvent['type']>([
  'update-heard',
  'update-announced',
  'fetch-failed',
  'updates-told',
])
const STUDY_UNKNOWN = { verdict: 'ignore', reason: 'study-unknown' } as const
/** The learner is ready, so that the others' updates can be used. */
const CATCHING_UP: ReadonlySet<Phase> = new Set([
  'resting',
  'training',
  'recording',
  'merging',
  'evaluating',
  'closing',
] as const)

/** Whether `updateEvent` takes it. */
export function isUpdateEvent(event: NodeEvent): event is UpdateEvent {
  return UPDATE_EVENTS.has(event.type)
}

/** Takes what was heard; every message gets its verdict, and an announced update that is wanted is fetched. */
export function updateEvent(parts: Parts, event: UpdateEvent): void {
  switch (event.type) {
    case 'update-heard':
      return void settled(
        parts,
        event,
        parts.runs.get(event.header.study)?.judge(event.header, event.facts, event.cell),
      )
    case 'update-announced': {
      const run = parts.runs.get(event.header.study)
      if (settled(parts, event, run?.announced(event))) run?.arrivals.accepted(parts.context, event.header)
      return
    }
    case 'fetch-failed':
      parts.runs.get(event.study)?.arrivals.failed(parts.context, event)
      return event.blame ? parts.rejections.member(parts.context, event.author, event.code) : undefined
    case 'updates-told':
      return parts.runs.get(event.study)?.arrivals.told(event.from)
    default:
      exhaustive(event)
  }
}

/** Whether it is accepted. */
function settled(
  parts: Parts,
  { ticket, from, header }: Of<'update-heard' | 'update-announced'>,
  judgement: Judgement = STUDY_UNKNOWN,
): boolean {
  const reason = judgement.verdict === 'accept' ? null : judgement.reason
  verdict(parts, ticket, from, header.author, judgement.verdict, reason)
  if (reason === UPDATE_CONTRADICTS) parts.rejections.member(parts.context, header.author, reason)
  return reason === null
}

/** One per study. */
export class Arrivals {
  readonly #study: StudyId
  readonly #announced = new Announced()
  readonly #catchUp = new CatchUp()
  #waitsUntilMs = 0
  readonly #failed = new Map<string, number>()

  constructor(study: StudyId) {
    this.#study = study
  }

  announced(study: Study, exchange: Exchange, expected: Expectation, event: Of<'update-announced'>): Judgement {
    const { header, payloadBytes, signatureValid } = event
    return (
      exchange.foresee(header, signatureValid, expected) ??
      writingFault(study, header, payloadBytes) ??
      this.#announced.take(header)
    )
  }

  /** It is fetched, at once where nothing else of its author is. */
  accepted({ out }: Context, { author, round, digest }: UpdateHeader): void {
    if (this.#announced.isFetching(author, digest))
      out.push({ type: 'fetch-update', study: this.#study, author, round, digest })
  }

  /** It is here. */
  arrived(context: Context, author: MemberId, digest: Digest): void {
    this.#announced.settle(author, digest)
    this.#follow(context, author)
  }

  #follow({ out }: Context, author: MemberId): void {
    const next = this.#announced.follow(author)
    if (next === null) return
    const { round, digest } = next
    out.push({ type: 'fetch-update', study: this.#study, author, round, digest })
  }

  /** Those on their way of which parts may be merged now, ascending by author: of who meets here, as far as `mayMerge` allows. */
  partial(
    ageRoundsMax: number,
    meeting: Pick<CellTopics, 'isMate'>,
    mayMerge: ((update: HeldUpdate) => boolean) | null,
  ): MergeInput[] {
    if (this.#announced.size === 0) return []
    const all = this.#announced.partial(ageRoundsMax)
    return all.filter((one) => meeting.isMate(one.author) && (mayMerge?.(one) ?? true))
  }

  /** Parts of these went into a merge. */
  merged(taken: readonly Held[]): void {
    for (const { author, digest } of taken) this.#announced.merged(author, digest)
  }

  failed(context: Context, { study, author, round, digest, code }: Of<'fetch-failed'>): void {
    if (!this.#announced.settle(author, digest)) return
    this.#failed.set(code, (this.#failed.get(code) ?? 0) + 1)
    context.tell('info', 'update-not-fetched', { study, author, round, code })
    this.#follow(context, author)
  }

  /** Asks the connected members for their newest updates, one at a time, while the study runs here. */
  catchUp(context: Context, phase: Phase, connected: readonly MemberId[]): void {
    if (!CATCHING_UP.has(phase)) return
    const peer = this.#catchUp.next(connected)
    if (peer !== null) context.out.push({ type: 'ask-updates', study: this.#study, peer })
  }

  /** After a start the first round waits so long for what others tell. */
  waitUntilMs(timeMs: number): void {
    this.#waitsUntilMs = timeMs
  }

  /** Until when a round is to wait: while somebody is being asked, or something of what was told is on its way. */
  get hearsUntilMs(): number {
    return this.#catchUp.isAsking || this.#announced.size > 0 ? this.#waitsUntilMs : 0
  }

  told(from: MemberId): void {
    this.#catchUp.told(from)
  }

  peerGone(member: MemberId): void {
    this.#catchUp.gone(member)
  }

  /** Of another scaling nothing is of use. */
  restart(): void {
    this.#announced.clear()
    this.#catchUp.restart()
  }

  /** What is being fetched, and what did not come, by reason. */
  view(): { fetching: number; unfetched: Readonly<Record<string, number>> } {
    return { fetching: this.#announced.size, unfetched: Object.fromEntries(this.#failed) }
  }
}

/** What must hold of every machine at every step, whatever happens around it: fed with steps, throws at the first that breaks a rule. */
import assert from 'node:assert/strict'
import { toHex } from '../../src/core/bytes.ts'
import { LIMITS } from '../../src/core/limits.ts'
import { decodeEntry } from '../../src/ledger/entry.ts'
import type { Action } from '../../src/node/actions.ts'
import type { NodeEvent } from '../../src/node/events.ts'
import type { Step } from '../members/trace.ts'

type Of<T extends Action['type']> = Extract<Action, { type: T }>
type Body = Readonly<Record<string, unknown>>

interface Recorded {
  readonly round: number
  readonly update: string
}

/** What is known of one node; `published` is kept over its restarts, for the others remember it. */
interface Known {
  readonly self: string
  readonly published: Map<number, string>
  /** Recorded, not yet reported durable. */
  staged: Recorded | null
  durable: Recorded | null
  paused: boolean
  stopped: boolean
  lastMs: number
}

const HEX = /^[0-9a-f]{64}$/

export class Rules {
  readonly #nodes = new Map<number, Known>()
  #seen = 0

  /** Steps that were checked. */
  get seen(): number {
    return this.#seen
  }

  check = (step: Step): void => {
    this.#seen++
    const { event, actions, node, now } = step
    const known = event.type === 'booted' ? this.#boot(node, event) : (this.#nodes.get(node) as Known)
    if (event.type === 'committed' && known.staged !== null && event.tags.some((tag) => tag.startsWith('trained:'))) {
      known.durable = known.staged
      known.staged = null
    }
    if (event.type === 'stop') known.stopped = true
    checkAnswers(event, actions)
    if (event.type === 'study-pause' && isDone(actions)) known.paused = event.paused
    for (const action of actions) checkAction(known, action, now)
    assert.ok(now >= known.lastMs)
    known.lastMs = now
  }

  #boot(node: number, event: Extract<NodeEvent, { type: 'booted' }>): Known {
    const before = this.#nodes.get(node)
    const [checkpoint] = event.checkpoints
    const own = event.facts.filter(({ author }) => author === event.self)
    const pauses = own.filter(({ kind }) => kind === 'study.paused' || kind === 'study.resumed')
    const known: Known = {
      self: event.self,
      published: hasLog(event) ? (before?.published ?? new Map()) : new Map(), // a lost disk forgets, and so may what it told
      staged: null,
      durable: checkpoint === undefined ? null : { round: checkpoint.round, update: checkpoint.shared },
      paused: pauses.at(-1)?.kind === 'study.paused',
      stopped: false,
      lastMs: 0,
    }
    this.#nodes.set(node, known)
    return known
  }
}

function hasLog({ logs, self }: Extract<NodeEvent, { type: 'booted' }>): boolean {
  return logs.some(({ author, size }) => author === self && size > 0)
}

function checkAction(known: Known, action: Action, now: number): void {
  if ('permit' in action) {
    const { study, dataset, scaling } = action.permit
    assert.ok(
      [study, dataset, scaling].every((digest) => HEX.test(digest)),
      `${action.type} has a permit`,
    )
  }
  if (action.type === 'train' || action.type === 'publish-update') {
    assert.ok(!known.paused, `no ${action.type} while paused`)
    assert.ok(!known.stopped, `no ${action.type} after a stop`)
  }
  if (action.type === 'wake') assert.ok(action.atMs > now, `a wish to be woken ${now - action.atMs} ms ago`)
  else if (action.type === 'record') checkRecord(known, action)
  else if (action.type === 'publish-update') checkPublish(known, action)
  else if (action.type === 'merge') checkMerge(known, action)
  else if (action.type === 'topics') checkTopics(action)
}

function checkRecord(known: Known, { tag, drafts, checkpoint }: Of<'record'>): void {
  assert.ok(drafts.length > 0, `${tag} has entries`)
  if (!tag.startsWith('trained:')) return
  const [trained, published] = drafts.map(({ kind, body }) => ({ kind, body: body as Body }))
  assert.deepEqual([trained?.kind, published?.kind], ['round.trained', 'round.published'])
  const update = toHex(trained?.body.update as Uint8Array)
  const round = trained?.body.round as number
  assert.equal(toHex(published?.body.update as Uint8Array), update)
  assert.deepEqual([checkpoint?.stage, checkpoint?.round, checkpoint?.shared], ['trained', round, update])
  const before = known.staged ?? known.durable
  assert.ok(before === null || round > before.round, `round ${round} recorded after ${before?.round}`)
  known.staged = { round, update }
}

function checkPublish(known: Known, { claims, permit }: Of<'publish-update'>): void {
  const { round, digest } = claims
  assert.deepEqual({ round, update: digest }, known.durable, 'only what is durable is published')
  assert.equal(claims.author, known.self)
  assert.equal(claims.scaling, permit.scaling)
  const before = known.published.get(round)
  assert.ok(before === undefined || before === digest, `round ${round} is published twice, with different updates`)
  known.published.set(round, digest)
}

function checkTopics({ publish, listen }: Of<'topics'>): void {
  const names = listen.map((cell) => JSON.stringify(cell))
  assert.equal(new Set(names).size, names.length, 'a topic is listened to once')
  assert.ok(names.length <= LIMITS.studyTopicsMax, `${names.length} topics of one study`)
  assert.ok(names.length === 0 || names.includes(JSON.stringify(publish)), 'who publishes to a topic listens to it')
}

function checkMerge(known: Known, { inputs, partial = [], round }: Of<'merge'>): void {
  const authors = inputs.map(({ author }) => author as string)
  assert.deepEqual(authors, [...new Set(authors)].sort(), 'inputs are sorted by author, one each')
  const own = inputs.find(({ author }) => author === known.self)
  assert.deepEqual([own?.round, own?.digest], [round, known.durable?.update], 'the own update is among the inputs')
  const ahead = inputs.filter((input) => input.round > round).length
  assert.ok(
    own?.ageRounds === 0 || 2 * ahead > inputs.length - 1,
    'only who is behind most others counts as old to itself',
  )
  for (const { ageRounds, examples } of [...inputs, ...partial]) assert.ok(ageRounds >= 0 && examples > 0)
  const arriving = partial.map(({ author }) => author as string)
  assert.deepEqual(arriving, [...new Set(arriving)].sort(), 'what is on its way is sorted by author, one each')
  assert.ok(!arriving.includes(known.self), 'the own update is whole')
  const rounds = new Map(inputs.map((input) => [input.author, input.round]))
  for (const { author, round } of partial)
    assert.ok(round > (rounds.get(author) ?? -1), 'parts stand in for an older update')
}

/** Every message gets exactly one verdict and every command exactly one answer, in the step that brought it. */
function checkAnswers(event: NodeEvent, actions: readonly Action[]): void {
  const verdicts = actions.flatMap((action) => (action.type === 'verdict' ? action.ticket : []))
  const answers = actions.flatMap((action) => (action.type === 'answer' ? action.ticket : []))
  const ticket = 'ticket' in event && event.ticket !== null ? [event.ticket] : []
  const isCommand = /^(study|member|epoch)-/.test(event.type)
  assert.deepEqual(verdicts, isCommand ? [] : ticket, `verdicts on ${event.type}`)
  assert.deepEqual(answers, isCommand ? ticket : [], `answers to ${event.type}`)
}

function isDone(actions: readonly Action[]): boolean {
  return actions.some((action) => action.type === 'answer' && action.error === null)
}

/** A whole log of one node: rounds that only go up, and one update for each. */
export function checkRounds(raws: readonly Uint8Array[]): { trained: number[]; merged: number[] } {
  const rounds = { trained: [] as number[], merged: [] as number[] }
  const published = new Map<number, string>()
  for (const raw of raws) {
    const { kind, body } = decodeEntry(raw) as { kind: string; body: Body }
    if (kind === 'round.trained') rounds.trained.push(body.round as number)
    if (kind === 'round.merged') rounds.merged.push(body.round as number)
    if (kind !== 'round.published') continue
    const update = toHex(body.update as Uint8Array)
    assert.equal(published.get(body.round as number) ?? update, update, `round ${body.round} has one update`)
    published.set(body.round as number, update)
  }
  for (const list of [rounds.trained, rounds.merged]) {
    assert.deepEqual(
      list,
      [...new Set(list)].sort((a, b) => a - b),
      'rounds only go up',
    )
  }
  return rounds
}

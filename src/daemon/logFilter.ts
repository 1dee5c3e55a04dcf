/** Which entries `consilium log` shows: filters as they are asked for, members by name, and the state of an entry. */
import { ConsiliumError } from '../core/errors.ts'
import { compareIds, type MemberId } from '../core/ids.ts'
import { KINDS } from '../governance/kinds.ts'
import { takesKind } from '../ledger/bundle.ts'
import type { Glance } from '../ledger/entry.ts'
import type { EntryState } from './api.ts'
import type { Daemon } from './daemon.ts'
import { squeeze } from './squeeze.ts'
import { studyDigits } from './studyReference.ts'

const LIMIT_MAX = 10_000 // entries in one answer
const LIMIT_DEFAULT = 40

/** What is null is not asked for. */
export interface LogFilter {
  readonly members: readonly MemberId[]
  readonly kind: string | null
  /** The first digits of a study's digest. */
  readonly study: string | null
  /** By the authors' clocks, from this millisecond on. */
  readonly sinceMs: number | null
  /** Before this one. */
  readonly untilMs: number | null
  readonly state: 'final' | 'pending' | null
  readonly limit: number
}

/** Errors: `member-unknown`, `study-unknown`, `study-ambiguous`, `kind-unknown`, `bad-limit`, `bad-since`, `bad-state`. */
export function readFilter(daemon: Daemon, query: URLSearchParams): LogFilter {
  const member = query.get('member')
  const study = query.get('study')
  const limit = Number(query.get('limit') ?? LIMIT_DEFAULT)
  if (!Number.isInteger(limit) || limit < 0 || limit > LIMIT_MAX)
    throw refused('bad-limit', `--limit: ${query.get('limit')} given; 0 to ${LIMIT_MAX} is allowed`)
  return {
    members: member === null ? daemon.logs.authors() : authorsOf(daemon, member),
    kind: kindsOf(query.get('kind')),
    study: study === null ? null : studyDigits(daemon, study),
    sinceMs: timeIn(query, 'since'),
    untilMs: timeIn(query, 'until'),
    state: stateAsked(query.get('state')),
    limit,
  }
}

/** The one whose log is meant: of several of that name the member now. Error: `member-unknown`. */
export function memberOf(daemon: Daemon, given: string): MemberId {
  const found = authorsOf(daemon, given)
  const members = found.filter((author) => daemon.home.membership.roll.isMember(author))
  const meant = found.length === 1 ? found : members
  if (meant.length === 1) return meant[0] as MemberId
  throw unknownMember(daemon, given, 'more than one member')
}

/**
 * Whose logs are meant, members now and before, sorted by key: all of a name, for a hospital whose key was replaced has two logs, or the one
 * whose key begins with at least 6 digits. Error: `member-unknown`.
 */
function authorsOf(daemon: Daemon, given: string): MemberId[] {
  const { authors } = daemon.home.membership.roll
  const named = authors.filter((author) => squeeze(daemon.nameOf(author)) === squeeze(given))
  if (named.length > 0) return named
  const keyed = given.length < 6 ? [] : authors.filter((author) => author.startsWith(given))
  if (keyed.length === 1) return keyed
  throw unknownMember(daemon, given, keyed.length === 0 ? 'no member' : 'more than one member')
}

function unknownMember(daemon: Daemon, given: string, what: string): ConsiliumError {
  const names = new Set(daemon.home.membership.roll.authors.map((author) => daemon.nameOf(author)))
  return refused('member-unknown', `"${given.slice(0, 80)}" is ${what}; the members are ${[...names].join(', ')}`)
}

/** What is final stays so, whatever its author signed later. */
export function stateOf(daemon: Daemon, author: MemberId, seq: number): EntryState {
  const { finality } = daemon.machine
  if (seq < (finality.final(author)?.size ?? 0)) return 'final'
  if (daemon.logs.isForked(author)) return 'disputed'
  return author === daemon.logs.self && finality.replicas(author, seq + 1) === 0 ? 'local' : 'replicated'
}

/** Whether an entry in this state is asked for; its author is looked at elsewhere. */
export function matches(entry: Glance, { kind, study, sinceMs, untilMs, state }: LogFilter, is: EntryState): boolean {
  const kindFits = kind === null || takesKind(kind, entry.kind)
  const studyFits = study === null || (entry.study?.startsWith(study) ?? false)
  const stateFits = state === null || (state === 'final') === (is === 'final')
  const timeFits = (sinceMs === null || entry.timeMs >= sinceMs) && (untilMs === null || entry.timeMs < untilMs)
  return kindFits && studyFits && stateFits && timeFits
}

/** Kinds, or the first words of kinds, with commas between them. */
function kindsOf(given: string | null): string | null {
  return given === null ? null : [...new Set(given.split(',').map(kindOf))].sort(compareIds).join(',')
}

/** One that this version does not know may be another version's, where it is whole. */
function kindOf(given: string): string {
  if (given.includes('.') || Object.keys(KINDS).some((kind) => kind.startsWith(`${given}.`))) return given
  const kinds = Object.keys(KINDS).join(', ')
  throw refused('kind-unknown', `--kind: no kind is or begins with "${given.slice(0, 80)}"; the kinds are ${kinds}`)
}

/** A moment in a query, or null where none is given. Errors: `bad-since`, `bad-until`. */
export function timeIn(query: URLSearchParams, name: 'since' | 'until'): number | null {
  const given = query.get(name)
  if (given === null) return null
  const ms = Number(given)
  if (given !== '' && Number.isSafeInteger(ms) && ms >= 0) return ms
  throw refused(`bad-${name}`, `${name}: "${given.slice(0, 80)}" given; milliseconds since 1970 are expected`)
}

function stateAsked(given: string | null): 'final' | 'pending' | null {
  if (given === null || given === 'final' || given === 'pending') return given
  throw refused('bad-state', `--state: "${given.slice(0, 80)}" given; final or pending is expected`)
}

function refused(code: string, message: string): ConsiliumError {
  return new ConsiliumError({ code, message })
}

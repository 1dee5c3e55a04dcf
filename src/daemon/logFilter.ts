/** Which entries `consilium log` shows: filters as they are asked for, members by name, and the state of an entry. */
import { ConsiliumError } from '../core/errors.ts'
import type { MemberId } from '../core/ids.ts'
import { KINDS } from '../governance/kinds.ts'
import type { Glance } from '../ledger/entry.ts'
import type { EntryState } from './api.ts'
import type { Daemon } from './daemon.ts'
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
    members: member === null ? daemon.logs.authors() : [memberOf(daemon, member)],
    kind: kindOf(query.get('kind')),
    study: study === null ? null : studyDigits(daemon, study),
    sinceMs: sinceOf(query.get('since')),
    state: stateAsked(query.get('state')),
    limit,
  }
}

/**
 * A member, or one that has left, by name, or by at least 6 digits of its key. A name that was handed on with a new key means the member
 * that has it now. Error: `member-unknown`.
 */
export function memberOf(daemon: Pick<Daemon, 'home' | 'nameOf'>, given: string): MemberId {
  const { roll } = daemon.home.membership
  const squeezed = squeeze(given)
  const all = roll.authors.filter(
    (key) => squeeze(daemon.nameOf(key)) === squeezed || (given.length >= 6 && key.startsWith(given)),
  )
  const now = all.filter((key) => roll.isMember(key))
  const found = now.length === 1 ? now : all
  if (found.length === 1) return found[0] as MemberId
  const names = roll.members.map((key) => daemon.nameOf(key)).join(', ')
  const what = found.length === 0 ? 'no member' : 'more than one member'
  throw refused('member-unknown', `"${given.slice(0, 80)}" is ${what}; the members are ${names}`)
}

/** What is final stays so, whatever its author signed later. */
export function stateOf(daemon: Daemon, author: MemberId, seq: number): EntryState {
  const { finality } = daemon.machine
  if (seq < (finality.final(author)?.size ?? 0)) return 'final'
  if (daemon.logs.isForked(author)) return 'disputed'
  return author === daemon.logs.self && finality.replicas(author, seq + 1) === 0 ? 'local' : 'replicated'
}

/** Whether an entry in this state is asked for; its author is looked at elsewhere. */
export function matches(entry: Glance, { kind, study, sinceMs, state }: LogFilter, is: EntryState): boolean {
  const kindFits = kind === null || entry.kind === kind || entry.kind.startsWith(`${kind}.`)
  const studyFits = study === null || (entry.study?.startsWith(study) ?? false)
  const stateFits = state === null || (state === 'final') === (is === 'final')
  return kindFits && studyFits && stateFits && (sinceMs === null || entry.timeMs >= sinceMs)
}

/** A name without spaces, so that a reference is one word. */
export function squeeze(name: string): string {
  return name.replaceAll(/\s+/g, '')
}

/** A kind, or the first words of kinds; one that this version does not know may be another version's, where it is whole. */
function kindOf(given: string | null): string | null {
  if (given === null || given.includes('.')) return given
  if (Object.keys(KINDS).some((kind) => kind.startsWith(`${given}.`))) return given
  const kinds = Object.keys(KINDS).join(', ')
  throw refused('kind-unknown', `--kind: no kind is or begins with "${given.slice(0, 80)}"; the kinds are ${kinds}`)
}

function sinceOf(given: string | null): number | null {
  if (given === null) return null
  const ms = Number(given)
  if (Number.isSafeInteger(ms) && ms >= 0) return ms
  throw refused('bad-since', `since: "${given.slice(0, 80)}" given; milliseconds since 1970 are expected`)
}

function stateAsked(given: string | null): 'final' | 'pending' | null {
  if (given === null || given === 'final' || given === 'pending') return given
  throw refused('bad-state', `--state: "${given.slice(0, 80)}" given; final or pending is expected`)
}

function refused(code: string, message: string): ConsiliumError {
  return new ConsiliumError({ code, message })
}

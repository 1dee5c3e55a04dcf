/** Where an agreement's workflow stands: its transition table over what parties said, in canonical order. */
import type { Party, Transition, Workflow } from '../config/agreement.ts'
import type { AgreementAction } from '../config/agreementSchema.ts'
import { compareIds, type MemberId } from '../core/ids.ts'

/** An event as a party told of it, with its entry's place. */
export interface EventSaid {
  readonly author: MemberId
  readonly seq: number
  readonly lamport: number
  readonly event: string
}

/** The order in which all who have the same entries read them: Lamport time, author, number. */
export function inCanonicalOrder<E extends Omit<EventSaid, 'event'>>(events: Iterable<E>): E[] {
  return [...events].sort((a, b) => a.lamport - b.lamport || compareIds(a.author, b.author) || a.seq - b.seq)
}

/** The state after these events; what nobody may say, or not there, changes nothing. A step that wants several parties counts each once. */
export function stateAfter({ start, transitions }: Workflow, parties: readonly Party[], events: EventSaid[]): string {
  let state = start
  let saying = new Map<string, Set<MemberId>>()
  for (const { author, event } of inCanonicalOrder(events)) {
    const way = transitions.find((one) => one.from === state && one.event === event)
    if (way === undefined || !mayBring(way, parties, author)) continue
    const sayers = (saying.get(event) ?? new Set()).add(author)
    saying.set(event, sayers)
    if (way.who.kind === 'any' && sayers.size < way.who.of) continue
    state = way.to
    saying = new Map()
  }
  return state
}

/** Whether `member` has a say in that step. */
export function mayBring({ who }: Transition, parties: readonly Party[], member: MemberId): boolean {
  const party = parties.find((one) => one.member === member)
  if (party === undefined) return false
  if (who.kind === 'party') return who.member === member
  return who.kind === 'any' || party.role === who.role
}

/** Whether a state allows an action. */
export function allowsIn({ states }: Workflow, state: string, action: AgreementAction): boolean {
  return states.find(({ name }) => name === state)?.allows.includes(action) ?? false
}

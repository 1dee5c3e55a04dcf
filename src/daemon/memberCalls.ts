/** The calls about members: who they are, and changes that are proposed, approved and rejected. */
import { verify } from '../core/ed25519.ts'
import { ConsiliumError } from '../core/errors.ts'
import type { MemberId } from '../core/ids.ts'
import { LIMITS } from '../core/limits.ts'
import { type Change, type ChangeState, changeOf, membersAfter } from '../governance/changes.ts'
import { readCard } from '../governance/founding.ts'
import { lintText } from '../governance/privacyLint.ts'
import { epochContent } from '../ledger/epoch.ts'
import { fingerprint, type Member } from '../ledger/founding.ts'
import type { ChangeReport, MembersReport } from './api.ts'
import type { Routes } from './control.ts'
import type { Daemon } from './daemon.ts'
import { memberOf } from './logFilter.ts'

const SIGNATURE_BYTES = 101 // key and signature, with their CBOR heads
const CHANGE_DIGITS_MIN = 6

/** Routes of the control API. */
export function memberCalls(daemon: Daemon): Routes {
  return {
    'GET /v1/members': async () => membersReport(daemon),
    'POST /v1/members/changes': ({ body }) => propose(daemon, strings(body, 'add'), strings(body, 'remove')),
    'POST /v1/members/changes/:/approve': ({ parts }) => say(daemon, parts[0] ?? '', 'epoch-approve'),
    'POST /v1/members/changes/:/reject': ({ parts }) => say(daemon, parts[0] ?? '', 'epoch-reject'),
  }
}

/** Changes on which this member's people have said nothing yet. */
export function unanswered(daemon: Daemon): ChangeReport[] {
  const self = daemon.home.key.id
  if (!daemon.home.membership.roll.isMember(self)) return []
  const { changes } = daemon.machine.view()
  const open = changes.filter(({ approvedBy, rejectedBy }) => !approvedBy.includes(self) && !rejectedBy.includes(self))
  return open.map((state) => changeReport(daemon, state))
}

function membersReport(daemon: Daemon): MembersReport {
  const { membership, consortium } = daemon.home
  const { current, epochs, roll } = membership
  const connected = new Set(daemon.transport.peers().flatMap(({ member, connected }) => (connected ? [member] : [])))
  const since = (key: MemberId): number =>
    epochs.findLast(
      ({ number, members }) =>
        number > 0 &&
        !epochs[number - 1]?.members.some((one) => one.key === key) &&
        members.some((one) => one.key === key),
    )?.number ?? 0
  const self = daemon.home.key.id
  return {
    consortium: consortium.name,
    epoch: current.number,
    quorum: current.k,
    members: current.members.map(({ name, key }) => ({
      name,
      key,
      fingerprint: fingerprint(key),
      sinceEpoch: since(key),
      self: key === self,
      connected: key === self || connected.has(key),
    })),
    former: roll.authors
      .filter((author) => !roll.isMember(author))
      .map((key) => ({ name: daemon.nameOf(key), key, entries: roll.pinned(key)?.size ?? 0 })),
    changes: daemon.machine.view().changes.map((state) => changeReport(daemon, state)),
  }
}

function changeReport(
  daemon: Daemon,
  { change, proposedBy, approvedBy, rejectedBy, approved }: ChangeState,
): ChangeReport {
  const { current } = daemon.home.membership
  const names = (members: readonly MemberId[]): string[] => members.map((member) => daemon.nameOf(member))
  return {
    change: change.id,
    epoch: change.epoch,
    add: change.add.map(({ name, key }) => ({ name, key, fingerprint: fingerprint(key) })),
    remove: change.remove.map((key) => ({ name: daemon.nameOf(key), key, fingerprint: fingerprint(key) })),
    proposedBy: names(proposedBy),
    approvedBy: names(approvedBy),
    rejectedBy: names(rejectedBy),
    needed: current.k,
    membersAfter: membersAfter(current.members, change).length,
    voting: approved,
  }
}

async function propose(daemon: Daemon, cards: readonly string[], removed: readonly string[]): Promise<ChangeReport> {
  const { membership } = daemon.home
  const { current } = membership
  const add = cards.map((text): Member => {
    const { name, key } = readCard(text, 'card', verify)
    return { name, key }
  })
  const remove = removed.map((given) => memberOf(daemon, given))
  for (const key of remove)
    if (!membership.roll.isMember(key)) throw refused('member-unknown', `${daemon.nameOf(key)} is no member any more`)
  const change = changeOf(current.number + 1, add, remove)
  requireSound(daemon, change)
  await daemon.command((ticket) => ({ type: 'epoch-propose', ticket, change }))
  const state = daemon.machine.view().changes.find((one) => one.change.id === change.id)
  if (state === undefined) throw refused('change-late', 'the members have changed meanwhile: propose it again')
  return changeReport(daemon, state)
}

/** Errors: `change-empty`, `member-known`, `member-personal-data`, `members-too-many`, those of `epochContent`. */
function requireSound({ home }: Daemon, change: Change): void {
  const { current } = home.membership
  const { add, remove } = change
  if (add.length + remove.length === 0) throw refused('change-empty', 'nothing is to change: name who comes or goes')
  for (const { name, key } of add) {
    const known = current.members.find((member) => member.key === key)
    if (known !== undefined) throw refused('member-known', `"${known.name}" is a member with this key already`)
    const found = lintText(name)
    if (found !== null)
      throw refused(
        'member-personal-data',
        `the name "${name}" holds what looks like ${found.what}; names are copied to every member for good`,
      )
  }
  const members = membersAfter(current.members, change)
  const content = epochContent(current, members, [])
  const bytes = content.length + (current.members.length + members.length) * SIGNATURE_BYTES
  if (bytes > LIMITS.gossipMessageBytesMax)
    throw refused(
      'members-too-many',
      `the vote on ${members.length} members takes ${bytes} bytes, ${LIMITS.gossipMessageBytesMax} travel by gossip`,
    )
}

async function say(daemon: Daemon, given: string, type: 'epoch-approve' | 'epoch-reject'): Promise<ChangeReport> {
  const { changes } = daemon.machine.view()
  const found = given.length >= CHANGE_DIGITS_MIN ? changes.filter(({ change }) => change.id.startsWith(given)) : []
  const [state] = found
  if (state === undefined || found.length > 1)
    throw refused(
      'change-unknown',
      `"${given.slice(0, 80)}" is ${found.length > 1 ? 'more than one change' : 'no change that is proposed'}; at least ${CHANGE_DIGITS_MIN} digits are expected, see "consilium members ls"`,
    )
  const { change } = state
  if (type === 'epoch-approve') requireSound(daemon, change)
  await daemon.command((ticket) => ({ type, ticket, change: change.id }))
  const after = daemon.machine.view().changes.find((one) => one.change.id === change.id) ?? state
  return changeReport(daemon, after)
}

function strings(body: Record<string, unknown>, field: string): string[] {
  const value = body[field] ?? []
  if (Array.isArray(value) && value.every((one) => typeof one === 'string')) return value
  throw refused('body-malformed', `${field}: a list of strings is expected`)
}

function refused(code: string, message: string): ConsiliumError {
  return new ConsiliumError({ code, message })
}

/** The calls about members: who they are, and changes that are proposed, approved and rejected. */
import { verify } from '../core/ed25519.ts'
import { ConsiliumError } from '../core/errors.ts'
import type { MemberId } from '../core/ids.ts'
import { readCard } from '../governance/founding.ts'
import { type Suspension, suspendingQuorum } from '../governance/suspensions.ts'
import { fingerprint, type Member } from '../ledger/founding.ts'
import { text } from './bodyFields.ts'
import type { Routes } from './control.ts'
import type { Daemon } from './daemon.ts'
import { memberOf } from './logFilter.ts'
import type { ChangeReport, MembersReport, SuspensionReport } from './membersApi.ts'
import { changeReport, proposeChange, requireSound } from './proposing.ts'

const CHANGE_DIGITS_MIN = 6

/** Routes of the control API. */
export function memberCalls(daemon: Daemon): Routes {
  return {
    'GET /v1/members': async () => membersReport(daemon),
    'POST /v1/members/changes': ({ body }) => propose(daemon, body),
    'POST /v1/members/changes/:/approve': ({ parts }) => say(daemon, parts[0] ?? '', 'epoch-approve'),
    'POST /v1/members/changes/:/reject': ({ parts }) => say(daemon, parts[0] ?? '', 'epoch-reject'),
    'POST /v1/members/:/suspend': ({ parts, body }) => suspend(daemon, parts[0] ?? '', text(body, 'reason')),
    'POST /v1/members/:/reinstate': ({ parts }) => suspend(daemon, parts[0] ?? '', null),
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
    members: current.members.map(({ name, key, observer }) => ({
      name,
      key,
      role: observer ? ('observer' as const) : ('hospital' as const),
      fingerprint: fingerprint(key),
      sinceEpoch: since(key),
      self: key === self,
      connected: key === self || connected.has(key),
    })),
    former: roll.authors
      .filter((author) => !roll.isMember(author))
      .map((key) => ({ name: daemon.nameOf(key), key, entries: roll.pinned(key)?.size ?? 0 })),
    changes: daemon.machine.view().changes.map((state) => changeReport(daemon, state)),
    suspensions: suspensions(daemon),
  }
}

/** Members of whom somebody says that their key is not to be trusted. */
export function suspensions(daemon: Daemon): SuspensionReport[] {
  return daemon.machine.view().suspensions.map((one) => suspensionReport(daemon, one))
}

function suspensionReport(daemon: Daemon, { member, words, binds }: Suspension): SuspensionReport {
  const { roll } = daemon.home.membership
  return {
    name: daemon.nameOf(member),
    key: member,
    self: member === daemon.home.key.id,
    binds,
    saidBy: words.map(({ by, reason, seq, timeMs }) => ({ name: daemon.nameOf(by), reason, entry: seq, timeMs })),
    needed: suspendingQuorum(roll.members.length),
    lifting: roll.members.length < 2 ? 0 : daemon.home.membership.current.k - 1,
  }
}

/** `reason` null: it is trusted again. What this node has of the member's log is what counts of it. */
async function suspend(
  daemon: Daemon,
  given: string,
  reason: string | null,
): Promise<{ report: SuspensionReport | null; name: string }> {
  const member = memberOf(daemon, given)
  const { size } = daemon.logs.sizeOf(member)
  await daemon.command((ticket) =>
    reason === null
      ? { type: 'member-reinstate', ticket, member, size }
      : { type: 'member-suspend', ticket, member, reason, size },
  )
  const report = suspensions(daemon).find(({ key }) => key === member) ?? null
  return { report, name: daemon.nameOf(member) }
}

async function propose(daemon: Daemon, body: Record<string, unknown>): Promise<ChangeReport> {
  const { roll } = daemon.home.membership
  const read = (text: string): Member => {
    const { name, key } = readCard(text, 'card', verify)
    return { name, key }
  }
  const remove = strings(body, 'remove').map((given) => memberOf(daemon, given))
  for (const key of remove)
    if (!roll.isMember(key)) throw refused('member-unknown', `${daemon.nameOf(key)} is no member any more`)
  const replaced = remove.length === 1 && roll.isObserver(remove[0] as MemberId) // a new key comes into the role of the old one
  const hospitals = strings(body, 'add').map(read)
  const observers = strings(body, 'observers').map(read)
  const asObserver = (member: Member): Member => ({ ...member, observer: true })
  const add = [...(replaced ? hospitals.map(asObserver) : hospitals), ...observers.map(asObserver)]
  return proposeChange(daemon, add, remove)
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

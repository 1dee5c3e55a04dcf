/** Changes of the members as an operator proposes them: checked here, before anything is recorded, and as they are reported. */
import { ConsiliumError } from '../core/errors.ts'
import type { MemberId } from '../core/ids.ts'
import { LIMITS } from '../core/limits.ts'
import { type Change, type ChangeState, changeOf, membersAfter } from '../governance/changes.ts'
import { lintText } from '../governance/privacyLint.ts'
import { epochContent } from '../ledger/epoch.ts'
import { fingerprint, type Member } from '../ledger/founding.ts'
import type { Daemon } from './daemon.ts'
import type { ChangeReport } from './membersApi.ts'

const SIGNATURE_BYTES = 101 // key and signature, with their CBOR heads

/** Proposes and approves it. Errors: those of `requireSound`, `change-late`, those of the command. */
export async function proposeChange(
  daemon: Daemon,
  add: readonly Member[],
  remove: readonly MemberId[],
): Promise<ChangeReport> {
  const change = changeOf(daemon.home.membership.current.number + 1, add, remove)
  requireSound(daemon, change)
  await daemon.command((ticket) => ({ type: 'epoch-propose', ticket, change }))
  const state = daemon.machine.view().changes.find((one) => one.change.id === change.id)
  if (state === undefined) throw refused('change-late', 'the members have changed meanwhile: propose it again')
  return changeReport(daemon, state)
}

/** A change for people. */
export function changeReport(
  daemon: Daemon,
  { change, proposedBy, approvedBy, rejectedBy, approved }: ChangeState,
): ChangeReport {
  const { current } = daemon.home.membership
  const names = (members: readonly MemberId[]): string[] => members.map((member) => daemon.nameOf(member))
  return {
    change: change.id,
    epoch: change.epoch,
    add: change.add.map(({ name, key, observer }) => ({
      name,
      key,
      role: observer ? ('observer' as const) : ('hospital' as const),
      fingerprint: fingerprint(key),
    })),
    remove: change.remove.map((key) => ({ name: daemon.nameOf(key), key, fingerprint: fingerprint(key) })),
    proposedBy: names(proposedBy),
    approvedBy: names(approvedBy),
    rejectedBy: names(rejectedBy),
    needed: current.k,
    membersAfter: membersAfter(current.members, change).length,
    voting: approved,
  }
}

/** Errors: `change-empty`, `member-known`, `member-personal-data`, `members-too-many`, those of `epochContent`. */
export function requireSound({ home }: Daemon, change: Change): void {
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

function refused(code: string, message: string): ConsiliumError {
  return new ConsiliumError({ code, message })
}

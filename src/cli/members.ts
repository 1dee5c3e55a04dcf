/** members: ls, add, remove, replace, approve, reject, suspend, reinstate. */
import { Command } from 'commander'
import { ConsiliumError } from '../core/errors.ts'
import { changeSentence } from '../daemon/changeSentence.ts'
import { homePaths } from '../daemon/homePaths.ts'
import type { ChangeReport, InvitationReport, MembersReport, SuspensionReport } from '../daemon/membersApi.ts'
import { quorum } from '../ledger/founding.ts'
import { readCardArgument } from './found.ts'
import { short, table } from './output.ts'
import { type Common, clientOf, command, outputOf } from './shared.ts'
import { suspensionLines } from './suspensionText.ts'

/** The group `members`; all of it asks the running daemon. Errors: `member-…`, `change-…`, those of `readCard`. */
export function membersCommand(): Command {
  const members = new Command('members').description('see who takes part, and decide together who comes and goes')
  const words = [say('approve'), say('reject'), suspend(), reinstate()]
  for (const sub of [list(), add(), remove(), replace(), ...words]) members.addCommand(sub)
  return members
}

function list(): Command {
  return command(
    'ls',
    'list members, former members, and the changes that are proposed',
    'consilium members ls',
  ).action(async (options: Common) => {
    const client = clientOf(options)
    const report = await client.get<MembersReport>('/v1/members')
    const { invitations } = await client.get<{ invitations: InvitationReport[] }>('/v1/invitations')
    outputOf(options).print({ ...report, invitations }, () => membersLines(report, invitations))
  })
}

function add(): Command {
  return command('add', 'propose that a hospital joins', 'consilium members add west/card.txt')
    .argument('<card>', 'its member card: a file that holds it, or the line itself')
    .option('--observer', 'it joins as an observer: it witnesses and votes, and has no part in studies', false)
    .action(async (card: string, options: Common & { observer: boolean }) =>
      options.observer ? proposed(options, { observers: [card] }) : proposed(options, { add: [card] }),
    )
}

function remove(): Command {
  return command('remove', 'propose that a member leaves', 'consilium members remove "West clinic"')
    .argument('<member>', 'its name, or at least 6 digits of its key')
    .action(async (member: string, options: Common) => proposed(options, { remove: [member] }))
}

function replace(): Command {
  return command(
    'replace',
    'propose a new key for a member: its old log ends, and goes on under the new key',
    'consilium members replace "West clinic" --card west/card.txt',
  )
    .argument('<member>', 'its name, or at least 6 digits of its old key')
    .argument('[card]', 'the card that "consilium init" printed for the new key')
    .option('--card <card>', 'the same')
    .action(async (member: string, card: string | undefined, options: Common & { card?: string }) => {
      const given = card ?? options.card
      if (given === undefined) throw new ConsiliumError({ code: 'bad-option', message: NO_CARD })
      await proposed(options, { add: [given], remove: [member] })
    })
}

const NO_CARD =
  '--card: the card of the new key is missing; that hospital runs "consilium init" in a new folder and sends it'

function say(word: 'approve' | 'reject'): Command {
  const what = word === 'approve' ? 'say yes to a change that is proposed' : 'say no to it, or take back a yes'
  return command(word, what, `consilium members ${word} 5f1e09ab34cd`)
    .argument('<change>', 'at least 6 digits of its digest')
    .action(async (change: string, options: Common) => {
      const path = `/v1/members/changes/${encodeURIComponent(change)}/${word}`
      const report = await clientOf(options).post<ChangeReport>(path)
      outputOf(options).print(report, () => [
        `${word === 'approve' ? 'Approved' : 'Rejected'}: ${changeSentence(report)}.`,
        standing(report),
      ])
    })
}

function suspend(): Command {
  return command(
    'suspend',
    "say that a member's key is not to be trusted: at once here, everywhere once a third of the members say so",
    'consilium members suspend "West clinic" --reason key-stolen',
  )
    .argument('<member>', 'its name, or at least 6 digits of its key; of this hospital itself it binds everybody')
    .requiredOption('--reason <code>', 'key-stolen, compromised or misconduct')
    .action(async (member: string, options: Common & { reason: string }) => {
      const path = `/v1/members/${encodeURIComponent(member)}/suspend`
      const { report } = await clientOf(options).post<Suspended>(path, { reason: options.reason })
      outputOf(options).print(report, () => (report === null ? [] : suspensionLines(report)))
    })
}

function reinstate(): Command {
  return command(
    'reinstate',
    'take that back; of what a member said of its own key: say that it holds no more',
    'consilium members reinstate "West clinic"',
  )
    .argument('<member>', 'its name, or at least 6 digits of its key')
    .action(async (member: string, options: Common) => {
      const path = `/v1/members/${encodeURIComponent(member)}/reinstate`
      const { report, name } = await clientOf(options).post<Suspended>(path)
      outputOf(options).print(report, () =>
        report === null
          ? [`Nobody says that ${name} is suspended any more.`]
          : ['Recorded; it counts at the others when it is final.', ...suspensionLines(report)],
      )
    })
}

interface Suspended {
  readonly name: string
  readonly report: SuspensionReport | null
}

async function proposed(
  options: Common,
  given: { add?: readonly string[]; observers?: readonly string[]; remove?: readonly string[] },
): Promise<void> {
  const { add = [], observers = [], remove = [] } = given
  const texts = async (cards: readonly string[]) =>
    (await Promise.all(cards.map(readCardArgument))).map(({ text }) => text)
  const body = { add: await texts(add), observers: await texts(observers), remove }
  const report = await clientOf(options).post<ChangeReport>('/v1/members/changes', body)
  outputOf(options).print(report, () => [
    `Proposed, and approved here: ${changeSentence(report)}.`,
    `  ${report.change}`,
    standing(report),
    '',
    'Each of the others looks at it with "consilium members ls", compares the fingerprint by phone, and runs:',
    `  consilium members approve ${short(report.change)}`,
    ...report.add.flatMap(({ name }) => [
      `Give ${name} the file ${homePaths(options.home).consortium}. It compares the fingerprint of the consortium by phone, and runs:`,
      '  consilium accept consortium.yaml --join',
      '  consilium start',
    ]),
  ])
}

function membersLines(report: MembersReport, invitations: readonly InvitationReport[]): string[] {
  const { consortium, epoch, quorum: k, members, former, changes, suspensions } = report
  const bound = new Set(suspensions.flatMap(({ key, binds }) => (binds === null ? [] : [key])))
  const waiting = invitations.filter(({ state }) => state === 'open' || state === 'held')
  return [
    `${consortium}, epoch ${epoch}: ${members.length} members; what ${k} of them have signed is final.`,
    '',
    ...table(
      ['member', 'role', 'since epoch', 'connected', 'fingerprint of its key'],
      members.map((one) => [
        one.name,
        bound.has(one.key) ? `${one.role}, suspended` : one.role,
        one.sinceEpoch === 0 ? 'founding' : String(one.sinceEpoch),
        one.self ? 'this node' : one.connected ? 'yes' : 'no',
        one.fingerprint,
      ]),
    ),
    ...(former.length === 0
      ? []
      : [
          '',
          ...table(
            ['former member', 'entries that count', 'key'],
            former.map(({ name, key, entries }) => [name, String(entries), short(key)]),
            [1],
          ),
        ]),
    ...suspensions.flatMap((one) => ['', ...suspensionLines(one)]),
    ...(waiting.length === 0
      ? []
      : ['', `Invitations: ${waiting.map(invitationWord).join(', ')} (consilium invite ls)`]),
    ...changes.flatMap((change) => [
      '',
      `Change ${short(change.change)}, by ${change.proposedBy.join(', ')}: ${changeSentence(change)}.`,
      ...[...change.add, ...change.remove].map((one) => `  ${one.name}: ${one.fingerprint}`),
      `  approved by ${change.approvedBy.join(', ') || 'nobody'}${change.rejectedBy.length === 0 ? '' : `; rejected by ${change.rejectedBy.join(', ')}`}`,
      `  ${standing(change)}`,
    ]),
  ]
}

function invitationWord({ id, name, state, came }: InvitationReport): string {
  const whom = came === null ? (name === null ? '' : ` for "${name}"`) : `: "${came.name}" came`
  return `${id}${whom}, ${state}`
}

function standing({ approvedBy, needed, membersAfter, voting }: ChangeReport): string {
  if (voting)
    return `The nodes are voting. It is decided with the votes of ${needed} of the members now and ${quorum(membersAfter)} of the ${membersAfter} after it.`
  return `${approvedBy.length} of the ${needed} approvals that it needs; then the nodes vote by themselves.`
}

/** members: ls, add, remove, replace, approve, reject. */
import { Command } from 'commander'
import type { ChangeReport, MembersReport } from '../daemon/api.ts'
import { changeSentence } from '../daemon/changeSentence.ts'
import { homePaths } from '../daemon/home.ts'
import { quorum } from '../ledger/founding.ts'
import { readCardArgument } from './found.ts'
import { short, table } from './output.ts'
import { type Common, clientOf, command, outputOf } from './shared.ts'

/** The group `members`; all of it asks the running daemon. Errors: `member-…`, `change-…`, those of `readCard`. */
export function membersCommand(): Command {
  const members = new Command('members').description('see who takes part, and decide together who comes and goes')
  for (const sub of [list(), add(), remove(), replace(), say('approve'), say('reject')]) members.addCommand(sub)
  return members
}

function list(): Command {
  return command(
    'ls',
    'list members, former members, and the changes that are proposed',
    'consilium members ls',
  ).action(async (options: Common) => {
    const report = await clientOf(options).get<MembersReport>('/v1/members')
    outputOf(options).print(report, () => membersLines(report))
  })
}

function add(): Command {
  return command('add', 'propose that a hospital joins', 'consilium members add west/card.txt')
    .argument('<card>', 'its member card: a file that holds it, or the line itself')
    .action(async (card: string, options: Common) => proposed(options, [card], []))
}

function remove(): Command {
  return command('remove', 'propose that a member leaves', 'consilium members remove "West clinic"')
    .argument('<member>', 'its name, or at least 6 digits of its key')
    .action(async (member: string, options: Common) => proposed(options, [], [member]))
}

function replace(): Command {
  return command(
    'replace',
    'propose a new key for a member: its old log ends, and goes on under the new key',
    'consilium members replace "West clinic" west/card.txt',
  )
    .argument('<member>', 'its name, or at least 6 digits of its old key')
    .argument('<card>', 'the card that "consilium init" printed for the new key')
    .action(async (member: string, card: string, options: Common) => proposed(options, [card], [member]))
}

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

async function proposed(options: Common, cards: readonly string[], members: readonly string[]): Promise<void> {
  const add = await Promise.all(cards.map(async (card) => (await readCardArgument(card)).text))
  const report = await clientOf(options).post<ChangeReport>('/v1/members/changes', { add, remove: members })
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

function membersLines({ consortium, epoch, quorum: k, members, former, changes }: MembersReport): string[] {
  return [
    `${consortium}, epoch ${epoch}: ${members.length} members; what ${k} of them have signed is final.`,
    '',
    ...table(
      ['member', 'since epoch', 'connected', 'fingerprint of its key'],
      members.map((one) => [
        one.name,
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
    ...changes.flatMap((change) => [
      '',
      `Change ${short(change.change)}, by ${change.proposedBy.join(', ')}: ${changeSentence(change)}.`,
      ...[...change.add, ...change.remove].map((one) => `  ${one.name}: ${one.fingerprint}`),
      `  approved by ${change.approvedBy.join(', ') || 'nobody'}${change.rejectedBy.length === 0 ? '' : `; rejected by ${change.rejectedBy.join(', ')}`}`,
      `  ${standing(change)}`,
    ]),
  ]
}

function standing({ approvedBy, needed, membersAfter, voting }: ChangeReport): string {
  if (voting)
    return `The nodes are voting. It is decided with the votes of ${needed} of the members now and ${quorum(membersAfter)} of the ${membersAfter} after it.`
  return `${approvedBy.length} of the ${needed} approvals that it needs; then the nodes vote by themselves.`
}

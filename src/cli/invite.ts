/** invite: tickets for hospitals that are to join; join: what such a hospital does with one. */
import { Command, InvalidArgumentError } from 'commander'
import { DEFAULT_PORT } from '../config/config.ts'
import { ConsiliumError } from '../core/errors.ts'
import { exists, readText, writeNew } from '../daemon/files.ts'
import { initHome, ownKey } from '../daemon/home.ts'
import { homePaths } from '../daemon/homePaths.ts'
import type { InvitationReport } from '../daemon/membersApi.ts'
import { fingerprint } from '../ledger/founding.ts'
import { announceOption, cardAddresses, parsePort } from './found.ts'
import { table, utc } from './output.ts'
import { type Common, clientOf, command, outputOf } from './shared.ts'

const DAYS = 7

/** The group `invite`, whose command without a name is `new`; all of it asks the running daemon. Errors: `invite-…`, `invitation-…`. */
export function inviteCommand(): Command {
  const group = new Command('invite').description('invite a hospital with a ticket: consilium invite --name "St. Mary"')
  group.addCommand(invite(), { isDefault: true })
  for (const sub of [list(), propose(), revoke()]) group.addCommand(sub)
  return group
}

function invite(): Command {
  return command('new', 'print a ticket with which one hospital can join', 'consilium invite --name "St. Mary"')
    .option('--name <name>', 'the hospital that is invited; without it, whoever holds the ticket is')
    .option('--days <days>', 'how long the ticket is good for', days, DAYS)
    .option('--observer', 'it joins as an observer: a regulator or a university, with no part in studies', false)
    .option('--propose', 'propose it to the members as soon as its card is here', false)
    .option('-o, --out <file>', 'write the ticket to a file that only this user may read')
    .action(async (options: InviteOptions) => {
      const { name = null, days, observer, propose } = options
      const made = await clientOf(options).post<Made>('/v1/invitations', { name, days, observer, propose })
      if (options.out !== undefined) await writeNew(options.out, `${made.ticket}\n`, 0o600)
      outputOf(options).print(made, () => inviteLines(made, options))
    })
}

interface InviteOptions extends Common {
  readonly name?: string
  readonly days: number
  readonly observer: boolean
  readonly propose: boolean
  readonly out?: string
}

interface Made {
  readonly ticket: string
  readonly fingerprint: string
  readonly invitation: InvitationReport
}

function inviteLines({ ticket, fingerprint, invitation }: Made, { out }: InviteOptions): string[] {
  const { id, name, role, expiresMs, propose } = invitation
  return [
    out === undefined ? ticket : `Wrote the ticket to ${out}.`,
    '',
    `Invitation ${id}: ${name === null ? 'whoever holds the ticket' : `"${name}"`} may ask once to join as ${role === 'observer' ? 'an observer' : 'a hospital'}, until ${utc(expiresMs)}.`,
    'Send the ticket as you would a password, for it is shown only now. There, it is used with:',
    '  consilium join TICKET',
    `Fingerprint of the consortium, to compare by phone: ${fingerprint}`,
    propose
      ? 'When its card is here, this hospital proposes it; compare the fingerprint of its key before the others approve: consilium members ls'
      : `When its card is here, compare the fingerprint of its key by phone: consilium invite ls, then: consilium invite propose ${id}`,
  ]
}

function list() {
  return command('ls', 'list the invitations of this node, and who came', 'consilium invite ls').action(
    async (options: Common) => {
      const report = await clientOf(options).get<{ invitations: InvitationReport[] }>('/v1/invitations')
      outputOf(options).print(report, () => invitationLines(report.invitations))
    },
  )
}

function invitationLines(invitations: readonly InvitationReport[]): string[] {
  if (invitations.length === 0) return ['No invitation yet: consilium invite --name "St. Mary"']
  const held = invitations.filter(({ state }) => state === 'held')
  return [
    ...table(
      ['invitation', 'for', 'role', 'good until', 'state', 'who came', 'fingerprint of its key'],
      invitations.map(({ id, name, role, expiresMs, state, came }) => [
        ...[id, name ?? 'anybody', role, utc(expiresMs), state],
        ...[came?.name ?? '–', came?.fingerprint ?? '–'],
      ]),
    ),
    ...held.map(
      ({ id, came }) => `Compare the fingerprint with ${came?.name} by phone, then: consilium invite propose ${id}`,
    ),
  ]
}

function propose() {
  return command('propose', 'propose who came with a ticket to the members', 'consilium invite propose 5f1e09ab34cd')
    .argument('<invitation>', 'at least 6 digits of its id')
    .action(async (given: string, options: Common) => {
      const path = `/v1/invitations/${encodeURIComponent(given)}/propose`
      const report = await clientOf(options).post<InvitationReport>(path)
      outputOf(options).print(report, () => [
        `Proposed "${report.came?.name}" as ${report.role}, and approved here. The others look at it with "consilium members ls", and approve.`,
      ])
    })
}

function revoke() {
  return command('revoke', 'let nobody come with a ticket any more', 'consilium invite revoke 5f1e09ab34cd')
    .argument('<invitation>', 'at least 6 digits of its id')
    .action(async (given: string, options: Common) => {
      const path = `/v1/invitations/${encodeURIComponent(given)}/revoke`
      const report = await clientOf(options).post<InvitationReport>(path)
      outputOf(options).print(report, () => [
        `Revoked invitation ${report.id}.`,
        ...(report.state === 'proposed'
          ? [`"${report.came?.name}" is proposed already: to say no to that, consilium members reject`]
          : []),
      ])
    })
}

/** `join`: needs no daemon; the inviter is dialled. Errors: `ticket-…`, `join-…`, those of `initHome`. */
export function joinCommand() {
  return announceOption(
    command('join', 'join a consortium with a ticket; may be run again', 'consilium join ticket.txt --name "St. Mary"')
      .argument('<ticket>', 'the line that "consilium invite" printed, or a file that holds it')
      .option('--name <name>', 'the name that the other hospitals know you by, where the ticket gives none')
      .option('--port <port>', 'TCP port to listen on', parsePort, DEFAULT_PORT),
  ).action(async (given: string, options: JoinOptions) => {
    const isLine = given.startsWith('consilium-ticket-')
    const text = isLine ? given : await readText(given, 'ticket', 'give the file or the line that you were sent')
    const { joinByTicket, openTicket } = await import('../daemon/joiner.ts') // it loads the network stack
    const ticket = await openTicket(options.home, text, isLine ? 'ticket' : given)
    const made = await madeHome(options, ticket.name)
    const { outcome, consortium } = await joinByTicket(options.home, ticket)
    const { name, founding, members } = consortium
    outputOf(options).print(
      { consortium: name, founding, fingerprint: fingerprint(founding), outcome, ...made },
      () => [
        ...(made.made ? [`Made ${made.folder}, with key, config and member card.`] : []),
        `"${name}", ${members.length} members; the file that came is the consortium that the ticket names, from its founding to epoch ${consortium.membership.current.number}.`,
        `Fingerprint of the consortium, to compare by phone before you start: ${fingerprint(founding)}`,
        `Fingerprint of your key, for them to compare: ${fingerprint(made.key)}`,
        OUTCOMES[outcome],
        'Next: consilium start',
      ],
    )
  })
}

interface JoinOptions extends Common {
  readonly name?: string
  readonly port: number
  readonly announce: string[]
}

const OUTCOMES = {
  proposed:
    'Your card is there, and proposed to the members. Once started, this node waits until enough of them approve.',
  held: 'Your card is there; the people of that hospital propose it when they have compared the fingerprint. Once started, this node waits until enough members approve.',
  member: 'This hospital is a member.',
} as const

/** Key, config and card, as `init` makes them, where there are none yet. Error: `join-nameless`. */
async function madeHome(
  { home, name, port, announce }: JoinOptions,
  invited: string | null,
): Promise<{ made: boolean; folder: string; key: string }> {
  const paths = homePaths(home)
  if (await exists(paths.key)) return { made: false, folder: paths.folder, key: (await ownKey(paths)).id }
  const called = name ?? invited
  if (called === null)
    throw new ConsiliumError({
      code: 'join-nameless',
      message: 'the ticket names nobody: say who you are, --name "St. Mary"',
    })
  const { key } = await initHome(home, { name: called, port, announce }, cardAddresses(announce, port))
  return { made: true, folder: paths.folder, key: key.id }
}

function days(text: string): number {
  const number = Number(text)
  if (Number.isFinite(number) && number > 0) return number
  throw new InvalidArgumentError('a number of days above 0 is expected.')
}

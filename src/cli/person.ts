/** person: new, enrol, ls, roles, revoke, forget, reset. Who acts for this hospital, each under a name and key of their own. */
import { Command, Option } from 'commander'
import { ConsiliumError } from '../core/errors.ts'
import { readText, requireAbsent, writeAtomically, writeNew } from '../daemon/files.ts'
import { requireWritable } from '../daemon/home.ts'
import { homePaths } from '../daemon/homePaths.ts'
import type { ForgottenReport, PeopleReport, PersonReport } from '../daemon/peopleApi.ts'
import { createPersonKey } from '../daemon/personKey.ts'
import { RESET_REASONS, REVOCATION_REASONS, ROLES, type Role } from '../governance/kinds/people.ts'
import { PERSON_CARD_PREFIX, writePersonCard } from '../governance/personCard.ts'
import { ACTS } from '../governance/roles.ts'
import { fingerprint } from '../ledger/founding.ts'
import { short, table, utc } from './output.ts'
import { newPassphrase } from './passphrase.ts'
import { type Common, clientOf, command, outputOf } from './shared.ts'

/** The group `person`; all but `new`, `roles` and `reset` asks the running daemon. Errors: `person-…`, `passphrase-…`. */
export function personCommand(): Command {
  const person = new Command('person').description('who acts for this hospital: each under a name and key of their own')
  for (const sub of [make(), enrol(), list(), roles(), revoke(), forget(), reset()]) person.addCommand(sub)
  return person
}

type Making = Common & { readonly name: string; readonly out: string; readonly passphrase: boolean }

function make(): Command {
  return command(
    'new',
    'make a key of your own, sealed under a passphrase, and the card to be enrolled with; needs no node',
    'consilium person new --name "Dr. Ada Lind" --out ada.key',
  )
    .requiredOption('--name <name>', 'your name; it stays at your hospital')
    .option('--out <file>', 'where to write the key; the card goes beside it', 'person.key')
    .option('--no-passphrase', 'seal it under nothing: whoever reads the file signs as you')
    .action(async ({ name, out, passphrase, ...options }: Making) => {
      await requireAbsent([out, `${out}.card`])
      const sealing = { passphrase: passphrase ? await newPassphrase(out, options.passphraseFile) : null }
      const key = await createPersonKey(out, name, sealing)
      const card = writePersonCard(name, key)
      await writeNew(`${out}.card`, `${card}\n`, 0o644)
      if (!passphrase)
        process.stderr.write(`consilium: ${out} is sealed under nothing: whoever reads it signs as you\n`)
      const made = { key: key.member, fingerprint: fingerprint(key.member), file: out, card, cardFile: `${out}.card` }
      outputOf(options).print(made, () => [
        `Made ${out} (mode 0600): your key. Keep it${passphrase ? ' and its passphrase' : ''} to yourself: nobody else has it, and nobody can make it again.`,
        `Made ${out}.card: your card, the line below, to hand to an approver of your hospital.`,
        card,
        '',
        `Its fingerprint, to compare when you are enrolled: ${made.fingerprint}`,
      ])
    })
}

function enrol(): Command {
  return command(
    'enrol',
    'have somebody act for this hospital; from the first approver on, whatever changes anything here needs a sign-off',
    'consilium person enrol ada.key.card --role approver --as bo.key',
  )
    .argument('<card>', 'a card: the file that "consilium person new" wrote, or the line itself')
    .addOption(new Option('--role <role...>', 'what for').choices(ROLES).makeOptionMandatory())
    .action(async (given: string, { role, ...options }: Common & { role: Role[] }) => {
      const card = given.startsWith(PERSON_CARD_PREFIX) ? given : await readText(given, 'card', 'give a card')
      const found = await clientOf(options).post<PersonReport>('/v1/people', { card, roles: role })
      outputOf(options).print(found, () => [
        `Enrolled ${nameIn(found)} as ${found.roles.join(', ')} (${found.entry}). The log has the key and a sealed word for the name.`,
        `Compare the fingerprint with the one on that person's screen: ${found.fingerprint}`,
      ])
    })
}

function list(): Command {
  return command('ls', 'list who acts for this hospital, and who did', 'consilium person ls').action(
    async (options: Common) => {
      const report = await clientOf(options).get<PeopleReport>('/v1/people')
      outputOf(options).print(report, () => peopleLines(report))
    },
  )
}

function peopleLines({ hospital, requiredSince, people }: PeopleReport): string[] {
  const rule =
    requiredSince === null
      ? `Nobody has to sign at ${hospital}: whoever opens the control socket may do everything. It begins with the first approver.`
      : `Whatever changes anything at ${hospital} needs a sign-off, since ${requiredSince}.`
  if (people.length === 0) return [rule, 'Nobody is enrolled.']
  const rows = people.map((one) => [
    short(one.person),
    one.name ?? '–',
    one.roles.join(', '),
    `${utc(one.enrolledAtMs)} (${one.entry})`,
    one.ended === null ? 'acts here' : `no longer: ${one.ended.reason}, ${utc(one.ended.atMs)} (${one.ended.entry})`,
    one.fingerprint,
  ])
  return [rule, '', ...table(['person', 'name', 'roles', 'enrolled', 'now', 'fingerprint of the key'], rows)]
}

function roles(): Command {
  return command('roles', 'say which role may do what; needs no node', 'consilium person roles').action(
    (options: Common) => {
      const acts = Object.values(ACTS).map(({ action, roles: any }) => ({ action, roles: any }))
      outputOf(options).print(acts, () => [
        ...table(
          ['act', ...ROLES],
          acts.map((act) => [act.action, ...ROLES.map((role) => (act.roles.includes(role) ? 'yes' : '–'))]),
        ),
        '',
        'What the log has anybody may read who may open the control socket, and needs no sign-off.',
      ])
    },
  )
}

function revoke(): Command {
  return command(
    'revoke',
    'end it that somebody acts for this hospital; it binds at once',
    'consilium person revoke "Dr. Ada Lind" --reason left --as bo.key',
  )
    .argument('<person>', 'the name, or at least 6 digits of the person or of the key')
    .addOption(new Option('--reason <code>', 'why').choices(REVOCATION_REASONS).makeOptionMandatory())
    .action(async (person: string, { reason, ...options }: Common & { reason: string }) => {
      const found = await clientOf(options).post<PersonReport>('/v1/people/revoke', { person, reason })
      outputOf(options).print(found, () => [
        `Revoked: ${nameIn(found)} acts here no longer (${found.ended?.entry}, ${reason}). What was signed before stays signed.`,
      ])
    })
}

function forget(): Command {
  return command(
    'forget',
    'destroy the name and the salt of somebody who acts here no longer: what the log has means nobody then',
    'consilium person forget "Dr. Ada Lind" --as bo.key',
  )
    .argument('<person>', 'the name, or at least 6 digits of the person or of the key')
    .action(async (person: string, options: Common) => {
      const found = await clientOf(options).post<ForgottenReport>('/v1/people/forget', { person })
      outputOf(options).print(found, () => [
        `Forgotten: person ${short(found.person)} has no name here any more. The key stays in the log; whoever kept the card can still tell whose it is.`,
      ])
    })
}

function reset(): Command {
  return command(
    'reset',
    'where no approver can sign any more: declare all enrolments void; every member sees that it was done',
    'consilium person reset --reason key-lost',
  )
    .addOption(new Option('--reason <code>', 'why').choices(RESET_REASONS).makeOptionMandatory())
    .action(async ({ reason, ...options }: Common & { reason: string }) => {
      const { folder, config, peopleReset } = homePaths(options.home)
      await readText(config, 'data folder of a node', 'point --home at it')
      await requireWritable(folder)
      await writeAtomically(peopleReset, `${reason}\n`, 0o600)
      const report = await clientOf(options).get<PeopleReport>('/v1/people').catch(notYet)
      outputOf(options).print({ reason, done: report?.people.length === 0 }, () => [
        report?.people.length === 0
          ? 'All enrolments are void, and the log says so to every member. Enrol an approver again, before anything else.'
          : 'It is recorded as soon as the node runs and may sign: at the next command. All enrolments are void then.',
      ])
    })
}

/** A node that does not run, or has just started, takes it up later. */
function notYet(error: unknown): null {
  if (error instanceof ConsiliumError && ['daemon-not-running', 'daemon-starting'].includes(error.code)) return null
  throw error
}

const nameIn = ({ name, person }: PersonReport): string => name ?? `person ${short(person)}`

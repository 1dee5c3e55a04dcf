/** access: ask, ls, show, grant, refuse, revoke, state. Who may use which dataset, until when, and why not. */
import { Command, InvalidArgumentError } from 'commander'
import type { AccessDetails, AccessLine, AccessStateReport } from '../daemon/accessApi.ts'
import { ACCESS_REASON_CODES } from '../governance/kinds/access.ts'
import { short, table, utc } from './output.ts'
import { type Common, clientOf, command, outputOf } from './shared.ts'

const REF = 'the entry that asks: MEMBER/NUMBER, as "consilium access ls" shows it'
const DECLARED = 'As declared by the hospitals in their logs.'

/** The group `access`; all of it asks the running daemon. Errors: `access-…`, `catalogue-unknown`, `member-unknown`. */
export function accessCommand(): Command {
  const access = new Command('access').description(
    "ask for other members' datasets, and answer who asks for one of ours",
  )
  for (const sub of [ask(), list(), show(), grant(), deny('refuse'), deny('revoke'), state()]) access.addCommand(sub)
  return access
}

interface Asking extends Common {
  readonly purpose: string[]
  readonly study?: string
  readonly until: number
}

function ask(): Command {
  return command(
    'ask',
    'ask a member for leave to use a dataset that it announces, for a purpose and until a day',
    'consilium access ask North stroke-2026 --purpose DUO:0000006 --until 2027-12-31',
  )
    .argument('<member>', 'whose it is')
    .argument('<dataset>', 'as it is announced: consilium catalogue ls')
    .requiredOption('--purpose <code...>', 'what for: codes of the Data Use Ontology, such as DUO:0000006')
    .option('--study <study>', "for this study alone: digest, at least 6 digits of it, or the study's name")
    .requiredOption('--until <date>', 'until when: 2027-12-31', date)
    .action(async (member: string, dataset: string, options: Asking) => {
      const { purpose: purposes, study, until } = options
      const line = await clientOf(options).post<AccessLine>('/v1/access', { member, dataset, purposes, study, until })
      outputOf(options).print(line, () => [
        `Asked for ${line.dataset} until ${day(line.untilMs)} (${line.ref}). Its hospital sees it with "consilium access ls --waiting".`,
      ])
    })
}

function list(): Command {
  return command('ls', 'list who asked for which dataset, and what came of it', 'consilium access ls --waiting')
    .option('--mine', 'what this hospital asked for', false)
    .option('--waiting', 'what this hospital has to answer', false)
    .action(async (options: Common & { mine: boolean; waiting: boolean }) => {
      const which = options.mine ? '?which=mine' : options.waiting ? '?which=waiting' : ''
      const { requests } = await clientOf(options).get<{ requests: AccessLine[] }>(`/v1/access${which}`)
      outputOf(options).print(requests, () =>
        requests.length === 0
          ? [options.waiting ? 'Nothing waits for an answer.' : 'Nobody has asked: consilium access ask MEMBER DATASET']
          : [
              ...table(
                ['request', 'by', 'dataset', 'purpose', 'study', 'until', 'status', 'entry'],
                requests.map((one) => [
                  one.ref,
                  one.by,
                  one.dataset,
                  one.purposes.map(({ code }) => code).join(', '),
                  one.study === null ? 'any' : (one.study.name ?? short(one.study.study)),
                  day(one.grantedUntilMs ?? one.untilMs),
                  one.reason === null ? one.status : `${one.status} (${one.reason})`,
                  one.rests?.entry ?? '–',
                ]),
              ),
              DECLARED,
            ],
      )
    })
}

function show(): Command {
  return command(
    'show',
    'show one request: what for, what was said of it, what it permits now',
    'consilium access show South/17',
  )
    .argument('<request>', REF)
    .action(async (ref: string, options: Common) => {
      const found = await clientOf(options).get<AccessDetails>(`/v1/access/show?ref=${encodeURIComponent(ref)}`)
      outputOf(options).print(found, () => detailLines(found))
    })
}

function detailLines(found: AccessDetails): string[] {
  const { ref, by, dataset, purposes, study, askedAtMs, untilMs, status, says, rests, grantedUntilMs, words, permits } =
    found
  return [
    `${ref}  ${status}: ${says}${rests === null ? '' : ` (${rests.entry})`}`,
    `asks      ${by}, ${utc(askedAtMs)}, until ${day(untilMs)}${grantedUntilMs === null || grantedUntilMs === untilMs ? '' : `; granted until ${day(grantedUntilMs)}`}`,
    `dataset   ${dataset}`,
    `purpose   ${purposes.map(({ code, label }) => `${code} (${label})`).join(', ')}`,
    `study     ${study === null ? 'any within the purpose' : `${study.name === null ? 'not known here' : `"${study.name}"`} (${short(study.study)})`}`,
    ...permits.map((one) => `permits   ${one}`),
    ...(words.length === 0
      ? []
      : [
          '',
          ...table(
            ['said', 'until', 'reason', 'entry', ''],
            words.map(({ said, untilMs: to, reason, entry, state: is }) => [
              said,
              to === null ? '–' : day(to),
              reason ?? '–',
              entry,
              is,
            ]),
          ),
        ]),
    DECLARED,
  ]
}

function grant(): Command {
  return command(
    'grant',
    'allow what was asked; it counts when enough members have cosigned it',
    'consilium access grant South/17 --until 2027-06-30',
  )
    .argument('<request>', REF)
    .option('--until <date>', 'for a shorter time than was asked', date)
    .action(async (ref: string, options: Common & { until?: number }) => {
      const line = await clientOf(options).post<AccessLine>('/v1/access/grant', { ref, until: options.until })
      outputOf(options).print(line, () => [
        `Granted ${line.by} access to ${line.dataset} until ${day(line.grantedUntilMs ?? line.untilMs)}${line.rests === null ? '' : ` (${line.rests.entry})`}. It counts when enough members have cosigned that.`,
        `Take it back with: consilium access revoke ${line.ref} --reason CODE`,
      ])
    })
}

function deny(verb: 'refuse' | 'revoke'): Command {
  const what =
    verb === 'refuse'
      ? 'say no to a request, for good: who still wants it asks again'
      : 'take a grant back, for good: it binds here at once, elsewhere when it is heard'
  return command(
    verb,
    what,
    `consilium access ${verb} South/17 --reason ${verb === 'refuse' ? 'ethics-missing' : 'breach'}`,
  )
    .argument('<request>', REF)
    .requiredOption('--reason <code>', ACCESS_REASON_CODES.join(', '))
    .action(async (ref: string, options: Common & { reason: string }) => {
      const line = await clientOf(options).post<AccessLine>(`/v1/access/${verb}`, { ref, reason: options.reason })
      outputOf(options).print(line, () => [
        `${verb === 'refuse' ? 'Refused' : 'Revoked'} what ${line.by} asked of ${line.dataset} (${line.rests?.entry}): ${line.says}.`,
      ])
    })
}

function state(): Command {
  return command(
    'state',
    'print one hash of all that catalogue and requests come to by what is final here, to compare with that of another node',
    'consilium access state',
  ).action(async (options: Common) => {
    const report = await clientOf(options).get<AccessStateReport>('/v1/access/state')
    outputOf(options).print(report, () => [
      `state  ${report.state}`,
      'over what is final here of each log; a node that has the same numbers has the same hash',
      '',
      ...table(
        ['log', 'key', 'final'],
        report.cut.map(({ name, key, final }) => [name, short(key), String(final)]),
        [2],
      ),
    ])
  })
}

const day = (ms: number): string => utc(ms).slice(0, 10)

function date(given: string): number {
  const ms = /^\d{4}-\d\d-\d\d$/.test(given) ? Date.parse(given) : Number.NaN
  if (!Number.isNaN(ms) && day(ms) === given) return ms
  throw new InvalidArgumentError('A day is expected, such as 2027-12-31 (its beginning, UTC).')
}

/** agreement: new, propose, sign, refuse, end, event, ls, show, check, test. All but the reading of files is asked of the running daemon. */
import { Command } from 'commander'
import {
  type Agreement,
  agreementDocument,
  agreementFromDocument,
  agreementIdOf,
  parseAgreement,
} from '../config/agreement.ts'
import {
  agreementDifferences,
  agreementTemplate,
  describeAgreement,
  type Naming,
  timeText,
} from '../config/agreementText.ts'
import type { AgreementLine, AgreementReport, AgreementSaid, CheckReport } from '../daemon/agreementApi.ts'
import type { StudyReport } from '../daemon/api.ts'
import { readText, writeNew } from '../daemon/files.ts'
import type { MembersReport } from '../daemon/membersApi.ts'
import { guardComplaint } from '../governance/guards.ts'
import { AGREEMENT_CLAUSES, ENDING_REASONS } from '../governance/kinds/agreements.ts'
import { short, table } from './output.ts'
import { type Common, clientOf, command, outputOf } from './shared.ts'

const REF = "digest, at least 6 digits of it, or the agreement's name"
const FILE = 'agreement in YAML; consilium agreement new writes one to begin with'

/** The group `agreement`. Errors: `agreement-…`, those of `parseAgreement`. */
export function agreementCommand(): Command {
  const agreement = new Command('agreement').description(
    'agree with other hospitals on what is done with the data, and have it kept while training runs',
  )
  for (const sub of [create(), propose(), sign(), refuse(), end(), event(), list(), show(), check(), tryOut()])
    agreement.addCommand(sub)
  return agreement
}

function create(): Command {
  return command(
    'new',
    'write a commented agreement between all members, to be edited',
    'consilium agreement new memory.agreement.yaml --study 5f1e09ab34cd --expires 2027-12-31',
  )
    .argument('<file>', 'made new')
    .requiredOption('--study <study...>', 'the studies that it is about: digest, at least 6 digits of it, or name')
    .requiredOption('--expires <date>', 'when it runs out: 2027-12-31')
    .option('--name <name>', 'what it is called', 'Data-sharing agreement')
    .action(async (file: string, options: Common & { study: string[]; expires: string; name: string }) => {
      const client = clientOf(options)
      const { members } = await client.get<MembersReport>('/v1/members')
      const studies: { name: string; id: string }[] = []
      for (const ref of options.study) {
        const { report } = await client.get<{ report: StudyReport }>(`/v1/studies/${encodeURIComponent(ref)}`)
        studies.push({ name: report.name, id: report.id })
      }
      const { name, expires } = options
      const text = agreementTemplate({ name, parties: members, studies, expires })
      parseAgreement(text, '--expires', readingOf(members)) // a date that is none is refused before anything is written
      await writeNew(file, text, 0o644)
      outputOf(options).print({ file, parties: members.length, studies: studies.length }, () => [
        `Wrote ${file}: ${members.length} parties, ${studies.length} ${studies.length === 1 ? 'study' : 'studies'}. Edit it, try it, then propose it:`,
        `  consilium agreement test ${file}`,
        `  consilium agreement propose ${file}`,
      ])
    })
}

function propose(): Command {
  return command(
    'propose',
    'send an agreement to the other members; it is not signed by that',
    'consilium agreement propose memory.agreement.yaml',
  )
    .argument('<file>', FILE)
    .option('--accept-text', 'keep text that looks like a date, an address or a number of a person: it is none', false)
    .action(async (file: string, options: Common & { acceptText: boolean }) => {
      const document = agreementDocument(await fileOf(file, options))
      const body = { document: base64(document), acceptText: options.acceptText }
      const report = await clientOf(options).post<AgreementSaid>('/v1/agreements', body)
      outputOf(options).print(report, () => [
        `Proposed "${report.name}". Its digest:`,
        `  ${report.agreement}`,
        'Each party reads it with "consilium agreement show", compares the digest, and signs it, you too:',
        `  consilium agreement sign ${report.agreement}`,
      ])
    })
}

function sign(): Command {
  return command('sign', 'sign a proposed agreement by its digest', 'consilium agreement sign 5f1e09ab34cd…')
    .argument('<digest>', 'the digest that the proposer gave you: all of it')
    .action(async (digest: string, options: Common) => {
      const report = await post(options, digest, 'sign', {})
      outputOf(options).print(report, () => [
        `Signed "${report.name}" (${short(report.agreement)}). It counts when enough members have cosigned it; it is ${report.status} now.`,
      ])
    })
}

function refuse(): Command {
  return command(
    'refuse',
    'refuse an agreement, or take a signature back; it binds here at once, elsewhere when it is heard',
    'consilium agreement refuse 5f1e09ab34cd --clause privacy',
  )
    .argument('<agreement>', REF)
    .requiredOption('--clause <clause>', `because of which: ${AGREEMENT_CLAUSES.join(', ')}`)
    .action(async (ref: string, options: Common & { clause: string }) => {
      const report = await post(options, ref, 'refuse', { clause: options.clause })
      outputOf(options).print(report, () => [
        `Refused "${report.name}" (${short(report.agreement)}), because of its clause ${options.clause} (${report.entry}). It is ${report.status} now; signing it takes that back.`,
      ])
    })
}

function end(): Command {
  return command(
    'end',
    'end an agreement for good: no further round begins under it here, and elsewhere when it is heard',
    'consilium agreement end 5f1e09ab34cd --reason breach',
  )
    .argument('<agreement>', REF)
    .requiredOption('--reason <code>', ENDING_REASONS.join(', '))
    .action(async (ref: string, options: Common & { reason: string }) => {
      const report = await post(options, ref, 'end', { reason: options.reason })
      outputOf(options).print(report, () => [
        `Ended "${report.name}" (${short(report.agreement)}): ${options.reason} (${report.entry}). Who wants to go on proposes another one.`,
      ])
    })
}

function event(): Command {
  return command(
    'event',
    "tell that an event of an agreement's workflow came about, or that a duty is done",
    'consilium agreement event 5f1e09ab34cd board-approves',
  )
    .argument('<agreement>', REF)
    .argument('<event>', 'as the agreement calls it')
    .action(async (ref: string, what: string, options: Common) => {
      const report = await post(options, ref, 'event', { event: what })
      outputOf(options).print(report, () => [
        `Told that ${what} came about in "${report.name}" (${short(report.agreement)}), entry ${report.entry}.`,
      ])
    })
}

function list(): Command {
  return command('ls', 'list all agreements that are known here', 'consilium agreement ls').action(
    async (options: Common) => {
      const { agreements } = await clientOf(options).get<{ agreements: AgreementLine[] }>('/v1/agreements')
      outputOf(options).print(agreements, () =>
        agreements.length === 0
          ? ['No agreement has been proposed yet. Write one: consilium agreement new FILE --study STUDY --expires DATE']
          : table(
              ['agreement', 'name', 'status', 'signed', 'until', 'studies'],
              agreements.map((one) => [
                short(one.agreement),
                one.name,
                statusOf(one),
                `${one.signed}/${one.required}`,
                timeText(one.expires),
                one.studies.map(({ study, name }) => name ?? short(study)).join(', '),
              ]),
              [3],
            ),
      )
    },
  )
}

function statusOf({ status, because }: AgreementLine): string {
  return because === null ? status : `${status} by ${because.by} (${because.code})`
}

function show(): Command {
  return command(
    'show',
    'show what an agreement says and who has signed it, or clause by clause how another one differs',
    'consilium agreement show 5f1e09ab34cd --diff 77aa01bc23de',
  )
    .argument('<agreement>', REF)
    .option('--diff <other>', 'another one, by its digest or name, or a file')
    .action(async (ref: string, options: Common & { diff?: string }) => {
      const report = await reportOf(options, ref)
      const agreement = documentOf(report)
      const naming = await namingOf(options)
      if (options.diff === undefined)
        return outputOf(options).print({ ...report, terms: agreement }, () => showLines(report, agreement, naming))
      const isFile = /\.ya?ml$/.test(options.diff)
      const other = isFile ? await fileOf(options.diff, options) : documentOf(await reportOf(options, options.diff))
      const lines = agreementDifferences(agreement, other, naming)
      const digest = agreementIdOf(agreementDocument(other))
      outputOf(options).print({ before: report.agreement, after: digest, lines }, () =>
        lines.length === 0
          ? [`${short(report.agreement)} and ${short(digest)} say the same.`]
          : [`- ${short(report.agreement)} "${agreement.name}"`, `+ ${short(digest)} "${other.name}"`, '', ...lines],
      )
    })
}

function showLines(report: AgreementReport, agreement: Agreement, naming: Naming): string[] {
  const { because, workflow, duties } = report
  const by = report.proposals.map(({ by: name, entry }) => `${name} (${entry})`).join(', ')
  return [
    report.agreement,
    `${report.status}, as declared by the hospitals; ${report.signed} of ${report.required} who must have signed`,
    `proposed by ${by}`,
    ...(because === null ? [] : [`${report.status} by ${because.by}: ${because.code} (${because.entry})`]),
    ...(workflow === null
      ? []
      : [
          `workflow at ${workflow.final}${workflow.known === workflow.final ? '' : `; ${workflow.known} when all is final`}`,
        ]),
    ...duties.map(({ duty, done, dueMs }) => {
      const due = dueMs === null ? '' : `, due ${timeText(dueMs)}`
      return `duty ${duty}: ${done === null ? `open${due}` : `done, says ${done.by} (${done.entry})`}`
    }),
    '',
    ...table(
      ['party', 'must sign', 'says', 'entry'],
      report.parties.map(({ name, required, word, clause, entry }) => [
        name,
        required ? 'yes' : 'no',
        clause === null ? WORDS[word as keyof typeof WORDS] : `refused (${clause})`,
        entry ?? '–',
      ]),
    ),
    '',
    describeAgreement(agreement, naming),
  ]
}

const WORDS = {
  none: 'nothing yet',
  pending: 'signed, not final yet',
  signed: 'signed, final',
  refused: 'refused',
} as const

function check(): Command {
  return command(
    'check',
    'show clause by clause what agreements say now of an act in a study; exit code 1 where it is forbidden',
    'consilium agreement check 5f1e09ab34cd --action export',
  )
    .argument('<study>', "digest, at least 6 digits of it, or the study's name")
    .option('--action <action>', 'round, access, export or predict', 'round')
    .action(async (study: string, options: Common & { action: string }) => {
      await printCheck(options, { study, action: options.action })
    })
}

function tryOut(): Command {
  return command(
    'test',
    'try an agreement that nobody has seen yet against what is known here, as if all had signed it; nothing is sent',
    'consilium agreement test memory.agreement.yaml',
  )
    .argument('<file>', FILE)
    .option('--study <study>', 'of its studies; the first where it is left out')
    .option('--action <action>', 'round, access, export or predict', 'round')
    .action(async (file: string, options: Common & { action: string; study?: string }) => {
      const document = base64(agreementDocument(await fileOf(file, options)))
      const { action, study } = options
      await printCheck(options, { document, action, ...(study === undefined ? {} : { study }) })
    })
}

async function printCheck(options: Common, body: object): Promise<void> {
  const report = await clientOf(options).post<CheckReport>('/v1/agreements/check', body)
  outputOf(options).print(report, () => checkLines(report))
  if (!report.allowed) process.exitCode = 1
}

function checkLines({ study, studyName, action, allowed, refusal, agreements, inputs }: CheckReport): string[] {
  const verdict = `${action} in "${studyName}" (${short(study)}) is ${allowed ? 'allowed' : 'forbidden'} here now`
  return [
    refusal === null ? `${verdict}.` : `${verdict}: ${refusal.code}: ${refusal.message}.`,
    ...(agreements.length === 0 ? ['No agreement names this study and this hospital.'] : []),
    ...agreements.flatMap((one) => [
      '',
      `"${one.name}" (${short(one.agreement)}), ${one.status}`,
      ...table(
        ['clause', '', 'what was found', 'entry', 'ask'],
        one.clauses.map(({ clause, allows, says, entry, ask }) => {
          return [clause, allows ? 'allows' : 'FORBIDS', says, entry ?? '', ask.join(', ')]
        }),
      ),
    ]),
    '',
    'Guards may ask about:',
    ...table(
      ['input', 'is'],
      Object.entries(inputs).map(([name, value]) => [
        name,
        typeof value === 'object' ? `[${value.join(', ')}]` : `${value}`,
      ]),
    ),
  ]
}

const post = (options: Common, ref: string, verb: string, body: object): Promise<AgreementSaid> =>
  clientOf(options).post<AgreementSaid>(`/v1/agreements/${encodeURIComponent(ref)}/${verb}`, body)

const reportOf = (options: Common, ref: string): Promise<AgreementReport> =>
  clientOf(options).get<AgreementReport>(`/v1/agreements/${encodeURIComponent(ref)}`)

const documentOf = ({ document }: AgreementReport): Agreement =>
  agreementFromDocument(new Uint8Array(Buffer.from(document, 'base64')))

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')

/** Names become keys by the members that the daemon knows. */
async function fileOf(file: string, options: Common): Promise<Agreement> {
  const text = await readText(file, 'agreement file', 'check the path')
  const { members } = await clientOf(options).get<MembersReport>('/v1/members')
  return parseAgreement(text, file, readingOf(members))
}

function readingOf(members: MembersReport['members']): Parameters<typeof parseAgreement>[2] {
  const resolve = (given: string): string | null => {
    if (/^[0-9a-f]{64}$/.test(given)) return given
    const named = members.filter(({ name }) => name === given)
    return named.length === 1 ? (named[0]?.key ?? null) : null
  }
  return { resolve, check: guardComplaint }
}

async function namingOf(options: Common): Promise<Naming> {
  const client = clientOf(options)
  const [{ members, former }, { studies }] = await Promise.all([
    client.get<MembersReport>('/v1/members'),
    client.get<{ studies: StudyReport[] }>('/v1/studies'),
  ])
  return {
    member: (key) => [...members, ...former].find((one) => one.key === key)?.name ?? key.slice(0, 12),
    study: (id) => {
      const name = studies.find((one) => one.id === id)?.name
      return name === undefined ? `${id} (not known here)` : `"${name}" (${id.slice(0, 12)})`
    },
  }
}

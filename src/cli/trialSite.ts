/** What a site types: trial enrol, event, arm, open, participant. Record numbers go to the daemon alone. */
import type { Command } from 'commander'
import { ConsiliumError } from '../core/errors.ts'
import type {
  TrialArmReport,
  TrialEnrolled,
  TrialOpened,
  TrialParticipantReport,
  TrialSaid,
  TrialWithoutConsent,
} from '../daemon/trialApi.ts'
import { OPENING_REASONS, TRIAL_EVENTS, UNSEALING_REASONS } from '../governance/kinds/trials.ts'
import { recordOf, SUBJECT } from './consent.ts'
import { short } from './output.ts'
import { type Common, clientOf, command, outputOf } from './shared.ts'
import { TRIAL, trialPath } from './trialReference.ts'
import { armText, participantLines, said } from './trialText.ts'

const PARTICIPANT =
  'the tag that "consilium trial enrol" printed, or at least 6 digits of it; where two hospitals have the same, North/1f00ab'

interface Whom extends Common {
  readonly subject?: string
  readonly participant?: string
}

function ofSomebody(sub: Command): Command {
  return sub.argument('<trial>', TRIAL).option('--subject <id>', SUBJECT).option('--participant <tag>', PARTICIPANT)
}

async function whom({ subject, participant }: Whom): Promise<object> {
  if ((subject === undefined) === (participant === undefined))
    throw new ConsiliumError({
      code: 'bad-option',
      message:
        'say who it is: --subject (best "-", from standard input), or --participant, and not both; "consilium trial participants" lists all',
    })
  return subject === undefined ? { participant } : { subject: await recordOf(subject) }
}

/** `trial enrol`. */
export function enrolCommand(): Command {
  return command(
    'enrol',
    'take a patient in, under a pseudonym, at the next position of the list of randomisation',
    'echo 4711 | consilium trial enrol stroke-2 --subject -',
  )
    .argument('<trial>', TRIAL)
    .requiredOption('--subject <id>', SUBJECT)
    .option('--stratum <code>', 'as the protocol names it')
    .action(async (ref: string, options: Common & { subject: string; stratum?: string }) => {
      const { subject, stratum } = options
      const body = { subject: await recordOf(subject), ...(stratum === undefined ? {} : { stratum }) }
      const report = await clientOf(options).post<TrialEnrolled>(trialPath(ref, 'enrol'), body)
      outputOf(options).print(report, () => [
        `Enrolled participant ${report.participant} in "${report.name}", position ${report.position} of list ${short(report.list)} (${said(report)}).`,
        `The arm is given by the node of ${report.lists}, when enough members have seen the enrolment: "consilium trial arm".`,
      ])
    })
}

/** `trial event`. */
export function eventCommand(): Command {
  return ofSomebody(
    command(
      'event',
      'record what happened to a participant',
      'echo 4711 | consilium trial event stroke-2 --subject - --event visit',
    ),
  )
    .requiredOption('--event <code>', TRIAL_EVENTS.filter((event) => event !== 'arm-read').join(', '))
    .action(async (ref: string, options: Whom & { event: string }) => {
      const { event } = options
      const report = await clientOf(options).post<TrialSaid & { participant: string }>(trialPath(ref, 'event'), {
        ...(await whom(options)),
        event,
      })
      outputOf(options).print(report, () => [
        `Recorded ${event} of participant ${short(report.participant)} in "${report.name}" (${said(report)}).`,
      ])
    })
}

/** `trial arm`. */
export function armCommand(): Command {
  return ofSomebody(
    command(
      'arm',
      'show the arm of a participant to who hands it out; that it was read is recorded, and nobody else learns it',
      'echo 4711 | consilium trial arm stroke-2 --subject - --as pharmacist.key',
    ),
  ).action(async (ref: string, options: Whom) => {
    const report = await clientOf(options).post<TrialArmReport>(trialPath(ref, 'arm'), await whom(options))
    outputOf(options).print(report, () => [
      `Participant ${short(report.participant)}: ${report.arm}`,
      `That it was read is recorded (${said(report)}). Keep it from those who are blinded.`,
    ])
  })
}

/** `trial open`. */
export function openCommand(): Command {
  return ofSomebody(
    command(
      'open',
      "make a participant's arm known to all, or, where the lists were drawn, whole lists (--lists); every node verifies it",
      'consilium trial open stroke-2 --participant 1f00ab --reason emergency',
    ),
  )
    .option('--lists', 'all lists that this hospital drew', false)
    .option('--list <digest>', 'one of them')
    .requiredOption(
      '--reason <code>',
      `of one participant: ${OPENING_REASONS.join(', ')}; of lists: ${UNSEALING_REASONS.join(', ')}`,
    )
    .action(async (ref: string, options: Whom & { lists: boolean; list?: string; reason: string }) => {
      const { lists, list, reason } = options
      const whole = lists || list !== undefined
      const body = whole ? { reason, ...(list === undefined ? {} : { list }) } : { ...(await whom(options)), reason }
      const report = await clientOf(options).post<TrialOpened>(trialPath(ref, whole ? 'unseal' : 'open'), body)
      outputOf(options).print(report, () =>
        whole
          ? [
              ...report.lists.map((one) => `Opened list ${short(one.list)} of ${one.site}: ${armText(one.arms)}.`),
              `Whoever has the ledger draws them again now (${said(report)}): ${reason}.`,
            ]
          : [
              `Participant ${short(report.participant ?? '')}: ${report.arm}`,
              `Made known to all, ${reason} (${said(report)}).`,
            ],
      )
    })
}

/** `trial participant`. */
export function participantCommand(): Command {
  return ofSomebody(
    command(
      'participant',
      'show what happened to a participant: who did what, when, under which version',
      'consilium trial participant stroke-2 --participant 1f00ab',
    ),
  )
    .option(
      '--without-consent',
      'instead: the tags of those here who take part, and whose consent no longer stands',
      false,
    )
    .action(async (ref: string, { withoutConsent, ...options }: Whom & { withoutConsent: boolean }) => {
      const client = clientOf(options)
      const { participant } = options
      if (withoutConsent) {
        const report = await client.post<TrialWithoutConsent>(trialPath(ref, 'without-consent'), {})
        return outputOf(options).print(report, () =>
          report.participants.length === 0
            ? [`Of "${report.name}" nobody takes part here without consent.`]
            : [...report.participants],
        )
      }
      const body = await whom(options)
      const report =
        participant === undefined
          ? await client.post<TrialParticipantReport>(trialPath(ref, 'participant'), body)
          : await client.get<TrialParticipantReport>(trialPath(ref, `participants/${encodeURIComponent(participant)}`))
      outputOf(options).print(report, () => participantLines(report))
    })
}

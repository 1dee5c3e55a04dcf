/** A trial as lines for people. */
import type {
  TrialApprovalReport,
  TrialCheckReport,
  TrialListReport,
  TrialLockReport,
  TrialParticipantReport,
  TrialReport,
  TrialSaid,
  TrialSignatureReport,
  TrialSiteReport,
} from '../daemon/trialApi.ts'
import { short, table, utc } from './output.ts'

const SHOWN_MAX = 40 // lines of a list on a screen; --json has a thousand
const DECLARED = 'As declared by the members in their logs.'

/** An entry's reference, and that it is not final yet where it is not. */
export const said = ({ entry, final }: Pick<TrialSaid, 'entry' | 'final'>): string =>
  final ? entry : `${entry}, not final yet`

/** `trial show`. */
export function showLines(report: TrialReport): string[] {
  const { versions, sites, randomisation, locks, withoutConsent, consent, purposes } = report
  return [
    report.trial,
    `${report.name}, sponsor ${report.sponsor}, lists drawn by ${report.lists}`,
    `consent ${consent}${consent === 'required' ? ` for ${purposes.join(', ')}` : ''}${report.strata.length === 0 ? '' : `; strata ${report.strata.join(', ')}`}`,
    '',
    ...table(
      ['version', 'arms', 'document', '', 'proposed', 'entry'],
      versions.map((one) => [
        ...[
          String(one.version),
          one.arms.join(' '),
          short(one.document),
          one.disclosure === 'public' ? 'SHA-256' : 'keyed',
        ],
        ...[utc(one.atMs), said(one)],
      ]),
    ),
    ...versions.flatMap(({ version, asksNoMore }) =>
      asksNoMore.map(({ meaning, by }) => {
        return `version ${version} NO LONGER asks for the ${meaning} of ${by ?? 'each site'}, as the version before did`
      }),
    ),
    '',
    ...sites.flatMap(siteLines),
    ...(randomisation.length === 0 ? ['No list of randomisation has been drawn yet.'] : listLines(randomisation)),
    ...(locks.length === 0 ? [] : ['', 'data', ...locks.map((one) => `  ${lockText(one)}`)]),
    ...(withoutConsent === null || withoutConsent === 0
      ? []
      : [
          '',
          `WITHOUT CONSENT here, and still taking part: ${withoutConsent}; who: "consilium trial participant ${report.ref} --without-consent"`,
        ]),
    '',
    DECLARED,
  ]
}

function siteLines({
  site,
  ours,
  approvals,
  halted,
  locked,
  enrolled,
  ended,
  refusal,
  closed,
}: TrialSiteReport): string[] {
  return [
    `${site}${ours ? ' (this hospital)' : ''}: ${enrolled} enrolled, ${ended} of them ended; ${refusal === null ? 'may enrol' : 'may not enrol'}`,
    ...approvals.map((one) => `  ${approvalText(one)}`),
    ...(halted === null ? [] : [`  HALTED by ${halted.by}: ${halted.reason}, ${utc(halted.atMs)} (${halted.entry})`]),
    ...(locked === null ? [] : [`  data locked, ${locked.entry}`]),
    ...(refusal === null ? [] : [`  because: ${refusal}`]),
    ...closed.map((one) => `  but not for stratum ${one.stratum}: ${one.refusal}`),
    '',
  ]
}

function approvalText({ meaning, by, state, signature, withdrawn }: TrialApprovalReport): string {
  const back = withdrawn === null ? '' : `; WITHDRAWN: ${withdrawn.reason}, ${utc(withdrawn.atMs)} (${withdrawn.entry})`
  const what = `${meaning} of ${by}: `
  if (signature === null) return `${what}none yet${back}`
  return `${what}${state === 'approved' ? '' : `${state}: `}${signatureText(signature)}${back}`
}

/** Printed name where it is known, date and time, role and entry (21 CFR 11.50). */
export function signatureText({
  person,
  name,
  by,
  roles,
  signedAtMs,
  entry,
  final,
  fault,
}: TrialSignatureReport): string {
  const who = name ?? `person ${short(person)}, name held by ${by}`
  const verdict = fault === null ? '' : `; DOES NOT HOLD: ${fault}`
  return `signed by ${who} (${roles.join(', ') || 'no role'}), ${utc(signedAtMs)} (${said({ entry, final })})${verdict}`
}

function listLines(lists: readonly TrialListReport[]): string[] {
  return table(
    ['list', 'site', 'stratum', 'positions', 'taken', 'allocated', 'opened', 'arms', 'entry'],
    lists
      .slice(0, SHOWN_MAX)
      .map((one) => [
        ...[short(one.list), one.site, one.stratum ?? '–', String(one.size), String(one.taken), String(one.allocated)],
        ...[String(one.opened), armText(one.arms), said(one)],
      ]),
    [3, 4, 5, 6],
  )
}

/** `active 20, control 10`. */
export function armText(arms: Readonly<Record<string, number>> | null): string {
  if (arms === null) return 'sealed'
  return Object.entries(arms)
    .map(([arm, count]) => `${arm} ${count}`)
    .join(', ')
}

function lockText({ lock, by, rows, data, signature, unlocked }: TrialLockReport): string {
  const lifted = unlocked === null ? 'LOCKED' : `unlocked, ${unlocked.reason} (${said(unlocked)})`
  return `${short(lock)}  ${by}: ${rows} rows, commitment ${short(data)}, ${signatureText(signature)}: ${lifted}`
}

/** `trial participant`. */
export function participantLines(report: TrialParticipantReport): string[] {
  const { participant, site, version, state, stratum, position, arm, steps } = report
  const rows = steps.map((step) => [
    ...[utc(step.atMs), step.what, step.version === null ? '–' : String(step.version), step.more ?? '', step.by],
    ...[step.signedOff === null ? '–' : whoText(step.signedOff), said(step)],
  ])
  return [
    `participant ${participant} of "${report.name}" at ${site}: ${state}, under version ${version}`,
    `position ${position}${stratum === null ? '' : `, stratum ${stratum}`}; arm ${arm ?? 'not made known'}`,
    '',
    ...table(['when', 'what', 'version', '', 'by', 'signed off by', 'entry'], rows),
    `Times are those of the hospitals' clocks. ${DECLARED}`,
  ]
}

function whoText({ name, person, roles, fault }: TrialSignatureReport): string {
  const role = roles.join(', ')
  return `${name ?? `person ${short(person)}`}${role === '' ? '' : ` (${role})`}${fault === null ? '' : ` DOES NOT HOLD: ${fault}`}`
}

/** `trial check`. */
export function checkLines(report: TrialCheckReport): string[] {
  const { name, version, participants, entries, signatures, lists, locks, findings, findingsInAll, dropped } = report
  const verdict = findingsInAll === 0 ? 'nothing is wrong' : `${findingsInAll} findings`
  return [
    `"${name}", version ${version}: ${participants} participants, ${signatures} signatures that hold, ${lists.length} lists, ${locks} locks, in ${entries} entries: ${verdict}.`,
    ...(dropped === 0 ? [] : [`${dropped} entries beyond what one member may say of a trial were not looked at.`]),
    ...(lists.length === 0
      ? []
      : [
          '',
          ...table(
            ['list', 'site', 'stratum', 'positions', 'taken', 'allocated', 'opened', 'drawn again'],
            lists
              .slice(0, SHOWN_MAX)
              .map((one) => [
                ...[short(one.list), one.site, one.stratum ?? '–', String(one.size), String(one.taken)],
                ...[String(one.allocated), String(one.opened), armText(one.arms)],
              ]),
            [3, 4, 5, 6],
          ),
        ]),
    ...(findings.length === 0 ? [] : ['']),
    ...findings.slice(0, SHOWN_MAX).map(findingText),
    ...(findingsInAll > SHOWN_MAX ? [`and ${findingsInAll - SHOWN_MAX} more; --json has a thousand`] : []),
    `state ${report.state}, over what is final`,
    DECLARED,
  ]
}

function findingText({
  code,
  says,
  by,
  entry,
  atMs,
  because,
  more,
  perhaps,
}: TrialCheckReport['findings'][number]): string {
  const what = more === null ? says : `${says} (${more})`
  const against = because === null ? '' : `; see ${because}`
  const order = perhaps ? '; by the order of the logs, which do not say whether it was known there' : ''
  return `${code}: ${what}: ${by}, ${utc(atMs)} (${entry})${against}${order}`
}

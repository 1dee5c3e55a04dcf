/** study privacy, study audit-privacy: what training has cost the hospitals' patients, by arithmetic and by attack. */
import type { Command } from 'commander'
import type { AuditReport } from '../daemon/privacyAudit.ts'
import type { ClaimReport } from '../daemon/privacyClaims.ts'
import { epsilonOf } from '../learn/privacy/accountant.ts'
import { type AttackResult, attackFigures } from '../learn/privacy/audit.ts'
import { auditSentence, auditVerdict } from '../report/words.ts'
import { table } from './output.ts'
import { type Common, clientOf, command, outputOf } from './shared.ts'

const TOLERANCE = 1e-3 // of ε: other machines' logarithms differ in the last bits, and versions in their grids

/** Every hospital's ε as its updates say it, computed again from the steps that its log tells of. */
export function privacy(): Command {
  return command(
    'privacy',
    'show what private training has cost at every hospital, computed again from its log',
    'consilium study privacy 5f1e09ab34cd',
  )
    .argument('<study>', "digest, at least 6 digits of it, or the study's name")
    .action(async (ref: string, options: Common) => {
      const path = `/v1/studies/${encodeURIComponent(ref)}/privacy`
      const { members } = await clientOf(options).get<{ members: ClaimReport[] }>(path)
      const checked = members.map(recomputed)
      outputOf(options).print(checked, () => claimLines(checked))
    })
}

/** A claim with the ε that follows from the log, null where none does; `agrees` is null where there is nothing to compare. */
export interface CheckedClaim extends ClaimReport {
  readonly epsilon: number | null
  readonly agrees: boolean | null
}

/** Refuses nothing: a hospital that understates its ε harms its own patients alone, and everybody may see it. */
export function recomputed(report: ClaimReport): CheckedClaim {
  const { claim, spent } = report
  if (claim === null) return { ...report, epsilon: null, agrees: null }
  if (spent === null) return { ...report, epsilon: null, agrees: false }
  const epsilon = epsilonOf(spent, claim.delta)
  return { ...report, epsilon, agrees: Math.abs(claim.epsilon - epsilon) <= TOLERANCE * Math.max(1, epsilon) }
}

/** The table, and whose figures do not follow from their logs. */
export function claimLines(checked: readonly CheckedClaim[]): string[] {
  if (checked.length === 0) return ['No hospital has told of private rounds of this study.']
  const rows = checked.map(({ name, rounds, claim, epsilon, agrees }) => [
    name,
    String(rounds),
    claim?.sampleRate.toPrecision(3) ?? '–',
    claim === null ? '–' : String(claim.noiseMultiplier),
    claim?.delta.toPrecision(2) ?? '–',
    claim?.epsilon.toPrecision(4) ?? '–',
    epsilon?.toPrecision(4) ?? '–',
    agrees === null ? 'not checked' : agrees ? 'agrees' : 'DIFFERS',
  ])
  return table(['hospital', 'rounds', 'q', 'σ', 'δ', 'ε said', 'ε by its log', ''], rows, [1, 2, 3, 4, 5, 6])
}

/** Attacks the hospital's own model; the result is recorded, for the study's report. */
export function auditPrivacy(): Command {
  return command(
    'audit-privacy',
    "try to tell this hospital's training patients from held-out ones by its model, and record how well that works",
    'consilium study audit-privacy 5f1e09ab34cd',
  )
    .argument('<study>', "digest, at least 6 digits of it, or the study's name")
    .action(async (ref: string, options: Common) => {
      const report = await clientOf(options).post<AuditReport>(`/v1/studies/${encodeURIComponent(ref)}/audit-privacy`)
      outputOf(options).print(report, () => auditLines(report))
    })
}

/** The table of both attacks, and what it means. */
export function auditLines({ name, round, members, others, claim, shadows, loss, calibrated }: AuditReport): string[] {
  const percent = ({ value, low, high }: AttackResult['auc']): string =>
    `${(100 * value).toFixed(1)} % (${(100 * low).toFixed(1)} to ${(100 * high).toFixed(1)})`
  const row = (title: string, { auc, found10, found1, epsilonLow }: AttackResult): string[] => [
    title,
    `${auc.value.toFixed(3)} (${auc.low.toFixed(3)} to ${auc.high.toFixed(3)})`,
    percent(found10),
    percent(found1),
    epsilonLow === 0 ? 'none' : `≥ ${epsilonLow.toFixed(2)}`,
  ]
  const claimed =
    claim === null
      ? 'The study promises no ε.'
      : `The updates promise ε ${claim.epsilon.toPrecision(3)} at δ ${claim.delta.toPrecision(2)}.`
  const attacks = [attackFigures('loss', loss), attackFigures('calibrated-loss', calibrated)]
  return [
    `"${name}" after ${round} rounds: ${members} training rows against ${others} held-out ones; 95 % intervals.`,
    ...table(
      ['attack', 'AUC (.5 is guessing)', 'found, 10 % mistaken', 'found, 1 % mistaken', 'shows ε'],
      [row('by loss', loss), row(`by loss against ${shadows} models without the row`, calibrated)],
    ),
    '',
    auditSentence({ round, attacks }),
    `${claimed} ${auditVerdict({ attacks, claimed: claim }).says} The result is in the log, for all members to see.`,
  ]
}

/** Figures of a study's report as people read them, and the sentences that go with them. */
import type { Estimate } from '../core/evaluation.ts'
import type { AsideReason } from '../governance/kinds/rounds.ts'
import type { WITHDRAWAL_REASONS } from '../governance/withdrawals.ts'
import { type AuditFigures, direction, type MemberReport, type Report } from './report.ts'

/** `0.812`; a dash where there is none, as where a class is absent. */
export function plain(value: number | null | undefined, digits = 3): string {
  return value === null || value === undefined ? '–' : value.toFixed(digits).replace('-', '−')
}

/** `0.812 (0.741–0.883)`; with `to` where a sign would be taken for the dash. */
export function withInterval(estimate: Estimate | null | undefined, digits = 3): string {
  if (estimate === null || estimate === undefined) return '–'
  const [value, low, high] = estimate
  if (low === null || high === null) return plain(value, digits)
  return `${plain(value, digits)} (${plain(low, digits)}${low < 0 ? ' to ' : '–'}${plain(high, digits)})`
}

/** `+0.031 (−0.004 to 0.066)`. */
export function signedInterval(estimate: Estimate | null | undefined): string {
  if (estimate === null || estimate === undefined) return '–'
  return estimate[0] > 0 ? `+${withInterval(estimate)}` : withInterval(estimate)
}

/** What joining was worth, in a few words; nothing is claimed where the interval holds 0. */
export function gainWord(estimate: Estimate | null): string {
  switch (direction(estimate)) {
    case 'up':
      return 'better than alone'
    case 'down':
      return 'worse than alone'
    case 'open':
      return 'no clear difference'
    case null:
      return estimate === null ? 'not compared' : 'no interval'
  }
}

/** What is shown in place of figures of who has none. */
export function whyNoFigures({ measured, ended }: MemberReport): string {
  if (measured !== null) return 'withheld: fewer held-out patients than the minimum cohort'
  return ended === null ? 'not measured: the study has not ended there' : 'not measured yet'
}

/** What readers must know before they trust a figure. */
export function caveats(report: Report): string[] {
  const { terms } = report.study
  return [
    'Every figure is declared by the hospital whose patients it is of, measured by its own software on its own held-out patients, and stands in its signed log. The log proves what was declared and when, not that it is true.',
    `Nothing is told of fewer than ${terms.minimumCohort} patients: such cells are withheld, and so are those from which they could be worked out.`,
    'Intervals are at 95 %: DeLong for areas under the curve and their paired differences, stratified bootstrap for accuracy, log-loss, Brier score and calibration error, Wald for slope and intercept, Wilson for rates. They tell of chance in drawing test patients, not in drawing training patients or seeds; of many intervals, one in twenty leaves out the truth. Where there is none, chance cannot be judged, as where the outcome is ranked without a fault, or one class is missing.',
    ...(isCompared(report)
      ? [
          'The model trained alone has the same rows, hyper-parameters, first weights and scaling, and as many rounds; where the hospital is large enough for validation rows it is the best of its rounds by them, which favours it.',
        ]
      : []),
    ...(terms.report.crossSite
      ? [
          'In the matrix a hospital tests the newest update that it holds of another, before that was merged, with its own private output bias in place of the other’s, which never leaves.',
        ]
      : []),
    terms.privacy === null
      ? 'This study has no differential privacy: updates, statistics and figures can leak information about patients, and may count as personal data.'
      : 'ε covers updates alone; what it does not cover is listed under “Privacy”. Updates, statistics and figures may count as personal data all the same.',
    'Research use; not a medical device.',
  ]
}

/** Whether a model trained alone stands beside the shared one: a private study trains none. */
export function isCompared({ study: { terms } }: Report): boolean {
  return terms.report.localOnly && terms.privacy === null
}

const ASIDE: Readonly<Record<AsideReason, string>> = {
  outlying: 'far from the others: the merge rule gives it less than half of a part',
  worsens: 'worse on the merging hospital’s own patients',
  'worsens-together': 'one of several whose merge is worse on the merging hospital’s own patients',
  excluded: 'excluded by the merging hospital’s operator',
  suspended: 'its author was suspended',
}

const WITHDRAWAL: Readonly<Record<(typeof WITHDRAWAL_REASONS)[number], string>> = {
  'data-error': 'wrong values, units or patients in a table that it learnt from',
  'label-error': 'a wrong outcome',
  'consent-withdrawn': 'patients, or a board, no longer allow the use of their records',
  privacy: 'it tells too much of single patients',
  safety: 'its predictions did harm, or would',
  poisoned: 'somebody trained or merged in bad faith',
  'entered-by-mistake': 'entered by mistake',
}

/** Why an update was set aside: what the reasons in entries mean. Later versions may know more of them. */
export function asideWords(reason: string): string {
  return Object.hasOwn(ASIDE, reason) ? ASIDE[reason as AsideReason] : reason
}

/** Why a model was taken back. */
export function withdrawalWords(reason: string): string {
  return Object.hasOwn(WITHDRAWAL, reason) ? WITHDRAWAL[reason as keyof typeof WITHDRAWAL] : reason
}

/** What an audit came to, for who is no statistician: of the attack that shows more. */
export function auditSentence({ attacks, round }: Pick<AuditFigures, 'attacks' | 'round'>): string {
  const [best] = [...attacks].sort((a, b) => b.epsilonLow - a.epsilonLow || b.auc[0] - a.auc[0])
  if (best === undefined) return 'Nothing was attacked.'
  const [value, low, high] = best.auc.map((share) => Math.round(100 * (share ?? 0)))
  return `Given one patient that the model after ${round} rounds was trained on and one that it was not, the attack that shows most picks the right one in ${value} of 100 cases (${low} to ${high}); a coin would in 50.`
}

/** Whether the attacks found anything, and whether the claimed ε stands against it. */
export function auditVerdict({ attacks, claimed }: Pick<AuditFigures, 'attacks' | 'claimed'>): {
  readonly tone: 'soft' | 'warn' | 'bad'
  readonly says: string
} {
  const shown = Math.max(0, ...attacks.map(({ epsilonLow }) => epsilonLow))
  if (claimed !== null && shown > claimed.epsilon) {
    const says = `The attacks show an ε of ${plain(shown, 2)} at least, more than the claimed ${plain(claimed.epsilon, 2)}: the claim does not hold.`
    return { tone: 'bad', says }
  }
  if (shown === 0 && attacks.every(({ auc }) => (auc[1] ?? 0) <= 0.5))
    return {
      tone: 'soft',
      says: 'No attack was clearly better than guessing. That proves nothing: a better one may be.',
    }
  const within = claimed === null ? '' : ` That is within what the claimed ε of ${plain(claimed.epsilon, 2)} allows.`
  return { tone: 'warn', says: `Training patients can be told from others better than by guessing.${within}` }
}

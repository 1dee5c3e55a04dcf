/** Figures of a study's report as people read them, and the sentences that go with them. */
import type { Estimate } from '../core/evaluation.ts'
import { direction, type MemberReport, type Report } from './report.ts'

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
      return 'not compared'
  }
}

/** What is shown in place of figures of who has none. */
export function whyNoFigures({ measured, ended }: MemberReport): string {
  if (measured !== null) return 'withheld: fewer held-out patients than the minimum cohort'
  return ended === null ? 'not measured: the study has not ended there' : 'not measured yet'
}

/** The newest date in the report's entries, and who is called what. */
export function nameOf({ members }: Report, member: string): string {
  return members.find((one) => one.member === member)?.name ?? `${member.slice(0, 12)}…`
}

/** What readers must know before they trust a figure. */
export function caveats({ study, members }: Report): string[] {
  const { terms } = study
  const isPrivate = members.some(({ privacy }) => privacy !== null)
  return [
    'Every figure is declared by the hospital whose patients it is of, measured by its own software on its own held-out patients, and stands in its signed log. The log proves what was declared and when, not that it is true.',
    `Nothing is told of fewer than ${terms.minimumCohort} patients: such cells are withheld, and so are those from which they could be worked out.`,
    'Intervals are at 95 %: DeLong for areas under the curve and their paired differences, stratified bootstrap for accuracy, log-loss, Brier score and calibration error, Wald for slope and intercept, Wilson for rates. They tell of chance in drawing test patients, not in drawing training patients or seeds; of many hospitals, one in twenty leaves out the truth.',
    ...(terms.report.localOnly
      ? [
          'The model trained alone has the same rows, hyper-parameters, first weights and scaling, and as many rounds; where the hospital is large enough for validation rows it is the best of its rounds by them, which favours it.',
        ]
      : ['This study asks for no model trained alone, so what joining was worth is not known.']),
    ...(terms.report.crossSite
      ? [
          'In the matrix a hospital tests the newest update that it holds of another, before that was merged, with its own private output bias in place of the other’s, which never leaves.',
        ]
      : []),
    'FedAvg and one model of all rows need all rows in one place or a server: hospitals do not have them, simulations do. Nor are models that were trained alone exchanged to be averaged: they would tell the others more of one hospital’s patients than this study has agreed to.',
    isPrivate
      ? 'ε covers the updates. It does not cover the scaling statistics, the counts of rows, nor the figures of evaluations in this report.'
      : 'This study has no differential privacy: updates, statistics and figures can leak information about patients, and may count as personal data.',
    'Research use; not a medical device.',
  ]
}

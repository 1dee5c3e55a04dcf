/** What a study's progress reads like in the log: the drafts of a binding, of a trained update and of a merge. */
import { toldCount } from '../config/consent.ts'
import { fromHex } from '../core/bytes.ts'
import { invariant } from '../core/errors.ts'
import type { Digest, MemberId, StudyId } from '../core/ids.ts'
import { classesShow, type Metrics } from '../core/metrics.ts'
import type { PrivacyClaim } from '../core/privacy.ts'
import type { MergeInput } from '../gossip/exchange.ts'
import type { AsideReason } from '../governance/kinds/rounds.ts'
import type { Body } from '../governance/kinds.ts'
import type { Permit } from '../governance/permit.ts'
import type { StudyState } from '../governance/studies.ts'
import type { Draft } from './actions.ts'
import type { Context } from './context.ts'
import type { BoundDataset, NodeEvent } from './events.ts'
import type { Considered } from './merging.ts'
import type { StandingState } from './standing.ts'

/** A table was bound; with its statistics where the scaling is not frozen yet. */
export function bindingDrafts(context: Context, id: StudyId, dataset: BoundDataset, contribute: boolean): Draft[] {
  const { rows, trainRows, commitment, statistics, registered } = dataset
  const version = registered === undefined ? {} : { version: fromHex(registered.version) }
  const bound = { rows, trainRows, commitment: fromHex(commitment), ...version }
  const drafts = [context.draft('dataset.bound', id, bound, registered === undefined ? [] : [registered.entry])]
  if (!contribute) return drafts
  const { count, sum, sumOfSquares } = statistics
  const body = { rows: trainRows, count: [...count], sum: [...sum], sumOfSquares: [...sumOfSquares] }
  return [...drafts, context.draft('study.statistics', id, body)]
}

/** An update as it was trained. */
export interface TrainedFacts {
  readonly round: number
  readonly base: Digest
  readonly update: Digest
  readonly head: Digest
  readonly examples: number
  readonly loss: number
  /** Null where the study is not private. */
  readonly privacy: PrivacyClaim | null
}

/** An update was trained and will be published. */
export function trainedDrafts(context: Context, permit: Permit, facts: TrainedFacts): Draft[] {
  const { study: id, dataset } = permit
  const { round, base, update, head, examples, privacy } = facts
  const digests = { base: fromHex(base), update: fromHex(update), head: fromHex(head), dataset: fromHex(dataset) }
  return [
    context.draft('round.trained', id, {
      ...{ round, examples, ...digests, ...claimOrLoss(facts.loss, privacy) },
      ...consentOf(context, permit),
      ...(permit.agreements === undefined ? {} : { agreements: permit.agreements.map(fromHex) }),
    }),
    context.draft('round.published', id, { round, update: fromHex(update) }),
  ]
}

/** What the round rests on, where the study asks patients for their word. */
function consentOf({ studies }: Context, { study, consent: root }: Permit): Pick<Body<'round.trained'>, 'consent'> {
  const consent = studies.get(study)?.study.consent ?? null
  if (consent === null) return {}
  invariant(root !== null, 'a round of a study that asks patients rests on their word')
  return { consent: { root: fromHex(root), basis: consent.basis } }
}

/** The loss on training patients is of their very rows, and ε does not cover it: a private study keeps it at home. */
function claimOrLoss(loss: number, privacy: PrivacyClaim | null) {
  return privacy === null ? { loss } : { loss: null, privacy: { ...privacy } }
}

/** A merge and how good its result is; `last` where it ends the study. */
export interface MergedFacts {
  readonly outcome: Extract<NodeEvent, { type: 'merged' }>
  readonly inputs: readonly MergeInput[]
  readonly considered: Considered
  readonly metrics: Metrics
  readonly standing: StandingState
  readonly last: boolean
}

/** Measures as entries have them, of rows that may be told of; nothing of fewer held-out patients than the minimum cohort, and no AUC of fewer of a class. */
function measuresOf({ study }: StudyState, metrics: Metrics) {
  const { accuracy, logLoss, brier, calibrationError } = metrics
  const examples = toldCount(study, metrics.examples)
  const auc = classesShow(metrics, study.minimumCohort) ? metrics.auc : null
  return examples >= study.minimumCohort
    ? { examples, auc, accuracy, logLoss, brier, calibrationError }
    : { examples: null, auc: null, accuracy: null, logLoss: null, brier: null, calibrationError: null }
}

/** The study is over here: the newest merge, and which model is kept of it, as calibrated. */
export function endedDrafts(
  context: Context,
  state: StudyState,
  rounds: number,
  newest: Digest,
  standing: StandingState | null,
): Draft[] {
  const ended = context.draft('study.ended', state.id, { rounds, model: fromHex(newest) })
  if (standing === null) return [ended]
  const { round, model, metrics, calibration, calibrated } = standing.best
  const { slope, intercept, rows } = calibration ?? { slope: 1, intercept: 0, rows: 0 }
  const shown = metrics.examples >= state.study.minimumCohort
  const after = calibrated ?? metrics
  const body = {
    ...{
      round,
      model: fromHex(model),
      slope,
      intercept,
      rows: rows === 0 || rows >= state.study.minimumCohort ? toldCount(state.study, rows) : null,
    },
    logLoss: shown ? ([metrics.logLoss, after.logLoss] as [number, number]) : null,
    calibrationError: shown ? ([metrics.calibrationError, after.calibrationError] as [number, number]) : null,
  }
  return [ended, context.draft('study.calibrated', state.id, body)]
}

/** A round was completed. Measures on fewer held-out patients than the minimum cohort are left out. */
export function mergedDrafts(context: Context, state: StudyState, facts: MergedFacts): Draft[] {
  const { id } = state
  const { metrics, standing, last } = facts
  const { round, result } = facts.outcome
  const model = fromHex(result)
  const personal =
    standing.personal === null
      ? []
      : [context.draft('round.personal', id, { round, ...measuresOf(state, standing.personal) })]
  return [
    context.draft('round.merged', id, mergedBody(facts, context.self)),
    context.draft('round.evaluated', id, { round, model, ...measuresOf(state, metrics) }),
    ...personal,
    ...(last ? endedDrafts(context, state, round + 1, result, standing) : []),
  ]
}

/** Of the plain mean of whole updates, the own one new, no parameters; where nobody was, not who was set aside. */
function mergedBody({ outcome, inputs, considered }: MergedFacts, self: MemberId): Body<'round.merged'> {
  const { round, result, by, coefficients } = outcome
  const reasons = new Map(outcome.aside.map(({ author, reason }) => [author, reason]))
  const aside = considered.known.flatMap(
    ({ author, round, digest }): [Uint8Array, number, Uint8Array, AsideReason][] => {
      const reason = reasons.get(author)
      return reason === undefined ? [] : [[fromHex(author), round, fromHex(digest), reason]]
    },
  )
  const own = inputs.find(({ author }) => author === self)
  const { rule, nearest, faulty, radius } = by
  const centre = radius === null || own === undefined ? null : fromHex(own.digest)
  const ages = inputs.map(({ ageRounds }) => ageRounds)
  const partial = partialBody(outcome, considered)
  return {
    round,
    rule,
    inputs: inputs.map(({ author, round, digest }, i) => {
      return [fromHex(author), round, fromHex(digest), coefficients[i] as number]
    }),
    result: fromHex(result),
    ...(rule === 'mean' && !nearest && partial === null && own?.ageRounds === 0
      ? {}
      : { parameters: { faulty, nearest, radius, centre, ages } }),
    ...(aside.length === 0 ? {} : { aside }),
    ...(partial === null ? {} : { partial }),
  }
}

/** Null where all that was merged was whole. */
function partialBody({ parts }: MergedFacts['outcome'], { taken }: Considered): Body<'round.merged'>['partial'] | null {
  if (parts === undefined) return null
  return {
    updates: taken.map(({ author, round, digest, coefficient, ageRounds, chunks }) => {
      return [fromHex(author), round, fromHex(digest), coefficient, ageRounds, chunks]
    }),
    rules: parts.rules.map(({ inputs, weights, rule, faulty, nearest }) => [inputs, weights, rule, faulty, nearest]),
  }
}

/** Whether this member's counts and sums are still wanted for the scaling. */
export function lacksStatistics({ scaling, statistics }: StudyState, self: MemberId): boolean {
  return scaling === null && !statistics.has(self)
}

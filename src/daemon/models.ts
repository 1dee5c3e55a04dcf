/** Models as people name them, which of them are held here, and which may not be used. */
import { sharedParameters } from '../config/study.ts'
import { ConsiliumError } from '../core/errors.ts'
import type { Digest, MemberId } from '../core/ids.ts'
import type { Scaling } from '../core/statistics.ts'
import type { Kind } from '../governance/kinds.ts'
import type { MadeModel } from '../governance/lineage.ts'
import type { Lineages } from '../governance/lineages.ts'
import type { StudyState } from '../governance/studies.ts'
import type { Made, Withdrawn } from '../governance/withdrawals.ts'
import type { Weights } from '../learn/learner.ts'
import type { LogitRefit } from '../learn/portable/description.ts'
import type { Draft } from '../node/actions.ts'
import { FENCED } from '../node/boot.ts'
import type { Daemon } from './daemon.ts'
import { memberOf } from './logFilter.ts'
import type { WithdrawalReport } from './modelApi.ts'
import { squeeze } from './squeeze.ts'
import { findStudy } from './studyReference.ts'

const MODEL_DIGITS_MIN = 8

/** A model whose weights are here: this hospital's newest complete one of a study; where that has ended the best on its own validation patients. */
export interface HeldModel {
  readonly state: StudyState & { readonly scaling: NonNullable<StudyState['scaling']> }
  /** What its inputs are standardised with here: the frozen scaling, or this hospital's own. */
  readonly scaling: Scaling
  readonly digest: Digest
  /** Rounds that went into it. */
  readonly rounds: number
  readonly weights: Weights
  /** The final refit on own validation rows that belongs to it; null where there is none. */
  readonly calibration: LogitRefit | null
}

/** A model or an update of which a log tells. */
export interface NamedModel {
  readonly state: StudyState
  readonly made: MadeModel
}

/** The model to use of every study that has one here; without what inputs are standardised with, for that may have to be computed. */
export function heldModels(daemon: Daemon): Omit<HeldModel, 'scaling'>[] {
  return daemon.machine.view().studies.flatMap(({ state, run }) => {
    const which = run?.phase === 'ended' ? 'best' : 'newest'
    const found = daemon.model(state.id, which)
    if (found === null || state.scaling === null) return []
    const { digest, round, weights } = found
    if (weights.shared.length !== sharedParameters(state.study)) return []
    const fitted = which === 'best' ? (run?.standing?.best.calibration ?? null) : null
    const calibration = fitted && { slope: fitted.slope, intercept: fitted.intercept }
    return [{ state: { ...state, scaling: state.scaling }, digest, rounds: round + 1, weights, calibration }]
  })
}

/**
 * The model that is meant by a study's name or digest, `STUDY@ROUNDS`, or at least 8 digits of the model's own digest. Errors:
 * `model-missing`, `model-not-held`, those of `findStudy`.
 */
export async function heldModel(daemon: Daemon, ref: string): Promise<HeldModel> {
  const found = heldAs(daemon, ref)
  return { ...found, scaling: await daemon.models.scaling(found.state) }
}

function heldAs(daemon: Daemon, ref: string): Omit<HeldModel, 'scaling'> {
  const held = heldModels(daemon)
  const byDigest = isDigits(ref) ? held.filter(({ digest }) => digest.startsWith(ref)) : []
  if (byDigest.length === 1) return byDigest[0] as Omit<HeldModel, 'scaling'>
  const { study, rounds } = partsOf(ref)
  const state = findStudy(daemon, study)
  const found = held.find((one) => one.state.id === state.id)
  if (found === undefined)
    throw refused(
      'model-missing',
      `study ${state.id.slice(0, 12)} has no model here yet; it has one after its first round`,
    )
  if (rounds !== null && rounds !== found.rounds) {
    const message = `${ref}: of this study only one model is held here, ${found.state.study.name}@${found.rounds}; of older ones the log has the digests ("consilium model show")`
    throw refused('model-not-held', message)
  }
  return found
}

/**
 * The model or update that is meant by those digits of its digest; by `STUDY@ROUNDS` or a study, what this node merged, then or last; with
 * `update` what it trained. Of equal digests `member` says whose. Errors: `model-unknown`, `model-ambiguous`, those of `findStudy`.
 */
export function namedModel(
  daemon: Daemon,
  lineages: Lineages,
  ref: string,
  given: { readonly update: boolean; readonly member: string | null },
): NamedModel {
  const author = given.member === null ? null : memberOf(daemon, given.member)
  const studies = daemon.machine.view().studies.map(({ state }) => state)
  const byDigits = !isDigits(ref)
    ? []
    : studies.flatMap((state) =>
        lineages
          .of(state.id)
          .withDigits(ref)
          .map((made) => ({ state, made })),
      )
  if (byDigits.length > 0) return only(daemon, byDigits, ref, author)
  const { study, rounds } = partsOf(ref)
  const state = findStudy(daemon, study)
  const lineage = lineages.of(state.id)
  const by = author ?? daemon.home.key.id
  const newest = lineage.newest().find((made) => made.author === by)
  const round = rounds === null ? newest?.round : rounds - 1
  const merged = round === undefined ? [] : lineage.mergedIn(by, round)
  const meant = given.update ? merged.flatMap((made) => ownInput(lineages, state, made)) : merged
  if (meant.length === 0)
    throw refused(
      'model-unknown',
      `${ref}: the log of ${daemon.nameOf(by)} tells of no such model; see "consilium model ls"`,
    )
  return only(
    daemon,
    meant.slice(-1).map((made) => ({ state, made })),
    ref,
    null,
  )
}

/** The update that its author put into a merge. */
function ownInput(lineages: Lineages, state: StudyState, made: MadeModel): MadeModel[] {
  const lineage = lineages.of(state.id)
  const own = lineage.ancestry(made).inputs.find(({ author }) => author === made.author)
  const found = own === undefined ? null : lineage.find(own)
  return found === null || found.round !== made.round ? [made] : [found] // merged alone: the same weights
}

function only(daemon: Daemon, found: readonly NamedModel[], ref: string, author: MemberId | null): NamedModel {
  const meant = author === null ? found : found.filter(({ made }) => made.author === author)
  if (meant.length === 1) return meant[0] as NamedModel
  const names = found.slice(0, 5).map(({ made }) => `${made.model.slice(0, 16)} of ${daemon.nameOf(made.author)}`)
  throw refused(
    'model-ambiguous',
    `${ref} fits ${found.length} models: ${names.join(', ')}; give more digits, or --member NAME`,
  )
}

/** Withdrawals of a study that bind at this node. */
export function bindingOf(daemon: Daemon, state: Pick<StudyState, 'id'>): readonly Withdrawn[] {
  const { roll } = daemon.home.membership
  return daemon.machine.view().withdrawals.binding(state.id, daemon.home.key.id, roll.members)
}

/** The withdrawal from which a model descends, its own included; null where it is free of any. */
export async function withdrawalOf(
  daemon: Daemon,
  state: Pick<StudyState, 'id'>,
  made: Made,
): Promise<Withdrawn | null> {
  const binding = bindingOf(daemon, state)
  if (binding.length === 0) return null
  const [standing] = (await daemon.lineage.current()).of(state.id).standings([made], binding)
  return typeof standing === 'number' ? (binding[standing] as Withdrawn) : null
}

/** Error: `model-withdrawn`, naming the entry and whom to ask. */
export async function requireUsable(
  daemon: Daemon,
  { state, digest }: { readonly state: Pick<StudyState, 'id'>; readonly digest: Digest },
): Promise<void> {
  const withdrawn = await withdrawalOf(daemon, state, { author: daemon.home.key.id, model: digest })
  if (withdrawn === null) return
  const { by, reason, entry, model } = withdrawalReport(daemon, withdrawn)
  const which = model === digest ? 'this model was' : `it descends from ${model.slice(0, 12)}, which was`
  throw refused(
    'model-withdrawn',
    `${digest.slice(0, 12)}: ${which} withdrawn (${reason}) by ${by}, entry ${entry}: ask there`,
  )
}

/** As it is shown. */
export function withdrawalReport(daemon: Daemon, { author, model, by, reason, seq }: Withdrawn): WithdrawalReport {
  return { author: daemon.nameOf(author), model, by: daemon.nameOf(by), reason, entry: refOf(daemon, by, seq) }
}

/** MEMBER/NUMBER, as `consilium log show` takes it. */
export function refOf(daemon: Pick<Daemon, 'nameOf'>, member: MemberId, seq: number): string {
  return `${squeeze(daemon.nameOf(member))}/${seq}`
}

/** Records what was done with a model; what cannot be recorded is not done. Error: `boot-fence`. */
export async function recordUse(daemon: Daemon, state: StudyState, kind: Kind, body: Draft['body']): Promise<void> {
  const { writer } = daemon
  if (writer === null) throw new ConsiliumError(FENCED)
  writer.record('model', [{ kind, study: state.id, timeMs: Date.now(), refs: [], body }], new Map())
  await writer.flush()
}

function isDigits(ref: string): boolean {
  return ref.length >= MODEL_DIGITS_MIN && /^[0-9a-f]{1,64}$/.test(ref)
}

function partsOf(ref: string): { readonly study: string; readonly rounds: number | null } {
  const numbered = /^(.+)@(\d{1,9})$/.exec(ref)
  return numbered === null
    ? { study: ref, rounds: null }
    : { study: numbered[1] as string, rounds: Number(numbered[2]) }
}

function refused(code: string, message: string): ConsiliumError {
  return new ConsiliumError({ code, message })
}

/** What an operator may not ask for, and why. */
import { fromHex } from '../core/bytes.ts'
import type { StudyId } from '../core/ids.ts'
import { LIMITS } from '../core/limits.ts'
import { OBSERVER_REFUSAL } from '../governance/observers.ts'
import type { StudyState } from '../governance/studies.ts'
import { agreedTo } from './agreed.ts'
import type { Context } from './context.ts'
import type { NodeEvent } from './events.ts'
import { exclusionDraft, exclusionRefusal } from './exclusion.ts'
import { grantRefusal } from './granted.ts'
import type { StudyRun } from './studyRun.ts'
import { SUSPENDED } from './suspending.ts'

/** The commands about studies. */
export type StudyCommand = Extract<NodeEvent, { type: `study-${string}` }>

/** Whether a command is about a study. */
export function isStudyCommand(event: NodeEvent): event is StudyCommand {
  return event.type.startsWith('study-')
}

/** Null where it is carried out. */
export function carryOutStudy(
  event: StudyCommand,
  context: Context,
  run: (id: StudyId) => StudyRun,
): { code: string; message: string } | null {
  const id = event.type === 'study-bind' ? event.dataset.study : event.study
  const state = context.studies.get(id)
  const error = context.roll.isObserver(context.self)
    ? OBSERVER_REFUSAL
    : (suspendedRefusal(event.type, context) ?? refusalOf(event.type, state, context, id))
  if (error !== null) return error
  if (event.type === 'study-bind' && state !== undefined) {
    const ungranted = grantRefusal(context, state, event.dataset.registered?.dataset ?? null)
    if (ungranted !== null) return { code: ungranted.code, message: ungranted.message }
  }
  if (event.type === 'study-bind') run(id).table.bind(event.dataset)
  else if (event.type === 'study-end') run(id).ending.sayEnough('operator')
  else if (event.type === 'study-pause') {
    if (run(id).leaves.pause(event.paused))
      context.record('paused', [context.draft(event.paused ? 'study.paused' : 'study.resumed', id, {})])
  } else if (event.type === 'study-withdraw') {
    withdraw(event, context)
  } else if (event.type === 'study-exclude' && state !== undefined) {
    const refusal = exclusionRefusal(event, state, context, run(id).merging.isExcluded(event.member))
    if (refusal !== null) return refusal
    context.record('exclusion', [exclusionDraft(event, context)])
  } else if (event.type === 'study-evaluate') {
    const why = run(id).evaluateNow()
    return why === null ? null : { code: why, message: NOT_EVALUATED[why] }
  } else if (event.type === 'study-add') {
    const drafts = state === undefined ? [context.draft('study.proposed', id, { document: event.document })] : []
    const accept = state?.accepted.has(context.self) ? [] : [context.draft('study.accepted', id, {})]
    if (drafts.length + accept.length > 0) context.record('study', [...drafts, ...accept])
  } else if (state !== undefined && !state.accepted.has(context.self)) {
    context.record('study', [context.draft('study.accepted', id, {})])
  }
  return null
}

/** The word binds at this node when it is durable, at the others when it has reached them. */
function withdraw(event: Extract<StudyCommand, { type: 'study-withdraw' }>, context: Context): void {
  const { made, reason, study, entry } = event
  const body = { author: fromHex(made.author), model: fromHex(made.model) }
  const draft =
    reason !== null
      ? context.draft('model.withdrawn', study, { ...body, reason }, [entry])
      : context.draft('model.restored', study, body, [entry])
  context.record('withdrawal', [draft])
}

/** Why a table is not bound to a study that is over. */
export const STUDY_ENDED = 'this study has ended here, so nothing trains on another table: propose a new study for it'

const PERMITTING: ReadonlySet<string> = new Set<StudyCommand['type']>(['study-add', 'study-accept', 'study-bind'])
const NOT_EVALUATED = {
  'model-missing':
    'this study has no model here that could be evaluated now: it has one after its first round, while it is not paused',
  'model-measured':
    'this model is evaluated already, and this study asks patients for their word: figures of one model before and after a word would tell of it',
}

/** What permits anything is not said with a key that is not to be trusted; what restricts is. */
function suspendedRefusal(command: string, context: Context): typeof SUSPENDED | null {
  return PERMITTING.has(command) && context.isSuspended(context.self) ? SUSPENDED : null
}

/** Null where the command may be carried out; `state` is undefined where the study is not known here. */
function refusalOf(
  command: string,
  state: StudyState | undefined,
  context: Context,
  id: StudyId,
): { code: string; message: string } | null {
  const { self, studies } = context
  if (command === 'study-add') {
    if (state !== undefined || studies.mayPropose(self)) return null
    const message = `this hospital has proposed ${LIMITS.studiesPerMemberMax} studies, and no more are followed: let another member propose it`
    return { code: 'studies-full', message }
  }
  if (state === undefined) {
    return {
      code: 'study-unknown',
      message: `no member has proposed study ${id.slice(0, 12)}: check the digest with "consilium study ls", or wait until the proposer's log is here`,
    }
  }
  if (!studies.maySpeakOf(self, id)) {
    const message = `this hospital has taken part in ${LIMITS.studiesMentionedMax} studies, and no more are followed`
    return { code: 'studies-full', message }
  }
  if (command === 'study-accept' && !state.whole && !state.accepted.has(self)) {
    const message =
      'its description was redacted, and what is left of it cannot be compared with the digest: have it proposed anew, without what was taken back'
    return { code: 'study-redacted', message }
  }
  if (command === 'study-bind' && !state.accepted.has(self)) {
    return {
      code: 'study-not-accepted',
      message: `accept the study before binding a table: consilium study accept ${id.slice(0, 12)}`,
    }
  }
  if (command === 'study-bind' && state.ended.has(self)) {
    return { code: 'study-ended', message: STUDY_ENDED }
  }
  if (command === 'study-bind') {
    const agreed = agreedTo(context, state, 'access', { dataset: null, round: 0, epsilon: 0, rows: 0 })
    if ('forbidden' in agreed) return agreed.forbidden
  }
  if (command === 'study-end' && !state.bound.has(self)) {
    const message =
      'this hospital has bound no table to this study, so it has no say in when it ends: bind one, or leave it to who did'
    return { code: 'dataset-not-bound', message }
  }
  const bound = studies.all().filter((one) => one.bound.has(self)).length
  if (command === 'study-bind' && bound >= LIMITS.studiesMax && !state.bound.has(self)) {
    return { code: 'studies-full', message: `${bound} studies are bound here, and no more are run by one node` }
  }
  return null
}

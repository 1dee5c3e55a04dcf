/** Whose bodies may go and when: by the class of an entry's kind, its age and what is on hold. Headers and hashes never go. */
import { PRUNABLE, PRUNABLE_CLASSES, type PrunableClass, type Retention } from '../config/retention.ts'
import type { MemberId, StudyId } from '../core/ids.ts'
import type { Entry } from '../ledger/entry.ts'
import { isKind, type Kind, readBody } from './kinds.ts'
import type { Refusal } from './permit.ts'
import { sameButText, studyIn } from './studyText.ts'

/**
 * `decides`: what `factsOf` reads, so that folds and permits come out the same at every start; never goes. `keeping`: says why something
 * is gone, or who signed for what was done; never goes either. The others go with age, where the operator asks for it.
 */
export type RetentionClass = 'decides' | 'keeping' | PrunableClass

/** A kind never moves to `decides`: who had dropped its bodies could hand the log on no more. */
const CLASS_OF: Readonly<Record<Kind, RetentionClass>> = {
  'member.accepted': 'decides',
  'member.seen': 'decides', // at its author: whom it has met in the last day is read from its own log
  'member.rejected': 'operation',
  'stranger.rejected': 'operation',
  'member.suspended': 'decides',
  'member.reinstated': 'decides',
  'epoch.proposed': 'decides',
  'epoch.approved': 'decides',
  'epoch.rejected': 'decides',
  'epoch.voting': 'decides',
  'epoch.begun': 'decides',
  'node.started': 'operation',
  'node.stopped': 'operation',
  'study.proposed': 'decides',
  'study.accepted': 'decides',
  'study.paused': 'decides',
  'study.resumed': 'decides',
  'study.statistics': 'decides',
  'study.scaling': 'decides',
  'study.ended': 'decides',
  'study.enough': 'decides',
  'study.calibrated': 'training',
  'dataset.bound': 'decides',
  'dataset.registered': 'training', // says what rounds rest on
  'dataset.verified': 'training',
  'round.trained': 'training',
  'round.published': 'training',
  'privacy.audited': 'training',
  'privacy.spent': 'decides', // at its author: how much of the budget is left
  'round.merged': 'training',
  'round.evaluated': 'training',
  'model.withdrawn': 'decides',
  'model.restored': 'decides',
  'model.exported': 'training', // kept as long as what the model was made of: a withdrawal lists them
  'model.used': 'training',
  'model.served': 'training',
  'model.explained': 'training',
  'study.excluded': 'decides', // at its author: whose updates it merges
  'study.readmitted': 'decides',
  'alarm.outlier': 'training',
  'study.measured': 'decides', // at its author: what need not be measured again
  'study.crossed': 'decides',
  'round.personal': 'training',
  'alarm.fork': 'decides',
  'alarm.witness': 'decides', // at its author: what evidence was recorded already
  'agreement.proposed': 'decides',
  'agreement.signed': 'decides',
  'agreement.refused': 'decides',
  'agreement.ended': 'decides',
  'agreement.event': 'decides',
  'agreement.denied': 'training', // as long as the rounds that were done
  'consent.recorded': 'decides', // at its author: how many words its vault must have
  'subject.erased': 'keeping', // says why commitments open no more
  'consent.restarted': 'keeping', // says why commitments open no more
  'subject.disclosed': 'training', // as long as the rounds that it opens
  'person.enrolled': 'decides', // at its author: whose sign-off counts
  'person.revoked': 'decides',
  'person.reset': 'decides',
  'person.acted': 'keeping', // who signed for what decides, and for what is gone
  'operator.pruned': 'keeping',
  'operator.scrubbed': 'operation',
  'operator.backup': 'operation',
  'operator.restored': 'operation',
  'operator.corrected': 'keeping', // the entry that it corrects would be read without it
  'operator.redacted': 'decides', // each node drops by it, at every start anew
  'supply.recorded': 'training', // six years at least, as DSCSA has it too: 21 U.S.C. 360eee-1
  'supply.recalled': 'keeping', // says why goods may not be given out
  'supply.lifted': 'keeping',
  'supply.recall-slice': 'keeping',
  'supply.list-lifted': 'keeping',
  'supply.product': 'keeping', // what events of any age are held against
  'catalogue.announced': 'decides',
  'catalogue.withdrawn': 'decides',
  'access.asked': 'decides',
  'access.granted': 'decides',
  'access.refused': 'decides',
  'access.revoked': 'decides',
  'access.denied': 'training', // as long as the rounds that were done
  'count.asked': 'training', // as long as the rounds: what was told is told by the answer
  'count.answered': 'keeping', // at its author: what of the budget was spent
  'value.measured': 'training', // as long as the rounds that it is about
  'settlement.proposed': 'decides', // where the next period begins
  'settlement.confirmed': 'decides',
  'settlement.refused': 'decides',
  'trial.protocol': 'keeping', // a trial's file is kept for 25 years: Reg. (EU) 536/2014 Art. 58
  'trial.approved': 'keeping',
  'trial.withdrawn': 'keeping',
  'trial.list': 'keeping',
  'trial.enrolled': 'keeping',
  'trial.allocated': 'keeping',
  'trial.opened': 'keeping',
  'trial.unsealed': 'keeping',
  'trial.event': 'keeping',
  'trial.locked': 'keeping',
  'trial.unlocked': 'keeping',
}

const DAY_MS = 24 * 3_600_000

/** The class of a kind; of one that this version does not know `decides`, for it may decide in the version that does. */
export function classOf(kind: string): RetentionClass {
  return isKind(kind) ? CLASS_OF[kind] : 'decides'
}

/** The class of a kind whose bodies may go, or null. */
export function prunableClassOf(kind: string): PrunableClass | null {
  const found = classOf(kind)
  return found === 'decides' || found === 'keeping' ? null : found
}

/** Whether entries of this study, or of none, are on hold. A hold of single studies leaves entries without a study alone. */
export function isHeld({ legalHold }: Retention, study: StudyId | null): boolean {
  return typeof legalHold === 'boolean' ? legalHold : study !== null && legalHold.includes(study)
}

/** Before which time bodies of each class go, in milliseconds; none of a class that is kept without limit. */
export function pruningTimes(retention: Retention, nowMs: number): ReadonlyMap<PrunableClass, number> {
  const times = new Map<PrunableClass, number>()
  for (const name of PRUNABLE_CLASSES) {
    const { keepDays } = retention[name]
    if (keepDays !== 'unlimited') times.set(name, Math.max(0, nowMs - keepDays * DAY_MS))
  }
  return times
}

/** The class under which an entry's body goes now, or null where it stays or is gone already. */
export function prunedAs(
  entry: Entry,
  retention: Retention,
  times: ReadonlyMap<PrunableClass, number>,
): PrunableClass | null {
  const name = prunableClassOf(entry.kind)
  if (name === null || entry.body === null || isHeld(retention, entry.study)) return null
  return entry.timeMs < (times.get(name) ?? Number.NEGATIVE_INFINITY) ? name : null
}

/** Why an author takes a body back. An erasure order alone may cut a class's shortest time. */
export const REDACTION_REASONS = ['personal-data', 'erasure-order', 'entered-by-mistake'] as const

/** What leave to redact depends on. `redacted` says that it was done before. */
export interface RedactionRequest {
  readonly entry: Pick<Entry, 'author' | 'kind' | 'study' | 'timeMs' | 'body'>
  readonly self: MemberId
  readonly reason: string
  readonly redacted: boolean
  readonly retention: Retention
  readonly nowMs: number
  /** Of a proposal: the same study with another name or purpose. */
  readonly document?: Uint8Array | null
}

/** Why an own entry may not be redacted, or null where it may. */
export function redactionRefusal({
  entry,
  self,
  reason,
  redacted,
  retention,
  nowMs,
  document = null,
}: RedactionRequest): Refusal | null {
  if (!(REDACTION_REASONS as readonly string[]).includes(reason))
    return no('redaction-reason', `--reason: ${REDACTION_REASONS.join(', ')} are allowed`)
  if (entry.author !== self)
    return no(
      'redaction-foreign',
      'this entry is in another member’s log, and its author alone may redact it: ask there',
    )
  const name = prunableClassOf(entry.kind)
  const unfit = entry.kind === 'study.proposed' && document !== null ? retellingFault(entry, document) : null
  if (unfit !== null) return no('redaction-differs', unfit)
  const retells = entry.kind === 'study.proposed' && document !== null
  if (name === null && !retells) return no('redaction-decides', whyKept(entry.kind))
  if (isHeld(retention, entry.study))
    return no(
      'redaction-held',
      'this entry is under legal hold here (config.yaml, retention.legalHold): lift the hold first',
    )
  if (redacted) return no('redaction-twice', 'this entry has been redacted before: nothing is left to drop')
  if (name === null) return null // what decides goes on by what is told instead
  const { daysMin, minBecause } = PRUNABLE[name]
  if (reason !== 'erasure-order' && nowMs - entry.timeMs < daysMin * DAY_MS)
    return no(
      'redaction-early',
      `entries of class ${name} are kept for ${daysMin} days at least (${minBecause}); an order to erase goes before that: --reason erasure-order`,
    )
  return null
}

/** Why a document cannot stand for a proposal that is redacted, or null. */
function retellingFault({ body }: Pick<Entry, 'body'>, document: Uint8Array): string | null {
  const before = readBody('study.proposed', body)
  const [proposed, told] = [before === null ? null : studyIn(before.document), studyIn(document)]
  if (proposed === null || told === null) return 'this proposal, or the study file given for it, cannot be read here'
  if (sameButText(proposed, told)) return null
  return '--with: this study file differs in more than name and purpose, and the study goes on as it was accepted: change those alone'
}

function whyKept(kind: string): string {
  if (!isKind(kind)) return `${kind} is a kind of another version, which may depend on it: redact it with that version`
  if (kind === 'study.proposed')
    return 'study.proposed says what every member trains, and stays, but for its name and purpose: give the study file without what is to go, --with FILE'
  if (kind.startsWith('trial.')) return `${kind} is part of a trial's file, and stays: correct it by a new entry`
  if (classOf(kind) === 'keeping') return `${kind} says why something is gone, or who signed for it, and stays`
  return `${kind} decides who may do what, at every member and every start, and stays: correct it by a new entry`
}

function no(code: string, message: string): Refusal {
  return { code, message }
}

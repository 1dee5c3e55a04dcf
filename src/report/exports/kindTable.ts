/** What every kind of entry is to a regulator's tools: one row each. A kind without a row does not compile. */
import type { Kind } from '../../governance/kinds.ts'

/** What happened to what the entry is about; `fhirAudit.ts` has the AuditEvent of each. */
export type AuditPattern =
  | 'create'
  | 'update'
  | 'delete'
  | 'execute'
  | 'export'
  | 'file'
  | 'disclose'
  | 'permit'
  | 'deny'
  | 'query'
  | 'alert'
  | 'attest'
  | 'start'
  | 'stop'

/** Parts of Article 12 of the EU AI Act that an entry has data for; `aiAct.ts` has their words. */
export type AiActPart = 'use' | 'reference' | 'person' | 'risk' | 'change' | 'operation'

/** A row. `says` completes "the hospital's log says: …". */
export interface KindRow {
  readonly says: string
  readonly audit: AuditPattern
  readonly aiAct: AiActPart | null
}

const row = (says: string, audit: AuditPattern, aiAct: AiActPart | null = null): KindRow => ({ says, audit, aiAct })

export const KIND_TABLE = {
  'member.accepted': row('founding accepted', 'create'),
  'member.seen': row('member seen', 'execute'),
  'member.rejected': row('update of a member refused', 'alert', 'risk'),
  'stranger.rejected': row('connections of strangers refused', 'alert'),
  'member.suspended': row('key of a member suspended', 'alert', 'risk'),
  'member.reinstated': row('key of a member trusted again', 'update', 'operation'),
  'epoch.proposed': row('change of the members proposed', 'create'),
  'epoch.approved': row('change of the members approved', 'attest'),
  'epoch.rejected': row('change of the members rejected', 'attest'),
  'epoch.voting': row('votes on the members', 'execute'),
  'epoch.begun': row('new members in force', 'update'),
  'node.started': row('node started', 'start', 'operation'),
  'node.stopped': row('node stopped', 'stop', 'operation'),
  'study.proposed': row('study proposed', 'create', 'change'),
  'study.accepted': row('study accepted', 'attest', 'change'),
  'study.paused': row('study paused here', 'update', 'operation'),
  'study.resumed': row('study resumed here', 'update', 'operation'),
  'study.statistics': row('sums of own rows told', 'export'),
  'study.scaling': row('scaling of inputs frozen', 'create', 'change'),
  'study.ended': row('study ended here', 'update', 'change'),
  'study.enough': row('study has run long enough', 'execute', 'operation'),
  'study.calibrated': row('final model calibrated', 'create', 'change'),
  'study.excluded': row('updates of a member excluded', 'update', 'risk'),
  'study.readmitted': row('updates of a member taken again', 'update', 'operation'),
  'study.measured': row('model measured on own patients', 'execute', 'operation'),
  'study.crossed': row("others' updates measured on own patients", 'execute', 'operation'),
  'dataset.bound': row('table bound to a study', 'create', 'reference'),
  'dataset.registered': row('version of a table registered', 'create', 'reference'),
  'dataset.verified': row('table compared with its registered version', 'execute', 'reference'),
  'round.trained': row('model trained on own rows', 'execute', 'change'),
  'round.published': row('update sent to the members', 'export'),
  'round.merged': row("members' updates merged", 'create', 'change'),
  'round.evaluated': row('model evaluated on own patients', 'execute', 'operation'),
  'round.personal': row('personal model evaluated', 'execute', 'operation'),
  'privacy.spent': row('privacy budget spent', 'execute'),
  'privacy.audited': row('own model attacked to audit its privacy', 'execute', 'risk'),
  'model.withdrawn': row('model withdrawn', 'alert', 'risk'),
  'model.restored': row('model may be used again', 'update', 'operation'),
  'model.exported': row('model written to a file', 'file', 'use'),
  'model.used': row('predictions of one run', 'execute', 'use'),
  'model.served': row('predictions of several runs', 'execute', 'use'),
  'model.explained': row('model explained', 'execute', 'use'),
  'agreement.proposed': row('agreement proposed', 'create'),
  'agreement.signed': row('agreement signed', 'attest'),
  'agreement.refused': row('agreement refused', 'attest'),
  'agreement.ended': row('agreement ended', 'update'),
  'agreement.event': row('event of an agreement', 'update'),
  'agreement.denied': row('not done for the sake of an agreement', 'deny', 'risk'),
  'consent.recorded': row('words of patients recorded', 'create'),
  'consent.restarted': row('all patients to be asked anew', 'delete', 'risk'),
  'subject.erased': row('patients forgotten', 'delete'),
  'subject.disclosed': row("what opens a patient's records in the log handed out", 'disclose'),
  'person.enrolled': row('person enrolled', 'create', 'person'),
  'person.revoked': row('person acts no longer', 'update', 'person'),
  'person.reset': row('all enrolments void', 'alert', 'person'),
  'person.acted': row('person signed for an act', 'attest', 'person'),
  'operator.backup': row('backup made', 'file'),
  'operator.restored': row('node goes on from a backup', 'alert', 'risk'),
  'operator.corrected': row('entry corrected', 'update'),
  'operator.redacted': row('body of an entry taken back', 'delete'),
  'operator.pruned': row('old bodies dropped', 'delete'),
  'operator.scrubbed': row('logs read through', 'execute', 'operation'),
  'alarm.outlier': row('outlying updates of a member', 'alert', 'risk'),
  'alarm.fork': row('conflicting heads of a member', 'alert', 'risk'),
  'alarm.witness': row('conflicting cosignatures of a member', 'alert', 'risk'),
  'catalogue.announced': row('dataset announced', 'create', 'reference'),
  'catalogue.withdrawn': row('dataset announced no longer', 'update', 'reference'),
  'access.asked': row('access to a dataset asked for', 'create'),
  'access.granted': row('access to a dataset granted', 'permit'),
  'access.refused': row('access to a dataset refused', 'deny'),
  'access.revoked': row('access to a dataset taken back', 'deny'),
  'access.denied': row('not used for want of a grant', 'deny', 'risk'),
  'count.asked': row('count asked for', 'query'),
  'count.answered': row('count answered', 'export'),
  'value.measured': row('what updates were worth on own patients measured', 'execute', 'operation'),
  'settlement.proposed': row('close of a settlement proposed', 'create'),
  'settlement.confirmed': row('close of a settlement confirmed', 'attest'),
  'settlement.refused': row('close of a settlement not confirmed', 'attest'),
  'supply.recorded': row('events of goods recorded', 'create'),
  'supply.recalled': row('goods recalled', 'alert'),
  'supply.recall-slice': row('goods recalled', 'alert'),
  'supply.lifted': row('recall taken back', 'update'),
  'supply.list-lifted': row('recall taken back', 'update'),
  'supply.product': row('temperatures that a product needs said', 'create'),
  'trial.protocol': row('version of a trial proposed', 'create'),
  'trial.approved': row('version of a trial approved by a person', 'attest'),
  'trial.withdrawn': row('approval of a trial withdrawn, or a version halted', 'alert'),
  'trial.list': row('list of randomisation drawn', 'create'),
  'trial.enrolled': row('participant of a trial enrolled', 'create'),
  'trial.allocated': row('arm given to the site of a participant, sealed', 'update'),
  'trial.opened': row('arm of a participant made known', 'export'),
  'trial.unsealed': row('list of randomisation made known', 'export'),
  'trial.event': row('event of a participant recorded', 'update'),
  'trial.locked': row('data of a trial locked by a person', 'attest'),
  'trial.unlocked': row('data of a trial unlocked by a person', 'attest'),
} satisfies Record<Kind, KindRow>

/** Of a kind that this version does not know: it is told of, and nothing in it is read. */
export const UNKNOWN_KIND: KindRow = row('an entry of another version', 'execute')

/**
 * What each call of the control API is to the people of a hospital: its name in the log, whose sign-off it needs, and which entries come of
 * it. A call that is not in this table does not compile (`daemon/control.ts`). Calls that only read what every member has (GET) need nobody.
 */

import type { Role } from './kinds/people.ts'
import type { Kind } from './kinds.ts'

/** A row of the table. */
export interface Act {
  /** What is signed for, and what `person.acted` says. */
  readonly action: string
  /** Any one of these suffices. */
  readonly roles: readonly Role[]
  /** Entries that the call leads to: these are cited as signed for. */
  readonly leads: readonly Kind[]
}

const RUNS = ['operator'] as const
const DECIDES = ['approver'] as const
/** Of what changes nothing but shows more than the log does: patients' standing, under a record number. */
const HANDLES = ['operator', 'approver'] as const
const LOOKS = ['operator', 'approver', 'auditor'] as const

/** By `METHOD /path`, where `:` stands for one part of the path. */
export const ACTS = {
  'POST /v1/stop': act('node.stop', RUNS, ['node.stopped']),
  'POST /v1/studies': act('study.add', DECIDES, ['study.proposed', 'study.accepted']),
  'POST /v1/studies/:/accept': act('study.accept', DECIDES, ['study.accepted']),
  'POST /v1/studies/:/bind': act('study.bind', RUNS, ['dataset.bound', 'study.statistics']),
  'POST /v1/studies/:/pause': act('study.pause', RUNS, ['study.paused']),
  'POST /v1/studies/:/resume': act('study.resume', RUNS, ['study.resumed']),
  'POST /v1/studies/:/evaluate': act('study.evaluate', RUNS, []),
  'POST /v1/studies/:/audit-privacy': act('study.audit-privacy', RUNS, ['privacy.audited']),
  'POST /v1/studies/:/end': act('study.end', RUNS, ['study.enough']),
  'POST /v1/studies/:/exclude': act('study.exclude', RUNS, ['study.excluded']),
  'POST /v1/studies/:/readmit': act('study.readmit', RUNS, ['study.readmitted']),
  'POST /v1/agreements': act('agreement.propose', DECIDES, ['agreement.proposed']),
  'POST /v1/agreements/check': act('agreement.check', LOOKS, []),
  'POST /v1/agreements/:/sign': act('agreement.sign', DECIDES, ['agreement.signed']),
  'POST /v1/agreements/:/refuse': act('agreement.refuse', DECIDES, ['agreement.refused']),
  'POST /v1/agreements/:/end': act('agreement.end', DECIDES, ['agreement.ended']),
  'POST /v1/agreements/:/event': act('agreement.event', DECIDES, ['agreement.event']),
  'POST /v1/datasets': act('dataset.register', RUNS, ['dataset.registered']),
  'POST /v1/datasets/:/verify': act('dataset.verify', RUNS, ['dataset.verified']),
  'POST /v1/members/changes': act('members.propose', DECIDES, ['epoch.proposed', 'epoch.approved']),
  'POST /v1/members/changes/:/approve': act('members.approve', DECIDES, ['epoch.approved']),
  'POST /v1/members/changes/:/reject': act('members.reject', DECIDES, ['epoch.rejected']),
  'POST /v1/members/:/suspend': act('members.suspend', DECIDES, ['member.suspended']),
  'POST /v1/members/:/reinstate': act('members.reinstate', DECIDES, ['member.reinstated']),
  'POST /v1/invitations': act('invitation.make', DECIDES, []),
  'POST /v1/invitations/:/revoke': act('invitation.revoke', DECIDES, []),
  'POST /v1/invitations/:/propose': act('invitation.propose', DECIDES, ['epoch.proposed', 'epoch.approved']),
  'POST /v1/models/:/export': act('model.export', DECIDES, ['model.exported']),
  'POST /v1/models/:/predict': act('model.predict', RUNS, ['model.used']),
  'POST /v1/models/:/explain': act('model.explain', RUNS, ['model.explained']),
  'POST /v1/uses/check': act('model.check-use', LOOKS, []),
  'POST /v1/models/:/withdraw': act('model.withdraw', DECIDES, ['model.withdrawn']),
  'POST /v1/models/:/restore': act('model.restore', DECIDES, ['model.restored']),
  'POST /v1/consent': act('consent.record', HANDLES, ['consent.recorded']),
  'POST /v1/consent/import': act('consent.import', HANDLES, ['consent.recorded']),
  'POST /v1/consent/export': act('consent.export', HANDLES, []),
  'POST /v1/consent/receipt': act('consent.receipt', HANDLES, []),
  'POST /v1/consent/show': act('consent.show', HANDLES, []),
  'POST /v1/consent/restart': act('consent.restart', DECIDES, ['consent.restarted']),
  'POST /v1/subjects/report': act('subject.report', HANDLES, []),
  'POST /v1/subjects/key': act('subject.key', HANDLES, ['subject.disclosed']),
  'POST /v1/subjects/file': act('subject.file', HANDLES, ['subject.disclosed']),
  'POST /v1/subjects/erase': act('subject.erase', DECIDES, ['subject.erased']),
  'POST /v1/audit/round': act('audit.round', LOOKS, []),
  'POST /v1/audit/check': act('audit.check', LOOKS, []),
  'POST /v1/supply/import': act('supply.import', RUNS, ['supply.recorded']),
  'POST /v1/supply/recall': act('supply.recall', DECIDES, ['supply.recalled', 'supply.recall-slice']),
  'POST /v1/supply/lift': act('supply.lift', DECIDES, ['supply.lifted', 'supply.list-lifted']),
  'POST /v1/supply/product': act('supply.product', DECIDES, ['supply.product']),
  'POST /v1/catalogue': act('catalogue.announce', DECIDES, ['catalogue.announced']),
  'POST /v1/catalogue/:/withdraw': act('catalogue.withdraw', DECIDES, ['catalogue.withdrawn']),
  'POST /v1/access': act('access.ask', DECIDES, ['access.asked']),
  'POST /v1/access/grant': act('access.grant', DECIDES, ['access.granted']),
  'POST /v1/access/refuse': act('access.refuse', DECIDES, ['access.refused']),
  'POST /v1/access/revoke': act('access.revoke', DECIDES, ['access.revoked']),
  'POST /v1/counts': act('count.ask', HANDLES, ['count.asked']),
  'POST /v1/settlements': act('settlement.propose', DECIDES, ['settlement.proposed', 'settlement.confirmed']),
  'POST /v1/settlements/confirm': act('settlement.confirm', DECIDES, ['settlement.confirmed']),
  'POST /v1/settlements/refuse': act('settlement.refuse', DECIDES, ['settlement.refused']),
  'POST /v1/settlements/measure': act('settlement.measure', RUNS, ['value.measured']),
  'POST /v1/trials': act('trial.propose', DECIDES, ['trial.protocol']),
  'POST /v1/trials/:/approve': act('trial.approve', DECIDES, ['trial.approved']),
  'POST /v1/trials/:/withdraw': act('trial.withdraw', DECIDES, ['trial.withdrawn']),
  'POST /v1/trials/:/list': act('trial.list', HANDLES, ['trial.list']),
  'POST /v1/trials/:/enrol': act('trial.enrol', HANDLES, ['trial.enrolled']),
  'POST /v1/trials/:/event': act('trial.event', HANDLES, ['trial.event']),
  'POST /v1/trials/:/arm': act('trial.arm', HANDLES, ['trial.event']),
  'POST /v1/trials/:/participant': act('trial.participant', HANDLES, []),
  'POST /v1/trials/:/without-consent': act('trial.without-consent', HANDLES, []),
  'POST /v1/trials/:/open': act('trial.open', HANDLES, ['trial.opened']),
  'POST /v1/trials/:/unseal': act('trial.unseal', DECIDES, ['trial.unsealed']),
  'POST /v1/trials/:/lock': act('trial.lock', DECIDES, ['trial.locked']),
  'POST /v1/trials/:/unlock': act('trial.unlock', DECIDES, ['trial.unlocked']),
  'POST /v1/trials/:/reveal': act('trial.reveal', HANDLES, []),
  'POST /v1/backup': act('backup.make', RUNS, ['operator.backup']),
  'POST /v1/log/correct': act('log.correct', DECIDES, ['operator.corrected']),
  'POST /v1/log/prune': act('log.prune', RUNS, ['operator.pruned']),
  'POST /v1/log/redact': act('log.redact', DECIDES, ['operator.redacted']),
  'POST /v1/people': act('person.enrol', DECIDES, ['person.enrolled']),
  'POST /v1/people/revoke': act('person.revoke', DECIDES, ['person.revoked']),
  'POST /v1/people/forget': act('person.forget', DECIDES, []),
} as const

export type ActPattern = keyof typeof ACTS

function act(action: string, roles: readonly Role[], leads: readonly Kind[]): Act {
  return { action, roles, leads }
}

/** Kinds that a node also writes unasked: at its stop, after a pruning of its own, where it tells later what was said or done before, or computes what others did. */
const UNASKED: ReadonlySet<Kind> = new Set<Kind>([
  'node.stopped',
  'dataset.bound',
  'study.statistics',
  'study.enough',
  'operator.pruned',
  'operator.backup',
  'consent.recorded',
  'settlement.confirmed',
  'settlement.refused',
  'value.measured',
])

const BY_ACTION: ReadonlyMap<string, Act> = new Map(Object.values(ACTS).map((one) => [one.action, one]))
const ASKED_FOR: ReadonlySet<string> = new Set(
  Object.values(ACTS).flatMap(({ leads }) => leads.filter((kind) => !UNASKED.has(kind))),
)

/** The act of that name; undefined of one that another version knows. */
export function actNamed(action: string): Act | undefined {
  return BY_ACTION.get(action)
}

/** Whether entries of this kind come of somebody's call alone: where people sign, each has its sign-off. */
export function isAskedFor(kind: string): boolean {
  return ASKED_FOR.has(kind)
}

/** Whether a call needs a sign-off where people sign. */
export function isAct(pattern: string): pattern is ActPattern {
  return Object.hasOwn(ACTS, pattern)
}

/** The act that a call is; null of one that this version does not know, and of those that need nobody. */
export function actAt(method: string, path: string): Act | null {
  const given = (path.split('?')[0] as string).split('/')
  for (const [pattern, found] of Object.entries(ACTS)) {
    const [verb, shape = ''] = pattern.split(' ')
    const wanted = shape.split('/')
    const fits = verb === method && wanted.length === given.length
    if (fits && wanted.every((part, i) => part === ':' || part === given[i])) return found
  }
  return null
}

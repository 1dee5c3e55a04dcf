/**
 * What an observer has no part in. Its node replicates, witnesses and votes, and its people approve changes of the members, suspend, and
 * take models back, as any member's may; what hospitals do in studies is theirs.
 */
import type { Act } from './roles.ts'

/** Families of kinds that count of hospitals alone: nodes pass such an entry of an observer over, reports may show it as declared. */
const OF_HOSPITALS: ReadonlySet<string> = new Set([
  ...['study', 'dataset', 'round', 'privacy', 'agreement', 'catalogue', 'access', 'count', 'settlement', 'value'],
])

/** Why an observer may not, for whoever asks. */
export const OBSERVER_REFUSAL = {
  code: 'observer',
  message:
    'this member is an observer: it witnesses, votes and verifies, and takes part in no study and no agreement; ask a hospital',
} as const

/** Whether an act leads to such entries, so that an observer's node refuses it. */
export function isForHospitals({ leads }: Act): boolean {
  return leads.some(isOfHospitals)
}

/** Whether an entry of this kind counts of a hospital alone. */
export function isOfHospitals(kind: string): boolean {
  return OF_HOSPITALS.has(kind.slice(0, kind.indexOf('.')))
}

/**
 * What an observer has no part in. Its node replicates, witnesses and votes, and its people approve changes of the members, suspend, and
 * take models back, as any member's may; what hospitals do in studies is theirs.
 */

/** Families of kinds that count of hospitals alone: whoever reads such an entry of an observer passes it over. */
const OF_HOSPITALS: ReadonlySet<string> = new Set(['study', 'dataset', 'round', 'privacy', 'agreement'])

/** Why an observer may not, for whoever asks. */
export const OBSERVER_REFUSAL = {
  code: 'observer',
  message:
    'this member is an observer: it witnesses, votes and verifies, and takes part in no study and no agreement; ask a hospital',
} as const

/** Whether an entry of this kind counts of a hospital alone. */
export function isOfHospitals(kind: string): boolean {
  return OF_HOSPITALS.has(kind.slice(0, kind.indexOf('.')))
}

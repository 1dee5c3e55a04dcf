/** Purposes of use as the GA4GH Data Use Ontology has them (Lawson et al. 2021): the codes that a study names and a person agrees to. */

/** Kinds of use, each with those that are part of it. */
const USES = {
  'DUO:0000004': { label: 'any use', within: ['DUO:0000042', 'DUO:0000006', 'DUO:0000007', 'DUO:0000011'] },
  'DUO:0000042': { label: 'general research', within: ['DUO:0000006', 'DUO:0000007', 'DUO:0000011'] },
  'DUO:0000006': { label: 'health, medical or biomedical research', within: ['DUO:0000007'] },
  'DUO:0000007': { label: 'research into one disease', within: [] },
  'DUO:0000011': { label: 'research into population origins or ancestry', within: [] },
} as const

/** Conditions on a use. Who declares one that is stricter declares those `within` it, too. */
const CONDITIONS = {
  'DUO:0000018': { label: 'not for profit, and no commercial use', within: ['DUO:0000045', 'DUO:0000046'] },
  'DUO:0000045': { label: 'by organisations not for profit alone', within: [] },
  'DUO:0000046': { label: 'no commercial use', within: [] },
  'DUO:0000021': { label: 'approved by an ethics committee', within: [] },
} as const

type Use = keyof typeof USES
type Condition = keyof typeof CONDITIONS
export type DuoCode = Use | Condition

export const DUO_CODES = [...Object.keys(USES), ...Object.keys(CONDITIONS)] as readonly DuoCode[]

/** The numbers of the codes in the ontology: what entries have, where a code would look like a record number to the fence around the ledger. */
export const DUO_NUMBERS: readonly number[] = DUO_CODES.map(duoNumber)

/** `6` of `DUO:0000006`. */
export function duoNumber(code: DuoCode): number {
  return Number(code.slice('DUO:'.length))
}

/** The code of a number that is in the ontology. */
export function duoCode(number: number): DuoCode {
  return DUO_CODES[DUO_NUMBERS.indexOf(number)] as DuoCode
}

/** What people read for a code. */
export function duoLabel(code: DuoCode): string {
  return code in USES ? USES[code as Use].label : CONDITIONS[code as Condition].label
}

/** True of kinds of use; false of conditions. */
export function isUse(code: DuoCode): code is Use {
  return code in USES
}

/** Whether who agreed to `given` has agreed to all that is `wanted`, under the conditions that `wanted` declares. */
export function covers(given: readonly DuoCode[], wanted: readonly DuoCode[]): boolean {
  const uses = given.filter(isUse)
  const declared = new Set<DuoCode>(wanted.flatMap((code) => [code, ...partsOf(code)]))
  const agreed = wanted.filter(isUse).every((use) => uses.some((one) => one === use || isWithin(one, use)))
  return agreed && given.every((code) => isUse(code) || declared.has(code))
}

/** Whether `refused` and `wanted` have a use in common: the one is the other, or part of it. A condition softens no refusal. */
export function touches(refused: readonly DuoCode[], wanted: readonly DuoCode[]): boolean {
  const uses = wanted.filter(isUse)
  return refused
    .filter(isUse)
    .some((one) => uses.some((use) => one === use || isWithin(one, use) || isWithin(use, one)))
}

const partsOf = (code: DuoCode): readonly DuoCode[] => (isUse(code) ? USES[code].within : CONDITIONS[code].within)
const isWithin = (wide: Use, narrow: Use): boolean => (USES[wide].within as readonly Use[]).includes(narrow)

/** A study with three members, and its report from entries given by hand. */
import { parseStudy, studyDocument, studyIdOf } from '../../src/config/study.ts'
import type { Cbor } from '../../src/core/cbor.ts'
import type { Digest, MemberId, StudyId } from '../../src/core/ids.ts'
import { Lineages } from '../../src/governance/lineages.ts'
import { ReportFold } from '../../src/report/fold.ts'
import type { Report } from '../../src/report/report.ts'
import { SOUND } from '../governance/sound.ts'

const TEXT = `name: '<script>alert(1)</script> & more'
purpose: to be looked at
label: { name: ill, positive: 'yes', negative: 'no' }
features:
  - { name: age, kind: number }
  - { name: sex, kind: category, levels: [f, m] }
report: { subgroups: [{ feature: sex }] }
`
export const TERMS = parseStudy(TEXT, 'page.yaml')
export const PRIVATE_TERMS = parseStudy(`${TEXT}privacy: { noiseMultiplier: 4, epsilonMax: 3 }\n`, 'private.yaml')
const ID = studyIdOf(studyDocument(TERMS))
export const [ADA, BEN, CEM] = ['a', 'b', 'c'].map((digit) => digit.repeat(64)) as [MemberId, MemberId, MemberId]
const NAMES = new Map([
  [ADA, 'Ada "North" <b>'],
  [BEN, 'Ben'],
  [CEM, 'Cem'],
])

/** Who wrote what, of another study where one is named. */
export type Told = readonly [MemberId, string, Cbor | null, StudyId?]

/** The report at Ben's of entries a minute apart. */
export function fold(entries: readonly Told[], terms = TERMS): Report {
  const nameOf = (member: MemberId) => NAMES.get(member) ?? member
  const proposedAtMs = 1_790_000_000_000
  const all = new ReportFold({ id: ID, terms, proposedBy: ADA, proposedAtMs, members: [ADA, BEN, CEM], nameOf })
  const lineages = new Lineages()
  for (const [i, [author, kind, body, study]] of entries.entries()) {
    const entry = { author, seq: i, kind, body, study: study ?? ID, timeMs: proposedAtMs + i * 60_000 }
    all.add({ ...entry, hash: `${i}`.padStart(64, '0') as Digest })
    lineages.tell(entry)
  }
  const made = { atMs: 1_790_001_000_000, by: 'Ben', software: '0.1.0', founding: 'c'.repeat(64) }
  return all.report(made, lineages.of(ID))
}

export const CLAIM = { epsilon: 1.5, delta: 0.0042, sampleRate: 0.25, noiseMultiplier: 4 }
export const trained = (privacy: object) => ({ ...SOUND['round.trained'], loss: null, privacy }) as Cbor

/** The text that goes beside an export: what it is, which parts of which rule it has data for, and what nobody can read from it. */
import { AI_ACT_PROVISIONS } from './aiAct.ts'
import type { ViewName } from './views.ts'

/** What is said of one file. */
export interface AboutExport {
  readonly view: ViewName | 'hipaa'
  readonly file: string
  readonly consortium: string
  readonly fingerprint: string
  readonly filter: string
  readonly lines: number
  readonly entries: number
  /** The file of proofs, or null where there is none. */
  readonly proofs: string | null
}

/** Lines of plain text, without line ends. */
export function aboutLines(about: AboutExport): string[] {
  const { view, file, consortium, fingerprint, filter, lines, entries, proofs } = about
  return [
    `${file}: ${TITLES[view]}`,
    '',
    `consortium   ${consortium}`,
    `fingerprint  ${fingerprint}`,
    `filter       ${filter}`,
    `lines        ${lines}, from ${entries} entries of the members' logs`,
    ...(proofs === null
      ? []
      : [`proofs       ${proofs}, checked by: consilium log check-export ${file} --root "${fingerprint}"`]),
    '',
    ...COVERS[view],
    '',
    'What holds for every export:',
    '- Each line is what a hospital declared in its log. The log proves what was declared and in which order, not that it is true; times are by the hospitals’ clocks.',
    '- Patients, people and tables appear as tags, commitments and digests. Hospitals are named as in the founding and the changes of the members.',
    '- What happened outside Consilium, and what the filter left out, is not in it.',
    '- It provides data for those who have to judge. It does not say that anybody complies with anything.',
  ]
}

const TITLES: Readonly<Record<AboutExport['view'], string>> = {
  'fhir-audit': 'FHIR R4 AuditEvent, one resource in each line (NDJSON)',
  'fhir-provenance': 'FHIR R4 Provenance, one resource in each line (NDJSON)',
  csv: 'entries as CSV (RFC 4180), UTF-8',
  'ai-act': 'events after Article 12 of Regulation (EU) 2024/1689, one JSON object in each line',
  hipaa: 'data for an accounting of disclosures (45 CFR 164.528) for one patient, as CSV',
}

const PARTS = Object.entries(AI_ACT_PROVISIONS).map(([part, places]) => `  ${part.padEnd(10)} ${places.join(', ')}`)

const COVERS: Readonly<Record<AboutExport['view'], readonly string[]>> = {
  'fhir-audit': [
    'Each resource has the structure of R4 (4.0.1); where meta.profile names a profile of IHE Basic Audit Log Patterns (BALP 1.1.4), that of the profile as well:',
    'Create, PatientCreate, Update, PatientUpdate, Query, AuthZconsent, PrivacyDisclosure.Source.',
    '- meta.tag of the system urn:consilium:entry-state says whether the entry is final, pending or disputed.',
    '- These patterns are of RESTful operations. Here an entry is the operation of its author’s node on the log that all members have; network addresses are keys.',
    '- AuthZconsent: permit where training rested on patients’ words or access was granted, deny where an agreement forbade an act or access was refused or taken back. Patients are told of together; none is named.',
    '- PrivacyDisclosure.Source: what opens a patient’s records in the log was handed out. To whom is known to the hospital alone.',
    '- Participants of trials are tags; where an entry has none, the hash of their enrolment, or the list and position that the enrolment has too.',
    '- Where a body was dropped or does not fit its kind, outcomeDesc says so, and nothing of it is told.',
    '- id is the hash of the entry, so that two exports of one entry have one id; recorded is the time that the entry claims.',
  ],
  'fhir-provenance': [
    'Registered and bound tables, updates, merged, calibrated and exported models. Entities are what each was made of; agents are hospitals.',
    '- meta.tag of the system urn:consilium:entry-state says whether the entry is final, pending or disputed. Entries whose body was dropped have no line.',
    '- Updates and models are digests of weights, tables keyed commitments: who has the file can compare, nobody else learns anything.',
  ],
  csv: [
    'All entries, with the same columns in every export. Cells that a spreadsheet would take for a formula begin with an apostrophe.',
    '- "fields" is the body as JSON; empty where the body was dropped or is of another version.',
  ],
  'ai-act': [
    'Which parts of the article the events have data for (a reading, not legal advice):',
    ...PARTS,
    '- Paragraph 3 binds remote biometric identification (Annex III 1(a)) alone. Its letters (a) to (d) are named where an entry has such data all the same:',
    '  start and end of each use; which tables a model learned from, for there is no reference database; commitments to the inputs; who signed, as a pseudonym.',
    '- Not in it: Article 12(1) (that logging is built in), Article 19 (that logs are kept; how long is in config.yaml), incidents that nobody recorded, the outputs themselves.',
    '- Where "body" is not "there" it was dropped or does not fit: start, end, runs, rows and whatever else it would tell are null.',
    '- Uses whose rows are fewer than the minimum cohort have rows null.',
  ],
  hipaa: [
    'What the log and the vault of this hospital know of 164.528(b)(2): date, recipient, brief description, purpose; repeated disclosures to one recipient for one purpose are summed up as (b)(3) allows: first, last, number.',
    '- Listed: model updates that were computed from rows of this patient among others, and went to the members of a study. Whether that is a disclosure of protected health information is for the hospital to judge: no record left.',
    '- Recipients are the members whose acceptance of the study this hospital had read when it computed the update; whether each fetched it nobody records.',
    '- Studies that ask no patients are not in it: of those the log does not know whose rows they use.',
    '- Addresses of recipients are not known here. Disclosures to the patient, for treatment, payment and operations are not listed, nor any that was made outside Consilium: (a)(1) and the hospital’s other systems.',
    '- What a line sums up can be proven entry by entry: consilium subject file, consilium log proof.',
    '- The file names one patient’s studies: it is for the patient and for nobody else. The record number is not in it.',
  ],
}

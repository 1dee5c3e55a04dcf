/** The text that goes beside an export: what it is, which parts of which rule it has data for, and what nobody can read from it. */
import type { Kind } from '../../governance/kinds.ts'
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
    `lines        ${lines}, from ${entries} ${view === 'hipaa' ? "updates of this hospital's log" : "entries of the members' logs"}`,
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

/** Kinds by which figures that rest on patients' rows reach the members. */
const FIGURES: readonly Kind[] = [
  ...(['study.statistics', 'count.answered', 'round.evaluated', 'round.personal', 'study.measured'] as const),
  ...(['study.crossed', 'study.calibrated', 'value.measured', 'privacy.audited', 'model.explained'] as const),
  ...(['model.exported', 'catalogue.announced', 'dataset.registered'] as const),
]

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
    'Data for 164.528(b)(2) to (4): model updates that went to the members of a study, a line for each study and recipient. "ground" says why a line is there.',
    'Whether an update is a disclosure of protected health information at all, and under which permission it went, is for the hospital to judge: no record left.',
    '- "asked": computed from rows of this patient among others, in a study that uses who said yes. Disclosures under an authorization (164.508) need no accounting, by (a)(1)(iv).',
    '- "used unless the patient said no": the same in a study that uses who did not refuse. Not to refuse is no authorization: (b)(2).',
    '- "asked nobody": whose rows they were the log does not know. Research without authorization, by a waiver or else under 164.512(i), has to be accounted for;',
    '  where it is for 50 or more individuals, (b)(4) takes a line as it is here: the activity, its purpose, the kind of data, the period with the last date, and that it may or may not be of this patient.',
    '  How many individuals they are the hospital has to judge: the log has rows. Of fewer, (b)(2) asks for the disclosures that are of this patient. To be added for (b)(4): how records were chosen,',
    '  and names, addresses and telephone numbers of the sponsor and of the researchers. Who proposed the study is named; that need not be the sponsor.',
    '- A line sums up all updates in the period: first, last, number. (b)(3) allows that for disclosures under 164.502(a)(2)(ii) and 164.512 alone; of others each date is wanted:',
    '  consilium subject report --json lists each round of studies that asked, consilium log export --form csv --kind round.trained --study STUDY those of any.',
    '- Not listed: figures beside updates that went to the members, which rest on rows of patients too, no entry says whose. consilium log export --form csv has them, with --member and this hospital,',
    `  --since and --until as here, and --kind ${FIGURES.join(',')}`,
    '- Not counted: updates whose entry has lost its body, taken back (log redact) or dropped; their times stay in the log.',
    '- Recipients are the members whose acceptance of the study this hospital had read when it computed the update; whether each fetched it nobody records.',
    '- Addresses of recipients are not known here. Disclosures to the patient, for treatment, payment and operations are not listed, nor any that was made outside Consilium: (a)(1) and the hospital’s other systems.',
    '- Each entry that a line sums up can be proven: consilium log proof. What the patient checks without this hospital: consilium subject report --out.',
    '- The file names one patient’s studies: it is for the patient and for nobody else. The record number is not in it.',
  ],
}

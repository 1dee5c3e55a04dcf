/** What the control API answers about patients, as the command line reads it. Record numbers come in, and go out to nobody. */
import type { AccountedResearch } from '../report/exports/accounting.ts'

/** `POST /v1/consent`. */
export interface SaidReport {
  readonly decision: 'permit' | 'deny'
  readonly study: string | null
  readonly purposes: readonly string[] | null
  readonly receivedAtMs: number
  readonly effectiveAtMs: number
}

/** One word of a patient. Times in milliseconds since 1970. */
export interface WordReport extends SaidReport {
  readonly by: string
  readonly speaker: string | null
  readonly fromMs: number | null
  readonly toMs: number | null
  readonly form: string
  readonly commitment: string
  /** The entry that tells of it; null where none does yet. */
  readonly entry: string | null
}

/** `POST /v1/consent/show`. */
export interface PatientReport {
  /** In the order in which they were recorded. */
  readonly words: readonly WordReport[]
  /** What holds now, in each study that asks patients. `rule`: the place of the word that it rests on; null where it is the basis. */
  readonly studies: readonly {
    readonly study: string
    readonly name: string
    readonly basis: string
    readonly permitted: boolean
    readonly rule: number | null
  }[]
}

/** `POST /v1/subjects/report`. */
export interface SubjectReport {
  readonly hospital: string
  readonly words: readonly WordReport[]
  readonly studies: readonly SubjectStudyReport[]
}

/** Where one study used a patient's rows. */
export interface SubjectStudyReport {
  readonly study: string
  readonly name: string
  readonly purpose: string
  readonly purposes: readonly string[]
  readonly basis: string
  readonly permittedNow: boolean
  /** Rounds of this hospital that rest on a set in which the patient was permitted, oldest first. */
  readonly rounds: readonly {
    readonly round: number
    readonly timeMs: number
    readonly entry: string
    readonly update: string
    readonly rows: number
  }[]
  /** Other members that had accepted the study, each with how many of the rounds had been computed before this hospital knew of it. */
  readonly recipients: readonly { readonly member: string; readonly after: number }[]
  /** Models of any member that descend from those rounds: as declared by their makers. Using stops with a revocation; what a model has learnt stays. */
  readonly models: readonly {
    readonly member: string
    readonly round: number
    readonly model: string
    readonly entry: string
  }[]
}

/** `GET /v1/research`. */
export interface ResearchReport {
  readonly hospital: string
  /** What went out in studies that ask no patients. */
  readonly studies: readonly AccountedResearch[]
}

/** `POST /v1/consent/receipt`. */
export interface ReceiptReport {
  /** What the patient is called in it. */
  readonly subject: string
  readonly words: number
  /** Words of which the ledger tells by now. */
  readonly recorded: number
  /** JSON-LD. */
  readonly document: unknown
  /** HTML. */
  readonly page: string
}

/** `POST /v1/subjects/key`. */
export interface SubjectKeyReport {
  /** What `formatSubjectKey` gives. */
  readonly key: string
  readonly hospital: string
  readonly consortium: string
  readonly fingerprint: string
}

/** `POST /v1/subjects/file`: what the offline page checks against a bundle. Bytes as hex; nobody's name, number or key is in it. */
export interface PatientFile extends Omit<SubjectKeyReport, 'key'> {
  readonly format: 'consilium-patient/1'
  readonly made: string
  /** The hospital's key. */
  readonly member: string
  /** Salt and canonical bytes of each word, in the order in which they were recorded. */
  readonly words: readonly (readonly [salt: string, bytes: string])[]
  readonly studies: readonly {
    readonly study: string
    /** How the patient stood in each set that rounds rest on, oldest first (`SubjectOpening`). */
    readonly openings: readonly {
      readonly root: string
      readonly atMs: number
      readonly permitted: boolean
      readonly rows: number
      readonly words: number
      readonly index: number
      readonly size: number
      readonly path: readonly string[]
    }[]
  }[]
}

/** `POST /v1/consent/restart`. `kept`: where the vault that could not serve lies now; null where there was none. */
export interface RestartReport {
  readonly words: number
  readonly kept: string | null
  readonly reason: string
}

/** `POST /v1/subjects/erase`. */
export interface ErasedReport {
  readonly subjects: number
  readonly reason: string
}

/** `POST /v1/audit/round` and `/v1/audit/check`; and what is found offline, in a bundle. */
export interface AuditReport {
  readonly entry: string
  readonly member: string
  readonly study: string
  readonly round: number
  readonly timeMs: number
  readonly basis: string
  /** The root in the entry, and the one that the patients' leaves give. */
  readonly declared: string
  readonly root: string
  /** Patients in the set; those of them who may be used, and their rows. */
  readonly patients: number
  readonly permitted: number
  readonly rows: number
  /** Words that say no, of patients in the set. */
  readonly denials: number
  /** When the round can have begun at the earliest: its author's merge before it; null where the log, as far as it is there, does not tell. */
  readonly sinceMs: number | null
  /** Words that the log had told of before that, and those of them that nothing opens. */
  readonly recorded: number
  readonly unopened: number
  /** Words that the log tells of in entries that are not there, at least. */
  readonly missing: number
  readonly erased: number
  /** How sure the round's entry is. */
  readonly state: string
  /** What does not fit; empty where everything does. */
  readonly faults: readonly string[]
}

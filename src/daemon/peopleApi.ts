/** What the control API answers about people who act for hospitals, as the command line reads it. Names are known at their own hospital alone. */

/** One enrolment. Times in milliseconds since 1970. */
export interface PersonReport {
  /** The commitment that the log calls this person by. */
  readonly person: string
  /** Null where it is not known here. */
  readonly name: string | null
  readonly key: string
  readonly fingerprint: string
  readonly roles: readonly string[]
  readonly entry: string
  readonly enrolledAtMs: number
  /** Null while it holds. */
  readonly ended: { readonly entry: string; readonly atMs: number; readonly reason: string } | null
}

/** `GET /v1/people`. */
export interface PeopleReport {
  readonly hospital: string
  readonly member: string
  readonly founding: string
  /** The entry since which every act here needs a sign-off; null while none does. */
  readonly requiredSince: string | null
  readonly people: readonly PersonReport[]
}

/** `POST /v1/people/forget`. */
export interface ForgottenReport {
  readonly person: string
}

/** Who signed for an entry, as `log show` tells it. */
export interface SignedForReport {
  /** The entry `person.acted`. */
  readonly person: string | null
  readonly name: string | null
  readonly roles: readonly string[]
  readonly action: string
  readonly signedAtMs: number
  readonly entry: string
  /** What is wrong with it; null where it was verified. */
  readonly fault: string | null
}

/** `GET /v1/audit/people`, one for each log. */
export interface PeopleAudit {
  readonly member: string
  readonly name: string
  readonly requiredSince: string | null
  readonly enrolled: number
  readonly signOffs: number
  /** Entries that should have a sign-off and have none. */
  readonly unsigned: number
  readonly faults: readonly { readonly entry: string; readonly what: string }[]
  /** Faults beyond those. */
  readonly moreFaults: number
  /** Where who has that hospital's data folder declared all enrolments void, and why. */
  readonly resets: readonly { readonly entry: string; readonly reason: string }[]
}

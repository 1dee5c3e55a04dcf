/** What the control API answers about agreements, as the command line reads it: as declared by the hospitals in their logs. */

/** One agreement in a list. Names of members are those of this node. */
export interface AgreementLine {
  readonly agreement: string
  readonly name: string
  readonly status: string
  /** Why it was refused or ended, by whom, and the entry; null elsewhere. */
  readonly because: { readonly code: string; readonly by: string; readonly entry: string } | null
  readonly studies: readonly { readonly study: string; readonly name: string | null }[]
  readonly signed: number
  readonly required: number
  readonly expires: number
  /** Whether this hospital is among the parties. */
  readonly ours: boolean
}

/** `GET /v1/agreements/:`. */
export interface AgreementReport extends AgreementLine {
  /** In base64. */
  readonly document: string
  readonly proposals: readonly { readonly by: string; readonly entry: string }[]
  readonly parties: readonly {
    readonly name: string
    readonly required: boolean
    readonly word: string
    readonly clause: string | null
    readonly entry: string | null
  }[]
  readonly workflow: { readonly final: string; readonly known: string } | null
  readonly duties: readonly {
    readonly duty: string
    readonly dueMs: number | null
    readonly done: { readonly by: string; readonly entry: string } | null
  }[]
  /** Keys and names, as the document has keys. */
  readonly members: readonly { readonly key: string; readonly name: string }[]
}

/** One clause held against an act at this node. */
export interface ClauseReport {
  readonly clause: string
  readonly allows: boolean
  readonly code: string | null
  readonly says: string
  readonly entry: string | null
  readonly ask: readonly string[]
}

/** `POST /v1/agreements/check`. */
export interface CheckReport {
  readonly study: string
  readonly studyName: string
  readonly action: string
  readonly allowed: boolean
  /** The refusal in one line, with the entry and whom to ask; null where the act is allowed. */
  readonly refusal: { readonly code: string; readonly message: string } | null
  /** Of every agreement that names the study and this hospital, and of the file that is tried. */
  readonly agreements: readonly {
    readonly agreement: string
    readonly name: string
    readonly status: string
    readonly clauses: readonly ClauseReport[]
  }[]
  /** What guards may ask about, as it is now. */
  readonly inputs: Readonly<Record<string, string | boolean | readonly string[]>>
}

/** What a word of this hospital has come to. */
export interface AgreementSaid {
  readonly agreement: string
  readonly name: string
  readonly status: string
  readonly entry: string | null
}

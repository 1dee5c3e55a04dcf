/** What the calls about models answer: the shapes that the CLI and other programs read. Digests and keys are hex. */
import type { ValueWarning } from '../data/rawRows.ts'
import type { Importance } from '../learn/explain.ts'
import type { ModelDescription } from '../learn/portable/description.ts'

/** A withdrawal that binds at this node: by whom, why, and the entry that says it. */
export interface WithdrawalReport {
  readonly author: string
  readonly model: string
  readonly by: string
  readonly reason: string
  readonly entry: string
}

/** `GET /v1/models`: the newest model of each member in each study. `rounds` went into it. */
export interface ModelLine {
  readonly study: string
  readonly studyName: string
  readonly member: string
  readonly name: string
  readonly model: string
  readonly rounds: number
  readonly entry: string
  /** Whether its weights are here, so that it can be used, explained and exported. */
  readonly held: boolean
  readonly withdrawn: WithdrawalReport | null
}

/** `GET /v1/models/:`. A model or an update, and what it was made of. */
export interface ModelDetails extends ModelLine {
  readonly making: 'trained' | 'merged'
  readonly inputs: readonly { readonly name: string; readonly model: string }[]
  readonly ancestors: number
  /** Members whose data went into it, directly or through others' models. */
  readonly members: readonly string[]
  readonly descendants: number
  /** All that was said of it, by whom. */
  readonly words: readonly {
    readonly name: string
    readonly withdrawn: boolean
    readonly reason: string | null
    readonly entry: string
  }[]
}

/** An entry of the model's use, in whoever's log. */
export interface UseReport {
  readonly entry: string
  readonly name: string
  readonly kind: string
  readonly timeMs: number
  readonly model: string
  /** Predicted rows; null where they were fewer than the minimum cohort, and for exports. */
  readonly rows: number | null
}

/** `POST /v1/models/:/withdraw` and `…/restore`. */
export interface WithdrawReport {
  readonly study: string
  readonly studyName: string
  readonly author: string
  readonly model: string
  readonly making: 'trained' | 'merged'
  readonly rounds: number
  /** Null of a dry run. */
  readonly entry: string | null
  /** Whether it binds here, and at all others too. */
  readonly binds: { readonly here: boolean; readonly everywhere: boolean }
  readonly descendants: { readonly models: number; readonly members: readonly string[] }
  /** Members whose newest model descends from it: their nodes train no more in this study while it binds them. */
  readonly stops: readonly string[]
  /** Exports and predictions of it and of its descendants, newest first, `usesLeftOut` more apart. */
  readonly uses: readonly UseReport[]
  readonly usesLeftOut: number
}

/** `POST /v1/models/:/export`. `content` is base64; `name` is empty where the export is one file. */
export interface ModelExportReport {
  readonly description: ModelDescription
  readonly files: readonly { readonly name: string; readonly content: string }[]
}

/** `POST /v1/models/:/predict`. */
export interface PredictReport {
  readonly study: string
  readonly model: string
  readonly rounds: number
  readonly rows: number
  readonly warnedRows: number
  readonly rowsWithoutPrediction: number
  /** Rows by feature and warning, most first. */
  readonly warnings: readonly { readonly feature: string; readonly warning: ValueWarning; readonly rows: number }[]
}

/** `POST /v1/models/:/explain`. */
export interface ExplainReport {
  readonly study: string
  readonly model: string
  readonly rounds: number
  readonly rows: number
  readonly repeats: number
  readonly auc: number | null
  readonly logLoss: number
  readonly importances: readonly Importance[]
}

/** `GET /v1/models/:/known`: which entries tell of a digest. */
export interface KnownReport {
  readonly found: readonly ModelLine[]
}

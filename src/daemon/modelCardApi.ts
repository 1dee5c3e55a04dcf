/** The shape of a model card: `GET /v1/models/:/card`, after Mitchell et al. 2019, "Model cards for model reporting". */
import type { Feature, Study } from '../config/study.ts'
import type { UseReport, WithdrawalReport } from './modelApi.ts'

/** What one hospital declared of the data that it trained on. */
export interface CardDataset {
  readonly name: string
  readonly member: string
  readonly rows: number
  readonly trainRows: number
  /** Salted digest of the table; the salt stays at the hospital. */
  readonly commitment: string
  readonly entry: string
  /** Rounds that it trained, and whether its data is in this model, directly or through others' models. */
  readonly rounds: number
  readonly inThisModel: boolean
}

/** What one hospital measured on its own held-out patients; null where they were fewer than the minimum cohort. */
export interface CardMetrics {
  readonly name: string
  readonly entry: string
  readonly rounds: number
  readonly model: string
  readonly examples: number | null
  readonly auc: number | null
  readonly accuracy: number | null
  readonly logLoss: number | null
  readonly calibrationError: number | null
}

/** What one hospital's newest update said of its privacy. */
export interface CardPrivacy {
  readonly name: string
  readonly entry: string
  readonly claim: Readonly<Record<string, unknown>>
}

/** Entries of other kinds that evaluate a study, as recorded: one hospital's newest of each kind. */
export interface CardRecord {
  readonly name: string
  readonly kind: string
  readonly entry: string
  readonly body: unknown
}

/** Everything in it was declared in the members' logs; `cut` says up to where they were read. */
export interface ModelCard {
  readonly format: 'consilium-model-card/1'
  readonly notice: string
  readonly model: {
    readonly digest: string
    readonly rounds: number
    readonly heldBy: string
    readonly kind: string
    readonly hidden: readonly number[]
    readonly sharedParameters: number
    readonly withdrawn: WithdrawalReport | null
  }
  readonly study: {
    readonly id: string
    readonly name: string
    readonly proposedBy: string
    readonly proposedAtMs: number
  }
  readonly intendedUse: {
    readonly purpose: string
    readonly label: Study['label']
    readonly outOfScope: readonly string[]
  }
  readonly factors: readonly Feature[]
  readonly training: {
    readonly how: Study['training']
    readonly merge: Study['merge']
    readonly scaling: { readonly digest: string; readonly contributions: number }
    readonly datasets: readonly CardDataset[]
  }
  readonly lineage: {
    /** Updates and merges that lie behind this model. */
    readonly models: number
    readonly inputs: readonly { readonly name: string; readonly model: string }[]
  }
  readonly metrics: {
    readonly minimumCohort: number
    readonly sites: readonly CardMetrics[]
    readonly records: readonly CardRecord[]
  }
  readonly privacy: { readonly claims: readonly CardPrivacy[]; readonly notCovered: readonly string[] }
  readonly uses: { readonly entries: readonly UseReport[]; readonly leftOut: number }
  readonly limits: readonly string[]
  readonly verify: {
    readonly founding: string
    readonly fingerprint: string
    readonly cut: readonly {
      readonly name: string
      readonly member: string
      readonly entries: number
      readonly root: string
    }[]
  }
}

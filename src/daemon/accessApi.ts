/** What the control API answers about requests for datasets, as the command line reads it: as declared by the hospitals in their logs. */
import type { AccessStatus } from '../governance/access/requests.ts'

/** One request. Names of members are those of this node. */
export interface AccessLine {
  /** The entry that asks: `South/17`, as commands take it. */
  readonly ref: string
  readonly by: string
  /** `North/stroke-2026`. */
  readonly dataset: string
  readonly purposes: readonly { readonly code: string; readonly label: string }[]
  /** Null where it is for any use within its purposes. */
  readonly study: { readonly study: string; readonly name: string | null } | null
  readonly askedAtMs: number
  readonly untilMs: number
  readonly status: AccessStatus
  /** What that means, and what is to be done. */
  readonly says: string
  readonly reason: string | null
  /** Who made it so, in which entry; null where nobody has. */
  readonly rests: { readonly by: string; readonly entry: string } | null
  readonly grantedUntilMs: number | null
  /** Whether this hospital asks; whether it is asked. */
  readonly mine: boolean
  readonly ours: boolean
}

/** `GET /v1/access/show`. */
export interface AccessDetails extends AccessLine {
  /** What the owner said, in its order. */
  readonly words: readonly {
    readonly said: string
    readonly untilMs: number | null
    readonly reason: string | null
    readonly entry: string
    readonly state: string
  }[]
  /** What the asker may do now. */
  readonly permits: readonly string[]
}

/** `GET /v1/access/state`. Two nodes with the same cut have the same `state`. */
export interface AccessStateReport {
  /** Hex. */
  readonly state: string
  readonly cut: readonly { readonly name: string; readonly key: string; readonly final: number }[]
}

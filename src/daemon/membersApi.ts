/** What the control API answers about members, as the command line reads it: who they are, who is invited, suspended, proposed. */

/** `GET /v1/members`. Keys are hex. */
export interface MembersReport {
  readonly consortium: string
  readonly epoch: number
  /** Signatures of members that make a head final. */
  readonly quorum: number
  readonly members: readonly {
    readonly name: string
    readonly key: string
    readonly role: Role
    readonly fingerprint: string
    /** The epoch with which this key became a member's; 0 is the founding. */
    readonly sinceEpoch: number
    readonly self: boolean
    readonly connected: boolean
  }[]
  /** Keys of members that left, and how many entries of their logs count. */
  readonly former: readonly { readonly name: string; readonly key: string; readonly entries: number }[]
  /** Proposed for the next epoch, the most approved first. */
  readonly changes: readonly ChangeReport[]
  readonly suspensions: readonly SuspensionReport[]
}

export type Role = 'hospital' | 'observer'

/** A member of whom somebody says that its key is not to be trusted. */
export interface SuspensionReport {
  readonly name: string
  readonly key: string
  readonly self: boolean
  /** By whose word this node goes by it: the member's own, this node's, that of `needed` others; null where it does not. */
  readonly binds: 'own' | 'here' | 'members' | null
  readonly saidBy: readonly {
    readonly name: string
    readonly reason: string
    readonly entry: number
    readonly timeMs: number
  }[]
  readonly needed: number
  /** So many others lift what a member said of its own key. */
  readonly lifting: number
}

/** One invitation of this node. */
export interface InvitationReport {
  readonly id: string
  /** Who is invited; null where anybody is who holds the ticket. */
  readonly name: string | null
  readonly role: Role
  readonly propose: boolean
  readonly madeMs: number
  readonly expiresMs: number
  /** `held`: somebody came, and this hospital's people have not proposed it yet. */
  readonly state: 'open' | 'held' | 'proposed' | 'member' | 'revoked' | 'expired'
  /** Who came with the ticket. */
  readonly came: {
    readonly name: string
    readonly key: string
    readonly fingerprint: string
    readonly cameMs: number
  } | null
}

/** One proposed change of the members. Members by name. */
export interface ChangeReport {
  readonly change: string
  /** The epoch that it would begin. */
  readonly epoch: number
  readonly add: readonly {
    readonly name: string
    readonly key: string
    readonly role: Role
    readonly fingerprint: string
  }[]
  readonly remove: readonly { readonly name: string; readonly key: string; readonly fingerprint: string }[]
  readonly proposedBy: readonly string[]
  readonly approvedBy: readonly string[]
  readonly rejectedBy: readonly string[]
  /** Approvals with which the nodes begin to vote. */
  readonly needed: number
  readonly membersAfter: number
  readonly voting: boolean
}

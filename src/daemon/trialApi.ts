/** What the control API answers about trials, as the command line reads it: as declared by the members in their logs. */
import type { TrialFindingCode } from '../governance/trials/findingCodes.ts'

/** An entry: whose, its reference, when its author says that it was written, and whether enough members have seen it. */
export interface TrialEntryReport {
  readonly by: string
  readonly entry: string
  readonly atMs: number
  readonly final: boolean
}

/** A signature: name where it is known here, else whose hospital holds it. */
export interface TrialSignatureReport extends TrialEntryReport {
  readonly person: string
  readonly name: string | null
  readonly roles: readonly string[]
  readonly signedAtMs: number
  /** Why it does not hold; null where it was verified. */
  readonly fault: string | null
}

/** One of `GET /v1/trials`. */
export interface TrialLine {
  readonly trial: string
  readonly name: string
  readonly version: number
  readonly sponsor: string
  readonly sites: number
  readonly enrolled: number
  /** At this hospital: whether it may enrol now. */
  readonly here: string
}

/** What a site needs and has. */
export interface TrialApprovalReport {
  readonly meaning: string
  readonly by: string
  readonly state: 'missing' | 'pending' | 'approved' | 'withdrawn' | 'faulty'
  readonly signature: TrialSignatureReport | null
  readonly withdrawn: (TrialEntryReport & { readonly reason: string }) | null
}

/** A site under the current version. */
export interface TrialSiteReport {
  readonly site: string
  readonly ours: boolean
  readonly approvals: readonly TrialApprovalReport[]
  readonly halted: (TrialEntryReport & { readonly reason: string }) | null
  readonly locked: TrialLockReport | null
  readonly enrolled: number
  readonly ended: number
  /** Why it may not enrol; null where it may. */
  readonly refusal: string | null
  /** Where it may: strata in which it may not all the same, and why. */
  readonly closed: readonly { readonly stratum: string; readonly refusal: string }[]
}

/** A list of randomisation. */
export interface TrialListReport extends TrialEntryReport {
  readonly list: string
  readonly site: string
  readonly stratum: string | null
  readonly size: number
  readonly taken: number
  readonly allocated: number
  readonly opened: number
  readonly unsealed: (TrialEntryReport & { readonly reason: string }) | null
  /** How many positions each arm has; null until it is unsealed. */
  readonly arms: Readonly<Record<string, number>> | null
}

/** A lock of data. */
export interface TrialLockReport extends TrialEntryReport {
  readonly lock: string
  readonly data: string
  readonly rows: number
  readonly previous: string | null
  readonly signature: TrialSignatureReport
  readonly unlocked: (TrialEntryReport & { readonly reason: string }) | null
}

/** A version of the protocol. */
export interface TrialVersionReport extends TrialEntryReport {
  readonly version: number
  readonly protocol: string
  readonly document: string
  readonly disclosure: 'public' | 'private'
  readonly arms: readonly string[]
  /** Approvals that the version before asked for, and this one does not: meaning and hospital, null of each site its own. */
  readonly asksNoMore: readonly { readonly meaning: string; readonly by: string | null }[]
}

/** `GET /v1/trials/:`. */
export interface TrialReport {
  readonly trial: string
  readonly name: string
  /** As in `TrialSaid`. */
  readonly ref: string
  readonly sponsor: string
  readonly lists: string
  readonly strata: readonly string[]
  readonly consent: 'required' | 'waived'
  readonly purposes: readonly string[]
  readonly versions: readonly TrialVersionReport[]
  readonly sites: readonly TrialSiteReport[]
  readonly randomisation: readonly TrialListReport[]
  readonly locks: readonly TrialLockReport[]
  /** How many participants here have no standing consent, and were not withdrawn; null at others. Who they are is a signed call's answer. */
  readonly withoutConsent: number | null
  /** For what is signed here. */
  readonly signing: { readonly founding: string; readonly member: string; readonly lastLock: string | null }
}

/** What a write did. */
export interface TrialSaid {
  readonly trial: string
  readonly name: string
  /** What commands here take for it: the name where that means no other trial, else digits. */
  readonly ref: string
  readonly version: number
  readonly entry: string
  readonly final: boolean
}

/** `POST /v1/trials/:/enrol`. */
export interface TrialEnrolled extends TrialSaid {
  readonly participant: string
  readonly stratum: string | null
  readonly list: string
  readonly position: number
  readonly lists: string
}

/** `POST /v1/trials/:/arm`. */
export interface TrialArmReport extends TrialSaid {
  readonly participant: string
  readonly arm: string
}

/** `POST /v1/trials/:/open` and `/unseal`. */
export interface TrialOpened extends TrialSaid {
  readonly reason: string
  /** Of one participant. */
  readonly participant: string | null
  readonly arm: string | null
  /** Of lists: how many positions each arm has. */
  readonly lists: readonly {
    readonly list: string
    readonly site: string
    readonly arms: Readonly<Record<string, number>>
  }[]
}

/** `POST /v1/trials/:/without-consent`: tags of own participants without a standing consent, sorted. */
export interface TrialWithoutConsent {
  readonly trial: string
  readonly name: string
  readonly participants: readonly string[]
}

/** What happened to a participant, in order. */
export interface TrialStepReport extends TrialEntryReport {
  readonly what: string
  readonly version: number | null
  readonly more: string | null
  readonly signedOff: TrialSignatureReport | null
}

/** `GET /v1/trials/:/participants/:`, and `POST /v1/trials/:/participant` by record number. */
export interface TrialParticipantReport {
  readonly trial: string
  readonly name: string
  readonly participant: string
  readonly site: string
  readonly version: number
  readonly state: string
  readonly stratum: string | null
  readonly position: number
  /** Null while it is not made known. */
  readonly arm: string | null
  readonly steps: readonly TrialStepReport[]
  readonly tookMs: number
}

/** One participant among all. */
export interface TrialParticipantLine {
  readonly participant: string
  readonly site: string
  readonly stratum: string | null
  readonly list: string
  readonly position: number
  readonly version: number
  readonly state: string
  /** Whether the enrolment, and the end where there is one, are final. */
  readonly final: boolean
  /** Null while it is not made known. */
  readonly arm: string | null
}

/** `GET /v1/trials/:/participants`. */
export interface TrialParticipants {
  readonly trial: string
  readonly name: string
  readonly participants: readonly TrialParticipantLine[]
}

/** One finding of a check. */
export interface TrialFindingReport {
  readonly code: TrialFindingCode
  readonly says: string
  readonly by: string
  readonly entry: string
  readonly atMs: number
  readonly because: string | null
  readonly more: string | null
  readonly perhaps: boolean
}

/** `GET /v1/trials/:/check`. */
export interface TrialCheckReport {
  readonly trial: string
  readonly name: string
  readonly version: number
  readonly participants: number
  readonly entries: number
  /** Of people, under approvals, locks and unlockings, that hold. */
  readonly signatures: number
  readonly lists: readonly Pick<
    TrialListReport,
    'list' | 'site' | 'stratum' | 'size' | 'taken' | 'allocated' | 'opened' | 'arms'
  >[]
  readonly locks: number
  /** Words beyond what one member may say of a trial. */
  readonly dropped: number
  readonly findings: readonly TrialFindingReport[]
  readonly findingsInAll: number
  /** Over what is final here. */
  readonly state: string
  readonly tookMs: number
}

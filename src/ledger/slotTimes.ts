/** How long a decision slot waits: for nodes that are away. People have said yes before it begins (`governance/changes.ts`). */
import type { Phase } from './vote.ts'

/** How long each phase waits: the first time, longer with each round, at most. */
export const TIMEOUT = {
  propose: { firstMs: 30_000, growthMs: 30_000, maxMs: 3_600_000 }, // its proposer may be about to hear the last yes; an hour passes a night's work to others
  prepare: { firstMs: 20_000, growthMs: 10_000, maxMs: 1_800_000 }, // nodes vote by themselves: two resends, and more where links are bad
  commit: { firstMs: 20_000, growthMs: 10_000, maxMs: 1_800_000 }, // as for prepare
} as const satisfies Record<Phase, { firstMs: number; growthMs: number; maxMs: number }>

export const RESEND_MS = 10_000 // what a voter said is said again, for who was away; twice within the shortest time-out

/** How long a phase of `round` waits. */
export function timeoutMs(phase: Phase, round: number): number {
  const { firstMs, growthMs, maxMs } = TIMEOUT[phase]
  return Math.min(firstMs + growthMs * round, maxMs)
}

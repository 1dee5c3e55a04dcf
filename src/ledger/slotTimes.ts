/** How long a decision slot waits: for people and for nodes that are away, not for computers. */
import type { Phase } from './vote.ts'

/** How long each phase waits: the first time, longer with each round, at most. */
export const TIMEOUT = {
  propose: { firstMs: 600_000, growthMs: 600_000, maxMs: 14_400_000 }, // a person may still have to say yes; four hours pass a night's work to others
  prepare: { firstMs: 120_000, growthMs: 60_000, maxMs: 3_600_000 }, // nodes vote by themselves: two resends, and more where links are bad
  commit: { firstMs: 120_000, growthMs: 60_000, maxMs: 3_600_000 }, // as for prepare
} as const satisfies Record<Phase, { firstMs: number; growthMs: number; maxMs: number }>

export const RESEND_MS = 60_000 // what a voter said is said again, for who was away; twice within the shortest time-out

/** How long a phase of `round` waits. */
export function timeoutMs(phase: Phase, round: number): number {
  const { firstMs, growthMs, maxMs } = TIMEOUT[phase]
  return Math.min(firstMs + growthMs * round, maxMs)
}

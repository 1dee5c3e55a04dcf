/**
 * Decides whom to dial and when: endless, jittered, bounded backoff, over the member list and the bootstrap addresses. Pure.
 * libp2p redials nobody for good (its retries end and delete the tag that asked for them: DECISIONS, trap 1).
 */
import type { NetTiming } from './timing.ts'

/** Uniform in [0, 1). */
export type Chance = () => number
export type RedialTiming = Pick<NetTiming, 'yieldMs' | 'dialJitterMs' | 'backoffMinMs' | 'backoffMaxMs' | 'stableMs'>

interface Target {
  phase: 'waiting' | 'dialling' | 'connected'
  /** When the next dial is due; while dialling or connected, since when. */
  atMs: number
  failures: number
  /** The other end should dial first. */
  yields: boolean
  refusedUntilMs: number
}

/** One entry per target; a key is a member or a bootstrap address. Bounded by the caller's lists. */
export class Redialler {
  readonly #timing: RedialTiming
  readonly #targets = new Map<string, Target>()
  constructor(timing: RedialTiming) {
    this.#timing = timing
  }

  /** Wants a connection to `key` from now on; a key that is wanted already keeps its state. `yields`: leave the first dial to it. */
  want(key: string, yields: boolean, now: number, chance: Chance): void {
    const known = this.#targets.get(key)
    if (known !== undefined) {
      known.yields = yields
      return
    }
    const target: Target = { phase: 'waiting', atMs: 0, failures: 0, yields, refusedUntilMs: 0 }
    target.atMs = this.#soon(target, now, chance)
    this.#targets.set(key, target)
  }

  drop(key: string): void {
    this.#targets.delete(key)
  }

  keys(): string[] {
    return [...this.#targets.keys()]
  }

  /** At most `most` targets whose time has come, longest due first; each counts as being dialled until it is told otherwise. */
  due(now: number, most: number): string[] {
    const ready = [...this.#targets]
      .filter(([, target]) => this.#isDue(target, now))
      .sort(([, a], [, b]) => a.atMs - b.atMs)
      .slice(0, Math.max(0, most))
    for (const [, target] of ready) {
      target.phase = 'dialling'
      target.atMs = now
    }
    return ready.map(([key]) => key)
  }

  connected(key: string, now: number): void {
    const target = this.#targets.get(key)
    if (target === undefined || target.phase === 'connected') return
    target.phase = 'connected'
    target.atMs = now
  }

  /** The last connection closed. One that lived long is dialled again at once, one that did not backs off. */
  lost(key: string, now: number, chance: Chance): void {
    const target = this.#targets.get(key)
    if (target === undefined || target.phase !== 'connected') return
    const young = now - target.atMs < this.#timing.stableMs
    target.failures = young ? target.failures + 1 : 0
    this.#wait(target, now, chance)
  }

  /** A dial failed. It says nothing about a target that has meanwhile connected to us. */
  failed(key: string, now: number, chance: Chance): void {
    const target = this.#targets.get(key)
    if (target === undefined || target.phase !== 'dialling') return
    target.failures += 1
    this.#wait(target, now, chance)
  }

  /** News of the target (a new address): forget the failures and dial soon, in turn. */
  hint(key: string, now: number, chance: Chance): void {
    const target = this.#targets.get(key)
    if (target === undefined || target.phase !== 'waiting') return
    target.failures = 0
    target.atMs = Math.min(target.atMs, Math.max(this.#soon(target, now, chance), target.refusedUntilMs))
  }

  /** Does not dial the target before `untilMs`. */
  refuse(key: string, untilMs: number): void {
    const target = this.#targets.get(key)
    if (target === undefined) return
    target.refusedUntilMs = untilMs
    target.atMs = Math.max(target.atMs, untilMs)
  }

  /** A dial whose outcome never came (some path through the network library told nobody) does not hold its target for ever. */
  #isDue(target: Target, now: number): boolean {
    const lostMs = 2 * this.#timing.backoffMaxMs
    return (
      (target.phase === 'waiting' && target.atMs <= now) || (target.phase === 'dialling' && target.atMs + lostMs <= now)
    )
  }

  #wait(target: Target, now: number, chance: Chance): void {
    target.phase = 'waiting'
    const at = target.failures === 0 ? this.#soon(target, now, chance) : now + this.#backoff(target.failures, chance)
    target.atMs = Math.max(at, target.refusedUntilMs)
  }

  #soon(target: Target, now: number, chance: Chance): number {
    return now + (target.yields ? this.#timing.yieldMs : 0) + chance() * this.#timing.dialJitterMs
  }

  /** Exponential with full jitter over its upper half, so that two ends that failed together drift apart. */
  #backoff(failures: number, chance: Chance): number {
    const { backoffMinMs, backoffMaxMs } = this.#timing
    const doublings = Math.min(failures - 1, 30) // 2^30 is beyond every cap, and stays a safe integer
    const full = Math.min(backoffMaxMs, backoffMinMs * 2 ** doublings)
    return full / 2 + (chance() * full) / 2
  }
}

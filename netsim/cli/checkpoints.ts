/** The trace's checkpoints of a run: a bounded number of them, spread evenly, so that a replay can say where it parted. */
import type { TraceCheckpoint } from '../options.ts'

const KEPT_MAX = 4_096 // 300 kB as text; the interval that a replay names is a four-thousandth of the run

/** Keeps at most 4,096 of the checkpoints that it is given; the same ones for the same run. */
export class Checkpoints {
  #kept: TraceCheckpoint[] = []
  #stride = 1
  #newest: TraceCheckpoint | null = null

  /** Events ascend. */
  add(checkpoint: TraceCheckpoint): void {
    this.#newest = checkpoint
    const last = this.#kept.at(-1)
    if (last !== undefined && checkpoint.event < last.event + this.#stride) return
    this.#kept.push(checkpoint)
    if (this.#kept.length < KEPT_MAX) return
    this.#kept = this.#kept.filter((_, i) => i % 2 === 0)
    const [first, second] = this.#kept
    this.#stride = Math.max(2 * this.#stride, (second?.event ?? 0) - (first?.event ?? 0))
  }

  /** Ascending, the newest always among them. */
  list(): TraceCheckpoint[] {
    const last = this.#kept.at(-1)
    return this.#newest !== null && this.#newest !== last ? [...this.#kept, this.#newest] : [...this.#kept]
  }
}

/** `event hash` a line. */
export function checkpointText(checkpoints: readonly TraceCheckpoint[]): string {
  return checkpoints.map(({ event, hash }) => `${event} ${hash}\n`).join('')
}

/** Null where a line is none, or events do not ascend. */
export function parseCheckpoints(text: string): TraceCheckpoint[] | null {
  const found: TraceCheckpoint[] = []
  for (const line of text.split('\n')) {
    if (line === '') continue
    const match = /^(\d{1,15}) ([0-9a-f]{64})$/.exec(line)
    const event = Number(match?.[1])
    if (match === null || event <= (found.at(-1)?.event ?? -1)) return null
    found.push({ event, hash: match[2] as string })
  }
  return found
}

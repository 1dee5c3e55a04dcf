/** replay: runs again from a run's folder, and says whether the trace is the same or where it parted. */
import type { Command } from 'commander'
import type { TraceCheckpoint } from '../options.ts'
import type { Provenance, SimulationResult } from '../result.ts'
import { command, type Engine, EXIT } from './command.ts'
import { interruptible } from './interrupt.ts'
import { ProgressLine } from './progress.ts'
import { differences, provenanceOf } from './provenance.ts'
import { readRun } from './runFolder.ts'

/** Errors: `run-…`, `scenario-…`, those of the engine. */
export function replayCommand({ simulate }: Engine): Command {
  return command(
    'replay',
    'run again from a folder that "run" wrote, and compare the traces; exit code 1 where they differ',
    'consilium-netsim replay netsim-results/fanout-seed7',
  )
    .argument('<folder>', 'what "run" wrote')
    .action(async (folder: string) => {
      const stored = await readRun(folder)
      const meeting = new Meeting(stored.checkpoints)
      const line = new ProgressLine()
      const stop = new AbortController()
      const again = await interruptible(
        (signal) =>
          simulate({
            scenario: stored.scenario,
            seed: stored.result.seed,
            scenarioName: stored.result.scenarioName,
            baseFolder: folder,
            signal: AbortSignal.any([signal, stop.signal]),
            onProgress: (progress) => line.show(progress),
            onTrace: (checkpoint) => {
              meeting.see(checkpoint)
              if (meeting.parted !== null || meeting.isOver(stored.result)) stop.abort()
            },
          }),
        () => line.say('stopping (Ctrl-C again ends at once)'),
      ).finally(() => line.clear())
      const interrupted = again.outcome === 'interrupted' && !stop.signal.aborted
      if (interrupted) {
        process.stdout.write(`interrupted; the same trace up to event ${meeting.sameUntil}\n`)
        process.exitCode = EXIT.interrupted
        return
      }
      const verdict = compare(stored.result, again, meeting)
      const lines = verdict.same ? verdict.lines : [...verdict.lines, ...(await whatDiffers(stored.result, again))]
      process.stdout.write(`${[...lines, ...brokenAgain(again)].join('\n')}\n`)
      if (!verdict.same) process.exitCode = EXIT.failed
    })
}

/** Checkpoints of a run and of its replay, held against each other as they come. */
export class Meeting {
  readonly #stored: readonly TraceCheckpoint[]
  #at = 0
  /** The last event at which both were the same. */
  sameUntil = 0
  /** The first checkpoint at which they were not. */
  parted: TraceCheckpoint | null = null

  constructor(stored: readonly TraceCheckpoint[]) {
    this.#stored = stored
  }

  /** Takes the replay's checkpoints in ascending order; those that were not kept are passed over. */
  see(checkpoint: TraceCheckpoint): void {
    while ((this.#stored[this.#at]?.event ?? Number.POSITIVE_INFINITY) < checkpoint.event) this.#at++
    const kept = this.#stored[this.#at]
    if (this.parted !== null || kept?.event !== checkpoint.event) return
    if (kept.hash === checkpoint.hash) this.sameUntil = kept.event
    else this.parted = checkpoint
  }

  /** An interrupted run cannot be replayed beyond where it was stopped. */
  isOver({ outcome }: SimulationResult): boolean {
    return outcome === 'interrupted' && this.sameUntil >= (this.#stored.at(-1)?.event ?? 0)
  }
}

/** A replay of a failed check shows it again. */
function brokenAgain({ checks }: SimulationResult): string[] {
  return checks.flatMap(({ name, failure }) =>
    failure === null
      ? []
      : [`the check fails: ${name}: event ${failure.event}, ${failure.seconds} s: ${failure.message}`],
  )
}

interface Verdict {
  readonly same: boolean
  readonly lines: readonly string[]
}

function compare(before: SimulationResult, again: SimulationResult, meeting: Meeting): Verdict {
  if (meeting.parted !== null) {
    const from = `after event ${meeting.sameUntil}, by event ${meeting.parted.event}`
    return { same: false, lines: [`parted ${from} of ${before.events}`] }
  }
  if (meeting.isOver(before))
    return { same: true, lines: [`same trace up to event ${meeting.sameUntil}, where the run was interrupted`] }
  if (before.traceHash === again.traceHash) return { same: true, lines: [`same trace: ${again.traceHash}`] }
  const where = `parted after event ${meeting.sameUntil}, the last checkpoint that both have`
  return { same: false, lines: [`${where} (${before.events} events then, ${again.events} now)`] }
}

async function whatDiffers(before: SimulationResult, again: SimulationResult): Promise<string[]> {
  const now: Provenance = await provenanceOf([])
  const data =
    before.dataDigest === again.dataDigest
      ? []
      : [`data: ${before.dataDigest ?? 'none'} then, ${again.dataDigest ?? 'none'} now`]
  const found = [...differences(before.provenance, now), ...data]
  if (found.length > 0) return ['what differs:', ...found.map((text) => `  ${text}`)]
  if (before.scenario.learner.kind === 'tfjs')
    return [
      'nothing else differs (version, machine, data): traces with TensorFlow.js are those of one backend and one model file',
    ]
  return ['nothing else differs (version, machine, data): this is a fault of the simulator, please report it']
}

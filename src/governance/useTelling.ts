/** When runs of predictions are told of: within seconds where enough rows go together, else with all others of their hour, so that no entry says who was at the bedside. */
import type { Body } from './kinds.ts'
import { HOUR_MS, servedBody, type UseRun } from './uses.ts'

const TOGETHER_MS = 5_000 // as long as an entry lags behind a busy server

/** Runs of one model that an entry tells of, in their order. */
export interface ToldRuns {
  readonly runs: readonly UseRun[]
  readonly body: Body<'model.served'>
}

/**
 * What may be told of now, and what waits. Runs of the same few seconds that come to the minimum cohort are told of with their times; of the others those of
 * hours that are over, model by model, with the hours alone; all where more than `heldMax` would wait.
 */
export function toldNow(
  runs: readonly UseRun[],
  nowMs: number,
  heldMax: number,
): { readonly told: readonly ToldRuns[]; readonly held: readonly UseRun[] } {
  const seconds = groups(runs, TOGETHER_MS)
  const enough = new Set(seconds.filter((some) => rowsOf(some) >= (some[0] as UseRun).cohort).flat())
  const few = runs.filter((run) => !enough.has(run))
  const current = few.filter(({ toMs }) => hourOf(toMs) === hourOf(nowMs))
  const held = current.length > heldMax ? [] : current
  const waits = new Set(held)
  return {
    told: [
      ...groups([...enough], Number.POSITIVE_INFINITY).map((some) => ({ runs: some, body: servedBody(some, 1) })),
      ...groups(
        few.filter((run) => !waits.has(run)),
        HOUR_MS,
      ).map((some) => ({ runs: some, body: servedBody(some, HOUR_MS) })),
    ],
    held,
  }
}

const hourOf = (timeMs: number): number => Math.floor(timeMs / HOUR_MS)
const rowsOf = (runs: readonly UseRun[]): number => runs.reduce((sum, { rows }) => sum + rows, 0)

/** By study, model and stretch of time, each group in the order of its runs. */
function groups(runs: readonly UseRun[], lengthMs: number): UseRun[][] {
  const found = new Map<string, UseRun[]>()
  for (const run of runs) {
    const key = `${run.study} ${run.round} ${Buffer.from(run.model).toString('hex')} ${Math.floor(run.toMs / lengthMs)}`
    const group = found.get(key)
    if (group === undefined) found.set(key, [run])
    else group.push(run)
  }
  return [...found.values()]
}

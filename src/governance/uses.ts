/**
 * Runs of predictions as a hospital keeps them, and what its log has of them: commitments that tell of no row, by which the hospital, which has
 * the salts, can show later which table a run read and what it wrote.
 */
import { concat } from '../core/bytes.ts'
import { type Cbor, decodeCbor, encodeCbor } from '../core/cbor.ts'
import { taggedHash } from '../core/digest.ts'
import { invariant } from '../core/errors.ts'
import type { StudyId } from '../core/ids.ts'
import { LeafTree } from '../ledger/leafTree.ts'
import type { Body } from './kinds.ts'

/** Which of the two files of a run. */
export const USE_FILES = ['read', 'written'] as const
export type UseFile = (typeof USE_FILES)[number]

/** Rows of one run; those without a prediction are among the warned. */
export interface UseCounts {
  readonly rows: number
  readonly warned: number
  readonly withoutPrediction: number
}

/** Whose model it was: runs of the same are told of together. `cohort` is the study's minimum. */
export interface UsedModel {
  readonly study: StudyId
  readonly model: Uint8Array
  readonly round: number
  readonly cohort: number
}

/** One run of predictions; `read` and `written` are what `fileCommitment` gives under `salt`. */
export interface UseRun extends UsedModel, UseCounts {
  readonly fromMs: number
  readonly toMs: number
  readonly salt: Uint8Array
  readonly read: Uint8Array
  readonly written: Uint8Array
}

export const USE_SALT_BYTES = 32
export const HOUR_MS = 3_600_000

/** SHA-256 over a salt of 32 bytes, which stays at the hospital, which file it was, and the SHA-256 of its bytes. */
export function fileCommitment(salt: Uint8Array, file: UseFile, digest: Uint8Array): Uint8Array {
  return taggedHash('useFile', salt, Uint8Array.of(USE_FILES.indexOf(file)), digest)
}

/** Made once for each run: who tells of a thousand of them keeps nobody waiting who predicts. */
const LEAVES = new WeakMap<UseRun, Uint8Array>()
const ROWS = new WeakMap<UseRun, Uint8Array>()

/** The leaf of a run: everything of it but the salt, so that it can be shown without what opens the files. */
export function runLeaf(run: UseRun): Uint8Array {
  const leaf = LEAVES.get(run) ?? leafOf(run)
  LEAVES.set(run, leaf)
  return leaf
}

function leafOf(run: UseRun): Uint8Array {
  const { model, round, fromMs, toMs, rows, warned, withoutPrediction, read, written } = run
  return taggedHash('useRun', encodeCbor([model, round, fromMs, toMs, rows, warned, withoutPrediction, read, written]))
}

/** The Merkle root (RFC 6962) over the leaves of runs, in their order. */
export function rootOfRuns(runs: readonly UseRun[]): Uint8Array {
  const leaves = new Uint8Array(runs.length * 32)
  for (const [i, run] of runs.entries()) leaves.set(runLeaf(run), i * 32)
  return new LeafTree(leaves).root()
}

/** What the log may take of rows: null where it would show some rows, but fewer than the cohort, by a count or by the difference of two. */
export function countsTold(
  { rows, warned, withoutPrediction }: UseCounts,
  cohort: number,
): { readonly [K in keyof UseCounts]: number | null } {
  const isSmall = (count: number): boolean => count > 0 && count < cohort
  if (rows < cohort) return { rows: null, warned: null, withoutPrediction: null }
  const told = (count: number): number | null => (isSmall(count) || isSmall(rows - count) ? null : count)
  const shown = told(warned)
  const hidden = shown !== null && isSmall(warned - withoutPrediction)
  return { rows, warned: shown, withoutPrediction: hidden ? null : told(withoutPrediction) }
}

/**
 * The body of the entry about runs of one model, in their order; one at least. Their times are told in whole stretches of `grainMs`: by the hour
 * at least, and without how many runs there were, where their rows are not told.
 */
export function servedBody(runs: readonly UseRun[], grainMs: number): Body<'model.served'> {
  const { model, round, cohort } = runs[0] as UseRun
  const sum = (field: keyof UseCounts): number => runs.reduce((total, run) => total + run[field], 0)
  const told = countsTold(
    { rows: sum('rows'), warned: sum('warned'), withoutPrediction: sum('withoutPrediction') },
    cohort,
  )
  const grain = told.rows === null ? Math.max(grainMs, HOUR_MS) : grainMs
  return {
    ...{ round, model, runs: told.rows === null ? null : runs.length, ...told },
    fromMs: Math.floor(Math.min(...runs.map((run) => run.fromMs)) / grain) * grain,
    toMs: Math.ceil(Math.max(...runs.map((run) => run.toMs)) / grain) * grain,
    root: rootOfRuns(runs),
  }
}

/** The body of the entry about a single run that is told at once. */
export function usedBody(run: UseRun): Body<'model.used'> {
  const { model, round, cohort } = run
  return { round, model, ...countsTold(run, cohort), run: runLeaf(run) }
}

const VERSION = 1
const RUNS_BYTES_MAX = 1_048_576 // a thousand runs take a quarter of it

/** As runs are kept at the hospital: the version and a row for each. At most 65,535. */
export function encodeRuns(runs: readonly UseRun[]): Uint8Array {
  const { length } = runs
  invariant(length <= 0xffff, 'runs of one entry are counted in two bytes')
  const head = length < 24 ? [0x80 | length] : length < 256 ? [0x98, length] : [0x99, length >> 8, length & 0xff] // RFC 8949 §3.1
  return concat([Uint8Array.of(0x82, VERSION, ...head), ...runs.map(rowOf)])
}

function rowOf(run: UseRun): Uint8Array {
  const row =
    ROWS.get(run) ??
    encodeCbor([
      ...[run.study, run.model, run.round, run.cohort, run.rows, run.warned, run.withoutPrediction],
      ...[run.fromMs, run.toMs, run.salt, run.read, run.written],
    ] as Cbor)
  ROWS.set(run, row)
  return row
}

/** What `encodeRuns` gave. Errors: those of `decodeCbor`. */
export function decodeRuns(bytes: Uint8Array): UseRun[] {
  const [, rows] = decodeCbor(bytes, RUNS_BYTES_MAX) as [number, UseRow[]]
  return rows.map(([study, model, round, cohort, ...rest]) => {
    const [rows, warned, withoutPrediction, fromMs, toMs, salt, read, written] = rest
    return { study, model, round, cohort, rows, warned, withoutPrediction, fromMs, toMs, salt, read, written }
  })
}

type UseRow = [
  ...[study: StudyId, model: Uint8Array, round: number, cohort: number],
  ...[rows: number, warned: number, withoutPrediction: number, fromMs: number, toMs: number],
  ...[salt: Uint8Array, read: Uint8Array, written: Uint8Array],
]

/** The calls about the use of models: who used which, and which files an own entry about predictions stands for. */
import { createReadStream } from 'node:fs'
import { equalBytes, toHex } from '../core/bytes.ts'
import { Sha256 } from '../core/digest.ts'
import { ConsiliumError, messageOf } from '../core/errors.ts'
import type { StudyId } from '../core/ids.ts'
import { readBody } from '../governance/kinds.ts'
import { fileCommitment, rootOfRuns, runLeaf, USE_FILES, type UseRun } from '../governance/uses.ts'
import type { Entry } from '../ledger/entry.ts'
import { text } from './bodyFields.ts'
import type { Routes } from './control.ts'
import type { Daemon } from './daemon.ts'
import { memberOf, timeIn } from './logFilter.ts'
import type { LogReader } from './logReader.ts'
import { refOf } from './models.ts'
import { findStudy } from './studyReference.ts'
import type { UseCheckReport, UseLine, UsesReport } from './useApi.ts'
import { UseReader } from './useReader.ts'

/** Routes of the control API. */
export function useCalls(daemon: Daemon, logReader: LogReader): Routes {
  const reader = new UseReader(() => daemon.logs)
  return {
    'GET /v1/uses': ({ query }) => uses(daemon, reader, query),
    'POST /v1/uses/check': async ({ body }) => {
      const path = body.path === undefined ? null : text(body, 'path')
      return check(daemon, await logReader.find(text(body, 'ref')), path)
    },
  }
}

async function uses(daemon: Daemon, reader: UseReader, query: URLSearchParams): Promise<UsesReport> {
  const [study, member] = [query.get('study'), query.get('member')]
  const filter = {
    study: study === null ? null : findStudy(daemon, study).id,
    author: member === null ? null : memberOf(daemon, member),
    sinceMs: timeIn(query, 'since'),
    untilMs: timeIn(query, 'until'),
  }
  await daemon.uses.tell()
  const book = await reader.current()
  const startMs = performance.now()
  const names = new Map<StudyId, string>(daemon.machine.view().studies.map(({ state }) => [state.id, state.study.name]))
  const lines = book.sums(filter).map(({ author, lastSeq, ...sum }): UseLine => {
    const named = { hospital: daemon.nameOf(author), studyName: names.get(sum.study) ?? null }
    return { ...sum, ...named, entry: refOf(daemon, author, lastSeq) }
  })
  const tookMs = performance.now() - startMs
  const [entries, silent] = [book.entries, book.silent(filter)]
  return { uses: lines, entries, silent, untold: daemon.uses.untold, lost: await daemon.uses.lost(), tookMs }
}

/** Errors: `use-foreign`, `use-kind`, `use-gone`, `file-unreadable`. */
async function check(daemon: Daemon, entry: Entry, path: string | null): Promise<UseCheckReport> {
  const ref = refOf(daemon, entry.author, entry.seq)
  if (entry.author !== daemon.home.key.id)
    throw refused(
      'use-foreign',
      `${ref}: what its runs read and wrote is known to ${daemon.nameOf(entry.author)} alone: ask there`,
    )
  const committed = commitmentIn(entry)
  if (committed === null)
    throw refused(
      'use-kind',
      `${ref}: is an entry of kind ${entry.kind}${entry.body === null ? ' without its body' : ''}; one of kind model.served, or model.used with a commitment, is expected: see "consilium model uses"`,
    )
  const runs = await daemon.uses.runsOf(entry)
  if (runs === null)
    throw refused(
      'use-gone',
      `${ref}: the runs that it tells of are not kept here any more, and nothing opens its commitment`,
    )
  const [first] = runs as [UseRun]
  const holds = equalBytes(entry.kind === 'model.used' ? runLeaf(first) : rootOfRuns(runs), committed)
  return {
    ...{ entry: ref, study: first.study, model: toHex(first.model), rounds: first.round + 1 },
    runs: runs.map(({ fromMs, toMs, rows, warned, withoutPrediction }) => {
      return { fromMs, toMs, rows, warned, withoutPrediction }
    }),
    holds,
    matches: path === null ? null : matchesOf(runs, await digestOf(path)),
  }
}

function commitmentIn({ kind, body }: Entry): Uint8Array | null {
  if (kind === 'model.served') return readBody(kind, body)?.root ?? null
  return kind === 'model.used' ? (readBody(kind, body)?.run ?? null) : null
}

function matchesOf(runs: readonly UseRun[], digest: Uint8Array): NonNullable<UseCheckReport['matches']> {
  return runs.flatMap((run, i) =>
    USE_FILES.filter((file) => equalBytes(fileCommitment(run.salt, file, digest), run[file])).map((file) => {
      return { run: i + 1, file }
    }),
  )
}

async function digestOf(path: string): Promise<Uint8Array> {
  const hash = new Sha256()
  try {
    for await (const piece of createReadStream(path)) hash.update(piece as Uint8Array)
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code ?? messageOf(error)
    throw refused('file-unreadable', `${path}: cannot be read (${why}); check the path`)
  }
  return hash.digest()
}

function refused(code: string, message: string): ConsiliumError {
  return new ConsiliumError({ code, message })
}

/** The calls about registered tables. Paths come in bodies alone, as record numbers go out in answers alone: no log has either. */
import { fromHex, toHex } from '../core/bytes.ts'
import { ConsiliumError } from '../core/errors.ts'
import { DATASET_SOURCES, type DatasetSource } from '../governance/kinds/datasets.ts'
import { readBody } from '../governance/kinds.ts'
import { provenanceResource } from '../report/exports/fhirProvenance.ts'
import { text, words } from './bodyFields.ts'
import type { Routes } from './control.ts'
import type { Daemon } from './daemon.ts'
import type { DatasetDetails, DatasetReport, DatasetVerdict } from './datasetApi.ts'
import type { RegisterRequest } from './datasetDesk.ts'
import type { DatasetVersion } from './datasetFiles.ts'
import { entriesOf } from './logSlices.ts'
import { refOf } from './models.ts'

type Body = Record<string, unknown>
type Mutable<T> = { -readonly [K in keyof T]: T[K] }

/** Routes of the control API; the part of the path is NAME or NAME@NUMBER. */
export function datasetCalls(daemon: Daemon): Routes {
  return {
    'GET /v1/datasets': async () => ({ datasets: await list(daemon) }),
    'POST /v1/datasets': ({ body }) => register(daemon, body),
    'GET /v1/datasets/:': async ({ parts }) => details(daemon, await daemon.datasets.find(parts[0] ?? '')),
    'POST /v1/datasets/:/verify': ({ parts, body }) => verify(daemon, parts[0] ?? '', body),
  }
}

async function register(daemon: Daemon, body: Body): Promise<DatasetReport> {
  const given = (field: string): string | null => (body[field] === undefined ? null : text(body, field))
  const request: RegisterRequest = {
    ...{ name: text(body, 'name'), path: text(body, 'path'), query: given('query'), provenance: given('provenance') },
    ...{ keyColumn: given('keyColumn'), units: words(body, 'units'), publish: body.publish === true },
    source: sourceOf(given('source')),
  }
  return reportOf(daemon, (await daemon.datasets.register(request)).version)
}

/** Error: `dataset-source`. */
function sourceOf(given: string | null): DatasetSource | null {
  if (given === null) return null
  const found = DATASET_SOURCES.find((one) => one === given)
  if (found !== undefined) return found
  const message = `--source: ${JSON.stringify(given.slice(0, 64))} was given, ${DATASET_SOURCES.join(', ')} are allowed`
  throw new ConsiliumError({ code: 'dataset-source', message })
}

async function list(daemon: Daemon): Promise<DatasetReport[]> {
  return Promise.all((await daemon.datasets.all()).map((version) => reportOf(daemon, version)))
}

async function reportOf(daemon: Daemon, version: DatasetVersion): Promise<DatasetReport> {
  const { name, number, dataset, previous, rows, columns, keyColumn, source, path, published, registeredAtMs } = version
  const { query, origin } = version
  const entry = await daemon.datasets.entryOf(version.version)
  return {
    ...{ name, number, dataset, version: version.version, previous, rows, columns, keyColumn, source, path, published },
    query: query === null ? null : toHex(query),
    origin: origin === null ? null : { ...origin, commitment: toHex(origin.commitment) },
    registeredAtMs,
    entry: entry === null ? null : refOf(daemon, entry[0], entry[1]),
  }
}

async function details(daemon: Daemon, version: DatasetVersion): Promise<DatasetDetails> {
  const all = (await list(daemon)).filter(({ name }) => name === version.name)
  const { dataset, previous, registeredAtMs, source, query, origin } = version
  const { config, key } = daemon.home
  return {
    ...(await reportOf(daemon, version)),
    versions: all.map(({ number, version, rows, registeredAtMs, entry }) => {
      return { number, version, rows, registeredAtMs, entry }
    }),
    uses: await usesOf(daemon, version),
    fhir: provenanceResource({
      ...{ dataset: fromHex(dataset), version: fromHex(version.version), registeredAtMs, source, query, origin },
      previous: previous === null ? null : fromHex(previous),
      hospital: { name: config.name, member: key.id },
    }),
  }
}

/** Bindings of the version in the own log, each with the rounds that cite it. */
async function usesOf(daemon: Daemon, { version }: DatasetVersion): Promise<DatasetDetails['uses']> {
  const uses = new Map<string, Mutable<DatasetDetails['uses'][number]>>()
  const studies = new Map(daemon.machine.view().studies.map(({ state }) => [state.id as string, state.study.name]))
  const self = daemon.home.key.id
  for await (const { kind, study, seq, body } of entriesOf(daemon.logs, self, ['dataset.bound', 'round.trained'])) {
    if (study === null) continue
    if (kind === 'dataset.bound') {
      const bound = readBody('dataset.bound', body)
      if (bound?.version === undefined || toHex(bound.version) !== version) continue
      const entry = refOf(daemon, self, seq)
      uses.set(toHex(bound.commitment), { study, studyName: studies.get(study) ?? '', entry, rounds: null })
      continue
    }
    const trained = readBody('round.trained', body)
    const use = trained === null ? undefined : uses.get(toHex(trained.dataset))
    if (trained === null || use === undefined) continue
    const [first, , count] = use.rounds ?? [trained.round, trained.round, 0]
    use.rounds = [first, trained.round, count + 1]
  }
  return [...uses.values()]
}

async function verify(daemon: Daemon, ref: string, body: Body): Promise<DatasetVerdict> {
  const version = await daemon.datasets.find(ref)
  const path = body.path === undefined ? version.path : text(body, 'path')
  const { differences, rows, gone, came, entry } = await daemon.datasets.verify(version, path)
  const { name, number, keyColumn } = version
  return {
    ...{ name, number, version: version.version, path, registeredRows: version.rows, rows, ...differences, keyColumn },
    ...{ columnsGone: gone, columnsCame: came, entry: refOf(daemon, entry[0], entry[1]) },
  }
}

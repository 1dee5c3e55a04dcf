/** log export and log proof: what an auditor takes away, and verifies without a node. */
import { stat } from 'node:fs/promises'
import { createGzip } from 'node:zlib'
import type { Command } from 'commander'
import { ConsiliumError } from '../core/errors.ts'
import type { ExportLine, ExportReport, ProofReport } from '../daemon/api.ts'
import { requireAbsent, writeNewFrom } from '../daemon/files.ts'
import type { Client } from './client.ts'
import { queryOf } from './logFilter.ts'
import { utc } from './output.ts'
import { type Common, clientOf, command, outputOf } from './shared.ts'

const FILE_MODE = 0o644 // it is made to be given away

/** `log export` without --as. Errors: `file-exists`, `disk-full`, `file-not-writable`, `export-broken-off`, those of the daemon's filter. */
export async function exportBundle(options: Common & { readonly out: string; readonly gzip: boolean }): Promise<void> {
  const { out } = options
  const whole = await writeBundle(options, { ...options }, options)
  const { size: bytes } = await stat(out)
  outputOf(options).print({ file: out, bytes, ...whole }, () => exportLines(out, bytes, whole))
}

/** Writes a new bundle of what the filter takes. Errors: those of `log export`. */
export async function writeBundle(
  common: Common,
  filter: Readonly<Record<string, unknown>>,
  { out, gzip }: { readonly out: string; readonly gzip: boolean },
): Promise<ExportReport> {
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())
  let report: ExportReport | null = null
  const pieces = linesFrom(clientOf(common), `/v1/log/export?${queryOf(filter)}`, stop.signal, (last) => {
    report = last
  })
  await writeNewFrom(out, pieces, FILE_MODE, gzip ? [createGzip()] : [])
  return report as unknown as ExportReport // the file is renamed only after it has come
}

/** Gives the report to `last` when all lines have come. Error: `export-broken-off` where it does not come. */
async function* linesFrom(
  client: Client,
  path: string,
  signal: AbortSignal,
  last: (report: ExportReport) => void,
): AsyncIterable<string> {
  for await (const value of client.follow<ExportLine>(path, signal)) {
    if ('line' in value) yield value.line
    else return last(value.report)
  }
  throw new ConsiliumError({
    code: 'export-broken-off',
    message: signal.aborted
      ? 'stopped before the bundle was whole: nothing was written'
      : 'the daemon ended before the bundle was whole: nothing was written; run the export again when the daemon is back',
  })
}

function exportLines(file: string, bytes: number, report: ExportReport): string[] {
  const { consortium, fingerprint, entries, logs, heads, forks } = report
  return [
    `${file}: ${counted(entries, 'entry', 'entries')} of ${counted(logs, 'log', 'logs')}, proven under ${counted(heads, 'head', 'heads')}; ${bytes} bytes`,
    ...(entries === 0 ? ['No entry matches.'] : []),
    ...(forks === 0
      ? []
      : [
          `With ${forks === 1 ? 'evidence' : `${forks} pieces of evidence`} that a key signed two histories: see "consilium log forks".`,
        ]),
    `filter       ${filterWords(report)}`,
    ...(report.filter.study === null
      ? []
      : [
          'Registrations of tables and words about agreements belong to no study, and are not in it: leave out --study for them.',
        ]),
    `consortium   ${consortium}`,
    `fingerprint  ${fingerprint}`,
    '',
    'Whoever gets it verifies it without a node:',
    `  consilium log verify ${quoted(file)} --root "${fingerprint}"`,
    'The fingerprint is what ties it to this consortium: give it to them another way than the file.',
  ]
}

/** A filter as people read it. */
export function filterWords({ filter }: Pick<ExportReport, 'filter'>): string {
  const { members, kind, study, sinceMs, untilMs, state } = filter
  const words = [
    members === null ? '' : `member ${members.join(', ')}`,
    kind === null ? '' : `kind ${kind}`,
    study === null ? '' : `study ${study}`,
    sinceMs === null ? '' : `since ${utc(sinceMs)}`,
    untilMs === null ? '' : `before ${utc(untilMs)}`,
    state === null ? '' : `${state} only`,
  ].filter((word) => word !== '')
  return words.length === 0 ? 'none: everything that is stored here' : words.join('; ')
}

/** `log proof`. Errors: `entry-pending`, `file-exists`, `disk-full`, `file-not-writable`, those of `log show`. */
export function proveEntry(): Command {
  return command(
    'proof',
    'write the proof that one final entry is in its log, as C2SP tlog-proof, which other tools read too',
    'consilium log proof St.Mary/17 -o 17.tlog-proof --header 17.header',
  )
    .argument('<ref>', "MEMBER/NUMBER, or at least 8 digits of the entry's hash")
    .requiredOption('-o, --out <file>', 'the proof; nothing is overwritten')
    .option('--header <file>', "the entry's header, of which it is the proof, to a file of its own")
    .action(async (ref: string, options: Common & { out: string; header?: string }) => {
      const files = [options.out, ...(options.header === undefined ? [] : [options.header])]
      await requireAbsent(files)
      const report = await clientOf(options).get<ProofReport>(`/v1/log/proof?ref=${encodeURIComponent(ref)}`)
      for (const [i, content] of [report.proof, report.header].slice(0, files.length).entries())
        await writeNewFrom(files[i] as string, pieceOf(content), FILE_MODE)
      outputOf(options).print({ files, ...report }, () => proofLines(files, report))
    })
}

async function* pieceOf(base64: string): AsyncIterable<Uint8Array> {
  yield Buffer.from(base64, 'base64')
}

function proofLines(files: readonly string[], { name, seq, size, disputed, fingerprint }: ProofReport): string[] {
  return [
    `Wrote ${files.join(' and ')}: entry ${seq} of ${name} is under a final head of ${counted(size, 'entry', 'entries')}.`,
    ...(disputed ? [`DISPUTED: the key of ${name} signed another history too; see "consilium log forks".`] : []),
    `fingerprint  ${fingerprint}`,
  ]
}

function counted(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`
}

/** As a shell takes it for one word. */
function quoted(file: string): string {
  return /^[\w./@:+-]+$/.test(file) ? file : `'${file.replaceAll("'", "'\\''")}'`
}

/** log check-export: makes every line of an export again from its proofs, with no node and no trust in who made it, and names what differs, what was left out and what is not final. */
import type { Readable } from 'node:stream'
import { type Command, Option } from 'commander'
import { fromUtf8, utf8 } from '../core/bytes.ts'
import { ConsiliumError } from '../core/errors.ts'
import { squeeze } from '../daemon/squeeze.ts'
import { type BundledLog, type BundleFacts, parseRoot } from '../ledger/bundleVerdict.ts'
import type { BundledConsortium } from '../ledger/bundleVerify.ts'
import { headerOf, linesOf, VIEWS, type ViewName, viewOf } from '../report/exports/views.ts'
import { type ExportVerdict, exportFault, exportLines, FAULTS_MAX, type LineFault } from './exportVerdict.ts'
import { LeftOut } from './leftOut.ts'
import { EXIT_UNCHECKED, judgeBundle, openFile, unreadable, wrongBundle } from './logBundle.ts'
import { type Common, command, outputOf } from './shared.ts'

const BEGINNING_BYTES = 64
const COUNTS = ['final', 'pending', 'disputed', 'droppedBodies'] as const
const LINE_BYTES_MAX = 4_194_304

/** `log check-export`. Errors: `bad-root`, `file-missing`, `file-unreadable`, `export-unknown`, `export-differs`, `export-left-out`, `export-not-final`, the first fault of the proofs. */
export function checkExport(): Command {
  return command(
    'check-export',
    'check every line of a file that "log export --form … --proofs" wrote, without a node',
    'consilium log check-export audit.ndjson --root "08fc c65f 7636 4473 b231 9a83 072b 6665"',
  )
    .argument('<file>', 'the export')
    .option('--proofs <file>', 'its proofs (default: FILE.proofs)')
    .addOption(new Option('--form <form>', 'of an empty file: the form that it should be of').choices(VIEWS))
    .option('--root <fingerprint>', "the consortium's fingerprint, got another way: what ties the proofs to reality")
    .addHelpText(
      'after',
      '\nExit code 1 where a line differs, an entry that the filter takes was left out, or one is not final; 3 where all hold and --root is not given.',
    )
    .action(async (file: string, options: Common & { proofs?: string; root?: string; form?: ViewName }) => {
      const { proofs = `${file}.proofs`, root, form } = options
      const verdict = await judgeExport(file, proofs, root === undefined ? null : parseRoot(root), form ?? null)
      if (options.json || verdict.faults.length === 0) outputOf(options).print(verdict, () => exportLines(verdict))
      const fault = exportFault(verdict)
      if (fault !== null) throw fault
      if (root === undefined) process.exitCode = EXIT_UNCHECKED
    })
}

/** Reads both files once, side by side; `asked` is the form, null where the file's beginning says it. Errors: as above, but `export-…` of a verdict. */
export async function judgeExport(
  file: string,
  proofs: string,
  root: string | null,
  asked: ViewName | null = null,
): Promise<ExportVerdict> {
  const { stream, beginning } = await openFile(file, BEGINNING_BYTES)
  try {
    const view = asked ?? viewOf(fromUtf8(beginning.map(asciiOnly)))
    if (view === null) throw unknown(file, beginning.length === 0)
    const comparison = new Comparison(linesIn(file, stream))
    const leftOut = new LeftOut()
    let consortium: BundledConsortium | null = null
    if (headerOf(view) !== '') comparison.expect(headerOf(view), null)
    const verdict = await judgeBundle(
      proofs,
      root,
      (entry, state, _, of) => {
        consortium = of
        const name = of.nameOf(entry.author) ?? entry.author.slice(0, 12)
        const ref = `${squeeze(name)}/${entry.seq}`
        leftOut.take(entry, of.filter, name)
        for (const line of linesOf(view, entry, state, of)) comparison.expect(line, ref)
      },
      () => comparison.catchUp(),
    )
    if (verdict.verdict === 'wrong') throw wrongBundle(proofs, verdict)
    await comparison.finish()
    leftOut.ended(verdict.filter, verdict.logs)
    return {
      ...{ file, proofs, view, lines: comparison.lines, entries: verdict.entries },
      ...{ consortium: verdict.consortium.name, fingerprint: verdict.consortium.fingerprint },
      identity: root === null ? 'not checked' : 'checked',
      ...countsOf(verdict.logs),
      ...{ filter: verdict.filter, logs: verdict.logs, absent: absentIn(consortium, verdict) },
      ...{ leftOut: leftOut.entries, gaps: leftOut.gaps, faults: comparison.faults },
    }
  } finally {
    stream.destroy()
  }
}

function countsOf(logs: readonly BundledLog[]): Pick<ExportVerdict, (typeof COUNTS)[number]> {
  const sum = (of: (typeof COUNTS)[number]): number => logs.reduce((total, log) => total + log[of], 0)
  return {
    final: sum('final'),
    pending: sum('pending'),
    disputed: sum('disputed'),
    droppedBodies: sum('droppedBodies'),
  }
}

/** Names of members whose logs the filter takes, and of which there is none. */
function absentIn(of: BundledConsortium | null, { filter, logs }: BundleFacts): string[] {
  const here = new Set(logs.filter(({ entries }) => entries > 0).map(({ member }) => member))
  const asked = (of?.members() ?? []).filter((member) => filter.members?.includes(member) ?? true)
  return asked.filter((member) => !here.has(member)).map((member) => of?.nameOf(member) ?? member)
}

const asciiOnly = (byte: number): number => (byte < 0x80 ? byte : 0x3f)

interface Expected {
  readonly line: string
  readonly entry: string | null
}

/** Compares what should be there with what is, a line at a time, and finds its way again after a line too many or too few. */
class Comparison {
  readonly faults: LineFault[] = []
  lines = 0
  readonly #found: AsyncIterator<Uint8Array>
  readonly #ahead: Uint8Array[] = []
  #waiting: Expected[] = []

  constructor(found: AsyncIterable<Uint8Array>) {
    this.#found = found[Symbol.asyncIterator]()
  }

  expect(line: string, entry: string | null): void {
    this.#waiting.push({ line, entry })
  }

  /** Compares all but the last of what is expected: that one needs the next to be told from a line that is missing. */
  async catchUp(): Promise<void> {
    const waiting = this.#waiting
    let at = 0
    while (at < waiting.length - 1 && this.faults.length < FAULTS_MAX)
      at += await this.#compare(waiting[at] as Expected, waiting[at + 1] as Expected)
    this.#waiting = this.faults.length < FAULTS_MAX ? waiting.slice(at) : waiting.slice(-1)
  }

  async finish(): Promise<void> {
    await this.catchUp()
    const [last] = this.#waiting
    if (last !== undefined && this.faults.length < FAULTS_MAX) await this.#compare(last, null)
    while (this.faults.length < FAULTS_MAX && (await this.#peek(0)) !== null) {
      this.#take()
      this.#fault(null, 'is of no entry that the proofs have: it was added')
    }
  }

  /** Gives 1 where the expected line is done with, 0 where a line of the file was too many. */
  async #compare(expected: Expected, next: Expected | null): Promise<0 | 1> {
    const [line, after] = [await this.#peek(0), await this.#peek(1)]
    const is = (found: Uint8Array | null, one: Expected | null): boolean =>
      found !== null && one !== null && Buffer.compare(found, utf8(one.line)) === 0
    if (is(line, expected)) {
      this.#take()
      return 1
    }
    if (line === null || is(line, next)) {
      this.#fault(expected.entry, 'is missing', 1)
      return 1
    }
    if (is(after, expected)) {
      this.#take()
      this.#fault(null, 'is of no entry that the proofs have there: it was added')
      return 0
    }
    this.#take()
    this.#fault(
      expected.entry,
      `differs from what the entry gives, from byte ${firstDifference(line, utf8(expected.line))} of the line on`,
    )
    return 1
  }

  #fault(entry: string | null, what: string, ahead = 0): void {
    this.faults.push({ line: this.lines + ahead, entry, what })
  }

  #take(): void {
    this.#ahead.shift()
    this.lines++
  }

  async #peek(place: number): Promise<Uint8Array | null> {
    while (this.#ahead.length <= place) {
      const { value, done } = await this.#found.next()
      if (done) return null
      this.#ahead.push(value)
    }
    return this.#ahead[place] as Uint8Array
  }
}

function firstDifference(a: Uint8Array, b: Uint8Array): number {
  let at = 0
  while (at < a.length && at < b.length && a[at] === b[at]) at++
  return at + 1
}

/** Lines with their line ends. Error: `file-unreadable`. */
async function* linesIn(file: string, stream: Readable): AsyncIterable<Uint8Array> {
  let rest: Uint8Array[] = []
  for await (const chunk of chunksOf(file, stream)) {
    let from = 0
    for (let at = chunk.indexOf(0x0a); at >= 0; at = chunk.indexOf(0x0a, from)) {
      yield Buffer.concat([...rest, chunk.subarray(from, at + 1)])
      rest = []
      from = at + 1
    }
    if (from < chunk.length) rest.push(chunk.subarray(from))
    if (rest.length * chunk.length <= LINE_BYTES_MAX) continue
    yield Buffer.concat(rest) // no entry gives such a line
    rest = []
  }
  if (rest.length > 0) yield Buffer.concat(rest)
}

async function* chunksOf(file: string, stream: Readable): AsyncIterable<Uint8Array> {
  try {
    yield* stream
  } catch (error) {
    throw unreadable(file, error)
  }
}

function unknown(file: string, isEmpty: boolean): ConsiliumError {
  if (isEmpty)
    return new ConsiliumError({
      code: 'export-unknown',
      message: `${file}: is empty: say with --form what it should be: ${VIEWS.join(', ')}`,
    })
  const message = `${file}: does not begin as an export of ${VIEWS.join(', ')} does; give the file that "consilium log export --form" wrote`
  return new ConsiliumError({ code: 'export-unknown', message })
}

/** log verify FILE: verifies an exported bundle, with no node, no network and no trust in who made it. */
import { open } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { ConsiliumError, messageOf } from '../core/errors.ts'
import { type BundleFilter, LineSplitter } from '../ledger/bundle.ts'
import { type BundledLog, type BundleFacts, type BundleVerdict, parseRoot } from '../ledger/bundleVerdict.ts'
import { BundleVerifier, type SeenEntry } from '../ledger/bundleVerify.ts'
import { type BundledSignOffs, BundleSignOffs, signOffLines } from './bundleSignOffs.ts'
import { table, utc } from './output.ts'
import { type Common, outputOf } from './shared.ts'

/** Exit code: neither good nor wrong. */
export const EXIT_UNCHECKED = 3 // nobody said which consortium it has to be of
const GZIP_MAGIC = Uint8Array.of(0x1f, 0x8b) // RFC 1952 §2.3.1
const SLACK_MEMBERS_MIN = 4 // below it the quorum is everybody; LEDGER §1.3

/**
 * Verifies a bundle and prints what it shows; with --json the verdict on a wrong one, too. Sets the exit code to 3 where nothing is
 * wrong and `root` is not given.
 * Errors: `bad-root`, `file-missing`, `file-unreadable`, `bundle-gzip`, and the first fault under its own code.
 */
export async function verifyBundle(file: string, root: string | undefined, options: Common): Promise<void> {
  const people = new BundleSignOffs()
  const see: SeenEntry = (entry, _, founding) => people.take(entry, founding)
  const verdict = await judgeBundle(file, root === undefined ? null : parseRoot(root), see)
  const to = outputOf(options)
  if (verdict.verdict === 'wrong') {
    if (options.json) to.print(verdict, () => [])
    throw wrongBundle(file, verdict)
  }
  const signOffs = people.found(verdict.logs)
  to.print(signOffs.length === 0 ? verdict : { ...verdict, signOffs }, () => reportLines(file, verdict, signOffs))
  if (verdict.verdict === 'consistent') process.exitCode = EXIT_UNCHECKED
}

/** The first fault, under its own code. */
export function wrongBundle(file: string, { fault }: Extract<BundleVerdict, { verdict: 'wrong' }>): ConsiliumError {
  const { code, line, message } = fault
  return new ConsiliumError({ code, message: `${file}: wrong at line ${line}: ${message}` })
}

/** Reads the file once, in pieces, plain or gzipped; `rest` runs after each piece. Errors: `file-missing`, `file-unreadable`, `bundle-gzip`, those of `rest`. */
export async function judgeBundle(
  file: string,
  root: string | null,
  see?: SeenEntry,
  rest: () => Promise<void> = async () => undefined,
): Promise<BundleVerdict> {
  const verifier = new BundleVerifier(root, see)
  const lines = new LineSplitter()
  const take = async (chunks: AsyncIterable<Uint8Array>): Promise<BundleVerdict> => {
    for await (const chunk of chunks) {
      for (const line of lines.split(chunk)) {
        if (!verifier.push(line)) return verifier.finish(lines.rest)
      }
      await rest()
    }
    return verifier.finish(lines.rest)
  }
  try {
    const { stream, beginning } = await openFile(file, GZIP_MAGIC.length)
    const zipped = Buffer.compare(beginning, GZIP_MAGIC) === 0
    return zipped ? await pipeline(stream, createGunzip(), take) : await pipeline(stream, take)
  } catch (error) {
    throw unreadable(file, error)
  }
}

/** The file from its beginning, to be read to its end or destroyed, and its first `bytes`, fewer where it is shorter. Errors: `file-missing`, `file-unreadable`. */
export async function openFile(file: string, bytes: number): Promise<{ stream: Readable; beginning: Uint8Array }> {
  const handle = await open(file).catch((error: unknown) => {
    throw unreadable(file, error)
  })
  try {
    const { buffer, bytesRead } = await handle.read(new Uint8Array(bytes), 0, bytes, 0)
    return { stream: handle.createReadStream({ start: 0 }), beginning: buffer.subarray(0, bytesRead) }
  } catch (error) {
    await handle.close()
    throw unreadable(file, error)
  }
}

/** What a person is told of a file that cannot be read; an error that is of something else comes back as it is. */
export function unreadable(file: string, error: unknown): unknown {
  const { code } = error as NodeJS.ErrnoException
  if (code === 'ENOENT') return new ConsiliumError({ code: 'file-missing', message: `${file}: there is no such file` })
  if (code?.startsWith('Z_')) {
    const message = `${file}: its gzip wrapping is damaged or cut off (${messageOf(error)}): fetch it again`
    return new ConsiliumError({ code: 'bundle-gzip', message })
  }
  if (typeof code !== 'string' || !/^E[A-Z]+$/.test(code)) return error
  return new ConsiliumError({ code: 'file-unreadable', message: `${file}: it cannot be read (${code})` })
}

type Found = Extract<BundleVerdict, { verdict: 'good' | 'consistent' }>

function reportLines(file: string, found: Found, signOffs: readonly BundledSignOffs[]): string[] {
  const { consortium, filter, logs } = found
  const { name, epoch, members, quorum } = consortium
  return [
    found.verdict === 'good'
      ? `${file}: good. Every line holds, and the consortium is the one that --root names.`
      : `${file}: consistent; identity not checked`,
    '',
    `consortium   ${name}`,
    `fingerprint  ${consortium.fingerprint}`,
    `epoch        ${epoch === 0 ? '0, the founding' : `${epoch}, the newest in it: the membership was changed ${times(epoch)} since the founding`}`,
    `members      ${members}; an entry is final under ${quorum} signatures, its author's own among them${epoch === 0 ? '' : '; earlier ones under those of their epoch'}`,
    `exported     ${found.made.replace('T', ' ').replace('Z', ' UTC')} by ${nameOf(found.by, logs)} (as the file says: nothing signs this)`,
    `filter       ${filterWords(filter, logs)}`,
    '',
    ...logTable(logs),
    '',
    ...signOffLines(signOffs),
    ...noticesOf(found),
    'What no bundle can rule out:',
    ...limitsOf(found).map((line) => `- ${line}`),
  ]
}

/** A row for each log: how much of it is there, and in which state. */
export function logTable(logs: readonly BundledLog[]): string[] {
  if (logs.length === 0) return ['No log is in it.']
  const header = ['log of', 'entries', 'of', 'final', 'pending', 'disputed', 'body dropped', 'first', 'last']
  const rows = logs.map((log) => [
    log.name,
    String(log.entries),
    String(log.size),
    String(log.final),
    String(log.pending),
    String(log.disputed),
    String(log.droppedBodies),
    log.firstMs === null ? '–' : utc(log.firstMs),
    log.lastMs === null ? '–' : utc(log.lastMs),
  ])
  return table(header, rows, [1, 2, 3, 4, 5, 6])
}

/** What a reader must not miss. */
function noticesOf({ verdict, consortium, logs }: Found): string[] {
  const { members, quorum, fingerprint } = consortium
  const lines = logs.flatMap(forkNotice)
  if (verdict === 'consistent') {
    lines.push(
      `Identity not checked: compare ${fingerprint} with a fingerprint that you got another way, then give that with --root.`,
    )
  }
  if (members < SLACK_MEMBERS_MIN) {
    lines.push(
      `With ${members} members a head needs all ${quorum} signatures: finality has no slack here, one absent hospital holds it up.`,
    )
  }
  return lines.length === 0 ? [] : [...lines, '']
}

/** Of a log whose author signed two histories; empty of any other. */
export function forkNotice({ name, forkSize, disputedFinal }: BundledLog): string[] {
  if (forkSize === null) return []
  const final = disputedFinal === 0 ? '' : `; ${disputedFinal} of these lie under a final head`
  return [
    `DISPUTED: ${name} signed two histories of ${forkSize} entries; entries from number ${forkSize - 1} on count as disputed${final}.`,
  ]
}

/** The bounds of what was shown; those that always hold, and those of this bundle. */
function limitsOf({ consortium, filter, logs, entries }: BundleFacts): string[] {
  const all = logs.every((log) => log.entries === log.size) && entries > 0
  const lines = [
    all
      ? 'that whole logs were left out by who exported; of the logs above every entry up to the size is here'
      : `that entries were left out, ${isOpen(filter) ? '' : 'by the filter or '}by who exported; "of" is how many entries each log had`,
    'that the logs went on: later entries are not in it',
    'that what was declared is untrue, or its times wrong: a log shows what its author said, and in which order',
    `that the membership changed later: it is shown up to epoch ${consortium.epoch}`,
  ]
  if (logs.some((log) => log.heads > 1))
    lines.push('that two heads of one log contradict each other, where no entries link them')
  return lines
}

function times(count: number): string {
  return count === 1 ? 'once' : `${count} times`
}

function isOpen(filter: BundleFilter): boolean {
  return Object.values(filter).every((value) => value === null)
}

/** A bundle's filter as people read it. */
export function filterWords(filter: BundleFilter, logs: readonly BundledLog[]): string {
  const { members, kind, study, sinceMs, untilMs, state } = filter
  const words = [
    members === null ? '' : `logs of ${members.map((member) => nameOf(member, logs)).join(', ')}`,
    kind === null ? '' : `kind ${kind}`,
    study === null ? '' : `study ${study}`,
    sinceMs === null ? '' : `from ${utc(sinceMs)}`,
    untilMs === null ? '' : `before ${utc(untilMs)}`,
    state === null ? '' : `${state} only`,
  ].filter((word) => word !== '')
  return words.length === 0 ? 'none' : words.join('; ')
}

function nameOf(member: string, logs: readonly BundledLog[]): string {
  return logs.find((log) => log.member === member)?.name ?? `${member.slice(0, 16)}…`
}

/** `consilium audit round`: whose word a round rested on, made again from the vault, and opened to an auditor who knows nobody. */
import { toHex } from '../core/bytes.ts'
import { ConsiliumError } from '../core/errors.ts'
import type { Digest } from '../core/ids.ts'
import { TELLING, ToldWords } from '../governance/consentDeclared.ts'
import { leafContext, leafSecrets } from '../governance/consentLeaf.ts'
import {
  checkOpening,
  type Declared,
  type OpenedLeaf,
  type Opening,
  openingLines,
} from '../governance/consentOpening.ts'
import { type Body, readBody } from '../governance/kinds.ts'
import type { BareLeaf, Stand } from '../governance/roundSets.ts'
import type { VaultBook } from '../governance/vaultBook.ts'
import type { Entry } from '../ledger/entry.ts'
import type { AuditReport } from './consentApi.ts'
import type { Daemon } from './daemon.ts'
import { writeNewFrom } from './files.ts'
import { stateOf } from './logFilter.ts'
import { LogReader } from './logReader.ts'
import { entriesOf } from './logSlices.ts'
import { refOf } from './models.ts'
import { readOpening } from './openingFile.ts'
import { asksNobody } from './wordReports.ts'

type Trained = Body<'round.trained'>

/** A round's entry, and what its author's log had said by then. */
interface Round {
  readonly entry: Entry
  readonly body: Trained & { readonly consent: NonNullable<Trained['consent']> }
  readonly declared: Declared
}

/** Makes the set of an own round again; with `path` what an auditor checks is written there. Errors: `audit-…`, `entry-unknown`, `vault-…`, `file-exists`. */
export async function auditRound(daemon: Daemon, ref: string, path: string | null): Promise<AuditReport> {
  const round = await roundOf(daemon, ref)
  const { entry, declared } = round
  if (entry.author !== daemon.home.key.id)
    throw fault(
      'audit-foreign',
      `${ref}: its author alone holds the vault that this round rests on: ask ${daemon.nameOf(entry.author)} for "consilium audit round --open"`,
    )
  const opening = openingOf(daemon, await daemon.vault.book(), declared)
  if (path !== null) {
    const header = { study: declared.study.id, member: entry.author, seq: entry.seq, hash: entry.hash }
    const lines = async function* (): AsyncIterable<string> {
      for (const line of openingLines(opening, header)) yield `${line}\n`
    }
    await writeNewFrom(path, lines(), 0o600)
  }
  return reportOf(daemon, round, opening)
}

/** Checks what another member, or this one, opened, against its log as it is stored here. Errors: `audit-…`, `file-missing`. */
export async function checkOpened(daemon: Daemon, path: string): Promise<AuditReport> {
  const { header, opening } = await readOpening(path)
  const round = await roundOf(daemon, `${header.member}/${header.seq}`)
  if (round.entry.hash !== header.hash)
    throw fault(
      'audit-other-entry',
      `${path}: it is of entry ${header.hash.slice(0, 12)}, and the log here has another in its place`,
    )
  return reportOf(daemon, round, opening)
}

function reportOf(daemon: Daemon, { entry, body, declared }: Round, opening: Opening): AuditReport {
  const { study } = declared
  return {
    entry: refOf(daemon, entry.author, entry.seq),
    member: daemon.nameOf(entry.author),
    study: study.id,
    round: body.round,
    timeMs: entry.timeMs,
    basis: body.consent.basis,
    declared: declared.root,
    state: stateOf(daemon, entry.author, entry.seq),
    ...checkOpening(opening, declared),
  }
}

async function roundOf(daemon: Daemon, ref: string): Promise<Round> {
  const entry = await new LogReader(daemon).find(ref)
  const body = entry.kind === 'round.trained' ? readBody('round.trained', entry.body) : null
  if (body === null || entry.study === null) throw fault('audit-no-round', `${ref}: no entry of kind round.trained`)
  const consent = daemon.machine.study(entry.study)?.consent ?? null
  if (consent === null || body.consent === undefined) throw asksNobody(entry.study)
  const told = new ToldWords(entry.study, entry.seq)
  for await (const one of entriesOf(daemon.logs, entry.author, TELLING)) told.take(one)
  const root = toHex(body.consent.root) as Digest
  const declared = { study: { id: entry.study, consent }, root, timeMs: entry.timeMs, told }
  return { entry, body: { ...body, consent: body.consent }, declared }
}

/** Of patients who are not in the set, those words alone that the log had told of before the round: later ones are not the auditor's to read. */
function openingOf(daemon: Daemon, book: VaultBook, { study, root, told }: Declared): Opening {
  const stands = book.sets.at(study.id, root)
  if (stands === null)
    throw fault(
      'audit-set-missing',
      'the vault does not know the set that this round rests on: it is another vault, or an older copy',
    )
  const context = leafContext(study.id, daemon.home.key.id)
  const leaves: OpenedLeaf[] = []
  const bare: BareLeaf[] = []
  for (const [number, stand] of stands) {
    const subject = book.bearing(number)
    if ('leaf' in stand || subject === undefined) bare.push(stand as BareLeaf)
    else
      leaves.push({
        ...leafSecrets(subject.key, context),
        ...(stand as Stand),
        words: subject.words.slice(0, (stand as Stand).words),
      })
  }
  const before = new Set(told.before)
  const others = [...book.subjects()].filter(({ number }) => !stands.has(number))
  const elsewhere = others.flatMap(({ words }) => words.filter(({ commitment }) => before.has(toHex(commitment))))
  return { leaves, bare, elsewhere }
}

const fault = (code: string, message: string): ConsiliumError => new ConsiliumError({ code, message })

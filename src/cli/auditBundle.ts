/** audit check --bundle: checks what a hospital opened of a round against an exported bundle, with no node and no network. */
import { studyFromDocument, studyIdOf } from '../config/study.ts'
import { toHex } from '../core/bytes.ts'
import { ConsiliumError } from '../core/errors.ts'
import type { Digest, StudyId } from '../core/ids.ts'
import type { AuditReport } from '../daemon/consentApi.ts'
import { readOpening } from '../daemon/openingFile.ts'
import { TELLING, ToldWords } from '../governance/consentDeclared.ts'
import { checkOpening } from '../governance/consentOpening.ts'
import { readBody } from '../governance/kinds.ts'
import { type BundleFilter, type EntryState, takesKind } from '../ledger/bundle.ts'
import type { BundleVerdict } from '../ledger/bundleVerdict.ts'
import type { Entry } from '../ledger/entry.ts'
import { judgeBundle, wrongBundle } from './logBundle.ts'

type Found = Exclude<BundleVerdict, { verdict: 'wrong' }>
type Header = Awaited<ReturnType<typeof readOpening>>['header']

/** What a check rests on: `facts` are of the bundle. */
export interface OfflineAudit {
  readonly report: AuditReport
  readonly facts: Found
}

/** Errors: `audit-…`, `bundle-…`, `file-missing`, `file-unreadable`. */
export async function auditBundle(path: string, bundle: string, root: string | null): Promise<OfflineAudit> {
  const { header, opening } = await readOpening(path)
  const gathered = new Gathered(header)
  const verdict = await judgeBundle(bundle, root, (entry, state) => gathered.see(entry, state))
  if (verdict.verdict === 'wrong') throw wrongBundle(bundle, verdict)
  requireKinds(bundle, verdict.filter, header)
  const { entry, state, consent, told } = gathered
  if (entry === null)
    throw fault(
      'audit-no-round',
      `${bundle}: it has no entry ${header.seq} of ${header.member.slice(0, 16)}…: export a newer one`,
    )
  if (entry.hash !== header.hash)
    throw fault(
      'audit-other-entry',
      `${path}: it is of entry ${header.hash.slice(0, 12)}, and the bundle has another in its place`,
    )
  const body = entry.kind === 'round.trained' ? readBody('round.trained', entry.body) : null
  if (body?.consent === undefined || entry.study !== header.study || consent === null)
    throw fault(
      'audit-no-round',
      `${path}: entry ${header.seq} is no round of a study that asks patients, or the bundle has no study.proposed of it`,
    )
  const study = { id: header.study, consent }
  const declared = { study, root: toHex(body.consent.root) as Digest, timeMs: entry.timeMs, told }
  const name = verdict.logs.find(({ member }) => member === header.member)?.name ?? header.member.slice(0, 16)
  const report: AuditReport = {
    ...{ entry: `${name}/${header.seq}`, member: name, study: header.study, round: body.round, timeMs: entry.timeMs },
    ...{ basis: body.consent.basis, declared: declared.root, state },
    ...checkOpening(opening, declared),
  }
  return { report, facts: verdict }
}

/** What of a bundle's entries the check needs: the round's, what its author had told before, and the study. */
class Gathered {
  readonly #header: Header
  readonly told: ToldWords
  entry: Entry | null = null
  state: EntryState = 'pending'
  consent: ReturnType<typeof studyFromDocument>['consent'] = null

  constructor(header: Header) {
    this.#header = header
    this.told = new ToldWords(header.study, header.seq)
  }

  see(entry: Entry, state: EntryState): void {
    const { member, seq, study } = this.#header
    if (entry.kind === 'study.proposed') this.#propose(entry, study)
    if (entry.author !== member) return
    if (entry.seq === seq) {
      this.entry = entry
      this.state = state
    }
    this.told.take(entry) // later ones too: each says how many words were told before it, and who was forgotten
  }

  #propose({ body }: Entry, study: StudyId): void {
    const document = readBody('study.proposed', body)?.document
    if (document === undefined || studyIdOf(document) !== study) return
    this.consent = studyFromDocument(document).consent
  }
}

const NEEDED = [...TELLING, 'round.trained', 'study.proposed']

/** A filter that leaves words out would let a broken promise pass. Error: `audit-bundle`. */
function requireKinds(
  bundle: string,
  { members, kind, study, sinceMs, untilMs, state }: BundleFilter,
  header: Header,
): void {
  const whole = study === null && sinceMs === null && untilMs === null && state === null
  const kinds = kind === null || NEEDED.every((one) => takesKind(kind, one))
  if (whole && kinds && (members?.includes(header.member) ?? true)) return
  throw fault(
    'audit-bundle',
    `${bundle}: its filter leaves out what the check needs: make it with "consilium subject bundle", or "consilium log export" without a filter`,
  )
}

const fault = (code: string, message: string): ConsiliumError => new ConsiliumError({ code, message })

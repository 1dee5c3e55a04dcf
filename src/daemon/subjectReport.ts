/** `consilium subject report`: who used a patient's records here, when, for what, and which models came of it, by the logs. */
import type { Digest, MemberId, StudyId } from '../core/ids.ts'
import type { OwnRounds } from '../governance/ownRounds.ts'
import type { VaultBook, VaultSubject } from '../governance/vaultBook.ts'
import { decodeEntry } from '../ledger/entry.ts'
import type { SubjectReport, SubjectStudyReport } from './consentApi.ts'
import type { Daemon } from './daemon.ts'
import { refOf } from './models.ts'
import { knownIn } from './vaultKeeper.ts'
import { askingStudies, standings, wordReports } from './wordReports.ts'

type Round = SubjectStudyReport['rounds'][number]

/** What a report works with. */
type Reported = Pick<Daemon, 'vault' | 'ownLog' | 'lineage' | 'machine' | 'home' | 'logs' | 'nameOf'>

/** Errors: `subject-unknown`, `subject-forgotten`, `vault-…`. */
export async function subjectReport(daemon: Reported, record: string): Promise<SubjectReport> {
  const book = await daemon.vault.book()
  const subject = knownIn(book, record)
  const own = await daemon.ownLog.rounds()
  const studies = await Promise.all(
    askingStudies(daemon).map((asking) => {
      const numbers = roundsWith(own, usedSets(book, subject, asking.id), asking.id)
      return studyReport(daemon, asking, { book, subject }, { own, numbers })
    }),
  )
  return { hospital: daemon.nameOf(daemon.home.key.id), words: wordReports(daemon, subject, own), studies }
}

async function studyReport(
  daemon: Reported,
  { id, study }: ReturnType<typeof askingStudies>[number],
  { book, subject }: { readonly book: VaultBook; readonly subject: VaultSubject },
  { own, numbers }: { readonly own: OwnRounds; readonly numbers: ReadonlyMap<number, number> },
): Promise<SubjectStudyReport> {
  const now = standings(daemon, subject, book, Date.now()).find((one) => one.study === id)
  const { purposes, basis } = study.consent
  const about = { study: id, name: study.name, purpose: study.purpose, purposes, basis }
  const ref = refOf(daemon, daemon.home.key.id, 0).slice(0, -1) // once: there may be hundreds of thousands
  const found = [...numbers].map(([number, rows]) => ({ ...own.at(number), rows }))
  const rounds = found.map(({ round, timeMs, update, rows, seq }): Round => {
    return { round, timeMs, update, rows, entry: `${ref}${seq}` }
  })
  const seqs = found.map(({ seq }) => seq)
  const [models, recipients] =
    rounds.length === 0 ? [[], []] : [await modelsWith(daemon, id, rounds), await recipientsOf(daemon, id, seqs)]
  return { ...about, permittedNow: now?.permitted ?? false, rounds, recipients, models }
}

/**
 * Who had accepted the study when a round at one of those places of the own log was computed: members whose acceptance the node had read by
 * then, for its entry has a later Lamport time. Clocks do not come into it.
 */
export async function recipientsOf(
  daemon: Pick<Reported, 'machine' | 'home' | 'logs' | 'nameOf'>,
  study: StudyId,
  seqs: readonly number[],
): Promise<SubjectStudyReport['recipients']> {
  const self = daemon.home.key.id
  const state = daemon.machine.view().studies.find((one) => one.state.id === study)?.state
  const accepted = [...(state?.acceptedAt ?? [])].filter(([member]) => member !== self)
  const found: SubjectStudyReport['recipients'][number][] = []
  for (const [member, lamport] of accepted) {
    let [low, high] = [0, seqs.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      const seq = seqs[middle] as number
      const [raw] = await daemon.logs.entries(self, seq, seq + 1)
      if (raw !== undefined && decodeEntry(raw).lamport <= lamport) low = middle + 1
      else high = middle
    }
    if (low < seqs.length) found.push({ member: daemon.nameOf(member), after: low })
  }
  return found.sort((a, b) => (a.member < b.member ? -1 : 1))
}

/** Roots of the sets in which the patient's rows were permitted, with how many rows. */
function usedSets(book: VaultBook, { number }: VaultSubject, study: StudyId): Map<Digest, number> {
  const used = new Map<Digest, number>()
  for (const [root, { permitted, rows }] of book.sets.standsOf(study, number))
    if (permitted && rows > 0) used.set(root, rows)
  return used
}

/** Numbers of own rounds that rest on one of those sets, oldest first, each with how many rows. */
function roundsWith(own: OwnRounds, used: ReadonlyMap<Digest, number>, study: StudyId): Map<number, number> {
  const rowsIn = new Uint32Array(own.size)
  for (const [root, rows] of used) for (const number of own.on(study, root)) rowsIn[number] = rows
  const found = new Map<number, number>()
  for (const [number, rows] of rowsIn.entries()) if (rows > 0) found.set(number, rows)
  return found
}

/** Everything that was made of the updates of those rounds, at any member whose log is here. */
async function modelsWith(
  daemon: Reported,
  study: StudyId,
  rounds: readonly Round[],
): Promise<SubjectStudyReport['models']> {
  const lineage = (await daemon.lineage.current()).of(study)
  const names = new Map<MemberId, readonly [name: string, ref: string]>()
  const found: SubjectStudyReport['models'][number][] = []
  const updates = rounds.map(({ update }) => update as Digest)
  lineage.eachMergedFrom(daemon.home.key.id, updates, (author, model, round, seq) => {
    let known = names.get(author)
    if (known === undefined) {
      known = [daemon.nameOf(author), refOf(daemon, author, 0).slice(0, -1)]
      names.set(author, known)
    }
    found.push({ member: known[0], round, model, entry: `${known[1]}${seq}` })
  })
  return found
}

/** `consilium subject report`: who used a patient's records here, when, for what, and which models came of it, by the logs. */
import type { Digest, MemberId, StudyId } from '../core/ids.ts'
import type { OwnRounds } from '../governance/ownRounds.ts'
import type { VaultBook, VaultSubject } from '../governance/vaultBook.ts'
import type { SubjectReport, SubjectStudyReport } from './consentApi.ts'
import type { Daemon } from './daemon.ts'
import { refOf } from './models.ts'
import { knownIn } from './vaultKeeper.ts'
import { askingStudies, standings, wordReports } from './wordReports.ts'

type Round = SubjectStudyReport['rounds'][number]

/** What a report works with. */
type Reported = Pick<Daemon, 'vault' | 'ownLog' | 'lineage' | 'machine' | 'home' | 'nameOf'>

/** Errors: `subject-unknown`, `subject-forgotten`, `vault-…`. */
export async function subjectReport(daemon: Reported, record: string): Promise<SubjectReport> {
  const book = await daemon.vault.book()
  const subject = knownIn(book, record)
  const own = await daemon.ownLog.rounds()
  const studies = await Promise.all(
    askingStudies(daemon).map((asking) => {
      const rounds = roundsWith(daemon, own, usedSets(book, subject, asking.id), asking.id)
      return studyReport(daemon, asking, { book, subject }, rounds)
    }),
  )
  return { hospital: daemon.nameOf(daemon.home.key.id), words: wordReports(daemon, subject, own), studies }
}

async function studyReport(
  daemon: Reported,
  { id, study }: ReturnType<typeof askingStudies>[number],
  { book, subject }: { readonly book: VaultBook; readonly subject: VaultSubject },
  rounds: readonly Round[],
): Promise<SubjectStudyReport> {
  const now = standings(daemon, subject, book, Date.now()).find((one) => one.study === id)
  const { purposes, basis } = study.consent
  const about = { study: id, name: study.name, purpose: study.purpose, purposes, basis }
  const models = rounds.length === 0 ? [] : await modelsWith(daemon, id, rounds)
  return { ...about, permittedNow: now?.permitted ?? false, rounds, models }
}

/** Roots of the sets in which the patient's rows were permitted, with how many rows. */
function usedSets(book: VaultBook, { number }: VaultSubject, study: StudyId): Map<Digest, number> {
  const used = new Map<Digest, number>()
  for (const [root, { permitted, rows }] of book.sets.standsOf(study, number))
    if (permitted && rows > 0) used.set(root, rows)
  return used
}

/** Own rounds that rest on one of those sets, oldest first. */
function roundsWith(daemon: Reported, own: OwnRounds, used: ReadonlyMap<Digest, number>, study: StudyId): Round[] {
  const ref = refOf(daemon, daemon.home.key.id, 0).slice(0, -1) // once: there may be hundreds of thousands
  const rowsIn = new Uint32Array(own.size)
  for (const [root, rows] of used) for (const number of own.on(study, root)) rowsIn[number] = rows
  const found: Round[] = []
  for (const [number, rows] of rowsIn.entries()) {
    if (rows === 0) continue
    const { seq, round, timeMs, update } = own.at(number)
    found.push({ round, timeMs, update, rows, entry: `${ref}${seq}` })
  }
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

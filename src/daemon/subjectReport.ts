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
      return studyReport(daemon, asking, subject, rounds)
    }),
  )
  return { hospital: daemon.nameOf(daemon.home.key.id), words: wordReports(daemon, subject, own), studies }
}

async function studyReport(
  daemon: Reported,
  { id, study }: ReturnType<typeof askingStudies>[number],
  subject: VaultSubject,
  rounds: readonly Round[],
): Promise<SubjectStudyReport> {
  const now = standings(daemon, subject, Date.now()).find((one) => one.study === id)
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
  const found = [...used].flatMap(([root, rows]) => own.on(study, root).map((round) => ({ ...round, rows })))
  return found.sort((a, b) => a.seq - b.seq).map(({ seq, ...round }) => ({ ...round, entry: `${ref}${seq}` }))
}

/** Everything that was made of the updates of those rounds, at any member whose log is here. */
async function modelsWith(
  daemon: Reported,
  study: StudyId,
  rounds: readonly Round[],
): Promise<SubjectStudyReport['models']> {
  const lineage = (await daemon.lineage.current()).of(study)
  const self = daemon.home.key.id
  const names = new Map<MemberId, readonly [name: string, ref: string]>()
  return lineage.mergedFrom(rounds.map(({ update }) => ({ author: self, model: update as Digest }))).map((made) => {
    const { author, model, round, seq } = made
    const [member, ref] = names.get(author) ?? [daemon.nameOf(author), refOf(daemon, author, 0).slice(0, -1)]
    names.set(author, [member, ref])
    return { member, round, model, entry: `${ref}${seq}` }
  })
}

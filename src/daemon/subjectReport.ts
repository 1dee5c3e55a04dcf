/** `consilium subject report`: who used a patient's records here, when, for what, and which models came of it, by the logs. */
import { toHex } from '../core/bytes.ts'
import type { Digest, MemberId, StudyId } from '../core/ids.ts'
import { readBody } from '../governance/kinds.ts'
import type { MadeModel } from '../governance/lineage.ts'
import type { Stand } from '../governance/roundSets.ts'
import type { VaultSubject } from '../governance/vaultBook.ts'
import { keyOf } from '../governance/withdrawals.ts'
import type { SubjectReport, SubjectStudyReport } from './consentApi.ts'
import type { Daemon } from './daemon.ts'
import { entriesOf } from './entriesOf.ts'
import { refOf } from './models.ts'
import { knownIn } from './vaultKeeper.ts'
import { askingStudies, standings, wordReports } from './wordReports.ts'

type Round = SubjectStudyReport['rounds'][number]

/** Errors: `subject-unknown`, `subject-forgotten`, `vault-…`. */
export async function subjectReport(daemon: Daemon, record: string): Promise<SubjectReport> {
  const book = await daemon.vault.book()
  const subject = knownIn(book, record)
  const stands = new Map<StudyId, ReadonlyMap<Digest, Stand>>()
  for (const { id } of askingStudies(daemon)) stands.set(id, book.sets.standsOf(id, subject.number))
  const rounds = await roundsWith(daemon, stands)
  const studies = await Promise.all(
    askingStudies(daemon).map((asking) => studyReport(daemon, asking, subject, rounds.get(asking.id) ?? [])),
  )
  return { hospital: daemon.nameOf(daemon.home.key.id), words: wordReports(subject), studies }
}

async function studyReport(
  daemon: Daemon,
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

/** Own rounds whose set had the patient. */
async function roundsWith(
  daemon: Daemon,
  stands: ReadonlyMap<StudyId, ReadonlyMap<Digest, Stand>>,
): Promise<Map<StudyId, Round[]>> {
  const self = daemon.home.key.id
  const found = new Map<StudyId, Round[]>()
  for await (const { study, body, seq, timeMs } of entriesOf(daemon.logs, self, ['round.trained'])) {
    const trained = study === null ? null : readBody('round.trained', body)
    if (study === null || trained?.consent === undefined) continue
    const stand = stands.get(study)?.get(toHex(trained.consent.root) as Digest)
    if (stand === undefined || !stand.permitted || stand.rows === 0) continue
    const round = {
      round: trained.round,
      timeMs,
      entry: refOf(daemon, self, seq),
      update: toHex(trained.update),
      rows: stand.rows,
    }
    found.set(study, [...(found.get(study) ?? []), round])
  }
  return found
}

/** Everything that was made of the updates of those rounds, at any member whose log is here. */
async function modelsWith(
  daemon: Daemon,
  study: StudyId,
  rounds: readonly Round[],
): Promise<SubjectStudyReport['models']> {
  const lineage = (await daemon.lineage.current()).of(study)
  const author: MemberId = daemon.home.key.id
  const all = new Map<string, MadeModel>()
  for (const { update } of rounds) {
    const made = { author, model: update as Digest }
    if (all.has(keyOf(made))) continue // of an earlier round, and so is all that was made of it
    const found = lineage.find(made)
    if (found === null) continue
    for (const model of [found, ...lineage.descendants(made)]) all.set(keyOf(model), model)
  }
  return [...all.values()]
    .filter(({ making }) => making === 'merged')
    .map(({ author, model, round, seq }) => ({
      member: daemon.nameOf(author),
      round,
      model,
      entry: refOf(daemon, author, seq),
    }))
}

/** Answers `consilium study report` and `study evaluate`: what the logs that are held here say of one study. */
import { VERSION } from '../config/version.ts'
import type { StudyId } from '../core/ids.ts'
import { ReportFold } from '../report/fold.ts'
import type { Report } from '../report/report.ts'
import type { Daemon } from './daemon.ts'
import type { LogReader } from './logReader.ts'
import { findStudy } from './studyReference.ts'

/** Reads what is stored at this node; asks no other member. Errors: `study-unknown`, `study-ambiguous`. */
export async function studyReport(daemon: Daemon, reader: LogReader, ref: string): Promise<Report> {
  const { id, study, proposedBy, proposedAtMs } = findStudy(daemon, ref)
  const nameOf = daemon.nameOf.bind(daemon)
  const { members } = daemon.home.membership.roll
  const fold = new ReportFold({ id, terms: study, proposedBy, proposedAtMs, members, nameOf })
  for await (const entry of reader.scan(daemon.logs.authors())) fold.add(entry)
  const { key, consortium } = daemon.home
  const made = {
    atMs: Date.now(),
    by: daemon.nameOf(key.id),
    software: VERSION,
    founding: consortium.founding,
  }
  return fold.report(made, (await daemon.lineage.current()).of(id))
}

/** Asks the machine for an evaluation now; its entries come when it is done. Errors: `model-missing`, `model-measured`, those of `findStudy`. */
export async function evaluateStudy(daemon: Daemon, ref: string): Promise<{ study: StudyId; name: string }> {
  const { id, study } = findStudy(daemon, ref)
  await daemon.command((ticket) => ({ type: 'study-evaluate', ticket, study: id }))
  return { study: id, name: study.name }
}

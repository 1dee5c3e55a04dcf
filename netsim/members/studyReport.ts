/** What the logs at one simulated node say of the study: the report that a daemon gives of its own. */
import { VERSION } from '../../src/config/version.ts'
import type { MemberId } from '../../src/core/ids.ts'
import { Lineages } from '../../src/governance/lineages.ts'
import { decodeEntry } from '../../src/ledger/entry.ts'
import { ReportFold } from '../../src/report/fold.ts'
import type { Report } from '../../src/report/report.ts'
import type { StudySimulation } from './run.ts'

/** Null where the study is not known at `node`, or it is down. */
export function studyReportAt(
  simulation: StudySimulation,
  node: number,
  nameOf: (node: number) => string,
): Report | null {
  const { study: id, identities, clock } = simulation
  const machine = simulation.shellOf(node)?.machine
  if (machine === undefined || !machine.booted) return null
  const state = machine.view().studies.find((one) => one.state.id === id)?.state
  if (state === undefined) return null
  const names = new Map(identities.members.map((member, at) => [member, nameOf(at)]))
  const named = (member: MemberId): string => names.get(member) ?? member
  const { study: terms, proposedBy, proposedAtMs } = state
  const { members, founding } = identities
  const fold = new ReportFold({ id, terms, proposedBy, proposedAtMs, members, nameOf: named })
  const lineages = new Lineages()
  for (const [author, { raws }] of simulation.diskOf(node).logs()) {
    lineages.take(author, raws)
    for (const raw of raws) fold.add(decodeEntry(raw))
  }
  return fold.report({ atMs: clock.now, by: nameOf(node), software: VERSION, founding }, lineages.of(id))
}

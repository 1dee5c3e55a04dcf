/** Answers `consilium model lineage`: what the logs that are held here say of what stands behind one model. */
import { setImmediate } from 'node:timers/promises'
import { ConsiliumError } from '../core/errors.ts'
import { FamilyTree, isOfFamily } from '../governance/familyTree.ts'
import { decodeEntry, glanceAt } from '../ledger/entry.ts'
import { type FamilyReport, familyReport } from '../report/family.ts'
import type { Daemon } from './daemon.ts'
import { namedModel, refOf } from './models.ts'
import { findStudy } from './studyReference.ts'

const SLICE = 500 // entries looked at before the event loop gets its turn

/** `model`: digits of its digest; null: the newest that `member`, or this hospital, merged. Errors: `model-…`, `study-…`. */
export async function modelLineage(
  daemon: Daemon,
  study: string,
  { model, member }: { readonly model: string | null; readonly member: string | null },
): Promise<FamilyReport> {
  const { id, study: terms } = findStudy(daemon, study)
  const lineages = await daemon.lineage.current()
  if (model !== null && (!/^[0-9a-f]{8,64}$/.test(model) || lineages.of(id).withDigits(model).length === 0)) {
    const message = `--model: "${model.slice(0, 80)}" was given, and no log here tells of such a model of "${terms.name}"; 8 to 64 digits of its digest are expected: consilium model ls`
    throw new ConsiliumError({ code: 'model-unknown', message })
  }
  const { made } = namedModel(daemon, lineages, model ?? id, { update: false, member })
  const tree = new FamilyTree(id, made, lineages.of(id).behind(made))
  for (const author of daemon.logs.authors()) {
    const { size } = daemon.logs.sizeOf(author)
    for (let from = 0; from < size; from += SLICE) {
      const raws = await daemon.logs.entries(author, from, Math.min(size, from + SLICE))
      for (const raw of raws) if (isOfFamily(glanceAt(raw), id)) tree.take(decodeEntry(raw))
      await setImmediate()
    }
  }
  return familyReport(tree.family(), {
    ...{ study: id, studyName: terms.name },
    nameOf: (member) => daemon.nameOf(member),
    refOf: (member, seq) => refOf(daemon, member, seq),
  })
}

/** Answers `consilium model lineage`: what the logs that are held here say of what stands behind one model. */
import { ConsiliumError } from '../core/errors.ts'
import { FamilyTree, isOfFamily } from '../governance/familyTree.ts'
import { type FamilyReport, familyReport } from '../report/family.ts'
import type { Daemon } from './daemon.ts'
import { entriesOf } from './logSlices.ts'
import { namedModel, refOf } from './models.ts'
import { findStudy } from './studyReference.ts'

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
  for (const author of daemon.logs.authors())
    for await (const entry of entriesOf(daemon.logs, author, (glance) => isOfFamily(glance, id))) tree.take(entry)
  return familyReport(tree.family(), {
    ...{ study: id, studyName: terms.name },
    nameOf: (member) => daemon.nameOf(member),
    refOf: (member, seq) => refOf(daemon, member, seq),
  })
}

/** model lineage: the family tree of a model, asked of the running daemon, or read from an exported bundle without any. */
import { writeFile } from 'node:fs/promises'
import type { Command } from 'commander'
import { studyFromDocument } from '../config/study.ts'
import { ConsiliumError, messageOf } from '../core/errors.ts'
import type { MemberId, StudyId } from '../core/ids.ts'
import { FamilyTree, isOfFamily } from '../governance/familyTree.ts'
import { readBody } from '../governance/kinds.ts'
import type { MadeModel } from '../governance/lineage.ts'
import { Lineages } from '../governance/lineages.ts'
import { type BundleVerdict, parseRoot } from '../ledger/bundleVerdict.ts'
import type { Entry } from '../ledger/entry.ts'
import { type FamilyReport, familyLines, familyReport } from '../report/family.ts'
import { familyDot, familySvg } from '../report/familyDrawing.ts'
import { judgeBundle, wrongBundle } from './logBundle.ts'
import { type Common, clientOf, command, outputOf } from './shared.ts'

interface Asked extends Common {
  readonly model?: string
  readonly member?: string
  readonly svg?: string
  readonly dot: boolean
  readonly bundle?: string
  readonly root?: string
}

const MODEL_DIGITS_MIN = 8

/** Errors: `model-…`, `study-…`, `file-…`, `bundle-…`, `bad-root`. */
export function lineage(): Command {
  return command(
    'lineage',
    'draw the family tree of a model: hospitals, dataset versions, agreements, rounds, merges',
    'consilium model lineage Memory --svg memory.svg',
  )
    .argument('<study>', "digest, at least 6 digits of it, or the study's name")
    .option('--model <digest>', 'at least 8 digits; the newest model of this hospital where it is left out')
    .option('--member <member>', 'whose, where it is not this hospital’s')
    .option('--svg <file>', 'write a drawing of the last rounds')
    .option('--dot', 'print it in the language of Graphviz', false)
    .option('--bundle <file>', 'read an exported bundle in place of asking a node; it is verified first')
    .option('--root <fingerprint>', 'which consortium the bundle has to be of')
    .action(async (study: string, options: Asked) => {
      const report = options.bundle === undefined ? await ask(study, options) : await readBundle(study, options)
      if (options.svg !== undefined) await write(options.svg, familySvg(report))
      if (options.dot) process.stdout.write(familyDot(report))
      else outputOf(options).print(report, () => [...familyLines(report), ...writtenLines(options)])
    })
}

function ask(study: string, { model, member, ...options }: Asked): Promise<FamilyReport> {
  const query = new URLSearchParams({
    ...(model === undefined ? {} : { model }),
    ...(member === undefined ? {} : { member }),
  })
  return clientOf(options).get<FamilyReport>(`/v1/studies/${encodeURIComponent(study)}/lineage?${query}`)
}

function writtenLines({ svg, bundle, root }: Asked): string[] {
  return [
    ...(svg === undefined ? [] : [`Drawn in ${svg}.`]),
    ...(bundle === undefined || root !== undefined
      ? []
      : ['The bundle is consistent; identity not checked: give --root.']),
  ]
}

async function write(file: string, text: string): Promise<void> {
  try {
    await writeFile(file, text)
  } catch (error) {
    throw new ConsiliumError({ code: 'file-not-writable', message: `${file}: ${messageOf(error)}` })
  }
}

/** Twice through the file: once to verify it and learn what was made of what, once for what stands behind the model. */
async function readBundle(ref: string, asked: Asked): Promise<FamilyReport> {
  const file = asked.bundle as string
  const root = asked.root === undefined ? null : parseRoot(asked.root)
  const lineages = new Lineages()
  const studies = new Map<StudyId, string>()
  const verdict = await eachEntry(file, root, (entry) => {
    const { kind, study } = entry
    if (kind === 'study.proposed') noteStudy(studies, entry)
    else if (study !== null && (kind === 'round.trained' || kind === 'round.merged')) lineages.tell(entry)
  })
  const names = new Map(verdict.logs.map(({ member, name }) => [member, name]))
  const nameOf = (member: MemberId): string => names.get(member) || member.slice(0, 12)
  const id = studyIn(file, ref, studies, lineages)
  const made = modelIn(
    file,
    lineages.of(id).newest(),
    asked.model === undefined ? [] : lineages.of(id).withDigits(asked.model),
    asked,
    nameOf,
  )
  const tree = new FamilyTree(id, made, lineages.of(id).behind(made))
  await eachEntry(file, root, (entry) => {
    if (isOfFamily(entry, id)) tree.take(entry)
  })
  const refOf = (member: MemberId, seq: number): string => `${nameOf(member).replaceAll(/\s+/g, '')}/${seq}`
  return familyReport(tree.family(), { study: id, studyName: studies.get(id) ?? '', nameOf, refOf })
}

type Good = Extract<BundleVerdict, { verdict: 'good' | 'consistent' }>

/** Error: the first fault of the bundle. */
async function eachEntry(file: string, root: string | null, take: (entry: Entry) => void): Promise<Good> {
  const verdict = await judgeBundle(file, root, take)
  if (verdict.verdict === 'wrong') throw wrongBundle(file, verdict)
  return verdict
}

function noteStudy(studies: Map<StudyId, string>, { study, body }: Entry): void {
  const proposed = readBody('study.proposed', body)
  if (study === null || proposed === null) return
  try {
    studies.set(study, studyFromDocument(proposed.document).name)
  } catch {
    studies.set(study, '') // of another version: it has its digest
  }
}

/** Errors: `study-unknown`, `study-ambiguous`. */
function studyIn(file: string, ref: string, studies: ReadonlyMap<StudyId, string>, lineages: Lineages): StudyId {
  const known = [...new Set([...studies.keys(), ...lineages.studies])]
  const found = known.filter((id) => (ref.length >= 6 && id.startsWith(ref)) || studies.get(id) === ref)
  if (found.length === 1) return found[0] as StudyId
  const names = known.map((id) => `${studies.get(id) ?? ''} ${id.slice(0, 12)}`.trim()).slice(0, 5)
  const what = found.length > 1 ? `fits ${found.length} studies` : 'is no study'
  const message = `${file}: "${ref.slice(0, 80)}" ${what} of this bundle; it tells of ${names.join(', ') || 'none'}`
  throw new ConsiliumError({ code: found.length > 1 ? 'study-ambiguous' : 'study-unknown', message })
}

/** Errors: `model-unknown`, `model-ambiguous`. */
function modelIn(
  file: string,
  newest: readonly MadeModel[],
  named: readonly MadeModel[],
  { model, member }: Asked,
  nameOf: (member: MemberId) => string,
): MadeModel {
  if (model !== undefined && !new RegExp(`^[0-9a-f]{${MODEL_DIGITS_MIN},64}$`).test(model)) {
    const message = `--model: "${model.slice(0, 80)}" was given, ${MODEL_DIGITS_MIN} to 64 digits of its digest are expected`
    throw new ConsiliumError({ code: 'model-unknown', message })
  }
  const all = model === undefined ? newest : named
  const found = member === undefined ? all : all.filter(({ author }) => isNamed(nameOf(author), author, member))
  if (found.length === 1 || (model === undefined && member === undefined && found.length > 0))
    return found.reduce((best, one) => (one.round > best.round ? one : best))
  const hint = all.map((one) => `${one.model.slice(0, 12)} of ${nameOf(one.author)}`).slice(0, 5)
  const message = `${file}: ${found.length === 0 ? 'tells of no such model' : `${found.length} models fit`}; it tells of ${hint.join(', ') || 'none'}: say --model and --member`
  throw new ConsiliumError({ code: found.length === 0 ? 'model-unknown' : 'model-ambiguous', message })
}

const isNamed = (name: string, key: MemberId, given: string): boolean =>
  name.replaceAll(/\s+/g, '') === given.replaceAll(/\s+/g, '') || (given.length >= 6 && key.startsWith(given))

/** A model's family tree with names in place of keys, as text and as what programs read. */

import type { MemberId } from '../core/ids.ts'
import type { Family, RoundSpan } from '../governance/familyTree.ts'

/** Rounds counted from 1; entries as MEMBER/NUMBER; digests as hex. */
export interface FamilyReport {
  readonly study: string
  readonly studyName: string
  readonly model: string
  readonly making: 'trained' | 'merged'
  readonly by: string
  readonly round: number
  readonly entry: string
  readonly hospitals: readonly {
    readonly name: string
    readonly rounds: RoundSpan
    readonly examples: readonly [fewest: number, most: number]
    readonly share: number
    readonly tables: readonly {
      readonly commitment: string
      readonly boundEntry: string | null
      readonly version: string | null
      /** Null where that hospital's log has no such registration, or none is named. */
      readonly registration: {
        readonly entry: string
        readonly number: number | null
        readonly dataset: string
        readonly rows: number
        readonly source: string
      } | null
      readonly rounds: RoundSpan
    }[]
  }[]
  readonly merges: number
  readonly rules: readonly (readonly [rule: string, merges: number])[]
  readonly recent: readonly {
    readonly name: string
    readonly round: number
    readonly entry: string
    readonly model: string
    readonly rule: string
    readonly inputs: readonly {
      readonly name: string
      readonly round: number
      readonly update: string
      readonly coefficient: number
    }[]
  }[]
  /** Those that rounds behind the model cite. `name` is null where no proposal of it is here. */
  readonly agreements: readonly {
    readonly agreement: string
    readonly name: string | null
    readonly proposals: readonly { readonly by: string; readonly entry: string }[]
    readonly words: readonly { readonly by: string; readonly word: string; readonly entry: string }[]
    readonly hospitals: readonly { readonly name: string; readonly rounds: RoundSpan }[]
  }[]
  readonly withdrawn: readonly {
    readonly of: string
    readonly model: string
    readonly by: string
    readonly reason: string
    readonly entry: string
  }[]
}

/** How a report names things. */
export interface FamilyNames {
  readonly study: string
  readonly studyName: string
  readonly nameOf: (member: MemberId) => string
  readonly refOf: (member: MemberId, seq: number) => string
}

/** The tree for people. */
export function familyReport(family: Family, { study, studyName, nameOf, refOf }: FamilyNames): FamilyReport {
  const { made, merges, rules } = family
  return {
    ...{ study, studyName, merges, rules },
    ...{ model: made.model, making: made.making, by: nameOf(made.author) },
    ...{ round: made.round + 1, entry: refOf(made.author, made.seq) },
    hospitals: family.hospitals.map(({ member, rounds, examples, share, tables }) => ({
      ...{ name: nameOf(member), rounds: counted(rounds), examples, share },
      tables: tables.map(({ commitment, boundSeq, version, registration, rounds }) => ({
        ...{ commitment, version, rounds: counted(rounds) },
        boundEntry: boundSeq === null ? null : refOf(member, boundSeq),
        registration: registration && { ...withoutSeq(registration), entry: refOf(member, registration.seq) },
      })),
    })),
    recent: family.recent.map(({ author, round, seq, model, rule, inputs }) => ({
      ...{ name: nameOf(author), round: round + 1, entry: refOf(author, seq), model, rule },
      inputs: inputs.map(([member, of, update, coefficient]) => {
        return { name: nameOf(member), round: of + 1, update, coefficient }
      }),
    })),
    agreements: family.agreements.map(({ agreement, name, proposals, words, hospitals }) => ({
      ...{ agreement, name },
      proposals: proposals.map(({ author, seq }) => ({ by: nameOf(author), entry: refOf(author, seq) })),
      words: words.map(({ author, seq, word }) => ({ by: nameOf(author), word, entry: refOf(author, seq) })),
      hospitals: hospitals.map(({ member, rounds }) => ({ name: nameOf(member), rounds: counted(rounds) })),
    })),
    withdrawn: family.withdrawn.map(({ author, model, by, reason, seq }) => {
      return { of: nameOf(author), model, by: nameOf(by), reason, entry: refOf(by, seq) }
    }),
  }
}

const counted = ({ first, last, count }: RoundSpan): RoundSpan => ({ first: first + 1, last: last + 1, count })

function withoutSeq<T extends { readonly seq: number }>({ seq: _, ...rest }: T): Omit<T, 'seq'> {
  return rest
}

type Hospital = FamilyReport['hospitals'][number]

const TABLES_SHOWN = 6 // the newest ones; --json has all

/** A line each, indented as a tree. */
export function familyLines(report: FamilyReport): string[] {
  const { model, making, by, round, entry, studyName, study, hospitals, merges, agreements, withdrawn } = report
  const last = lastMerge(report)
  const branches: string[][] = [
    ...hospitals.map((hospital) => branchOf(hospital, merges)),
    merges === 0
      ? ['no merge: it is the first update of one hospital']
      : [
          `${merges} merges: ${report.rules.map(([rule, count]) => (report.rules.length === 1 ? rule : `${rule} ${count}`)).join(', ')}`,
          ...(last === undefined ? [] : [`the last (${last.entry}): ${inputWords(last)}`]),
        ],
    ...(agreements.length === 0
      ? [['no round behind it names an agreement that it was done under']]
      : agreements.map(agreementBranch)),
    ...withdrawn.map(({ of, model, by, reason, entry }) => [
      `TAKEN BACK by ${by} (${reason}, ${entry}): ${model.slice(0, 12)} of ${of}`,
    ]),
  ]
  return [
    `${model.slice(0, 12)}  ${making} by ${by} in round ${round} of "${studyName}" (${study.slice(0, 12)}), entry ${entry}`,
    ...branches.flatMap((branch, i) => drawn(branch, i === branches.length - 1)),
    'As declared by the hospitals in their logs, which cannot see which rows a program read.',
  ]
}

function branchOf({ name, rounds, examples, share, tables }: Hospital, merges: number): string[] {
  const [fewest, most] = examples
  const rows = fewest === most ? `${fewest}` : `${fewest} to ${most}`
  const part = merges === 0 ? '' : `, ${(share * 100).toFixed(1)} % of the coefficients`
  const older = tables.length - TABLES_SHOWN
  return [
    `${name}: ${spanWords(rounds)}, ${rows} examples each${part}`,
    ...(older > 0 ? [`${older} older tables`] : []),
    ...tables.slice(-TABLES_SHOWN).map(tableLine),
  ]
}

function agreementBranch({
  agreement,
  name,
  proposals,
  words,
  hospitals,
}: FamilyReport['agreements'][number]): string[] {
  const proposed = proposals.map(({ by, entry }) => `proposed by ${by} (${entry})`)
  return [
    `agreement ${agreement.slice(0, 12)}${name === null ? ', of which no proposal is here' : ` "${name}"`}`,
    ...proposed,
    ...words.map(({ by, word, entry }) => `${word} by ${by} (${entry})`),
    `done under it: ${hospitals.map(({ name: who, rounds }) => `${who} ${spanWords(rounds)}`).join(', ')}`,
  ]
}

function tableLine({ commitment, boundEntry, version, registration, rounds }: Hospital['tables'][number]): string {
  const bound = boundEntry === null ? 'of which no binding is here' : `bound in ${boundEntry}`
  const trained = `${bound}: ${spanWords(rounds)}`
  if (version === null) return `table ${commitment.slice(0, 12)}, no registered version, ${trained}`
  if (registration === null)
    return `dataset version ${version.slice(0, 12)}, whose registration is not here, ${trained}`
  const { dataset, number, rows, source, entry } = registration
  const which = number === null ? version.slice(0, 12) : `${number} (${version.slice(0, 12)})`
  return `dataset ${dataset.slice(0, 12)} version ${which}, ${rows} rows or more, ${source}, registered in ${entry}, ${trained}`
}

function spanWords({ first, last, count }: RoundSpan): string {
  if (first === last) return `round ${first}`
  const missing = last - first + 1 - count
  return `rounds ${first} to ${last}${missing > 0 ? `, ${count} of them` : ''}`
}

/** The one that made it; of an update that a hospital trained the newest one before. */
function lastMerge({ recent, model }: FamilyReport): FamilyReport['recent'][number] | undefined {
  return recent.find((one) => one.model === model) ?? recent.at(-1)
}

function inputWords({ inputs }: FamilyReport['recent'][number]): string {
  return inputs.map(({ name, round, coefficient }) => `${name} round ${round} × ${coefficient.toFixed(3)}`).join(' + ')
}

function drawn([head = '', ...rest]: readonly string[], isLast: boolean): string[] {
  const bar = isLast ? '   ' : '│  '
  return [
    `${isLast ? '└─' : '├─'} ${head}`,
    ...rest.map((line, i) => `${bar}${i === rest.length - 1 ? '└─' : '├─'} ${line}`),
  ]
}

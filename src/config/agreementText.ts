/** An agreement in words: the clauses that a person reads before signing, how two differ, and the commented file that `agreement new` writes. */
import { DUO_CODES, duoLabel } from '../core/duo.ts'
import type { Agreement, Who } from './agreement.ts'
import { AGREEMENT_ACTIONS, DUTIES, POOL_UNITS, SETTLEMENT_RULES } from './agreementSchema.ts'
import { MERGE_RULES } from './studySchema.ts'

/** How members and studies are called where it is read. */
export interface Naming {
  readonly member: (key: string) => string
  readonly study: (id: string) => string
}

/** One clause: its name and what it says, each line a thing of its own. */
export interface ClauseText {
  readonly clause: string
  readonly lines: readonly string[]
}

/** `2027-06-30 00:00 UTC`. */
export function timeText(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 16).replace('T', ' ')} UTC`
}

/** All clauses in a fixed order; what is not said is said so. */
function agreementClauses(agreement: Agreement, { member, study }: Naming): ClauseText[] {
  const { parties, datasets, mergeRules, privacy, starts, expires, duties, guards } = agreement
  return [
    { clause: 'name', lines: [agreement.name] },
    {
      clause: 'parties',
      lines: parties.map(({ member: key, role, required }) => {
        return `${member(key)}${role === null ? '' : `, as ${role}`}, ${required ? 'must sign' : 'may sign'}`
      }),
    },
    { clause: 'purposes', lines: agreement.purposes.map((code) => `${duoLabel(code)} (${code})`) },
    { clause: 'studies', lines: agreement.studies.map(study) },
    {
      clause: 'datasets',
      lines: orNone(
        datasets.map(({ party, name, commitment }) => {
          const version = commitment === null ? 'any version' : `version ${commitment.slice(0, 12)}`
          return `${member(party)}: ${name === null ? '' : `"${name}", `}${version}`
        }),
        'each party brings what it binds',
      ),
    },
    { clause: 'merge', lines: [mergeRules === null ? 'any rule' : mergeRules.join(', ')] },
    {
      clause: 'privacy',
      lines: [
        privacy === null ? 'a study need not be private' : `private studies alone, ε up to ${privacy.epsilonMax}`,
      ],
    },
    { clause: 'cohort', lines: [`${agreement.minimumCohort} patients at least`] },
    {
      clause: 'term',
      lines: [`${starts === null ? 'from the last signature' : `from ${timeText(starts)}`} until ${timeText(expires)}`],
    },
    {
      clause: 'duties',
      lines: orNone(duties.map(({ duty, withinDays }) => `${duty}, within ${withinDays} days`)),
    },
    {
      clause: 'settlement',
      lines: settlementLines(agreement, member),
    },
    { clause: 'guards', lines: orNone(guards.map(({ name, on, cel }) => `${name}, before ${on.join(', ')}: ${cel}`)) },
    { clause: 'workflow', lines: workflowLines(agreement, member) },
  ]
}

function settlementLines({ settlement }: Agreement, member: Naming['member']): string[] {
  const { rule, shares, pool, minimum, periodDays, measurers, everyRounds } = settlement
  if (rule === 'none') return [rule]
  const line = (value: number | undefined, say: (value: number) => string): string[] =>
    value === undefined ? [] : [say(value)]
  return [
    rule,
    ...shares.map(({ party, share }) => `${member(party)}: ${share} parts`),
    ...(pool === undefined ? [] : [`pool of each period: ${pool.amount} ${pool.unit}`]),
    ...line(minimum, (least) => `who would get less than ${least} gets nothing, and the others share it`),
    ...line(periodDays, (days) => `no period is shorter than ${days} days`),
    ...line(measurers, (others) => `a value counts when ${others} other parties have measured it`),
    ...line(everyRounds, (rounds) => `one of ${rounds} rounds is measured`),
  ]
}

const orNone = (lines: readonly string[], none = 'none'): readonly string[] => (lines.length === 0 ? [none] : lines)

function workflowLines({ workflow }: Agreement, member: Naming['member']): string[] {
  if (workflow === null) return ['none']
  return [
    `begins at ${workflow.start}`,
    ...workflow.states.map(
      ({ name, allows }) => `${name} allows ${allows.length === 0 ? 'nothing' : allows.join(', ')}`,
    ),
    ...workflow.transitions.map(({ event, from, to, who }) => `${event}: ${from} → ${to}, by ${whoText(who, member)}`),
  ]
}

function whoText(who: Who, member: Naming['member']): string {
  if (who.kind === 'party') return member(who.member)
  return who.kind === 'role' ? `any ${who.role}` : `any ${who.of} parties`
}

/** Several lines, ending without a newline. */
export function describeAgreement(agreement: Agreement, naming: Naming): string {
  return agreementClauses(agreement, naming)
    .flatMap(({ clause, lines }) => lines.map((line, i) => `${(i === 0 ? clause : '').padEnd(12)}${line}`))
    .join('\n')
}

/** Clause by clause what the one has and the other has not: `-` and `+`; clauses that are equal are left out. */
export function agreementDifferences(before: Agreement, after: Agreement, naming: Naming): string[] {
  const then = agreementClauses(before, naming)
  return agreementClauses(after, naming).flatMap(({ clause, lines }, i) => {
    const old = then[i]?.lines ?? []
    const gone = old.filter((line) => !lines.includes(line)).map((line) => `- ${line}`)
    const come = lines.filter((line) => !old.includes(line)).map((line) => `+ ${line}`)
    return gone.length + come.length === 0 ? [] : [clause, ...[...gone, ...come].map((line) => `  ${line}`)]
  })
}

/** What `agreement new` fills in. */
export interface TemplateFacts {
  readonly name: string
  readonly parties: readonly { readonly name: string; readonly key: string }[]
  readonly studies: readonly { readonly name: string; readonly id: string }[]
  readonly expires: string
}

/** A commented file that reads as it is: all who are given are parties, nothing is asked beyond what every study keeps to. */
export function agreementTemplate({ name, parties, studies, expires }: TemplateFacts): string {
  const quoted = (text: string): string => JSON.stringify(text)
  return `# A data-sharing agreement. Every member keeps a copy for good: no names of people, no record numbers. Unknown keys are refused.
# Propose it: consilium agreement propose FILE. It is named by its digest, and every party signs that.
name: ${quoted(name)}

# Who is asked to sign, by name or key. It is active when all with required: true have signed and that is final.
# A role is a word of your own that the workflow below may name.
parties:
${parties.map((one) => `  - { member: ${one.key}, role: hospital, required: true } # ${one.name}`).join('\n')}

# What the records may be used for (GA4GH Data Use Ontology); a study that declares more is refused.
${DUO_CODES.map((code) => `#   ${code}  ${duoLabel(code)}`).join('\n')}
purposes: [DUO:0000006]

# The studies that it is about, by digest: consilium study ls.
studies:
${studies.map((one) => `  - '${one.id}' # ${one.name}`).join('\n')}

# Which table a party brings: a name for people, and the commitment of one version where it is bound already (consilium log show). [] asks nothing.
datasets: []

# Rules by which updates may be merged; null allows any of
# ${MERGE_RULES.join(', ')}.
mergeRules: null

# null, or the most epsilon that a study may spend at each hospital: { epsilonMax: 3 }. A study that is not private is refused then.
privacy: null

# No study with a smaller minimum cohort.
minimumCohort: 10

# Dates are their beginnings, UTC. null: as soon as it is active.
starts: null
expires: ${expires}

# ${DUTIES.join(', ')}.
# Whether one is done is told by: consilium agreement event DIGEST report-results
duties:
  - { duty: report-results, withinDays: 90 }

# What is shared out, and by what: ${SETTLEMENT_RULES.join(', ')}.
#   settlement: { rule: by-rounds, pool: { amount: 100000, unit: EUR-cents }, periodDays: 90 }
# Units: ${POOL_UNITS.join(', ')}. shares: [{ party: NAME, share: 60 }, …] multiply what each party did; minimum: 500 leaves out
# who would get less. by-marginal-value: every hospital measures what the others' updates are worth on its own patients; everyRounds: 10.
settlement: { rule: none }

# Rules in CEL, a safe part of it, that must be true before ${AGREEMENT_ACTIONS.join(', ')}. An error denies.
#   - { name: enough-of-us, on: [round], cel: 'size(members) >= 3 && rowsBand >= 40' }
# Inputs: action, hospital, study, round, rounds, members, purposes, mergeRule, isPrivate, epsilonSpentMilli, epsilonMaxMilli,
# minimumCohort, rowsBand, daysToExpiry. Try them: consilium agreement test FILE
guards: []

# null, or states and what each allows, with the events that lead from one to another and who may bring them about:
#   start: review
#   states: [{ name: review, allows: [access] }, { name: open, allows: [access, round, export, predict] }]
#   transitions: [{ event: approve, from: review, to: open, who: { kind: any, of: 2 } }]
workflow: null
`
}

/** A version of a trial's protocol as its sponsor writes it down: strict YAML, members by name or key, faults in one line with their place. */
import * as v from 'valibot'
import { DUO_CODES, type DuoCode, duoLabel } from '../core/duo.ts'
import type { MemberId } from '../core/ids.ts'
import { type Complaint, choice, flag, given, list, parseYaml, section, text, whole } from './yaml.ts'

/** What a version may be; the vocabularies are of the entries. */
export interface TrialVocabulary {
  readonly meanings: readonly string[]
  readonly armsMax: number
  readonly ratioMax: number
  readonly sitesMax: number
  readonly strataMax: number
  readonly approvalsMax: number
  /** Whether a word may name an arm or a stratum. */
  readonly isCode: (given: string) => boolean
  /** The key of a member of that name, or the same text where it is a key already; null where there is none. */
  readonly resolve: (member: string) => string | null
}

/** A version of a protocol, with keys for members. */
export interface TrialText {
  readonly name: string
  /** Path of the file with the protocol's text, as the file says. */
  readonly document: string
  readonly public: boolean
  readonly arms: readonly { readonly arm: string; readonly ratio: number }[]
  readonly sites: readonly MemberId[]
  readonly strata: readonly string[]
  readonly lists: MemberId
  /** `by` is null where each site needs its own. */
  readonly approvals: readonly { readonly meaning: string; readonly by: MemberId | null }[]
  readonly consent: { readonly required: boolean; readonly purposes: readonly DuoCode[] }
}

const MEMBER_CHARACTERS_MAX = 80
const PATH_CHARACTERS_MAX = 1_024
const EACH_SITE = 'each-site'

/** Reads a version from YAML text; `fileName` is named in errors. Errors, one line each: `trial-yaml`, `trial-invalid`. */
export function parseTrial(source: string, fileName: string, vocabulary: TrialVocabulary): TrialText {
  const read = parseYaml(source, {
    kind: 'trial',
    fileName,
    schema: schemaOf(vocabulary),
    check: (value) => resolved(value, vocabulary).complaint ?? complaintOf(value),
  })
  return resolved(read, vocabulary).trial
}

type Written = Omit<TrialText, 'approvals' | 'sites' | 'lists'> & {
  readonly sites: readonly string[]
  readonly lists: string
  readonly approvals: readonly { readonly meaning: string; readonly by: string }[]
}

function schemaOf({ meanings, armsMax, ratioMax, sitesMax, strataMax, approvalsMax, isCode }: TrialVocabulary) {
  const code = v.custom<string>(
    (value) => typeof value === 'string' && isCode(value),
    (issue) => `${given(issue.input)}, a word of small letters, digits and - is allowed, of at most 16 characters`,
  )
  return section({
    name: code,
    document: text(PATH_CHARACTERS_MAX),
    public: v.optional(flag(), false),
    arms: list(section({ arm: code, ratio: v.optional(whole(1, ratioMax), 1) }), 2, armsMax),
    sites: list(text(MEMBER_CHARACTERS_MAX), 1, sitesMax),
    strata: v.optional(list(code, 0, strataMax), []),
    lists: text(MEMBER_CHARACTERS_MAX),
    approvals: list(section({ meaning: choice(meanings), by: text(MEMBER_CHARACTERS_MAX) }), 1, approvalsMax),
    consent: section({
      required: v.optional(flag(), true),
      purposes: list(choice(DUO_CODES), 0, DUO_CODES.length),
    }),
  })
}

/** With keys for all names, or the first name that is nobody's. */
function resolved(read: Written, { resolve }: TrialVocabulary): { trial: TrialText; complaint: Complaint | null } {
  let complaint: Complaint | null = null
  const keyOf = (member: string, path: Complaint['path']): MemberId => {
    const key = resolve(member)
    const message = `${JSON.stringify(member)} was given, a member's name or key is expected: see consilium members`
    if (key === null) complaint ??= { path, message }
    return (key ?? member) as MemberId
  }
  const trial = {
    ...read,
    sites: read.sites.map((site, i) => keyOf(site, ['sites', i])),
    lists: keyOf(read.lists, ['lists']),
    approvals: read.approvals.map(({ meaning, by }, i) => {
      return { meaning, by: by === EACH_SITE ? null : keyOf(by, ['approvals', i, 'by']) }
    }),
  }
  return { trial, complaint: complaint ?? (read.sites.length === new Set(trial.sites).size ? null : SITE_TWICE) }
}

const SITE_TWICE: Complaint = { path: ['sites'], message: 'a site was given twice: name each once' }

function complaintOf({ arms, strata, approvals, consent }: Written): Complaint | null {
  const twice = (words: readonly string[], path: string, what: string): Complaint | null => {
    const again = words.findIndex((word, i) => words.indexOf(word) !== i)
    return again < 0
      ? null
      : { path: [path, again], message: `${words[again]} was given twice: name each ${what} once` }
  }
  const approved = approvals.map(({ meaning, by }) => `${meaning} by ${by}`)
  const none = {
    path: ['consent', 'purposes'],
    message: 'none was given: name what patients are asked for, such as DUO:0000006',
  }
  return (
    twice(
      arms.map(({ arm }) => arm),
      'arms',
      'arm',
    ) ??
    twice(strata, 'strata', 'stratum') ??
    twice(approved, 'approvals', 'approval') ??
    twice(consent.purposes, 'consent', 'purpose') ??
    (consent.required && consent.purposes.length === 0 ? none : null)
  )
}

/** What may be so, and is seldom meant; a line each. */
export function trialWarnings(
  { sites, lists }: Pick<TrialText, 'sites' | 'lists'>,
  name: (member: MemberId) => string,
): string[] {
  if (!sites.includes(lists)) return []
  return [
    `Mind: ${name(lists)} draws the lists of randomisation and is a site too, so its people could know an arm before they enrol. Best no site draws them.`,
  ]
}

/** A commented file that reads as it is, but for the protocol's own text, which is named in it; the last member draws the lists, and is no site where there are others. */
export function trialTemplate(name: string, members: readonly string[], meanings: readonly string[]): string {
  const quoted = (word: string): string => JSON.stringify(word)
  const drawing = members.at(-1)
  const sites = members.length > 1 ? members.slice(0, -1) : members
  return `# A version of a clinical trial's protocol. Every member keeps a copy for good of what stands here, but not of the document: no names of
# people, no record numbers. Unknown keys are refused. Propose it: consilium trial new FILE; a later version: consilium trial amend TRIAL FILE.
name: ${name}

# The protocol's own text, beside this file. Its SHA-256 is recorded where public is true, else a commitment that means nothing without its key.
document: protocol.pdf
public: false

# At least two, with their ratio.
arms:
  - { arm: active, ratio: 1 }
  - { arm: control, ratio: 1 }

# Who enrols, by name or key.
sites:
${sites.map((one) => `  - ${quoted(one)}`).join('\n')}

# Words such as under-65; each site needs a list of randomisation for each. [] has none.
strata: []

# Who draws the lists of randomisation, and gives out one allocation for each participant. Best no site.
lists: ${quoted(drawing ?? name)}

# Whose signature it takes before anybody is enrolled; each-site: every site its own, for itself. Meanings:
#   ${meanings.join(', ')}
approvals:
  - { meaning: ethics-approval, by: ${quoted(members[0] ?? name)} }
  - { meaning: investigator-agreement, by: each-site }

# Whether a patient's word for these purposes (GA4GH Data Use Ontology), or for this trial alone, must stand in the vault first.
${DUO_CODES.map((code) => `#   ${code}  ${duoLabel(code)}`).join('\n')}
consent: { required: true, purposes: [DUO:0000006] }
`
}

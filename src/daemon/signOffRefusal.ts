/** Why a call is not carried out that somebody had to sign for: the rule, the entry that it rests on, and whom to ask. */
import type { People, Person, SignOffFault } from '../governance/people.ts'
import type { Act } from '../governance/roles.ts'

/** What is wrong; `none` where nobody signed. */
export interface Faulty {
  readonly fault: SignOffFault['fault'] | 'none' | 'malformed' | 'used' | 'full'
  readonly person: Person | null
}

/** How people and entries are called here. */
export interface Called {
  readonly nameOf: (person: Person) => string
  readonly refOf: (seq: number) => string
}

/** One line, with its code. */
export function refusalOf(
  act: Act,
  { fault, person }: Faulty,
  people: People,
  called: Called,
): { code: string; message: string } {
  const { nameOf, refOf } = called
  const who = person === null ? 'this key' : nameOf(person)
  const needed = `${act.action} needs the sign-off of an ${act.roles.join(' or ')}`
  const since = people.required === null ? '' : `, as every act here since entry ${refOf(people.required.seq)}`
  const holders = holdersOf(act, people, called)
  switch (fault) {
    case 'none':
      return refused('needed', `${needed}${since}; add --as FILE, or set CONSILIUM_PERSON, with the key of ${holders}`)
    case 'malformed':
      return refused('malformed', `the sign-off is no sign-off of this version; ${needed}: ${holders}`)
    case 'unknown':
      return refused('unknown', `the key that signed belongs to nobody who is enrolled here; ${needed}: ask ${holders}`)
    case 'ended': {
      const { ended } = person as Person
      const entry = ended === null ? '' : ` since entry ${refOf(ended.seq)} (${ended.reason})`
      return refused('revoked', `${who} acts here no longer${entry}; ${needed}: ask ${holders}`)
    }
    case 'signature':
      return refused(
        'signature',
        `the signature is not one of ${who} over this call at this hospital; run the command again with the Consilium of this node, on this data folder`,
      )
    case 'early':
    case 'late':
      return refused(
        'time',
        `${who} signed more than 5 minutes ${fault === 'late' ? 'ago' : 'ahead'}; a sign-off is for one call at its time: set the clock, and run the command again`,
      )
    case 'before-start':
      return refused('time', `${who} signed before this node started; run the command again`)
    case 'used':
      return refused(
        'used',
        `${who} signed for one call, and that was made already; run the command again to make it twice`,
      )
    case 'full':
      return refused(
        'busy',
        'more was signed here in the last minutes than this node remembers; try again in five minutes',
      )
    case 'role':
      return refused(
        'role',
        `${who} is ${rolesOf(person as Person)} here by entry ${refOf((person as Person).enrolled.seq)}, and ${needed}: ask ${holders}`,
      )
  }
}

const rolesOf = ({ roles }: Person): string => roles.map((role) => `an ${role}`).join(' and ')

function holdersOf(act: Act, people: People, { nameOf }: Called): string {
  const names = people.having(act.roles).map((person) => nameOf(person))
  if (names.length === 0) return `one, of whom there is none here: "consilium person enrol CARD --role ${act.roles[0]}"`
  return names.length > SHOWN_MAX
    ? `${names.slice(0, SHOWN_MAX).join(', ')} or ${names.length - SHOWN_MAX} more`
    : names.join(' or ')
}

const SHOWN_MAX = 4 // in one line

const refused = (code: string, message: string): { code: string; message: string } => ({
  code: `person-${code}`,
  message,
})

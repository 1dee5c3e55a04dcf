/** What grants permit: counts of a dataset, and its use in studies that other members proposed. Every refusal names the entry and whom to ask. */
import { covers, type DuoCode } from '../../core/duo.ts'
import type { Digest, MemberId } from '../../core/ids.ts'
import type { Cut, Place } from '../agreements.ts'
import type { Refusal } from '../permit.ts'
import type { StudyState } from '../studies.ts'
import { type Access, type AccessRequest, type AccessStanding, inOrder } from './requests.ts'

type NameOf = (member: MemberId) => string

const DIGITS = 12
const keyDigits: NameOf = (member) => member.slice(0, DIGITS)

/** Whose use of what is asked about, and when. */
interface Use {
  readonly owner: MemberId
  readonly dataset: Digest
  readonly cut: Cut
  readonly nowMs: number
}

/** A count that somebody asks for; with no purposes it is asked under those of a grant. */
export interface CountUse extends Use {
  readonly asker: MemberId
  readonly purposes: readonly DuoCode[]
}

/** The grant that a count is answered under; or whether one is here that is not final yet. */
export function countLeave(access: Access, { asker, purposes, ...use }: CountUse): AccessRequest | 'pending' | null {
  const own = access
    .spokenOf(use.owner, use.dataset)
    .filter((one) => one.asker === asker && (purposes.length === 0 || covers(one.purposes, purposes)))
  const stood = own.map((request) => ({ request, status: access.standing(request, use.cut, use.nowMs).status }))
  const granted = stood.findLast(({ status }) => status === 'granted')
  if (granted !== undefined) return granted.request
  return stood.some(({ status }) => status === 'pending') ? 'pending' : null
}

/** A table that is bound, or about to be, to a study; `dataset` is null where it is no registered one. */
export interface StudyUse {
  readonly self: MemberId
  readonly study: Pick<StudyState, 'id' | 'study' | 'proposedBy'>
  readonly dataset: Digest | null
  readonly cut: Cut
  readonly nowMs: number
}

/** A refusal for want of a grant, and the entry that it rests on; null where there is none. */
export interface Ungranted extends Refusal {
  readonly rests: Place | null
}

/**
 * Why a table may not be used in a study where the hospital wants a grant for that, or null: a study of its own needs none, another's one that
 * names the study, or one of its proposer that covers all purposes that the study declares.
 */
export function studyRefusal(access: Access, use: StudyUse, name: NameOf = keyDigits): Ungranted | null {
  const { self, study, dataset, cut } = use
  if (study.proposedBy === self) return null
  const wanted = `study ${study.id.slice(0, DIGITS)} of ${name(study.proposedBy)}`
  const standing = dataset === null ? null : access.catalogue.standing(self, dataset, cut)
  if (dataset === null || standing === null) {
    const message = `config.yaml asks for a grant (access.studies), and the table is no dataset that was announced: consilium dataset register FILE --name NAME, consilium catalogue announce NAME, then bind that file`
    return { code: 'access-not-announced', message, rests: null }
  }
  if (standing.status === 'withdrawn') {
    const message = `the dataset was withdrawn (${standing.reason}) in entry ${entryOf(standing.place, name)}: announce it again, consilium catalogue announce`
    return { code: 'access-withdrawn', message, rests: standing.place }
  }
  const spoken = stoodFor(access.spokenOf(self, dataset), access, use)
  if (spoken.some((one) => one.standing.status === 'granted')) return null
  const [nearest] = stoodFor(access.of(self, dataset), access, use).sort(
    (a, b) => nearness(a.standing) - nearness(b.standing) || inOrder(b.request, a.request),
  )
  if (nearest !== undefined) return refusalOf(nearest.request, nearest.standing, wanted, name)
  const called = standing.announced.name
  const message = `nobody has asked for dataset ${called} for ${wanted}: ask ${name(study.proposedBy)} to run: consilium access ask ${name(self)} ${called} --study ${study.id.slice(0, DIGITS)} --purpose CODE --until DATE`
  return { code: 'access-missing', message, rests: null }
}

/**
 * Whether leave to use a table in a study was taken back, and not given anew: by a revocation, or a withdrawal of the dataset. That somebody asks
 * again changes nothing.
 */
export function isTakenBack(access: Access, use: StudyUse): boolean {
  const { self, study, dataset, cut } = use
  if (study.proposedBy === self || dataset === null) return false
  if (access.catalogue.standing(self, dataset, cut)?.status === 'withdrawn') return true
  const stood = stoodFor(access.spokenOf(self, dataset), access, use).map((one) => one.standing.status)
  return !stood.includes('granted') && stood.some((status) => status === 'revoked' || status === 'withdrawn')
}

/** Where those that are for a study stand. */
function stoodFor(requests: readonly AccessRequest[], access: Access, { study, cut, nowMs }: StudyUse) {
  return requests
    .filter((request) => isFor(request, study))
    .map((request) => ({ request, standing: access.standing(request, cut, nowMs) }))
}

function isFor(request: AccessRequest, { id, study, proposedBy }: StudyUse['study']): boolean {
  if (request.study !== null) return request.study === id
  const declared = study.consent?.purposes ?? []
  return request.asker === proposedBy && declared.length > 0 && covers(request.purposes, declared)
}

/** Which of those that permit nothing is told of: the one that is nearest to permitting something. */
const nearness = ({ status }: AccessStanding): number =>
  ['pending', 'asked', 'expired', 'withdrawn', 'revoked', 'refused', 'granted'].indexOf(status)

function refusalOf(request: AccessRequest, standing: AccessStanding, wanted: string, name: NameOf): Ungranted {
  const rests = standing.rests ?? request.place
  return { code: `access-${standing.status}`, message: wordsOf(request, standing, wanted, name), rests }
}

function wordsOf(request: AccessRequest, standing: AccessStanding, wanted: string, name: NameOf): string {
  const { owner, asker, place } = request
  const asked = entryOf(place, name)
  const rests = standing.rests === null ? asked : entryOf(standing.rests, name)
  switch (standing.status) {
    case 'pending':
      return `${name(owner)} granted access for ${wanted} in entry ${rests}, and not enough members have cosigned that yet: wait`
    case 'asked':
      return `${name(asker)} asked for access for ${wanted} in entry ${asked}, and ${name(owner)} has not answered: consilium access grant ${asked}`
    case 'expired':
      return `access for ${wanted} has run out, entry ${rests}: ask ${name(asker)} to ask again, consilium access ask`
    default: {
      const why = standing.reason === null ? '' : ` (${standing.reason})`
      return `access for ${wanted} was ${standing.status}${why} in entry ${rests}: ask ${name(owner)}, then ask again, consilium access ask`
    }
  }
}

/** `North/17`, as `consilium log show` takes it. */
function entryOf({ author, seq }: Place, name: NameOf): string {
  return `${name(author).replaceAll(/\s+/g, '')}/${seq}`
}

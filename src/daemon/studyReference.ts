/** Studies as people name them. */
import { ConsiliumError } from '../core/errors.ts'
import type { StudyState } from '../governance/studies.ts'
import type { Daemon } from './daemon.ts'

/** A study by digest, at least 6 digits of it, or name. Errors: `study-unknown`, `study-ambiguous`. */
export function findStudy(daemon: Daemon, ref: string): StudyState {
  const known = daemon.machine.view().studies.map(({ state }) => state)
  const found = known.filter(({ id, study }) => (ref.length >= 6 && id.startsWith(ref)) || study.name === ref)
  if (found.length === 1) return found[0] as StudyState
  if (found.length > 1) {
    throw new ConsiliumError({
      code: 'study-ambiguous',
      message: `"${ref}" fits ${found.length} studies: ${found.map(({ id }) => id.slice(0, 16)).join(', ')}; give more digits`,
    })
  }
  throw new ConsiliumError({
    code: 'study-unknown',
    message: `"${ref.slice(0, 80)}" is no study known here; "consilium study ls" lists them`,
  })
}

/** The digest of such a study, or the first digits of one that only entries name. Errors: those of `findStudy`. */
export function studyDigits(daemon: Daemon, ref: string): string {
  const known = daemon.machine.view().studies.some(({ state }) => state.id.startsWith(ref) || state.study.name === ref)
  return !known && /^[0-9a-f]{6,64}$/.test(ref) ? ref : findStudy(daemon, ref).id
}

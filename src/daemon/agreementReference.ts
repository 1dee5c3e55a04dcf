/** Agreements as people name them. */
import { ConsiliumError } from '../core/errors.ts'
import type { AgreementState } from '../governance/agreements.ts'
import type { Daemon } from './daemon.ts'

/** By its digest, at least 6 digits of it, or its name. Errors: `agreement-unknown`, `agreement-ambiguous`. */
export function findAgreement(daemon: Pick<Daemon, 'machine'>, ref: string): AgreementState {
  const found = daemon.machine
    .view()
    .agreements.all()
    .filter(({ id, agreement }) => (ref.length >= 6 && id.startsWith(ref)) || agreement.name === ref)
  if (found.length === 1) return found[0] as AgreementState
  if (found.length === 0) {
    const message = `"${ref.slice(0, 80)}" is no agreement known here; "consilium agreement ls" lists them`
    throw new ConsiliumError({ code: 'agreement-unknown', message })
  }
  const digits = found.map(({ id }) => id.slice(0, 16)).join(', ')
  const message = `"${ref.slice(0, 80)}" fits ${found.length} agreements: ${digits}; give more digits`
  throw new ConsiliumError({ code: 'agreement-ambiguous', message })
}

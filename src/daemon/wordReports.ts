/** A patient's words, and what follows in each study, as the hospital's own terminal shows them. */
import { toHex } from '../core/bytes.ts'
import { ConsiliumError } from '../core/errors.ts'
import type { StudyId } from '../core/ids.ts'
import { type ConsentDecision, consentOf } from '../governance/consent.ts'
import type { VaultSubject, Word } from '../governance/vaultBook.ts'
import type { PatientReport, SaidReport, WordReport } from './consentApi.ts'
import type { Daemon } from './daemon.ts'

/** What holds for a patient in each study that asks. */
export function standings(daemon: Daemon, { decisions }: VaultSubject, atMs: number): PatientReport['studies'] {
  return askingStudies(daemon).map(({ id, study }) => {
    const { permitted, rule } = consentOf(decisions, { id, consent: study.consent }, atMs)
    const { basis } = study.consent
    return { study: id, name: study.name, basis, permitted, rule: rule === 'basis' ? null : rule }
  })
}

/** The studies that ask patients. */
export function askingStudies(daemon: Daemon) {
  const states = daemon.machine.view().studies.map(({ state }) => state)
  return states.flatMap(({ id, study }) => {
    const { consent } = study
    return consent === null ? [] : [{ id, study: { ...study, consent } }]
  })
}

/** A patient's words, for the hospital's own terminal. */
export function wordReports({ words }: VaultSubject): WordReport[] {
  return words.map(({ decision, speaker, commitment }: Word) => {
    const { by, fromMs, toMs, form } = decision
    return { ...saidReport(decision), by, speaker, fromMs, toMs, form, commitment: toHex(commitment) }
  })
}

/** One word, without who spoke. */
export function saidReport({ decision, study, purposes, receivedAtMs, effectiveAtMs }: ConsentDecision): SaidReport {
  return {
    ...{ decision, receivedAtMs, effectiveAtMs },
    study: study === 'all' ? null : study,
    purposes: purposes === 'all' ? null : purposes,
  }
}

/** Error `study-asks-nobody`. */
export function asksNobody(id: StudyId): ConsiliumError {
  const message = `study ${id.slice(0, 12)} asks no patient for consent: its description has no section consent`
  return new ConsiliumError({ code: 'study-asks-nobody', message })
}

/** Error: `consent-period`. */
export function requirePeriod({ fromMs, toMs }: Pick<ConsentDecision, 'fromMs' | 'toMs'>): void {
  if (fromMs === null || toMs === null || fromMs < toMs) return
  const message = 'the period ends before it begins: give --from and --to in the order of time'
  throw new ConsiliumError({ code: 'consent-period', message })
}

/** A patient's words, and what follows in each study, as the hospital's own terminal shows them. */
import { toHex } from '../core/bytes.ts'
import { ConsiliumError } from '../core/errors.ts'
import type { StudyId } from '../core/ids.ts'
import { type ConsentDecision, consentOf } from '../governance/consent.ts'
import type { OwnRounds } from '../governance/ownRounds.ts'
import type { VaultSubject, Word } from '../governance/vaultBook.ts'
import type { PatientReport, SaidReport, WordReport } from './consentApi.ts'
import type { Daemon } from './daemon.ts'
import { refOf } from './models.ts'

/** What holds for a patient in each study that asks. */
export function standings(
  daemon: Pick<Daemon, 'machine'>,
  { decisions }: VaultSubject,
  atMs: number,
): PatientReport['studies'] {
  return askingStudies(daemon).map(({ id, study }) => {
    const { permitted, rule } = consentOf(decisions, { id, consent: study.consent }, atMs)
    const { basis } = study.consent
    return { study: id, name: study.name, basis, permitted, rule: rule === 'basis' ? null : rule }
  })
}

/** The studies that ask patients. */
export function askingStudies(daemon: Pick<Daemon, 'machine'>) {
  const states = daemon.machine.view().studies.map(({ state }) => state)
  return states.flatMap(({ id, study }) => {
    const { consent } = study
    return consent === null ? [] : [{ id, study: { ...study, consent } }]
  })
}

/** A patient's words, for the hospital's own terminal. */
export function wordReports(
  daemon: Pick<Daemon, 'home' | 'nameOf'>,
  { words }: VaultSubject,
  own: OwnRounds,
): WordReport[] {
  return words.map(({ number, decision, speaker, commitment }: Word) => {
    const { by, fromMs, toMs, form } = decision
    const seq = own.placeOf(number)
    const entry = seq === null ? null : refOf(daemon, daemon.home.key.id, seq)
    return { ...saidReport(decision), by, speaker, fromMs, toMs, form, commitment: toHex(commitment), entry }
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

/** Errors: `consent-period`. */
export function requirePeriod({
  decision,
  by,
  fromMs,
  toMs,
}: Pick<ConsentDecision, 'decision' | 'by' | 'fromMs' | 'toMs'>): void {
  if (by === 'emergency' && decision === 'permit' && toMs === null) {
    const message =
      'a permission given in an emergency has no end: give --to, by when the patient, or who speaks for them, is asked'
    throw new ConsiliumError({ code: 'consent-period', message })
  }
  if (fromMs === null || toMs === null || fromMs < toMs) return
  const message = 'the period ends before it begins: give --from and --to in the order of time'
  throw new ConsiliumError({ code: 'consent-period', message })
}

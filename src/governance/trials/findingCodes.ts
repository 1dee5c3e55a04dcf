/** What can be wrong with a trial. */
import type { TrialPlace } from './book.ts'

/** Everything that can be wrong, and what it means. */
export const TRIAL_FINDINGS = {
  'protocol-chain':
    'this version does not continue the one before it under its name, or is by another than the sponsor: nobody goes by it',
  signature: 'the signature of a person does not hold',
  'not-signed-for': 'nobody signed for it, though people sign at that hospital',
  foreign: 'its author has no such part in the trial: it counts for nothing',
  'not-approved': 'enrolled without an approval that the version needs',
  'approval-pending': 'enrolled on an approval that is not final',
  'approval-withdrawn': 'enrolled after an approval was withdrawn',
  'version-outdated': 'enrolled under a version after the next one',
  'enrolled-twice': 'this participant was enrolled before',
  'after-halt': 'done after the trial was halted there',
  'after-lock': 'recorded after the data was locked there',
  'position-skipped': 'positions of the list were passed over: an allocation may have been chosen',
  'position-repeated': 'this position was taken before',
  'position-beyond': 'the list has no such position',
  'list-unknown': 'no such list was drawn for this site and stratum by who draws them',
  'list-late': 'the list was not final, or came later',
  'list-passed': 'an earlier list for this site and stratum had a free position: an allocation may have been chosen',
  'enrolled-open': 'enrolled at a position that was known, for it was opened before',
  'allocation-wrong': 'what was allocated does not stand at that position of the list',
  'opening-wrong': 'what was opened does not stand at that position of the list',
  'unsealing-wrong': 'what was unsealed does not give the list',
  'opened-early': 'opened as at the end of the trial, and the sponsor had not locked the data',
  'participant-unknown': 'an event of somebody who is not enrolled',
  'event-after-end': 'treated after the part in the trial had ended',
  'event-version': 'an event under a version that the participant is not under',
  'lock-chain': 'the lock does not continue the one before it, or that was not unlocked',
} as const
export type TrialFindingCode = keyof typeof TRIAL_FINDINGS

/** What rules report to. */
export type Tell = (
  code: TrialFindingCode,
  place: TrialPlace,
  because?: TrialPlace | null,
  more?: string | null,
) => void

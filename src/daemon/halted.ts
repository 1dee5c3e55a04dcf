/** Why a node that met its own signature where it should not be stops, and what its operator does. */
import { ConsiliumError } from '../core/errors.ts'

const HALTED: Readonly<Record<string, string>> = {
  'own-log-ahead':
    'another member has heard entries signed with this key that this node has not written: the key is in use elsewhere at this moment, as by a copy of this machine; stop that one, then start this one again',
  'no-longer-a-member':
    'the members have decided that this hospital, or this key of it, is no member any more: its data folder stays as it is, and every member keeps its log; where that was not meant, ask them to propose a new card of it',
  'own-log-forked':
    'other members hold entries signed with this key that contradict those in this data folder: it went on from an old copy; do not start it again, and tell the other members, for this log needs a new key',
}

/** The error that a node ends with where the machine says `halt`. */
export function haltedBecause(code: string): ConsiliumError {
  return new ConsiliumError({ code, message: HALTED[code] ?? code })
}

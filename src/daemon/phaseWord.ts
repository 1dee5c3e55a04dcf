/** What a study does, in a word for people. */

/** The steps of a round are one word: they change faster than anybody reads. */
const WORDS: Readonly<Record<string, string>> = {
  idle: 'waiting',
  statistics: 'scaling',
  recording: 'training',
  merging: 'training',
  evaluating: 'training',
  closing: 'training',
  resting: 'training',
}

/** The word for a phase of `gossip/phase.ts`, or for whatever else a caller calls one; what has none stands as it is. */
export function phaseWord(phase: string): string {
  return WORDS[phase] ?? phase
}

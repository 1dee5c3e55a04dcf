/** What a study's privacy has cost, for people. */
import type { StudyReport } from '../daemon/api.ts'

/** What was spent here; nothing where no private round was trained. */
export function privacyLines({ privacy, roundsLeft }: Pick<StudyReport, 'privacy' | 'roundsLeft'>): string[] {
  if (privacy === null) return []
  const { epsilon, delta, sampleRate, noiseMultiplier } = privacy
  const left = roundsLeft === null ? '' : `; the budget allows ${roundsLeft} more rounds`
  return [
    `privacy spent here: ε ${epsilon.toPrecision(3)} at δ ${delta.toPrecision(2)} (q ${sampleRate.toPrecision(3)}, σ ${noiseMultiplier})${left}`,
  ]
}

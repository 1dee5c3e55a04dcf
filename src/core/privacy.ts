/** What is said of differential privacy between learner, machine, updates and logs. */

/** So many steps of DP-SGD, each on a Poisson sample of the rows; two tables are neighbours where one has one row more. */
export interface PrivacySteps {
  /** q: each row's chance to be in a batch, above 0, at most 1. */
  readonly sampleRate: number
  /** σ: the noise's deviation over the clipping norm. */
  readonly noiseMultiplier: number
  readonly steps: number
}

/** What an author says of an update: its training so far, this round included, is (ε, δ)-differentially private. */
export interface PrivacyClaim {
  readonly epsilon: number
  readonly delta: number
  readonly sampleRate: number
  readonly noiseMultiplier: number
}

/** What one round of training took: its own steps, and what holds after them. */
export interface PrivacySpent extends PrivacyClaim {
  readonly steps: number
}

/** `spent` with `more` steps: one item for each pair of q and σ, in the order in which they came first. */
export function withSteps(spent: readonly PrivacySteps[], more: PrivacySteps): readonly PrivacySteps[] {
  const same = (one: PrivacySteps): boolean =>
    one.sampleRate === more.sampleRate && one.noiseMultiplier === more.noiseMultiplier
  if (!spent.some(same)) return [...spent, more]
  return spent.map((one) => (same(one) ? { ...one, steps: one.steps + more.steps } : one))
}

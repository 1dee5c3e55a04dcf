/** A made-up study with a model, as it would be exported. */
import { parseStudy, type Study, studyDocument, studyIdOf } from '../../src/config/study.ts'
import { weightsDigest } from '../../src/core/digest.ts'
import type { Weights } from '../../src/learn/learner.ts'
import { describeModel, type ModelDescription } from '../../src/learn/portable/description.ts'
import { digestOf } from '../gossip/fixtures.ts'
import { someWeights } from './fixtures.ts'

export function clinicStudy(model = '{ kind: logistic }'): Study {
  return parseStudy(
    `
name: Memory clinics
purpose: To tell who will need a specialist.
model: ${model}
label: { name: ill, positive: 'yes', negative: 'no' }
features:
  - { name: age, kind: number, unit: a, range: [0, 120] }
  - { name: Größe "tau", kind: number, unit: ng/L, range: [0, 900], missing: refuse }
  - { name: sex, kind: category, levels: [f, m] }
`,
    'clinic.yaml',
  )
}

export const SCALING = { mean: [71.5, 303.25], deviation: [9.25, 120.5] }

export function described(
  study: Study,
  weights: Weights,
  more: Partial<Parameters<typeof describeModel>[0]> = {},
): ModelDescription {
  const scaling = { digest: digestOf('scaling'), scaling: SCALING, by: 'consortium' as const }
  const digest = weightsDigest(weights.shared)
  const id = studyIdOf(studyDocument(study))
  return describeModel(
    {
      id,
      study,
      scaling,
      clipDeviations: 8,
      digest,
      rounds: 37,
      head: 'own',
      calibration: null,
      withdrawn: null,
      ...more,
    },
    4,
  )
}

export const COLUMNS = 4

/** The model of `study` with weights that have nothing special about them. */
export function modelFor(study: Study): { readonly weights: Weights; readonly description: ModelDescription } {
  const weights = someWeights(study.model, COLUMNS, 'exported')
  return { weights, description: described(study, weights) }
}

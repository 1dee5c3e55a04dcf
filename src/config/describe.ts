/** A study in words: what a person reads before accepting it. */
import { designColumns, type Feature, type Study, sharedParameters } from './study.ts'

/** Several lines, ending without a newline: purpose, model, label, every feature with unit and range, hyper-parameters. */
export function describeStudy(study: Study): string {
  const { training, merge, rounds, statistics } = study
  const hidden = study.model.kind === 'mlp' ? `, hidden layers ${study.model.hidden.join('-')}` : ''
  const width = Math.max(...study.features.map((feature) => feature.name.length))
  return [
    `${study.name}: ${study.purpose}`,
    `model       ${study.model.kind}${hidden}, ${designColumns(study)} inputs, ${sharedParameters(study)} shared parameters`,
    `label       ${study.label.name}: "${study.label.positive}" against "${study.label.negative}"`,
    `training    ${training.optimiser}, learning rate ${training.learningRate}, l2 ${training.l2}, batches of ${training.batchRows}, local epochs ${training.localEpochs}`,
    `merge       ${merge.rule}, weighted ${WEIGHTING[merge.weighting]}, updates up to ${merge.ageRoundsMax} rounds old, at most ${merge.examplesCap} examples count`,
    `updates     ${describeCoding(study)}`,
    `rounds      ${rounds.count}, at least ${rounds.periodSeconds} s apart; scaling frozen after ${statistics.deadlineSeconds} s`,
    `held out    ${round(study.testShare * 100)} % of each hospital's rows; ${round(study.validationShare * 100)} % of the others validate; minimum cohort ${study.minimumCohort}`,
    `features    ${study.features.length}`,
    ...study.features.map((feature) => `  ${feature.name.padEnd(width)}  ${describeFeature(feature)}`),
  ].join('\n')
}

const WEIGHTING: Record<Study['merge']['weighting'], string> = {
  sqrt: 'by the square root of examples',
  uniform: 'equally',
  examples: 'by examples',
}

/** `int8, 1.2 MB each`. */
function describeCoding(study: Study): string {
  const { coding } = study
  const parameters = sharedParameters(study)
  const size = (bytesEach: number): string => {
    const bytes = parameters * bytesEach
    return bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${round(bytes / 1e6)} MB`
  }
  switch (coding.kind) {
    case 'float32':
      return `float32, ${size(4)} each`
    case 'float16':
      return `float16, ${size(2)} each`
    case 'int8':
      return `int8, stochastically rounded, ${size(1)} each`
    case 'top-k':
      return `the ${round(coding.share * 100)} % of weights that changed most, up to ${size(4 * coding.share)} each; every ${coding.keyframeRounds} rounds all of them as float16, ${size(2)}`
  }
}

/** `number, ng/mL, 0 to 20, missing: mean`. */
export function describeFeature(feature: Feature): string {
  if (feature.kind === 'category')
    return `category, ${feature.levels.join(' | ')}, missing: ${MISSING[feature.missing]}`
  const unit = feature.unit === '1' ? 'no unit' : feature.unit
  const range = feature.range === null ? 'any value' : `${feature.range[0]} to ${feature.range[1]}`
  return `number, ${unit}, ${range}, missing: ${MISSING[feature.missing]}`
}

const MISSING: Record<Feature['missing'], string> = {
  mean: 'becomes the mean',
  level: 'a level of its own',
  refuse: 'refused',
}

const round = (value: number): number => Math.round(value * 10) / 10

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
    `training    ${training.optimiser}, learning rate ${training.learningRate}, l2 ${training.l2}, batches of ${training.batchRows}, local epochs ${training.localEpochs}${describeSteering(study)}`,
    `local       ${study.local.head === 'bias' ? 'each hospital keeps its own output bias' : 'all weights are shared'}; inputs scaled by ${study.local.normalisation === 'own' ? "each hospital's own statistics" : 'statistics of all'}${study.personal === null ? '' : `; a personal model beside the shared one, pull ${study.personal.proximal}`}`,
    `merge       ${merge.rule}, weighted ${WEIGHTING[merge.weighting]}, updates up to ${merge.ageRoundsMax} rounds old, at most ${merge.examplesCap} examples count`,
    `rounds      ${rounds.count}, at least ${rounds.periodSeconds} s apart${describeEnd(study)}; scaling frozen after ${statistics.deadlineSeconds} s`,
    `held out    ${round(study.testShare * 100)} % of each hospital's rows; ${round(study.validationShare * 100)} % of the others validate; minimum cohort ${study.minimumCohort}`,
    `features    ${study.features.length}`,
    ...study.features.map((feature) => `  ${feature.name.padEnd(width)}  ${describeFeature(feature)}`),
  ].join('\n')
}

function describeSteering({ training }: Study): string {
  const { proximal, momentum, tracking, secondsMax } = training
  return [
    proximal > 0 ? `, proximal ${proximal}` : '',
    momentum > 0 ? `, quasi-global momentum ${momentum}` : '',
    tracking > 0 ? `, gradient tracking ${tracking}` : '',
    secondsMax === null ? '' : `, at most ${secondsMax} s a round`,
  ].join('')
}

function describeEnd({ end: { afterSeconds, plateau } }: Study): string {
  return [
    afterSeconds === null ? '' : `, over ${afterSeconds} s after it was proposed`,
    plateau === null ? '' : `, or when most members gain less than ${plateau.delta} nats in ${plateau.rounds} rounds`,
    ', or when most operators say so',
  ].join('')
}

const WEIGHTING: Record<Study['merge']['weighting'], string> = {
  sqrt: 'by the square root of examples',
  uniform: 'equally',
  examples: 'by examples',
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

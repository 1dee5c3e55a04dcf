/** A study in words: what a person reads before accepting it. */
import { cellPeriodMs } from './cells.ts'
import { describeConsent } from './consent.ts'
import { designColumns, type Feature, type Study, type StudyPrivacy, sharedParameters } from './study.ts'
import { groupNames } from './subgroups.ts'

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
    `merge       ${describeMerge(merge)}`,
    `updates     ${describeCoding(study)}`,
    `rounds      ${rounds.count}, at least ${rounds.periodSeconds} s apart${describeEnd(study)}; scaling frozen after ${statistics.deadlineSeconds} s`,
    `cells       ${describeCells(study)}`,
    `held out    ${round(study.testShare * 100)} % of each hospital's rows; ${round(study.validationShare * 100)} % of the others validate; minimum cohort ${study.minimumCohort}`,
    ...describePrivacy(study.privacy),
    `report      ${describeReport(study)}`,
    `patients    ${describeConsent(study.consent)}`,
    `features    ${study.features.length}`,
    ...study.features.map((feature) => `  ${feature.name.padEnd(width)}  ${describeFeature(feature)}`),
  ].join('\n')
}

/** What a private study promises, and what it does not. */
export function describePrivacy(privacy: StudyPrivacy | null): string[] {
  if (privacy === null) return ['privacy     none: updates carry no noise']
  const { noiseMultiplier, clipNorm, epsilonMax, delta } = privacy
  const failure = delta === 'auto' ? 'rows^−1.1' : `${delta}`
  return [
    `privacy     differentially private updates (DP-SGD): noise ${noiseMultiplier} × clipping norm ${clipNorm}; training stops before ε ${epsilonMax} at δ ${failure}, at each hospital by itself`,
    `            one row of a training table is protected. Not covered by ε: ${NOT_COVERED.join('; ')}`,
  ]
}

/** What leaves a hospital in a private study beside updates, as people are told. */
export const NOT_COVERED: readonly string[] = [
  'counts, sums and sums of squares of features, told once',
  'numbers of rows',
  'measures on held-out patients after each round, from the minimum cohort up',
  'what updates are worth on validation or held-out patients, where a settlement measures it',
  'which updates are merged and when the study is enough, where validation patients decide it',
  'the final calibration, which is fitted on them',
  'the result of an audit',
  'other studies on the same table, whose ε adds up',
]

/** What is measured at the end, and told to the others above the minimum cohort. */
function describeReport(study: Study): string {
  const { subgroups, threshold, localOnly, crossSite } = study.report
  const alone = localOnly && study.privacy === null // it would tell of training rows what ε does not cover
  const groups = subgroups.map((one) => `${one.feature} (${groupNames(study.features, one).slice(0, -1).join(', ')})`)
  return [
    `each hospital tests its model at the end${alone ? ', against one that it trains alone' : ''}`,
    ...(crossSite ? ["and the others' on its own patients"] : []),
    ...(groups.length > 0 ? [`by ${groups.join(' and ')}`] : []),
    `positive above ${threshold}; figures leave, above the minimum cohort`,
  ].join('; ')
}

/** The rule, what it bears, and how updates count in it. */
function describeMerge({ rule, nearest, faulty, clipRadius, vetoNats, ...counting }: Study['merge']): string {
  const bears = faulty < 1 ? `up to ${round(faulty * 100)} % faulty inputs` : `up to ${faulty} faulty inputs`
  const clip = clipRadius === null ? '' : `, clipped to ${clipRadius}`
  const named = rule === 'auto' ? 'NNM and trimmed mean from 6 inputs up, clipped mean below' : rule
  const robust = rule === 'mean' && !nearest ? '' : `${nearest ? ' after NNM' : ''}, bears ${bears}${clip}`
  const veto = vetoNats === null ? 'no veto' : `veto where own rows lose more than ${vetoNats} nats`
  const weights = `weighted ${WEIGHTING[counting.weighting]} where the rule weighs, at most ${counting.examplesCap} examples count`
  return `${named}${robust}; ${veto}; ${weights}; updates up to ${counting.ageRoundsMax} rounds old`
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

function describeCells({ cells, rounds }: Study): string {
  if (cells === null) return 'none: one topic, however many members take part'
  const seconds = cellPeriodMs(cells, rounds) / 1_000
  return `above ${cells.above} members, of at most ${cells.size}; dealt anew every ${round(seconds)} s, and clocks may differ by as much`
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

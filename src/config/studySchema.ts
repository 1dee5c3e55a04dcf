/** The schema of a study description: its bounds and defaults, each with its because. */
import * as v from 'valibot'
import { LIMITS } from '../core/limits.ts'
import { MAGNITUDE_MAX } from '../core/statistics.ts'
import { alternative, choice, given, list, number, section, text, whole } from './yaml.ts'

export const STUDY_BOUNDS = {
  nameCharactersMax: 80, // one line of a terminal, with its digest beside it
  purposeCharactersMax: 200, // one sentence, read aloud when a board accepts the study
  featureNameCharactersMax: 120, // the longest column names seen in registry exports are about 100
  unitCharactersMax: 40, // UCUM units of laboratories stay below 30
  levelsMax: 200, // more is a free text or an identifier, which is no feature
  hiddenLayersMax: 4, // on tables, depth beyond this gains nothing and trains badly without normalisation
  hiddenUnitsMax: 4_096, // on tables, width beyond this gains nothing
  localEpochsMax: 50, // local models that train this long drift apart, and merging them hurts
  batchRowsMax: 65_536, // one batch of any table stays below the memory of a small machine
  learningRateMin: 1e-6, // slower never arrives within the rounds allowed
  learningRateMax: 10, // faster diverges on standardised inputs
  l2Max: 100, // beyond it all weights are 0
  examplesCapMax: 1_000_000, // above any hospital's table: no cap at all
  ageRoundsMax: 1_000, // an update older than this says nothing about the present model
  topKShareMin: 0.001, // fewer changes than this tell of nothing but the largest gradients
  topKShareMax: 0.5, // at more than half of the weights float16 is shorter
  keyframeRoundsMax: 100, // who missed a keyframe has long fetched it; what is never sent grows old
  deadlineSecondsMax: 604_800, // a week: the longest that a consortium may wait for its last member
  periodSecondsMin: 0.01, // below it entries and messages, not training, fill the machine
  periodSecondsMax: 604_800, // a week between rounds
  countMax: 1_000_000, // rounds; a minute apart, two years
  testShareMin: 0.05, // smaller held-out parts measure noise
  testShareMax: 0.5, // more would starve training
  validationShareMax: 0.3, // more would starve training
  minimumCohortMin: 5, // a sum over fewer patients says much of each; health statistics suppress smaller counts
  minimumCohortMax: 100_000, // larger than most hospitals' tables
} as const

export const STUDY_DEFAULTS = {
  localEpochs: 1, // one pass between merges keeps the hospitals' models close
  batchRows: 32, // small clinics still get several steps in an epoch
  learningRate: 0.01, // steady for Adam on standardised inputs
  l2: 0.01, // tables with more columns than patients need a pull towards 0
  optimiser: 'adam', // little tuning is asked of the hospital that writes the study
  rule: 'mean', // robust rules come where more than five hospitals and attackers are assumed
  weighting: 'sqrt', // examples alone gained nothing and let one liar dominate (DECISIONS)
  examplesCap: 1_000, // no hospital counts more than a table of a thousand
  ageRoundsMax: 8, // updates of members that are away fade out and then leave the merge
  coding: 'float32', // what was trained is what merges, to the bit; a table's model is a few kilobytes however it is written
  topKShare: 0.1, // lost no AUC with error feedback (DECISIONS)
  keyframeRounds: 8, // with a tenth of the changes in between, half of what float16 takes each time
  deadlineSeconds: 10, // members that are up answer in a second; nobody waits for the others
  periodSeconds: 1, // shortest time between rounds; training itself takes less on a table
  count: 40, // the demo's models stop improving after about thirty
  testShare: 0.25, // a quarter held out: small clinics still train on most of their patients
  validationShare: 0.1, // where that is a minimum cohort at least: smaller hospitals need every row to train on
  minimumCohort: 10, // the usual floor below which counts are suppressed in health statistics
} as const

const B = STUDY_BOUNDS
const D = STUDY_DEFAULTS

const numeric = alternative({
  name: text(B.featureNameCharactersMax),
  kind: v.literal('number'),
  unit: v.optional(text(B.unitCharactersMax), '1'),
  range: v.optional(
    v.nullable(
      v.strictTuple(
        [number(-MAGNITUDE_MAX, MAGNITUDE_MAX), number(-MAGNITUDE_MAX, MAGNITUDE_MAX)],
        (issue) => `${given(issue.input)}, two numbers are allowed: [lowest, highest]`,
      ),
    ),
    null,
  ),
  missing: v.optional(choice(['mean', 'refuse']), 'mean'),
})

const category = alternative({
  name: text(B.featureNameCharactersMax),
  kind: v.literal('category'),
  levels: list(text(B.featureNameCharactersMax), 2, B.levelsMax),
  missing: v.optional(choice(['level', 'refuse']), 'level'),
})

const model = v.variant(
  'kind',
  [
    alternative({ kind: v.literal('logistic') }),
    alternative({ kind: v.literal('mlp'), hidden: list(whole(1, B.hiddenUnitsMax), 1, B.hiddenLayersMax) }),
  ],
  (issue) => `${given(issue.input)}, a model with kind: logistic or kind: mlp is allowed`,
)

/** The parts of a study that a simulation's scenario has too. */
export const STUDY_SCHEMAS = {
  model: v.optional(model, { kind: 'logistic' }),
  training: v.optional(
    section({
      localEpochs: v.optional(whole(1, B.localEpochsMax), D.localEpochs),
      batchRows: v.optional(whole(1, B.batchRowsMax), D.batchRows),
      learningRate: v.optional(number(B.learningRateMin, B.learningRateMax), D.learningRate),
      l2: v.optional(number(0, B.l2Max), D.l2),
      optimiser: v.optional(choice(['adam', 'sgd']), D.optimiser),
    }),
    {},
  ),
  merge: v.optional(
    section({
      rule: v.optional(choice(['mean']), D.rule),
      weighting: v.optional(choice(['sqrt', 'uniform', 'examples']), D.weighting),
      examplesCap: v.optional(whole(1, B.examplesCapMax), D.examplesCap),
      ageRoundsMax: v.optional(whole(1, B.ageRoundsMax), D.ageRoundsMax),
    }),
    {},
  ),
  coding: v.optional(
    v.variant(
      'kind',
      [
        alternative({ kind: v.literal('float32') }),
        alternative({ kind: v.literal('float16') }),
        alternative({ kind: v.literal('int8') }),
        alternative({
          kind: v.literal('top-k'),
          share: v.optional(number(B.topKShareMin, B.topKShareMax), D.topKShare),
          keyframeRounds: v.optional(whole(1, B.keyframeRoundsMax), D.keyframeRounds),
        }),
      ],
      (issue) => `${given(issue.input)}, a coding with kind: float32, float16, int8 or top-k is allowed`,
    ),
    { kind: D.coding },
  ),
  statistics: v.optional(
    section({ deadlineSeconds: v.optional(number(0, B.deadlineSecondsMax), D.deadlineSeconds) }),
    {},
  ),
  rounds: v.optional(
    section({
      periodSeconds: v.optional(number(B.periodSecondsMin, B.periodSecondsMax), D.periodSeconds),
      count: v.optional(whole(1, B.countMax), D.count),
    }),
    {},
  ),
  testShare: v.optional(number(B.testShareMin, B.testShareMax), D.testShare),
  validationShare: v.optional(number(0, B.validationShareMax), D.validationShare),
  minimumCohort: v.optional(whole(B.minimumCohortMin, B.minimumCohortMax), D.minimumCohort),
}

export const studySchema = section({
  name: text(B.nameCharactersMax),
  purpose: text(B.purposeCharactersMax),
  model: STUDY_SCHEMAS.model,
  label: section({
    name: text(B.featureNameCharactersMax),
    positive: text(B.featureNameCharactersMax),
    negative: text(B.featureNameCharactersMax),
  }),
  features: list(
    v.variant(
      'kind',
      [numeric, category],
      (issue) => `${given(issue.input)}, a feature with kind: number or kind: category is allowed`,
    ),
    1,
    LIMITS.studyFeaturesMax,
  ),
  training: STUDY_SCHEMAS.training,
  merge: STUDY_SCHEMAS.merge,
  coding: STUDY_SCHEMAS.coding,
  statistics: STUDY_SCHEMAS.statistics,
  rounds: STUDY_SCHEMAS.rounds,
  testShare: STUDY_SCHEMAS.testShare,
  validationShare: STUDY_SCHEMAS.validationShare,
  minimumCohort: STUDY_SCHEMAS.minimumCohort,
})

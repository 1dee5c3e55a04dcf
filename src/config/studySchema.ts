/** The schema of a study description: its bounds and defaults, each with its because. */
import * as v from 'valibot'
import { LIMITS } from '../core/limits.ts'
import { MAGNITUDE_MAX } from '../core/statistics.ts'
import { STUDY_CONSENT } from './consent.ts'
import { GROUPS_MAX } from './subgroups.ts'
import { alternative, choice, flag, given, list, number, section, text, whole } from './yaml.ts'

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
  proximalMax: 100, // beyond it a round moves nothing
  momentumMax: 0.99, // beyond it a hundred rounds are not enough to turn
  trainSecondsMin: 0.1, // shorter rounds are all overhead
  endSecondsMax: 315_360_000, // ten years
  plateauDeltaMax: 1, // nats: more than any model gains after its first rounds
  examplesCapMax: 1_000_000, // above any hospital's table: no cap at all
  faultyMax: 31, // a merge of 64 inputs, the most there are, bears no more
  clipRadiusMax: 1_000_000, // above the distance of any two models that are accepted: no clip at all
  vetoNatsMax: 10, // no model that learns anything is so bad: no veto at all
  ageRoundsMax: 1_000, // an update older than this says nothing about the present model
  topKShareMin: 0.001, // fewer changes than this tell of nothing but the largest gradients
  topKShareMax: 0.5, // at more than half of the weights float16 is shorter
  keyframeRoundsMax: 100, // who missed a keyframe has long fetched it; what is never sent grows old
  deadlineSecondsMax: 604_800, // a week: the longest that a consortium may wait for its last member
  periodSecondsMin: 0.01, // below it entries and messages, not training, fill the machine
  periodSecondsMax: 604_800, // a week between rounds
  countMax: 1_000_000, // rounds; a minute apart, two years
  cellSizeMin: 4, // fewer would leave a merge two others, one of whom may be away
  cellSizeMax: LIMITS.updateParentsMax, // as many as one merge can name
  cellsAboveMax: LIMITS.membersMax, // more members there are not
  cellPeriodSecondsMin: 1, // meshes of a new topic take a heartbeat of a second to form
  cellPeriodSecondsMax: 2_592_000, // a month in one cell is a smaller consortium, not a cell
  testShareMin: 0.05, // smaller held-out parts measure noise
  testShareMax: 0.5, // more would starve training
  validationShareMax: 0.3, // more would starve training
  minimumCohortMin: 5, // a sum over fewer patients says much of each; health statistics suppress smaller counts
  noiseMultiplierMin: 0.5, // below it a single step spends more than ε 10 at a small hospital
  noiseMultiplierMax: 1_000, // nothing is learnt through more
  clipNormMin: 1e-4, // below it steps are too small to matter
  clipNormMax: 1_000, // longer gradients diverge on standardised inputs
  epsilonMin: 0.01, // less allows no round that anybody could learn from
  epsilonMax: 50, // beyond it the guarantee says nothing: odds of e^50
  deltaMin: 1e-10, // the accountant's arithmetic reaches so far (learn/privacy/pld.ts)
  deltaMax: 0.01, // one in a hundred patients may not be protected: more is no protection
  minimumCohortMax: 100_000, // larger than most hospitals' tables
  subgroupsMax: 6, // tables of groups in a report: with their figures they fit one log entry
  thresholdMin: 0.001, // rarer than one in a thousand, no table of a hospital can show rates
  thresholdMax: 0.999, // its mirror image
} as const

export const STUDY_DEFAULTS = {
  localEpochs: 1, // one pass between merges keeps the hospitals' models close
  batchRows: 32, // small clinics still get several steps in an epoch
  learningRate: 0.01, // steady for Adam on standardised inputs
  l2: 0.01, // tables with more columns than patients need a pull towards 0
  optimiser: 'adam', // little tuning is asked of the hospital that writes the study
  proximal: 0, // FedProx gains where local epochs are many and hospitals differ; else it only slows
  momentum: 0, // for SGD alone
  tracking: 0, // for SGD alone
  head: 'bias', // label shift is the lever: an own output bias halves the calibration error (DECISIONS)
  normalisation: 'consortium', // one scaling makes weights mean the same everywhere
  personalProximal: 0.1, // Li et al. 2021 find 0.05 to 2 good; small hospitals gain by a pull
  plateauRounds: 10, // shorter stands end on noise of small validation sets
  plateauDelta: 0.001, // nats; below what a hospital can tell on a hundred patients
  rule: 'auto', // holds where an attacker is among the members, and costs next to nothing where none is (netsim/README.md)
  nearest: false, // `auto` mixes by itself
  faulty: 0.3, // of the inputs: where a fifth of 118 members attack, one merge of 64 in a thousand has more (of a quarter: one in twenty); cells want 3/8
  vetoNats: 0.1, // log-loss on the own rows: honest merges of the stroke trial's hospitals lose less at home
  weighting: 'sqrt', // examples alone gained nothing and let one liar dominate (DECISIONS)
  examplesCap: 1_000, // no hospital counts more than a table of a thousand
  ageRoundsMax: 8, // updates of members that are away fade out and then leave the merge
  coding: 'float32', // what was trained is what merges, to the bit; a table's model is a few kilobytes however it is written
  topKShare: 0.1, // lost no AUC with error feedback (DECISIONS)
  keyframeRounds: 8, // with a tenth of the changes in between, half of what float16 takes each time
  deadlineSeconds: 10, // members that are up answer in a second; nobody waits for the others
  periodSeconds: 1, // shortest time between rounds; training itself takes less on a table
  count: 40, // the demo's models stop improving after about thirty
  cellsAbove: 40, // up to here everybody hears everybody for no more bytes than a cell's (DECISIONS)
  cellSize: 32, // with a fifth attackers of 118, one cell in 1,500 has more than 12 of them
  testShare: 0.25, // a quarter held out: small clinics still train on most of their patients
  validationShare: 0.1, // where that is a minimum cohort at least: smaller hospitals need every row to train on
  clipNorm: 1, // about the length of a row's gradient when training on standardised columns has begun
  delta: 'auto', // hospitals differ in size by a hundred, and so do chances that are small for them
  minimumCohort: 10, // the usual floor below which counts are suppressed in health statistics
  threshold: 0.5, // whoever is more likely ill than not; a study of a rare outcome names its own
  localOnly: true, // what joining was worth is what a board asks first; large models may spare themselves the work
  crossSite: true, // figures alone are shared, of updates that all hospitals hold anyway
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

/** Cells of a study, where it has any. */
export const STUDY_CELLS = section({
  above: v.optional(whole(B.cellSizeMin, B.cellsAboveMax), D.cellsAbove),
  size: v.optional(whole(B.cellSizeMin, B.cellSizeMax), D.cellSize),
  periodSeconds: v.optional(v.nullable(number(B.cellPeriodSecondsMin, B.cellPeriodSecondsMax)), null),
})
/** Of `learn/merge/rule.ts`, where each has its paper, its bound and its cost. */
export const MERGE_RULES = [
  ...(['auto', 'mean', 'clipped-mean', 'trimmed-mean', 'median'] as const),
  ...(['geometric-median', 'krum', 'multi-krum', 'centred-clipping'] as const),
] as const

const isFaulty = (faulty: number): boolean => faulty < 0.5 || (faulty >= 1 && Number.isInteger(faulty))
const faultyIssue = (issue: { readonly input: unknown }): string =>
  `${given(issue.input)}, a share of the inputs below 0.5 or a whole number of them is allowed`

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
      proximal: v.optional(number(0, B.proximalMax), D.proximal),
      momentum: v.optional(number(0, B.momentumMax), D.momentum),
      tracking: v.optional(number(0, 1), D.tracking),
      secondsMax: v.optional(v.nullable(number(B.trainSecondsMin, B.periodSecondsMax)), null),
    }),
    {},
  ),
  merge: v.optional(
    section({
      rule: v.optional(choice(MERGE_RULES), D.rule),
      nearest: v.optional(flag(), D.nearest),
      faulty: v.optional(v.pipe(number(0, B.faultyMax), v.check(isFaulty, faultyIssue)), D.faulty),
      clipRadius: v.optional(v.nullable(number(0, B.clipRadiusMax)), null),
      vetoNats: v.optional(v.nullable(number(0, B.vetoNatsMax)), D.vetoNats),
      weighting: v.optional(choice(['sqrt', 'uniform', 'examples']), D.weighting),
      examplesCap: v.optional(whole(1, B.examplesCapMax), D.examplesCap),
      ageRoundsMax: v.optional(whole(1, B.ageRoundsMax), D.ageRoundsMax),
    }),
    {},
  ),
  local: v.optional(
    section({
      head: v.optional(choice(['bias', 'none']), D.head),
      normalisation: v.optional(choice(['consortium', 'own']), D.normalisation),
    }),
    {},
  ),
  personal: v.optional(
    v.nullable(section({ proximal: v.optional(number(0, B.proximalMax), D.personalProximal) })),
    null,
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
  end: v.optional(
    section({
      afterSeconds: v.optional(v.nullable(number(1, B.endSecondsMax)), null),
      plateau: v.optional(
        v.nullable(
          section({
            rounds: v.optional(whole(1, B.countMax), D.plateauRounds),
            delta: v.optional(number(0, B.plateauDeltaMax), D.plateauDelta),
          }),
        ),
        null,
      ),
    }),
    {},
  ),
  testShare: v.optional(number(B.testShareMin, B.testShareMax), D.testShare),
  validationShare: v.optional(number(0, B.validationShareMax), D.validationShare),
  minimumCohort: v.optional(whole(B.minimumCohortMin, B.minimumCohortMax), D.minimumCohort),
  privacy: v.optional(
    v.nullable(
      section({
        noiseMultiplier: number(B.noiseMultiplierMin, B.noiseMultiplierMax),
        clipNorm: v.optional(number(B.clipNormMin, B.clipNormMax), D.clipNorm),
        epsilonMax: number(B.epsilonMin, B.epsilonMax),
        delta: v.optional(
          v.union(
            [v.literal('auto'), number(B.deltaMin, B.deltaMax)],
            (issue) => `${given(issue.input)}, auto or a number from ${B.deltaMin} to ${B.deltaMax} is allowed`,
          ),
          D.delta,
        ),
      }),
    ),
    null,
  ),
  report: v.optional(
    section({
      subgroups: v.optional(
        list(
          section({
            feature: text(B.featureNameCharactersMax),
            edges: v.optional(v.nullable(list(number(-MAGNITUDE_MAX, MAGNITUDE_MAX), 1, GROUPS_MAX - 1)), null),
          }),
          0,
          B.subgroupsMax,
        ),
        [],
      ),
      threshold: v.optional(number(B.thresholdMin, B.thresholdMax), D.threshold),
      localOnly: v.optional(flag(), D.localOnly),
      crossSite: v.optional(flag(), D.crossSite),
    }),
    {},
  ),
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
  local: STUDY_SCHEMAS.local,
  personal: STUDY_SCHEMAS.personal,
  coding: STUDY_SCHEMAS.coding,
  statistics: STUDY_SCHEMAS.statistics,
  rounds: STUDY_SCHEMAS.rounds,
  cells: v.optional(v.nullable(STUDY_CELLS), {}),
  end: STUDY_SCHEMAS.end,
  testShare: STUDY_SCHEMAS.testShare,
  validationShare: STUDY_SCHEMAS.validationShare,
  minimumCohort: STUDY_SCHEMAS.minimumCohort,
  privacy: STUDY_SCHEMAS.privacy,
  report: STUDY_SCHEMAS.report,
  consent: v.optional(v.nullable(STUDY_CONSENT), null),
})

/** What a scenario can say: the schema with its bounds and defaults, each with its because. Strict: an unknown key is an error. */
import * as v from 'valibot'
import { STUDY_CELLS, STUDY_SCHEMAS } from '../../src/config/studySchema.ts'
import { alternative, choice, flag, given, list, number, section, text, whole } from '../../src/config/yaml.ts'

export const SCENARIO_BOUNDS = {
  nodesMax: 1_000_000, // one node takes up to 2 kB besides data and model, and the model slots fit 4 GB of WebAssembly memory
  ledgerNodesMax: 1_000, // every node replicates every log: LIMITS.membersMax
  secondsMax: 31_536_000, // a year of virtual time
  fanoutMax: 1_000, // more receivers of one send than members of one topic
  degreeMax: 10_000, // links of one node
  rowsMax: 1_000_000, // of one node
  featuresMax: 10_000, // LIMITS.studyFeaturesMax
} as const

const B = SCENARIO_BOUNDS
const seconds = () => number(0, B.secondsMax)
const milliseconds = (low: number) => number(low, 86_400_000)
const share = () => number(0, 1)
const file = () => text(400)
const range = (item: () => v.GenericSchema<number>) =>
  v.strictTuple([item(), item()], (issue) => `${given(issue.input)}, two numbers are allowed: [lowest, highest]`)
const kinds = (noun: string, words: readonly string[]) => (issue: { readonly input: unknown }) =>
  `${given(issue.input)}, ${noun} with kind: ${words.join(', ')} is allowed`
const literal = <const K extends string>(kind: K) => v.literal(kind)

/** How long one local update takes a node, virtual. */
const speed = v.variant(
  'kind',
  [
    alternative({ kind: literal('fixed'), trainMs: milliseconds(1) }),
    alternative({ kind: literal('uniform'), trainMs: range(() => milliseconds(1)) }),
    alternative({ kind: literal('log-normal'), medianMs: milliseconds(1), sigma: number(0, 3) }),
  ],
  kinds('a speed', ['fixed', 'uniform', 'log-normal']),
)

/** When a node is up. */
const availability = v.variant(
  'kind',
  [
    alternative({ kind: literal('always') }),
    alternative({
      kind: literal('churn'),
      meanUpSeconds: number(1, B.secondsMax),
      meanDownSeconds: number(1, B.secondsMax),
    }),
    alternative({ kind: literal('trace'), file: file() }),
    alternative({
      kind: literal('diurnal'),
      periodHours: v.optional(number(0.01, 10_000), 24),
      upShare: number(0.01, 1),
      zones: v.optional(whole(1, 24), 1),
    }),
  ],
  kinds('an availability', ['always', 'churn', 'trace', 'diurnal']),
)

const topology = v.variant(
  'kind',
  [
    alternative({ kind: literal('full') }),
    alternative({ kind: literal('ring') }),
    alternative({ kind: literal('k-regular'), degree: whole(2, B.degreeMax) }),
    alternative({ kind: literal('erdos-renyi'), meanDegree: number(0.1, B.degreeMax) }),
    alternative({ kind: literal('small-world'), degree: whole(2, B.degreeMax), rewire: share() }),
    alternative({ kind: literal('scale-free'), links: whole(1, B.degreeMax) }),
    alternative({
      kind: literal('geographic'),
      regions: list(section({ name: text(40), share: number(0.0001, 1) }), 1, 100),
      /** One way, from region i to region j; square. */
      latencyMs: list(list(milliseconds(0.1), 1, 100), 1, 100),
    }),
    alternative({ kind: literal('file'), file: file() }),
  ],
  kinds('a topology', ['full', 'ring', 'k-regular', 'erdos-renyi', 'small-world', 'scale-free', 'geographic', 'file']),
)

const network = section({
  topology: v.optional(topology, { kind: 'full' }),
  latencyMs: v.optional(
    range(() => milliseconds(1)),
    [5, 60],
  ), // one way within a continent
  loss: v.optional(number(0, 0.99), 0), // gossipsub runs over TCP: what is lost there is lost by full queues
  /** Uplink of each node; null: without bound. */
  uplinkMbit: v.optional(v.nullable(number(0.001, 1_000_000)), null),
  /** What may wait for an uplink; more is dropped, and counted. */
  uplinkQueueBytes: v.optional(whole(1_024, 1_000_000_000), 16_777_216),
  detectMs: v.optional(milliseconds(1), 400), // how long a dead link goes unnoticed: a reset takes a round trip or two
  /** Share of the nodes that can only dial out. Two of them are not linked. */
  natShare: v.optional(share(), 0),
  partitions: v.optional(
    list(section({ fromSeconds: seconds(), toSeconds: seconds(), shares: list(number(0.0001, 1), 2, 100) }), 0, 1_000),
    [],
  ),
})

const gossip = section({
  /** `mesh`: the model of gossipsub; `flood`: every linked node; `fanout`: some linked nodes, drawn anew for every send. */
  mode: v.optional(choice(['mesh', 'flood', 'fanout']), 'mesh'),
  fanout: v.optional(whole(1, B.fanoutMax), 1),
  mesh: v.optional(
    section({
      D: v.optional(whole(1, 100), 3), // the daemon's settings (DECISIONS, "Settings that worked")
      Dlo: v.optional(whole(1, 100), 2),
      Dhi: v.optional(whole(1, 100), 4),
      Dlazy: v.optional(whole(0, 100), 6),
      heartbeatMs: v.optional(milliseconds(10), 1_000),
    }),
    {},
  ),
  /** Of how many others a node remembers the newest update; beyond it who was heard longest ago is forgotten. */
  heldMax: v.optional(whole(1, 1_000_000), 1_000),
})

const shifts = {
  /** Which node a row goes to, where it is not given by a site column. */
  split: v.optional(
    v.variant(
      'kind',
      [
        alternative({ kind: literal('iid') }),
        alternative({ kind: literal('dirichlet'), alpha: number(0.001, 1_000) }), // label skew, Hsu et al. 2019
        alternative({ kind: literal('quantity'), alpha: number(0.001, 1_000) }), // sizes from a Dirichlet
        alternative({ kind: literal('feature-shift'), deviation: number(0, 100) }), // each node's columns are moved
      ],
      kinds('a split', ['iid', 'dirichlet', 'quantity', 'feature-shift']),
    ),
    { kind: 'iid' },
  ),
}

/** A CSV file; features are its other columns: numbers as they stand, words as categories. */
const table = {
  file: file(),
  label: text(120),
  positive: v.optional(text(120), '1'),
  drop: v.optional(list(text(120), 0, B.featuresMax), []),
}

const data = v.variant(
  'kind',
  [
    alternative({ kind: literal('none') }),
    /** A table with the sites in a column; each site is a node, the largest first, and `nodes.count` of them take part. */
    alternative({
      kind: literal('sites'),
      ...table,
      site: text(120),
      rowsMin: v.optional(whole(2, B.rowsMax), 2), // sites with fewer rows are left out
      /** A column that says `train` or `test`; without it `study.testShare` is held out. */
      splitColumn: v.optional(v.nullable(text(120)), null),
    }),
    /** A table without sites, dealt to the nodes. */
    alternative({ kind: literal('table'), ...table, ...shifts }),
    /** Two Gaussian classes, made up. */
    alternative({
      kind: literal('synthetic'),
      features: whole(1, B.featuresMax),
      rows: whole(2, B.rowsMax), // of each node on average, test rows included
      separation: v.optional(number(0, 100), 2), // distance of the class means, in deviations
      positiveShare: v.optional(number(0.01, 0.99), 0.5),
      ...shifts,
    }),
  ],
  kinds('data', ['none', 'sites', 'table', 'synthetic']),
)

const learner = v.variant(
  'kind',
  [
    alternative({ kind: literal('kernels') }), // logistic regression and MLP in WebAssembly SIMD
    /** TensorFlow.js, all nodes stacked. */
    alternative({
      kind: literal('tfjs'),
      /** The model.json of a layers model whose output is one logit, in place of study.model; null: study.model. */
      model: v.optional(v.nullable(file()), null),
      backend: v.optional(choice(['auto', 'wasm', 'cpu', 'native']), 'auto'),
    }),
    alternative({ kind: literal('linear') }), // least squares in a few lines
    alternative({ kind: literal('null') }), // the protocol alone
  ],
  kinds('a learner', ['kernels', 'tfjs', 'linear', "'null' in quotes"]),
)

/**
 * `equivocate`: two histories of the own log; without a ledger two updates for each round. `backdoor` without a ledger: rows are poisoned
 * from the start, and from `fromSeconds` on its updates are boosted.
 */
export const ATTACKS = [
  'sign-flip',
  'gaussian',
  'label-flip',
  'alie',
  'ipm',
  'backdoor',
  'free-rider',
  'stale-replay',
  'sybil',
  'equivocate',
  'garbage',
  'withhold',
] as const
export type Attack = (typeof ATTACKS)[number]

const adversary = section({
  attack: choice(ATTACKS),
  share: v.optional(v.nullable(share()), null),
  nodes: v.optional(list(whole(0, B.nodesMax - 1), 0, 100_000), []),
  fromSeconds: v.optional(seconds(), 0),
  /** Of sign-flip, gaussian (deviation), alie (z) and ipm (ε): how strong; null: what netsim/adversary/attacks.ts says, with its paper. */
  strength: v.optional(v.nullable(number(0, 1_000)), null),
})

const crash = section({
  node: whole(0, B.nodesMax - 1),
  atSeconds: seconds(),
  downSeconds: seconds(),
  disk: v.optional(choice(['kept', 'lost']), 'kept'),
})

export const scenarioSchema = section({
  question: text(200),
  nodes: section({
    count: whole(2, B.nodesMax),
    speed: v.optional(speed, { kind: 'uniform', trainMs: [20, 120] }),
    availability: v.optional(availability, { kind: 'always' }),
    /** What a node that went down finds when it comes back. */
    disk: v.optional(choice(['kept', 'lost']), 'kept'),
  }),
  network: v.optional(network, {}),
  gossip: v.optional(gossip, {}),
  data,
  learner: v.optional(learner, { kind: 'kernels' }),
  /** The daemon's options of a study, with its names and defaults. */
  study: v.optional(
    section({
      model: STUDY_SCHEMAS.model,
      training: STUDY_SCHEMAS.training,
      merge: STUDY_SCHEMAS.merge,
      local: STUDY_SCHEMAS.local,
      personal: STUDY_SCHEMAS.personal,
      coding: STUDY_SCHEMAS.coding,
      rounds: STUDY_SCHEMAS.rounds,
      end: STUDY_SCHEMAS.end,
      statistics: STUDY_SCHEMAS.statistics,
      testShare: STUDY_SCHEMAS.testShare,
      validationShare: STUDY_SCHEMAS.validationShare,
      minimumCohort: STUDY_SCHEMAS.minimumCohort,
      /** Null unless it is said, however many nodes there are: most questions are about one topic, or bring receivers of their own. */
      cells: v.optional(v.nullable(STUDY_CELLS), null),
      privacy: STUDY_SCHEMAS.privacy,
      report: STUDY_SCHEMAS.report,
    }),
    {},
  ),
  adversaries: v.optional(list(adversary, 0, 100), []),
  crashes: v.optional(list(crash, 0, 100_000), []),
  /** `on`: entries, heads, cosignatures and replication at every node, as in the daemon; `off`: rounds, gossip and merges alone. */
  ledger: v.optional(choice(['on', 'off']), 'on'),
  signatures: v.optional(choice(['real', 'modelled']), 'modelled'),
  digests: v.optional(choice(['real', 'modelled']), 'real'),
  /** What must hold once faults have stopped. */
  liveness: v.optional(
    section({
      /** From then on all nodes are up, links whole, and nothing is lost; null: faults never stop, and nothing is demanded. */
      fromSeconds: v.optional(v.nullable(seconds()), null),
      /** So much later every node merges what others have published, and with a ledger all hold the same logs; null: not demanded. */
      convergeSeconds: v.optional(v.nullable(seconds()), null),
      /** So much later every entry of an honest member is final; null: not demanded. */
      finalSeconds: v.optional(v.nullable(seconds()), null),
    }),
    {},
  ),
  end: section({
    /** Virtual time after which it stops in any case. */
    seconds: number(0.001, B.secondsMax),
  }),
  report: v.optional(
    section({
      everySeconds: v.optional(number(0.001, B.secondsMax), 1),
      /** Nodes whose models are evaluated at each sample; drawn once. */
      sampleNodes: v.optional(whole(1, B.nodesMax), 100),
      html: v.optional(flag(), true),
    }),
    {},
  ),
})

/** A scenario with all its defaults filled in. */
export type Scenario = v.InferOutput<typeof scenarioSchema>
/** A scenario as a person may write it. */
export type ScenarioInput = v.InferInput<typeof scenarioSchema>

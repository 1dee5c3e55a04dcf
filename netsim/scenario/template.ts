/** What `consilium-netsim new` writes: every key of a scenario at its default or with an example, explained. A test holds it to the schema. */

export const templateText = `question: How does the model of twenty hospitals become better while each keeps its records?
# The question comes first and ends with "?": a scenario that answers none is not worth its electricity.
# What is commented out shows another choice. Unknown keys are refused, with the nearest name.

nodes:
  count: 20 # up to 1,000 with the ledger, up to 1,000,000 without
  # How long one local update takes, virtual milliseconds.
  speed: { kind: uniform, trainMs: [20, 120] } # each node has one speed, drawn once
  # speed: { kind: fixed, trainMs: 50 }
  # speed: { kind: log-normal, medianMs: 50, sigma: 0.8 } # a few nodes are much slower
  availability: { kind: always }
  # availability: { kind: churn, meanUpSeconds: 600, meanDownSeconds: 60 } # both exponential
  # availability: { kind: diurnal, periodHours: 24, upShare: 0.6, zones: 3 } # up by day, in 3 time zones
  # availability: { kind: trace, file: churn.csv } # measured
  disk: kept # or lost: a node that comes back begins anew

network:
  topology: { kind: full } # everybody may talk to everybody
  # topology: { kind: ring }
  # topology: { kind: k-regular, degree: 6 }
  # topology: { kind: erdos-renyi, meanDegree: 6 }
  # topology: { kind: small-world, degree: 6, rewire: 0.1 } # Watts and Strogatz 1998
  # topology: { kind: scale-free, links: 3 } # Barabasi and Albert 1999: each newcomer makes 3 links
  # topology: # one way from region i to region j, milliseconds
  #   { kind: geographic, regions: [{ name: EU, share: 0.6 }, { name: US, share: 0.4 }], latencyMs: [[10, 45], [45, 20]] }
  # topology: { kind: file, file: links.csv }
  latencyMs: [5, 60] # one way, drawn for each message
  loss: 0 # share of messages; gossipsub runs over TCP, so what is lost is lost by full queues
  uplinkMbit: null # of each node; null: without bound
  uplinkQueueBytes: 16777216 # what may wait for an uplink; more is dropped and counted
  detectMs: 400 # how long a dead link goes unnoticed
  natShare: 0 # share of nodes that can only dial out; two of them are not linked
  partitions: []
  # partitions: [{ fromSeconds: 60, toSeconds: 120, shares: [0.5, 0.5] }] # one at a time, in order

gossip:
  mode: mesh # the model of gossipsub; or flood: to every linked node; or fanout: to some, drawn for every send
  fanout: 1 # of mode fanout
  mesh: # of mode mesh: the daemon's settings
    D: 3 # links in the mesh; fewer than Dlo: graft; more than Dhi: prune
    Dlo: 2
    Dhi: 4
    Dlazy: 6 # who is told what there is (IHAVE), beyond the mesh
    heartbeatMs: 1000
  heldMax: 1000 # of how many others a node remembers the newest update

# Two Gaussian classes, made up.
data:
  kind: synthetic
  features: 12
  rows: 120 # of each node on average, test rows included
  separation: 2 # distance of the class means, in deviations
  positiveShare: 0.4
  split: { kind: dirichlet, alpha: 0.5 } # label skew (Hsu et al. 2019); smaller is more skewed
  # split: { kind: iid }
  # split: { kind: quantity, alpha: 0.5 } # sizes differ
  # split: { kind: feature-shift, deviation: 0.5 } # each node's columns are moved
# Your own table, each value of a column being one hospital:
# data: { kind: sites, file: icu.csv, label: died, positive: '1', drop: [id], site: hospital, rowsMin: 30, splitColumn: null }
# Your own table, dealt to the nodes:
# data: { kind: table, file: icu.csv, label: died, positive: '1', drop: [], split: { kind: iid } }
# No data at all, for questions of the protocol; then say learner: { kind: 'null' }
# data: { kind: none }

learner: { kind: kernels } # logistic regression and MLP in WebAssembly
# TensorFlow.js, all nodes stacked; model: a layers model with one logit, in place of study.model (ledger: off); backend: or wasm, cpu, native
# learner: { kind: tfjs, model: null, backend: auto }
# learner: { kind: linear } # least squares, alike on every machine to the last bit
# learner: { kind: 'null' } # the protocol alone

# The daemon's options of a study, with its names and defaults.
study:
  model: { kind: logistic }
  # model: { kind: mlp, hidden: [16, 8] }
  training:
    localEpochs: 1
    batchRows: 32
    learningRate: 0.01
    l2: 0.01
    optimiser: adam # or sgd
    proximal: 0 # FedProx: how strongly a round is drawn to where it began
    momentum: 0 # quasi-global momentum; with sgd and ledger: on
    tracking: 0 # gradient tracking: how much of the correction lasts a round; with sgd and ledger: on
    secondsMax: null # a round ends after so long with what it has; ledger: on
  local: { head: bias, normalisation: consortium } # the output bias is each node's own; none: merged too. normalisation: or own
  personal: null # or { proximal: 0.1 }: a model of each node's own beside the shared one (Ditto); ledger: on
  merge: # rule: auto (NNM and trimmed mean from 6 inputs up, clipped mean below), mean, clipped-mean, trimmed-mean, median, …
    { rule: auto, nearest: false, faulty: 0.3, clipRadius: null, vetoNats: 0.1, weighting: sqrt, examplesCap: 1000, ageRoundsMax: 8 }
  coding: { kind: float32 } # or float16, int8, with ledger: on
  # coding: { kind: top-k, share: 0.1, keyframeRounds: 8 } # the largest changes since a keyframe, with error feedback
  rounds: { periodSeconds: 1, count: 40 }
  end: { afterSeconds: null, plateau: null } # before the last round; plateau: { rounds: 10, delta: 0.001 }; ledger: on
  statistics: { deadlineSeconds: 10 } # until the scaling of inputs is frozen
  testShare: 0.25 # of each node's rows, held out
  validationShare: 0.1 # of the others, for choices made at a node; in a simulation its training rows serve
  privacy: null # differentially private updates; without a ledger epsilonMax stops nobody, and what was spent is told
  # privacy: { noiseMultiplier: 8, clipNorm: 1, epsilonMax: 8, delta: auto } # learner: kernels
  minimumCohort: 10 # nodes with fewer training rows give no statistics
  cells: null # one topic for all; the daemon has { above: 40, size: 32, periodSeconds: null }
  # cells: { above: 40, size: 32, periodSeconds: null } # past 40 nodes in cells of at most 32, dealt anew; null: every 8 rounds
  # what each node with a ledger measures at the end; localOnly trains a model at each alone, too
  report: { subgroups: [], threshold: 0.5, localOnly: true, crossSite: true }
  # report: { subgroups: [{ feature: x1, edges: [-0.5, 0.5] }] } # by bands of a number, by levels of a category

adversaries: []
# adversaries: # share of the nodes, or nodes: [3, 7]; strength null is that of the paper
#   - { attack: sign-flip, share: 0.2, nodes: [], fromSeconds: 0, strength: null }
# Attacks: sign-flip, gaussian, label-flip, alie, ipm, backdoor, free-rider, stale-replay, sybil, equivocate, garbage, withhold

crashes: []
# crashes: [{ node: 3, atSeconds: 20, downSeconds: 15, disk: kept }] # or disk: lost

ledger: on # entries, heads, cosignatures and replication at every node, as in the daemon; or off
signatures: modelled # believed without arithmetic; or real
digests: real # or modelled

liveness: # what must hold once faults have stopped
  fromSeconds: null # from then on all are up, links whole and nothing lost; null: faults never stop
  convergeSeconds: null # so much later all merge what others publish and hold the same logs; null: not demanded
  finalSeconds: null # so much later what was written is final; null: not demanded

end:
  seconds: 120 # virtual time after which it stops in any case

report:
  everySeconds: 1 # virtual time between samples
  sampleNodes: 100 # nodes whose models are evaluated at each sample; drawn once
  html: true # write report.html
`

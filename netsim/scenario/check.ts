/** Rules between the fields of a scenario: what no single field can know. */
import { cellsComplaint } from '../../src/config/cells.ts'
import { privacyComplaint } from '../../src/config/study.ts'
import { type Complaint, given, type Path } from '../../src/config/yaml.ts'
import { SCENARIO_BOUNDS, type Scenario } from './schema.ts'
import { trainingFault } from './trainingRules.ts'

const SHARES_SLACK = 0.001 // three thirds are written 0.333, 0.333, 0.334
const SAMPLES_MAX = 20_000 // a page with more points draws several on one pixel

/** The first rule that a scenario breaks, or null. */
export function complaintOf(scenario: Scenario): Complaint | null {
  return (
    questionFault(scenario) ??
    nodesFault(scenario) ??
    topologyFault(scenario) ??
    networkFault(scenario) ??
    gossipFault(scenario) ??
    cellsFault(scenario) ??
    codingFault(scenario) ??
    dataFault(scenario) ??
    modelFileFault(scenario) ??
    privacyFault(scenario) ??
    trainingFault(scenario) ??
    adversaryFault(scenario) ??
    faultsFault(scenario) ??
    livenessFault(scenario) ??
    endFault(scenario)
  )
}

function livenessFault({ liveness, end }: Scenario): Complaint | null {
  const { fromSeconds } = liveness
  for (const key of ['convergeSeconds', 'finalSeconds'] as const) {
    const after = liveness[key]
    if (after === null) continue
    const path = ['liveness', key]
    if (fromSeconds === null)
      return wrong(path, `${given(after)} without liveness.fromSeconds: say from when on there are no faults`)
    if (fromSeconds + after <= end.seconds) continue
    const most = end.seconds - fromSeconds
    return wrong(path, `${given(after)}, at most ${most} is allowed: it ends at ${end.seconds} seconds`)
  }
  return null
}

const wrong = (path: Path, message: string): Complaint => ({ path, message })

function questionFault({ question }: Scenario): Complaint | null {
  return question.endsWith('?')
    ? null
    : wrong(['question'], `${given(question)}, a question that ends with "?" is expected`)
}

function nodesFault({ nodes, ledger, signatures }: Scenario): Complaint | null {
  const { count, speed } = nodes
  if (ledger === 'on' && count > SCENARIO_BOUNDS.ledgerNodesMax) {
    const message = `${given(count)}, at most ${SCENARIO_BOUNDS.ledgerNodesMax} are allowed with the ledger, for every node holds every log: say ledger: off`
    return wrong(['nodes', 'count'], message)
  }
  if (ledger === 'off' && signatures === 'real')
    return wrong(['signatures'], 'real was given, and ledger: off signs nothing: say modelled')
  return speed.kind === 'uniform' ? descending(['nodes', 'speed', 'trainMs'], speed.trainMs) : null
}

function descending(path: Path, range: readonly [number, number]): Complaint | null {
  return range[0] <= range[1] ? null : wrong(path, `${given(range)}, the lowest has to come first`)
}

function topologyFault({ nodes, network }: Scenario): Complaint | null {
  const { topology } = network
  const at = (key: string): Path => ['network', 'topology', key]
  const fewer = (key: string, links: number): Complaint | null =>
    links < nodes.count
      ? null
      : wrong(at(key), `${given(links)}, fewer than nodes.count, which is ${nodes.count}, are allowed`)
  switch (topology.kind) {
    case 'k-regular': {
      const odd = (topology.degree * nodes.count) % 2 === 1
      const message = `${given(topology.degree)}, with an odd number of nodes (${nodes.count}) an even degree is allowed`
      return fewer('degree', topology.degree) ?? (odd ? wrong(at('degree'), message) : null)
    }
    case 'small-world':
      if (topology.degree % 2 === 1)
        return wrong(
          at('degree'),
          `${given(topology.degree)}, an even number is allowed: half to each side of the ring`,
        )
      return fewer('degree', topology.degree)
    case 'erdos-renyi':
      return fewer('meanDegree', topology.meanDegree)
    case 'scale-free':
      return fewer('links', topology.links)
    case 'geographic':
      return regionsFault(topology.regions, topology.latencyMs)
    case 'full':
    case 'ring':
    case 'file':
      return null
  }
}

function regionsFault(
  regions: readonly { readonly name: string; readonly share: number }[],
  matrix: readonly (readonly number[])[],
): Complaint | null {
  const path = ['network', 'topology', 'latencyMs']
  const size = regions.length
  const names = regions.map(({ name }) => name)
  const twice = names.findIndex((name, i) => names.indexOf(name) !== i)
  if (twice >= 0)
    return wrong(['network', 'topology', 'regions', twice, 'name'], `${given(names[twice])} twice: name it otherwise`)
  if (matrix.length !== size)
    return wrong(path, `${matrix.length} rows were given, one for each of the ${size} regions is allowed`)
  const row = matrix.findIndex((each) => each.length !== size)
  if (row >= 0)
    return wrong(
      [...path, row],
      `${matrix[row]?.length} numbers were given, one for each of the ${size} regions is allowed`,
    )
  return sharesFault(
    ['network', 'topology', 'regions'],
    regions.map(({ share }) => share),
  )
}

function sharesFault(path: Path, shares: readonly number[]): Complaint | null {
  const sum = shares.reduce((total, share) => total + share, 0)
  if (Math.abs(sum - 1) <= SHARES_SLACK) return null
  return wrong(path, `shares with the sum ${Number(sum.toPrecision(6))} were given, the sum 1 is allowed`)
}

function networkFault({ network }: Scenario): Complaint | null {
  const range = descending(['network', 'latencyMs'], network.latencyMs)
  if (range) return range
  let lastEnd = 0
  for (const [i, { fromSeconds, toSeconds, shares }] of network.partitions.entries()) {
    const path = ['network', 'partitions', i]
    if (fromSeconds >= toSeconds)
      return wrong([...path, 'toSeconds'], `${given(toSeconds)}, more than fromSeconds (${fromSeconds}) is allowed`)
    if (fromSeconds < lastEnd)
      return wrong(
        [...path, 'fromSeconds'],
        `${given(fromSeconds)}, and the partition before it ends at ${lastEnd}: one at a time, in order`,
      )
    const fault = sharesFault([...path, 'shares'], shares)
    if (fault) return fault
    lastEnd = toSeconds
  }
  return null
}

function codingFault({ ledger, study }: Scenario): Complaint | null {
  const { kind } = study.coding
  if (ledger === 'on' || kind === 'float32') return null
  return wrong(['study', 'coding', 'kind'], `${given(kind)}, without the ledger updates are float32: say ledger: on`)
}

function gossipFault({ gossip }: Scenario): Complaint | null {
  const { D, Dlo, Dhi } = gossip.mesh
  if (Dlo > D) return wrong(['gossip', 'mesh', 'Dlo'], `${given(Dlo)}, at most D, which is ${D}, is allowed`)
  if (Dhi < D) return wrong(['gossip', 'mesh', 'Dhi'], `${given(Dhi)}, at least D, which is ${D}, is allowed`)
  return null
}

function cellsFault({ study }: Scenario): Complaint | null {
  const fault = cellsComplaint(study)
  return fault === null ? null : { ...fault, path: ['study', ...fault.path] }
}

function dataFault({ data, learner, study }: Scenario): Complaint | null {
  if (data.kind === 'none') {
    if (learner.kind === 'null') return null
    return wrong(
      ['learner', 'kind'],
      `${given(learner.kind)}, without data only null is allowed: say learner: {kind: 'null'}`,
    )
  }
  if (learner.kind === 'linear' && study.model.kind !== 'logistic')
    return wrong(
      ['learner', 'kind'],
      'linear was given, which trains study.model kind: logistic only: say kernels or tfjs',
    )
  if (data.kind === 'synthetic') return null
  const columns = data.kind === 'sites' ? [data.label, data.site, data.splitColumn] : [data.label]
  const named = columns.filter((name) => name !== null)
  if (new Set(named).size < named.length)
    return wrong(
      ['data', 'label'],
      `${given(data.label)}, and label, site and splitColumn have to be different columns`,
    )
  const dropped = data.drop.findIndex((name) => named.includes(name))
  if (dropped >= 0)
    return wrong(['data', 'drop', dropped], `${given(data.drop[dropped])}, and it is used: do not drop it`)
  return null
}

/** As members would refuse it; and private training is one learner, in plain arithmetic. */
function privacyFault({ study, learner }: Scenario): Complaint | null {
  const complaint = privacyComplaint(study)
  if (complaint !== null) return { ...complaint, path: ['study', ...complaint.path] }
  if (study.privacy === null || learner.kind === 'kernels') return null
  const message = `${given(learner.kind)}, and study.privacy has a learner of its own: say kernels, or privacy: null`
  return wrong(['learner', 'kind'], message)
}

function modelFileFault({ learner, ledger, study }: Scenario): Complaint | null {
  if (learner.kind !== 'tfjs' || learner.model === null) return null
  if (ledger === 'on') {
    const message = `${given(learner.model)}, and with the ledger nodes train study.model: say ledger: off`
    return wrong(['learner', 'model'], message)
  }
  if (study.model.kind === 'logistic') return null
  return wrong(['study', 'model'], `${given(study.model.kind)}, and learner.model names another model: leave one out`)
}

const WITH_STRENGTH: readonly string[] = ['sign-flip', 'gaussian', 'alie', 'ipm']
const WITH_DATA: readonly string[] = ['label-flip', 'backdoor']

function adversaryFault({ adversaries, nodes, data }: Scenario): Complaint | null {
  for (const [i, { attack, share, nodes: chosen, strength }] of adversaries.entries()) {
    const path = ['adversaries', i]
    if ((share === null) === (chosen.length === 0))
      return wrong(path, `${share === null ? 'neither' : 'both'} share and nodes were given, one of them is allowed`)
    const beyond = chosen.findIndex((node) => node >= nodes.count)
    if (beyond >= 0)
      return wrong([...path, 'nodes', beyond], `${given(chosen[beyond])}, 0 to ${nodes.count - 1} is allowed`)
    if (strength !== null && !WITH_STRENGTH.includes(attack))
      return wrong([...path, 'strength'], `${given(strength)}, and ${attack} has none: leave it out`)
    if (WITH_DATA.includes(attack) && data.kind === 'none')
      return wrong([...path, 'attack'], `${attack} was given, and there are no data to spoil`)
  }
  return null
}

function faultsFault({ crashes, nodes, liveness, ledger }: Scenario): Complaint | null {
  const beyond = crashes.findIndex(({ node }) => node >= nodes.count)
  if (beyond >= 0) {
    const message = `${given(crashes[beyond]?.node)}, 0 to ${nodes.count - 1} is allowed`
    return wrong(['crashes', beyond, 'node'], message)
  }
  if (liveness.finalSeconds !== null && ledger === 'off')
    return wrong(
      ['liveness', 'finalSeconds'],
      `${given(liveness.finalSeconds)}, and without the ledger nothing is final`,
    )
  return null
}

function endFault({ end, report }: Scenario): Complaint | null {
  if (end.seconds / report.everySeconds <= SAMPLES_MAX) return null
  const least = end.seconds / SAMPLES_MAX
  return wrong(
    ['report', 'everySeconds'],
    `${given(report.everySeconds)}, at least ${Number(least.toPrecision(3))} is allowed, for ${SAMPLES_MAX} samples until end.seconds`,
  )
}

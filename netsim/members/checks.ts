/** What must hold of nodes with a ledger: safety at every step, and liveness once faults have stopped. */
import { weightsDigest } from '../../src/core/digest.ts'
import { invariant, messageOf } from '../../src/core/errors.ts'
import type { Digest, MemberId } from '../../src/core/ids.ts'
import { rangesNamed } from '../../src/gossip/coding/parts.ts'
import type { MergeInput } from '../../src/gossip/exchange.ts'
import type { Parts } from '../../src/gossip/partial.ts'
import { mergeInParts } from '../../src/learn/merge/inParts.ts'
import type { MergeRule } from '../../src/learn/merge/rule.ts'
import type { Action } from '../../src/node/actions.ts'
import type { LogSize } from '../../src/node/events.ts'
import { Check } from '../checkers/check.ts'
import { Rules } from '../checkers/rules.ts'
import type { Scenario } from '../scenario/schema.ts'
import type { StudySimulation } from './run.ts'
import type { Step } from './trace.ts'

const MERGES_EVERY = 7 // every node has its turn; a recomputation costs about one merge

export class LedgerChecks {
  readonly steps: Check
  readonly merges: Check
  readonly members: Check
  readonly finals: Check
  readonly kept: Check
  readonly converged: Check
  readonly finality: Check
  readonly #simulation: StudySimulation
  readonly #rule: MergeRule
  readonly #rules = new Rules()
  readonly #honest: (node: number) => boolean
  /** Of each author, the root of every head that was final anywhere. */
  readonly #roots = new Map<MemberId, Map<number, Digest>>()
  /** Of each node, the largest own log that was reported durable, since its disk was last lost. */
  readonly #durable = new Map<number, number>()
  /** What each node is merging, and of what is on its way there the weights that will have arrived. */
  readonly #merging = new Map<number, readonly MergeInput[]>()
  readonly #arriving = new Map<number, ReadonlyMap<MemberId, MergeInput & Pick<Parts, 'weights'>>>()
  #seen = 0

  /** `honest` says who keeps to the rules: of others nothing is demanded, though much of them is. */
  constructor(simulation: StudySimulation, rule: MergeRule, honest: (node: number) => boolean) {
    const { clock } = simulation
    this.steps = new Check('every step keeps the rules of the machine', clock)
    this.merges = new Check('a merge equals its recomputation from its inputs', clock)
    this.members = new Check('nothing is accepted from who is no member', clock)
    this.finals = new Check('no two final heads of one log conflict', clock)
    this.kept = new Check('no durable entry is lost', clock)
    this.converged = new Check('once faults stop, every log is everywhere', clock)
    this.finality = new Check('once faults stop, what honest members wrote becomes final', clock)
    this.#simulation = simulation
    this.#rule = rule
    this.#honest = honest
  }

  get all(): readonly Check[] {
    return [this.steps, this.merges, this.members, this.finals, this.kept, this.converged, this.finality]
  }

  /** Those that a scenario asks for. */
  demanded({ convergeSeconds, finalSeconds }: Scenario['liveness']): readonly Check[] {
    return this.all.filter((check) => {
      if (check === this.converged) return convergeSeconds !== null
      return check !== this.finality || finalSeconds !== null
    })
  }

  step(step: Step): void {
    let fault: string | null = null
    try {
      this.#rules.check(step)
    } catch (error) {
      fault = messageOf(error)
    }
    this.steps.that(fault === null, step.node, () => fault ?? '')
    this.#accepted(step)
    this.#merged(step)
    if (step.event.type === 'final-kept') this.#final(step.node, step.event.log)
    for (const action of step.actions) {
      if (action.type === 'keep-final') this.#final(step.node, action.log)
      else if (action.type === 'merge') this.#begun(step.node, action)
    }
    if (step.event.type === 'committed') this.#durable.set(step.node, step.event.log.size)
    if (step.event.type === 'booted') this.#booted(step.node, step.event.logs, step.event.self)
  }

  /** The disk of a node is gone: what no other member had fetched may be lost with it. */
  lost(node: number): void {
    this.#durable.delete(node)
  }

  /** How long every log is; for `spread`, later. */
  lengths(): number[] {
    const { identities } = this.#simulation
    return identities.members.map((author, node) => this.#simulation.diskOf(node).sizeOf(author).size)
  }

  /** Whether all that `lengths` told of is at every node that is up. */
  spread(lengths: readonly number[], nodes: number): void {
    this.#everywhere(this.converged, lengths, nodes, (node, author) => {
      return this.#simulation.diskOf(node).sizeOf(author).size
    })
  }

  /** Whether all that `lengths` told of is final at every node that is up. */
  final(lengths: readonly number[], nodes: number): void {
    this.#everywhere(this.finality, lengths, nodes, (node, author) => {
      return this.#simulation.diskOf(node).finals.get(author)?.size ?? 0
    })
  }

  /** At the end: every final head is one of a prefix of the log, wherever the log is. */
  end(nodes: number): void {
    for (let node = 0; node < nodes; node++) {
      if (!this.#honest(node)) continue // who has two histories shows one of them here
      const disk = this.#simulation.diskOf(node)
      for (const [author, roots] of this.#roots) {
        const size = Math.min(disk.sizeOf(author).size, disk.finals.get(author)?.size ?? 0)
        for (const [at, root] of roots) {
          if (at > size) continue // what is not final here may be the history that lost
          const held = Buffer.from(disk.rootAt(author, at)).toString('hex')
          this.finals.that(held === root, node, () => {
            return `the first ${at} entries of ${author.slice(0, 8)} have root ${held.slice(0, 8)}, final is ${root.slice(0, 8)}`
          })
        }
      }
    }
  }

  #everywhere(check: Check, lengths: readonly number[], nodes: number, of: (node: number, author: MemberId) => number) {
    const { members } = this.#simulation.identities
    const frozen = this.#frozen(nodes)
    for (let node = 0; node < nodes; node++) {
      if (this.#simulation.shellOf(node) === null || !this.#honest(node)) continue
      lengths.forEach((length, other) => {
        if (!this.#honest(other) || frozen.has(members[other] as MemberId)) return
        const has = of(node, members[other] as MemberId)
        check.that(has >= length, node, () => `of ${length} entries of node ${other} it has ${has}`)
      })
    }
  }

  /**
   * Authors of whom somebody has proof of two histories. A node that lost its disk before anybody who answered it had heard of its newest
   * entries signs a second one (LEDGER, "limit of the fence"): it is honest, and its log ends there all the same.
   */
  #frozen(nodes: number): Set<MemberId> {
    const frozen = new Set<MemberId>()
    for (let node = 0; node < nodes; node++)
      for (const author of this.#simulation.diskOf(node).forks) frozen.add(author)
    return frozen
  }

  #booted(node: number, logs: readonly LogSize[], self: MemberId): void {
    const before = this.#durable.get(node)
    if (before === undefined) return
    const now = logs.find(({ author }) => author === self)?.size ?? 0
    this.kept.that(now >= before, node, () => `${before} own entries were durable, ${now} are there after a start`)
  }

  #final(node: number, { author, size, root }: LogSize): void {
    let roots = this.#roots.get(author)
    if (roots === undefined) {
      roots = new Map()
      this.#roots.set(author, roots)
    }
    const known = roots.get(size) ?? root
    roots.set(size, root)
    this.finals.that(known === root, node, () => {
      return `${size} entries of ${author.slice(0, 8)} are final with root ${root.slice(0, 8)} here and ${known.slice(0, 8)} elsewhere`
    })
  }

  #accepted({ event, actions, node }: Step): void {
    if (event.type !== 'update-heard') return
    if (!actions.some((action) => action.type === 'verdict' && action.verdict === 'accept')) return
    const { header, facts } = event
    const sound =
      facts.signatureValid && facts.digestMatches && this.#simulation.identities.members.includes(header.author)
    this.members.that(sound, node, () => `accepted round ${header.round} of ${header.author.slice(0, 8)}`)
  }

  #begun(node: number, { inputs, partial = [], permit }: Extract<Action, { type: 'merge' }>): void {
    this.#merging.set(node, inputs)
    const shell = this.#simulation.shellOf(node)
    const arriving = partial.flatMap((input) => {
      const weights = shell?.updates.partsOf(permit.study, input.author, input.digest)?.weights
      return weights === undefined ? [] : [[input.author, { ...input, weights }] as const]
    })
    this.#arriving.set(node, new Map(arriving))
  }

  #merged({ event, node }: Step): void {
    if (event.type !== 'merged' || this.#seen++ % MERGES_EVERY > 0) return
    const shell = this.#simulation.shellOf(node)
    if (shell === null) return
    const left = new Set(event.aside.flatMap(({ author, reason }) => (reason === 'outlying' ? [] : [author])))
    const merging = (this.#merging.get(node) ?? []).filter(({ author }) => !left.has(author))
    const inputs = merging.map(({ author, examples, ageRounds, digest }) => {
      const weights = shell.weightsOf(event.study, digest) ?? new Float32Array(0)
      return { author, examples, ageRounds, weights }
    })
    const partial = (event.parts?.updates ?? []).map(({ author, chunks }) => {
      const arriving = this.#arriving.get(node)?.get(author)
      invariant(arriving !== undefined, 'what was merged in part was on its way')
      return { ...arriving, ranges: rangesNamed(shell.formatOf(event.study), chunks) ?? [] }
    })
    const self = this.#simulation.identities.members[node] as MemberId
    const again = weightsDigest(mergeInParts(this.#rule, inputs, partial, self).weights)
    this.merges.that(again === event.result, node, () => {
      return `round ${event.round} of ${inputs.length} inputs gave ${event.result.slice(0, 8)}, recomputed ${again.slice(0, 8)}`
    })
  }
}

/** What must hold in every crowd: checked while it runs, by other code than what is checked. */

import type { Rounds } from '../../src/gossip/rounds.ts'
import type { Fleet } from '../../src/learn/kernels/fleet.ts'
import type { MergeRule } from '../../src/learn/merge/rule.ts'
import { mergeUpdates } from '../../src/learn/merge/rule.ts'
import { Check } from '../checkers/check.ts'
import type { Clock } from '../clock.ts'
import type { Crowd } from './crowd.ts'
import { authorOf, travelling } from './merger.ts'
import type { Slot, Update } from './update.ts'

// primes, so that every node and every round has its turn; a recomputation costs some fifty merges
const MERGES_EVERY = { few: 61, many: 1_009 } as const
const MANY_NODES = 10_000

export class CrowdChecks {
  readonly merges: Check
  readonly members: Check
  readonly memory: Check
  readonly converged: Check
  readonly #fleet: Fleet
  readonly #rule: MergeRule & { readonly ageRoundsMax: number }
  readonly #sharedHeads: boolean
  readonly #mergesEvery: number
  #seen = 0
  #calm: Uint32Array | null = null

  constructor(clock: Clock, fleet: Fleet, rule: MergeRule & { readonly ageRoundsMax: number }, sharedHeads: boolean) {
    this.#sharedHeads = sharedHeads
    this.merges = new Check('a merge equals its recomputation from its inputs', clock)
    this.members = new Check('nothing is accepted from who is no member', clock)
    this.memory = new Check('every model in memory belongs to somebody', clock)
    this.converged = new Check('once faults stop, every node merges what others publish', clock)
    this.#fleet = fleet
    this.#mergesEvery = fleet.nodes > MANY_NODES ? MERGES_EVERY.many : MERGES_EVERY.few
    this.#rule = rule
  }

  get all(): readonly Check[] {
    return [this.merges, this.members, this.memory, this.converged]
  }

  /** Some of the merges are done again by the product's own function over copies of the weights; bytes must be equal. */
  merged(node: number, rounds: Rounds<number, Slot>, result: Slot): void {
    if (this.#seen++ % this.#mergesEvery > 0) return
    const inputs = rounds.inputs.map(({ author, examples, ageRounds, digest }) => ({
      author: authorOf(author),
      examples,
      ageRounds,
      weights: travelling(this.#fleet, digest, this.#sharedHeads),
    }))
    const again = mergeUpdates(this.#rule, inputs, authorOf(node)).weights
    const shared = travelling(this.#fleet, result, this.#sharedHeads)
    const at = again.findIndex((value, i) => !Object.is(value, shared[i]))
    this.merges.that(at < 0, node, () => {
      return `round ${rounds.round}: weight ${at} of ${inputs.length} inputs is ${shared[at]}, recomputed ${again[at]}`
    })
    const own = inputs.filter(({ author }) => author === authorOf(node))
    this.merges.that(
      own.length === 1 && inputs.every((one, i) => i === 0 || (inputs[i - 1]?.author ?? '') < one.author),
      node,
      () => {
        return `round ${rounds.round}: inputs by ${inputs.map(({ author }) => Number(author)).join(', ')}: each member once, the own one too`
      },
    )
  }

  accepted(to: number, update: Update, nodes: number): void {
    const sound = update.author >= 0 && update.author < nodes && update.author !== to && update.facts.signatureValid
    if (sound) this.members.held()
    else this.members.that(false, to, () => `accepted an update of round ${update.round} by ${update.author}`)
  }

  /** Models in memory against those that somebody needs: the bases, what is held, and what is on its way. */
  memoryFlat(needed: number): void {
    const { slotsUsed: used } = this.#fleet
    this.memory.that(
      used <= needed,
      null,
      () => `${used} models are in memory, ${needed} are bases, held or on their way`,
    )
  }

  /** Faults have stopped: from here on it is counted who merges what others publish. */
  calm(crowd: Crowd, nodes: number): void {
    this.#calm = Uint32Array.from({ length: nodes }, (_, node) => crowd.togetherOf(node))
  }

  /** Everybody who goes on has merged somebody else's update since; where nobody but it goes on, nothing is published any more. */
  converge(crowd: Crowd, nodes: number): void {
    const calm = this.#calm
    if (calm === null) return
    const going: number[] = []
    for (let node = 0; node < nodes; node++) if (crowd.roundsOf(node)?.phase !== 'ended') going.push(node)
    if (2 * going.length < nodes) return
    for (const node of going) {
      const round = crowd.roundsOf(node)?.round
      this.converged.that(crowd.isUp(node), node, () => 'is down, though faults have stopped')
      const merged = crowd.togetherOf(node) - (calm[node] as number)
      this.converged.that(merged > 0, node, () => `in round ${round} it has merged nobody else's update since`)
    }
  }
}

/** What one node of a crowd saw and decided, told line by line. */
import type { Rounds } from '../../src/gossip/rounds.ts'
import type { Clock } from '../clock.ts'
import type { ExplainLine, SimulateOptions } from '../options.ts'
import type { Crowd } from './crowd.ts'
import type { Slot, Update } from './update.ts'

export class Narrator {
  readonly #clock: Clock
  readonly #node: number
  readonly #say: (line: ExplainLine) => void

  constructor(clock: Clock, node: number, say: (line: ExplainLine) => void) {
    this.#clock = clock
    this.#node = node
    this.#say = say
  }

  /** Null where nobody wants to hear it. */
  static of(clock: Clock, { explainNode, onExplain }: SimulateOptions): Narrator | null {
    return explainNode === undefined || onExplain === undefined ? null : new Narrator(clock, explainNode, onExplain)
  }

  up(node: number, kept: { readonly round: number } | undefined, lost: boolean): void {
    if (node !== this.#node) return
    if (kept === undefined) this.#tell('comes up for the first time and begins with the first weights')
    else if (lost)
      this.#tell(`comes up with an empty disk and begins again with the first weights, in round ${kept.round}`)
    else this.#tell(`comes up and goes on in round ${kept.round} with what its disk kept`)
  }

  down(node: number): void {
    if (node === this.#node) this.#tell('goes down: what it held of others is gone')
  }

  heard(to: number, update: Update, reason: string | null): void {
    if (to === this.#node) {
      const said = `hears the update of node ${update.author}, round ${update.round}`
      this.#tell(reason === null ? `${said}: takes it, in place of any older one` : `${said}: refuses it, ${reason}`)
    } else if (update.sender === this.#node) {
      const what = reason === null ? 'took' : `refused (${reason})`
      this.#tell(`node ${to} ${what} its update of round ${update.round}`)
    }
  }

  merged(node: number, { round, inputs }: Rounds<number, Slot>, digest: number, shares: ArrayLike<number>): void {
    if (node !== this.#node) return
    const parts = inputs.map((input, i) => {
      const whose =
        input.author === node ? 'its own' : `node ${input.author}, round ${input.round}, age ${input.ageRounds}`
      return `${whose} × ${(shares[i] as number).toFixed(3)}`
    })
    this.#tell(`has trained round ${round}, published it, and merges ${inputs.length}: ${parts.join('; ')}`)
    this.#tell(`its model is now ${digest.toString(16).padStart(14, '0')}`)
  }

  end(crowd: Crowd): void {
    const rounds = crowd.roundsOf(this.#node)
    this.#tell(rounds === null ? 'is down at the end' : `is in round ${rounds.round} at the end, phase ${rounds.phase}`)
  }

  #tell(text: string): void {
    this.#say({ seconds: this.#clock.elapsedMs / 1000, event: this.#clock.events, text })
  }
}

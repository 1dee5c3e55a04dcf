/** Messages that have arrived and are not looked at yet: one list for each node, in the order of arrival. */

const NONE = -1
const WAITING_MAX = 16 // of one node: more are looked at as they come, so that who trains for long keeps no more weights than others

/**
 * What a node hears changes nothing before it merges, so that it may as well be judged then, when all that the node knows is in the cache
 * anyway: a third of the time of a hundred thousand nodes was waiting for memory on each arrival.
 */
export class Inboxes {
  /** Of each node: first, last, how many, and nothing. */
  readonly #lists: Int32Array
  /** Of each place: the message's number, and the next place. */
  #places = new Int32Array(2 * 1_024)
  #free = NONE
  #used = 0

  constructor(nodes: number) {
    this.#lists = new Int32Array(4 * nodes)
    for (let node = 0; node < nodes; node++) this.#lists[4 * node] = NONE
  }

  /** Returns false where the node has as many already that it should look at them. */
  add(node: number, message: number): boolean {
    const lists = this.#lists
    const place = this.#take()
    this.#places[2 * place] = message
    this.#places[2 * place + 1] = NONE
    const at = 4 * node
    if (lists[at] === NONE) lists[at] = place
    else this.#places[2 * (lists[at + 1] as number) + 1] = place
    lists[at + 1] = place
    lists[at + 2] = (lists[at + 2] as number) + 1
    return (lists[at + 2] as number) < WAITING_MAX
  }

  /** The oldest message of `node`, which is taken out; −1 where there is none. */
  next(node: number): number {
    const lists = this.#lists
    const at = 4 * node
    const place = lists[at] as number
    if (place === NONE) return NONE
    const message = this.#places[2 * place] as number
    lists[at] = this.#places[2 * place + 1] as number
    lists[at + 2] = (lists[at + 2] as number) - 1
    this.#places[2 * place + 1] = this.#free
    this.#free = place
    return message
  }

  #take(): number {
    const free = this.#free
    if (free !== NONE) {
      this.#free = this.#places[2 * free + 1] as number
      return free
    }
    if (2 * this.#used === this.#places.length) {
      const wider = new Int32Array(2 * this.#places.length)
      wider.set(this.#places)
      this.#places = wider
    }
    return this.#used++
  }
}

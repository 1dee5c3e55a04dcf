/** How often the merges of others set a member's updates aside. */
import type { MemberId } from '../../src/core/ids.ts'
import type { Step } from './trace.ts'

export class Asides {
  readonly #known: Uint32Array
  readonly #aside: Uint32Array

  constructor(nodes: number) {
    this.#known = new Uint32Array(nodes)
    this.#aside = new Uint32Array(nodes)
  }

  step({ node, event, actions }: Step, members: readonly MemberId[]): void {
    for (const action of actions)
      if (action.type === 'merge')
        for (const { author } of action.inputs) if (author !== members[node]) add(this.#known, members.indexOf(author))
    if (event.type === 'merged') for (const { author } of event.aside) add(this.#aside, members.indexOf(author))
  }

  /** Of the merges that knew of an update of it; null where none did. */
  shareOf(node: number): number | null {
    const known = this.#known[node] as number
    return known === 0 ? null : (this.#aside[node] as number) / known
  }
}

function add(counts: Uint32Array, node: number): void {
  counts[node] = (counts[node] as number) + 1
}

/** Rounds in step: everybody trains, sends its model to some others, and takes the mean of what came and its own. Only whom to send to differs. */
import type { Rng } from '../../src/core/rng.ts'
import { type Links, linksOf } from '../world/links.ts'
import { randomRegular } from '../world/randomRegular.ts'
import type { Arm, Trial } from './frame.ts'

/** Whom each node sends to in one round, itself left out. */
export type Receivers = readonly (readonly number[])[]

/**
 * Each round every node that is up trains, sends its trained model to its receivers, and then takes the uniform mean of its own and what
 * arrived. What is sent to a node that is off is lost with the message.
 */
export function trainAndMix(trial: Trial, receiversOf: (round: number) => Receivers): Arm {
  const { fleet, options } = trial
  const [models, trained] = [trial.start(), trial.start()]
  const presence = trial.presence()
  trial.measure(0, models)
  for (let round = 1; round <= options.rounds; round++) {
    const up = presence.next().value
    const here = new Set(up)
    const receivers = receiversOf(round)
    const arrived = models.map((): number[] => [])
    for (const node of up) {
      trial.train(node, models[node] as number, trained[node] as number, round)
      for (const to of receivers[node] as readonly number[])
        if (trial.send(trial.parameters) && here.has(to)) (arrived[to] as number[]).push(node)
    }
    for (const node of up) {
      const authors = [...(arrived[node] as readonly number[]), node].sort((a, b) => a - b)
      const slots = authors.map((author) => trained[author] as number)
      const shares = authors.map(() => 1 / authors.length)
      fleet.merge(models[node] as number, trained[node] as number, slots, shares, slots.length)
    }
    trial.measure(round, models)
  }
  return trial.end()
}

/** Every node draws `count` different others for itself, all alike (Floyd's sampling: Bentley and Floyd 1987). */
export function toRandom(nodes: number, count: number, rng: Rng): Receivers {
  const wanted = Math.min(count, nodes - 1)
  return Array.from({ length: nodes }, (_, node) => {
    const chosen = new Set<number>()
    for (let j = nodes - 1 - wanted; j < nodes - 1; j++) {
      const drawn = rng.below(j + 1)
      chosen.add(chosen.has(drawn) ? j : drawn)
    }
    return [...chosen].map((other) => (other < node ? other : other + 1)).sort((a, b) => a - b)
  })
}

/**
 * A random graph in which everybody has `degree` links, both ways; one more where no such graph exists, for nodes and degree are odd, and all
 * others where there are no more than that.
 */
export function toRegular(nodes: number, degree: number, rng: Rng): Receivers {
  const even = (nodes * degree) % 2 === 0 ? degree : degree + 1
  if (even >= nodes - 1) return toCells(nodes, nodes, rng)
  const links: Links = linksOf(nodes, randomRegular(nodes, even, rng), null)
  return Array.from({ length: nodes }, (_, node) => [...links.to.subarray(links.from[node], links.from[node + 1])])
}

/** All nodes dealt at random into as few cells of at most `size` as there can be, equal to one; everybody sends to all others in its cell. */
export function toCells(nodes: number, size: number, rng: Rng): Receivers {
  const order = rng.shuffle(Uint32Array.from({ length: nodes }, (_, node) => node))
  const cells = Math.ceil(nodes / size)
  const receivers: number[][] = Array.from({ length: nodes }, () => [])
  for (let cell = 0; cell < cells; cell++) {
    const members = [...order.subarray(Math.floor((cell * nodes) / cells), Math.floor(((cell + 1) * nodes) / cells))]
    for (const node of members) receivers[node] = members.filter((other) => other !== node).sort((a, b) => a - b)
  }
  return receivers
}

/** What parts are worth: against every order there is, where there are few. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Rng } from '../../src/core/rng.ts'
import { type Game, leaveOneOut, truncatedShapley } from '../../src/learn/marginal.ts'

const it = suite('marginal values')
const near = (found: readonly number[], expected: readonly number[], within: number): void => {
  for (const [i, value] of found.entries())
    assert.ok(Math.abs(value - (expected[i] as number)) <= within, `${i}: ${value}, expected ${expected[i]}`)
}

/** A glove game (Shapley 1959): left hands 0 and 1, right hands 2 and 3 of which 3 has a second glove; with a little for each. */
function gloves(): Game & { asked: number } {
  const game = {
    players: 4,
    asked: 0,
    utility: async (subset: readonly number[]) => {
      game.asked++
      const left = subset.filter((player) => player < 2).length
      const right = subset.reduce((sum, player) => sum + (player === 2 ? 1 : player === 3 ? 2 : 0), 0)
      return Math.min(left, right) + 0.01 * subset.length
    },
  }
  return game
}

/** Every order of `items`. */
function orders(items: readonly number[]): number[][] {
  if (items.length < 2) return [[...items]]
  return items.flatMap((first) => orders(items.filter((one) => one !== first)).map((rest) => [first, ...rest]))
}

async function enumerated({ players, utility }: Game): Promise<number[]> {
  const all = orders(Array.from({ length: players }, (_, player) => player))
  const sums = new Array<number>(players).fill(0)
  for (const order of all) {
    let before = await utility([])
    for (const [i, player] of order.entries()) {
      const after = await utility(order.slice(0, i + 1).sort((a, b) => a - b))
      sums[player] = (sums[player] as number) + after - before
      before = after
    }
  }
  return sums.map((sum) => sum / all.length)
}

it('of four players the estimate is near the average over all 24 orders, and its sum is what all are worth', async () => {
  const exact = await enumerated(gloves())
  const found = await truncatedShapley(gloves(), { permutations: 2_000, tolerance: 0, rng: Rng.from('gloves') })
  near(found, exact, 0.03)
  near([found.reduce((sum, value) => sum + value, 0)], [2.04], 1e-9)
  near([exact.reduce((sum, value) => sum + value, 0)], [2.04], 1e-9)
})

it('players who are worth the same in every company come out alike, and who adds nothing is worth nothing', async () => {
  const game: Game = {
    players: 3,
    utility: async (subset) => (subset.includes(0) ? 1 : 0) + (subset.includes(1) ? 1 : 0),
  }
  const found = await truncatedShapley(game, { permutations: 50, tolerance: 0, rng: Rng.from('alike') })
  near(found, [1, 1, 0], 1e-12)
})

it('an order is cut off where what is left adds next to nothing: less work, and no value off by more than the tolerance', async () => {
  const worth = [1, 0.5, ...new Array<number>(8).fill(0.001)]
  const run = async (tolerance: number) => {
    let asked = 0
    const utility = async (subset: readonly number[]): Promise<number> => {
      asked++
      return subset.reduce((sum, player) => sum + (worth[player] as number), 0)
    }
    const how = { permutations: 20, tolerance, rng: Rng.from('cut') }
    return { values: await truncatedShapley({ players: worth.length, utility }, how), asked: () => asked }
  }
  const [whole, cut] = [await run(0), await run(0.01)]
  near(cut.values, worth, 0.01)
  near(whole.values, worth, 1e-9)
  assert.ok(cut.asked() < 0.8 * whole.asked(), `${cut.asked()} of ${whole.asked()}`)
})

it('the same seed gives the same values, and a subset is asked for once', async () => {
  const run = (game: Game) => truncatedShapley(game, { permutations: 100, tolerance: 0, rng: Rng.from('seed', 7) })
  const game = gloves()
  assert.equal(await run(game), await run(gloves()))
  assert.ok(game.asked <= 16)
})

it('left out, a player is worth what the others lose', async () => {
  near(await leaveOneOut(gloves()), [1.01, 1.01, 0.01, 1.01], 1e-12)
})

it.run()

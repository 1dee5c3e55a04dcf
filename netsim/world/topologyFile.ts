/** Links from a text file: one a line, `a b` or `a b latencyMs`, nodes counted from 0; `#` begins a comment. */
import { fault } from './fault.ts'
import { linesOf, type ScenarioFiles } from './files.ts'
import { Pairs } from './links.ts'
import { PairSet } from './pairSet.ts'

const NUMBER = /^\d+(?:\.\d+)?$/
const LATENCY_MAX_MS = 86_400_000 // a day, as everywhere in a scenario

/** The file's links, with NaN as latency where a line gives none; null where no line does. Errors: `scenario-topology`, `scenario-file`. */
export function linksFromFile(
  file: string,
  nodes: number,
  files: ScenarioFiles,
): { readonly pairs: Pairs; readonly latencyMs: Float32Array | null } {
  const pairs = new Pairs(nodes)
  const seen = new PairSet(nodes, nodes)
  const latencies: number[] = []
  let given = false
  for (const { text, line } of linesOf(files, file)) {
    const wrong = (message: string) => fault('topology', `${file}: line ${line}: ${message}`)
    const words = text.split(/\s+/)
    if (words.length < 2 || words.length > 3 || !words.every((word) => NUMBER.test(word)))
      throw wrong(
        `${JSON.stringify(text.slice(0, 60))} was given, two nodes and at most a latency in milliseconds are allowed: a b 12.5`,
      )
    const [a, b, latency] = words.map(Number) as [number, number, number?]
    for (const node of [a, b]) {
      if (!Number.isInteger(node) || node >= nodes)
        throw wrong(`node ${node} was given, 0 to ${nodes - 1} is allowed for ${nodes} nodes`)
    }
    if (a === b) throw wrong(`node ${a} is linked to itself: leave the line out`)
    if (latency !== undefined && latency > LATENCY_MAX_MS)
      throw wrong(`${latency} ms was given, at most ${LATENCY_MAX_MS} is allowed`)
    if (!seen.add(a, b)) throw wrong(`${a} and ${b} are linked already, links are mutual: leave the line out`)
    pairs.add(a, b)
    latencies.push(latency ?? Number.NaN)
    given ||= latency !== undefined
  }
  if (pairs.count === 0) throw fault('topology', `${file}: no link was found: write one a line, as two node numbers`)
  return { pairs, latencyMs: given ? Float32Array.from(latencies) : null }
}

/** Availability from a file: CSV with the header `node,upSeconds,downSeconds`, each line a time in which that node is up. */
import { fault } from './fault.ts'
import { linesOf, type ScenarioFiles } from './files.ts'
import type { Availability } from './world.ts'

const HEADER = 'node,upSeconds,downSeconds'
const NUMBER = /^\d+(?:\.\d+)?$/
const SECONDS_MAX = 31_536_000 // a year, as everywhere in a scenario

interface Interval {
  readonly node: number
  readonly upMs: number
  readonly downMs: number
  readonly line: number
}

/**
 * The trace in `file`. Lines come in any order; a node's times may touch, not overlap. A node without a line is never up; after its last
 * line a node stays down. Errors: `scenario-availability`, `scenario-file`.
 */
export function traced(file: string, nodes: number, files: ScenarioFiles): Availability {
  const intervals = intervalsOf(file, nodes, files).sort((a, b) => a.node - b.node || a.upMs - b.upMs)
  const from = new Uint32Array(nodes + 1)
  const times = new Float64Array(2 * intervals.length)
  let used = 0
  for (const [i, { node, upMs, downMs, line }] of intervals.entries()) {
    const before = intervals[i - 1]
    const begun = before?.node === node
    if (begun && upMs < before.downMs) {
      const [early, late] = before.line < line ? [before.line, line] : [line, before.line]
      throw fault('availability', `${file}: line ${late}: it overlaps line ${early}: node ${node} is up already`)
    }
    if (begun && upMs === before.downMs)
      used-- // up again at once is not down at all
    else times[used++] = upMs
    times[used++] = downMs
    from[node + 1] = used
  }
  for (let node = 0; node < nodes; node++) from[node + 1] = Math.max(from[node + 1] as number, from[node] as number)
  /** Index of the first change of `node` after `nowMs`. */
  const nextAt = (node: number, nowMs: number): number => {
    let at = from[node] as number
    let end = from[node + 1] as number
    while (at < end) {
      const middle = (at + end) >>> 1
      if ((times[middle] as number) > nowMs) end = middle
      else at = middle + 1
    }
    return at
  }
  const goesUp = (node: number, at: number): boolean => (at - (from[node] as number)) % 2 === 0
  return {
    initially: (node) => !goesUp(node, nextAt(node, 0)),
    nextChangeMs: (node, nowMs, up) => {
      let at = nextAt(node, nowMs)
      if (goesUp(node, at) === up) at++
      return at < (from[node + 1] as number) ? (times[at] as number) : null
    },
  }
}

function intervalsOf(file: string, nodes: number, files: ScenarioFiles): Interval[] {
  const intervals: Interval[] = []
  let header = false
  for (const { text, line } of linesOf(files, file)) {
    const wrong = (message: string) => fault('availability', `${file}: line ${line}: ${message}`)
    if (!header) {
      if (text.replaceAll(' ', '') !== HEADER)
        throw wrong(`${quoted(text)} was given, the header ${HEADER} is expected`)
      header = true
      continue
    }
    const cells = text.split(',').map((cell) => cell.trim())
    if (cells.length !== 3 || !cells.every((cell) => NUMBER.test(cell)))
      throw wrong(`${quoted(text)} was given, three numbers are allowed: ${HEADER}`)
    const [node, up, down] = cells.map(Number) as [number, number, number]
    if (!Number.isInteger(node) || node >= nodes)
      throw wrong(`node ${node} was given, 0 to ${nodes - 1} is allowed for ${nodes} nodes`)
    const [upMs, downMs] = [Math.round(up * 1000), Math.round(down * 1000)]
    if (downMs <= upMs || down > SECONDS_MAX)
      throw wrong(`up at ${up} and down at ${down} was given, down must come later, by ${SECONDS_MAX} seconds at most`)
    intervals.push({ node, upMs, downMs, line })
  }
  if (intervals.length === 0)
    throw fault('availability', `${file}: no interval was found: write ${HEADER}, then one a line`)
  return intervals
}

const quoted = (text: string): string => JSON.stringify(text.slice(0, 60))

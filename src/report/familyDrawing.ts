/** A model's family tree as a drawing: SVG that stands alone, without script or requests, and the language of Graphviz. */
import type { FamilyReport } from './family.ts'
import { esc } from './html.ts'

const ROW = 64 // height of a hospital's row
const LEFT = 330 // what its name and tables take
const STEP = 84 // from round to round
const COLUMNS_MAX = 12 // what a page is wide
const TOP = 74
const TABLES_SHOWN = 2
const NAME_CHARACTERS = 30

const STYLE = `svg{background:#fff}text{font:12px system-ui,sans-serif;fill:#1b2430}.soft{fill:#5b6776;font-size:11px}.title{font-size:15px;font-weight:600}
.edge{fill:none;stroke:#1765ad}.own{fill:none;stroke:#8a94a3}.line{stroke:#dfe3e8}.update{fill:#fff;stroke:#1765ad;stroke-width:1.5}.merge{fill:#1765ad}.it{fill:#c65d00}.gone{fill:#b3261e}
@media (prefers-color-scheme:dark){svg{background:#12161c}text{fill:#e6eaf0}.soft{fill:#9aa6b4}.edge{stroke:#63aef0}.line{stroke:#2d3641}.update{fill:#12161c;stroke:#63aef0}.merge{fill:#63aef0}}`

interface Point {
  readonly x: number
  readonly y: number
}

/** Where things stand: a hospital's row, and from right to left its own rounds, for their numbers differ from hospital to hospital. */
class Grid {
  readonly #rows = new Map<string, { readonly row: number; last: number }>()
  readonly columns: number

  constructor({ hospitals, recent, round, by }: FamilyReport) {
    for (const [row, { name }] of hospitals.entries()) this.#rows.set(name, { row, last: 0 })
    const told = recent.flatMap(({ name, round, inputs }) => [{ name, round }, ...inputs])
    for (const one of [{ name: by, round }, ...told]) {
      const found = this.#rows.get(one.name)
      if (found !== undefined) found.last = Math.max(found.last, one.round)
    }
    const spans = told.map((one) => (this.#rows.get(one.name)?.last ?? one.round) - one.round + 1)
    this.columns = Math.min(COLUMNS_MAX, Math.max(1, ...spans))
  }

  /** Null where there is no room. */
  update(name: string, round: number): Point | null {
    const found = this.#rows.get(name)
    const column = found === undefined ? -1 : this.columns - 1 - (found.last - round)
    if (found === undefined || column < 0) return null
    return { x: LEFT + column * STEP + 14, y: TOP + found.row * ROW + ROW / 2 }
  }

  merge(name: string, round: number): Point | null {
    const found = this.update(name, round)
    return found && { x: found.x + STEP / 2, y: found.y }
  }
}

/** The hospitals one below the other with their tables; their last rounds from left to right; an edge is as wide as its coefficient. */
export function familySvg(report: FamilyReport): string {
  const { hospitals, model, making, by, round, studyName, merges } = report
  const grid = new Grid(report)
  const width = LEFT + grid.columns * STEP + 30
  const height = TOP + hospitals.length * ROW + 46
  const title = `${model.slice(0, 12)}, ${making} by ${by} in round ${round} of "${studyName}"`
  return `<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${esc(`Family tree of model ${title}`)}">
<style>${STYLE}</style>
<text class="title" x="14" y="26">${esc(title)}</text>
<text class="soft" x="14" y="44">as declared by the hospitals in their logs; ${merges} merges in all, the last rounds are drawn</text>
<text class="soft" x="14" y="60">numbers are rounds; an edge is as wide as its coefficient</text>
${hospitals.map((hospital, i) => rowOf(hospital, i, width)).join('\n')}
${[...baseLines(report, grid), ...inputEdges(report, grid), ...updateDots(report, grid), ...mergeDots(report, grid)].join('\n')}
${LEGEND.map(([look, words], i) => `<circle class="${look}" cx="${20 + i * 90}" cy="${height - 18}" r="5"/><text class="soft" x="${30 + i * 90}" y="${height - 14}">${words}</text>`).join('')}
</svg>
`
}

const LEGEND = [
  ['update', 'update'],
  ['merge', 'merge'],
  ['it', 'the model'],
  ['gone', 'taken back'],
] as const

/** From a merge to what was trained on it. */
function baseLines({ recent }: FamilyReport, grid: Grid): string[] {
  return recent.flatMap(({ name, round }) => {
    const [from, to] = [grid.merge(name, round), grid.update(name, round + 1)]
    return from === null || to === null ? [] : [`<path class="own" d="M${from.x} ${from.y}L${to.x} ${to.y}"/>`]
  })
}

function inputEdges({ recent }: FamilyReport, grid: Grid): string[] {
  return recent.flatMap((merge) =>
    merge.inputs.flatMap(({ name, round, coefficient }) => {
      const [from, to] = [grid.update(name, round), grid.merge(merge.name, merge.round)]
      if (from === null || to === null) return []
      const middle = (from.x + to.x) / 2
      const path = `M${from.x} ${from.y}C${middle} ${from.y} ${middle} ${to.y} ${to.x} ${to.y}`
      const title = esc(`${name}, round ${round} × ${coefficient.toFixed(3)}`)
      return [
        `<path class="edge" d="${path}" stroke-width="${(0.6 + coefficient * 5).toFixed(2)}" opacity="0.55"><title>${title}</title></path>`,
      ]
    }),
  )
}

function updateDots({ recent, withdrawn }: FamilyReport, grid: Grid): string[] {
  const updates = new Map(
    recent.flatMap(({ inputs }) => inputs.map((one) => [`${one.name} ${one.update}`, one] as const)),
  )
  return [...updates.values()].flatMap(({ name, round, update }) => {
    const isGone = withdrawn.some((one) => one.of === name && one.model === update)
    const title = `update ${update.slice(0, 12)} of ${name}, round ${round}`
    return dot(grid.update(name, round), isGone ? 'gone' : 'update', title, String(round))
  })
}

function mergeDots({ recent, withdrawn, model, by }: FamilyReport, grid: Grid): string[] {
  return recent.flatMap(({ name, round, model: result, entry, rule }) => {
    const isGone = withdrawn.some((one) => one.of === name && one.model === result)
    const look = isGone ? 'gone' : result === model && name === by ? 'it' : 'merge'
    return dot(
      grid.merge(name, round),
      look,
      `model ${result.slice(0, 12)}: ${rule} by ${name}, round ${round} (${entry})`,
    )
  })
}

function rowOf({ name, share, tables }: FamilyReport['hospitals'][number], i: number, width: number): string {
  const y = TOP + i * ROW
  const lines = tables.slice(-TABLES_SHOWN).map(({ commitment, version, registration, rounds }) => {
    const which =
      registration === null
        ? `table ${commitment.slice(0, 8)}, ${version === null ? 'not registered' : 'registration not here'}`
        : `dataset ${registration.dataset.slice(0, 8)} version ${registration.number ?? version?.slice(0, 8)}`
    return `${which}: rounds ${rounds.first} to ${rounds.last}`
  })
  const older = tables.length - lines.length
  const texts = lines.map((line, k) => {
    return `<text class="soft" x="14" y="${y + 38 + k * 15}">${esc(line)}${older > 0 && k === 0 ? `, ${older} older` : ''}</text>`
  })
  const shown = name.length > NAME_CHARACTERS ? `${name.slice(0, NAME_CHARACTERS - 1)}…` : name
  return `<line class="line" x1="0" x2="${width}" y1="${y}" y2="${y}"/><text x="14" y="${y + 21}">${esc(shown)} · ${(share * 100).toFixed(1)} %</text>${texts.join('')}`
}

function dot(at: Point | null, look: string, title: string, label = ''): string[] {
  if (at === null) return []
  const { x, y } = at
  const text = label === '' ? '' : `<text class="soft" x="${x}" y="${y - 10}" text-anchor="middle">${label}</text>`
  return [
    `${text}<circle class="${look}" cx="${x}" cy="${y}" r="${look === 'update' ? 5 : 6}"><title>${esc(title)}</title></circle>`,
  ]
}

/** A graph for `dot`: datasets, hospitals, updates of the last rounds, merges. */
export function familyDot(report: FamilyReport): string {
  const { hospitals, recent, agreements, model, by, round, studyName } = report
  const lines = [
    'digraph family {',
    '  rankdir=LR; node [shape=box, fontname="sans-serif"];',
    `  label=${text(`model ${model.slice(0, 12)} of ${by}, round ${round} of "${studyName}"; as declared by the hospitals`)};`,
    ...hospitals.map(
      ({ name, share }) => `  ${text(`hospital ${name}`)} [label=${text(`${name} · ${(share * 100).toFixed(1)} %`)}];`,
    ),
    ...hospitals.flatMap(({ name, tables }) =>
      tables.flatMap(({ commitment, version, registration, rounds }) => {
        const id = text(`table ${commitment}`)
        const label =
          registration === null
            ? `table ${commitment.slice(0, 12)}, ${version === null ? 'not registered' : 'registration not here'}`
            : `dataset ${registration.dataset.slice(0, 12)} version ${registration.number ?? version?.slice(0, 12)}`
        const edge = `rounds ${rounds.first} to ${rounds.last}`
        return [
          `  ${id} [shape=cylinder, label=${text(label)}];`,
          `  ${id} -> ${text(`hospital ${name}`)} [label=${text(edge)}];`,
        ]
      }),
    ),
    ...agreements.map(
      ({ kind, entry }) => `  ${text(`agreement ${entry}`)} [shape=note, label=${text(`${kind} ${entry}`)}];`,
    ),
    ...recent.flatMap((merge) => {
      const id = text(`model ${merge.name} ${merge.model}`)
      const label = `${merge.model.slice(0, 12)}\n${merge.name}, round ${merge.round}`
      return [
        `  ${id} [shape=ellipse, label=${text(label)}];`,
        ...merge.inputs.flatMap(({ name, round, update, coefficient }) => [
          `  ${text(`hospital ${name}`)} -> ${text(`update ${name} ${update}`)};`,
          `  ${text(`update ${name} ${update}`)} [shape=plain, label=${text(`${update.slice(0, 12)}, round ${round}`)}];`,
          `  ${text(`update ${name} ${update}`)} -> ${id} [label="${coefficient.toFixed(3)}"];`,
        ]),
      ]
    }),
    '}',
  ]
  return `${[...new Set(lines)].join('\n')}\n`
}

/** A name is a hospital's own text. */
const text = (given: string): string =>
  `"${given.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`

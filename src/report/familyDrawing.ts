/** A model's family tree as a drawing: SVG that stands alone, without script or requests, and the language of Graphviz. */
import type { FamilyReport } from './family.ts'
import { esc } from './html.ts'

const ROW = 64 // height of a hospital's row
const LEFT = 330 // what its name and tables take
const STEP = 84 // from round to round
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

/** The hospitals one below the other with their tables; the last rounds from left to right; an edge is as wide as its coefficient. */
export function familySvg(report: FamilyReport): string {
  const { hospitals, recent, model, making, by, round, studyName, withdrawn } = report
  const names = hospitals.map(({ name }) => name)
  const rounds = [...new Set(recent.flatMap((merge) => [merge.round, ...merge.inputs.map((one) => one.round)]))]
  const [first, last] = [Math.min(round, ...rounds), Math.max(round, ...rounds)]
  const width = LEFT + (last - first + 1) * STEP + 30
  const height = TOP + names.length * ROW + 46
  const updateAt = (name: string, of: number): Point => {
    return { x: LEFT + (of - first) * STEP + 14, y: TOP + names.indexOf(name) * ROW + ROW / 2 }
  }
  const mergeAt = (name: string, of: number): Point => {
    const { x, y } = updateAt(name, of)
    return { x: x + STEP / 2, y }
  }
  const shown = recent.filter(({ name }) => names.includes(name))
  const taken = new Set(withdrawn.map((one) => `${one.of} ${one.model}`))
  const edges = shown.flatMap((merge) =>
    merge.inputs
      .filter(({ name }) => names.includes(name))
      .map(({ name, round, coefficient }) =>
        edge(
          updateAt(name, round),
          mergeAt(merge.name, merge.round),
          coefficient,
          `${name} × ${coefficient.toFixed(3)}`,
        ),
      ),
  )
  const bases = shown
    .filter(({ round }) => round < last)
    .map(({ name, round }) => {
      const [from, to] = [mergeAt(name, round), updateAt(name, round + 1)]
      return `<path class="own" d="M${from.x} ${from.y}L${to.x} ${to.y}"/>`
    })
  const updates = new Map(
    shown.flatMap(({ inputs }) => inputs.map((one) => [`${one.name} ${one.update}`, one] as const)),
  )
  const dots = [...updates]
    .filter(([, { name }]) => names.includes(name))
    .map(([key, { name, round, update }]) =>
      dot(
        updateAt(name, round),
        taken.has(key) ? 'gone' : 'update',
        `update ${update.slice(0, 12)} of ${name}, round ${round}`,
      ),
    )
  const merges = shown.map(({ name, round, model: result, entry, rule }) => {
    const isIt = result === model && name === by
    const look = taken.has(`${name} ${result}`) ? 'gone' : isIt ? 'it' : 'merge'
    return dot(
      mergeAt(name, round),
      look,
      `model ${result.slice(0, 12)}: ${rule} by ${name}, round ${round} (${entry})`,
    )
  })
  const title = `${model.slice(0, 12)}, ${making} by ${by} in round ${round} of "${studyName}"`
  return `<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${esc(`Family tree of model ${title}`)}">
<style>${STYLE}</style>
<text class="title" x="14" y="26">${esc(title)}</text>
<text class="soft" x="14" y="44">as declared by the hospitals in their logs; ${report.merges} merges in all, those of the last rounds are drawn; an edge is as wide as its coefficient</text>
${roundLabels(first, last)}
${hospitals.map((hospital, i) => rowOf(hospital, i, width)).join('\n')}
${[...bases, ...edges, ...dots, ...merges].join('\n')}
<circle class="update" cx="20" cy="${height - 18}" r="5"/><text class="soft" x="30" y="${height - 14}">update</text><circle class="merge" cx="90" cy="${height - 18}" r="6"/><text class="soft" x="102" y="${height - 14}">merge</text><circle class="it" cx="160" cy="${height - 18}" r="6"/><text class="soft" x="172" y="${height - 14}">the model</text><circle class="gone" cx="250" cy="${height - 18}" r="6"/><text class="soft" x="262" y="${height - 14}">taken back</text>
</svg>
`
}

function roundLabels(first: number, last: number): string {
  return Array.from({ length: last - first + 1 }, (_, i) => {
    return `<text class="soft" x="${LEFT + i * STEP + 14}" y="${TOP - 6}" text-anchor="middle">round ${first + i}</text>`
  }).join('')
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

function edge(from: Point, to: Point, coefficient: number, title: string): string {
  const middle = (from.x + to.x) / 2
  const path = `M${from.x} ${from.y}C${middle} ${from.y} ${middle} ${to.y} ${to.x} ${to.y}`
  return `<path class="edge" d="${path}" stroke-width="${(0.6 + coefficient * 5).toFixed(2)}" opacity="0.55"><title>${esc(title)}</title></path>`
}

function dot({ x, y }: Point, look: string, title: string): string {
  return `<circle class="${look}" cx="${x}" cy="${y}" r="${look === 'update' ? 5 : 6}"><title>${esc(title)}</title></circle>`
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

/** report.html of one run. */

import { dataBlock, esc, htmlTable, page, part } from '../../src/report/html.ts'
import { bytes, figure, timeUnit } from '../../src/report/numbers.ts'
import type { SimulationResult } from '../result.ts'
import { scenarioText } from '../scenario/read.ts'
import { BEHAVIOUR } from './behaviour.ts'
import { chartsOf } from './charts.ts'
import { lineChart, type TimeAxis } from './lineChart.ts'
import { dotPlot, nodeTable } from './nodeViews.ts'
import { outcomeWord, traceNote } from './terminal.ts'
import { topologyPicture } from './topology.ts'

const POINTS_MAX = 600 // of a curve; more share a pixel

/** A whole HTML document; the same result gives the same page. */
export function runPage(result: SimulationResult): string {
  const axis = timeAxis(result)
  const charts = chartsOf(result).map((chart) => lineChart(chart, axis))
  const drawn = axis.indices.map((i) => axis.seconds[i])
  const thinned =
    drawn.length < axis.seconds.length
      ? ` ${drawn.length} of ${axis.seconds.length} samples are drawn; metrics.csv has all.`
      : ''
  const shaded = axis.bands.length > 0 ? ' Shaded: the network is divided.' : ''
  const pictures = dotPlot(result) + topologyPicture(result)
  return page(
    `${result.scenarioName}, seed ${result.seed}`,
    `${head(result)}<main>${tiles(result)}
${part('Over virtual time', `Point at a chart, or focus it and press ← →, to read all of them at that time.${shaded}${thinned}`, `${dataBlock('time', { seconds: drawn, unit: axis.unit })}<div class="grid">${charts.join('\n')}</div>`)}
${part('Hospitals', '', `<div class="pair">${pictures}</div>`)}
${part('All hospitals', 'A click on a column sorts by it.', nodeTable(result))}
${part('Checks', 'What must hold in every run, looked at while it went on.', checks(result))}
${part('What was run', '', provenance(result))}
</main><footer>Written by consilium-netsim. This page loads nothing from anywhere. A simulation says what its model does; it is no evidence about patients.</footer>`,
    BEHAVIOUR,
  )
}

function timeAxis({ samples, scenario }: SimulationResult): TimeAxis {
  const seconds = samples.map((sample) => sample.seconds)
  const every = Math.max(1, Math.ceil(seconds.length / POINTS_MAX))
  const indices = seconds.map((_, i) => i).filter((i) => i % every === 0 || i === seconds.length - 1)
  const bands = scenario.network.partitions.map(({ fromSeconds, toSeconds, shares }) => ({
    from: fromSeconds,
    to: toSeconds,
    title: `divided ${shares.join(' : ')} from ${fromSeconds} s to ${toSeconds} s`,
  }))
  const end = seconds.at(-1) ?? 0
  return { seconds, indices, unit: timeUnit(end), bands: bands.filter(({ from }) => from < end) }
}

function head({ scenario, scenarioName, seed, outcome, virtualSeconds, provenance: from }: SimulationResult): string {
  const tone = outcome === 'check-failed' ? 'bad' : outcome === 'interrupted' ? 'warn' : 'good'
  const facts = [
    `<span class="tag ${tone}">${esc(outcomeWord(outcome))}</span>`,
    `scenario ${esc(scenarioName)}`,
    `seed ${seed}`,
    `${figure(scenario.nodes.count)} nodes`,
    `${figure(virtualSeconds)} s virtual`,
    `ledger ${scenario.ledger}`,
    ...(from === null ? [] : [`${esc(from.startedAt.slice(0, 16).replace('T', ' '))} UTC`]),
  ]
  return `<header><h1>${esc(scenario.question)}</h1><p class="sub">${facts.map((fact) => `<span>${fact}</span>`).join('')}</p></header>`
}

function tiles(result: SimulationResult): string {
  const last = result.samples.at(-1)
  const lossShare = last && last.messagesSent > 0 ? `${figure((100 * last.messagesLost) / last.messagesSent)} %` : null
  const all: readonly [string, string | null][] = [
    ['AUC', last?.auc == null ? null : figure(last.auc)],
    ['accuracy', last?.accuracy == null ? null : figure(last.accuracy)],
    ['log-loss', last?.logLoss == null ? null : figure(last.logLoss)],
    ['consensus distance', last?.consensusDistance == null ? null : figure(last.consensusDistance)],
    ['mean round', last ? figure(last.roundMean) : null],
    ['sent per node', last ? bytes(last.bytesSent / result.scenario.nodes.count) : null],
    ['messages lost', lossShare],
    ['finality lag', last?.finalityLagSeconds == null ? null : `${figure(last.finalityLagSeconds)} s`],
    ['events per second', result.realSeconds > 0 ? figure(result.events / result.realSeconds) : null],
  ]
  const shown = all.flatMap(([name, value]) =>
    value === null ? [] : [`<div class="tile"><b>${esc(value)}</b><span>${name}</span></div>`],
  )
  return `<div class="tiles">${shown.join('')}</div>`
}

function checks({ checks: all, refusals }: SimulationResult): string {
  const rows = all.map(({ name, checked, failure }) => [
    failure === null ? '<span class="good">✓ holds</span>' : '<span class="bad">✗ broken</span>',
    esc(name),
    figure(checked),
    failure === null
      ? ''
      : esc(
          `event ${failure.event}, ${figure(failure.seconds)} s${failure.node === null ? '' : `, node ${failure.node}`}: ${failure.message}`,
        ),
  ])
  const refused = Object.entries(refusals).map(([reason, count]) => `${esc(reason)} ${figure(count)}`)
  const note = refused.length > 0 ? `<p class="note">Updates refused, by reason: ${refused.join(', ')}.</p>` : ''
  return note + htmlTable(['', 'check', 'times', 'first fault'], rows, [2])
}

function provenance(result: SimulationResult): string {
  const { provenance: from, traceHash, dataDigest, parameters, localUpdates, merges, events, realSeconds } = result
  const rows: readonly [string, string][] = [
    ['trace', `<code>${traceHash}</code> ${esc(traceNote(result))}`.trim()],
    ['data as dealt', dataDigest === null ? 'no data' : `<code>${dataDigest}</code>`],
    ['command', from === null ? '–' : `<code>${esc(from.command)}</code>`],
    ['consilium', from === null ? '–' : `${esc(from.consilium)}, commit ${esc(from.commit ?? 'unknown')}`],
    ['on', from === null ? '–' : `Node ${esc(from.node)}, ${esc(from.machine)}`],
    [
      'work',
      `${figure(events)} events, ${figure(localUpdates)} local updates, ${figure(merges)} merges of ${figure(parameters)} parameters in ${figure(realSeconds)} s`,
    ],
  ]
  const table = `<div class="scroll"><table><tbody>${rows.map(([name, value]) => `<tr><th>${name}</th><td class="wrap">${value}</td></tr>`).join('')}</tbody></table></div>`
  return `${table}<details><summary>The scenario, defaults filled in</summary><pre>${esc(scenarioText(result.scenario))}</pre></details>`
}

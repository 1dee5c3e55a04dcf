import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { chartsOf } from '../../netsim/report/charts.ts'
import { runPage } from '../../netsim/report/runPage.ts'
import { terminalReport } from '../../netsim/report/terminal.ts'
import { layout } from '../../netsim/report/topology.ts'
import type { SimulationResult } from '../../netsim/result.ts'
import { parseScenario } from '../../netsim/scenario/read.ts'
import { esc } from '../../src/report/html.ts'
import { bytes, figure, logTicks, ticks } from '../../src/report/numbers.ts'
import { fakeSimulate } from './fakeSimulate.ts'
import { SCENARIO } from './program.ts'

const it = suite('report')

const resultOf = (text = SCENARIO): Promise<SimulationResult> =>
  fakeSimulate({ scenario: parseScenario(text, 's'), seed: 7, scenarioName: 's', baseFolder: '.' })

/** Without the page's own program, whose words are not shown. */
const shownOf = (page: string): string => page.replace(/<script>[\s\S]*?<\/script>/, '')

it('a page is whole in itself: it names no other file, and its policy forbids all requests', async () => {
  const page = runPage(await resultOf())
  assert.not.match(page, /\b(?:src|href)\s*=|@import|url\(|https?:|fetch\(|XMLHttpRequest/)
  const policy = /Content-Security-Policy" content="([^"]+)"/.exec(page)?.[1] ?? ''
  assert.match(policy, /^default-src 'none'; style-src 'sha256-/)
  for (const tag of ['style', 'script']) {
    const text = new RegExp(`<${tag}>([\\s\\S]*?)</${tag}>`).exec(page)?.[1] ?? ''
    assert.ok(
      policy.includes(`'sha256-${createHash('sha256').update(text).digest('base64')}'`),
      `the policy lets the page's own ${tag} run`,
    )
  }
  assert.not.match(shownOf(page), /style="|onclick|NaN|undefined|Infinity/)
})

it('the same result gives the same page', async () => {
  assert.is(runPage(await resultOf()), runPage(await resultOf()))
})

it('what people wrote is shown and never obeyed', async () => {
  const result = await resultOf(SCENARIO.replace('Does it hold?', 'Is <script>alert(1)</script> "quoted" & kept?'))
  const evil = {
    ...result,
    scenarioName: '</script><img>',
    nodes: result.nodes.map((node) => ({ ...node, name: '"><i x>' })),
  }
  const page = runPage(evil)
  assert.not.match(page, /<script>alert|<img|<i x>/)
  assert.is(esc(`<a b="c">'&`), '&#60;a b=&#34;c&#34;&#62;&#39;&#38;')
})

it('every figure of the list is there where it was measured, and absent where it was not', async () => {
  const ids = chartsOf(await resultOf()).map(({ id }) => id)
  assert.equal(ids, [
    'quality',
    'loss',
    'consensus',
    'rounds',
    'staleness',
    'inputs',
    'bytes',
    'messages',
    'live',
    'ledger',
    'finality',
  ])
  const bare = SCENARIO.replace(/data.*/, "data: { kind: none }\nlearner: { kind: 'null' }\nledger: off")
  const result = await resultOf(bare)
  assert.equal(
    chartsOf(result).map(({ id }) => id),
    ['rounds', 'staleness', 'inputs', 'bytes', 'messages', 'live'],
  )
  const page = runPage(result)
  for (const word of ['of each hospital', 'Model quality', 'finality lag']) assert.not.ok(page.includes(word), word)
  assert.ok(terminalReport(result).some((line) => line.startsWith('Rounds')))
})

it('a failed check, divisions and attackers are seen', async () => {
  const result = await resultOf(
    `${SCENARIO}liveness: { fromSeconds: 5, convergeSeconds: 0 }\nnetwork: { partitions: [{ fromSeconds: 3, toSeconds: 9, shares: [0.5, 0.5] }] }\nadversaries: [{ attack: sign-flip, nodes: [3] }]\n`,
  )
  const page = runPage(result)
  for (const word of [
    'A CHECK FAILED',
    'two nodes still differ',
    'divided 0.5 : 0.5 from 3 s to 9 s',
    'node adv',
    'Updates refused',
  ])
    assert.ok(page.includes(word), word)
})

it('an empty run, one of one sample, and one of equal values can be shown', async () => {
  const result = await resultOf()
  for (const samples of [
    [],
    result.samples.slice(0, 1),
    result.samples.slice(0, 3).map((s) => ({ ...s, auc: 0.5, accuracy: 0.5, logLoss: 0, bytesSent: 0 })),
  ]) {
    const few = { ...result, samples, nodes: [], topology: { nodes: 0, links: [] } }
    assert.not.match(shownOf(runPage(few)), /NaN|Infinity|undefined/)
    terminalReport(few)
  }
})

it('terminal: no line is longer than 80 columns', async () => {
  for (const line of terminalReport(await resultOf())) assert.ok([...line].length <= 80, line)
})

it('layout: the same every time, within the square, linked nodes nearer than others', () => {
  const links: [number, number][] = Array.from({ length: 30 }, (_, i) => [i, (i + 1) % 30])
  const at = layout({ nodes: 30, links })
  assert.equal(at, layout({ nodes: 30, links }))
  assert.ok(at.every((value) => value >= -1e-9 && value <= 1 + 1e-9))
  const distance = (a: number, b: number): number =>
    Math.hypot((at[2 * a] as number) - (at[2 * b] as number), (at[2 * a + 1] as number) - (at[2 * b + 1] as number))
  const linked = links.reduce((sum, [a, b]) => sum + distance(a, b), 0) / 30
  const apart = links.reduce((sum, [a]) => sum + distance(a, (a + 11) % 30), 0) / 30
  assert.ok(linked < apart / 2, `${linked} against ${apart}`)
})

it('ticks: round numbers within the range, about as many as wanted', () => {
  fc.assert(
    fc.property(
      fc.double({ min: -1e6, max: 1e6, noNaN: true }),
      fc.double({ min: 1e-6, max: 1e6, noNaN: true }),
      (low, wide) => {
        const span = Math.max(wide, Math.abs(low) * 1e-6) // finer than twelve digits nobody looks
        const found = ticks(low, low + span, 5)
        assert.ok(found.length <= 7, String(found))
        for (const value of found) assert.ok(value >= low - span * 0.01 && value <= low + span * 1.01)
      },
    ),
  )
  assert.equal(ticks(0, 0.9, 4), [0, 0.5])
  assert.equal(ticks(0.4, 1, 3), [0.4, 0.6, 0.8, 1])
  assert.equal(logTicks(0.004, 0.9), [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5])
})

it('figures: three to four digits, with a prefix where they are large; a dash for none', () => {
  const all = [null, 0, 0.0312, 0.81234, 12.3456, 4_560, 12_345, 1_234_567, -3.2, 0.00001].map(figure)
  assert.equal(all, ['–', '0', '0.0312', '0.8123', '12.35', '4560', '12.3 k', '1.23 M', '−3.2', '1.0 × 10^−5'])
  assert.equal([0, 310, 12_300, 4_000_000].map(bytes), ['0 B', '310 B', '12.3 kB', '4 MB'])
})

it.run()

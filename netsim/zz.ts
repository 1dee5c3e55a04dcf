import * as v from 'valibot'
import { scenarioSchema } from './scenario/schema.ts'
import { simulate } from './simulate.ts'
const [N, rows, rounds, age, mode] = [Number(process.argv[2] ?? 100), Number(process.argv[3] ?? 41), Number(process.argv[4] ?? 100), Number(process.argv[5] ?? 1), process.argv[6] ?? 'fanout']
const scenario = v.parse(scenarioSchema, { question: 'q?', nodes: { count: N }, gossip: { mode, heldMax: 16 }, data: { kind: 'synthetic', features: 57, rows }, learner: {kind: process.argv[7] ?? 'kernels'},
  study: { training: { optimiser: 'sgd' }, rounds: { count: rounds }, merge: { ageRoundsMax: age }, testShare: .05 }, ledger: 'off', digests: process.argv[8] ?? 'modelled', end: { seconds: 100000 }, report: { everySeconds: 20 } })
const t = performance.now()
let t1 = 0
const r = await simulate({ scenario, seed: 7, scenarioName: 'x', baseFolder: '.', onProgress: () => { t1 ||= performance.now() } })
const s = (performance.now() - t) / 1000, s1 = (performance.now() - t1) / 1000
console.log(JSON.stringify({ ...r, scenario: 0, nodes: r.nodes.slice(0, 2), samples: r.samples.slice(-2), topology: 0 }, null, 1))
console.log('total s', s.toFixed(2), 'ops/s', Math.round((r.localUpdates + r.merges) / s), 'without start', Math.round((r.localUpdates + r.merges) / s1), 'events/s', Math.round(r.events / s1), 'rss', Math.round(process.memoryUsage().rss / 1e6))

/**
 * Five hospitals to train together in a benchmark: the largest of the International Stroke Trial (netsim/README.md, "The stroke trial") where its
 * file is there, which is no part of the project, else the demo's memory clinics.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parse } from 'csv-parse/sync'
import { DATA_SETS } from '../../../netsim/experiments/data.ts'
import { parseStudy, type Study } from '../../../src/config/study.ts'
import { compareIds } from '../../../src/core/ids.ts'
import { Rng } from '../../../src/core/rng.ts'
import type { TableFile } from '../../../src/data/table.ts'
import { type ClinicTable, dealAlzheimer } from '../../demo/deal.ts'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
const DEMO = join(ROOT, 'scripts/demo')
const STROKE = join(ROOT, DATA_SETS.stroke.data.file)
const HOSPITALS = 5
const NO_FEATURES = ['hospnum', 'country', 'split', 'y'] // each daemon deals its own split
const ROUNDS = 36 // as the demo's

export interface FiveHospitals {
  readonly what: string
  /** With the merge rule that a study has by default. */
  readonly study: Study
  /** Largest first. The seed orders the rows, and so decides which patients a hospital holds out. */
  readonly tables: (seed: number) => ClinicTable[]
  /** Patients of all other hospitals; null where there are none. */
  readonly elsewhere: TableFile | null
}

export async function fiveHospitals(): Promise<FiveHospitals> {
  const text = await readFile(STROKE, 'utf8').catch(() => null)
  return text === null ? memoryClinics() : strokeHospitals(text)
}

async function memoryClinics(): Promise<FiveHospitals> {
  const file = 'alzheimer.study.yaml'
  const csv = await readFile(join(DEMO, 'alzheimer_modeldata.csv'), 'utf8')
  const text = await readFile(join(DEMO, file), 'utf8')
  const study = parseStudy(text.replace(/^merge: .*$/m, ''), file)
  const what = `the demo's ${csv.trim().split('\n').length - 1} memory patients, for ${STROKE} is not there: 80 test patients, on whom .01 of AUC is one standard error of a difference`
  return { what, study, tables: (seed) => dealAlzheimer(csv, seed), elsewhere: null }
}

function strokeHospitals(text: string): FiveHospitals {
  const [header, ...rows] = parse(text) as [string[], ...string[][]]
  const site = header.indexOf('hospnum')
  const hospitals = new Map<string, string[][]>()
  for (const row of rows) {
    const name = row[site] as string
    const mine = hospitals.get(name) ?? []
    mine.push(row)
    hospitals.set(name, mine)
  }
  const sorted = [...hospitals].sort(([a, one], [b, other]) => other.length - one.length || compareIds(a, b))
  const features = header.filter((name) => !NO_FEATURES.includes(name))
  const kept = [...features, 'y'].map((name) => header.indexOf(name))
  const csv = (some: readonly string[][]): string =>
    [[...features, 'y'], ...some.map((row) => kept.map((i) => row[i]))].map((cells) => `${cells.join(',')}\n`).join('')
  const tables = (seed: number): ClinicTable[] =>
    sorted.slice(0, HOSPITALS).map(([name, mine]) => {
      const shuffled = Rng.from('stroke hospitals', seed, name).shuffle([...mine])
      return { name: `Hospital ${name}`, slug: `hospital-${name}`, csv: csv(shuffled), rows: mine.length }
    })
  const others = sorted.slice(HOSPITALS).flatMap(([, mine]) => mine)
  const elsewhere = { name: 'elsewhere.csv', bytes: new TextEncoder().encode(csv(others)) }
  const what = `the five largest hospitals of the stroke trial, ${sorted.slice(0, HOSPITALS).map(([, { length }]) => length)} patients`
  return { what, study: strokeStudy(features), tables, elsewhere }
}

/** Trained as in netsim/scenarios/stroke.yaml: five steps a round, each on all own rows. */
function strokeStudy(features: readonly string[]): Study {
  const lines = features.map(
    (name) => `  - { name: ${name}, kind: number, unit: '1', range: [-1, 400], missing: mean }`,
  )
  const text = `name: Stroke
purpose: Estimate the risk of death or dependence six months after a stroke, for research.
model: { kind: logistic }
label: { name: y, positive: '1', negative: '0' }
training: { localEpochs: 5, batchRows: 1000, learningRate: 0.2, l2: 0.001, optimiser: sgd }
rounds: { count: ${ROUNDS} }
features:
${lines.join('\n')}
`
  return parseStudy(text, 'stroke.study.yaml')
}

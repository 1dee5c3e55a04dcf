/** The demo's data, dealt and bound, for its tests. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Cohorts, loadCohorts } from '../../scripts/demo/cohorts.ts'
import { type ClinicTable, dealAlzheimer, dealIcu, icuElsewhere } from '../../scripts/demo/deal.ts'
import { parseStudy, type Study } from '../../src/config/study.ts'

const HERE = new URL('../../scripts/demo/', import.meta.url)

export const DATA = {
  alzheimer: { file: 'alzheimer_modeldata.csv', study: 'alzheimer.study.yaml', deal: dealAlzheimer },
  icu: { file: 'icu_patient_pammtools.csv', study: 'icu.study.yaml', deal: dealIcu },
} as const

export const csvOf = (name: keyof typeof DATA): Promise<string> => readFile(new URL(DATA[name].file, HERE), 'utf8')

export async function studyOf(name: keyof typeof DATA): Promise<Study> {
  const { study } = DATA[name]
  return parseStudy(await readFile(new URL(study, HERE), 'utf8'), study)
}

/** Deals, writes each table as the demo does, and loads them. */
export async function cohortsOf(
  name: keyof typeof DATA,
  seed: number,
): Promise<{ study: Study; tables: ClinicTable[]; cohorts: Cohorts }> {
  const [study, csv, folder] = [
    await studyOf(name),
    await csvOf(name),
    await mkdtemp(join(tmpdir(), 'consilium-demo-test-')),
  ]
  try {
    const tables = DATA[name].deal(csv, seed)
    const clinics = tables.map(({ name, slug }) => ({ name, file: join(folder, `${slug}.csv`) }))
    for (const [i, { file }] of clinics.entries()) await writeFile(file, tables[i]?.csv ?? '')
    const elsewhere = name === 'icu' ? { name: 'elsewhere', bytes: new TextEncoder().encode(icuElsewhere(csv)) } : null
    return { study, tables, cohorts: await loadCohorts(study, clinics, elsewhere) }
  } finally {
    await rm(folder, { recursive: true })
  }
}

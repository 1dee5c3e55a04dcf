/** What the tests of patients' words at real daemons share. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { AuditReport } from '../../src/daemon/consentApi.ts'
import { consilium, patients, studyText, type TestNode, until } from './kit.ts'

/** A study that asks patients, and goes on. */
export const asking = (basis: string): string =>
  `${studyText({ rounds: 100_000, periodSeconds: 0.2 })}consent: { basis: ${basis}, jurisdiction: DE, purposes: [DUO:0000006] }\n`

export const recordOf = (node: string, row: number): string => `QX-${node}-${70_000 + 13 * row}`

/** A table with a column of record numbers; every seventh row is a second one of the patient before. */
export function withRecords(node: string, rows: number, seed: number): string {
  const [header, ...lines] = patients(rows, seed).trimEnd().split('\n')
  const numbered = lines.map((line, row) => `${recordOf(node, row % 7 === 6 ? row - 1 : row)},${line}`)
  return `${[`mrn,${header}`, ...numbered].join('\n')}\n`
}

export async function bindTo(folder: string, node: TestNode, study: string, csv: string): Promise<void> {
  const file = join(folder, `${node.name}.csv`)
  await writeFile(file, csv)
  await done(['study', 'bind', study.slice(0, 10), '--data', file, '--subject', 'mrn', '--home', node.home])
}

export async function said(node: TestNode, verb: string, subject: string): Promise<void> {
  await done(['consent', verb, '--subject', subject, '--home', node.home])
}

/** Exit code 1 where it finds something. */
export async function auditOf(node: TestNode, ...args: string[]): Promise<AuditReport> {
  const { code, out, err } = await consilium(['audit', ...args, '--home', node.home, '--json'])
  const report = JSON.parse(out || '{}') as AuditReport
  if (code !== (report.faults?.length > 0 ? 1 : 0)) throw new Error(err)
  return report
}

export interface Listed {
  readonly body: {
    readonly round: number
    readonly examples: number
    readonly consent?: { readonly root: string; readonly basis: string }
  }
  readonly seq: number
}

export async function entries(node: TestNode, kind: string): Promise<Listed[]> {
  const path = `/v1/log?kind=${kind}&limit=1000&member=${node.name}`
  return (await node.client.get<{ entries: Listed[] }>(path)).entries
}

export const rounds = (node: TestNode): Promise<Listed[]> => entries(node, 'round.trained')

/** Waits until so many more rounds were trained than there are; gives the roots of those. */
export async function rootsOfNext(node: TestNode, more: number): Promise<string[]> {
  const before = (await rounds(node)).length
  await until(60_000, `${more} more rounds at ${node.name}`, async () => (await rounds(node)).length >= before + more)
  return (await rounds(node)).slice(before).map(({ body }) => body.consent?.root ?? '')
}

async function done(args: readonly string[]): Promise<void> {
  const { code, err } = await consilium(args)
  if (code !== 0) throw new Error(err)
}

/** What the people at a simulated hospital do: propose or accept the study, bind the table, pause, bind another, take a model back. */

import type { Study } from '../../src/config/study.ts'
import { toHex, utf8 } from '../../src/core/bytes.ts'
import { taggedDigest } from '../../src/core/digest.ts'
import type { Digest, StudyId } from '../../src/core/ids.ts'
import type { Dataset } from '../../src/data/dataset.ts'
import { localStatistics } from '../../src/data/statistics.ts'
import { readBody } from '../../src/governance/kinds.ts'
import { decodeEntry } from '../../src/ledger/entry.ts'
import type { BoundDataset } from '../../src/node/events.ts'
import type { Clock } from '../clock.ts'
import type { NodeShell } from './nodeShell.ts'

const LOOK_MS = 150 // how often the operator looks whether the study has arrived
const LOOKS_MAX = 40_000 // an hour and a half: then nobody looks any more

/** One hospital's part in one study. */
export interface Duty {
  readonly id: StudyId
  readonly study: Study
  readonly document: Uint8Array
  readonly proposes: boolean
  readonly tables: readonly Dataset[]
  /** Of its tables; null: made up from the seed. */
  readonly commitments: readonly Digest[] | null
  readonly seed: string
}

/** Brings a node into the study, over restarts too: looks until the table is bound. */
export function attend(clock: Clock, shell: () => NodeShell | null, duty: Duty, looks = 0): void {
  const at = shell()
  if (at !== null && takePart(at, duty)) return
  if (looks < LOOKS_MAX) clock.after(LOOK_MS, () => attend(clock, shell, duty, looks + 1))
}

/** One look. Returns whether nothing is left to do. */
function takePart(shell: NodeShell, duty: Duty): boolean {
  const { id, document, proposes } = duty
  if (shell.machine.view().fence !== null) return false // it says that it may not sign yet
  const state = shell.machine.view().studies.find((one) => one.state.id === id)?.state
  if (state === undefined) {
    if (proposes) shell.command((ticket) => ({ type: 'study-add', ticket, study: id, document }))
    return false
  }
  if (!state.accepted.has(shell.member)) {
    shell.command((ticket) => ({ type: 'study-accept', ticket, study: id }))
    return false
  }
  if (!shell.disk.bindings.has(id)) bind(shell, duty, 0)
  return true
}

/** Binds one of the hospital's tables: remembered first, then told to the machine, as the daemon does it. */
export function bind(shell: NodeShell, { id, study, tables, commitments, seed }: Duty, version: number): void {
  const table = tables[version] as Dataset
  const made = () => taggedDigest('dataset', utf8(`netsim ${seed} ${shell.member} ${version}`))
  const bound: BoundDataset = {
    study: id,
    commitment: commitments?.[version] ?? made(),
    rows: table.rows,
    trainRows: table.trainRows.length,
    statistics: localStatistics(study, table),
  }
  shell.disk.bindings.set(id, { bound, version })
  shell.command((ticket) => ({ type: 'study-bind', ticket, dataset: bound }))
}

/** Takes back the first update that the node trained, as a hospital does that has found its table wrong; nothing where the node is off. */
export function withdraw(shell: NodeShell | null, study: StudyId): void {
  if (shell === null) return
  const entries = shell.disk.log(shell.member).raws.map(decodeEntry)
  const entry = entries.find((one) => one.kind === 'round.trained' && one.study === study)
  const trained = entry === undefined ? null : readBody('round.trained', entry.body)
  if (entry === undefined || trained === null) return
  const made = { author: shell.member, model: toHex(trained.update) as Digest }
  const ref = [entry.author, entry.seq, entry.hash] as const
  shell.command((ticket) => ({ type: 'study-withdraw', ticket, study, made, entry: ref, reason: 'data-error' }))
}

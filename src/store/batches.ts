/** What more than one write of the level store puts into its batch. */
import type { TreeNode } from '../ledger/merkle.ts'
import { encodeState, nodeKey, numberKey, stateKey, TABLE } from './records.ts'
import type { RepairPlan } from './repairing.ts'

/** What is written together. */
export interface Batch {
  put(key: Uint8Array, value: Uint8Array): unknown
  del(key: Uint8Array): unknown
}

/** State by name; null deletes. */
export function putAll(batch: Batch, state: ReadonlyMap<string, Uint8Array | null>): void {
  for (const [name, value] of state) {
    if (value === null) batch.del(stateKey(name))
    else batch.put(stateKey(name), encodeState(name, value))
  }
}

/** Nodes of the tree of the author whose key begins with `short`. */
export function putNodes(batch: Batch, short: Uint8Array, nodes: readonly TreeNode[]): void {
  for (const { level, index, hash } of nodes) batch.put(nodeKey(short, level, index), hash)
}

/** What a repair of that author's log puts back. */
export function putRepair(batch: Batch, short: Uint8Array, { entries, nodes }: RepairPlan): void {
  for (const { seq, raw } of entries) batch.put(numberKey(TABLE.entry, short, seq), raw)
  putNodes(batch, short, nodes)
}

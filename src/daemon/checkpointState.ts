/** What a daemon keeps of its studies' training, in its database: checkpoints, and how far a round under way has come. */
import type { LogStore } from '../ledger/store.ts'
import type { AloneProgress } from '../training/alone.ts'
import type { ProgressStore } from '../training/roundTraining.ts'
import { decodeCheckpoint, encodeCheckpoint, type StoredCheckpoint } from '../training/storedCheckpoint.ts'

const CHECKPOINTS = 'checkpoint/'
const PROGRESS = 'progress/'

/** Errors: those of `decodeCheckpoint`. */
export async function storedCheckpoints(store: LogStore): Promise<StoredCheckpoint[]> {
  return (await store.listState(CHECKPOINTS)).map(([, bytes]) => decodeCheckpoint(bytes))
}

/** What is written in one batch with the entries that tell of it; of a round that is trained the progress is deleted. */
export function checkpointState(stored: StoredCheckpoint): Map<string, Uint8Array | null> {
  const { study, stage } = stored.checkpoint
  const state = new Map<string, Uint8Array | null>([[`${CHECKPOINTS}${study}`, encodeCheckpoint(stored)]])
  if (stage === 'trained') state.set(`${PROGRESS}${study}`, null)
  return state
}

/** The progress of rounds in a store, and of what is trained alone to be compared; what they save is durable when it resolves. */
export function progressIn(store: LogStore): { readonly progress: ProgressStore; readonly alone: AloneProgress } {
  const under = (prefix: string): ProgressStore => ({
    load: async (study) => (await store.getState(`${prefix}${study}`)) ?? null,
    save: (study, bytes) => store.putState(new Map([[`${prefix}${study}`, bytes]])),
  })
  return { progress: under(PROGRESS), alone: { rounds: under('alone/'), within: under('alone-round/') } }
}

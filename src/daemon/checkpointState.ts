/** What a daemon keeps of its studies' training, in its database: checkpoints, and how far a round under way has come. */
import type { StudyId } from '../core/ids.ts'
import type { LogStore } from '../ledger/store.ts'
import type { ProgressStore } from '../training/roundTraining.ts'
import { decodeCheckpoint, encodeCheckpoint, type StoredCheckpoint } from '../training/storedCheckpoint.ts'

const CHECKPOINTS = 'checkpoint/'
const progressKey = (study: StudyId): string => `progress/${study}`

/** Errors: those of `decodeCheckpoint`. */
export async function storedCheckpoints(store: LogStore): Promise<StoredCheckpoint[]> {
  return (await store.listState(CHECKPOINTS)).map(([, bytes]) => decodeCheckpoint(bytes))
}

/** What is written in one batch with the entries that tell of it; of a round that is trained the progress is deleted. */
export function checkpointState(stored: StoredCheckpoint): Map<string, Uint8Array | null> {
  const { study, stage } = stored.checkpoint
  const state = new Map<string, Uint8Array | null>([[`${CHECKPOINTS}${study}`, encodeCheckpoint(stored)]])
  if (stage === 'trained') state.set(progressKey(study), null)
  return state
}

/** The progress of rounds in a store; what it saves is durable when it resolves. */
export function progressIn(store: LogStore): ProgressStore {
  return {
    load: async (study) => (await store.getState(progressKey(study))) ?? null,
    save: (study, bytes) => store.putState(new Map([[progressKey(study), bytes]])),
  }
}

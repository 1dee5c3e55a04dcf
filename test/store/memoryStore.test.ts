import { MemoryStore } from '../../src/store/memoryStore.ts'
import { logStoreSuite } from './logStoreSuite.ts'

logStoreSuite('memory store', async () => {
  const first = new MemoryStore()
  return {
    open: async (hooks) => first.reopen(hooks),
    remove: async () => {},
    spoil: async (author, seq, raw) => first.spoil(author, seq, raw),
    spoilNode: async (author, level, index, hash) => first.spoilNode(author, level, index, hash),
  }
})

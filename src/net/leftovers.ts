/** Timers that libp2p 3.3 and gossipsub 17.1 leave behind when they stop; each would hold the process for up to a second. */
import { listenError } from './addresses.ts'
import type { MemberNode } from './libp2pNode.ts'

type Timer = ReturnType<typeof setTimeout>

interface Gossip {
  readonly status?: { readonly heartbeatTimeout?: Timer }
}
interface Node {
  readonly components?: {
    readonly addressManager?: { readonly _updatePeerStoreAddresses?: { readonly stop?: () => void } }
  }
}

/** Call before the node stops, and what it gives after: clears the gossip heartbeat and the debounced update of our addresses. */
export function leftoversOf(node: MemberNode): () => void {
  const gossip = node.services.pubsub as unknown as Gossip
  const { status } = gossip // stopping replaces this object, and forgets the timer in it
  const { components } = node as unknown as Node
  return () => {
    clearTimeout(status?.heartbeatTimeout)
    components?.addressManager?._updatePeerStoreAddresses?.stop?.() // set off again by the listeners that close
  }
}

/** Starts it. Error: `listenError`'s. */
export async function startNode(node: MemberNode, listen: readonly string[]): Promise<void> {
  try {
    await node.start()
  } catch (error) {
    const clearLeftovers = leftoversOf(node)
    await node.stop()
    clearLeftovers()
    throw listenError(error, listen)
  }
}

/** Peer scores: what a rejected message costs, and the one place that reaches into gossipsub to score topics added later. */
import type { GossipSub } from '@libp2p/gossipsub'
import type { TopicScoreParams } from '@libp2p/gossipsub/score'
import { invariant } from '../core/errors.ts'

/** Below it gossipsub ignores a peer; we disconnect it (by itself it stays connected: DECISIONS, trap 7). */
export const GRAYLIST_SCORE = -80

export const TOPIC_SCORE: TopicScoreParams = {
  topicWeight: 1,
  timeInMeshWeight: 0.01, // five minutes in the mesh are worth 3: enough to prefer steady peers, too little to pay for a reject
  timeInMeshQuantum: 1_000,
  timeInMeshCap: 300,
  firstMessageDeliveriesWeight: 0.5, // being first with news is worth at most 5
  firstMessageDeliveriesDecay: 0.99,
  firstMessageDeliveriesCap: 10,
  meshMessageDeliveriesWeight: 0, // a hospital that trains slowly says little, and that is no fault
  meshMessageDeliveriesDecay: 0.5,
  meshMessageDeliveriesCap: 1,
  meshMessageDeliveriesThreshold: 1,
  meshMessageDeliveriesWindow: 10,
  meshMessageDeliveriesActivation: 1_000,
  meshFailurePenaltyWeight: 0, // a mesh link lost with the connection is no fault either
  meshFailurePenaltyDecay: 0.5,
  invalidMessageDeliveriesWeight: -4, // times its square: four rejects cost 64 and are forgiven, five cost 100
  invalidMessageDeliveriesDecay: 0.99, // per second: half is forgotten after 69 s, so a bad minute counts and a bad month does not
}

export const SCORE_PARAMS = {
  topicScoreCap: 10, // good conduct is worth less than one more reject
  IPColocationFactorWeight: 0, // hospitals share addresses behind NAT, and a demo has one (DECISIONS, trap 4)
  behaviourPenaltyThreshold: 6, // a restart makes a few early GRAFTs and broken IWANT promises; a flood makes more
  retainScore: 3_600_000,
} as const

/** What we use of gossipsub's class that its interface does not name. */
interface Scored {
  readonly score: {
    readonly params: { readonly topics: Record<string, TopicScoreParams> }
    readonly peerStats: ReadonlyMap<string, { readonly topics: Record<string, unknown> }>
    score(peer: string): number
  }
}

/** Scores a topic subscribed after the start. Parameters given to the constructor are copied, so they can only be added here. */
export function scoreTopic(pubsub: GossipSub, topic: string): void {
  scored(pubsub).score.params.topics[topic] = TOPIC_SCORE
}

/**
 * Scores a topic that was left no more, and forgets what peers did there, for gossipsub never would: cells come and go every few minutes, for
 * months. Both go together, because it looks up parameters unchecked wherever it has statistics. What still comes on the topic costs nobody.
 */
export function unscoreTopic(pubsub: GossipSub, topic: string): void {
  const { params, peerStats } = scored(pubsub).score
  for (const { topics } of peerStats.values()) delete topics[topic]
  delete params.topics[topic]
}

/** The peer's score now; gossipsub remembers a score for one heartbeat (1 s). */
export function scoreOf(pubsub: GossipSub, peer: string): number {
  return scored(pubsub).score.score(peer)
}

function scored(pubsub: GossipSub): Scored {
  const candidate = pubsub as unknown as Partial<Scored>
  invariant(
    candidate.score?.params?.topics !== undefined && candidate.score.peerStats instanceof Map,
    'gossipsub keeps its score parameters where 17.1 did',
  )
  return candidate as Scored
}

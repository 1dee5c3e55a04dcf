/** The settings of the modelled gossipsub: the daemon's (src/net) and, where those are silent, the library's own. */
import { invariant } from '../../src/core/errors.ts'

/** Names as in the specification (libp2p specs, gossipsub v1.0 to v1.2), else as in @libp2p/gossipsub; times in milliseconds. */
export interface GossipsubOptions {
  /** Mesh links of a node and topic: wanted, grafted below, pruned above. */
  readonly D: number
  readonly Dlo: number
  readonly Dhi: number
  /** Links that the node dialled itself and keeps among them. */
  readonly Dout: number
  /** When pruning, so many of the best are kept; without scores these are the oldest. */
  readonly Dscore: number
  /** Peers outside the mesh that hear what there is at each heartbeat: so many, or a share of them if that is more. */
  readonly Dlazy: number
  readonly gossipFactor: number
  readonly heartbeatMs: number
  /** Heartbeats for which a message can be asked for, and during which it is told of. */
  readonly historyLength: number
  readonly historyGossip: number
  /** For so long after it was last new to somebody nobody takes a message for new again. */
  readonly seenTtlMs: number
  readonly fanoutTtlMs: number
  readonly pruneBackoffMs: number
  readonly unsubscribeBackoffMs: number
  /** Own messages go to every subscribed peer. */
  readonly floodPublish: boolean
  /** Data of at least so many bytes is announced with IDONTWANT (v1.2); a peer's, up to so many per heartbeat, are heeded. */
  readonly idontwantBytesMin: number
  readonly idontwantsMax: number
  /** Heeded of one peer per heartbeat. */
  readonly ihavesMax: number
  readonly iwantsMax: number
  /** Message ids in one IHAVE, and asked of one peer per heartbeat. */
  readonly idsMax: number
  /** Length of a topic's name. */
  readonly topicBytes: number
}

export const DAEMON_GOSSIPSUB: GossipsubOptions = {
  D: 3, // these six as in src/net/libp2pNode.ts, with the reasons there
  Dlo: 2,
  Dhi: 4,
  Dout: 1,
  Dscore: 1,
  floodPublish: false,
  Dlazy: 6, // from here on the library's defaults, which the daemon leaves as they are
  gossipFactor: 0.25,
  heartbeatMs: 1_000,
  historyLength: 5,
  historyGossip: 3,
  seenTtlMs: 120_000,
  fanoutTtlMs: 60_000,
  pruneBackoffMs: 60_000,
  unsubscribeBackoffMs: 10_000,
  idontwantBytesMin: 512,
  idontwantsMax: 512,
  ihavesMax: 10,
  iwantsMax: 10,
  idsMax: 5_000,
  topicBytes: 48, // `consilium/1/`, 16 digits of the founding, and a study's or a cell's name
}

/** The options with what is missing taken from the daemon's. Throws on what the library would refuse or the model can't do. */
export function completeOptions(given: Partial<GossipsubOptions>): GossipsubOptions {
  const options = { ...DAEMON_GOSSIPSUB, ...given }
  const { D, Dlo, Dhi, Dout, heartbeatMs, historyLength, historyGossip, seenTtlMs } = options
  invariant(0 < Dlo && Dlo <= D && D <= Dhi, 'a mesh has 0 < Dlo ≤ D ≤ Dhi')
  invariant(Dout < Dlo && Dout <= D / 2, 'Dout is below Dlo and at most half of D')
  invariant(heartbeatMs >= 1 && Number.isInteger(heartbeatMs), 'a heartbeat takes whole milliseconds')
  invariant(0 < historyGossip && historyGossip <= historyLength, 'what is told of can be asked for')
  // seen messages are kept once for all nodes: nothing may travel on after the first has forgotten it
  invariant(seenTtlMs > 2 * historyLength * heartbeatMs, 'a message is seen for longer than it is kept')
  return options
}

/** Every bound of the product, each with its because. */
export const LIMITS = {
  entryBytesMax: 65_536, // one entry always fits one stream frame and one gossip message; LEDGER §2.2
  cborDepthMax: 16, // deeper input overflows the stack of every decoder that was tried; LEDGER §2.2
  headBytesMax: 1_024, // a checkpoint with one signature is about 330 bytes
  updateBytesMax: 65_536, // what travels inline in a gossipsub message; larger would flood the mesh (DECISIONS), so it is announced and pulled
  gossipMessageBytesMax: 131_072, // an inline update, its header, signature and protobuf framing, with room
  modelBytesMax: 67_108_864, // shared weights as float32: 16.8 M of them; a merge of ten such models fits a server's memory
  chunkBytesMin: 16_384, // smaller ones cost more in requests than they spread quicker
  chunkBytesMax: 65_536, // as long as any message; a stream carries one in a few round trips
  chunksMax: 1_024, // of one payload: their digests take 32 KiB, so that the manifest fits one gossip message
  updateParentsMax: 64, // inputs of one merge named in an update's header: the largest cell is 32
  membersMax: 1_000, // one gossipsub topic and one head vector carry this many; cells bound the rest
  rangeEntriesMax: 1_000, // entries per replication answer, LEDGER §4
  rangeBytesMax: 262_144, // bytes per replication answer, LEDGER §4
  branchEntriesMax: 4_096, // kept of a log's other history: a week of rounds every ten minutes; forks show within minutes
  branchBytesMax: 4_194_304, // of those, 16 range frames: both histories of 100 members are 0.8 GB
  requestBytesMax: 65_536, // a stream request is at most the sizes of all members' logs, 40 bytes each
  requestTimeoutMs: 10_000, // a peer that has not answered by then is asked again later or another is asked
  servedBytesPerSecond: 16_777_216, // what one member is sent in answers: 40,000 entries, twice what a receiver verifies; the rest is others'
  servedBytesBurst: 67_108_864, // a study's worth of entries at line speed
  streamsPerPeerMax: 8, // concurrent requests that one peer may have open here
  commitEntriesMax: 256, // group commit, LEDGER §3.3
  updateNormMax: 100, // l2 norm of shared weights over √parameters; standardised inputs keep honest ones below 10
  studyBytesMax: 49_152, // a study description travels in one entry's body
  studyFeaturesMax: 10_000, // beyond it the description does not fit its entry
  datasetRowsMax: 5_000_000, // rows × features of float32 must fit this node's memory
  csvBytesMax: 2_147_483_647, // larger tables want Parquet and a database
  messagesAwaitingVerdictMax: 256, // unvalidated gossip held while the machine decides; more is ignored and counted
  studiesPerMemberMax: 64, // proposals of one member that are followed; each holds a description in memory for good
  studiesMentionedMax: 1_024, // studies that one member's entries may speak of, known or not: years of taking part in everything
  agreementBytesMax: 49_152, // an agreement travels in one entry's body
  agreementsPerMemberMax: 64, // proposals of one member that are followed; each holds a document in memory for good
  agreementsMentionedMax: 256, // agreements that one member's entries may speak of, known or not
  studiesMax: 256, // studies open at one node at once
  studyTopicsMax: 3, // of one study: the cell of now, the next one, and the last
  ownTopicsMax: 64, // heads, witnesses, epochs, addresses, and those of later versions
} as const

/** Every interval of the network shell, in milliseconds, each with its because. Tests and the demo override some. */
import { LIMITS } from '../core/limits.ts'

export const NET_TIMING = {
  tickMs: 250, // redials, watchdog and scores are looked at this often; idle cost is a loop over the members
  yieldMs: 5_000, // the higher key leaves the first dial to the lower: simultaneous dials split gossip (DECISIONS, trap 3)
  dialJitterMs: 250, // a restarted site must not be dialled by all members in one instant
  backoffMinMs: 1_000, // a process that restarts is back within a second or two
  backoffMaxMs: 60_000, // a site that was down for a week is still found within a minute of its return
  stableMs: 10_000, // a connection that died younger counts as a failed dial, else two sites could flap every second
  dialTimeoutMs: 5_000, // per address; a firewall that drops packets answers never
  duplicateMs: 500, // both ends have seen both connections by then, and what ran on the loser has mostly ended
  graceMs: 5_000, // identify and two gossip streams take a few round trips on the slowest line
  repairMs: 1_000, // how long the outbound gossip stream may be missing before identify is run again
  hangUpMs: 10_000, // how long gossip may be broken on an open connection before we hang up and redial (trap 2)
  pingMs: 10_000, // keeps NAT mappings and the 2-minute socket timeout alive, and gives the round-trip time
  silentMs: 45_000, // three lost pings and a margin: TCP alone notices a cut cable after a quarter of an hour
  refuseMs: 600_000, // a member that misbehaved may try again after ten minutes, when someone had time to look
  strangerMs: 60_000, // one report per stranger and minute: a port scanner must not fill the log
  discoveryMs: 2_000, // the least interval of our own address announcement
  discoveryPerMemberMs: 50, // … and 1,000 members together announce 20 times a second, not 500
  relayedMs: 120_000, // two announcements of the largest consortium: who was heard of through others since then is there
  verdictMs: 10_000, // a message without a verdict by then is ignored, so that the places for verdicts come free
  idleMs: LIMITS.requestTimeoutMs, // between two frames of an answer
  stopMs: 800, // connections that have not closed politely by then are aborted
}

export type NetTiming = { readonly [Name in keyof typeof NET_TIMING]: number }

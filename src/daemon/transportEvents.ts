/** What the network tells, as events of the machine and lines of the log. */
import type { MemberId } from '../core/ids.ts'
import type { TransportEvents } from '../net/transport.ts'
import type { NodeEvent } from '../node/events.ts'
import type { Log } from './log.ts'

/** What they are made of; `take` decides a gossip message. */
export interface TransportEventsParts {
  readonly feed: (event: NodeEvent) => void
  readonly log: Log
  readonly nameOf: (member: MemberId) => string
  readonly take: TransportEvents['onMessage']
  readonly isClosing: () => boolean
}

/** The handlers of one daemon's transport. */
export function transportEvents({ feed, log, nameOf, take, isClosing }: TransportEventsParts): TransportEvents {
  return {
    onConnected: (member) => {
      log('info', 'member-connected', { member, name: nameOf(member) })
      feed({ type: 'peer-connected', member })
    },
    onDisconnected: (member) => {
      if (!isClosing()) log('info', 'member-gone', { member, name: nameOf(member) })
      feed({ type: 'peer-disconnected', member })
    },
    onStranger: (peer, direction) => {
      log('warn', 'stranger-refused', { peer, direction })
      feed({ type: 'stranger-refused' })
    },
    onMisbehaved: (member, score) => {
      log('warn', 'member-cut-off', { member, score })
      feed({ type: 'peer-misbehaved', member })
    },
    onMessage: take,
  }
}

/** What the machine reads of its first event, and what it says first. */
import { fromHex } from '../core/bytes.ts'
import type { MemberId } from '../core/ids.ts'
import { readBody } from '../governance/kinds.ts'
import type { RollCall } from '../ledger/membership.ts'
import type { Draft } from './actions.ts'
import { untoldAlarms } from './alarms.ts'
import type { Context } from './context.ts'
import type { NodeEvent } from './events.ts'

/** The first event. */
export type Booted = Extract<NodeEvent, { type: 'booted' }>

/** The answer to every command before the boot fence is passed. */
export const FENCED = {
  code: 'boot-fence',
  message:
    'this node has just started and may not sign yet: it waits until enough other members have said what they hold of its log; see "consilium doctor"',
}

/** The first entries after a start; the acceptance of the founding only where it is not in the log yet. */
export function bootDrafts(context: Context, booted: Booted, accepted: boolean): Draft[] {
  const { acceptance: signature, software } = booted
  const founding = fromHex(context.founding)
  return [
    ...(accepted ? [] : [context.draft('member.accepted', null, { epoch: 0, founding, signature })]),
    context.draft('node.started', null, { software }),
    ...untoldEpoch(context, booted),
    ...untoldAlarms(context, booted),
  ]
}

/** The power went between the consortium file and the entry, or the node was off when the epoch was taken up. */
function untoldEpoch(context: Context, { self, epochs, epochDigest, facts }: Booted): Draft[] {
  const { number } = epochs[epochs.length - 1] as RollCall
  const told = facts.some(({ author, kind, body }) => {
    return author === self && kind === 'epoch.begun' && readBody('epoch.begun', body)?.epoch === number
  })
  return number === 0 || told
    ? []
    : [context.draft('epoch.begun', null, { epoch: number, digest: fromHex(epochDigest) })]
}

/** Entries of one log that were stored at the start. */
export function sizeIn({ logs }: Booted, member: MemberId): number {
  return logs.find(({ author }) => author === member)?.size ?? 0
}

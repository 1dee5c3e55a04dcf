/** What the machine reads of its first event, and what it says first. */
import { fromHex, toHex } from '../core/bytes.ts'
import type { MemberId } from '../core/ids.ts'
import { readBody } from '../governance/kinds.ts'
import type { Draft } from './actions.ts'
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
  const told = new Set(forkedIn(booted))
  const untold = booted.forks.filter(({ author }) => !told.has(author)) // the power went between evidence and alarm
  return [
    ...(accepted ? [] : [context.draft('member.accepted', null, { epoch: 0, founding, signature })]),
    context.draft('node.started', null, { software }),
    ...untold.map(({ author, size }) => context.draft('alarm.fork', null, { member: fromHex(author), size })),
  ]
}

/** The authors of whom contradictory heads were recorded: nothing more of them is fetched. */
export function forkedIn({ self, facts }: Booted): MemberId[] {
  return facts.flatMap(({ author, kind, body }) => {
    const alarm = author === self && kind === 'alarm.fork' ? readBody('alarm.fork', body) : null
    return alarm === null ? [] : [toHex(alarm.member) as MemberId]
  })
}

/** Entries of one log that were stored at the start. */
export function sizeIn({ logs }: Booted, member: MemberId): number {
  return logs.find(({ author }) => author === member)?.size ?? 0
}

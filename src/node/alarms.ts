/** Alarms about keys that contradict themselves: the entries that a node writes of them when their evidence is kept. */
import { fromHex, toHex } from '../core/bytes.ts'
import type { MemberId } from '../core/ids.ts'
import { readBody } from '../governance/kinds.ts'
import type { Draft } from './actions.ts'
import type { Context } from './context.ts'
import type { NodeEvent } from './events.ts'

type Booted = Extract<NodeEvent, { type: 'booted' }>

/** A witness that cosigned two roots of `size` entries of `author`'s log. */
export type CosignedTwice = Pick<Extract<NodeEvent, { type: 'witness-proven' }>, 'witness' | 'author' | 'size'>

/** One key signed conflicting heads, which differ within the first `size` entries. */
export function alarmFork(context: Context, author: MemberId, size: number): void {
  context.record('alarm', [forkDraft(context, author, size)])
  context.tell('warn', 'conflicting-heads', { member: author, within: size })
}

/** One key cosigned conflicting heads. Its own log goes on: as a log it may be honest. */
export function alarmWitness(context: Context, proven: CosignedTwice): void {
  const { witness, author, size } = proven
  context.record('alarm', [witnessDraft(context, proven)])
  context.tell('warn', 'conflicting-cosignatures', { member: witness, author, size })
}

/** The alarms whose evidence is kept and that the own log does not tell of: the power went between the two. */
export function untoldAlarms(context: Context, booted: Booted): Draft[] {
  const forked = new Set(forkedIn(booted))
  const cosigners = new Set(alarmed(booted, 'alarm.witness'))
  return [
    ...booted.forks.filter(({ author }) => !forked.has(author)).map((one) => forkDraft(context, one.author, one.size)),
    ...booted.cosigners.filter(({ witness }) => !cosigners.has(witness)).map((one) => witnessDraft(context, one)),
  ]
}

/** The authors of whom contradictory heads were recorded: nothing more of them is fetched. */
export function forkedIn(booted: Booted): MemberId[] {
  return alarmed(booted, 'alarm.fork')
}

/** Of which members the own log has an alarm of this kind. */
function alarmed({ self, facts }: Booted, kind: 'alarm.fork' | 'alarm.witness'): MemberId[] {
  return facts.flatMap((fact) => {
    const alarm = fact.author === self && fact.kind === kind ? readBody(kind, fact.body) : null
    return alarm === null ? [] : [toHex(alarm.member) as MemberId]
  })
}

function forkDraft(context: Context, author: MemberId, size: number): Draft {
  return context.draft('alarm.fork', null, { member: fromHex(author), size })
}

function witnessDraft(context: Context, { witness, author, size }: CosignedTwice): Draft {
  return context.draft('alarm.witness', null, { author: fromHex(author), member: fromHex(witness), size })
}

/** One event of the supply book, and what it names. */
import type { BizStep, Disposition } from '../../core/cbv.ts'
import type { Gs1Key } from '../../core/gs1.ts'
import type { MemberId } from '../../core/ids.ts'
import type { SupplyEvent } from '../kinds/supply.ts'
import type { Thing } from './keys.ts'

/** As what an event names a key: goods or inputs, outputs, what they are in, the lot of what was made. */
export const ROLES = { item: 0, output: 1, parent: 2, lot: 3 } as const
export type Role = (typeof ROLES)[keyof typeof ROLES]

/** An event by its number in one book. */
export type EventNumber = number
/** The number of no event. */
export const NO_EVENT: EventNumber = -1

/** One event, without its keys. Times are milliseconds, temperatures thousandths of a degree Celsius. */
export interface Happening {
  readonly number: EventNumber
  readonly author: MemberId
  readonly seq: number
  /** Its place among the events of its entry. */
  readonly nth: number
  readonly timeMs: number
  readonly type: SupplyEvent['type']
  readonly action: 'add' | 'observe' | 'delete' | null
  readonly step: BizStep | null
  readonly disposition: Disposition | null
  readonly readPoint: Gs1Key | null
  readonly location: Gs1Key | null
  readonly source: Gs1Key | null
  readonly destination: Gs1Key | null
  readonly low: number | null
  readonly high: number | null
  readonly alarm: boolean
  /** Says of the same event, told before, that it is in error. */
  readonly isError: boolean
  /** Days since 1970. */
  readonly expires: number | null
}

/** A key that an event names; `amount` is null of single things, and told apart by its unit: 0 is pieces. */
export interface Naming {
  readonly thing: Thing
  readonly role: Role
  readonly amount: number | null
  readonly unit: number
}

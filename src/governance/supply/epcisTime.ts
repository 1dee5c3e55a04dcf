/** Times of EPCIS events: RFC 3339 with an offset, whole days, and offsets of time zones. Without a clock. */
import { ConsiliumError } from '../../core/errors.ts'
import { TIME_MS_MAX } from '../../ledger/entry.ts'

const DAY_MS = 86_400_000
const DAY_MINUTES = 1_440
const TIME = /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?([Zz]|([+-])(\d\d):(\d\d))$/

/** Milliseconds since 1970 of a date-time with its offset. Error: `epcis-event`. */
export function timeMsOf(given: unknown, path: string): number {
  const parts = typeof given === 'string' ? TIME.exec(given) : null
  if (parts === null) throw fault(given, path, 'a time with its offset is expected, such as 2026-11-22T08:30:00+01:00')
  const [, year, month, day, hour, minute, second, fraction = '', , sign, offsetHour = '0', offsetMinute = '0'] = parts
  const days = daysSince1970(Number(year), Number(month), Number(day))
  const [h, m, s] = [Number(hour), Number(minute), Number(second)]
  const [oh, om] = [Number(offsetHour), Number(offsetMinute)]
  if (days === null || h > 23 || m > 59 || s > 60 || oh > 23 || om > 59)
    throw fault(given, path, 'there is no such time')
  const offset = (oh * 60 + om) * (sign === '-' ? -1 : 1)
  if (s === 60 && (h * 60 + m - offset + 2 * DAY_MINUTES) % DAY_MINUTES !== DAY_MINUTES - 1)
    throw fault(given, path, 'there is no such time: a leap second is the last of a day, in UTC')
  const timeMs =
    days * DAY_MS + ((h * 60 + m) * 60 + s) * 1_000 + Number(fraction.padEnd(3, '0').slice(0, 3)) - offset * 60_000
  if (timeMs < 0 || timeMs > TIME_MS_MAX) throw fault(given, path, 'a time since 1970 is expected')
  return timeMs
}

/** Minutes before UTC: the pattern of the EPCIS 2.0 schema. Error: `epcis-event`. */
export function zoneMinutesOf(given: unknown, path: string): number {
  const parts = typeof given === 'string' ? /^([+-])(?:(0\d|1[0-3]):([0-5]\d)|14:00)$/.exec(given) : null
  if (parts === null) throw fault(given, path, '-14:00 to +14:00 is expected, such as +01:00')
  const minutes = parts[2] === undefined ? 840 : Number(parts[2]) * 60 + Number(parts[3])
  return parts[1] === '-' ? 0 - minutes : minutes
}

/** Days since 1970 of a date, or of the day that a date-time names. Error: `epcis-event`. */
export function dayOf(given: unknown, path: string): number {
  const parts = typeof given === 'string' ? /^(\d{4})-(\d\d)-(\d\d)(?:[Tt].*)?$/.exec(given) : null
  const days = parts === null ? null : daysSince1970(Number(parts[1]), Number(parts[2]), Number(parts[3]))
  if (days === null || days < 0) throw fault(given, path, 'a date is expected, such as 2027-03-31')
  return days
}

/** Of the Gregorian calendar; null where it has no such day. */
function daysSince1970(year: number, month: number, day: number): number | null {
  const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0
  const lengths = [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
  if (month < 1 || month > 12 || day < 1 || day > (lengths[month - 1] as number)) return null
  const before = year - 1
  const years = before * 365 + Math.floor(before / 4) - Math.floor(before / 100) + Math.floor(before / 400)
  return years + lengths.slice(0, month - 1).reduce((sum, one) => sum + one, 0) + day - 719_163
}

function fault(given: unknown, path: string, why: string): ConsiliumError {
  const shown = given === undefined ? 'nothing' : JSON.stringify(given).slice(0, 80)
  return new ConsiliumError({ code: 'epcis-event', message: `${path}: ${shown} was given, ${why}` })
}

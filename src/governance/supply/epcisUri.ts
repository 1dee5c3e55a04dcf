/** URIs of EPCIS events, in their form: nothing here looks behind them. */
import { ConsiliumError } from '../../core/errors.ts'

const PART = "(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})"
const HOST = "(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})"
/** RFC 3986 §3, without user information and addresses of IP version 6. */
const URI = new RegExp(
  `^[A-Za-z][A-Za-z0-9+.-]*:(?://${HOST}*(?::\\d*)?(?:/${PART}*)*|/(?:${PART}+(?:/${PART}*)*)?|${PART}+(?:/${PART}*)*)?` +
    `(?:\\?(?:${PART}|[/?])*)?(?:#(?:${PART}|[/?])*)?$`,
)
const LENGTH_MAX = 2_000 // what browsers and servers bear

/** Whether text is a URI, or a name with a prefix, such as ex:field, which looks the same. */
export function isUri(given: string): boolean {
  return given.length <= LENGTH_MAX && URI.test(given)
}

/** Error: `epcis-event`. */
export function requireUri(given: unknown, path: string): void {
  if (typeof given === 'string' && isUri(given)) return
  const shown = given === undefined ? 'nothing' : JSON.stringify(given).slice(0, 80)
  throw new ConsiliumError({ code: 'epcis-event', message: `${path}: ${shown} was given, a URI is expected` })
}

/** Names of members in references to entries: `St.Mary/17`. */

/** A name without spaces, so that a reference is one word. */
export function squeeze(name: string): string {
  return name.replaceAll(/\s+/g, '')
}

/** Finds keys that come twice in one JSON object: JSON.parse keeps the last in silence, other readers the first. */

/** The first key that an object of this valid JSON text has twice, or null. */
export function firstRepeatedKey(text: string): string | null {
  const open: (Set<string> | null)[] = [] // keys of each open object, null for an array
  for (let at = 0; at < text.length; at++) {
    const character = text[at]
    if (character === '{') open.push(new Set())
    else if (character === '[') open.push(null)
    else if (character === '}' || character === ']') open.pop()
    else if (character === '"') {
      const end = endOfString(text, at)
      const keys = open.at(-1)
      if (keys && text[afterSpaces(text, end + 1)] === ':') {
        const key = JSON.parse(text.slice(at, end + 1)) as string
        if (keys.has(key)) return key
        keys.add(key)
      }
      at = end
    }
  }
  return null
}

function afterSpaces(text: string, from: number): number {
  let at = from
  while (text[at] === ' ' || text[at] === '\n' || text[at] === '\r' || text[at] === '\t') at++
  return at
}

function endOfString(text: string, start: number): number {
  let at = start + 1
  while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1
  return at
}

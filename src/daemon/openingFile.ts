/** Reads what `consilium audit round --open` wrote: strictly, a line at a time. */
import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import * as v from 'valibot'
import { fromHex } from '../core/bytes.ts'
import { ConsiliumError } from '../core/errors.ts'
import type { MemberId, StudyId } from '../core/ids.ts'
import { FORMAT, type OpenedLeaf, type OpenedWord } from '../governance/consentOpening.ts'
import type { BareLeaf } from '../governance/roundSets.ts'

const hex = (bytes?: number) =>
  v.pipe(
    v.string(),
    v.regex(bytes === undefined ? /^(?:[0-9a-f]{2})+$/ : new RegExp(`^[0-9a-f]{${2 * bytes}}$`)),
    v.transform(fromHex),
  )
const words = v.array(
  v.pipe(
    v.strictTuple([hex(32), hex()]),
    v.transform(([salt, bytes]): OpenedWord => ({ salt, bytes })),
  ),
)
const HEADER = v.strictObject({
  format: v.literal(FORMAT),
  study: v.string(),
  member: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
  seq: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  hash: v.string(),
})
const LINE = v.union([
  v.strictObject({
    tag: hex(16),
    salt: hex(16),
    permitted: v.boolean(),
    rows: v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
    words,
  }),
  v.strictObject({ tag: hex(16), leaf: hex(32) }),
  v.strictObject({ elsewhere: words }),
])

/** Errors: `audit-file`, `file-missing`. */
export async function readOpening(path: string) {
  let header: v.InferOutput<typeof HEADER> | null = null
  const [leaves, bare, elsewhere]: [OpenedLeaf[], BareLeaf[], OpenedWord[]] = [[], [], []]
  let line = 0
  try {
    for await (const text of createInterface({ input: createReadStream(path) })) {
      line++
      const value: unknown = JSON.parse(text)
      if (header === null) {
        header = v.parse(HEADER, value)
        continue
      }
      const one = v.parse(LINE, value)
      if ('elsewhere' in one) elsewhere.push(...one.elsewhere)
      else if ('leaf' in one) bare.push(one)
      else leaves.push(one)
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT')
      throw fault('file-missing', `${path}: there is no such file; check the path`)
    throw fault('audit-file', `${path}: line ${line}: is no line of what "consilium audit round --open" writes`)
  }
  if (header === null) throw fault('audit-file', `${path}: the file is empty`)
  return {
    header: header as typeof header & { member: MemberId; study: StudyId },
    opening: { leaves, bare, elsewhere },
  }
}

const fault = (code: string, message: string): ConsiliumError => new ConsiliumError({ code, message })

/** Files in test/golden: read, and with CONSILIUM_GOLDEN=write written where they don't exist yet. They are never edited. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'

const pathOf = (name: string): URL => new URL(`../golden/${name}`, import.meta.url)

/** The bytes of the golden file `name`; `made` is what today's code gives, and what a missing file is written from. */
export function golden(name: string, made: Uint8Array): Uint8Array {
  const path = pathOf(name)
  if (process.env.CONSILIUM_GOLDEN === 'write' && !existsSync(path)) writeFileSync(path, made)
  return new Uint8Array(readFileSync(path))
}

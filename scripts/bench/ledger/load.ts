/** Loads a peer's package from the folder where npm has put it. */
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

/** What `name` exports, as found from the package `from`, or from the folder itself. */
export async function load(folder: string, name: string, from?: string) {
  const base = createRequire(join(folder, 'package.json'))
  const found = from === undefined ? base.resolve(name) : createRequire(base.resolve(from)).resolve(name)
  return (await import(pathToFileURL(found).href)).default
}

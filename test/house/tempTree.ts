/** A small repository in a temporary folder, for rules and for the test runner to look at. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const MODULES = fileURLToPath(new URL('../../node_modules', import.meta.url))

/** Files by path. */
export type Tree = Readonly<Record<string, string>>

/** Writes `tree`, gives its root to `look`, and removes it whatever happens. The packages of this repository can be imported in it. */
export async function inTree<T>(tree: Tree, look: (root: string) => T | Promise<T>): Promise<T> {
  const root = mkdtempSync(join(tmpdir(), 'consilium-house-'))
  try {
    symlinkSync(MODULES, join(root, 'node_modules'))
    for (const [path, text] of Object.entries(tree)) {
      mkdirSync(dirname(join(root, path)), { recursive: true })
      writeFileSync(join(root, path), text)
    }
    return await look(root)
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

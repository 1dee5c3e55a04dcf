/** The source tree as the house's rules see it: every TypeScript file, parsed once, and walks over what it holds. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import ts from 'typescript'

/** The parts of the repository that hold code, and so fall under the rules. */
export const AREAS = ['src', 'netsim', 'scripts', 'test'] as const
export type Area = (typeof AREAS)[number]

/** One source file. */
export interface HouseFile {
  /** Relative to the root, with forward slashes: `src/core/cbor.ts`. */
  readonly path: string
  readonly area: Area
  /** The first folder below the area (`core`), or empty for a file that lies in the area itself. */
  readonly folder: string
  readonly text: string
  readonly ast: ts.SourceFile
}

/** A repository, read into memory. */
export interface House {
  readonly root: string
  readonly files: readonly HouseFile[]
  readonly byPath: ReadonlyMap<string, HouseFile>
}

/** One breach of one rule; `line` counts from 1, 0 where the whole file or tree is meant. */
export interface Violation {
  readonly path: string
  readonly line: number
  /** What was found and what to do about it, on one line. */
  readonly message: string
}

/** A named rule; its check returns what breaks it. */
export interface Rule {
  readonly name: string
  check(house: House): Violation[]
}

/** Reads and parses every `.ts` file of the areas below `root`; areas and folders that don't exist are empty. */
export function readHouse(root: string): House {
  const files = AREAS.flatMap((area) => pathsBelow(root, area).map((path) => readFile(root, area, path)))
  return { root, files, byPath: new Map(files.map((file) => [file.path, file])) }
}

/** The text of a file of the tree, or null where there is none. */
export function readText(house: House, path: string): string | null {
  const file = join(house.root, path)
  return existsSync(file) ? readFileSync(file, 'utf8') : null
}

/** Calls `visit` on every node of the file, parents before children. */
export function walk(file: HouseFile, visit: (node: ts.Node) => void): void {
  const step = (node: ts.Node): void => {
    visit(node)
    ts.forEachChild(node, step)
  }
  step(file.ast)
}

/** A violation at `node`. */
export function at(file: HouseFile, node: ts.Node, message: string): Violation {
  return { path: file.path, line: lineOf(file, node.getStart(file.ast)), message }
}

/** The line, from 1, of a position in the file's text. */
export function lineOf(file: HouseFile, position: number): number {
  return file.ast.getLineAndCharacterOfPosition(position).line + 1
}

/** Every comment of the file with its position; strings and templates that look like one are none. */
export function commentsOf(file: HouseFile): { readonly text: string; readonly pos: number }[] {
  const found = new Map<number, string>()
  const keep = (ranges: readonly ts.CommentRange[] | undefined): void => {
    for (const { pos, end } of ranges ?? []) found.set(pos, file.text.slice(pos, end))
  }
  const step = (node: ts.Node): void => {
    if (node.pos < node.end) keep(ts.getLeadingCommentRanges(file.text, node.pos))
    keep(ts.getTrailingCommentRanges(file.text, node.end))
    for (const child of node.getChildren(file.ast)) step(child)
  }
  step(file.ast)
  return [...found].map(([pos, text]) => ({ text, pos }))
}

function pathsBelow(root: string, folder: string): string[] {
  if (!existsSync(join(root, folder))) return []
  const entries = readdirSync(join(root, folder), { withFileTypes: true })
  return entries.sort(byName).flatMap((entry) => {
    const path = posix.join(folder, entry.name)
    if (entry.isDirectory()) return entry.name === 'node_modules' ? [] : pathsBelow(root, path)
    return entry.name.endsWith('.ts') ? [path] : []
  })
}

function byName(a: { name: string }, b: { name: string }): number {
  return a.name < b.name ? -1 : 1
}

function readFile(root: string, area: Area, path: string): HouseFile {
  const text = readFileSync(join(root, path), 'utf8')
  const parts = path.split('/')
  const folder = parts.length > 2 ? (parts[1] as string) : ''
  return { path, area, folder, text, ast: ts.createSourceFile(path, text, ts.ScriptTarget.ES2023, true) }
}

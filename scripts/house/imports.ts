/** Rules on imports: the table, the one barrel, no cycles, and forms that the table could not see. */
import { isBuiltin } from 'node:module'
import { posix } from 'node:path'
import ts from 'typescript'
import { BARRELS, COMPUTED_IMPORTS, EXCEPTIONS, FOLDERS, type FolderRule, NETSIM, TOP_FILES } from './table.ts'
import { at, type House, type HouseFile, type Rule, type Violation, walk } from './tree.ts'

/** One import: a statement, a type, a call of `import()`, or a URL relative to the module. */
interface Import {
  readonly node: ts.Node
  readonly specifier: string
  /** The path within the repository, where the specifier is relative. */
  readonly target: string | null
  /** A file that is started by its URL, as workers are: it may not cross the table, but closes no cycle. */
  readonly byUrl: boolean
}

export const importTable: Rule = {
  name: 'imports',
  check: (house) => house.files.flatMap((file) => importsOf(file).flatMap((found) => judge(file, found))),
}

export const importForms: Rule = {
  name: 'import-forms',
  check: (house) => house.files.flatMap(formsOf),
}

export const oneBarrel: Rule = {
  name: 'barrel',
  check: (house) => house.files.flatMap(barrelsOf),
}

/** Type-only imports count too: a cycle of types is one of ideas. */
export const noCycles: Rule = {
  name: 'cycles',
  check: (house) => cyclesOf(house).map((cycle) => describeCycle(house, cycle)),
}

function judge(file: HouseFile, found: Import): Violation[] {
  const fault = found.target === null ? packageFault(file, found.specifier) : targetFault(file, found.target)
  return fault === null ? [] : [at(file, found.node, fault)]
}

/** Why `file` may not import a path of this repository, or null. */
function targetFault(file: HouseFile, target: string): string | null {
  const area = target.split('/')[0] as string
  if (file.area === 'test' || file.area === 'scripts') {
    return file.area === 'scripts' && area === 'test'
      ? 'scripts may not import test: move what both need to scripts'
      : null
  }
  if (area === file.area && file.area === 'netsim') return null
  if (area !== 'src') return `${file.area} may not import ${area}: move what it needs to src`
  if (target === 'src/index.ts') return 'nothing here imports src/index.ts: import the file that has it'
  const inside = target.slice('src/'.length)
  const own = file.area === 'src' && file.folder !== '' && inside.startsWith(`${file.folder}/`)
  const rule = ruleOf(file)
  if (own || (rule?.ours.some((part) => inside === part || inside.startsWith(`${part}/`)) ?? false)) return null
  if (rule === null) return noRow(file)
  return `${nameOf(file)} may not import ${inside} (it may import ${rule.ours.join(', ') || 'nothing'}): ${rule.because}`
}

/** Why `file` may not import a package or a builtin, or null. */
function packageFault(file: HouseFile, specifier: string): string | null {
  if (isBuiltin(specifier) && !specifier.startsWith('node:')) return `write node:${specifier}`
  if (file.area === 'test' || file.area === 'scripts') return null
  const rule = ruleOf(file)
  if (rule === null) return noRow(file)
  if (EXCEPTIONS.some((row) => row.file === file.path && row.specifiers.some((mask) => matches(mask, specifier))))
    return null
  if (specifier.startsWith('node:')) {
    return rule.node ? null : `${nameOf(file)} may not import ${specifier}: ${rule.because}`
  }
  if (rule.npm.some((mask) => matches(mask, specifier))) return null
  return `${nameOf(file)} may not import the package ${specifier} (it may import ${rule.npm.join(', ') || 'none'}): ${rule.because}`
}

function noRow(file: HouseFile): string {
  return `${nameOf(file)} has no row in scripts/house/table.ts: add one that says what it may import`
}

function nameOf(file: HouseFile): string {
  return file.area === 'src' ? file.folder || file.path.slice('src/'.length) : file.area
}

function ruleOf(file: HouseFile): FolderRule | null {
  if (file.area === 'netsim') return NETSIM
  return (file.folder === '' ? TOP_FILES[file.path.slice('src/'.length)] : FOLDERS[file.folder]) ?? null
}

/** `@libp2p/*` stands for a scope, `libp2p` for a package with its subpaths. */
function matches(mask: string, specifier: string): boolean {
  if (mask.endsWith('/*')) return specifier.startsWith(mask.slice(0, -1))
  return specifier === mask || specifier.startsWith(`${mask}/`)
}

function importsOf(file: HouseFile): Import[] {
  const found: Import[] = []
  walk(file, (node) => {
    const literal = specifierOf(node)
    if (literal === undefined) return
    const byUrl = ts.isNewExpression(node)
    const relative = literal.text.startsWith('.')
    if (byUrl && !/^\..*\.[tj]s$/.test(literal.text)) return
    const target = relative ? posix.join(posix.dirname(file.path), literal.text.replace(/\.js$/, '.ts')) : null
    found.push({ node: literal, specifier: literal.text, target, byUrl })
  })
  return found
}

function specifierOf(node: ts.Node): ts.StringLiteralLike | undefined {
  let expression: ts.Node | undefined
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) expression = node.moduleSpecifier
  else if (ts.isImportTypeNode(node))
    expression = ts.isLiteralTypeNode(node.argument) ? node.argument.literal : undefined
  else if (ts.isCallExpression(node) && isLoader(node.expression)) expression = node.arguments[0]
  else if (ts.isNewExpression(node) && node.expression.getText() === 'URL' && node.arguments?.length === 2) {
    expression = node.arguments[0]
  }
  return expression !== undefined && ts.isStringLiteralLike(expression) ? expression : undefined
}

function isLoader(callee: ts.Expression): boolean {
  return callee.kind === ts.SyntaxKind.ImportKeyword || (ts.isIdentifier(callee) && callee.text === 'require')
}

function formsOf(file: HouseFile): Violation[] {
  const found: Violation[] = []
  walk(file, (node) => {
    if (ts.isImportEqualsDeclaration(node)) found.push(at(file, node, 'write an ES import'))
    if (!ts.isCallExpression(node) || !isLoader(node.expression)) return
    if (node.expression.kind !== ts.SyntaxKind.ImportKeyword)
      found.push(at(file, node, 'write import instead of require'))
    else if (!isComputedAllowed(file) && specifierOf(node) === undefined) {
      found.push(at(file, node, 'a computed import escapes the import table: write the specifier as a literal'))
    }
  })
  for (const { node, specifier, byUrl } of importsOf(file)) {
    if (!byUrl && specifier.startsWith('.') && !/\.(?:ts|json)$/.test(specifier)) {
      found.push(at(file, node, `"${specifier}" should end in .ts`))
    }
  }
  return found
}

function isComputedAllowed(file: HouseFile): boolean {
  const inProduct = file.area === 'src' || file.area === 'netsim'
  return !inProduct || COMPUTED_IMPORTS.some((row) => row.file === file.path)
}

function barrelsOf(file: HouseFile): Violation[] {
  if (BARRELS.includes(file.path) || file.area === 'test') return []
  const passedOn = file.ast.statements.filter(
    (node) => ts.isExportDeclaration(node) && node.moduleSpecifier !== undefined,
  )
  return passedOn.map((node) =>
    at(file, node, `only ${BARRELS.join(' and ')} are barrels: import the name where it is used`),
  )
}

/** Strongly connected groups of files, each as one cycle through the group, the first file repeated at the end. */
function cyclesOf(house: House): string[][] {
  const edges = new Map<string, string[]>()
  for (const file of house.files) {
    const targets = importsOf(file).filter(({ byUrl, target }) => !byUrl && target !== null && house.byPath.has(target))
    edges.set(file.path, [...new Set(targets.map(({ target }) => target as string))].sort())
  }
  const reported = new Set<string>()
  const cycles: string[][] = []
  for (const start of [...edges.keys()].sort()) {
    if (reported.has(start)) continue
    const cycle = shortestCycle(edges, start)
    if (cycle === null) continue
    for (const path of cycle) reported.add(path)
    cycles.push(cycle)
  }
  return cycles
}

function shortestCycle(edges: ReadonlyMap<string, readonly string[]>, start: string): string[] | null {
  const cameFrom = new Map<string, string>()
  const queue = [start]
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    for (const target of edges.get(next) ?? []) {
      if (target === start) return [...pathTo(cameFrom, start, next), start]
      if (cameFrom.has(target)) continue
      cameFrom.set(target, next)
      queue.push(target)
    }
  }
  return null
}

function pathTo(cameFrom: ReadonlyMap<string, string>, start: string, end: string): string[] {
  const path = [end]
  while (path[0] !== start) path.unshift(cameFrom.get(path[0] as string) as string)
  return path
}

function describeCycle(house: House, cycle: readonly string[]): Violation {
  const file = house.byPath.get(cycle[0] as string) as HouseFile
  const edge = importsOf(file).find(({ target }) => target === cycle[1])
  const message = `an import cycle: ${cycle.join(' → ')}: move what both sides need to a file of its own`
  return edge ? at(file, edge.node, message) : { path: file.path, line: 0, message }
}

/** Rules on how the house is written: sizes, words, docstrings, the map of the source, and suites that run. */
import { posix } from 'node:path'
import ts from 'typescript'
import {
  at,
  commentsOf,
  type House,
  type HouseFile,
  lineOf,
  type Rule,
  readText,
  type Violation,
  walk,
} from './tree.ts'

const FILE_LINES_MAX = 400 // about what a reader keeps in mind; STYLE 11
const FUNCTION_LINES_MAX = 70 // one screen; STYLE 11

/** Files and functions that may be longer. `function` is null where the file's own length is meant. */
const LONGER: readonly { file: string; function: string | null; linesMax: number; because: string }[] = []

const NAMELESS = /^(?:utils?|helpers?|misc|common|shared-utils)\.ts$/
const EMPTY_PROMISE = /\b(?:TODO|FIXME|XXX|HACK)\b/
const SILENCED = /@ts-(?:ignore|expect-error|nocheck)\b/

export const sizes: Rule = {
  name: 'sizes',
  check: (house) => house.files.filter(isProduct).flatMap((file) => [...fileLength(file), ...functionLengths(file)]),
}

export const names: Rule = {
  name: 'names',
  check: (house) =>
    house.files
      .filter((file) => NAMELESS.test(posix.basename(file.path)))
      .map(({ path }) => ({ path, line: 0, message: 'name the file for its idea, or put each part by its user' })),
}

export const words: Rule = {
  name: 'words',
  check: (house) => house.files.flatMap((file) => [...anyTypes(file), ...commentWords(file)]),
}

export const docstrings: Rule = {
  name: 'docstrings',
  check: (house) => house.files.filter((file) => file.area === 'src').flatMap(undocumented),
}

export const mapOfSource: Rule = { name: 'map', check: unmapped }

export const suites: Rule = {
  name: 'suites',
  check: (house) => house.files.flatMap((file) => [...idleSuites(file), ...emptyTestFile(house, file)]),
}

function isProduct(file: HouseFile): boolean {
  return file.area !== 'test' && !file.path.endsWith('.test.ts')
}

function fileLength(file: HouseFile): Violation[] {
  const lines = file.text.split('\n').length - (file.text.endsWith('\n') ? 1 : 0)
  const max = maxFor(file, null, FILE_LINES_MAX)
  if (lines <= max) return []
  return [{ path: file.path, line: 0, message: `${lines} lines, at most ${max} are allowed: split it by idea` }]
}

function functionLengths(file: HouseFile): Violation[] {
  const found: Violation[] = []
  walk(file, (node) => {
    if (!ts.isFunctionLike(node) || !('body' in node) || node.body === undefined) return
    const lines = lineOf(file, node.end) - lineOf(file, node.getStart(file.ast)) + 1
    const name = functionName(node)
    const max = maxFor(file, name, FUNCTION_LINES_MAX)
    if (lines > max)
      found.push(at(file, node, `${name} has ${lines} lines, at most ${max} are allowed: split it by idea`))
  })
  return found
}

function maxFor(file: HouseFile, name: string | null, usual: number): number {
  return LONGER.find((row) => row.file === file.path && row.function === name)?.linesMax ?? usual
}

function functionName(node: ts.SignatureDeclaration): string {
  if (ts.isConstructorDeclaration(node)) return 'constructor'
  if (node.name !== undefined) return node.name.getText()
  return ts.isVariableDeclaration(node.parent) ? node.parent.name.getText() : 'a function'
}

function anyTypes(file: HouseFile): Violation[] {
  const found: Violation[] = []
  walk(file, (node) => {
    if (node.kind === ts.SyntaxKind.AnyKeyword)
      found.push(at(file, node, 'any: write the type, or unknown and a check'))
  })
  return found
}

function commentWords(file: HouseFile): Violation[] {
  return commentsOf(file).flatMap(({ text, pos }) => {
    const promise = EMPTY_PROMISE.exec(text)
    const silenced = SILENCED.exec(text)
    const found: string[] = []
    if (promise) found.push(`${promise[0]}: do it now, or open an issue`)
    if (silenced) found.push(`${silenced[0]}: mend the type`)
    return found.map((message) => ({ path: file.path, line: lineOf(file, pos), message }))
  })
}

function undocumented(file: HouseFile): Violation[] {
  const seen = new Set<string>() // the overloads of one function share the first one's docstring
  return file.ast.statements.flatMap((node) => {
    const name = exportedName(node)
    if (name === null || seen.has(name)) return []
    seen.add(name)
    return hasDocstring(node)
      ? []
      : [at(file, node, `${name} is exported without a docstring: say what it is, shapes, units, errors`)]
  })
}

/** The name of an exported function (arrow functions too), class or interface; null for other statements. */
function exportedName(node: ts.Statement): string | null {
  if (!ts.canHaveModifiers(node)) return null
  if (!ts.getModifiers(node)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword)) return null
  if (ts.isFunctionDeclaration(node) || ts.isClassDeclaration(node) || ts.isInterfaceDeclaration(node)) {
    return node.name?.text ?? 'default'
  }
  if (!ts.isVariableStatement(node)) return null
  const made = node.declarationList.declarations.find(({ initializer }) => initializer && isFunction(initializer))
  return made ? made.name.getText() : null
}

function isFunction(node: ts.Node): boolean {
  return ts.isArrowFunction(node) || ts.isFunctionExpression(node)
}

function hasDocstring(node: ts.Statement): boolean {
  return 'jsDoc' in node && Array.isArray(node.jsDoc) && node.jsDoc.length > 0 && !isHeadComment(node)
}

/** The file's head comment stands first, before an import as a rule; alone before a first export it documents the file only. */
function isHeadComment(node: ts.Statement): boolean {
  return node.pos === 0 && (ts.getLeadingCommentRanges(node.getSourceFile().text, 0) ?? []).length < 2
}

function unmapped(house: House): Violation[] {
  const folders = new Set(
    house.files.filter(({ area, folder }) => area === 'src' && folder !== '').map(({ folder }) => folder),
  )
  if (folders.size === 0) return []
  const map = readText(house, 'src/README.md')
  const path = 'src/README.md'
  if (map === null) return [{ path, line: 0, message: 'missing: list every folder of src with one line' }]
  const missing = [...folders].sort().filter((folder) => !map.includes(`${folder}/`))
  return missing.map((folder) => ({
    path,
    line: 0,
    message: `does not list ${folder}/: say in one line what it is for`,
  }))
}

/** Suites that are made but not run, and tests that keep the others from running. */
function idleSuites(file: HouseFile): Violation[] {
  const made = new Map<string, ts.Node>()
  const run = new Set<string>()
  const only: ts.Node[] = []
  walk(file, (node) => {
    if (ts.isVariableDeclaration(node) && node.initializer && isSuiteCall(node.initializer))
      made.set(node.name.getText(), node)
    if (!ts.isCallExpression(node) || !ts.isPropertyAccessExpression(node.expression)) return
    const { expression, name } = node.expression
    if (name.text === 'run') run.add(expression.getText())
    if (name.text === 'only' && made.has(expression.getText())) only.push(node)
  })
  const idle = [...made].filter(([name]) => !run.has(name))
  return [
    ...idle.map(([name, node]) => at(file, node, `its tests never run: end the file with ${name}.run()`)),
    ...only.map((node) => at(file, node, 'only: it keeps the other tests from running')),
  ]
}

function isSuiteCall(node: ts.Expression): boolean {
  return ts.isCallExpression(node) && ts.isIdentifier(node.expression) && node.expression.text === 'suite'
}

/** A test file that neither runs a suite itself nor imports a file of ours that does. */
function emptyTestFile(house: House, file: HouseFile): Violation[] {
  if (!file.path.endsWith('.test.ts') || runsSuite(file)) return []
  const shared = file.ast.statements.some((node) => {
    if (!ts.isImportDeclaration(node) || !ts.isStringLiteral(node.moduleSpecifier)) return false
    const target = house.byPath.get(posix.join(posix.dirname(file.path), node.moduleSpecifier.text))
    return target !== undefined && runsSuite(target)
  })
  return shared ? [] : [{ path: file.path, line: 0, message: 'no suite is run: uvu would pass it with no test' }]
}

function runsSuite(file: HouseFile): boolean {
  return /\bfrom 'uvu'/.test(file.text) && /\.run\(\)/.test(file.text)
}

/** Rules on the pure parts: no clock, chance, timers, waiting, input or output; and arithmetic that is the same everywhere. */
import ts from 'typescript'
import { NETSIM_REAL_TIME, PURE } from './table.ts'
import { at, type HouseFile, type Rule, type Violation, walk } from './tree.ts'

// biome-ignore format: one list
const CLOCK_AND_CHANCE = new Set([
  'Date', 'performance', 'setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask', 'crypto', 'randomBytes',
  'randomUUID', 'randomInt', 'randomFillSync', 'getRandomValues', 'webcrypto', 'hrtime',
])

// biome-ignore format: one list
/** Names beside the clock that a pure part may not use: each is a door to the outside or differs between machines. */
const OUTSIDE = new Set([
  'process', 'console', 'globalThis', 'global', 'fetch', 'WebSocket', 'Promise', 'Worker', 'Atomics', 'WeakRef',
  'FinalizationRegistry', 'AbortController', 'Intl', 'localeCompare', 'toLocaleString', 'toLocaleLowerCase',
  'toLocaleUpperCase', 'require',
])

// biome-ignore format: one list
/** What IEEE 754 fixes to the last bit, or what is exact; the other functions of Math differ between machines. */
const EXACT_MATH = new Set([
  'abs', 'ceil', 'clz32', 'floor', 'fround', 'imul', 'max', 'min', 'round', 'sign', 'sqrt', 'trunc', 'PI', 'E', 'LN2', 'SQRT2',
])

export const pureParts: Rule = {
  name: 'pure',
  check: (house) => house.files.filter(isPure).flatMap(impuritiesOf),
}

export const virtualTime: Rule = {
  name: 'virtual-time',
  check: (house) =>
    house.files
      .filter(isSimulated)
      .flatMap((file) =>
        namesOf(file, CLOCK_AND_CHANCE, 'in netsim time and chance are virtual: ask the simulation for them'),
      ),
}

export const exactArithmetic: Rule = {
  name: 'arithmetic',
  check: (house) =>
    house.files
      .filter((file) => isPure(file) || EXACT_FOLDERS.some((folder) => file.path.startsWith(folder)))
      .flatMap(inexactOf),
}

/** Folders beside the pure ones whose results must have the same bytes everywhere. */
const EXACT_FOLDERS = ['src/learn/merge/', 'netsim/world/', 'netsim/adversary/']

function isPure(file: HouseFile): boolean {
  return file.area === 'src' && (PURE as readonly string[]).includes(file.folder)
}

function isSimulated(file: HouseFile): boolean {
  const real = NETSIM_REAL_TIME.some((mask) => (mask.endsWith('/') ? file.path.startsWith(mask) : file.path === mask))
  return file.area === 'netsim' && !real && !file.path.endsWith('.test.ts')
}

function impuritiesOf(file: HouseFile): Violation[] {
  const advice =
    'a pure part has no clock, chance, waiting or input and output of its own: take it as an argument, or make it an action'
  const found = namesOf(file, new Set([...CLOCK_AND_CHANCE, ...OUTSIDE]), advice)
  walk(file, (node) => {
    const waits =
      ts.isAwaitExpression(node) ||
      node.kind === ts.SyntaxKind.AsyncKeyword ||
      (ts.isForOfStatement(node) && node.awaitModifier !== undefined) ||
      (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
    if (waits) found.push(at(file, node, `"${firstWord(node)}": ${advice}`))
  })
  return found
}

function firstWord(node: ts.Node): string {
  return node.getText().split(/\W/, 1)[0] as string
}

/** Uses of banned names, `Math.random` among them; a member or a type that happens to have the name is none. */
function namesOf(file: HouseFile, banned: ReadonlySet<string>, advice: string): Violation[] {
  const found: Violation[] = []
  const own = declaredIn(file)
  walk(file, (node) => {
    if (ts.isIdentifier(node) && banned.has(node.text) && !own.has(node.text) && isUse(node))
      found.push(at(file, node, `${node.text}: ${advice}`))
    if (mathMember(node) === 'random') found.push(at(file, node, `Math.random: ${advice}`))
  })
  return found
}

/** Variables and parameters of the file: they may have a banned name, for then they aren't the global. */
function declaredIn(file: HouseFile): Set<string> {
  const own = new Set<string>()
  walk(file, (node) => {
    const declares = ts.isVariableDeclaration(node) || ts.isParameter(node) || ts.isBindingElement(node)
    if (declares && ts.isIdentifier(node.name)) own.add(node.name.text)
  })
  return own
}

function isUse(node: ts.Identifier): boolean {
  const parent = node.parent
  if (ts.isPropertyAccessExpression(parent) && parent.name === node) return isMethodOnAnything(node.text)
  if (ts.isTypeReferenceNode(parent) || ts.isQualifiedName(parent)) return node.text === 'Date'
  const isName =
    (ts.isPropertyAssignment(parent) ||
      ts.isPropertySignature(parent) ||
      ts.isPropertyDeclaration(parent) ||
      ts.isMethodDeclaration(parent) ||
      ts.isMethodSignature(parent) ||
      ts.isEnumMember(parent)) &&
    parent.name === node
  return !isName
}

/** Names that are banned as methods too: `text.localeCompare(…)`, `process.hrtime()`, `crypto.randomBytes()`. */
function isMethodOnAnything(name: string): boolean {
  return /^(?:locale|toLocale|random|getRandom|hrtime)/.test(name)
}

function inexactOf(file: HouseFile): Violation[] {
  const found: Violation[] = []
  walk(file, (node) => {
    const member = mathMember(node)
    if (member !== null && member !== 'random' && !EXACT_MATH.has(member)) {
      found.push(at(file, node, `Math.${member} differs between machines: use + − × ÷ √ in a fixed order, or a table`))
    }
    if (ts.isBinaryExpression(node) && isPower(node) && !isExactPower(node)) {
      found.push(at(file, node, '** of what is not constant differs between machines: multiply, or use a table'))
    }
  })
  return found
}

/** The member of Math that `node` takes: its name, `(computed)` where that can't be read, or null for other nodes. */
function mathMember(node: ts.Node): string | null {
  if (!ts.isIdentifier(node) || node.text !== 'Math') return null
  const parent = node.parent
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node ? parent.name.text : null
  if (ts.isElementAccessExpression(parent) && ts.isStringLiteralLike(parent.argumentExpression)) {
    return parent.argumentExpression.text
  }
  return '(computed)'
}

function isPower(node: ts.BinaryExpression): boolean {
  const kind = node.operatorToken.kind
  return kind === ts.SyntaxKind.AsteriskAsteriskToken || kind === ts.SyntaxKind.AsteriskAsteriskEqualsToken
}

/** Constants are folded to the same value everywhere, and a whole power of 2 is exact. */
function isExactPower({ left, right }: ts.BinaryExpression): boolean {
  return isConstant(left) && (isConstant(right) || left.getText() === '2')
}

function isConstant(node: ts.Expression): boolean {
  if (ts.isParenthesizedExpression(node)) return isConstant(node.expression)
  if (ts.isPrefixUnaryExpression(node)) return isConstant(node.operand)
  return ts.isNumericLiteral(node) || ts.isBigIntLiteral(node)
}

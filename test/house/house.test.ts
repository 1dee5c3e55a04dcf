/** The house's rules: each catches what it is for, in a small tree that breaks it, and leaves a clean tree alone. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { checkHouse, describeBreach, RULES } from '../../scripts/house.ts'
import { inTree, type Tree } from './tempTree.ts'

const it = suite('house')

const CLEAN: Tree = {
  'package.json': JSON.stringify({ dependencies: { cborg: '6.1.5' }, devDependencies: { uvu: '0.5.6' } }),
  'package-lock.json': JSON.stringify({
    packages: {
      '': {},
      'node_modules/cborg': { integrity: 'sha512-x' },
      'node_modules/esbuild': { integrity: 'sha512-x', dev: true, hasInstallScript: true },
      'node_modules/classic-level': { integrity: 'sha512-x', hasInstallScript: true },
    },
  }),
  'src/README.md': '| `core/` | … |\n| `net/` | … |\n| `learn/` | … |\n',
  'src/index.ts': "export { seven } from './core/seven.ts'\n",
  'src/core/seven.ts': '/** Head. */\n/** Seven. */\nexport function seven(): number {\n  return 2 ** 3 - 1\n}\n',
  'src/net/link.ts': "import { connect } from 'node:net'\nimport { seven } from '../core/seven.ts'\nconnect(seven())\n",
  'netsim/clock.ts': "import { seven } from '../src/core/seven.ts'\nseven()\n",
  'test/core/seven.test.ts': "import { suite } from 'uvu'\nconst it = suite('seven')\nit.run()\n",
}

/** Rule, what is wrong, the files that make it so, and the file (with line) that must be named. */
const BREACHES: readonly [rule: string, what: string, tree: Tree, where: string][] = [
  // who may import whom
  ['imports', 'core imports net', { 'src/core/a.ts': "\nimport '../net/link.ts'" }, 'src/core/a.ts:2'],
  [
    'imports',
    'core imports a type of net',
    { 'src/core/a.ts': "import type { X } from '../net/link.ts'" },
    'src/core/a.ts:1',
  ],
  [
    'imports',
    'core names a type of net inline',
    { 'src/core/a.ts': "let a: import('../net/link.ts').X" },
    'src/core/a.ts:1',
  ],
  ['imports', 'core loads net when it runs', { 'src/net/b.ts': "import('../store/x.ts')" }, 'src/net/b.ts:1'],
  [
    'imports',
    'a worker is started across the table',
    { 'src/net/b.ts': "new URL('../learn/w.ts', import.meta.url)" },
    'src/net/b.ts:1',
  ],
  ['imports', 'core imports a package', { 'src/core/a.ts': "import 'cborg'" }, 'src/core/a.ts:1'],
  ['imports', 'net imports the codec directly', { 'src/net/b.ts': "import 'cborg'" }, 'src/net/b.ts:1'],
  [
    'imports',
    'a subpath counts as its package',
    { 'src/learn/a.ts': "import '@libp2p/crypto/keys'" },
    'src/learn/a.ts:1',
  ],
  ['imports', 'tfjs outside its one file', { 'src/learn/a.ts': "import '@tensorflow/tfjs-core'" }, 'src/learn/a.ts:1'],
  ['imports', 'a builtin in a pure part', { 'src/core/a.ts': "import 'node:fs'" }, 'src/core/a.ts:1'],
  ['imports', 'a builtin without node:', { 'src/net/b.ts': "import 'fs'" }, 'src/net/b.ts:1'],
  ['imports', 'cli imports net', { 'src/cli/a.ts': "import '../net/link.ts'" }, 'src/cli/a.ts:1'],
  ['imports', 'src imports netsim', { 'src/net/b.ts': "import '../../netsim/clock.ts'" }, 'src/net/b.ts:1'],
  ['imports', 'src imports scripts', { 'src/net/b.ts': "import '../../scripts/x.ts'" }, 'src/net/b.ts:1'],
  ['imports', 'netsim imports net', { 'netsim/a.ts': "import '../src/net/link.ts'" }, 'netsim/a.ts:1'],
  [
    'imports',
    'netsim imports the level store',
    { 'netsim/a.ts': "import '../src/store/levelStore.ts'" },
    'netsim/a.ts:1',
  ],
  ['imports', 'scripts import test', { 'scripts/a.ts': "import '../test/x.ts'" }, 'scripts/a.ts:1'],
  ['imports', 'src imports its own barrel', { 'src/net/b.ts': "import '../index.ts'" }, 'src/net/b.ts:1'],
  [
    'imports',
    'a folder that the table does not know',
    { 'src/new/a.ts': "import '../core/seven.ts'" },
    'src/new/a.ts:1',
  ],
  [
    'import-forms',
    'an import whose name is computed',
    { 'src/net/b.ts': 'const a = 3\nimport("x" + a)' },
    'src/net/b.ts:2',
  ],
  [
    'import-forms',
    'an import that does not end in .ts',
    { 'src/net/b.ts': "import '../core/seven.js'" },
    'src/net/b.ts:1',
  ],
  ['import-forms', 'require', { 'src/net/b.ts': "require('node:fs')" }, 'src/net/b.ts:1'],
  ['barrel', 'a second barrel', { 'src/core/all.ts': "export * from './seven.ts'" }, 'src/core/all.ts:1'],
  [
    'cycles',
    'two files import each other',
    { 'src/core/a.ts': "import './b.ts'", 'src/core/b.ts': "\nimport './a.ts'" },
    'src/core/a.ts:1',
  ],
  [
    'cycles',
    'a cycle of three, of types only',
    {
      'src/core/a.ts': "import type { B } from './b.ts'",
      'src/core/b.ts': "import type { C } from './c.ts'",
      'src/core/c.ts': "import type { A } from './a.ts'",
    },
    'src/core/a.ts:1',
  ],
  ['cycles', 'a file imports itself', { 'src/core/a.ts': "import './a.ts'" }, 'src/core/a.ts:1'],
  // pure parts
  ...[
    'Date.now()',
    'new Date()',
    'performance.now()',
    'Math.random()',
    "Math['random']()",
    'setTimeout(f, 5)',
    'setInterval(f)',
    'setImmediate(f)',
    'queueMicrotask(f)',
    'crypto.randomUUID()',
    'globalThis.crypto',
    'process.env',
    'console.log(7)',
    'fetch(f)',
    'Promise.resolve()',
    'async function f() {}',
    'const f = async () => 7',
    'await f',
    'for await (const x of f) {}',
    "import('./seven.ts')",
    "'b'.localeCompare('a')",
    'f.toLocaleString()',
    'const a = { process }',
    'let at: Date',
    'f(Date)',
  ].map(
    (code) => ['pure', code, { 'src/core/a.ts': `\n${code}` }, 'src/core/a.ts:2'] as [string, string, Tree, string],
  ),
  [
    'pure',
    "chance from node:crypto, also in the codec's folder",
    { 'src/core/digest.ts': "import { randomBytes } from 'node:crypto'" },
    'src/core/digest.ts:1',
  ],
  ['virtual-time', 'the real clock in the simulator', { 'netsim/a.ts': '\n\nDate.now()' }, 'netsim/a.ts:3'],
  ['arithmetic', 'exp in a merge', { 'src/learn/merge/a.ts': 'Math.exp(3)' }, 'src/learn/merge/a.ts:1'],
  ['arithmetic', 'log in a world', { 'netsim/world/a.ts': 'Math.log(3)' }, 'netsim/world/a.ts:1'],
  ['arithmetic', 'exp in an attack', { 'netsim/adversary/a.ts': 'Math.exp(3)' }, 'netsim/adversary/a.ts:1'],
  ['arithmetic', 'log in a merge, computed', { 'src/learn/merge/a.ts': "Math['log'](3)" }, 'src/learn/merge/a.ts:1'],
  ['arithmetic', 'parts of Math taken out of it', { 'src/core/a.ts': 'const { random } = Math' }, 'src/core/a.ts:1'],
  ['arithmetic', 'pow in a pure part', { 'src/core/a.ts': 'Math.pow(3, 7)' }, 'src/core/a.ts:1'],
  [
    'arithmetic',
    'a power of what is not constant',
    { 'src/learn/merge/a.ts': 'const a = 3\nexport const b = a ** 7' },
    'src/learn/merge/a.ts:2',
  ],
  ['arithmetic', 'a power, assigned', { 'src/learn/merge/a.ts': 'let a = 3\na **= 7' }, 'src/learn/merge/a.ts:2'],
  // shape
  ['sizes', 'a file of 401 lines', { 'src/core/a.ts': '\n'.repeat(401) }, 'src/core/a.ts'],
  ['sizes', 'a function of 71 lines', { 'src/core/a.ts': `\nfunction f() {${'\n'.repeat(70)}}` }, 'src/core/a.ts:2'],
  ['sizes', 'a method of 71 lines', { 'scripts/a.ts': `class A {\n  f() {${'\n'.repeat(70)}}\n}` }, 'scripts/a.ts:2'],
  [
    'sizes',
    'an arrow function of 71 lines',
    { 'netsim/a.ts': `const f = () => {${'\n'.repeat(70)}}` },
    'netsim/a.ts:1',
  ],
  ['names', 'utils.ts', { 'src/net/utils.ts': '' }, 'src/net/utils.ts'],
  ['names', 'helpers.ts, in tests too', { 'test/helpers.ts': '' }, 'test/helpers.ts'],
  ['words', 'any', { 'src/net/b.ts': '\nlet a: any' }, 'src/net/b.ts:2'],
  ['words', 'any within a type', { 'test/b.ts': 'let a: Map<string, any[]>' }, 'test/b.ts:1'],
  ['words', '@ts-ignore', { 'src/net/b.ts': '\n// @ts-' + 'ignore\nlet a' }, 'src/net/b.ts:2'],
  ['words', '@ts-expect-error', { 'src/net/b.ts': '/* @ts-' + 'expect-error */\nlet a' }, 'src/net/b.ts:1'],
  [
    'words',
    'a promise to do it later, at the end of a block',
    { 'src/net/b.ts': 'function f() {\n  f()\n  // TO' + 'DO: mend\n}' },
    'src/net/b.ts:3',
  ],
  ['words', 'another one, behind code', { 'src/net/b.ts': 'let a = 3 // FIX' + 'ME' }, 'src/net/b.ts:1'],
  ...[
    'export function f() {}',
    'export const f = () => 7',
    'export class A {}',
    'export interface A {}',
    '/** Head. */\nexport class A {}', // it documents the file only
  ].map((code): (typeof BREACHES)[number] => {
    return ['docstrings', JSON.stringify(code), { 'src/core/a.ts': code }, `src/core/a.ts:${code.split('\n').length}`]
  }),
  ['map', 'a folder that nobody listed', { 'src/store/a.ts': '' }, 'src/README.md'],
  [
    'suites',
    'a suite that is never run',
    { 'test/a.test.ts': "import { suite } from 'uvu'\nconst it = suite('a')\nit('x', f)" },
    'test/a.test.ts:2',
  ],
  [
    'suites',
    'one of two suites is never run',
    { 'test/a.test.ts': "import { suite } from 'uvu'\nconst a = suite('a')\nconst b = suite('b')\na.run()" },
    'test/a.test.ts:3',
  ],
  ['suites', 'a test file without a suite', { 'test/a.test.ts': 'f()' }, 'test/a.test.ts'],
  [
    'suites',
    'a test that keeps the others from running',
    { 'test/a.test.ts': "import { suite } from 'uvu'\nconst it = suite('a')\nit.only('x', f)\nit.run()" },
    'test/a.test.ts:3',
  ],
  // packages
  [
    'versions',
    'a range of versions',
    { 'package.json': '{\n"dependencies": {\n"cborg": "^6.1.5" } }' },
    'package.json:3',
  ],
  [
    'versions',
    'a tag instead of a version',
    { 'package.json': '{ "devDependencies": { "uvu": "latest" } }' },
    'package.json:1',
  ],
  [
    'versions',
    'an optional package from an address',
    { 'package.json': '{ "optionalDependencies": { "x": "git+ssh://x" } }' },
    'package.json:1',
  ],
  [
    'install-scripts',
    'a package that runs a script at users',
    lock('node_modules/new', { hasInstallScript: true }),
    'package-lock.json:1',
  ],
  [
    'install-scripts',
    'one that only developers may have',
    lock('node_modules/x/node_modules/esbuild', { hasInstallScript: true }),
    'package-lock.json:1',
  ],
  [
    'lock-file',
    'a private host',
    lock('node_modules/new', { resolved: 'https://mirror.example/new.tgz' }),
    'package-lock.json:1',
  ],
  ['lock-file', 'no integrity hash', lock('node_modules/new', { integrity: undefined }), 'package-lock.json:1'],
  [
    'lock-file',
    'a build for another platform is left out',
    lock('node_modules/new', { optionalDependencies: { other: '1.2.3' } }),
    'package-lock.json:1',
  ],
  ['lock-file', 'a private host in .npmrc', { '.npmrc': 'registry=https://mirror.example/' }, '.npmrc'],
]

it('a clean tree breaks no rule, and an empty one neither', async () => {
  for (const tree of [CLEAN, {}]) {
    const report = await inTree(tree, checkHouse)
    assert.equal(report.violations.map(describeBreach), [])
    assert.is(report.failed, 0)
    assert.ok(report.passed > 10)
  }
})

for (const [rule, what, tree, where] of BREACHES) {
  it(`${rule}: ${what} is caught`, async () => {
    const report = await inTree({ ...CLEAN, ...tree }, checkHouse)
    const described = report.violations.map(describeBreach)
    assert.ok(
      described.some((line) => line.startsWith(`${where}: ${rule}: `)),
      `expected ${where}: ${rule}, found: ${described.join(' | ')}`,
    )
    assert.ok(described.every((line) => !line.includes('\n')))
  })
}

it('every rule is tried by a tree that breaks it', () => {
  const tried = new Set(BREACHES.map(([rule]) => rule))
  assert.equal(
    RULES.filter(({ name }) => !tried.has(name)).map(({ name }) => name),
    [],
  )
})

/** What looks like a breach and is none. */
const HARMLESS: Readonly<Record<string, Tree>> = {
  'banned words in strings, templates, patterns and comments': {
    'src/core/a.ts': `// Date.now() and any\nconst a = 'Math.random()' + \`setTimeout \${7} console\` + String(/await/)\nString(a)\n`,
  },
  'work to do, named in strings only': {
    'src/net/b.ts': "const a = '// TO" + "DO' + `/* FIX" + 'ME */ @ts-' + 'ignore`\n',
  },
  'a member, a key or a type that has the name of something global': {
    'src/core/a.ts':
      'interface A {\n  process: number\n  performance(): Promise<number>\n}\nlet a: A\na.process = { console: 7 }.console\n',
  },
  'a variable with the name of something global': {
    'src/core/a.ts': 'for (const fetch of [7]) String(fetch)\nconst { crypto } = { crypto: 7 }\nString(crypto)\n',
  },
  'exact arithmetic': { 'src/learn/merge/a.ts': 'const n = 7\nMath.sqrt(2 ** n + 10 ** -3 + Math.max(n, 3))\n' },
  'the barrel of the simulator': { 'netsim/index.ts': "export * from './clock.ts'\n" },
  'the real clock in the command line of the simulator': { 'netsim/cli/run.ts': 'Date.now()\n' },
  'the codec, the digest and tfjs in their one file each': {
    'src/core/cbor.ts': "import 'cborg'\n",
    'src/core/digest.ts': "import 'node:crypto'\n",
    'src/learn/tfjsEngine.ts': "import '@tensorflow/tfjs-core'\nconst name = '@tensorflow/tfjs-node'\nimport(name)\n",
  },
  'a function of 70 lines, in a file of 400': {
    'src/core/a.ts': `function f() {${'\n'.repeat(69)}}${'\n'.repeat(331)}`,
  },
  'a suite that stands in a file that tests share': {
    'test/kit.ts':
      "import { suite } from 'uvu'\nexport function kitSuite() {\n  const it = suite('kit')\n  it.run()\n}\n",
    'test/a.test.ts': "import { kitSuite } from './kit.ts'\nkitSuite()\n",
  },
  'a worker of the own folder that imports its starter': {
    'src/learn/starter.ts': "new URL('./worker.ts', import.meta.url)\n",
    'src/learn/worker.ts': "import './starter.ts'\n",
  },
}

for (const [what, tree] of Object.entries(HARMLESS)) {
  it(`no false alarm: ${what}`, async () => {
    const report = await inTree({ ...CLEAN, ...tree }, checkHouse)
    assert.equal(report.violations.map(describeBreach), [])
  })
}

for (const code of [
  '/** Head. */\n/** F. */\nexport function f() {}',
  "/** Head. */\nimport './seven.ts'\n/** A. */\nexport class A {}",
  'function f() {}',
  'export const A = 7',
]) {
  it(`docstrings: ${JSON.stringify(code)} has or needs none`, async () => {
    const report = await inTree({ ...CLEAN, 'src/core/a.ts': code }, checkHouse)
    assert.equal(report.violations.map(describeBreach), [])
  })
}

it.run()

/** A lock file with one entry that is sound but for `fault`. */
function lock(path: string, fault: object): Tree {
  return { 'package-lock.json': JSON.stringify({ packages: { [path]: { integrity: 'sha512-x', ...fault } } }) }
}

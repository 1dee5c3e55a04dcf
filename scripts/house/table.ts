/** Who may import whom: ARCHITECTURE's table as data. Change it only together with a reason. */

/** What the files of one folder of `src/` may import besides their own folder. */
export interface FolderRule {
  /** Folders (`core`), folders within them (`learn/merge`) or files (`store/memoryStore.ts`) of `src/`. */
  readonly ours: readonly string[]
  readonly npm: readonly string[]
  /** Whether the builtins of Node may be used. */
  readonly node: boolean
  readonly because: string
}

/** Folders where everything that decides lives: no clock, chance, timers, input or output. */
export const PURE = ['core', 'gossip', 'ledger', 'governance', 'node'] as const

/** One row per folder of `src/`; a folder without a row may not exist. */
export const FOLDERS: Readonly<Record<string, FolderRule>> = {
  core: { ours: [], npm: [], node: false, because: 'everything stands on it, so it stands on nothing' },
  gossip: { ours: ['core'], npm: [], node: false, because: 'pure' },
  ledger: { ours: ['core'], npm: [], node: false, because: 'pure; an auditor runs it alone' },
  governance: {
    ours: ['core', 'ledger', 'config'],
    npm: ['valibot', '@marcbachmann/cel-js'],
    node: false,
    because: 'pure; entry bodies and studies have strict schemas, agreements are written in CEL',
  },
  node: {
    ours: ['core', 'gossip', 'ledger', 'governance', 'config'],
    npm: ['valibot'],
    node: false,
    because: 'pure; composes the three below it',
  },
  config: { ours: ['core'], npm: ['valibot', 'yaml'], node: true, because: 'schemas of what people write' },
  learn: {
    ours: ['core', 'config'],
    npm: [],
    node: true,
    because: 'sees weights and matrices, never the network or logs',
  },
  data: { ours: ['core', 'config'], npm: ['csv-parse'], node: true, because: 'patients never meet what sends' },
  training: {
    ours: ['core', 'config', 'data', 'gossip', 'learn', 'node'],
    npm: [],
    node: false,
    because: 'carries out what the machine decides, for every shell alike',
  },
  report: {
    ours: ['core', 'config', 'governance', 'ledger'],
    npm: [],
    node: false,
    because: 'from entries to a page, for whoever holds the logs',
  },
  store: { ours: ['core', 'ledger'], npm: ['level'], node: true, because: 'keeps bytes; knows no meaning' },
  net: {
    ours: ['core', 'polyfill.ts'],
    npm: ['libp2p', '@libp2p/*', '@multiformats/*', 'datastore-level'],
    node: true,
    because: 'carries bytes; the only part that knows libp2p, which needs the polyfill',
  },
  daemon: {
    ours: [
      'core',
      'gossip',
      'ledger',
      'governance',
      'node',
      'config',
      'learn',
      'data',
      'training',
      'report',
      'store',
      'net',
    ],
    npm: ['pino', 'prom-client', 'valibot'],
    node: true,
    because: 'the shell that joins all parts; valibot for the files that it keeps',
  },
  cli: {
    ours: [
      'core',
      'config',
      'daemon',
      'ledger',
      'governance',
      'report',
      'learn/merge',
      'learn/portable',
      'learn/privacy',
    ],
    npm: ['commander'],
    node: true,
    because:
      'starts a daemon, reads files, verifies logs offline and recomputes merges and ε; for all else it asks the control API',
  },
  dashboard: { ours: [], npm: [], node: false, because: 'static pages on the control API' },
}

/** The files that lie in `src/` itself. */
export const TOP_FILES: Readonly<Record<string, FolderRule>> = {
  'main.ts': { ours: ['polyfill.ts', 'cli'], npm: [], node: true, because: 'the command' },
  'polyfill.ts': { ours: [], npm: [], node: false, because: 'runs before anything else is loaded' },
  'index.ts': { ours: Object.keys(FOLDERS).concat('polyfill.ts'), npm: [], node: false, because: 'the public API' },
}

/** What one file may import although its folder may not. A trailing slash stands for all files of a folder. */
export const EXCEPTIONS: readonly { file: string; specifiers: readonly string[]; because: string }[] = [
  { file: 'src/core/cbor.ts', specifiers: ['cborg'], because: 'the one codec; every other file asks this one' },
  { file: 'src/core/digest.ts', specifiers: ['node:crypto'], because: 'SHA-256, synchronous and pure' },
  { file: 'src/core/ed25519.ts', specifiers: ['node:crypto'], because: 'Ed25519, synchronous and pure' },
  {
    file: 'src/learn/tfjsEngine.ts',
    specifiers: ['@tensorflow/*'],
    because: 'the only file that names tfjs; all learners ask it',
  },
]

/** Imports whose specifier is made at run time: they escape this table, so each is listed. */
export const COMPUTED_IMPORTS: readonly { file: string; because: string }[] = [
  { file: 'src/learn/tfjsEngine.ts', because: 'tfjs-node is optional, and the compiler must not look for its types' },
]

/** The files that pass on names of others: what programs outside may import. */
export const BARRELS: readonly string[] = ['src/index.ts', 'netsim/index.ts']

/** What netsim, the other shell, may import from `src/`. */
export const NETSIM: FolderRule = {
  ours: [...PURE, 'config', 'learn', 'data', 'training', 'report', 'store/memoryStore.ts', 'cli/output.ts'],
  npm: ['commander', 'simple-ascii-chart', 'valibot', 'yaml'],
  node: true,
  because:
    "drives the same machine in virtual time, so nothing with sockets, disks or a real clock; its command line prints as the daemon's does",
}

/** Files of netsim that may look at the real clock. A trailing slash stands for all files of a folder. */
export const NETSIM_REAL_TIME = ['netsim/main.ts', 'netsim/cli/', 'netsim/bench/'] as const

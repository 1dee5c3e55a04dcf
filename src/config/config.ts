/** The daemon's config.yaml: strict schema, defaults with their reasons, and the commented file that `init` writes. */
import * as v from 'valibot'
import {
  ACCESS_DEFAULTS,
  type AccessRules,
  accessSchema,
  accessText,
  COUNT_DEFAULTS,
  type CountRules,
  countsComplaint,
  countsSchema,
} from './access.ts'
import { RETENTION_DEFAULTS, type Retention, retentionSchema, retentionText } from './retention.ts'
import { STUDY_BOUNDS } from './studySchema.ts'
import { type Complaint, choice, flag, list, number, parseYaml, section, text, whole } from './yaml.ts'

/** `config.yaml` as read, defaults filled in; read once, at start. */
export interface Config {
  /** The hospital's name on its member card, and so in the consortium's founding; no ledger entry carries it. */
  readonly name: string
  /** Multiaddrs to listen on; none for a node that only dials out. */
  readonly listen: readonly string[]
  /** Multiaddrs under which others reach this node, where they differ from `listen` (a forwarded port). */
  readonly announce: readonly string[]
  /** Multiaddrs of any members, for the first contact. */
  readonly bootstrap: readonly string[]
  /** Looks for members on the local network. */
  readonly mdns: boolean
  readonly learner: { readonly backend: 'auto' | 'kernels' | 'wasm' | 'cpu' | 'native' }
  readonly log: { readonly level: 'trace' | 'debug' | 'info' | 'warn' | 'error' }
  /** What the updates kept for `log verify --replay` may take on the disk, in millions of bytes; 0 keeps none. */
  readonly replay: { readonly keepMegabytes: number }
  /** The hospital's own bound on ε in each private study; null: the study's alone. The stricter one counts. */
  readonly privacy: { readonly epsilonMax: number | null }
  /** Whether no study trains here without an active agreement that names it. */
  readonly agreements: { readonly required: boolean }
  readonly retention: Retention
  /** The file that opens the vault and the node's keys, outside the data folder; null: beside it. A relative path starts at the data folder. */
  readonly vault: { readonly keyFile: string | null }
  /** Whether a table must be a registered version to be bound to a study. */
  readonly datasets: { readonly registered: 'optional' | 'required' }
  readonly access: AccessRules
  readonly counts: CountRules
  /** A file whose first line opens the node's keys; null: the key file opens them. A relative path starts at the data folder. */
  readonly keys: { readonly passphraseFile: string | null }
  /** What this node does by itself where an agreement settles: measures the others' updates, confirms what it computes alike. */
  readonly settlement: { readonly measure: 'auto' | 'ask'; readonly confirm: 'auto' | 'ask' }
}

export const DEFAULT_PORT = 4801 // below the ports that Linux and Windows hand out to clients, so nothing takes it by chance

/** Everything but the name, which only the hospital knows. The reasons stand in the file that `defaultConfigText` writes. */
export const CONFIG_DEFAULTS: Omit<Config, 'name'> = {
  listen: [`/ip4/0.0.0.0/tcp/${DEFAULT_PORT}`],
  announce: [],
  bootstrap: [],
  mdns: false,
  learner: { backend: 'auto' },
  log: { level: 'info' },
  replay: { keepMegabytes: 256 },
  privacy: { epsilonMax: null },
  agreements: { required: false },
  retention: RETENTION_DEFAULTS,
  vault: { keyFile: null },
  datasets: { registered: 'optional' },
  access: ACCESS_DEFAULTS,
  counts: COUNT_DEFAULTS,
  keys: { passphraseFile: null },
  settlement: { measure: 'ask', confirm: 'auto' },
}

const ADDRESSES_MAX = 64 // a bootstrap list names a few members; the address book learns the others
const ADDRESS_CHARACTERS_MAX = 400 // a name of 253 characters, port and peer id fit
const NAME_CHARACTERS_MAX = 80 // one column of the status table
const PATH_CHARACTERS_MAX = 4_096 // PATH_MAX of Linux
const KEEP_MEGABYTES_MAX = 4_000 // beyond it the number of files kept (daemon/inputStore.ts) is the bound, not their bytes
const BACKENDS = ['auto', 'kernels', 'wasm', 'cpu', 'native'] as const
const REGISTERED = ['optional', 'required'] as const
const BY_ITSELF = ['auto', 'ask'] as const
const LEVELS = ['trace', 'debug', 'info', 'warn', 'error'] as const

const addresses = (fallback: readonly string[]) =>
  v.optional(list(text(ADDRESS_CHARACTERS_MAX), 0, ADDRESSES_MAX), [...fallback])

const configSchema = section({
  name: text(NAME_CHARACTERS_MAX),
  listen: addresses(CONFIG_DEFAULTS.listen),
  announce: addresses(CONFIG_DEFAULTS.announce),
  bootstrap: addresses(CONFIG_DEFAULTS.bootstrap),
  mdns: v.optional(flag(), CONFIG_DEFAULTS.mdns),
  learner: v.optional(section({ backend: v.optional(choice(BACKENDS), CONFIG_DEFAULTS.learner.backend) }), {}),
  log: v.optional(section({ level: v.optional(choice(LEVELS), CONFIG_DEFAULTS.log.level) }), {}),
  replay: v.optional(
    section({ keepMegabytes: v.optional(whole(0, KEEP_MEGABYTES_MAX), CONFIG_DEFAULTS.replay.keepMegabytes) }),
    {},
  ),
  privacy: v.optional(
    section({
      epsilonMax: v.optional(
        v.nullable(number(STUDY_BOUNDS.epsilonMin, STUDY_BOUNDS.epsilonMax)),
        CONFIG_DEFAULTS.privacy.epsilonMax,
      ),
    }),
    {},
  ),
  agreements: v.optional(section({ required: v.optional(flag(), CONFIG_DEFAULTS.agreements.required) }), {}),
  retention: v.optional(retentionSchema, {}),
  vault: v.optional(
    section({ keyFile: v.optional(v.nullable(text(PATH_CHARACTERS_MAX)), CONFIG_DEFAULTS.vault.keyFile) }),
    {},
  ),
  datasets: v.optional(
    section({ registered: v.optional(choice(REGISTERED), CONFIG_DEFAULTS.datasets.registered) }),
    {},
  ),
  access: v.optional(accessSchema, {}),
  counts: v.optional(countsSchema, {}),
  keys: v.optional(
    section({ passphraseFile: v.optional(v.nullable(text(PATH_CHARACTERS_MAX)), CONFIG_DEFAULTS.keys.passphraseFile) }),
    {},
  ),
  settlement: v.optional(
    section({
      measure: v.optional(choice(BY_ITSELF), CONFIG_DEFAULTS.settlement.measure),
      confirm: v.optional(choice(BY_ITSELF), CONFIG_DEFAULTS.settlement.confirm),
    }),
    {},
  ),
})

/** Reads config.yaml; `fileName` is named in errors. Errors, one line each: `config-yaml`, `config-invalid`. */
export function parseConfig(text: string, fileName: string): Config {
  return parseYaml(text, { kind: 'config', fileName, schema: configSchema, check: complaintOf })
}

/** What `init` writes: every setting at its default or as given, with its reason. `port` is a short way to say `listen`. */
export function defaultConfigText(
  given: { readonly name: string; readonly port?: number } & Partial<Omit<Config, 'name'>>,
): string {
  const listen =
    given.listen ?? (given.port === undefined ? CONFIG_DEFAULTS.listen : [`/ip4/0.0.0.0/tcp/${given.port}`])
  const settings = { ...CONFIG_DEFAULTS, ...given }
  const { announce, bootstrap, mdns, learner, log, replay, privacy, agreements, retention, vault, datasets, keys } =
    settings
  return `# Settings of this Consilium node. Restart the daemon after a change. Unknown keys are refused.

# The name on this node's member card, by which the other members know it. Ledger entries carry its key, never this name.
# A change here shows on this node alone: the founding keeps the name that the card gave.
name: ${JSON.stringify(given.name)}

# Where to listen. 0.0.0.0 is every IPv4 interface. The port must be reachable for at least some other members;
# with [] this node only dials out, which suffices as long as others can be reached.
listen: ${flow(listen)}

# Addresses to tell the others, where they differ from those above: behind a router, its public address and port.
announce: ${flow(announce)}

# Addresses of any members, for the first contact. Afterwards the address book of this node suffices.
bootstrap: ${flow(bootstrap)}

# Look for members on the local network by multicast. Off, because hospital networks watch for unknown multicast.
mdns: ${mdns}

learner:
  # auto measures a training step of each study on our SIMD kernels and, where that could be faster, on TensorFlow.js (native, wasm), and
  # takes the fastest; kernels, wasm, cpu or native fixes it.
  backend: ${learner.backend}

log:
  # info tells every round and every member that comes or goes; debug adds every message. Never weights, rows or private keys.
  level: ${log.level}

replay:
  # Updates of all members are kept in inputs/, so that "consilium log verify --replay" can recompute their merges. The oldest go
  # first. ${CONFIG_DEFAULTS.replay.keepMegabytes} MB are four days of ten members who train small models once a minute, 4 kB an update; 0 keeps none.
  keepMegabytes: ${replay.keepMegabytes}

privacy:
  # This hospital's own bound on epsilon in each private study. A study has one too, and the stricter one counts; null leaves it to the study.
  epsilonMax: ${privacy.epsilonMax}

agreements:
  # true: no study trains here, no table is bound and no model leaves without an agreement that names the study and that all who must have
  # signed. false: where this hospital or the study's proposer has proposed one, it is kept to all the same.
  required: ${agreements.required}
${retentionText(retention)}
vault:
  # Patients' keys and words are kept in the file "vault" of this folder, sealed with a secret in a file outside of it; another secret there seals
  # member.key and data.key. null: beside this folder, under its name and ".vault-key". Keep that file out of the backups of this folder: an
  # erasure renews the vault's secret, and no older copy of the vault can be opened then. Without the file the vault is lost, and so are the
  # keys: keep one copy elsewhere, and renew it after each erasure.
  keyFile: ${JSON.stringify(vault.keyFile)}

datasets:
  # required: a table is bound to a study only where "consilium dataset register" has registered exactly that file; optional: others are bound too.
  registered: ${datasets.registered}
${accessText(settings.access, settings.counts)}
keys:
  # A file outside this folder whose first line is the passphrase that opens member.key and data.key; null: the key file above opens them.
  # "consilium keys seal --node-passphrase-file FILE" changes what they are sealed under; then name the same file here.
  passphraseFile: ${JSON.stringify(keys.passphraseFile)}
${settlementText(given.settlement ?? CONFIG_DEFAULTS.settlement)}`
}

function settlementText({ measure, confirm }: Config['settlement']): string {
  return `
settlement:
  # auto: where an active agreement settles by marginal value, this node measures after its rounds what the others' updates are worth on its own
  # validation patients, and tells it; ask: when "consilium settlement measure" asks for it.
  measure: ${measure}
  # auto: a close that another party proposes is confirmed when this node computes the same statement, and refused where it does not; ask: a
  # person does so with "consilium settlement confirm".
  confirm: ${confirm}
`
}

const flow = (items: readonly string[]): string => `[${items.map((item) => JSON.stringify(item)).join(', ')}]`

const ADDRESS = /^\/(ip4|ip6|dns|dns4|dns6)\/([^/]+)\/tcp\/(\d{1,5})(?:\/p2p\/([1-9A-HJ-NP-Za-km-z]{20,80}))?$/
const PORT_MAX = 65_535

function complaintOf(config: Config): Complaint | null {
  for (const key of ['listen', 'announce', 'bootstrap'] as const) {
    for (const [i, address] of config[key].entries()) {
      const fault = addressFault(address, key === 'listen')
      if (fault) return { path: [key, i], message: `"${address}" was given, ${fault}` }
    }
  }
  return countsComplaint(config.counts)
}

/**
 * Why `address` is no multiaddr to listen on, or to dial, or null. Checks the form only: whether a name resolves or a port is free
 * shows at start, and `doctor` says why not.
 */
export function addressFault(address: string, listening: boolean): string | null {
  const match = ADDRESS.exec(address)
  if (!match) {
    return 'an address such as /ip4/192.0.2.7/tcp/4801 or /dns4/node.example.org/tcp/4801 is expected, with /p2p/ID after it where the peer id is known'
  }
  const [, protocol, host, digits, peer] = match as unknown as [string, string, string, string, string | undefined]
  const port = Number(digits)
  if (port > PORT_MAX || (port === 0 && !listening)) return `a port from ${listening ? 0 : 1} to ${PORT_MAX} is allowed`
  if (listening && peer !== undefined) return 'an address to listen on has no /p2p/ part: remove it'
  if (listening && protocol?.startsWith('dns'))
    return 'an address to listen on starts with /ip4 or /ip6: give an interface address'
  if (!HOST[protocol as keyof typeof HOST](host)) return `"${host}" is not a valid host for /${protocol}`
  return null
}

const isIp4 = (host: string): boolean =>
  /^\d{1,3}(\.\d{1,3}){3}$/.test(host) && host.split('.').every((part) => Number(part) <= 255)
const isIp6 = (host: string): boolean => /^[0-9a-fA-F:]+(?:[0-9.]+)?$/.test(host) && host.includes(':')
const isName = (host: string): boolean => host.length <= 253 && /^[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?$/i.test(host)
const HOST = { ip4: isIp4, ip6: isIp6, dns: isName, dns4: isName, dns6: isName } as const

/** The keys of a data folder as its operator handles them: shown, sealed anew, rotated. Needs no daemon. */
import { randomBytes } from 'node:crypto'
import { resolve } from 'node:path'
import type { Config } from '../config/config.ts'
import { ConsiliumError, messageOf } from '../core/errors.ts'
import type { MemberId } from '../core/ids.ts'
import { readKeyFile, replaceSecrets } from '../store/keyFile.ts'
import { type KeyPurpose, type Opener, sealedUnder } from '../store/sealedKey.ts'
import { requireOpening, VaultFile, type VaultPlace } from '../store/vaultFile.ts'
import type { Finding } from './api.ts'
import { exists, readText } from './files.ts'
import { readConfig } from './home.ts'
import { type HomePaths, homePaths } from './homePaths.ts'
import { createDataKey, readDataKey, readMemberKey, resealKey } from './memberKey.ts'
import { completeKeyFile, openerOf, peopleKeyOf, readPassphrase, vaultKeyOf } from './opener.ts'

/** How a key lies in its file. */
export type Sealing = 'plain' | 'none' | Opener['by']

/** What `keys show` says. */
export interface KeysReport {
  readonly member: MemberId
  readonly memberKey: { readonly path: string; readonly sealed: Sealing }
  readonly dataKey: { readonly path: string; readonly sealed: Sealing }
  readonly keyFile: { readonly path: string; readonly opensKeys: boolean; readonly opensVault: boolean }
  readonly vault: boolean
  readonly passphraseFile: string | null
}

interface Place {
  readonly config: Config
  readonly paths: HomePaths
}

/** Under what `keys seal` seals: what config.yaml says, the key file, or the passphrase in this file. */
export type SealTarget = 'as-configured' | 'key-file' | { readonly passphraseFile: string }

/** Errors: those of the files. */
export async function showKeys(folder: string): Promise<KeysReport> {
  const place = await placeOf(folder)
  const { id } = await readMemberKey(place.paths.key, () => openerOf(place))
  return reportOf(place, id)
}

/** Seals both keys; a folder of an older version gets its data key, and its state is sealed at the next start. Errors: those of the files. */
export async function sealKeys(folder: string, target: SealTarget): Promise<KeysReport> {
  const place = await placeOf(folder)
  const { paths } = place
  await completeKeyFile(vaultKeyOf(place))
  const under = await targetOf(place, target)
  const member = await opened(place, under, (opening) => readMemberKey(paths.key, opening))
  const data = await opened(place, under, (opening) => readDataKey(paths.dataKey, opening))
  await resealKey(paths.key, member.seed, 'member', under)
  if (data === null) await createDataKey(paths.dataKey, under)
  else await resealKey(paths.dataKey, data, 'data', under)
  return reportOf(place, member.id)
}

/**
 * Puts new secrets in the key file, seals the keys and the vault under them, and overwrites the old ones; a stop in between leaves a file that
 * opens both. No node may run on the folder. Errors: those of the files.
 */
export async function rotateKeys(folder: string): Promise<KeysReport> {
  const place = await placeOf(folder)
  const { paths } = place
  const keyFile = vaultKeyOf(place)
  await completeKeyFile(keyFile)
  const hasVault = await exists(paths.vault)
  const people = { path: paths.people, keyFile: peopleKeyOf(keyFile) }
  const hasPeople = await exists(paths.people)
  if (hasVault) await requireOpening({ path: paths.vault, keyFile }) // before anything is changed
  if (hasPeople) await requireOpening(people)
  await settle(place, keyFile)
  const [secret] = (await readKeyFile(keyFile))?.node ?? []
  if (secret !== undefined) await replaceSecrets(keyFile, 'node', [secret, new Uint8Array(randomBytes(32))])
  await settle(place, keyFile)
  if (hasVault) await renew({ path: paths.vault, keyFile })
  if (hasPeople) await renew(people)
  return showKeys(folder)
}

/** The same records under a new key and a new secret. */
async function renew(place: VaultPlace): Promise<void> {
  const { vault, records } = await VaultFile.open(place)
  try {
    await vault.rewrite(records)
  } finally {
    await vault.close()
  }
}

/** What a look at a folder finds of its keys: `doctor`. */
export async function keyFindings(place: Place): Promise<Finding[]> {
  const check = 'keys'
  const { paths } = place
  try {
    const opener = await openerOf(place)
    const path = vaultKeyOf(place)
    if (await exists(paths.vault)) await requireOpening({ path: paths.vault, keyFile: path })
    const plain = []
    for (const key of [paths.key, paths.dataKey]) if (!SEALED.has(await sealingOf(key))) plain.push(key)
    if (plain.length === 0) {
      const text = `sealed under ${opener.by === 'key-file' ? path : `the passphrase in ${opener.file}`}, outside the data folder`
      return [{ check, ok: true, text }]
    }
    const text = `${plain.join(', ')}: not sealed: whoever copies this folder can act as this hospital and read its models; run "consilium keys seal", and restart the node`
    return [{ check, ok: false, text }]
  } catch (error) {
    if (!(error instanceof ConsiliumError)) throw error
    const unsealed = (await sealingOf(paths.key)) === 'plain' ? '; then run "consilium keys seal"' : ''
    return [{ check, ok: false, text: `${messageOf(error)}${unsealed}` }]
  }
}

const SEALED: ReadonlySet<Sealing> = new Set(['key-file', 'passphrase'])

async function placeOf(folder: string): Promise<Place> {
  const paths = homePaths(folder)
  return { paths, config: await readConfig(paths) }
}

async function reportOf(place: Place, member: MemberId): Promise<KeysReport> {
  const { paths, config } = place
  const path = vaultKeyOf(place)
  const found = await readKeyFile(path)
  const { passphraseFile } = config.keys
  return {
    member,
    memberKey: { path: paths.key, sealed: await sealingOf(paths.key) },
    dataKey: { path: paths.dataKey, sealed: await sealingOf(paths.dataKey) },
    keyFile: { path, opensKeys: (found?.node.length ?? 0) > 0, opensVault: found !== null },
    vault: await exists(paths.vault),
    passphraseFile: passphraseFile === null ? null : resolve(paths.folder, passphraseFile),
  }
}

async function sealingOf(path: string): Promise<Sealing> {
  if (!(await exists(path))) return 'none'
  return sealedUnder(await readText(path, 'key', 'restore it from its backup')) ?? 'plain'
}

async function targetOf(place: Place, target: SealTarget): Promise<Opener> {
  if (target === 'as-configured') return openerOf(place)
  if (target === 'key-file') return underKeyFile(place)
  return readPassphrase(resolve(target.passphraseFile), place.paths.folder)
}

function underKeyFile({ config, paths }: Place): Promise<Opener> {
  return openerOf({ config: { ...config, keys: { passphraseFile: null } }, paths })
}

/** Read with what config.yaml says; after a stop between the two keys, with what they are to be sealed under. */
async function opened<T>(
  place: Place,
  under: Opener,
  read: (opening: () => Promise<Opener>) => Promise<T>,
): Promise<T> {
  const openings = [() => openerOf(place), async () => under, () => underKeyFile(place)]
  let first: unknown = null
  for (const opening of openings) {
    try {
      return await read(opening)
    } catch (error) {
      first ??= error
    }
  }
  throw first
}

/** The keys that the key file opens are sealed under its newest secret, and the others go. */
async function settle(place: Place, keyFile: string): Promise<void> {
  const { paths } = place
  const under = await underKeyFile(place)
  if (under.by !== 'key-file') return
  const opening = async (): Promise<Opener> => under
  const reseal = async (path: string, purpose: KeyPurpose, read: () => Promise<Uint8Array | null>): Promise<void> => {
    const key = (await sealingOf(path)) === 'key-file' ? await read() : null
    if (key !== null) await resealKey(path, key, purpose, under)
  }
  await reseal(paths.key, 'member', async () => (await readMemberKey(paths.key, opening)).seed)
  await reseal(paths.dataKey, 'data', () => readDataKey(paths.dataKey, opening))
  await replaceSecrets(keyFile, 'node', under.secrets.slice(-1))
}

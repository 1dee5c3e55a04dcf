/** What opens the keys of a data folder: the key file outside of it, or the passphrase in a file that config.yaml names. */
import { randomBytes } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { relative, resolve } from 'node:path'
import type { Config } from '../config/config.ts'
import { utf8 } from '../core/bytes.ts'
import { ConsiliumError } from '../core/errors.ts'
import { createKeyFile, readKeyFile, replaceSecrets } from '../store/keyFile.ts'
import type { Opener } from '../store/sealedKey.ts'
import { readText } from './files.ts'

const SECRET_BYTES = 32
const PASSPHRASE_BYTES_MIN = 12 // what scrypt at half a second a guess leaves to others to try is years, if it is not a word

interface Place {
  readonly config: Pick<Config, 'vault' | 'keys'>
  readonly paths: { readonly folder: string; readonly config: string; readonly vaultKey: string }
}

/** Where the key file lies. Error: `vault-key-inside`, where a backup of the folder would have it. */
export function vaultKeyOf({ config, paths }: Place): string {
  const { keyFile } = config.vault
  const path = keyFile === null ? paths.vaultKey : resolve(paths.folder, keyFile)
  if (isOutside(paths.folder, path)) return path
  const message = `${paths.config}: vault.keyFile: ${path} lies in the data folder, and every backup of that would open what is sealed; name a file elsewhere`
  throw new ConsiliumError({ code: 'vault-key-inside', message })
}

/** What opens the keys as config.yaml says. Errors: `key-file-missing`, `key-file-older`, those of `readKeyFile` and `readPassphrase`. */
export async function openerOf(place: Place): Promise<Opener> {
  const { passphraseFile } = place.config.keys
  if (passphraseFile !== null) return readPassphrase(resolve(place.paths.folder, passphraseFile), place.paths.folder)
  const file = vaultKeyOf(place)
  const found = await readKeyFile(file)
  if (found === null) {
    const message = `${file}: there is no key file, and the keys in ${place.paths.folder} cannot be opened without it; put it back from where this hospital keeps its copy, or name it in config.yaml (vault.keyFile)`
    throw new ConsiliumError({ code: 'key-file-missing', message })
  }
  if (found.node.length > 0) return { by: 'key-file', file, secrets: found.node }
  const message = `${file}: opens the vault alone, as older versions made it, and not the keys in ${place.paths.folder}: put the newer file back from where this hospital keeps its copy`
  throw new ConsiliumError({ code: 'key-file-older', message })
}

/** Makes what lacks of a key file that opens both, the node's keys and the vault; what there is stays. Errors: those of the key file. */
export async function completeKeyFile(path: string): Promise<void> {
  const found = await readKeyFile(path)
  const secret = (): Uint8Array => new Uint8Array(randomBytes(SECRET_BYTES))
  if (found === null) await createKeyFile(path, { node: [secret()], vault: [secret()] })
  else if (found.node.length === 0) await replaceSecrets(path, 'node', [secret()])
}

/** The first line of a file outside the data folder. Errors: `passphrase-inside`, `passphrase-short`, `key-permissions`, those of `readText`. */
export async function readPassphrase(file: string, folder: string): Promise<Opener> {
  if (!isOutside(folder, file)) {
    const message = `${file}: lies in the data folder, and every backup of that would have the passphrase; name a file elsewhere`
    throw new ConsiliumError({ code: 'passphrase-inside', message })
  }
  const text = await readText(file, 'passphrase file', 'name the file that has it: keys.passphraseFile in config.yaml')
  const { mode } = await stat(file)
  if ((mode & 0o077) !== 0) {
    const shown = (mode & 0o777).toString(8).padStart(4, '0')
    const message = `${file}: others may read this passphrase (mode ${shown}, 0600 is expected); run "chmod 600 ${file}"`
    throw new ConsiliumError({ code: 'key-permissions', message })
  }
  const passphrase = utf8((text.split('\n', 1)[0] ?? '').trim().normalize('NFC'))
  if (passphrase.length >= PASSPHRASE_BYTES_MIN) return { by: 'passphrase', file, passphrase }
  const message = `${file}: a passphrase of at least ${PASSPHRASE_BYTES_MIN} characters is expected on its first line`
  throw new ConsiliumError({ code: 'passphrase-short', message })
}

function isOutside(folder: string, path: string): boolean {
  return relative(folder, path).startsWith('..')
}

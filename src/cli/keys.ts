/** keys: show, seal, rotate. What the keys of a data folder lie sealed under. */
import { resolve } from 'node:path'
import { Command } from 'commander'
import { ConsiliumError } from '../core/errors.ts'
import { type KeysReport, rotateKeys, type Sealing, sealKeys, showKeys } from '../daemon/folderKeys.ts'
import { fingerprint } from '../ledger/founding.ts'
import { type Common, clientOf, command, outputOf } from './shared.ts'

interface SealOptions extends Common {
  readonly nodePassphraseFile?: string
  readonly keyFile?: true
}

/** The group `keys`; needs no daemon. Errors: `key-…`, `node-key-wrong`, `passphrase-…`, `vault-…`, `sealed-key-…`, `node-running`. */
export function keysCommand(): Command {
  const keys = new Command('keys').description('show and change what the keys of this node are sealed under')
  for (const sub of [show(), seal(), rotate()]) keys.addCommand(sub)
  return keys
}

function show(): Command {
  return command(
    'show',
    'say what the keys lie sealed under, and where the file is that opens them; no key is shown',
    'consilium keys show',
  ).action(async (options: Common) => {
    const report = await showKeys(options.home)
    outputOf(options).print(report, () => reportLines(report))
  })
}

function seal(): Command {
  return command(
    'seal',
    'seal the keys: those of a folder of an older version, or all of them under another passphrase',
    'consilium keys seal --node-passphrase-file /run/credentials/consilium/passphrase',
  )
    .option(
      '--node-passphrase-file <file>',
      'under the passphrase in its first line; name the file in config.yaml afterwards',
    )
    .option('--key-file', 'under the key file, where it was a passphrase')
    .action(async (options: SealOptions) => {
      const { nodePassphraseFile: passphraseFile, keyFile } = options
      if (passphraseFile !== undefined && keyFile)
        throw new ConsiliumError({
          code: 'bad-option',
          message: '--node-passphrase-file or --key-file: give one of the two',
        })
      const target = passphraseFile === undefined ? (keyFile ? 'key-file' : 'as-configured') : { passphraseFile }
      const report = await sealKeys(options.home, target)
      const named = passphraseFile === undefined ? null : resolve(passphraseFile)
      outputOf(options).print(report, () => [
        'Sealed.',
        ...reportLines(report),
        ...(target === 'as-configured' || report.passphraseFile === named
          ? []
          : [`Now set in config.yaml, before the next start: keys: { passphraseFile: ${JSON.stringify(named)} }`]),
        'Copies of the folder that were made before open as they did; destroy those that have the plain key.',
      ])
    })
}

function rotate(): Command {
  return command(
    'rotate',
    'make new secrets in the key file, seal keys and vault under them, and destroy the old ones; the node must be stopped',
    'consilium keys rotate',
  ).action(async (options: Common) => {
    await requireStopped(options)
    const report = await rotateKeys(options.home)
    outputOf(options).print(report, () => [
      'Rotated. Keep a copy of the key file elsewhere: it opens no backup that was made before, and the older copies of it do.',
      ...reportLines(report),
    ])
  })
}

/** Error: `node-running`. */
async function requireStopped(options: Common): Promise<void> {
  try {
    await clientOf(options).get('/v1/status')
  } catch (error) {
    if (error instanceof ConsiliumError && error.code === 'daemon-not-running') return
  }
  const message = `${resolve(options.home)}: a node runs on this folder; stop it first: consilium stop`
  throw new ConsiliumError({ code: 'node-running', message })
}

function reportLines({ member, memberKey, dataKey, keyFile, vault, passphraseFile }: KeysReport): string[] {
  const opens = [...(keyFile.opensKeys ? ['the keys'] : []), ...(keyFile.opensVault ? ['the vault'] : [])].join(' and ')
  return [
    `key of this node  ${fingerprint(member)}`,
    `member.key        ${SAYS[memberKey.sealed]}`,
    `data.key          ${SAYS[dataKey.sealed]}`,
    `vault             ${vault ? 'sealed under the key file' : 'not made yet: no patient is known here'}`,
    `key file          ${keyFile.path}: ${opens === '' ? 'not there' : `opens ${opens}`}`,
    ...(passphraseFile === null ? [] : [`passphrase file   ${passphraseFile}`]),
  ]
}

const SAYS: Readonly<Record<Sealing, string>> = {
  plain: 'NOT sealed: run "consilium keys seal"',
  none: 'not there: put it back from a backup; in a folder of an older version, "consilium keys seal" makes it',
  'key-file': 'sealed under the key file',
  passphrase: 'sealed under a passphrase',
}

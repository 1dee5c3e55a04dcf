/** backup and restore: one file with a copy of the data folder, without what opens it; and a folder made of one. */
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { ConsiliumError } from '../core/errors.ts'
import type { BackupReport, RestoreReport } from '../daemon/api.ts'
import { backUpStopped } from '../daemon/backup.ts'
import { restoreBackup } from '../daemon/restore.ts'
import { utc } from './output.ts'
import { type Common, clientOf, command, outputOf } from './shared.ts'

/** `backup`: by the daemon where one runs. Errors: those of `Backups.make` and `backUpStopped`. */
export function backupCommand(): Command {
  return command(
    'backup',
    'write a consistent copy of the data folder to one new file, while the node runs or not; the key file is not in it',
    'consilium backup --out /mnt/backup/2026-11-22.consilium',
  )
    .requiredOption('-o, --out <file>', 'the new file')
    .action(async (options: Common & { out: string }) => {
      const report = await backUp(options, resolve(options.out))
      outputOf(options).print(report, () => [
        `Wrote ${report.path}: database with ${report.entries} entries, sealed keys, settings, and the vault where there is one.`,
        'It opens with the key file alone, which is not in it; after an erasure the vault in it opens no more: make a new backup then.',
        ...(report.recorded ? [] : ['The log of this node tells of it after its next start.']),
      ])
    })
}

/** `restore`: needs no daemon. Errors: those of `restoreBackup`. */
export function restoreCommand(): Command {
  return command(
    'restore',
    'make a new data folder from a backup; nothing is overwritten',
    'consilium restore /mnt/backup/2026-11-22.consilium --home /var/lib/consilium',
  )
    .argument('<file>', 'what "consilium backup" wrote')
    .action(async (file: string, options: Common) => {
      const report = await restoreBackup(resolve(file), options.home)
      outputOf(options).print(report, () => restoreLines(report))
    })
}

async function backUp(options: Common, path: string): Promise<BackupReport> {
  try {
    return await clientOf(options).post<BackupReport>('/v1/backup', { path })
  } catch (error) {
    if (error instanceof ConsiliumError && error.code === 'daemon-not-running') return backUpStopped(options.home, path)
    throw error
  }
}

function restoreLines({ home, madeAtMs, entries, keys, vault }: RestoreReport): string[] {
  return [
    `Made ${home} from a backup of ${utc(madeAtMs)}, with ${entries} entries of all logs.`,
    keys === 'opened' ? 'keys   open' : `keys   LOOK ${keys}`,
    vault === 'opened'
      ? 'vault  opens'
      : vault === 'none'
        ? 'vault  none was backed up'
        : `vault  LOOK ${vault}: whom an erasure destroyed stays unknown, and only a backup made after it has a vault that opens`,
    `Next: consilium start --home ${home}`,
    'It first asks the others what they hold of its log, and fetches what it signed since. Never run it while the node that it was made of runs.',
  ]
}

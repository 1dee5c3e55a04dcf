/** The call that makes a backup of a running node. */
import type { Backups } from './backup.ts'
import { text } from './bodyFields.ts'
import type { Routes } from './control.ts'

/** Routes of the control API. */
export function backupCalls({ backups }: { readonly backups: Backups }): Routes {
  return { 'POST /v1/backup': ({ body }) => backups.make(text(body, 'path')) }
}

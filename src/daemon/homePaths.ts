/** What lies where in the data folder of one node. */
import { join, resolve } from 'node:path'
import { pinPath } from '../store/headPin.ts'

/** Absolute paths. The files need not exist. */
export interface HomePaths {
  readonly folder: string
  readonly config: string
  readonly key: string
  /** What seals the state in the database, sealed itself. */
  readonly dataKey: string
  readonly card: string
  readonly consortium: string
  readonly acceptance: string
  readonly database: string
  /** Patients' keys and words, sealed. */
  readonly vault: string
  /** What opens it and the keys, where `config.yaml` names no other file: beside the folder, not in it. */
  readonly vaultKey: string
  /** Names and salts of those who act for this hospital, sealed; its key lies beside the vault's. */
  readonly people: string
  /** Made by who has this folder: all enrolments are to be void. */
  readonly peopleReset: string
  /** The newest own head that was signed; the store keeps it. */
  readonly pin: string
  readonly addressBook: string
  /** Updates of all members, for `log verify --replay`. */
  readonly inputs: string
  /** Registered versions of the hospital's tables: keyed commitments, no rows. */
  readonly datasets: string
  /** Predictions that no entry tells of yet. */
  readonly uses: string
  /** Who was invited; no secret of a ticket. */
  readonly invitations: string
  /** What was done to the folder while no node ran, until the log tells of it. */
  readonly untold: string
  readonly socket: string
}

/** A relative `folder` is taken from the working directory; nothing is read or made. */
export function homePaths(folder: string): HomePaths {
  const at = (name: string): string => join(resolve(folder), name)
  return {
    folder: resolve(folder),
    config: at('config.yaml'),
    key: at('member.key'),
    dataKey: at('data.key'),
    card: at('card.txt'),
    consortium: at('consortium.yaml'),
    acceptance: at('acceptance'),
    database: at('database'),
    vault: at('vault'),
    vaultKey: `${resolve(folder)}.vault-key`,
    people: at('people'),
    peopleReset: at('people-reset'),
    pin: pinPath(at('database')),
    addressBook: at('addresses'),
    inputs: at('inputs'),
    datasets: at('datasets'),
    uses: at('uses'),
    invitations: at('invitations.json'),
    untold: at('untold'),
    socket: at('control.sock'),
  }
}

/** What a data manager types: trial lock, unlock, reveal. The file is read where it lies; the ledger has a keyed commitment to it. */
import type { Command } from 'commander'
import { fromHex, toHex } from '../core/bytes.ts'
import { ConsiliumError } from '../core/errors.ts'
import type { TrialLockReport, TrialReport, TrialSaid } from '../daemon/trialApi.ts'
import { UNLOCK_REASONS } from '../governance/kinds/trials.ts'
import { dataCommitment } from '../governance/trials/commitment.ts'
import { short } from './output.ts'
import { type Common, command, outputOf } from './shared.ts'
import { type HashedFile, hashFile, newKey, signerOf } from './trialFiles.ts'
import { hex32, keyFor, keyOf, reportOf, TRIAL, trialPath } from './trialReference.ts'
import { said } from './trialText.ts'

/** `trial lock`. */
export function lockCommand(): Command {
  return command(
    'lock',
    'lock the data of a trial as it is in a file: signed, and nothing is recorded of participants afterwards; with --verify, whether a file is what was locked',
    'consilium trial lock stroke-2 data.csv --as ada.key',
  )
    .argument('<trial>', TRIAL)
    .argument('<file>', 'a table with a header, as CSV; it stays where it is')
    .option('--verify', 'change nothing, and say which lock the file is of; exit code 1 where of none', false)
    .option('--key <digits>', 'with --verify: the key of the commitment, as "consilium trial reveal" printed it', hex32)
    .action(async (ref: string, file: string, options: Common & { verify: boolean; key?: string }) => {
      if (options.verify) return verify(ref, file, options)
      const signer = await signerOf(options)
      const report = await reportOf(options, ref)
      const { hash, table } = await hashFile(file)
      const rows = rowsOf(file, table)
      const key = newKey()
      const data = dataCommitment(key, hash)
      const { lastLock } = report.signing
      const content = {
        trial: fromHex(report.trial),
        data,
        rows,
        previous: lastLock === null ? null : fromHex(lastLock),
      }
      const signed = await signer.sign(report, 'trial.locked', content)
      const body = { data: toHex(data), rows, key: toHex(key), ...signed }
      const answer = await signer.client.post<TrialSaid & { lock: string }>(trialPath(report.trial, 'lock'), body)
      outputOf(options).print({ ...answer, data: toHex(data), rows }, () => [
        `Locked ${rows} rows of "${report.name}" (${said(answer)}): lock ${short(answer.lock)}, commitment ${short(toHex(data))}.`,
        'The key of the commitment stays here; an inspector gets it by "consilium trial reveal", and the file from you.',
      ])
    })
}

/** The rows that are signed for. Errors: `trial-data-table`, `trial-data-empty`. */
function rowsOf(file: string, { records, fault }: HashedFile['table']): number {
  if (fault !== null)
    throw new ConsiliumError({
      code: 'trial-data-table',
      message: `${file}: its rows cannot be counted, and their number is signed: ${fault}; export it as CSV (RFC 4180, UTF-8)`,
    })
  if (records < 2)
    throw new ConsiliumError({
      code: 'trial-data-empty',
      message: `${file}: has no row after its header, and nothing to lock`,
    })
  return records - 1
}

async function verify(ref: string, file: string, options: Common & { key?: string }): Promise<void> {
  const report = await reportOf(options, ref)
  const { hash } = await hashFile(file)
  const found = await lockOf(report, hash, options)
  outputOf(options).print({ file, lock: found }, () => [
    found === null
      ? `${file}: is not what any lock of "${report.name}" is of${options.key === undefined ? ' whose key is here' : ''}.`
      : `${file}: is what ${found.by} locked (${found.entry}), lock ${short(found.lock)}, ${found.rows} rows.`,
  ])
  if (found === null) process.exitCode = 1
}

async function lockOf(
  { trial, locks }: TrialReport,
  hash: Uint8Array,
  options: Common & { key?: string },
): Promise<TrialLockReport | null> {
  for (const lock of locks.toReversed()) {
    const key = await keyFor(options, trial, lock.data).catch(notHere)
    if (key !== null && toHex(dataCommitment(fromHex(key), hash)) === lock.data) return lock
  }
  return null
}

/** Of another hospital's lock the key is not here. */
function notHere(error: unknown): null {
  if (error instanceof ConsiliumError && error.code === 'trial-no-key') return null
  throw error
}

/** `trial unlock`. */
export function unlockCommand(): Command {
  return command(
    'unlock',
    "lift this hospital's newest lock, with a reason; it counts when it is final",
    'consilium trial unlock stroke-2 --reason correction --as ada.key',
  )
    .argument('<trial>', TRIAL)
    .requiredOption('--reason <code>', UNLOCK_REASONS.join(', '))
    .action(async (ref: string, options: Common & { reason: string }) => {
      const signer = await signerOf(options)
      const report = await reportOf(options, ref)
      const reason = UNLOCK_REASONS.find((one) => one === options.reason)
      const { lastLock } = report.signing
      if (reason === undefined)
        throw new ConsiliumError({
          code: 'trial-word',
          message: `--reason: ${JSON.stringify(options.reason.slice(0, 64))} was given, ${UNLOCK_REASONS.join(', ')} are allowed`,
        })
      if (lastLock === null)
        throw new ConsiliumError({
          code: 'trial-no-lock',
          message: `this hospital has locked no data of "${report.name}": see "consilium trial show"`,
        })
      const signed = await signer.sign(report, 'trial.unlocked', {
        trial: fromHex(report.trial),
        lock: fromHex(lastLock),
        reason,
      })
      const answer = await signer.client.post<TrialSaid>(trialPath(report.trial, 'unlock'), {
        reason,
        lock: lastLock,
        ...signed,
      })
      outputOf(options).print(answer, () => [
        `Unlocked the data of "${report.name}": ${reason} (${said(answer)}). It counts when it is final; lock it again afterwards.`,
      ])
    })
}

/** `trial reveal`. */
export function revealCommand(): Command {
  return command(
    'reveal',
    'print the keys of commitments that were made here, to locked data and to protocols, for an inspector',
    'consilium trial reveal stroke-2',
  )
    .argument('<trial>', TRIAL)
    .action(async (ref: string, options: Common) => {
      const report = await reportOf(options, ref)
      const commitments = [
        ...report.versions
          .filter(({ disclosure }) => disclosure === 'private')
          .map(({ version, document }) => ({ what: `version ${version}`, commitment: document })),
        ...report.locks.map(({ entry, data }) => ({ what: `lock ${entry}`, commitment: data })),
      ]
      const found: { what: string; commitment: string; key: string }[] = []
      for (const one of commitments) {
        const key = await keyOf(options, report.trial, one.commitment).catch(notHere)
        if (key !== null) found.push({ ...one, key })
      }
      outputOf(options).print(found, () =>
        found.length === 0
          ? [`No commitment of "${report.name}" was made at this hospital.`]
          : found.map(({ what, key }) => `${what}: ${key}`),
      )
    })
}

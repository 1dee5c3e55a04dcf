/** Consents that come from other systems, and go back to them: files of FHIR. */
import { readFile } from 'node:fs/promises'
import { ConsiliumError } from '../core/errors.ts'
import { studyId } from '../core/ids.ts'
import { consentResource, type FhirDecision, readConsents } from '../data/fhirConsent.ts'
import type { ConsentDecision } from '../governance/consent.ts'
import type { Word } from '../governance/vaultBook.ts'
import type { Daemon } from './daemon.ts'
import { writeNewFrom } from './files.ts'
import { requirePeriod } from './wordReports.ts'

const FILE_BYTES_MAX = 268_435_456 // a hundred thousand consents are 70 MB

/** All of a file, or nothing. Errors: `fhir-…`, `file-missing`, `consent-period`, `subject-forgotten`, `vault-…`. */
export async function importConsents(daemon: Daemon, path: string): Promise<{ consents: number; patients: number }> {
  const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    const message = `${path}: cannot be read (${error.code ?? error.message}); check the path and its permissions`
    throw new ConsiliumError({ code: 'file-unreadable', message })
  })
  if (bytes.length > FILE_BYTES_MAX) {
    const message = `${path}: ${bytes.length} bytes, at most ${FILE_BYTES_MAX} are read at once: split it`
    throw new ConsiliumError({ code: 'fhir-too-large', message })
  }
  const nowMs = Date.now()
  const words = readConsents(bytes.toString('utf8'), path).map((one) => {
    return { record: one.record, speaker: one.speaker, decision: decisionOf(one, nowMs) }
  })
  await daemon.vault.say(words)
  await daemon.writer?.flush()
  return { consents: words.length, patients: new Set(words.map(({ record }) => record)).size }
}

/** Every word of every patient, as a Bundle of R4 in a new file that its owner alone may read. Errors: `file-exists`, `disk-full`, `vault-…`. */
export async function exportConsents(daemon: Daemon, path: string): Promise<{ consents: number }> {
  const book = await daemon.vault.book()
  let consents = 0
  const pieces = async function* (): AsyncIterable<string> {
    yield '{"resourceType":"Bundle","type":"collection"'
    for (const { record, words } of book.subjects()) {
      for (const word of words) {
        const resource = consentResource(fhirOf(record, word), word.decision.receivedAtMs)
        yield `${consents++ === 0 ? ',"entry":[' : ','}\n${JSON.stringify({ resource })}`
      }
    }
    yield consents === 0 ? '}\n' : '\n]}\n' // no list of FHIR is empty
  }
  await writeNewFrom(path, pieces(), 0o600)
  return { consents }
}

function decisionOf({ record: _, speaker: __, study, ...one }: FhirDecision, receivedAtMs: number): ConsentDecision {
  requirePeriod(one)
  return { ...one, study: study === null ? 'all' : studyId(study), receivedAtMs, form: 'fhir' }
}

function fhirOf(record: string, { decision, speaker }: Word): FhirDecision {
  const { receivedAtMs: _, form: __, study, ...one } = decision
  return { ...one, record, speaker, study: study === 'all' ? null : study }
}

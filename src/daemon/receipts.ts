/** `consilium consent receipt`: what a patient said, where the ledger tells of it, and what follows, to take away. */
import { toHex, utf8 } from '../core/bytes.ts'
import { hmacSha256 } from '../core/digest.ts'
import { decodeEntry } from '../ledger/entry.ts'
import { fingerprint } from '../ledger/founding.ts'
import { type ReceiptFacts, type ReceiptWord, receiptDocument } from '../report/consentReceipt.ts'
import { receiptPage } from '../report/receiptPage.ts'
import type { ReceiptReport } from './consentApi.ts'
import type { Daemon } from './daemon.ts'
import { refOf } from './models.ts'
import { knownIn } from './vaultKeeper.ts'
import { askingStudies, standings } from './wordReports.ts'

const NAME_BYTES = 16

/** Errors: `subject-unknown`, `subject-forgotten`, `vault-…`. */
export async function receipt(daemon: Daemon, record: string): Promise<ReceiptReport> {
  const subject = knownIn(await daemon.vault.book(), record)
  const own = await daemon.ownLog.rounds()
  const words: ReceiptWord[] = []
  for (const { number, decision, speaker, commitment } of subject.words) {
    const seq = own.placeOf(number)
    words.push({
      decision,
      speaker,
      commitment: toHex(commitment),
      entry: seq === null ? null : await placeOf(daemon, seq),
    })
  }
  const madeAtMs = Date.now()
  const now = new Map(standings(daemon, subject, madeAtMs).map(({ study, permitted }) => [study, permitted]))
  const { name, founding } = daemon.home.consortium
  const facts: ReceiptFacts = {
    hospital: { name: daemon.home.config.name, member: daemon.home.key.id },
    consortium: { name, fingerprint: fingerprint(founding) },
    subject: toHex(hmacSha256(subject.key, utf8('receipt')).subarray(0, NAME_BYTES)),
    madeAtMs,
    words,
    studies: askingStudies(daemon).map(({ id, study }) => {
      const { name, purpose, consent } = study
      return { id, name, purpose, consent, permittedNow: now.get(id) ?? false }
    }),
  }
  const recorded = words.filter(({ entry }) => entry !== null).length
  return {
    subject: facts.subject,
    words: words.length,
    recorded,
    document: receiptDocument(facts),
    page: receiptPage(facts),
  }
}

async function placeOf(daemon: Daemon, seq: number): Promise<ReceiptWord['entry']> {
  const self = daemon.home.key.id
  const [raw] = await daemon.logs.entries(self, seq, seq + 1)
  return raw === undefined ? null : { ref: refOf(daemon, self, seq), seq, hash: decodeEntry(raw).hash }
}

/** A consent receipt for the patient to read: one HTML page without a script, for a telephone, a screen or a sheet of A4. */
import { duoLabel } from '../core/duo.ts'
import type { Speaker } from '../governance/consent.ts'
import { minute } from './conductParts.ts'
import {
  type ReceiptFacts,
  type ReceiptStatus,
  type ReceiptStudy,
  type ReceiptWord,
  statusesOf,
  studiesOf,
} from './consentReceipt.ts'
import { esc, page, part } from './html.ts'

const SAID: Readonly<Record<ReceiptStatus, string>> = {
  given: 'Yes: the records may be used',
  refused: 'No: the records may not be used',
  withdrawn: 'Taken back: the records may not be used any more',
  revoked: 'Ended by others: the records may not be used any more',
  expired: 'Yes, for a time that is over now',
}

const SPOKE: Readonly<Record<Speaker, string>> = {
  subject: 'the patient',
  proxy: 'somebody with power of attorney for the patient',
  guardian: 'the guardian of the patient',
  court: 'a court',
  emergency: 'a physician in an emergency, when nobody could be asked',
}

/** A whole document; the same facts give the same page. */
export function receiptPage(facts: ReceiptFacts): string {
  const { hospital, words, studies } = facts
  const statuses = statusesOf(facts)
  return page(
    `Consent receipt of ${hospital.name}`,
    `${head(facts)}<main>
${part('What was said', '', words.length === 0 ? '<p class="card">Nothing was said yet.</p>' : words.map((word, i) => wordCard(word, statuses[i] as ReceiptStatus, i, studies)).join('\n'))}
${part('What follows from it now', '', studies.length === 0 ? '<p class="card">No study asks patients here.</p>' : studies.map(studyCard).join('\n'))}
${part('What this paper can say, and what it cannot', '', `<ul class="card">${LIMITS.map((line) => `<li>${line}</li>`).join('')}</ul>`)}
${part('How to check it', '', checkOf(facts))}
</main><footer>${footOf(facts)}</footer>`,
  )
}

function head({ hospital, consortium, madeAtMs }: ReceiptFacts): string {
  return `<header><h1>Consent receipt</h1><p class="purpose">What ${esc(hospital.name)} has written down of what you, or who speaks for you, said about the use of your records in research.</p><p class="sub"><span>given by ${esc(hospital.name)}</span><span>${minute(madeAtMs)}</span><span>${esc(consortium.name)}</span></p></header>`
}

function wordCard(
  { decision, speaker, entry }: ReceiptWord,
  status: ReceiptStatus,
  i: number,
  studies: readonly ReceiptStudy[],
): string {
  const { purposes, fromMs, toMs, study, by, receivedAtMs, effectiveAtMs, form } = decision
  const about = studiesOf(decision, studies).map(({ name }) => `“${esc(name)}”`)
  const rows: readonly (readonly [string, string])[] = [
    ['For', purposes === 'all' ? 'all purposes' : purposes.map((code) => esc(duoLabel(code))).join('; ')],
    [
      'In',
      study === 'all'
        ? 'all studies'
        : about.length === 0
          ? `study <code>${study.slice(0, 12)}</code>`
          : about.join(', '),
    ],
    ['Said by', `${SPOKE[by]}${speaker === null ? '' : `: ${esc(speaker)}`}`],
    ['Received', minute(receivedAtMs)],
    ['Takes effect', minute(effectiveAtMs)],
    ...(fromMs === null ? [] : [['Holds from', minute(fromMs)] as const]),
    ...(toMs === null ? [] : [['Ends', minute(toMs)] as const]),
    ['Given on', `<code>${esc(form)}</code>`],
    ['In the ledger', entry === null ? 'not yet' : `entry ${esc(entry.ref)}, <code>${entry.hash}</code>`],
  ]
  return `<div class="card"><h3>${i + 1}. ${SAID[status]}</h3>${listOf(rows)}</div>`
}

function studyCard({ name, purpose, consent, permittedNow }: ReceiptStudy): string {
  const { basis, purposes, jurisdiction } = consent
  const tag = permittedNow
    ? '<span class="tag good">may use them now</span>'
    : '<span class="tag warn">may not use them now</span>'
  const rule =
    basis === 'opt-in'
      ? 'only the records of those who said yes'
      : 'the records of all but those who said no; the law allows that'
  return `<div class="card"><h3>“${esc(name)}” ${tag}</h3>${listOf([
    ['Purpose', esc(purpose)],
    ['Used for', purposes.map((code) => esc(duoLabel(code))).join('; ')],
    ['Rule', `${rule} (law of ${esc(jurisdiction)})`],
  ])}</div>`
}

const LIMITS = [
  'It is what the hospital declares. The ledger, which all hospitals of the consortium hold, shows that it was said and when; it cannot see which rows a program reads.',
  'The records stay in the hospital. What leaves it are the numbers of a model that learns from many patients’ records.',
  'A no, or taking a yes back, counts from the next round of training on. What a model has learnt before stays in it; ask for the report, which names those models.',
  'A prediction that your physician has a model make about you is care, and not use in a study: this paper does not cover it.',
]

function checkOf({ hospital, consortium }: ReceiptFacts): string {
  return `<ol class="card"><li>Ask ${esc(hospital.name)} for your key and for your patient file.</li><li>Ask any hospital of ${esc(consortium.name)} for the patients’ bundle: it need not be this one.</li><li>Open the page <code>my_data.html</code> on any computer, without a network, and give it all three. It says whether the words above stand in the ledger as they are here, and which rounds used your records.</li><li>Compare the fingerprint that the page shows with one that you got another way: <code>${esc(consortium.fingerprint)}</code></li></ol>`
}

function footOf({ hospital, subject }: ReceiptFacts): string {
  return `Receipt for <code>${subject}</code>, which is what you are called here and not your record number; hospital <code>${hospital.member.slice(0, 16)}</code>. The same in a form for machines lies beside this page: ISO/IEC TS 27560:2023, in the words of the Data Privacy Vocabulary. Research use; not a medical device.`
}

function listOf(rows: readonly (readonly [string, string])[]): string {
  return `<dl>${rows.map(([name, value]) => `<dt>${name}</dt><dd>${value}</dd>`).join('')}</dl>`
}

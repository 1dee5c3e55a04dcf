/** A settlement's statement to print or to file: a page without a script, and a table in CSV. A statement, not an invoice. */
import { minute } from './conductParts.ts'
import { csvLine } from './csvCells.ts'
import { esc, htmlTable, page, part } from './html.ts'
import { amountText, noticesOf, objectionWords, type SettlementFacts, type SettlementLine } from './settlement.ts'

/** Where and from what it was made. */
export interface SettlementOrigin {
  readonly consortium: string
  readonly fingerprint: string
  readonly by: string
  readonly madeAtMs: number
}

/** A whole document; the same facts give the same page. */
export function settlementPage(facts: SettlementFacts, origin: SettlementOrigin): string {
  const { agreementName, period, lines, status } = facts
  const tone = status === 'closed' ? 'good' : 'warn'
  const state =
    status === 'closed' ? 'closed' : status === 'proposed' ? 'proposed, not closed' : 'open: figures may still change'
  const head = `<header><h1>Statement of settlement, period ${period}</h1><p class="purpose">What the parties of “${esc(agreementName)}” did, and what of the pool that comes to by their agreement. This is a statement, not an invoice: nothing is owed or paid by it alone.</p><p class="sub"><span class="tag ${tone}">${state}</span><span>up to ${minute(facts.untilMs)}</span><span>${esc(origin.consortium)}</span><span>agreement <code>${facts.agreement.slice(0, 16)}</code></span></p></header>`
  const rows = lines.map((line) => rowOf(line, facts))
  const notices = noticesOf(facts)
  const total = [`<b>in all</b>`, `<b>${amountText(facts.shared, facts.unit)}</b>`, '', '', '', '']
  return page(
    `Statement of settlement: ${agreementName}, period ${period}`,
    `${head}<main>
${notices.length === 0 ? '' : part('To be known first', '', `<ul class="card">${notices.map((one) => `<li>${esc(one)}</li>`).join('')}</ul>`)}
${part('What each party gets', basisText(facts), htmlTable(HEADER, [...rows, total], [1, 2, 3, 4, 5]))}
${part('What each figure rests on', '', `<ul class="card">${NOTES.map((line) => `<li>${line}</li>`).join('')}</ul>`)}
${part(
  'What it was computed from',
  'Entries of each log, from and up to which number; the entries by which the first and the last round that counts was trained.',
  htmlTable(
    ['log of', 'entries from', 'up to', 'first round', 'last round'],
    facts.cut.map(({ name, from, to }, i) => [
      esc(name),
      String(from),
      String(to),
      esc(lines[i]?.first ?? '–'),
      esc(lines[i]?.last ?? '–'),
    ]),
    [1, 2],
  ),
)}
${part('Who stands behind it', '', behind(facts))}
</main><footer>${footOf(facts, origin)}</footer>`,
  )
}

const HEADER = [
  'party',
  'amount', // the first thing that is looked for, and a narrow screen shows no more than two columns
  'rounds',
  'examples (self-declared)',
  'part of others’ merges',
  'value to others (micro-nats)',
]

const NOTES = [
  '<b>rounds</b>: trained under the agreement and published, and merged by enough other parties that one of them is honest. Merged by others.',
  '<b>examples</b>: rows that those rounds were trained on, as the party itself told, each round at most what the study counts. <b>Self-declared</b>: nobody else sees the rows.',
  '<b>part of others’ merges</b>: the coefficients by which the other parties’ merges took its updates in, added up. Declared by those who merged; whoever holds the updates can recompute them.',
  '<b>value to others</b>: how much better the other parties found their merged models with its updates, on their own patients, in millionths of a nat of log-loss; the median of what they measured. Measured by others.',
  'All of it is as the hospitals declared it in their logs. The logs prove what was declared and when, not that it is true.',
]

function basisText({ rule, basis, pool, unit }: SettlementFacts): string {
  return `${amountText(pool, unit)} are shared out ${esc(rule.replaceAll('-', ' '))} (${esc(basis)}), in whole ${esc(unit)}, the units that are left to the largest remainders.`
}

function rowOf({ name, rounds, examples, merged, value, amount, signed }: SettlementLine, { unit }: SettlementFacts) {
  const shown = signed ? esc(name) : `${esc(name)}<small>had not signed</small>`
  return [shown, amountText(amount, unit), String(rounds), String(examples), (merged / 1e6).toFixed(3), String(value)]
}

function behind({ status, proposal, votes, needed, voters, result }: SettlementFacts): string {
  if (proposal === null)
    return `<p class="card">Nobody has proposed to close this period. Result <code>${result}</code></p>`
  const rows = votes.map(({ name, objection, entry, final }) => {
    const said = objection === null ? 'confirms' : `does not confirm: ${objectionWords(objection)}`
    return [esc(name), `${said}${final ? '' : ' (not final yet)'}`, esc(entry)]
  })
  const closed = status === 'closed' ? 'closed it' : 'are needed to close it'
  return `<p class="card">Proposed by ${esc(proposal.by)} (${esc(proposal.entry)}); equal confirmations of ${needed} of ${voters} parties ${closed}. Result <code>${result}</code></p>${htmlTable(['party', 'says', 'entry'], rows, [], 'prose')}`
}

function footOf({ studies }: SettlementFacts, { by, madeAtMs, consortium, fingerprint }: SettlementOrigin): string {
  return `Made ${minute(madeAtMs)} from the logs as ${esc(by)} holds them; studies ${studies.map((name) => `“${esc(name)}”`).join(', ')}; ${esc(consortium)}, fingerprint <code>${esc(fingerprint)}</code>. Anybody with the logs computes the same: <code>consilium settlement check</code>. This page loads nothing from anywhere.`
}

/** RFC 4180, one row for each party. */
export function settlementCsv(facts: SettlementFacts): string {
  const { agreement, agreementName, period, status, rule, basis, unit, result, proposal } = facts
  const header = [
    ...['agreement', 'agreement_name', 'period', 'status', 'rule', 'basis', 'party', 'party_key', 'signed', 'rounds'],
    ...['examples_self_declared', 'merged_micro', 'value_micro', 'amount', 'unit', 'first_entry', 'last_entry'],
    ...['result', 'proposal'],
  ]
  const rows = facts.lines.map((line) => [
    ...[agreement, agreementName, period, status, rule, basis, line.name, line.key, line.signed ? 'yes' : 'no'],
    ...[line.rounds, line.examples, line.merged, line.value, line.amount, unit, line.first ?? '', line.last ?? ''],
    ...[result, proposal?.entry ?? ''],
  ])
  return [header, ...rows].map((row) => csvLine(row.map(String))).join('')
}

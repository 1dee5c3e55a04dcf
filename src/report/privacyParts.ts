/** Parts of a report's page about privacy: what training has cost, what that does not cover, and what attacks found. */
import { NOT_COVERED } from '../config/describe.ts'
import type { Estimate } from '../core/evaluation.ts'
import { esc, htmlTable, part } from './html.ts'
import type { AttackFigures, AuditFigures, MemberReport, Report } from './report.ts'
import { auditSentence, auditVerdict, plain, withInterval } from './words.ts'

/** Both, in the order of the page. */
export function privacyParts(report: Report): string {
  return `${privacy(report)}\n${audits(report)}`
}

function privacy({ study: { terms }, members }: Report): string {
  const claims = claimTable(members)
  if (terms.privacy === null) {
    const says = 'records stayed on site, and updates, statistics and figures left without added noise.'
    return part('Privacy', '', `<p class="card">This study promises no ε: ${says}</p>${claims}`)
  }
  const { noiseMultiplier, clipNorm, epsilonMax } = terms.privacy
  const note = `Each hospital trains by DP-SGD: gradients of single rows clipped to ${clipNorm}, noise of ${noiseMultiplier} times that on their sum, and an end to training before ε ${epsilonMax}. ε bounds what all updates of a hospital together tell of one row of its training table: the odds that the row was in it change by a factor of e<sup>ε</sup> at most, but for a chance of δ. A patient with several rows is protected less.`
  const nothing = '<p class="card">No update carries a privacy claim yet.</p>'
  const uncovered = NOT_COVERED.map((one) => `<li>${esc(one)}</li>`).join('')
  const body = `${claims || nothing}<h3 class="by">What ε does not cover</h3><ul class="card">${uncovered}</ul>`
  return part('Privacy', note, body)
}

/** As the newest update of each says; empty where none says anything. */
function claimTable(members: readonly MemberReport[]): string {
  const rows = members.flatMap(({ name, privacy: claim }) =>
    claim === null
      ? []
      : [
          [
            esc(name),
            plain(claim.epsilon, 2),
            `× ${Math.exp(claim.epsilon).toPrecision(3)}`,
            claim.delta.toPrecision(2),
            String(claim.noiseMultiplier),
            claim.sampleRate.toPrecision(3),
          ],
        ],
  )
  const header = ['hospital', 'ε spent', 'odds, at most', 'δ', 'noise multiplier σ', 'sampling rate q']
  return rows.length === 0 ? '' : htmlTable(header, rows, [1, 2, 3, 4, 5], 'sites')
}

function audits({ members }: Report): string {
  const newest = members.flatMap(({ name, audits }) => {
    const audit = audits.at(-1)
    return audit === undefined ? [] : [{ name, audit, of: audits.length }]
  })
  if (newest.length === 0) {
    const body =
      '<p class="card">No hospital has audited its model: <code>consilium study audit-privacy</code> does, and records what it finds.</p>'
    return part('Privacy audit', '', body)
  }
  const said = newest.map(({ name, audit, of }) => {
    const { tone, says } = auditVerdict(audit)
    const which = of === 1 ? '' : ` (The newest of ${of} audits; all stand in the JSON.)`
    return `<li><b>${esc(name)}:</b> ${auditSentence(audit)} <span class="${tone}">${says}</span>${which}</li>`
  })
  const header = [
    'hospital',
    'attack on its model',
    'trained on, held out',
    'AUC',
    'named, 10 % mistaken',
    'named, 1 % mistaken',
    'shows ε',
    'claims ε',
  ]
  const rows = newest.flatMap(({ name, audit }) =>
    audit.attacks.map((one, i) => attackCells(i === 0 ? esc(name) : '', audit, one)),
  )
  const note =
    'Membership inference: each hospital attacked its own model, and asked of its own training and held-out patients who was trained on. By loss: who was trained on has the smaller loss (Yeom et al. 2018). Against other models: the loss is compared with that of models which were trained without the patient (Carlini et al. 2022). AUC ½ is guessing. “Shows ε”: training was not more private than this, with 95 % confidence (Steinke et al. 2023). Named: the share of training patients found, where so many others are named wrongly; its interval takes that threshold as given.'
  return part(
    'Privacy audit',
    note,
    `<ul class="card">${said.join('')}</ul>${htmlTable(header, rows, [2, 6, 7], 'sites')}`,
  )
}

const ATTACKS: Readonly<Record<string, (audit: AuditFigures) => string>> = {
  loss: () => 'by loss',
  'calibrated-loss': ({ shadows }) => `by loss, against ${shadows} other models`,
}

function attackCells(name: string, audit: AuditFigures, { attack, auc, ...found }: AttackFigures): string[] {
  const { members, others, claimed, round } = audit
  const what = Object.hasOwn(ATTACKS, attack) ? ATTACKS[attack]?.(audit) : esc(attack)
  const percent = ([value, low, high]: Estimate): string =>
    `${(100 * value).toFixed(1)} % <small>(${(100 * (low ?? 0)).toFixed(1)}–${(100 * (high ?? 1)).toFixed(1)})</small>`
  return [
    name,
    `${what} <small>after ${round} rounds, <code>${audit.model.slice(0, 12)}</code></small>`,
    `${members}, ${others}`,
    withInterval(auc).replace(/ (\(.*\))$/, ' <small>$1</small>'),
    percent(found.found10),
    percent(found.found1),
    found.epsilonLow === 0 ? 'none' : `≥ ${plain(found.epsilonLow, 2)}`,
    claimed === null ? 'no claim' : plain(claimed.epsilon, 2),
  ]
}

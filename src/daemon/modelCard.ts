/** A model's card, built from what the members' logs declare: nobody writes it, so nobody can embellish it. */
import { NOT_COVERED } from '../config/describe.ts'
import { type Study, sharedParameters } from '../config/study.ts'
import { toHex } from '../core/bytes.ts'
import type { MemberId, StudyId } from '../core/ids.ts'
import { readBody } from '../governance/kinds.ts'
import { keyOf } from '../governance/withdrawals.ts'
import { NOTICE } from '../learn/portable/description.ts'
import type { Entry, Glance } from '../ledger/entry.ts'
import { fingerprint } from '../ledger/founding.ts'
import type { Daemon } from './daemon.ts'
import { entriesOf } from './logSlices.ts'
import type { CardDataset, CardMetrics, CardPrivacy, CardRecord, ModelCard } from './modelCardApi.ts'
import { type HeldModel, refOf, withdrawalOf, withdrawalReport } from './models.ts'
import { readable } from './readable.ts'
import { usesOf } from './withdrawing.ts'

/** Kinds whose newest entry of each member is shown as it was recorded. */
const RECORDED = new Set(['round.personal', 'study.measured', 'study.crossed', 'study.calibrated', 'privacy.spent'])

/** Of a model that is held here. */
export async function modelCard(daemon: Daemon, held: HeldModel): Promise<ModelCard> {
  const { state, digest, rounds } = held
  const { study, scaling } = state
  const self = daemon.home.key.id
  const made = { author: self, model: digest }
  const lineage = (await daemon.lineage.current()).of(state.id)
  const { models, inputs, authors } = lineage.ancestry(made)
  const cut = daemon.logs.sizes()
  const sites = await sitesOf(daemon, state.id)
  const withdrawn = await withdrawalOf(daemon, state, made)
  const { uses, leftOut } = await usesOf(daemon, new Set([keyOf(made)]))
  const { founding } = daemon.home.consortium
  const hidden = study.model.kind === 'mlp' ? study.model.hidden : []
  return {
    format: 'consilium-model-card/1',
    notice: NOTICE,
    model: {
      ...{ digest, rounds, heldBy: daemon.nameOf(self), kind: study.model.kind, hidden },
      sharedParameters: sharedParameters(study),
      withdrawn: withdrawn === null ? null : withdrawalReport(daemon, withdrawn),
    },
    study: {
      id: state.id,
      name: study.name,
      proposedBy: daemon.nameOf(state.proposedBy),
      proposedAtMs: state.proposedAtMs,
    },
    intendedUse: { purpose: study.purpose, label: study.label, outOfScope: OUT_OF_SCOPE },
    factors: study.features,
    training: {
      how: study.training,
      merge: study.merge,
      scaling: { digest: scaling.digest, contributions: scaling.contributions.length },
      datasets: sites.flatMap((site) => site.dataset(daemon, authors) ?? []),
    },
    lineage: {
      models: Math.max(0, models - 1),
      inputs: inputs.map(({ author, model }) => ({ name: daemon.nameOf(author), model })),
    },
    metrics: {
      minimumCohort: study.minimumCohort,
      sites: sites.flatMap((site) => site.metrics(daemon) ?? []),
      records: sites.flatMap((site) => site.records(daemon)),
    },
    privacy: { claims: sites.flatMap((site) => site.privacy(daemon) ?? []), notCovered: notCovered(study) },
    uses: { entries: uses, leftOut },
    limits: LIMITS_SAID,
    verify: {
      founding,
      fingerprint: fingerprint(founding),
      cut: cut.map(({ author, size, root }) => ({ name: daemon.nameOf(author), member: author, entries: size, root })),
    },
  }
}

const OUT_OF_SCOPE = [
  'Decisions on a patient without a physician who answers for them.',
  'Patients unlike those of the hospitals below; values in other units than those listed.',
  'Any purpose but the one that the members accepted.',
]

const LIMITS_SAID = [
  'Everything here is what the members declared in their logs. The logs prove who declared it and when, not that it is true.',
  'Each site measured on its own held-out patients, with its own private output bias; nobody pooled them.',
  'A model predicts for the time and the practice in which it was trained.',
]

/** What leaves beside what a claim is about, or beside nothing. */
function notCovered({ privacy }: Study): readonly string[] {
  return privacy === null
    ? ['Updates, statistics and figures left without added noise: they may tell of patients.']
    : [`Not covered by ε: ${NOT_COVERED.join('; ')}.`]
}

/** What one member's log says of a study. */
class Site {
  readonly #member: MemberId
  readonly #newest = new Map<string, Entry>()
  #rounds = 0

  constructor(member: MemberId) {
    this.#member = member
  }

  take(entry: Entry): void {
    this.#newest.set(entry.kind, entry)
    if (entry.kind === 'round.trained') this.#rounds++
  }

  dataset(daemon: Daemon, authors: readonly MemberId[]): CardDataset | null {
    const entry = this.#newest.get('dataset.bound')
    const body = entry && readBody('dataset.bound', entry.body)
    if (!entry || !body) return null
    const { rows, trainRows, commitment } = body
    const inThisModel = authors.includes(this.#member)
    const declared = { rows, trainRows, commitment: toHex(commitment), entry: refOf(daemon, this.#member, entry.seq) }
    return { name: daemon.nameOf(this.#member), member: this.#member, ...declared, rounds: this.#rounds, inThisModel }
  }

  metrics(daemon: Daemon): CardMetrics | null {
    const entry = this.#newest.get('round.evaluated')
    const body = entry && readBody('round.evaluated', entry.body)
    if (!entry || !body) return null
    const { round, model, examples, auc, accuracy, logLoss, calibrationError } = body
    return {
      name: daemon.nameOf(this.#member),
      entry: refOf(daemon, this.#member, entry.seq),
      rounds: round + 1,
      model: toHex(model),
      ...{ examples, auc, accuracy, logLoss, calibrationError },
    }
  }

  /** Present where the study trains with noise. */
  privacy(daemon: Daemon): CardPrivacy | null {
    const entry = this.#newest.get('round.trained')
    const body = entry?.body
    if (!entry || body === null || typeof body !== 'object' || !('privacy' in body)) return null
    const claim = readable(body.privacy as never)
    if (claim === null || typeof claim !== 'object') return null
    const at = refOf(daemon, this.#member, entry.seq)
    return { name: daemon.nameOf(this.#member), entry: at, claim: claim as CardPrivacy['claim'] }
  }

  records(daemon: Daemon): CardRecord[] {
    const found = [...this.#newest.values()].filter(({ kind }) => RECORDED.has(kind))
    return found.map(({ kind, seq, body }) => {
      const name = daemon.nameOf(this.#member)
      return { name, kind, entry: refOf(daemon, this.#member, seq), body: body === null ? null : readable(body) }
    })
  }
}

const READ = new Set(['dataset.bound', 'round.trained', 'round.evaluated', ...RECORDED])

async function sitesOf(daemon: Daemon, study: StudyId): Promise<Site[]> {
  const sites: Site[] = []
  for (const author of daemon.logs.authors()) {
    const site = new Site(author)
    const isWanted = ({ kind, study: of }: Glance): boolean => of === study && READ.has(kind)
    for await (const entry of entriesOf(daemon.logs, author, isWanted)) site.take(entry)
    sites.push(site)
  }
  return sites
}

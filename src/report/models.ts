/** What became of a study's models, as a fold over the entries about them: files, predictions, explanations, withdrawals. */
import { toHex } from '../core/bytes.ts'
import type { Digest, MemberId, StudyId } from '../core/ids.ts'
import { type Body, readBody } from '../governance/kinds.ts'
import type { Lineage } from '../governance/lineage.ts'
import { binderOfAll, keyOf, type Made, type Spoken, Withdrawals, type WordFact } from '../governance/withdrawals.ts'
import { memberQuorum, type Quorum } from '../ledger/vote.ts'
import type { Report, ReportedModel } from './report.ts'

const MODELS_MAX = 100 // in one report: of each that was spoken of all descendants are looked up

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

interface Draft extends Made {
  readonly exports: Map<string, Mutable<ReportedModel['exports'][number]>>
  predictions: Mutable<NonNullable<ReportedModel['predictions']>> | null
  explanations: Mutable<NonNullable<ReportedModel['explanations']>> | null
  lastAtMs: number
}

/** One per report. */
export class ModelFold {
  readonly #study: StudyId
  readonly #quorum: Quorum
  readonly #nameOf: (member: MemberId) => string
  readonly #drafts = new Map<string, Draft>()
  readonly #withdrawals = new Withdrawals()

  constructor(subject: {
    readonly id: StudyId
    readonly members: readonly MemberId[]
    readonly nameOf: (member: MemberId) => string
  }) {
    this.#study = subject.id
    this.#quorum = memberQuorum(subject.members)
    this.#nameOf = subject.nameOf
  }

  /** Whether the entry, of this study, was about a model. */
  add(entry: WordFact): boolean {
    const { author, kind, body, timeMs } = entry
    switch (kind) {
      case 'model.withdrawn':
      case 'model.restored': {
        this.#withdrawals.fold(entry)
        const said = readBody(kind, body)
        if (said !== null) this.#of(toHex(said.author) as MemberId, said.model, timeMs)
        return true
      }
      case 'model.exported': {
        const file = readBody(kind, body)
        if (file !== null) exported(this.#of(author, file.model, timeMs), file, timeMs)
        return true
      }
      case 'model.used': {
        const run = readBody(kind, body)
        if (run !== null) predicted(this.#of(author, run.model, timeMs), { ...run, runs: 1 }, timeMs)
        return true
      }
      case 'model.served': {
        const runs = readBody(kind, body)
        if (runs !== null) predicted(this.#of(author, runs.model, timeMs), runs, timeMs)
        return true
      }
      case 'model.explained': {
        const run = readBody(kind, body)
        if (run === null) return true
        const draft = this.#of(author, run.model, timeMs)
        draft.explanations = { runs: (draft.explanations?.runs ?? 0) + 1, lastAtMs: timeMs }
        return true
      }
      default:
        return false
    }
  }

  result(lineage: Lineage): Pick<Report, 'models' | 'modelsLeftOut'> {
    const all = [...this.#drafts.values()].sort((a, b) => b.lastAtMs - a.lastAtMs || (keyOf(a) < keyOf(b) ? -1 : 1))
    const shown = all.slice(0, MODELS_MAX)
    const spoken = new Map(this.#withdrawals.spoken(this.#study).map((one) => [keyOf(one), one]))
    const roots = [...spoken.values()].filter((one) => binderOfAll(one, this.#quorum) !== null)
    const standings = lineage.standings(shown, roots)
    const models = shown.map((draft, i) => {
      const root = roots[standings[i] as number]
      return this.#model(draft, spoken.get(keyOf(draft)), root, lineage)
    })
    return { models, modelsLeftOut: all.length - shown.length }
  }

  #model(draft: Draft, spoken: Spoken | undefined, root: Made | undefined, lineage: Lineage): ReportedModel {
    const { author, model, exports, predictions, explanations } = draft
    const made = lineage.find(draft)
    const by = spoken === undefined ? null : binderOfAll(spoken, this.#quorum)
    const word = by === null ? undefined : spoken?.words.get(by)
    const descendants = spoken === undefined ? null : lineage.descendants(draft)
    const names = [...new Set(descendants?.map((one) => this.#nameOf(one.author)))].sort()
    return {
      model,
      author,
      name: this.#nameOf(author),
      making: made?.making ?? null,
      rounds: made === null ? null : made.round + 1,
      exports: [...exports.values()],
      predictions,
      explanations,
      words: [...(spoken?.words ?? [])].map(([member, { withdrawn, reason, timeMs }]) => {
        return { name: this.#nameOf(member), withdrawn, reason, atMs: timeMs }
      }),
      withdrawn:
        by === null || word?.reason == null ? null : { by: this.#nameOf(by), reason: word.reason, atMs: word.timeMs },
      descendsFrom: root === undefined || keyOf(root) === keyOf(draft) ? null : root.model,
      descendants: descendants && { models: descendants.length, members: names },
    }
  }

  #of(author: MemberId, digest: Uint8Array, atMs: number): Draft {
    const made = { author, model: toHex(digest) as Digest }
    const known = this.#drafts.get(keyOf(made))
    const draft = known ?? { ...made, exports: new Map(), predictions: null, explanations: null, lastAtMs: atMs }
    draft.lastAtMs = Math.max(draft.lastAtMs, atMs)
    this.#drafts.set(keyOf(made), draft)
    return draft
  }
}

function exported({ exports }: Draft, { format, withHead }: Body<'model.exported'>, atMs: number): void {
  const form = `${format} ${withHead}`
  const known = exports.get(form) ?? { format, withHead, files: 0, firstAtMs: atMs, lastAtMs: atMs }
  known.files++
  known.lastAtMs = atMs
  exports.set(form, known)
}

type Predicted = Pick<Body<'model.served'>, 'runs' | 'rows' | 'warned' | 'withoutPrediction'>

function predicted(draft: Draft, { runs: toldRuns, rows, warned, withoutPrediction }: Predicted, atMs: number): void {
  draft.predictions ??= { runs: 0, runsWithheld: 0, patients: 0, warned: 0, withoutPrediction: 0, lastAtMs: atMs }
  const { predictions } = draft
  const runs = toldRuns ?? 1 // at least
  predictions.runs += runs
  predictions.lastAtMs = atMs
  if (rows === null) predictions.runsWithheld += runs
  predictions.patients += rows ?? 0
  predictions.warned += warned ?? 0
  predictions.withoutPrediction += withoutPrediction ?? 0
}

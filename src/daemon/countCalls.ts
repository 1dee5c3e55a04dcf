/** The calls about counts: how many match at these hospitals, asked of all at once and answered by each node by itself. */
import { columnFault } from '../config/countColumns.ts'
import { parseCondition } from '../config/countParser.ts'
import { type Condition, comparisons, questionDocument, questionIn, questionText } from '../config/countQuery.ts'
import { fromHex } from '../core/bytes.ts'
import { type DuoCode, duoLabel } from '../core/duo.ts'
import { ConsiliumError, invariant } from '../core/errors.ts'
import { MILLION } from '../core/geometric.ts'
import type { DatasetStanding } from '../governance/access/catalogue.ts'
import type { CountAsked, CountBook, CountTarget } from '../governance/access/counts.ts'
import { countLeave } from '../governance/access/permits.ts'
import { ACCESS_BOUNDS, COUNT_CODES } from '../governance/kinds/access.ts'
import { lintText } from '../governance/privacyLint.ts'
import type { Ref } from '../ledger/entry.ts'
import { text } from './bodyFields.ts'
import { datasetRef, findDataset, known, purposesIn, record } from './catalogueCalls.ts'
import type { Routes } from './control.ts'
import type { CountAnswerLine, CountAskedReport, CountReport } from './countApi.ts'
import { noiseWidth } from './countInterval.ts'
import { cutOf } from './cut.ts'
import type { Daemon } from './daemon.ts'
import { memberOf } from './logFilter.ts'
import { refOf } from './models.ts'
import { squeeze } from './squeeze.ts'
import { Turns } from './turns.ts'

type Body = Record<string, unknown>
const SHOWN_MAX = 1_000 // questions in one answer

/** Routes of the control API. */
export function countCalls(daemon: Daemon): Routes {
  const turns = new Turns<'ask'>() // of two who ask the same at once each is shown what came of its own
  return {
    'GET /v1/counts': async () => {
      const book = await daemon.counts.book()
      const all = book.all()
      return { counts: all.slice(0, SHOWN_MAX).map((asked) => reportOf(daemon, book, asked)), inAll: all.length }
    },
    'GET /v1/counts/show': async ({ query }) => {
      const book = await daemon.counts.book()
      return reportOf(daemon, book, find(daemon, book, query.get('ref') ?? ''))
    },
    'POST /v1/counts': ({ body }) => turns.run('ask', () => ask(daemon, body)),
  }
}

/** The question that is meant by the entry that asks. Error: `count-unknown`. */
function find(daemon: Daemon, book: CountBook, ref: string): CountAsked {
  const numbered = /^(.+)\/(\d+)$/.exec(ref)
  const author = numbered === null ? null : memberOf(daemon, numbered[1] as string)
  const found = book.all().find(({ place }) => place.author === author && place.seq === Number(numbered?.[2]))
  if (found !== undefined) return found
  const message = `"${ref.slice(0, 80)}" is no count that is known here: MEMBER/NUMBER of the entry that asks is expected, see consilium count ls`
  throw refused('count-unknown', message)
}

/** Errors: `count-…`, `catalogue-unknown`, `access-purpose`, `boot-fence`. */
async function ask(daemon: Daemon, body: Body): Promise<CountAskedReport> {
  const where = body.where === undefined ? null : parseCondition(text(body, 'where'))
  requireNoPersonalData(where)
  const purposes = purposesIn(body) ?? []
  const { targets, leftOut } = targetsOf(daemon, body, where)
  requireSameUnits(daemon, where, targets)
  const document = questionDocument({ where, purposes })
  const datasets = targets.map(({ owner, dataset }): [Uint8Array, Uint8Array] => [fromHex(owner), fromHex(dataset)])
  const refs = targets.flatMap((target) => grantRef(daemon, target, purposes))
  const told = { datasets, document }
  if (!(await daemon.counts.book()).mayAsk(daemon.home.key.id, told))
    throw refused('count-full', 'this hospital has asked as much as is followed: no more questions are looked at')
  const id = await record(daemon, { kind: 'count.asked', refs, body: told })
  const book = await daemon.counts.book()
  const asked = book.get(id)
  invariant(asked !== undefined, 'what may be asked is looked at')
  return { ...reportOf(daemon, book, asked), leftOut }
}

/** The datasets that are named, or all that can be asked. */
function targetsOf(daemon: Daemon, { at, all }: Body, where: Condition | null) {
  const leftOut: { dataset: string; because: string }[] = []
  const targets: DatasetStanding[] = []
  const named = Array.isArray(at) ? (at as unknown[]).map(String) : []
  if ((named.length === 0) !== (all === true))
    throw refused('count-targets', 'say whom to ask: --at MEMBER/DATASET, more than once if need be, or --all')
  const found =
    all === true
      ? known(daemon).filter(({ status }) => status !== 'withdrawn')
      : named.map((ref) => findDataset(daemon, ref))
  for (const standing of found) {
    const because = unaskable(standing, where)
    const dataset = datasetRef(daemon, standing)
    if (because === null) targets.push(standing)
    else if (all === true) leftOut.push({ dataset, because })
    else throw refused('count-question', `${dataset}: ${because}`)
  }
  const each = [...new Map(targets.map((one) => [`${one.owner} ${one.dataset}`, one])).values()]
  if (each.length === 0) {
    const out = leftOut
      .slice(0, 5)
      .map(({ dataset, because }) => `${dataset}: ${because}`)
      .join('; ')
    throw refused(
      'count-targets',
      `no dataset that is announced can be asked this${out === '' ? ', for none is: consilium catalogue ls' : `: ${out}`}`,
    )
  }
  if (each.length <= ACCESS_BOUNDS.countedMax) return { targets: each, leftOut }
  throw refused(
    'count-targets',
    `${each.length} datasets would be asked, at most ${ACCESS_BOUNDS.countedMax} are allowed: name them with --at`,
  )
}

/** Why a dataset cannot be asked this, or null. */
function unaskable({ announced, status, reason }: DatasetStanding, where: Condition | null): string | null {
  if (status === 'withdrawn') return `it was withdrawn (${reason})`
  if (announced.counts === 'never') return 'its hospital answers no counts'
  return columnFault(where, announced.columns)
}

/** Months here and years there would be added up otherwise. Error: `count-units`. */
function requireSameUnits(daemon: Daemon, where: Condition | null, targets: readonly DatasetStanding[]): void {
  for (const { column } of where === null ? [] : comparisons(where)) {
    const units = targets.map((one) => ({
      one,
      unit: one.announced.columns.find(({ name }) => name === column)?.unit,
    }))
    const other = units.find(({ unit }) => unit !== units[0]?.unit)
    if (other === undefined) continue
    const first = units[0] as typeof other
    const message = `column "${column}" is in ${first.unit} at ${datasetRef(daemon, first.one)} and in ${other.unit} at ${datasetRef(daemon, other.one)}: ask them apart`
    throw refused('count-units', message)
  }
}

/** A question is copied to every member for good. Error: `count-personal-data`. */
function requireNoPersonalData(where: Condition | null): void {
  for (const one of where === null ? [] : comparisons(where)) {
    const literals = one.is === 'in' ? one.literals : [one.literal]
    const found = lintText([one.column, ...literals.map(String)])
    if (found === null) continue
    const message = `--where: what is said of column "${one.column}" looks like ${found.what}, and a question is copied to every member for good: ask for a range, or for a month ('2024-03')`
    throw refused('count-personal-data', message)
  }
}

/** The grant that the question is asked under, as far as it is known here. */
function grantRef(daemon: Daemon, { owner, dataset }: DatasetStanding, purposes: readonly DuoCode[]): Ref[] {
  const { machine, home } = daemon
  const { access } = machine.view()
  const [cut, nowMs] = [cutOf(machine), Date.now()]
  const leave = countLeave(access, { owner, dataset, asker: home.key.id, purposes, cut, nowMs })
  const rests = leave === null || leave === 'pending' ? null : access.standing(leave, cut, nowMs).rests
  return rests === null ? [] : [[rests.author, rests.seq, rests.hash]]
}

function reportOf(daemon: Daemon, book: CountBook, asked: CountAsked): CountReport {
  const { place, timeMs: askedAtMs, targets, document } = asked
  const question = questionIn(document)
  const answers = targets.map((target) => answerLine(daemon, book, asked, target))
  const told = targets.flatMap((target) => {
    const answer = book.answer(asked.id, target)
    return answer?.count === null || answer === null ? [] : [{ ...answer, count: answer.count }]
  })
  const count = told.reduce((sum, one) => sum + one.count, 0)
  const width =
    noiseWidth(told.map(({ epsilon }) => epsilon)) + told.reduce((sum, { step }) => sum + Math.floor(step / 2), 0)
  return {
    ...{ ref: refOf(daemon, place.author, place.seq), by: daemon.nameOf(place.author), askedAtMs },
    where: question === null ? null : questionText(question.where),
    purposes: (question?.purposes ?? []).map((code) => ({ code, label: duoLabel(code) })),
    answers,
    waiting: answers.filter(({ status }) => status === 'waiting').length,
    total: told.length === 0 ? null : { count, low: Math.max(0, count - width), high: count + width, of: told.length },
  }
}

function answerLine(daemon: Daemon, book: CountBook, { id }: CountAsked, target: CountTarget): CountAnswerLine {
  const { owner, dataset } = target
  const standing = daemon.machine.view().access.catalogue.standing(owner, dataset, cutOf(daemon.machine))
  const name =
    standing === null ? `${squeeze(daemon.nameOf(owner))}/${dataset.slice(0, 12)}` : datasetRef(daemon, standing)
  const counted = standing?.announced.counted ?? 'patients'
  const answer = book.answer(id, target)
  if (answer === null) {
    const none = {
      count: null,
      low: null,
      high: null,
      epsilon: null,
      spent: null,
      left: null,
      cohort: null,
      step: null,
    }
    const says = `${daemon.nameOf(owner)} has not answered yet: its node answers by itself when it hears of the question`
    return { dataset: name, counted, status: 'waiting', code: null, says, ...none, entry: null }
  }
  const { code, count, cohort, step, place } = answer
  const width = count === null ? 0 : noiseWidth([answer.epsilon]) + Math.floor(step / 2)
  return {
    ...{
      dataset: name,
      counted,
      status: count === null ? 'refused' : 'told',
      code,
      says: COUNT_CODES[code],
      count,
      cohort,
      step,
    },
    low: count === null ? null : Math.max(0, count - width),
    high: count === null ? null : count + width,
    ...{ epsilon: answer.epsilon / MILLION, spent: answer.spent / MILLION, left: answer.left / MILLION },
    entry: refOf(daemon, place.author, place.seq),
  }
}

function refused(code: string, message: string): ConsiliumError {
  return new ConsiliumError({ code, message })
}

/** Counts: what is answered, what it costs, and that no order of questions tells more than the budget. */
import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { parseCondition } from '../../../src/config/countParser.ts'
import { questionDigest, questionIn } from '../../../src/config/countQuery.ts'
import { fromHex } from '../../../src/core/bytes.ts'
import type { Digest, MemberId } from '../../../src/core/ids.ts'
import { Rng } from '../../../src/core/rng.ts'
import { type CountCase, type CountPolicy, decide, left, told } from '../../../src/governance/access/answering.ts'
import { CountBook } from '../../../src/governance/access/counts.ts'
import type { AccessFact } from '../../../src/governance/access/requests.ts'
import { COUNT_CODES } from '../../../src/governance/kinds/access.ts'
import { digestOf } from '../../gossip/fixtures.ts'
import { ADA, BEN, CLEO, counted, DATASET, factAt, OWNER, VERSION } from './kit.ts'

const it = suite('counts')

const POLICY: CountPolicy = {
  ...{ answer: 'granted', microPerQuery: 300_000, microPerAsker: 1_000_000, microInAll: 1_700_000 },
  ...{ cohort: 10, step: 5 },
}
const CASE: CountCase = {
  ...{ isMember: true, isOwn: false, isAnnounced: true, leave: 'granted', fits: true, isForPurpose: true },
  ...{ before: null, spentByAsker: 0, spentInAll: 0 },
}

const ROWS: readonly (readonly [claim: string, policy: Partial<CountPolicy>, one: Partial<CountCase>, code: string])[] =
  [
    ['who was granted is answered', {}, {}, 'count'],
    ['who was not is not', {}, { leave: 'none' }, 'not-granted'],
    ['who is about to be waits', {}, { leave: 'pending' }, 'wait'],
    ['any member is, where the hospital says so', { answer: 'any-member' }, { leave: 'none' }, 'count'],
    ['nobody is, where it says that', { answer: 'never' }, {}, 'never'],
    ['the hospital itself needs no leave', {}, { leave: 'none', isOwn: true }, 'count'],
    ['but what it tells goes to all, and never is never', { answer: 'never' }, { isOwn: true }, 'never'],
    ['who was a member is not', {}, { isMember: false }, 'not-a-member'],
    ['of what is not announced nothing is told', {}, { isAnnounced: false }, 'dataset-unknown'],
    ['what does not fit the columns is not looked up', {}, { fits: false }, 'question'],
    ['nor is what is for another purpose', {}, { isForPurpose: false }, 'purpose'],
    ['what was told before is told again', {}, { before: { count: 40 } }, 'repeated'],
    ['also when the budget is gone', {}, { before: { count: 40 }, spentByAsker: 1_000_000 }, 'repeated'],
    ['and so is that it was too small', {}, { before: { count: null } }, 'cohort'],
    ['but not to who may not ask', {}, { before: { count: 40 }, leave: 'none' }, 'not-granted'],
    ['the last of a budget may be spent', {}, { spentByAsker: 700_000 }, 'count'],
    ['and no more than that', {}, { spentByAsker: 700_001 }, 'budget-asker'],
    [
      'all askers together have one too, for they read each other’s answers',
      {},
      { spentInAll: 1_400_001 },
      'budget-all',
    ],
  ]
for (const [claim, policy, one, code] of ROWS) {
  it(claim, () => {
    const found = decide({ ...POLICY, ...policy }, { ...CASE, ...one })
    assert.is('code' in found ? found.code : found.do, code)
    if ('code' in found) assert.ok(COUNT_CODES[found.code].length > 10)
  })
}

it('the threshold looks at the noised number alone', () => {
  const rng = Rng.from('threshold')
  const below = (n: number): number => rng.below(n)
  let [refusedAbove, toldBelow] = [0, 0]
  for (let i = 0; i < 3_000; i++) {
    if (told(POLICY, 12, 300_000, below) === null) refusedAbove++
    if (told(POLICY, 8, 300_000, below) !== null) toldBelow++
  }
  assert.ok(refusedAbove > 500, 'twelve patients are refused now and then')
  assert.ok(toldBelow > 500, 'eight are told now and then: what is refused tells nobody that there are few')
})

it('what is told is a multiple of the step', () => {
  const rng = Rng.from('step')
  for (let i = 0; i < 300; i++) {
    const found = told({ ...POLICY, step: 7 }, 100, 300_000, (n) => rng.below(n))
    assert.ok(found !== null && found % 7 === 0, String(found))
  }
})

it('what is told is not below the cohort, whatever the step rounds it to', () => {
  const rng = Rng.from('rounded')
  for (const [cohort, step] of [
    [11, 5],
    [12, 7],
    [10, 10],
    [23, 20],
  ] as const) {
    const found = Array.from({ length: 500 }, () =>
      told({ ...POLICY, cohort, step }, cohort, 300_000, (n) => rng.below(n)),
    )
    const least = Math.min(...found.filter((count) => count !== null))
    assert.is(least, Math.ceil(cohort / step) * step, `cohort ${cohort}, step ${step}`)
  }
})

/** Chance of each answer to a count of `n`, by the mechanism's definition. */
function answers(n: number, epsilon: number): Map<number | null, number> {
  const alpha = Math.exp(-epsilon)
  const found = new Map<number | null, number>()
  for (let y = -400; y <= 400; y++) {
    const noised = n + y
    const rounded = Math.round(noised / POLICY.step) * POLICY.step
    const answer = noised < POLICY.cohort || rounded < POLICY.cohort ? null : rounded
    found.set(answer, (found.get(answer) ?? 0) + ((1 - alpha) / (1 + alpha)) * alpha ** Math.abs(y))
  }
  return found
}

it('two questions that differ by one patient cannot be told apart by more than e^ε, refusals included', () => {
  const epsilon = 0.3
  for (const n of [0, 5, 9, 10, 11, 40, 137]) {
    const [without, one] = [answers(n, epsilon), answers(n + 1, epsilon)]
    for (const [answer, chance] of one) {
      const other = without.get(answer) ?? 0
      if (chance < 1e-12 && other < 1e-12) continue
      const ratio = Math.abs(Math.log(chance / other))
      assert.ok(ratio <= epsilon + 1e-6, `${n}: ${answer}: ${ratio}`)
    }
  }
})

it('an attacker who asks with and without one patient guesses hardly better than e^ε allows', () => {
  const rng = Rng.from('differencing')
  const [trials, micro] = [6_000, 300_000]
  let right = 0
  for (let i = 0; i < trials; i++) {
    const isThere = rng.below(2)
    const [all, others] = [
      told(POLICY, 60 + isThere, micro, (n) => rng.below(n)),
      told(POLICY, 60, micro, (n) => rng.below(n)),
    ]
    const guess = (all ?? 0) > (others ?? 0) ? 1 : (all ?? 0) < (others ?? 0) ? 0 : rng.below(2)
    if (guess === isThere) right++
  }
  const bound = Math.exp(0.6) / (1 + Math.exp(0.6)) // two answers, ε 0.3 each
  assert.ok(right / trials <= bound + 0.02, `${right} of ${trials} right, at most ${bound}`)
})

/** A hospital that answers every question with a book of its own entries, as its node does. */
class Hospital {
  readonly book = new CountBook(OWNER)
  readonly told: { asker: MemberId; spent: number }[] = []
  #seq = 0
  readonly #rng = Rng.from('hospital')

  hear(fact: AccessFact, version: Digest = VERSION): void {
    this.book.tell(fact)
    for (const asked of this.book.open()) this.#answer(asked, version)
  }

  #answer(asked: ReturnType<CountBook['open']>[number], version: Digest): void {
    const { author } = asked.place
    const { dataset } = asked.targets[0] as { dataset: Digest }
    const question = questionDigest({ where: questionIn(asked.document)?.where ?? null, purposes: [] })
    const [spentByAsker, spentInAll] = [this.book.spentBy(author, dataset), this.book.spentInAll(dataset)]
    const before = this.book.drawn(dataset, version, question)
    const found = decide(POLICY, { ...CASE, before, spentByAsker, spentInAll })
    const spent = found.do === 'count' ? found.microEpsilon : 0
    const count =
      found.do === 'count' ? told(POLICY, 40, spent, (n) => this.#rng.below(n)) : 'count' in found ? found.count : null
    const code = found.do === 'count' ? (count === null ? 'cohort' : 'counted') : 'code' in found ? found.code : 'never'
    this.told.push({ asker: author, spent })
    this.book.tell(
      factAt(OWNER, this.#seq++, 'count.answered', {
        ...{ asker: fromHex(author), request: fromHex(asked.id), dataset: fromHex(dataset), version: fromHex(version) },
        ...{ question: fromHex(question), code, count, epsilon: POLICY.microPerQuery, step: 5, cohort: 10, spent },
        left: left(POLICY, spentByAsker + spent, spentInAll + spent),
      }),
    )
  }
}

const step = fc.record({ asker: fc.nat(2), age: fc.nat(9), version: fc.nat(2) })

it('in whatever order members ask, no budget is exceeded, and no question draws noise twice', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const hospital = new Hospital()
      for (const [seq, { asker, age, version }] of steps.entries()) {
        const author = [ADA, BEN, CLEO][asker] as MemberId
        hospital.hear(counted(author, seq, `age > ${age}`), digestOf(`version ${version}`))
        const spent = [ADA, BEN, CLEO].map((one) => hospital.book.spentBy(one, DATASET))
        assert.ok(spent.every((one) => one <= POLICY.microPerAsker))
        assert.ok(hospital.book.spentInAll(DATASET) <= POLICY.microInAll)
        assert.is(
          spent.reduce((sum, one) => sum + one, 0),
          hospital.book.spentInAll(DATASET),
        )
      }
      assert.is(hospital.told.length, steps.length, 'everybody is answered')
      const paid = hospital.told.filter(({ spent }) => spent > 0).length
      const asked = new Set(steps.map(({ age, version }) => `${age} ${version}`)).size
      assert.ok(paid <= asked)
    }),
    { numRuns: 150 },
  )
})

it('what the log says was spent is spent after a start, and the same question has the same answer', () => {
  const hospital = new Hospital()
  const log: AccessFact[] = []
  const { tell } = hospital.book
  hospital.book.tell = (entry) => {
    log.push(entry as AccessFact)
    tell.call(hospital.book, entry)
  }
  for (let seq = 0; seq < 5; seq++) hospital.hear(counted(ADA, seq, `age > ${seq % 4}`))
  const again = new CountBook(OWNER)
  for (const entry of log) again.tell(entry)
  assert.is(again.spentBy(ADA, DATASET), 900_000)
  assert.is(again.open().length, 0)
  const question = questionDigest({ where: parseCondition('age > 0'), purposes: [] })
  assert.equal(again.drawn(DATASET, VERSION, question), hospital.book.drawn(DATASET, VERSION, question))
  const asked = again.all()
  const of = (place: number) => again.answer(asked[place]?.id as Digest, { owner: OWNER, dataset: DATASET })
  assert.is(of(0)?.code, 'repeated')
  assert.is(of(0)?.count, of(4)?.count)
  assert.is(of(1)?.code, 'budget-asker')
  assert.equal([of(1)?.epsilon, of(1)?.left], [300_000, 100_000], 'what was asked, and what remains')
})

it('a question asked in another order of words is the same question', () => {
  const hospital = new Hospital()
  hospital.hear(counted(ADA, 0, "age > 3 and sex = 'F'"))
  hospital.hear(counted(BEN, 0, "sex = 'F' and age > 3"))
  assert.equal([hospital.told[0]?.spent, hospital.told[1]?.spent], [300_000, 0])
})

it('answers before their question, of others in its name, or twice, change nothing', () => {
  const question = counted(ADA, 3, 'age > 1')
  const body = {
    ...{ asker: fromHex(ADA), request: fromHex(question.hash), dataset: fromHex(DATASET), version: fromHex(VERSION) },
    ...{
      question: fromHex(digestOf('q')),
      code: 'counted',
      count: 35,
      epsilon: 200_000,
      step: 5,
      cohort: 10,
      spent: 1,
      left: 0,
    },
  }
  const facts = [
    question,
    factAt(OWNER, 0, 'count.answered', body),
    factAt(OWNER, 1, 'count.answered', { ...body, count: 99 }),
    factAt(BEN, 0, 'count.answered', { ...body, count: 7 }),
  ]
  const target = { owner: OWNER, dataset: DATASET }
  for (const order of [
    [0, 1, 2, 3],
    [1, 2, 3, 0],
    [3, 1, 0, 2],
  ]) {
    const book = new CountBook(CLEO)
    for (const at of order) book.tell(facts[at] as AccessFact)
    assert.is(book.answer(question.hash, target)?.count, 35)
    assert.is(book.answer(question.hash, { ...target, owner: BEN })?.count, 7, 'told of a dataset of its own')
    assert.is(book.spentInAll(DATASET), 0, 'the own log alone charges')
  }
})

it('of one member so many questions wait for an answer, and no more', () => {
  const book = new CountBook(OWNER)
  for (let seq = 0; seq < 1_100; seq++) book.tell(counted(ADA, seq, null))
  for (let seq = 0; seq < 5; seq++) book.tell(counted(BEN, seq, null))
  assert.equal([book.open().length, book.all().length, book.dropped], [1_005, 1_105, 100])
})

/** What Cleo tells of a dataset of hers. */
const toldBy = (seq: number, request: Digest, more: object): AccessFact =>
  factAt(CLEO, seq, 'count.answered', {
    ...{ asker: fromHex(ADA), request: fromHex(request), dataset: fromHex(DATASET), version: fromHex(VERSION) },
    ...{ question: fromHex(VERSION), code: 'counted', count: 100, epsilon: 200_000, step: 5, cohort: 10 },
    ...{ spent: 200_000, left: 0, ...more },
  })

it('an answer without noise that means anything is none, and of one question a member answers no more than it may be asked', () => {
  const book = new CountBook(OWNER)
  const request = digestOf('a question')
  book.tell(toldBy(0, request, { epsilon: 0 }))
  assert.is(book.answer(request, { owner: CLEO, dataset: DATASET }), null)
  const datasets = Array.from({ length: 70 }, (_, i) => digestOf(`dataset ${i}`))
  for (const [i, dataset] of datasets.entries()) book.tell(toldBy(1 + i, request, { dataset: fromHex(dataset) }))
  const answered = datasets.filter((dataset) => book.answer(request, { owner: CLEO, dataset }) !== null)
  assert.equal([answered.length, book.dropped], [64, 6])
})

it('what one member asks takes no more memory than is set aside for it', () => {
  const book = new CountBook(OWNER)
  const [datasets, document] = [[[fromHex(CLEO), fromHex(DATASET)]], new Uint8Array(8_000)]
  for (let seq = 0; seq < 8_200; seq++) book.tell(factAt(ADA, seq, 'count.asked', { datasets, document }))
  assert.ok(book.dropped > 0 && book.all().length > 8_000, `${book.dropped}`)
  const told = { datasets: datasets as [Uint8Array, Uint8Array][], document }
  assert.equal([book.mayAsk(ADA, told), book.mayAsk(BEN, told)], [false, true])
})

it.run()

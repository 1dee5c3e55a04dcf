/** Agreements as a fold: one state whatever came first, and what each word does over a cut. */
import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { toHex } from '../../src/core/bytes.ts'
import type { Cbor } from '../../src/core/cbor.ts'
import { sha256 } from '../../src/core/digest.ts'
import type { AgreementId, MemberId } from '../../src/core/ids.ts'
import { LIMITS } from '../../src/core/limits.ts'
import { Rng } from '../../src/core/rng.ts'
import {
  type AgreementFact,
  type AgreementState,
  type AgreementStatus,
  Agreements,
  type Cut,
  dutiesDone,
  standingOf,
  stateHash,
} from '../../src/governance/agreements.ts'
import { STUDY } from '../gossip/fixtures.ts'
import {
  ADA,
  agreementOf,
  BEGUN_MS,
  BEN,
  CLEO,
  EXPIRES_MS,
  ended,
  event,
  factAt,
  proposed,
  refused,
  SELF,
  signed,
} from './agreementFixtures.ts'

const it = suite('agreements')
const AUTHORS = [SELF, ADA, BEN, CLEO]
const ALL: Cut = { final: () => Number.POSITIVE_INFINITY, known: () => Number.POSITIVE_INFINITY }

/** Cuts by author; what is not named is read to its end. */
function cutAt(final: Partial<Record<MemberId, number>>, known: Partial<Record<MemberId, number>> = {}): Cut {
  return { final: (author) => final[author] ?? Infinity, known: (author) => known[author] ?? Infinity }
}

function folded(facts: readonly AgreementFact[]): Agreements {
  const agreements = new Agreements()
  for (const fact of facts) agreements.fold(fact)
  return agreements
}

const OURS = agreementOf()
const PROPOSED = factAt(SELF, 0, proposed(OURS.document))

function statusOf(facts: readonly AgreementFact[], cut = ALL, nowMs = BEGUN_MS): AgreementStatus {
  return standingOf(folded([PROPOSED, ...facts]).get(OURS.id) as AgreementState, cut, nowMs).status
}

/** Words as [author, number in its log, what]. */
type Word = readonly [author: MemberId, seq: number, what: (id: AgreementId) => { kind: string; body: Cbor }]
const words = (...list: Word[]): AgreementFact[] =>
  list.map(([author, seq, what]) => factAt(author, seq, what(OURS.id)))

const ROWS: readonly (readonly [claim: string, list: Word[], cut: Cut, status: AgreementStatus])[] = [
  ['nobody has signed', [], ALL, 'proposed'],
  ['one of two has', [[SELF, 1, signed]], ALL, 'proposed'],
  [
    'both have',
    [
      [SELF, 1, signed],
      [ADA, 4, signed],
    ],
    ALL,
    'active',
  ],
  [
    'who may sign but need not is not waited for, and its refusal stops nobody',
    [
      [SELF, 1, signed],
      [ADA, 4, signed],
      [BEN, 2, refused],
    ],
    ALL,
    'active',
  ],
  [
    'one signature is not final',
    [
      [SELF, 1, signed],
      [ADA, 4, signed],
    ],
    cutAt({ [ADA]: 4 }),
    'proposed',
  ],
  [
    'it is, by one entry more',
    [
      [SELF, 1, signed],
      [ADA, 4, signed],
    ],
    cutAt({ [ADA]: 5 }),
    'active',
  ],
  [
    'a refusal binds before it is final',
    [
      [SELF, 1, signed],
      [ADA, 4, signed],
      [ADA, 5, refused],
    ],
    cutAt({ [ADA]: 5 }),
    'refused',
  ],
  [
    'but not before it is known',
    [
      [SELF, 1, signed],
      [ADA, 4, signed],
      [ADA, 5, refused],
    ],
    cutAt({ [ADA]: 5 }, { [ADA]: 5 }),
    'active',
  ],
  [
    'signing takes a refusal back when that is final',
    [
      [SELF, 1, signed],
      [ADA, 4, refused],
      [ADA, 6, signed],
    ],
    ALL,
    'active',
  ],
  [
    'and not before',
    [
      [SELF, 1, signed],
      [ADA, 4, refused],
      [ADA, 6, signed],
    ],
    cutAt({ [ADA]: 6 }),
    'refused',
  ],
  [
    'an end by any party binds before it is final',
    [
      [SELF, 1, signed],
      [ADA, 4, signed],
      [BEN, 1, ended],
    ],
    cutAt({ [BEN]: 0 }),
    'ended',
  ],
  [
    'and no signature takes that back',
    [
      [SELF, 1, signed],
      [ADA, 3, ended],
      [ADA, 4, signed],
    ],
    ALL,
    'ended',
  ],
  [
    'an end goes before a refusal',
    [
      [SELF, 2, refused],
      [ADA, 3, ended],
    ],
    ALL,
    'ended',
  ],
  [
    'who is no party has no word',
    [
      [SELF, 1, signed],
      [ADA, 4, signed],
      [CLEO, 1, ended],
      [CLEO, 2, refused],
    ],
    ALL,
    'active',
  ],
]
for (const [claim, list, cut, status] of ROWS) {
  it(`${status}: ${claim}`, () => {
    assert.is(statusOf(words(...list), cut), status)
  })
}

it('time begins it and ends it', () => {
  const both = words([SELF, 1, signed], [ADA, 4, signed])
  assert.is(statusOf(both, ALL, EXPIRES_MS - 1), 'active')
  assert.is(statusOf(both, ALL, EXPIRES_MS), 'expired')
  assert.is(statusOf([], ALL, EXPIRES_MS), 'expired')
  const later = agreementOf('starts: 2027-03-01\n')
  const facts = [
    factAt(SELF, 0, proposed(later.document)),
    factAt(SELF, 1, signed(later.id)),
    factAt(ADA, 0, signed(later.id)),
  ]
  const state = folded(facts).get(later.id) as AgreementState
  const [before, after] = [-1, 0].map((ms) => standingOf(state, ALL, Date.parse('2027-03-01') + ms).status)
  assert.equal([before, after], ['upcoming', 'active'])
})

it('it names the entry that it rests on, and the clause or the reason', () => {
  const facts = words([SELF, 1, signed], [ADA, 7, (id) => refused(id, 'cohort')])
  const { rests, because } = standingOf(folded([PROPOSED, ...facts]).get(OURS.id) as AgreementState, ALL, BEGUN_MS)
  assert.equal([rests?.author, rests?.seq, because], [ADA, 7, 'cohort'])
})

it('words that come before the document wait for it; what no schema fits, and what no guard compiles, is left aside', () => {
  const early = folded([...words([SELF, 1, signed], [ADA, 4, signed]), PROPOSED])
  assert.is(standingOf(early.get(OURS.id) as AgreementState, ALL, BEGUN_MS).status, 'active')
  const odd: readonly { kind: string; body: Cbor }[] = [
    { kind: 'agreement.proposed', body: { document: Uint8Array.of(1, 2, 3) } },
    { kind: 'agreement.proposed', body: { document: 'text' } },
    { kind: 'agreement.signed', body: { agreement: 'x' } },
    { kind: 'agreement.refused', body: { agreement: new Uint8Array(32), clause: 'Mrs. Smith' } },
    { kind: 'agreement.ended', body: null },
  ]
  const agreements = folded(odd.map((one, seq) => factAt(BEN, seq, one)))
  assert.equal(agreements.all(), [])
  assert.not.ok(agreements.fold(factAt(BEN, 9, { kind: 'study.paused', body: {} })), 'others’ kinds are not its own')
})

it('who says the same over and over takes no room, and who changes its mind too often can refuse, but sign no more', () => {
  const turns = Array.from({ length: 60 }, (_, i): Word => [ADA, i, i % 2 === 0 ? signed : refused])
  const agreements = folded([PROPOSED, ...words([SELF, 1, signed], ...turns)])
  const state = agreements.get(OURS.id) as AgreementState
  assert.ok((state.said.words.get(ADA)?.length ?? 0) <= 17)
  assert.is(standingOf(state, ALL, BEGUN_MS).status, 'refused')
  agreements.fold(factAt(ADA, 60, signed(OURS.id)))
  assert.is(standingOf(state, ALL, BEGUN_MS).status, 'refused')
  const again = words(...Array.from({ length: 500 }, (_, i): Word => [ADA, i, signed]))
  assert.is((folded([PROPOSED, ...again]).get(OURS.id) as AgreementState).said.words.get(ADA)?.length, 1)
})

it('what one member may propose and speak of is bounded, and the first ones count at every node', () => {
  const many = Array.from({ length: LIMITS.agreementsPerMemberMax + 3 }, (_, i) =>
    agreementOf(`minimumCohort: ${10 + i}\n`),
  )
  const agreements = folded(many.map(({ document }, seq) => factAt(BEN, seq, proposed(document))))
  assert.is(agreements.all().length, LIMITS.agreementsPerMemberMax)
  assert.not.ok(agreements.mayPropose(BEN))
  assert.is(agreements.naming(STUDY).length, LIMITS.agreementsPerMemberMax)
  const idOf = (i: number): AgreementId => toHex(sha256(Uint8Array.of(i, i >> 8))) as AgreementId
  for (let i = 0; i < LIMITS.agreementsMentionedMax; i++) agreements.fold(factAt(ADA, i, signed(idOf(i))))
  assert.not.ok(agreements.maySpeakOf(ADA, OURS.id))
  assert.ok(agreements.maySpeakOf(ADA, idOf(3)))
})

const FLOW = agreementOf(`duties: [{ duty: report-results, withinDays: 30 }]
workflow:
  start: review
  states: [{ name: review, allows: [] }, { name: open, allows: [round] }, { name: shut, allows: [] }]
  transitions:
    - { event: approve, from: review, to: open, who: { kind: any, of: 2 } }
    - { event: close, from: open, to: shut, who: { kind: role, role: board } }
    - { event: reopen, from: shut, to: review, who: { kind: party, member: ada } }
`)
const at = (facts: readonly AgreementFact[], cut = ALL) => {
  const state = folded([factAt(SELF, 0, proposed(FLOW.document)), ...facts]).get(FLOW.id) as AgreementState
  return standingOf(state, cut, BEGUN_MS).workflow
}
const said = (author: MemberId, seq: number, what: string, lamport = seq) =>
  factAt(author, seq, event(FLOW.id, what), lamport)

it('a workflow goes on by who may say so: two different parties, a role, one party; others change nothing', () => {
  assert.equal(at([said(ADA, 1, 'approve'), said(ADA, 2, 'approve')]), { final: 'review', known: 'review' })
  assert.equal(at([said(ADA, 1, 'approve'), said(CLEO, 2, 'approve')])?.known, 'review', 'no party')
  const open = [said(ADA, 1, 'approve'), said(BEN, 2, 'approve')]
  assert.equal(at(open)?.known, 'open')
  assert.equal(at([...open, said(SELF, 3, 'close')])?.known, 'open', 'not its role')
  assert.equal(at([...open, said(BEN, 3, 'close')])?.known, 'shut')
  assert.equal(at([...open, said(BEN, 3, 'close'), said(SELF, 4, 'reopen')])?.known, 'shut')
  assert.equal(at([...open, said(BEN, 3, 'close'), said(ADA, 4, 'reopen')])?.known, 'review')
  const again = [said(BEN, 3, 'close'), said(ADA, 4, 'reopen'), said(BEN, 5, 'approve')]
  assert.equal(at([...open, ...again])?.known, 'review', 'the first vote does not count twice')
})

it('by what is final it may stand elsewhere than by what is known', () => {
  const facts = [said(ADA, 1, 'approve'), said(BEN, 2, 'approve'), said(BEN, 3, 'close')]
  assert.equal(at(facts, cutAt({ [BEN]: 3 })), { final: 'open', known: 'shut' })
  assert.equal(at(facts, cutAt({ [BEN]: 2 })), { final: 'review', known: 'shut' })
})

it('a duty is done when a party first says so', () => {
  const facts = [
    said(BEN, 5, 'report-results', 9),
    said(ADA, 2, 'report-results', 4),
    said(CLEO, 1, 'report-results', 1),
  ]
  const state = folded([factAt(SELF, 0, proposed(FLOW.document)), ...facts]).get(FLOW.id) as AgreementState
  const place = dutiesDone(state).get('report-results')
  assert.equal([place?.author, place?.seq], [ADA, 2])
})

/** Everything at once: three agreements, four authors, words, events and noise. */
const TRIO = [OURS, FLOW, agreementOf('minimumCohort: 40\n')] as const
const KINDS = [
  signed,
  signed,
  refused,
  ended,
  (id: AgreementId) => event(id, 'approve'),
  (id: AgreementId) => event(id, 'close'),
]

function logsOf(rng: Rng, agreements: readonly (typeof TRIO)[number][] = TRIO): AgreementFact[][] {
  return AUTHORS.map((author) => {
    const length = 4 + rng.below(12)
    let lamport = rng.below(5)
    return Array.from({ length }, (_, seq) => {
      lamport += 1 + rng.below(3)
      const { id, document } = agreements[rng.below(agreements.length)] as (typeof TRIO)[number]
      if (rng.below(4) === 0) return factAt(author, seq, proposed(document), lamport)
      const make = KINDS[rng.below(rng.below(3) === 0 ? 6 : 2)] as (id: AgreementId) => { kind: string; body: Cbor }
      return factAt(author, seq, make(id), lamport)
    })
  })
}

/** One delivery: authors in any order, each author's own order kept. */
function delivered(logs: readonly AgreementFact[][], rng: Rng): AgreementFact[] {
  const at = logs.map(() => 0)
  const out: AgreementFact[] = []
  for (let left = logs.reduce((sum, log) => sum + log.length, 0); left > 0; left--) {
    let author = rng.below(logs.length)
    while ((at[author] as number) >= (logs[author]?.length ?? 0)) author = (author + 1) % logs.length
    out.push(logs[author]?.[at[author] as number] as AgreementFact)
    at[author] = (at[author] as number) + 1
  }
  return out
}

it('ten thousand deliveries in random orders give one state hash for each cut', () => {
  const seed = process.env.SEED ?? 'agreements'
  const rng = Rng.from('test', seed)
  const found = new Set<string>()
  for (let world = 0; world < 20; world++) {
    const logs = logsOf(rng, world % 4 === 0 ? TRIO : [OURS]) // to read three documents takes most of the time
    const cut = cutAt(
      Object.fromEntries(AUTHORS.map((author) => [author, rng.below(12)])),
      Object.fromEntries(AUTHORS.map((author) => [author, 12 + rng.below(4)])),
    )
    const hashes = new Set<string>()
    for (let order = 0; order < 500; order++) hashes.add(stateHash(folded(delivered(logs, rng)), cut, BEGUN_MS))
    assert.is(hashes.size, 1, `world ${world}: replay with SEED=${seed}`)
    for (const hash of hashes) found.add(hash)
  }
  assert.ok(found.size >= 18, 'and different worlds differ')
})

it('any words in any order: two nodes that have the same agree, whatever the cut', () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer(), fc.integer({ min: 0, max: 16 }), (a, b, size) => {
      const logs = logsOf(Rng.from('test', `${a}`))
      const cut: Cut = { final: () => size, known: () => size + 3 }
      const [one, two] = [`${a} ${b}`, `${b}`].map((seed) => folded(delivered(logs, Rng.from('order', seed))))
      assert.is(stateHash(one as Agreements, cut, BEGUN_MS), stateHash(two as Agreements, cut, BEGUN_MS))
    }),
    { numRuns: 200 },
  )
})

it('one state hash is frozen, so that every version of Node agrees with every other', () => {
  const facts = [
    ...logsOf(Rng.from('test', 'golden')).flat(),
    ...TRIO.map(({ document }, i) => factAt(CLEO, 100 + i, proposed(document))),
  ]
  assert.is(stateHash(folded(facts), cutAt({ [ADA]: 5, [BEN]: 3 }), BEGUN_MS), GOLDEN)
})
const GOLDEN = '4b4152ceae08e6bf70416fc7a8d5e1e627e1cc85e4f8f84b6dd599c1faf3821c'

it.run()

/** The fold over all members' entries: the same state in whatever order logs arrive. */
import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { studyDocument, studyIdOf } from '../../src/config/study.ts'
import { fromHex, toHex } from '../../src/core/bytes.ts'
import type { Cbor } from '../../src/core/cbor.ts'
import { compareIds, type MemberId, type StudyId } from '../../src/core/ids.ts'
import { LIMITS } from '../../src/core/limits.ts'
import {
  betterScaling,
  type Fact,
  proposalFrom,
  Studies,
  type StudyState,
  scalingDigest,
} from '../../src/governance/studies.ts'
import { REFS_MAX } from '../../src/ledger/entry.ts'
import { digestOf, keyOf } from '../gossip/fixtures.ts'
import { studyOf } from '../node/clinics.ts'

const it = suite('studies')
const DOCUMENT = studyDocument(studyOf())
const STUDY = studyIdOf(DOCUMENT)
const MEMBERS = ['ada', 'ben', 'cleo', 'dan'].map((name) => keyOf(name).member).sort(compareIds)
const [ADA, BEN] = MEMBERS as [MemberId, MemberId]

/** One author's log as facts, numbered in order. */
function logOf(
  author: MemberId,
  entries: readonly (readonly [kind: string, body: Cbor, more?: Partial<Fact>])[],
): Fact[] {
  return entries.map(([kind, body, more], seq) => {
    const hash = digestOf(`${author} ${seq}`)
    return { author, seq, hash, timeMs: 1_000 + seq, lamport: 0, kind, study: STUDY, refs: [], body, ...more }
  })
}

const proposed: readonly [string, Cbor] = ['study.proposed', { document: DOCUMENT }]
const accepted: readonly [string, Cbor] = ['study.accepted', {}]
const bound = (label: string): readonly [string, Cbor] => [
  'dataset.bound',
  { rows: 60, trainRows: 45, commitment: fromHex(digestOf(label)) },
]
const statistics = (mean: number): readonly [string, Cbor] => [
  'study.statistics',
  { rows: 45, count: [45, 45], sum: [45 * mean, 45 * 300], sumOfSquares: [45 * (mean * mean + 9), 45 * 91_000] },
]

/** Everything that the machine reads of a state, as plain data. */
function plain(state: StudyState | undefined): unknown {
  if (state === undefined) return null
  const sorted = (set: Iterable<string>): string[] => [...set].sort()
  return {
    proposedBy: state.proposedBy,
    proposedAtMs: state.proposedAtMs,
    accepted: sorted(state.accepted),
    bound: sorted(state.bound),
    ended: sorted(state.ended),
    paused: sorted(state.paused),
    commitments: sorted([...state.commitments].map(([member, digest]) => `${member} ${digest}`)),
    statistics: sorted([...state.statistics].map(([member, { hash }]) => `${member} ${hash}`)),
    scaling: state.scaling && [state.scaling.digest, ...state.scaling.contributions],
  }
}

function foldAll(facts: readonly Fact[]): Studies {
  const studies = new Studies()
  for (const fact of facts) studies.fold(fact)
  return studies
}

/** A scaling proposal that sums what `contributors` gave in `logs`. */
function scalingOf(
  logs: readonly (readonly Fact[])[],
  contributors: readonly number[],
): readonly [string, Cbor, Partial<Fact>] {
  const studies = foldAll(
    logs.flatMap((log, i) => log.filter(({ kind }) => kind !== 'study.statistics' || contributors.includes(i))),
  )
  const { proposal, refs } = proposalFrom(studies.get(STUDY) as StudyState)
  assert.is(refs.length, contributors.length)
  return ['study.scaling', { digest: fromHex(proposal.digest) }, { refs }]
}

/** Four members' logs: accepting, binding, pausing; proposals of scaling by two, over two and over four contributions. */
const LOGS: readonly (readonly Fact[])[] = (() => {
  const base = MEMBERS.map((_, i) => [
    ...(i === 1 || i === 3 ? [proposed] : []),
    accepted,
    bound(`table ${i}`),
    statistics(50 + i),
    ...(i === 2 ? [['study.paused', {}] as const, ['study.resumed', {}] as const, ['study.paused', {}] as const] : []),
    ...(i === 0 ? [bound('a newer table'), statistics(70)] : []),
  ])
  const firsts = base.map((entries, i) => logOf(MEMBERS[i] as MemberId, entries))
  return base.map((entries, i) => {
    const scalings = i === 1 ? [scalingOf(firsts, [0, 1])] : i === 3 ? [scalingOf(firsts, [0, 1, 2, 3])] : []
    const ended = i === 0 ? [['study.ended', { rounds: 7, model: fromHex(digestOf('model')) }] as const] : []
    return logOf(MEMBERS[i] as MemberId, [...entries, ...scalings, ...ended])
  })
})()

/** Any interleaving that keeps each author's own order. */
function interleavingsOf(logs: readonly (readonly Fact[])[]): fc.Arbitrary<Fact[]> {
  const turns = logs.flatMap((log, i) => log.map(() => i))
  return fc.shuffledSubarray(turns, { minLength: turns.length, maxLength: turns.length }).map((order) => {
    const left = logs.map((log) => [...log])
    return order.map((i) => left[i]?.shift() as Fact)
  })
}
const interleavings = interleavingsOf(LOGS)

it('any interleaving of the authors’ logs gives one state', () => {
  const expected = plain(foldAll(LOGS.flat()).get(STUDY))
  assert.is((expected as { scaling: unknown[] }).scaling.length, 5, 'the proposal over four contributions stands')
  assert.equal((expected as { paused: unknown[] }).paused, [MEMBERS[2]])
  fc.assert(
    fc.property(interleavings, (facts) => {
      const studies = foldAll(facts)
      assert.equal(plain(studies.get(STUDY)), expected)
      assert.is(studies.all().length, 1)
    }),
    { numRuns: 300 },
  )
})

it('folding an entry twice changes nothing', () => {
  fc.assert(
    fc.property(interleavings, (facts) => {
      const kinds = new Set(['study.paused', 'study.resumed']) // these are told apart by order alone, and logs have no repetitions
      const twice = facts.flatMap((fact) => (kinds.has(fact.kind) ? [fact] : [fact, fact]))
      assert.equal(plain(foldAll(twice).get(STUDY)), plain(foldAll(facts).get(STUDY)))
    }),
  )
})

it('the first statistics of a member count, and what no table could give counts for nothing', () => {
  const state = (entries: readonly (readonly [string, Cbor])[]) =>
    foldAll(logOf(ADA, [proposed, accepted, ...entries])).get(STUDY) as StudyState
  assert.is(state([statistics(50), statistics(60)]).statistics.get(ADA)?.hash, digestOf(`${ADA} 2`))
  const impossible = { rows: 45, count: [45, 45], sum: [45 * 500, 0], sumOfSquares: [1, 1] }
  assert.is(state([['study.statistics', impossible]]).statistics.size, 0)
  assert.is(state([['study.statistics', impossible], statistics(50)]).statistics.get(ADA)?.hash, digestOf(`${ADA} 3`))
  const few = { rows: 4, count: [4, 4], sum: [200, 1200], sumOfSquares: [10_000, 360_000] }
  assert.is(state([['study.statistics', few]]).statistics.size, 0, 'below the minimum cohort')
})

it('a scaling that its citations do not give is refused', () => {
  const logs = MEMBERS.slice(0, 2).map((member, i) =>
    logOf(member, [...(i ? [] : [proposed]), accepted, statistics(50 + i)]),
  )
  const [, body, { refs = [] } = {}] = scalingOf(logs, [0, 1]) as [string, Cbor, Partial<Fact>]
  const next = (changed: Partial<Fact>): Fact => ({
    ...(logOf(BEN, [['study.scaling', body]])[0] as Fact),
    seq: 9,
    refs,
    ...changed,
  })
  const outcome = (changed: Partial<Fact>) =>
    foldAll([...logs.flat(), next(changed)]).get(STUDY)?.scaling?.contributions.length
  assert.is(outcome({}), 2)
  assert.is(outcome({ body: { digest: fromHex(digestOf('another')) } }), undefined)
  assert.is(outcome({ refs: [] }), undefined)
  assert.is(outcome({ refs: refs.slice(1) }), undefined)
  assert.is(outcome({ refs: [...refs].reverse() }), undefined, 'sums are made in the order of authors')
  assert.is(outcome({ refs: [...refs, ...refs.slice(1)] }), undefined, 'nobody counts twice')
  const [first, ...rest] = refs
  assert.is(outcome({ refs: [[first?.[0] as MemberId, 0, digestOf('none')], ...rest] }), undefined, 'another entry')
})

it('a member’s claim of a billion patients weighs as much as the cap, and only its first proposals are looked at', () => {
  const study = studyOf()
  const cap = study.merge.examplesCap
  const rows = 1_000_000
  const huge: Cbor = {
    rows,
    count: [rows, rows],
    sum: [rows * 119, rows * 899],
    sumOfSquares: [rows * 14_161, rows * 808_201],
  }
  const logs = [logOf(ADA, [proposed, accepted, statistics(50)]), logOf(BEN, [accepted, ['study.statistics', huge]])]
  const state = foldAll(logs.flat()).get(STUDY) as StudyState
  const [mean] = proposalFrom(state).proposal.scaling.mean
  assert.is(Math.round((mean as number) * 1e6), Math.round(((45 * 50 + cap * 119) / (45 + cap)) * 1e6))
  const beyond = {
    ...huge,
    rows: 1e12,
    count: [1e12, 1e12],
    sum: [119e12, 899e12],
    sumOfSquares: [14_161e12, 808_201e12],
  }
  assert.is(foldAll(logOf(ADA, [proposed, accepted, ['study.statistics', beyond]])).get(STUDY)?.statistics.size, 0)

  const [kind, body, more] = scalingOf(logs, [0, 1])
  const lies = Array.from({ length: 8 }, () => [kind, { digest: fromHex(digestOf('a lie')) }, more] as const)
  const after = (count: number) =>
    foldAll([...logs.flat(), ...logOf(MEMBERS[2] as MemberId, [...lies.slice(0, count), [kind, body, more]])])
  assert.is(after(7).get(STUDY)?.scaling?.contributions.length, 2)
  assert.is(after(8).get(STUDY)?.scaling, null)
})

it('of two scalings the one with more contributions wins, then the lower digest: a total order', () => {
  const proposal = (contributions: number, digest: string) => ({
    digest: digestOf(digest),
    scaling: { mean: [], deviation: [] },
    contributions: Array.from({ length: contributions }, (_, i) => digestOf(`${i}`)),
  })
  const all = [1, 2, 2, 3].flatMap((n, i) => [proposal(n, `x${i}`), proposal(n, `y${i}`)])
  for (const a of all) {
    assert.ok(betterScaling(a, null))
    assert.not.ok(betterScaling(a, a))
    for (const b of all) if (a !== b) assert.is.not(betterScaling(a, b), betterScaling(b, a))
  }
  assert.ok(betterScaling(proposal(3, 'a'), proposal(2, 'b')))
})

it('a document that is not the one its digest names, or that this version cannot read, is no study', () => {
  const other = studyDocument(studyOf(9))
  assert.is(foldAll(logOf(ADA, [['study.proposed', { document: other }]])).all().length, 0)
  const strange = new TextEncoder().encode('not a study')
  const id = studyIdOf(strange) as StudyId
  assert.is(foldAll(logOf(ADA, [['study.proposed', { document: strange }, { study: id }]])).all().length, 0)
})

const manyStudies = (from: number, count: number): { id: StudyId; entry: readonly [string, Cbor, Partial<Fact>] }[] =>
  Array.from({ length: count }, (_, i) => {
    const document = studyDocument({ ...studyOf(), name: `Study ${from + i}` })
    return { id: studyIdOf(document), entry: ['study.proposed', { document }, { study: studyIdOf(document) }] as const }
  })

it('a member that floods with studies takes no one else’s place, and all nodes follow the same ones', () => {
  const flood = manyStudies(0, LIMITS.studiesPerMemberMax + 5)
  const [mine] = manyStudies(1_000, 1)
  const floodLog = logOf(
    ADA,
    flood.map(({ entry }) => entry),
  )
  const mineLog = logOf(BEN, [
    mine?.entry as (typeof flood)[0]['entry'],
    flood.at(-1)?.entry as (typeof flood)[0]['entry'],
  ])
  const orders = [
    [...floodLog, ...mineLog],
    [...mineLog, ...floodLog],
  ]
  const seen = orders.map((facts) => foldAll(facts))
  for (const studies of seen) {
    assert.is(studies.all().length, LIMITS.studiesPerMemberMax + 2)
    assert.ok(studies.get(mine?.id as StudyId) !== undefined)
    assert.is(studies.mayPropose(ADA), false)
    assert.is(studies.mayPropose(BEN), true)
    assert.is(studies.get(flood.at(-1)?.id as StudyId)?.proposedBy, BEN)
  }
  assert.equal(
    seen[0]?.all().map(({ id }) => id),
    seen[1]?.all().map(({ id }) => id),
  )
})

it('what waits for its study is bounded by author: a flood pushes out its own', () => {
  const [late] = manyStudies(0, 1) as [ReturnType<typeof manyStudies>[0]]
  const flood = Array.from({ length: 5_000 }, (_, i) => {
    return ['study.accepted', {}, { study: digestOf(`no study ${i}`) as string as StudyId }] as const
  })
  const studies = foldAll([
    ...logOf(BEN, [['study.accepted', {}, { study: late.id }]]),
    ...logOf(ADA, flood),
    ...logOf(ADA, [late.entry]),
  ])
  assert.ok(studies.get(late.id)?.accepted.has(BEN))
})

it('of two proposers the earlier by its clock is named, then the smaller key, whoever is heard first', () => {
  const proposal = (author: MemberId, timeMs: number) => logOf(author, [[...proposed, { timeMs }]])
  const proposer = (...logs: Fact[][]) => {
    const { proposedBy, proposedAtMs } = foldAll(logs.flat()).get(STUDY) as StudyState
    return [proposedBy, proposedAtMs]
  }
  for (const [ada, ben, expected] of [
    [2_000, 3_000, [ADA, 2_000]],
    [3_000, 2_000, [BEN, 2_000]],
    [2_500, 2_500, [ADA, 2_500]],
  ] as const) {
    assert.equal(proposer(proposal(ADA, ada), proposal(BEN, ben)), expected)
    assert.equal(proposer(proposal(BEN, ben), proposal(ADA, ada)), expected)
  }
})

it('a member resumes for itself alone', () => {
  const paused = ['study.paused', {}] as const
  const state = foldAll([...logOf(ADA, [proposed, paused]), ...logOf(BEN, [paused, ['study.resumed', {}]])]).get(
    STUDY,
  ) as StudyState
  assert.equal([...state.paused], [ADA])
})

it('of two scalings over as many contributions all take the one with the lower digest, in any order', () => {
  const base = MEMBERS.map((_, i) => [...(i === 0 ? [proposed] : []), accepted, statistics(50 + 3 * i)])
  const firsts = base.map((entries, i) => logOf(MEMBERS[i] as MemberId, entries))
  const rivals = [scalingOf(firsts, [0, 1]), scalingOf(firsts, [2, 3]), scalingOf(firsts, [0, 3])]
  const logs = base.map((entries, i) =>
    logOf(MEMBERS[i] as MemberId, [...entries, ...(rivals[i] === undefined ? [] : [rivals[i]])]),
  )
  const digests = rivals.map(([, body]) => toHex((body as { digest: Uint8Array }).digest))
  assert.is(new Set(digests).size, 3)
  fc.assert(
    fc.property(interleavingsOf(logs), (facts) => {
      assert.is(foldAll(facts).get(STUDY)?.scaling?.digest, [...digests].sort()[0])
    }),
  )
})

it('a scaling among lies of the same member is found in any order, though what it cites comes late', () => {
  const firsts = [logOf(ADA, [proposed, accepted, statistics(50)]), logOf(BEN, [accepted, statistics(53)])]
  const [kind, body, more] = scalingOf(firsts, [0, 1])
  const lies = Array.from({ length: 7 }, (_, i) => [kind, { digest: fromHex(digestOf(`lie ${i}`)) }, more] as const)
  const logs = [...firsts, logOf(MEMBERS[2] as MemberId, [...lies, [kind, body, more]])]
  fc.assert(
    fc.property(interleavingsOf(logs), (facts) => {
      assert.is(foldAll(facts).get(STUDY)?.scaling?.contributions.length, 2)
    }),
  )
})

it('a scaling of nobody’s statistics is none, and neither is one of another study’s', () => {
  const nobody = scalingDigest({ mean: [], deviation: [] })
  const entries = [proposed, accepted, statistics(50), ['study.scaling', { digest: fromHex(nobody) }]] as const
  assert.is(foldAll(logOf(ADA, [...entries])).get(STUDY)?.scaling, null)
  const [, body, more] = scalingOf([logOf(ADA, [...entries])], [0])
  const elsewhere = { ...more, study: manyStudies(1, 1)[0]?.id as StudyId }
  const log = [
    ...entries,
    manyStudies(1, 1)[0]?.entry,
    ['study.scaling', body, elsewhere],
  ] as (typeof entries)[number][]
  const studies = foldAll(logOf(ADA, log))
  assert.is(studies.all().length, 2)
  for (const { scaling } of studies.all()) assert.is(scaling, null)
})

it('a proposal sums in the order of authors, whoever was heard first, and cites as many as one entry may', () => {
  const authors = Array.from({ length: REFS_MAX + 3 }, (_, i) => keyOf(`clinic ${i}`).member).sort(compareIds)
  const log = (author: MemberId, i: number) => logOf(author, [accepted, statistics(40 + i / 2)])
  const facts = [...logOf(ADA, [proposed]), ...authors.flatMap(log)]
  const proposalOf = (list: Fact[]) => proposalFrom(foldAll(list).get(STUDY) as StudyState)
  const { proposal, refs } = proposalOf(facts)
  assert.equal(
    refs.map(([author]) => author),
    authors.slice(0, REFS_MAX),
  )
  assert.equal(
    proposal.contributions,
    refs.map(([, , hash]) => hash),
  )
  const backwards = authors.toReversed().flatMap((author) => log(author, authors.indexOf(author)))
  assert.equal(proposalOf([...logOf(ADA, [proposed]), ...backwards]), { proposal, refs })
})

it('a member that spoke of too many studies is not heard on others, in whatever order its log arrives', () => {
  const honest = [logOf(ADA, [proposed, accepted, statistics(50)]), logOf(BEN, [accepted, statistics(51)])]
  const unknown = Array.from({ length: LIMITS.studiesMentionedMax + 100 }, (_, i) => {
    return ['study.accepted', {}, { study: digestOf(`nothing ${i}`) as string as StudyId }] as const
  })
  const [kind, body, more] = scalingOf(honest, [0, 1])
  const paused = ['study.paused', {}] as const
  for (const [entries, contributions] of [
    [[accepted, ...unknown, [kind, body, more] as const, paused], 2],
    [[...unknown, accepted, [kind, body, more] as const, paused], undefined],
  ] as const) {
    const eve = logOf(MEMBERS[2] as MemberId, entries)
    const states = [
      [...honest.flat(), ...eve],
      [...eve, ...honest.flat()],
    ].map((facts) => foldAll(facts).get(STUDY))
    assert.equal(plain(states[0]), plain(states[1]))
    assert.is(states[0]?.scaling?.contributions.length, contributions)
    assert.is(states[0]?.paused.size, contributions === undefined ? 0 : 1)
  }
})

it('what waited and was settled makes room for what waits next', () => {
  const [one, two] = manyStudies(0, 2) as [ReturnType<typeof manyStudies>[0], ReturnType<typeof manyStudies>[0]]
  const waits = (study: StudyId) => Array.from({ length: 700 }, () => ['study.accepted', {}, { study }] as const)
  const studies = foldAll([
    ...logOf(BEN, waits(one.id)),
    ...logOf(ADA, [one.entry]),
    ...logOf(BEN, waits(two.id).slice(1)),
    ...logOf(BEN, [['study.paused', {}, { study: two.id }]]),
    ...logOf(ADA, [two.entry]),
  ])
  assert.ok(studies.get(two.id)?.paused.has(BEN))
})

it('who may propose no more may still repeat itself, and nobody’s studies come in the order of arrival', () => {
  const list = manyStudies(0, LIMITS.studiesPerMemberMax)
  const [first] = list as [(typeof list)[0]]
  const again = [first.entry[0], first.entry[1], { ...first.entry[2], timeMs: 400 }] as const
  const studies = foldAll(logOf(ADA, [...list.map(({ entry }) => entry), again]))
  assert.is(studies.get(first.id)?.proposedAtMs, 400)
  const ids = studies.all().map(({ id }) => id as string)
  assert.equal(ids, list.map(({ id }) => id as string).sort())
})

it.run()

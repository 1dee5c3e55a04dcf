/** Datasets and requests as a fold: one state whatever came first, and what each word does over a cut. */
import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { fromHex } from '../../../src/core/bytes.ts'
import { Rng } from '../../../src/core/rng.ts'
import { countLeave, studyRefusal } from '../../../src/governance/access/permits.ts'
import {
  type AccessFact,
  type AccessRequest,
  type AccessStatus,
  accessHash,
} from '../../../src/governance/access/requests.ts'
import type { Cut } from '../../../src/governance/agreements.ts'
import { ACCESS_REASON_CODES } from '../../../src/governance/kinds/access.ts'
import { digestOf, STUDY } from '../../gossip/fixtures.ts'
import {
  ADA,
  ALL,
  announced,
  asked,
  BEN,
  CLEO,
  cutAt,
  DATASET,
  factAt,
  folded,
  granted,
  hashAt,
  NOW_MS,
  OWNER,
  refused,
  revoked,
  UNTIL_MS,
  withdrawn,
} from './kit.ts'

const it = suite('access')
const ASK = hashAt(ADA, 3)
const DAY_MS = 86_400_000
const BEGUN = [announced(0), asked(ADA, 3)]

const ROWS: readonly (readonly [claim: string, words: AccessFact[], cut: Cut, status: AccessStatus, nowMs?: number])[] =
  [
    ['nobody has answered', [], ALL, 'asked'],
    ['a grant that is not final permits nothing yet', [granted(4, ASK)], cutAt({ [OWNER]: 4 }), 'pending'],
    ['it does, by one entry more', [granted(4, ASK)], cutAt({ [OWNER]: 5 }), 'granted'],
    ['a refusal binds before it is final', [refused(4, ASK)], cutAt({ [OWNER]: 4 }), 'refused'],
    ['but not before it is known', [refused(4, ASK)], cutAt({}, { [OWNER]: 4 }), 'asked'],
    ['a refusal is for good', [refused(4, ASK), granted(5, ASK)], ALL, 'refused'],
    [
      'a grant is taken back before that is final',
      [granted(4, ASK), revoked(6, ASK)],
      cutAt({ [OWNER]: 5 }),
      'revoked',
    ],
    ['and for good', [granted(4, ASK), revoked(6, ASK), granted(7, ASK)], ALL, 'revoked'],
    ['a grant runs out', [granted(4, ASK, NOW_MS + DAY_MS)], ALL, 'expired', NOW_MS + DAY_MS],
    ['and not a millisecond before', [granted(4, ASK, NOW_MS + DAY_MS)], ALL, 'granted', NOW_MS + DAY_MS - 1],
    ['it may be prolonged', [granted(4, ASK, NOW_MS - 1), granted(5, ASK, UNTIL_MS)], ALL, 'granted'],
    ['once that is final', [granted(4, ASK, NOW_MS - 1), granted(5, ASK, UNTIL_MS)], cutAt({ [OWNER]: 5 }), 'expired'],
    ['no longer than was asked for', [granted(4, ASK, UNTIL_MS + DAY_MS)], ALL, 'expired', UNTIL_MS],
    [
      'a withdrawal of the dataset ends what was granted',
      [granted(4, ASK), withdrawn(5)],
      cutAt({ [OWNER]: 5 }),
      'withdrawn',
    ],
    ['and what was not granted yet', [withdrawn(4)], ALL, 'withdrawn'],
    [
      'announced again, what was granted before stays over',
      [granted(4, ASK), withdrawn(5), announced(6)],
      ALL,
      'withdrawn',
    ],
    ['and may be granted anew', [granted(4, ASK), withdrawn(5), announced(6), granted(7, ASK)], ALL, 'granted'],
    [
      'a withdrawal of another dataset is another matter',
      [granted(4, ASK), withdrawn(5, digestOf('other'))],
      ALL,
      'granted',
    ],
    ['a stranger grants nothing', [granted(4, ASK, UNTIL_MS, BEN)], ALL, 'asked'],
    ['nor does the asker itself', [granted(4, ASK, UNTIL_MS, ADA)], ALL, 'asked'],
    ['and refuses nothing', [granted(4, ASK), refused(5, ASK, BEN), revoked(6, ASK, CLEO)], ALL, 'granted'],
    [
      'a reason that is none says nothing',
      [factAt(OWNER, 4, 'access.refused', { request: fromHex(ASK), reason: 'mood' })],
      ALL,
      'asked',
    ],
  ]
for (const [claim, words, cut, status, nowMs = NOW_MS] of ROWS) {
  it(claim, () => {
    const access = folded([...BEGUN, ...words])
    assert.is(access.standing(access.get(ASK) as AccessRequest, cut, nowMs).status, status)
  })
}

it('a refusal has a reason that says what to do', () => {
  const access = folded([...BEGUN, refused(4, ASK)])
  const { reason, rests } = access.standing(access.get(ASK) as AccessRequest, ALL, NOW_MS)
  assert.equal([reason, rests?.author, rests?.seq], ['ethics-missing', OWNER, 4])
  assert.ok(ACCESS_REASON_CODES.length > 5)
})

it('an announcement counts when it is final, a withdrawal as soon as it is known, and a newer one takes its place', () => {
  const { catalogue } = folded([announced(0), announced(4, { count: 420 }), withdrawn(8), announced(9, { count: 430 })])
  const at = (cut: Cut) => {
    const found = catalogue.standing(OWNER, DATASET, cut)
    return found && [found.status, found.announced.count]
  }
  assert.equal(at(cutAt({ [OWNER]: 0 }, { [OWNER]: 1 })), ['pending', 410])
  assert.equal(at(cutAt({ [OWNER]: 4 }, { [OWNER]: 8 })), ['announced', 410])
  assert.equal(at(cutAt({ [OWNER]: 5 }, { [OWNER]: 8 })), ['announced', 420])
  assert.equal(at(cutAt({ [OWNER]: 5 }, { [OWNER]: 9 })), ['withdrawn', 420])
  assert.equal(at(cutAt({ [OWNER]: 9 })), ['pending', 430])
  assert.equal(at(ALL), ['announced', 430])
  assert.is(at(cutAt({}, { [OWNER]: 0 })), null)
})

/** The logs of four members in one of the orders that keeps each author's own. */
function interleaved(logs: readonly (readonly AccessFact[])[], seed: number): AccessFact[] {
  const rng = Rng.from('order', seed)
  const left = logs.map((log) => [...log])
  const all: AccessFact[] = []
  while (left.some((log) => log.length > 0)) {
    const open = left.filter((log) => log.length > 0)
    all.push((open[rng.below(open.length)] as AccessFact[]).shift() as AccessFact)
  }
  return all
}

const word = fc.record({
  request: fc.nat(5),
  what: fc.constantFrom('grant', 'refuse', 'revoke', 'withdraw', 'announce'),
})

it('in whatever order logs arrive, over every cut the same state', () => {
  fc.assert(
    fc.property(
      fc.array(word, { maxLength: 14 }),
      fc.nat(99),
      fc.nat(20),
      fc.nat(6),
      (words, seed, ownerCut, adaCut) => {
        const [adas, bens] = [ADA, BEN].map((author) => [0, 1, 2].map((seq) => asked(author, seq))) as [
          AccessFact[],
          AccessFact[],
        ]
        const requests = [...adas, ...bens].map(({ hash }) => hash)
        const owners = words.map(({ request, what }, i): AccessFact => {
          const id = requests[request] as (typeof requests)[0]
          const seq = i + 1
          if (what === 'withdraw') return withdrawn(seq)
          if (what === 'announce') return announced(seq, { count: 400 + 10 * i })
          return what === 'grant' ? granted(seq, id) : what === 'refuse' ? refused(seq, id) : revoked(seq, id)
        })
        const forged = [granted(0, requests[0] as never, UNTIL_MS, CLEO), refused(1, requests[1] as never, CLEO)]
        const logs = [[announced(0), ...owners], adas, bens, forged]
        const sizes = new Map([
          [OWNER, ownerCut],
          [ADA, adaCut],
          [BEN, 2],
          [CLEO, 2],
        ])
        const states = [0, 1, 2, 3].map((n) => folded(interleaved(logs, seed * 4 + n)))
        assert.is(new Set(states.map((access) => accessHash(access, sizes))).size, 1)
        for (const access of states) {
          const spokenOf = access.of(OWNER, DATASET).filter((request) => access.words(request).length > 0)
          assert.equal(access.spokenOf(OWNER, DATASET), spokenOf)
        }
      },
    ),
    { numRuns: 120 },
  )
})

it('the hash says what changed: a grant more, and it is another', () => {
  const sizes = new Map([
    [OWNER, 9],
    [ADA, 9],
  ])
  const before = accessHash(folded(BEGUN), sizes)
  assert.is.not(accessHash(folded([...BEGUN, granted(4, ASK)]), sizes), before)
  assert.is(accessHash(folded([...BEGUN, granted(9, ASK)]), sizes), before, 'beyond the cut')
})

const leave = (
  facts: readonly AccessFact[],
  purposes: readonly ('DUO:0000006' | 'DUO:0000042' | 'DUO:0000007')[],
  cut = ALL,
) => {
  const found = countLeave(folded([...BEGUN, ...facts]), {
    owner: OWNER,
    dataset: DATASET,
    asker: ADA,
    purposes,
    cut,
    nowMs: NOW_MS,
  })
  return found === null || found === 'pending' ? found : 'granted'
}

it('a count is answered to who was granted, for purposes that the grant covers', () => {
  assert.is(leave([], []), null)
  assert.is(leave([granted(4, ASK)], []), 'granted')
  assert.is(leave([granted(4, ASK)], ['DUO:0000007']), 'granted', 'one disease is part of health research')
  assert.is(leave([granted(4, ASK)], ['DUO:0000042']), null, 'general research is wider')
  assert.is(leave([granted(4, ASK)], [], cutAt({ [OWNER]: 4 })), 'pending')
  assert.is(leave([granted(4, ASK), revoked(5, ASK)], [], cutAt({ [OWNER]: 5 })), null)
})

const studyOf = (proposedBy = ADA) => {
  return { id: STUDY, proposedBy, study: { consent: { purposes: ['DUO:0000007'] } } } as unknown as Parameters<
    typeof studyRefusal
  >[1]['study']
}
const refusal = (facts: readonly AccessFact[], more: Partial<Parameters<typeof studyRefusal>[1]> = {}) =>
  studyRefusal(
    folded([announced(0), ...facts]),
    { self: OWNER, study: studyOf(), dataset: DATASET, cut: ALL, nowMs: NOW_MS, ...more },
    (member) => ({ [OWNER]: 'North', [ADA]: 'South clinic', [BEN]: 'Ben' })[member] ?? '?',
  )

it('a table is used in another member’s study only with a grant; each refusal names the entry and whom to ask', () => {
  const forStudy = asked(ADA, 3, {}, STUDY)
  assert.is(refusal([], { study: studyOf(OWNER) }), null, 'its own study')
  const missing = refusal([])
  assert.is(missing?.code, 'access-missing')
  assert.match(
    missing?.message ?? '',
    /ask South clinic to run: consilium access ask North stroke --study [0-9a-f]{12}/,
  )
  assert.is(refusal([], { dataset: null })?.code, 'access-not-announced')
  assert.is(refusal([], { dataset: digestOf('other') })?.code, 'access-not-announced')
  const waits = refusal([forStudy])
  assert.is(waits?.code, 'access-asked')
  assert.match(
    waits?.message ?? '',
    /South clinic asked .* entry Southclinic\/3, .*: consilium access grant Southclinic\/3$/,
  )
  assert.is(refusal([forStudy, granted(4, ASK)], { cut: cutAt({ [OWNER]: 4 }) })?.code, 'access-pending')
  assert.is(refusal([forStudy, granted(4, ASK)]), null)
  const over = refusal([forStudy, granted(4, ASK), revoked(5, ASK)], { cut: cutAt({ [OWNER]: 5 }) })
  assert.match(
    `${over?.code} ${over?.message}`,
    /^access-revoked .* was revoked \(breach\) in entry North\/5: ask North/,
  )
  assert.is(refusal([forStudy, granted(4, ASK)], { nowMs: UNTIL_MS })?.code, 'access-expired')
  assert.is(refusal([forStudy, granted(4, ASK), withdrawn(6)])?.code, 'access-withdrawn')
  assert.is(
    refusal([forStudy, granted(4, ASK), withdrawn(6), announced(7)])?.code,
    'access-withdrawn',
    'the grant is over too',
  )
})

it('a grant for a purpose is for studies of who asked, whose purposes it covers; one for a study is for that study', () => {
  assert.is(refusal([asked(ADA, 3), granted(4, ASK)]), null)
  assert.is(refusal([asked(ADA, 3), granted(4, ASK)], { study: studyOf(BEN) })?.code, 'access-missing')
  assert.is(
    refusal([asked(ADA, 3, { purposes: [11] }), granted(4, ASK)])?.code,
    'access-missing',
    'ancestry is another use',
  )
  assert.is(refusal([asked(ADA, 3, {}, digestOf('other study') as never), granted(4, ASK)])?.code, 'access-missing')
  assert.is(refusal([asked(BEN, 3, {}, STUDY), granted(4, hashAt(BEN, 3))]), null, 'whoever asked for this study')
})

it('what one member may say is bounded, and the first words stand', () => {
  const access = folded(Array.from({ length: 4_200 }, (_, seq) => asked(ADA, seq)))
  assert.is(access.all().length, 4_096)
  assert.not.ok(access.mayAsk(ADA))
  assert.ok(access.mayAsk(BEN))
  const { catalogue } = folded(
    Array.from({ length: 70 }, (_, i) => announced(i, { dataset: fromHex(digestOf(`n ${i}`)) })),
  )
  assert.is(catalogue.of(OWNER, ALL).length, 64)
  const again = folded(Array.from({ length: 40 }, (_, i) => announced(i, { count: 10 * (i + 1) })))
  assert.is(again.catalogue.standing(OWNER, DATASET, ALL)?.announced.count, 320)
})

it.run()

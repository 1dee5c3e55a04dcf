/** Trials as a fold: what a site may do over a cut, what does not fit, and one state in whatever order logs came. */
import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { fromHex, toHex } from '../../../src/core/bytes.ts'
import type { MemberId } from '../../../src/core/ids.ts'
import { Rng } from '../../../src/core/rng.ts'
import type { TrialEvent } from '../../../src/governance/kinds/trials.ts'
import type { Version } from '../../../src/governance/trials/book.ts'
import {
  enrolmentAt,
  eventAt,
  participantSecret,
  participantsWith,
  participantTag,
  siteRefusal,
} from '../../../src/governance/trials/enrolment.ts'
import type { TrialFindingCode } from '../../../src/governance/trials/findingCodes.ts'
import { examineTrial } from '../../../src/governance/trials/findings.ts'
import { approvalsDropped, isDataLocked, isStopped } from '../../../src/governance/trials/standing.ts'
import { trialsHash } from '../../../src/governance/trials/state.ts'
import { personKey } from '../peopleKit.ts'
import {
  ALL,
  begun,
  busy,
  cutAt,
  NORTH,
  SOUTH,
  SPONSOR,
  STRANGER,
  type Story,
  shuffled,
  type Told,
  tagOf,
  WEST,
} from './kit.ts'

const it = suite('trials')
type Begun = ReturnType<typeof begun>
type InVault = Parameters<typeof participantTag>[0]

/** What enrolling answers: `position 0`, or the code of the refusal with whom to ask. */
function enrolling(
  given: Begun,
  { site = NORTH, patient = 'P', stratum = null as string | null, cut = ALL } = {},
): string {
  const leave = enrolmentAt(given.story.record(), { site, stratum, tag: tagOf(patient), cut })
  if (!('code' in leave)) return `position ${leave.position} of v${leave.version.number}`
  assert.ok(leave.says((member) => member).length > 10)
  return [leave.code, ...leave.ask.map((member) => member[0])].join(' ')
}

const LEAVES: readonly (readonly [claim: string, change: (given: Begun) => unknown, answer: string])[] = [
  ['approved, final, with a list', () => undefined, 'position 0 of v1'],
  [
    'the site’s own approval is not final',
    (g) => ({ cut: cutAt({ [NORTH]: g.approvals.north.seq }) }),
    'trial-approval-pending 2',
  ],
  ['the ethics approval is not final', (g) => ({ cut: cutAt({ [WEST]: g.ethics.seq }) }), 'trial-approval-pending 4'],
  ['the list is not final', (g) => ({ cut: cutAt({ [WEST]: g.lists.north.seq }) }), 'trial-list-pending 4'],
  ['the version is not final', (g) => ({ cut: cutAt({ [SPONSOR]: g.protocol.seq }) }), 'trial-version-pending 1'],
  ['a hospital that is no site', () => ({ site: STRANGER }), 'trial-no-site 1'],
  ['a stratum that there is not', () => ({ stratum: 'old' }), 'trial-stratum'],
  [
    'an approval that was withdrawn, though that is not final',
    (g) => {
      const { seq } = g.story.withdraw(WEST, { what: 'approval', meaning: 'ethics-approval' })
      return { cut: cutAt({ [WEST]: seq }) }
    },
    'trial-approval-withdrawn 4',
  ],
  [
    'and approved again, but not final yet',
    (g) => {
      g.story.withdraw(WEST, { what: 'approval', meaning: 'ethics-approval' })
      return { cut: cutAt({ [WEST]: g.story.approve(WEST, 'Cy', g.protocol, 'ethics-approval').seq }) }
    },
    'trial-approval-withdrawn 4',
  ],
  [
    'and approved again',
    (g) => {
      g.story.withdraw(WEST, { what: 'approval', meaning: 'ethics-approval' })
      g.story.approve(WEST, 'Cy', g.protocol, 'ethics-approval')
    },
    'position 0 of v1',
  ],
  [
    'and the first signature recorded again, which nobody gave again',
    (g) => {
      g.story.withdraw(WEST, { what: 'approval', meaning: 'ethics-approval' })
      g.story.add(WEST, 'trial.approved', g.ethics.body)
    },
    'trial-approval-withdrawn 4',
  ],
  [
    'somebody who did not draw the list says that it is open',
    (g) => void g.story.unseal(STRANGER, g.lists.north, 'other'),
    'position 0 of v1',
  ],
  [
    'who drew the list opened its next position',
    (g) => void g.story.open(WEST, g.lists.north, `list of ${NORTH}`, 0),
    'trial-no-list 4',
  ],
  [
    'an amendment under which another draws the lists needs lists of that one',
    (g) => {
      const next = g.story.propose({ lists: fromHex(SOUTH) }, SPONSOR, g.protocol)
      g.story.approve(WEST, 'Cy', next, 'ethics-approval')
      g.story.approve(NORTH, 'Ada', next, 'investigator-agreement')
    },
    'trial-no-list 3',
  ],
  ['the sponsor halted', (g) => void g.story.withdraw(SPONSOR, {}), 'trial-halted 1'],
  ['the site itself halted', (g) => void g.story.withdraw(NORTH, {}), 'trial-halted 2 1'],
  ['another site halted', (g) => void g.story.withdraw(SOUTH, {}), 'position 0 of v1'],
  ['the ethics board, which is neither, halted', (g) => void g.story.withdraw(WEST, {}), 'position 0 of v1'],
  [
    'an amendment that nobody approved yet',
    (g) => void g.story.propose({}, SPONSOR, g.protocol),
    'trial-not-approved 4',
  ],
  [
    'an amendment, approved anew, after a halt of the version before',
    (g) => {
      g.story.withdraw(SPONSOR, {})
      const next = g.story.propose({}, SPONSOR, g.protocol)
      g.story.approve(WEST, 'Cy', next, 'ethics-approval')
      g.story.approve(NORTH, 'Ada', next, 'investigator-agreement')
    },
    'position 0 of v2',
  ],
  [
    'an amendment with other arms needs other lists',
    (g) => {
      const next = g.story.propose(
        {
          arms: [
            ['active', 1],
            ['control', 1],
          ],
        },
        SPONSOR,
        g.protocol,
      )
      g.story.approve(WEST, 'Cy', next, 'ethics-approval')
      g.story.approve(NORTH, 'Ada', next, 'investigator-agreement')
    },
    'trial-no-list 4',
  ],
  [
    'the next patient takes the next position',
    (g) => void g.story.enrol(NORTH, 'Q', g.lists.north, 0, g.rests.north),
    'position 1 of v1',
  ],
  [
    'the same patient again',
    (g) => void g.story.enrol(NORTH, 'P', g.lists.north, 0, g.rests.north),
    'trial-enrolled-twice 2',
  ],
  [
    'another site’s participants take none of its positions',
    (g) => void g.story.enrol(SOUTH, 'P', g.lists.south, 0, g.rests.south),
    'position 0 of v1',
  ],
  [
    'the list is full',
    (g) => {
      for (let i = 0; i < 6; i++) g.story.enrol(NORTH, `Q${i}`, g.lists.north, i, g.rests.north)
    },
    'trial-no-list 4',
  ],
  [
    'and another one is drawn',
    (g) => {
      for (let i = 0; i < 6; i++) g.story.enrol(NORTH, `Q${i}`, g.lists.north, i, g.rests.north)
      g.story.list(NORTH, { name: 'second' })
    },
    'position 0 of v1',
  ],
  [
    'a list that somebody else drew is none',
    (g) => {
      for (let i = 0; i < 6; i++) g.story.enrol(NORTH, `Q${i}`, g.lists.north, i, g.rests.north)
      g.story.list(NORTH, { author: STRANGER })
    },
    'trial-no-list 4',
  ],
  ['the sponsor locked the data', (g) => void g.story.lock(SPONSOR, 'Di', null), 'trial-locked 1'],
  ['another site locked its own', (g) => void g.story.lock(SOUTH, 'Bo', null), 'position 0 of v1'],
  [
    'the unlocking is not final',
    (g) => ({ cut: cutAt({ [SPONSOR]: g.story.unlock(SPONSOR, 'Di', g.story.lock(SPONSOR, 'Di', null)).seq }) }),
    'trial-locked 1',
  ],
  [
    'the unlocking is',
    (g) => void g.story.unlock(SPONSOR, 'Di', g.story.lock(SPONSOR, 'Di', null)),
    'position 0 of v1',
  ],
]

for (const [claim, change, answer] of LEAVES)
  it(`to enrol: ${claim}: ${answer}`, () => {
    const given = begun()
    const how = change(given)
    assert.is(enrolling(given, (how ?? {}) as Parameters<typeof enrolling>[1]), answer)
  })

it('a signature counts for exactly what was signed, by whom, where: each other one is faulty', () => {
  const rows: readonly ((g: Begun) => Told)[] = [
    (g) => g.story.approve(WEST, 'Cy', g.protocol, 'ethics-approval', { by: 'Ada' }),
    (g) => g.story.approve(WEST, 'Zoe', g.protocol, 'ethics-approval'),
    (g) => g.story.approve(WEST, 'Cy', g.protocol, 'ethics-approval', { signedAtMs: 1_780_000_000_000 }),
    (g) => g.story.add(WEST, 'trial.approved', { ...(g.ethics.body as object), meaning: 'sponsor-approval' }),
    (g) => g.story.add(NORTH, 'trial.approved', g.ethics.body),
    (g) => g.story.add(WEST, 'trial.approved', g.ethics.body),
    (g) => {
      g.story.enrolPerson(NORTH, 'Cy') // the same person, and another hospital's signature
      return g.story.add(NORTH, 'trial.approved', g.ethics.body)
    },
    (g) => {
      g.story.enrolPerson(WEST, 'Eve', ['operator'])
      return g.story.approve(WEST, 'Eve', g.protocol, 'ethics-approval')
    },
    (g) => {
      g.story.add(WEST, 'person.revoked', { person: (g.ethics.body as { person: Uint8Array }).person, reason: 'left' })
      return g.story.approve(WEST, 'Cy', g.protocol, 'ethics-approval')
    },
  ]
  for (const [i, make] of rows.entries()) {
    const given = begun()
    assert.equal(codes(given.story), [])
    const made = make(given)
    const found = examineTrial(given.story.book(), given.story.record(), ALL).filter(({ code }) => code === 'signature')
    assert.equal(
      found.map(({ place }) => place.hash),
      [made.hash],
      `row ${i}`,
    )
  }
})

it('what is done to a participant stops with a halt, an end or no approval; what befalls one is told until data is locked', () => {
  const given = begun()
  const { story, lists, rests } = given
  story.enrol(NORTH, 'P', lists.north, 0, rests.north)
  const answers = (): string => {
    const events: TrialEvent[] = ['dose', 'visit', 'serious-adverse-event', 'withdrawn', 're-consented']
    return events
      .map((event) => {
        const leave = eventAt(story.record(), { site: NORTH, tag: tagOf('P'), event, cut: ALL })
        return 'code' in leave ? leave.code.replace('trial-', '') : `v${leave.version}`
      })
      .join(' ')
  }
  assert.is(answers(), 'v1 v1 v1 v1 version-same')
  const next = story.propose({}, SPONSOR, given.protocol)
  assert.is(answers(), 'v1 v1 v1 v1 not-approved', 'those who are enrolled stay under their version')
  story.approve(WEST, 'Cy', next, 'ethics-approval')
  story.approve(NORTH, 'Ada', next, 'investigator-agreement')
  story.event(NORTH, 'P', 're-consented', 2)
  assert.is(answers(), 'v2 v2 v2 v2 version-same')
  story.withdraw(SPONSOR, { version: 2 })
  assert.is(answers(), 'halted v2 v2 v2 halted')
  story.event(NORTH, 'P', 'withdrawn', 2)
  assert.is(answers(), 'halted v2 v2 participant-ended halted')
  story.lock(NORTH, 'Ada', null)
  assert.is(answers(), 'locked locked locked locked locked')
  assert.equal(codes(story), [])
})

function codes(story: Story, cut = ALL): string[] {
  const found = examineTrial(story.book(), story.record(), cut).filter(({ code }) => code !== 'not-signed-for')
  return found.map(({ code, perhaps }) => (perhaps ? `${code}?` : code))
}

/** What is broken, and the findings; where another rule must fire too, both. */
const FAULTS: readonly (readonly [claim: string, break_: (g: Begun) => unknown, found: readonly string[]])[] = [
  ['nothing', (g) => g.story.enrol(NORTH, 'P', g.lists.north, 0, g.rests.north), []],
  [
    'enrolled without citing an approval',
    (g) => g.story.enrol(NORTH, 'P', g.lists.north, 0, [g.protocol, g.ethics]),
    ['not-approved'],
  ],
  ['enrolled by who is no site', (g) => g.story.enrol(STRANGER, 'P', g.lists.north, 0, g.rests.north), ['foreign']],
  [
    'enrolled after a halt that another logged',
    (g) => [g.story.withdraw(SPONSOR, {}), g.story.enrol(NORTH, 'P', g.lists.north, 0, g.rests.north)],
    ['after-halt?'],
  ],
  [
    'enrolled after one’s own halt',
    (g) => [g.story.withdraw(NORTH, {}), g.story.enrol(NORTH, 'P', g.lists.north, 0, g.rests.north)],
    ['after-halt'],
  ],
  [
    'enrolled after an approval was withdrawn',
    (g) => [
      g.story.withdraw(NORTH, { what: 'approval', meaning: 'investigator-agreement' }),
      g.story.enrol(NORTH, 'P', g.lists.north, 0, g.rests.north),
    ],
    ['approval-withdrawn'],
  ],
  [
    'enrolled under the version before',
    (g) => [g.story.propose({}, SPONSOR, g.protocol), g.story.enrol(NORTH, 'P', g.lists.north, 0, g.rests.north)],
    ['version-outdated?'],
  ],
  [
    'one patient twice',
    (g) => [0, 1].map((i) => g.story.enrol(NORTH, 'P', g.lists.north, i, g.rests.north)),
    ['enrolled-twice'],
  ],
  [
    'a position passed over',
    (g) => [0, 2, 3].map((i) => g.story.enrol(NORTH, `P${i}`, g.lists.north, i, g.rests.north)),
    ['position-skipped'],
  ],
  [
    'a position taken twice',
    (g) => [0, 0].map((at, i) => g.story.enrol(NORTH, `P${i}`, g.lists.north, at, g.rests.north)),
    ['position-repeated'],
  ],
  [
    'a position beyond the list',
    (g) => g.story.enrol(NORTH, 'P', g.lists.north, 6, g.rests.north),
    ['position-beyond'],
  ],
  ['another site’s list', (g) => g.story.enrol(NORTH, 'P', g.lists.south, 0, g.rests.north), ['list-unknown']],
  ['a list by who does not draw them', (g) => g.story.list(NORTH, { author: SOUTH }), ['foreign']],
  [
    'an allocation of another position',
    (g) => g.story.allocate(g.story.enrol(NORTH, 'P', g.lists.north, 0, g.rests.north), `list of ${NORTH}`, 6, 1),
    ['allocation-wrong'],
  ],
  [
    'an opening with another arm',
    (g) => g.story.open(NORTH, g.lists.north, `list of ${NORTH}`, 0, { arm: 'other' }),
    ['opening-wrong'],
  ],
  [
    'an opening out of another list',
    (g) => g.story.open(NORTH, g.lists.north, `list of ${SOUTH}`, 0),
    ['opening-wrong'],
  ],
  [
    'an opening of another position',
    (g) => g.story.open(NORTH, g.lists.north, `list of ${NORTH}`, 0, { position: 1 }),
    ['opening-wrong'],
  ],
  ['an opening by another site', (g) => g.story.open(SOUTH, g.lists.north, `list of ${NORTH}`, 0), ['opening-wrong']],
  ['an opening of no list', (g) => g.story.open(NORTH, g.protocol, `list of ${NORTH}`, 0), ['list-unknown']],
  ['unsealed with the seed of another', (g) => g.story.unseal(WEST, g.lists.north, 'other'), ['unsealing-wrong']],
  [
    'unsealed with other blocks',
    (g) => g.story.unseal(WEST, g.lists.north, `list of ${NORTH}`, { blocks: [6] }),
    ['unsealing-wrong'],
  ],
  ['unsealed by another', (g) => g.story.unseal(SOUTH, g.lists.north, `list of ${NORTH}`), ['unsealing-wrong']],
  [
    'enrolled in a list that was open',
    (g) => [
      g.story.unseal(WEST, g.lists.north, `list of ${NORTH}`),
      g.story.enrol(NORTH, 'P', g.lists.north, 0, g.rests.north),
    ],
    ['enrolled-open?'],
  ],
  ['an event of nobody', (g) => g.story.event(NORTH, 'P', 'visit'), ['participant-unknown']],
  [
    'a dose after the end',
    (g) => [
      g.story.enrol(NORTH, 'P', g.lists.north, 0, g.rests.north),
      g.story.event(NORTH, 'P', 'withdrawn'),
      g.story.event(NORTH, 'P', 'dose'),
    ],
    ['event-after-end'],
  ],
  [
    'an event under a version that the participant is not under',
    (g) => [g.story.enrol(NORTH, 'P', g.lists.north, 0, g.rests.north), g.story.event(NORTH, 'P', 'visit', 2)],
    ['event-version'],
  ],
  [
    'an event after a lock',
    (g) => [
      g.story.enrol(NORTH, 'P', g.lists.north, 0, g.rests.north),
      g.story.lock(NORTH, 'Ada', null),
      g.story.event(NORTH, 'P', 'visit'),
    ],
    ['after-lock'],
  ],
  [
    'a lock that names no lock before it',
    (g) => {
      const first = g.story.lock(SPONSOR, 'Di', null)
      g.story.unlock(SPONSOR, 'Di', first)
      g.story.lock(SPONSOR, 'Di', null, 4)
    },
    ['lock-chain'],
  ],
  [
    'a lock on what is locked',
    (g) => g.story.lock(SPONSOR, 'Di', g.story.lock(SPONSOR, 'Di', null), 4),
    ['lock-chain'],
  ],
  ['a lock by who is neither sponsor nor site', (g) => g.story.lock(WEST, 'Cy', null), ['foreign']],
  ['an amendment by another', (g) => g.story.propose({}, STRANGER, g.protocol), ['foreign']],
  ['an amendment by a site', (g) => g.story.propose({}, NORTH, g.protocol), ['protocol-chain']],
  [
    'much by who has no part, told in one line',
    (g) => [0, 1, 2].map((i) => g.story.enrol(STRANGER, `P${i}`, g.lists.north, i, [])),
    ['foreign'],
  ],
  [
    'a list passed over',
    (g) => g.story.enrol(NORTH, 'P', g.story.list(NORTH, { name: 'second' }), 0, g.rests.north),
    ['list-passed'],
  ],
  [
    'a list passed over that was opened',
    (g) => {
      const second = g.story.list(NORTH, { name: 'second' })
      g.story.unseal(WEST, g.lists.north, `list of ${NORTH}`)
      g.story.enrol(NORTH, 'P', second, 0, g.rests.north)
    },
    [],
  ],
  [
    'opened as at the end, before the sponsor’s lock',
    (g) => g.story.unseal(WEST, g.lists.north, `list of ${NORTH}`, { reason: 'end-of-trial' }),
    ['opened-early'],
  ],
  [
    'opened as at the end, after it',
    (g) => [
      g.story.lock(SPONSOR, 'Di', null),
      g.story.unseal(WEST, g.lists.north, `list of ${NORTH}`, { reason: 'end-of-trial' }),
    ],
    [],
  ],
  [
    'enrolled at a position that was opened',
    (g) => [
      g.story.open(WEST, g.lists.north, `list of ${NORTH}`, 0),
      g.story.enrol(NORTH, 'P', g.lists.north, 0, g.rests.north),
    ],
    ['enrolled-open?'],
  ],
  [
    'enrolled after an approval was withdrawn, which was given and withdrawn again',
    (g) => {
      const back = { what: 'approval', meaning: 'investigator-agreement' }
      g.story.withdraw(NORTH, back)
      g.story.enrol(NORTH, 'P', g.lists.north, 0, g.rests.north)
      g.story.approve(NORTH, 'Ada', g.protocol, 'investigator-agreement')
      g.story.withdraw(NORTH, back)
    },
    ['approval-withdrawn'],
  ],
  [
    'a list of another than who draws them now',
    (g) => {
      const next = g.story.propose({ lists: fromHex(SOUTH) }, SPONSOR, g.protocol)
      const ethics = g.story.approve(WEST, 'Cy', next, 'ethics-approval')
      const own = g.story.approve(NORTH, 'Ada', next, 'investigator-agreement')
      g.story.enrol(NORTH, 'P', g.lists.north, 0, [next, ethics, own])
    },
    ['list-unknown'],
  ],
  [
    'an amendment of something else',
    (g) => g.story.propose({ previous: fromHex(g.ethics.hash) }, SPONSOR, g.protocol),
    ['protocol-chain'],
  ],
  [
    'an amendment that skips a version',
    (g) => g.story.propose({ version: 3 }, SPONSOR, g.protocol),
    ['protocol-chain'],
  ],
  ['an approval that is not asked', (g) => g.story.approve(WEST, 'Cy', g.protocol, 'sponsor-approval'), ['foreign']],
]

for (const [claim, break_, found] of FAULTS)
  it(`a check finds: ${claim}: ${found.join(', ') || 'nothing'}`, () => {
    const given = begun()
    break_(given)
    assert.equal(codes(given.story), found as TrialFindingCode[])
  })

it('an enrolment on approvals or a list that are not final is found as that', () => {
  const given = begun()
  given.story.enrol(NORTH, 'P', given.lists.north, 0, given.rests.north)
  assert.equal(codes(given.story, cutAt({ [NORTH]: given.approvals.north.seq })), ['approval-pending'])
  assert.equal(codes(given.story, cutAt({ [WEST]: given.lists.north.seq })), ['list-late'])
})

it('where people sign, what nobody signed for is found, and what somebody did is known as theirs', () => {
  const { story, lists, rests } = begun()
  const unsigned = story.enrol(NORTH, 'P', lists.north, 0, rests.north)
  const signed = story.event(NORTH, 'P', 'visit')
  story.act(NORTH, 'Ada', 'trial.event', signed)
  const found = examineTrial(story.book(), story.record(), ALL).filter(({ code }) => code === 'not-signed-for')
  const own = found.filter(({ place }) => place.author === NORTH)
  assert.equal(
    own.map(({ place }) => place.hash),
    [unsigned.hash],
  )
  const acted = story.book().signOffOf(signed.hash)
  assert.is(acted?.person?.key, personKey('Ada').member)
})

it('what nobody signed for stays known when all people are declared void, and a signature of nobody there is none', () => {
  const { story, lists, rests } = begun()
  const unsigned = story.enrol(NORTH, 'P', lists.north, 0, rests.north)
  const byNobody = story.event(NORTH, 'P', 'visit')
  story.act(NORTH, 'Zoe', 'trial.event', byNobody)
  story.add(NORTH, 'person.reset', { reason: 'key-lost' })
  story.event(NORTH, 'P', 'visit')
  const found = examineTrial(story.book(), story.record(), ALL).filter(({ code }) => code === 'not-signed-for')
  assert.equal(
    found.filter(({ place }) => place.author === NORTH).map(({ place }) => place.hash),
    [unsigned.hash, byNobody.hash],
  )
})

it('a participant gets nothing more under a halted version, nor one that lost an approval, whatever is proposed after it', () => {
  const rows: readonly ((g: Begun) => unknown)[] = [
    (g) => g.story.withdraw(SPONSOR, {}),
    (g) => g.story.withdraw(WEST, { what: 'approval', meaning: 'ethics-approval' }),
    (g) => g.story.lock(SPONSOR, 'Di', null),
  ]
  for (const stop of rows) {
    const given = begun()
    const stopped = (): boolean => {
      const record = given.story.record()
      return isStopped(record, record.versions[0] as Version, NORTH, ALL)
    }
    assert.not(stopped())
    stop(given)
    assert.ok(stopped())
    given.story.propose({}, SPONSOR, given.protocol)
    assert.ok(stopped())
  }
})

it('data counts as locked when the sponsor’s lock is final, and no longer when its lifting is known', () => {
  const { story } = begun()
  const isLocked = (cut = ALL): boolean => isDataLocked(story.record(), cut)
  story.lock(NORTH, 'Ada', null)
  assert.not(isLocked())
  const lock = story.lock(SPONSOR, 'Di', null)
  assert.equal([isLocked(), isLocked(cutAt({ [SPONSOR]: lock.seq }))], [true, false])
  const lifted = story.unlock(SPONSOR, 'Di', lock)
  assert.not(isLocked(cutAt({ [SPONSOR]: lifted.seq })))
})

it('whether a site may enrol is answered with its lists, and of each stratum', () => {
  const { story } = begun()
  const next = story.propose({ strata: ['young', 'old'] }, SPONSOR, story.entries[4] as Told)
  story.approve(WEST, 'Cy', next, 'ethics-approval')
  story.approve(NORTH, 'Ada', next, 'investigator-agreement')
  const answer = (): unknown => {
    const { refusal, closed } = siteRefusal(story.record(), NORTH, ALL)
    return [refusal?.code ?? null, ...closed.map(([stratum]) => stratum)]
  }
  assert.equal(answer(), ['trial-no-list'])
  story.list(NORTH, { name: 'old', stratum: 'old' })
  assert.equal(answer(), [null, 'young'])
  story.list(NORTH, { name: 'young', stratum: 'young' })
  assert.equal(answer(), [null])
})

it('an approval that a sponsor no longer asks for is told', () => {
  const { story, protocol } = begun()
  story.propose({ approvals: [['investigator-agreement', null]] }, SPONSOR, protocol)
  const record = story.record()
  const told = record.versions.map((version) => approvalsDropped(record, version))
  assert.equal(told, [[], [{ meaning: 'ethics-approval', by: WEST }]])
})

it('a tag that others write down after a site is no participant of theirs, and of two sites each is found by name', () => {
  const { story, lists, rests } = begun()
  story.enrol(NORTH, 'P', lists.north, 0, rests.north)
  story.enrol(STRANGER, 'P', lists.north, 0, rests.north)
  const digits = toHex(tagOf('P')).slice(0, 8)
  const found = (...sites: MemberId[]): MemberId[] =>
    participantsWith(story.record(), digits, (site) => sites.includes(site)).map(({ site }) => site)
  assert.equal(found(NORTH, SOUTH, STRANGER), [NORTH])
  story.enrol(SOUTH, 'P', lists.south, 0, rests.south)
  assert.equal([found(NORTH, SOUTH).length, found(SOUTH)], [2, [SOUTH]])
})

it('the same final cut gives the same state, whatever more a node knows', () => {
  const story = busy()
  story.act(NORTH, 'Ada', 'trial.event', story.event(NORTH, 'P0', 'visit'))
  story.withdraw(NORTH, { what: 'approval', meaning: 'investigator-agreement', version: 2 })
  const rng = Rng.from('trials, cuts')
  for (let i = 0; i < 400; i++) {
    const sizes = new Map([NORTH, SOUTH, WEST, SPONSOR, STRANGER].map((member) => [member, rng.below(20)]))
    const final = (author: MemberId): number => sizes.get(author) ?? 0
    const part = story.entries.filter(({ author, seq }) => seq < final(author))
    const cut = { final, known: final }
    assert.is(trialsHash(story.book(), cut), trialsHash(story.book(part), cut), `cut ${i}`)
  }
})

it('every order in which logs arrive gives the same state', () => {
  const story = busy()
  const cut = {
    final: (author: MemberId) => (author === WEST ? 4 : 40),
    known: (author: MemberId) => (author === SOUTH ? 5 : 40),
  }
  const states = new Set<string>()
  const rng = Rng.from('trials')
  for (let i = 0; i < 300; i++) states.add(trialsHash(story.book(shuffled(story.entries, rng)), cut))
  assert.is(states.size, 1)
  assert.ok(codes(story).length >= 5)
  assert.is.not(trialsHash(story.book(story.entries.slice(0, -2)), ALL), trialsHash(story.book(), ALL))
})

it('bodies that are gone, kinds of later versions and random ones are passed over', () => {
  const given = begun()
  const before = trialsHash(given.story.book(), ALL)
  fc.assert(
    fc.property(
      fc.constantFrom('trial.event', 'trial.enrolled', 'trial.locked', 'trial.protocol', 'trial.approved'),
      fc.dictionary(fc.string(), fc.anything()),
      (kind, body) => {
        const entries = [...given.story.entries]
        for (const wrong of [null, body, { ...body, trial: fromHex(given.story.trial) }])
          entries.push({
            ...given.protocol,
            kind,
            seq: 99,
            hash: toHex(tagOf(`${entries.length}`).slice(0, 16)).repeat(2) as never,
            body: wrong as never,
          })
        entries.push({ ...given.protocol, kind: 'trial.future', seq: 100, body: { trial: 1 } })
        assert.is(trialsHash(given.story.book(entries), ALL), before)
      },
    ),
    { numRuns: 50 },
  )
})

it('of many locks each event is held against the last one before it, and what lifts them is read as often for one event as for many', () => {
  const { story, lists, rests } = begun()
  story.enrol(NORTH, 'P', lists.north, 0, rests.north)
  const late: number[] = []
  let lock: Told | null = null
  for (let i = 0; i < 5; i++) {
    story.event(NORTH, 'P', 'visit')
    const before: Told | null = lock
    lock = story.lock(NORTH, 'Ada', before, i + 1)
    if (before !== null) story.unlock(NORTH, 'Ada', before, before.timeMs)
    late.push(story.event(NORTH, 'P', 'visit').seq)
    story.unlock(NORTH, 'Ada', lock)
  }
  const readings = [0, 30].map((events) => {
    for (let i = 0; i < events; i++) story.event(NORTH, 'P', 'visit')
    const book = story.book()
    let reads = 0
    for (const { body } of story.record(book).voices.get(NORTH)?.of('trial.unlocked') ?? []) {
      const { lock: lifted } = body
      const get = (): Uint8Array => {
        reads++
        return lifted
      }
      Object.defineProperty(body, 'lock', { get })
    }
    const found = examineTrial(book, story.record(book), ALL).filter(({ code }) => code !== 'not-signed-for')
    assert.equal(
      found.map(({ code, place }) => `${code} ${place.seq}`),
      late.map((seq) => `after-lock ${seq}`),
    )
    return reads
  })
  assert.is(readings[1], readings[0])
})

it('a patient has one tag in one trial at one hospital, and it says nothing without a key that only the vault has', () => {
  const [patient, other] = [7, 8].map((byte) => ({ trialKey: new Uint8Array(32).fill(byte) })) as [InVault, InVault]
  const { trial } = begun().story
  const tags = [
    participantTag(patient, trial, NORTH),
    participantTag(patient, trial, SOUTH),
    participantTag(patient, toHex(other.trialKey) as never, NORTH),
    participantTag(other, trial, NORTH),
    participantSecret(patient, trial, NORTH).slice(0, 16),
  ].map(toHex)
  assert.is(new Set(tags).size, 5)
  assert.equal(participantTag(patient, trial, NORTH), participantTag(patient, trial, NORTH))
  assert.is(tags[0]?.length, 32)
})

it.run()

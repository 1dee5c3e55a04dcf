/** All participants of a trial as rows: who, where, at which position, under which version, and an arm only where it was made known. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { participantsCsv } from '../../src/cli/trialParticipants.ts'
import { toHex } from '../../src/core/bytes.ts'
import type { MemberId } from '../../src/core/ids.ts'
import { participantLines } from '../../src/daemon/trialParticipants.ts'
import type { Cut } from '../../src/governance/agreements.ts'
import { ALL, begun, cutAt, NORTH, SOUTH, type Story, tagOf, WEST } from '../governance/trials/kit.ts'

const it = suite('participants of a trial')
const NAMES: Readonly<Record<string, string>> = { [NORTH]: 'North', [SOUTH]: '=South' }

/** `tag site position version state arm`, and `?` where it is not final. */
function rows(
  story: Story,
  { self = null as MemberId | null, cut = ALL, only = null as MemberId | null } = {},
): string[] {
  const telling = { self, cut, nameOf: (member: MemberId) => NAMES[member] ?? member }
  return participantLines(story.record(), telling, only).map(
    ({ participant, site, position, version, state, final, arm }) =>
      `${PATIENTS.get(participant)} ${site} ${position} v${version} ${state}${final ? '' : '?'} ${arm ?? '–'}`,
  )
}

const PATIENTS = new Map(['P', 'Q', 'R', 'S'].map((patient) => [toHex(tagOf(patient)), patient]))
/** Final everywhere, and of that hospital below that entry: what came later is known alone. */
const below = (member: MemberId, seq: number): Cut => cutAt({ [member]: seq })

function enrolled() {
  const given = begun()
  const { story, lists, rests } = given
  const p = story.enrol(NORTH, 'P', lists.north, 0, rests.north)
  const q = story.enrol(NORTH, 'Q', lists.north, 1, rests.north)
  const r = story.enrol(SOUTH, 'R', lists.south, 0, rests.south)
  for (const one of [p, q]) story.allocate(one, `list of ${NORTH}`)
  return { ...given, p, q, r }
}

it('each is a row, this hospital’s first, and no arm that is sealed stands in any, though it was allocated', () => {
  const { story } = enrolled()
  assert.equal(rows(story, { self: NORTH }), [
    'P North 0 v1 taking part –',
    'Q North 1 v1 taking part –',
    'R =South 0 v1 taking part –',
  ])
  assert.equal(rows(story, { self: WEST })[0], 'R =South 0 v1 taking part –')
  assert.equal(rows(story, { only: SOUTH }), ['R =South 0 v1 taking part –'])
  assert.equal(rows(story, { only: WEST }), [])
})

it('an arm stands there when its opening is final, of one, and of all when their list was drawn again', () => {
  const { story, lists } = enrolled()
  const one = story.open(NORTH, lists.north, `list of ${NORTH}`, 1)
  assert.equal(rows(story, { cut: below(NORTH, one.seq) })[2], 'Q North 1 v1 taking part –')
  const [, , opened] = rows(story)
  assert.match(opened ?? '', /^Q North 1 v1 taking part (active|control)$/)
  const all = story.unseal(WEST, lists.north, `list of ${NORTH}`)
  assert.equal(rows(story, { cut: below(WEST, all.seq) })[1], 'P North 0 v1 taking part –')
  const [south, ...north] = rows(story)
  assert.is(south, 'R =South 0 v1 taking part –')
  for (const row of north) assert.match(row, /(active|control)$/)
  assert.is(north[1], opened)
})

it('an enrolment and an end are told as soon as they are known, and that they are not final; a version when it is', () => {
  const { story, q, protocol } = enrolled()
  assert.is(rows(story, { cut: below(NORTH, q.seq) })[2], 'Q North 1 v1 taking part? –')
  story.propose({}, undefined, protocol)
  const renewed = story.event(NORTH, 'P', 're-consented', 2)
  assert.is(rows(story, { cut: below(NORTH, renewed.seq) })[1], 'P North 0 v1 taking part –')
  assert.is(rows(story)[1], 'P North 0 v2 taking part –')
  const end = story.event(NORTH, 'P', 'completed', 2)
  assert.is(rows(story, { cut: below(NORTH, end.seq) })[1], 'P North 0 v2 completed? –')
  assert.is(rows(story)[1], 'P North 0 v2 completed –')
})

it('who takes a position that another has is given nobody’s arm', () => {
  const { story, lists, rests } = enrolled()
  story.enrol(NORTH, 'S', lists.north, 0, rests.north)
  story.enrol(SOUTH, 'Q', lists.north, 1, rests.south)
  story.unseal(WEST, lists.north, `list of ${NORTH}`)
  assert.equal(
    rows(story).map((row) => row.replace(/(active|control)$/, 'arm')),
    [
      'R =South 0 v1 taking part –',
      'Q =South 1 v1 taking part –',
      'P North 0 v1 taking part arm',
      'Q North 1 v1 taking part arm',
      'S North 0 v1 taking part –',
    ],
  )
})

it('as a table a spreadsheet takes no name for a formula', () => {
  const { story, lists } = enrolled()
  const telling = { self: SOUTH, cut: ALL, nameOf: (member: MemberId) => NAMES[member] ?? member }
  const participants = participantLines(story.record(), telling)
  const [header, first] = participantsCsv({ trial: '', name: '', participants }).split('\r\n')
  assert.is(header, 'participant,site,stratum,list,position,version,status,final,arm')
  assert.is(first, `${toHex(tagOf('R'))},'=South,,${lists.south.hash},0,1,taking part,yes,`)
})

it.run()

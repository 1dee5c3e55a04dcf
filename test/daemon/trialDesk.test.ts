/** What the desk of trials says to who may not do something: what is true of that hospital, and what helps. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { fromHex, toHex, utf8 } from '../../src/core/bytes.ts'
import { sha256 } from '../../src/core/digest.ts'
import type { MemberId } from '../../src/core/ids.ts'
import { type TrialDaemon, TrialDesk } from '../../src/daemon/trialDesk.ts'
import { happened, openOne, readArm } from '../../src/daemon/trialPatients.ts'
import { checkReport } from '../../src/daemon/trialReports.ts'
import { sealAllocation, sealingKey } from '../../src/daemon/trialSeal.ts'
import { propose } from '../../src/daemon/trialWrites.ts'
import type { TrialBook, TrialPlace } from '../../src/governance/trials/book.ts'
import { participantSecret, participantTag } from '../../src/governance/trials/enrolment.ts'
import { drawList, listTree, positionLeaf, positionSalt } from '../../src/governance/trials/randomisation.ts'
import { FOUNDING } from '../governance/peopleKit.ts'
import { begun, DESIGN, NORTH, SOUTH, SPONSOR, type Story, seedOf, WEST } from '../governance/trials/kit.ts'

const it = suite('desk of trials')
const NAMES: Readonly<Record<string, string>> = {
  [SPONSOR]: 'Main',
  [NORTH]: 'North',
  [SOUTH]: 'South',
  [WEST]: 'West',
}
const PATIENT = { trialKey: sha256(utf8('a key in the vault of North')) }

/** A hospital whose logs are a story; what it would write is kept, and all is final. */
class Desk extends TrialDesk {
  readonly written: string[] = []
  readonly #story: Story

  constructor(story: Story, daemon: Hospital) {
    super(daemon as unknown as TrialDaemon, () => ({}) as never)
    this.#story = story
  }

  override async book(): Promise<TrialBook> {
    return this.#story.book()
  }

  override async record(kind: string): Promise<TrialPlace> {
    this.written.push(kind)
    return { author: this.self, seq: 99, hash: this.#story.trial, lamport: 99, timeMs: 0 }
  }
}

class Hospital {
  readonly #names = NAMES
  readonly home
  readonly people = { names: async () => new Map() }
  readonly vault = { book: async () => ({ subjects: () => [PATIENT] }) }
  readonly machine = {
    finality: { final: () => ({ size: Number.POSITIVE_INFINITY }) },
    view: () => ({ suspensions: [] }),
  }

  constructor(id: MemberId) {
    const roll = { isMember: (member: MemberId) => member !== SOUTH }
    this.home = { key: { id }, consortium: { founding: FOUNDING }, membership: { roll } }
  }

  nameOf(member: MemberId): string {
    return this.#names[member] ?? member
  }
}

const at = (story: Story, site: MemberId) => {
  const daemon = new Hospital(site)
  return { daemon: daemon as unknown as TrialDaemon, desk: new Desk(story, daemon) }
}

/** A participant of North's whose arm is sealed for North. */
function allocated() {
  const given = begun()
  const { story, lists, rests } = given
  const tag = participantTag(PATIENT, story.trial, NORTH)
  const key = sealingKey(participantSecret(PATIENT, story.trial, NORTH))
  const enrolled = story.enrol(NORTH, 'P', lists.north, 0, rests.north, { tag, key })
  const seed = seedOf(`list of ${NORTH}`)
  const drawn = drawList(seed, DESIGN, 6)
  const [arm, salt] = [drawn.arms[0] as number, positionSalt(seed, 0)]
  const sealed = sealAllocation(key, fromHex(enrolled.hash), { arm, salt }) as Uint8Array
  const { trial } = story
  const path = listTree(seed, drawn).path(0)
  const body = {
    trial: fromHex(trial),
    enrolled: fromHex(enrolled.hash),
    leaf: positionLeaf(salt, 0, arm),
    path,
    sealed,
  }
  story.add(WEST, 'trial.allocated', body as never)
  return { ...given, participant: toHex(tag) }
}

const said = (run: Promise<unknown>): Promise<string> =>
  run.then(
    () => 'done',
    (error: Error) => `${(error as Error & { code?: string }).code} ${error.message}`,
  )

it('at a bedside, where data is locked, who asks for the arm is told first that it can be opened, and it can', async () => {
  const { story, participant } = allocated()
  const body = { participant }
  const before = at(story, NORTH)
  assert.is(await said(readArm(before.daemon, before.desk, 'stroke-2', body)), 'done')
  story.lock(SPONSOR, 'Di', null)
  const { daemon, desk } = at(story, NORTH)
  assert.match(
    await said(readArm(daemon, desk, 'stroke-2', body)),
    new RegExp(
      `^trial-locked trial stroke-2: in an emergency "consilium trial open stroke-2 --participant ${participant} --reason emergency" .*Main has locked the data.*; see Main/2; ask Main$`,
    ),
  )
  assert.equal(desk.written, [])
  assert.is(await said(openOne(daemon, desk, 'stroke-2', { ...body, reason: 'emergency' })), 'done')
  assert.equal(desk.written, ['trial.opened'])
  assert.match(await said(happened(daemon, desk, 'stroke-2', { ...body, event: 'visit' })), /stroke-2: Main has locked/)
})

it('of another hospital’s participant each is told what that hospital does, and no other thing', async () => {
  const { story, participant } = allocated()
  const { daemon, desk } = at(story, SOUTH)
  const body = { participant }
  const of = `trial-foreign participant ${participant} is North's: North `
  assert.is(
    await said(happened(daemon, desk, 'stroke-2', { ...body, event: 'visit' })),
    `${of}alone records what happens to it: ask there`,
  )
  assert.is(
    await said(readArm(daemon, desk, 'stroke-2', body)),
    `${of}alone reads the arm; it, or who drew the list, opens it for all`,
  )
  assert.is(
    await said(openOne(daemon, desk, 'stroke-2', { ...body, reason: 'emergency' })),
    `${of}opens the arm, or who drew the list`,
  )
})

it('a check counts the signatures of all records that people sign, and none that does not hold', async () => {
  const { story, protocol } = allocated()
  const lock = story.lock(SPONSOR, 'Di', null)
  const signatures = async (): Promise<number> => {
    const { desk } = at(story, NORTH)
    const { book, record } = await desk.find('stroke-2')
    return checkReport(book, record, await desk.telling()).signatures
  }
  assert.is(await signatures(), 4)
  story.unlock(SPONSOR, 'Di', lock)
  assert.is(await signatures(), 5)
  story.approve(NORTH, 'Ada', protocol, 'site-approval', { by: 'Bo' })
  assert.is(await signatures(), 5)
})

const PROTOCOL = {
  ...{ name: 'stroke-3', public: true, sites: [NORTH], strata: [], lists: WEST },
  arms: [
    { arm: 'active', ratio: 1 },
    { arm: 'control', ratio: 1 },
  ],
  ...{ approvals: [{ meaning: 'ethics-approval', by: WEST }], consent: { required: false, purposes: [] } },
}

it('a version is proposed under a free name, of members alone, and amended under its own', async () => {
  const { story } = allocated()
  const { daemon, desk } = at(story, SPONSOR)
  const proposing = (more: object, fields: object = {}): Promise<string> =>
    said(propose(daemon, desk, { protocol: { ...PROTOCOL, ...more }, document: '1'.repeat(64), ...fields }))
  assert.match(await proposing({ name: 'stroke-2' }), /^trial-name name: "stroke-2" is taken, .* of Main: amend it/)
  assert.match(await proposing({ sites: [NORTH, SOUTH] }), /^trial-no-member South is no member now/)
  assert.match(await proposing({}, { trial: 'stroke-2' }), /^trial-name .*a trial keeps its name: write "stroke-2"$/)
  assert.equal(desk.written, [])
  assert.is(await proposing({}), 'done')
  assert.is(await proposing({ name: 'stroke-2' }, { trial: 'stroke-2' }), 'done')
  assert.equal(desk.written, ['trial.protocol', 'trial.protocol'])
})

it.run()

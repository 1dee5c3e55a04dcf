/** Decision slots: one phase is not enough and two are; every short schedule, many random ones, crashes, liars, joint quorums. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { equalBytes, utf8 } from '../../src/core/bytes.ts'
import { encodeCbor } from '../../src/core/cbor.ts'
import type { SigningKey } from '../../src/core/ed25519.ts'
import { compareIds, type MemberId } from '../../src/core/ids.ts'
import { quorum } from '../../src/ledger/founding.ts'
import { Slot, type SlotAction } from '../../src/ledger/slot.ts'
import {
  type Certificate,
  decodeMessage,
  encodeMessage,
  openMessage,
  proposerOf,
  type SlotMessage,
  type SlotRules,
  type Value,
} from '../../src/ledger/slotMessage.ts'
import { decodeSlotState, encodeSlotState, type SlotState } from '../../src/ledger/slotState.ts'
import { RESEND_MS, TIMEOUT, timeoutMs } from '../../src/ledger/slotTimes.ts'
import {
  decodeVote,
  encodeEquivocation,
  encodeVote,
  openEquivocation,
  openVote,
  type Phase,
  signVote,
  type Vote,
} from '../../src/ledger/vote.ts'
import { refusal } from '../core/refusal.ts'
import { FOUNDING, keyOf } from './fixtures.ts'
import {
  certificateOf,
  labelled,
  labelOf,
  opened,
  proposalOf,
  rulesOf,
  Simulation,
  SLOT,
  stubKey,
  voteOf,
  votersOf,
} from './slotKit.ts'

const it = suite('slot')
const T = 1_790_000_000_000
const MEMBERS = votersOf(4)
const RULES = rulesOf(MEMBERS)
const [V, W] = ['v', 'w'].map((label) => labelled(label, MEMBERS)) as [Value, Value]
/** Members in the order of their turns. */
const [FIRST, SECOND, THIRD, FOURTH] = [0, 1, 2, 3].map((round) => proposerOf(RULES, round)) as [
  MemberId,
  MemberId,
  MemberId,
  MemberId,
]

const said = (actions: readonly SlotAction[]): string[] =>
  actions.flatMap((action) => (action.type === 'broadcast' ? [tell(action.message)] : []))
const tell = (message: SlotMessage): string => {
  if (message.type === 'certificate') return `${message.type} ${message.certificate.phase} ${message.certificate.round}`
  const { phase, round, value } = message.type === 'vote' ? message.vote : message.proposal.vote
  const known = [V, W].find(({ digest }) => digest === value)
  return `${phase} ${round} ${known ? labelOf(known) : 'nothing'}`
}
const wakeOf = (actions: readonly SlotAction[]): number =>
  actions.reduce((atMs, action) => (action.type === 'wake' ? action.atMs : atMs), Number.NaN)
const vote = (voter: MemberId, phase: 'prepare' | 'commit', round: number, value: Value | null) =>
  opened({ type: 'vote', vote: voteOf(voter, phase, round, value) })
const certificate = (voters: readonly MemberId[], phase: 'prepare' | 'commit', round: number, value: Value) =>
  opened({ type: 'certificate', certificate: certificateOf(voters, phase, round, value) })

/** A voter that accepts v and w, begun. */
function slotOf(member: MemberId, saved?: SlotState): Slot {
  const slot = new Slot(RULES, stubKey(member), saved)
  slot.start(T)
  for (const { digest } of [V, W]) slot.step({ type: 'judged', value: digest, accepted: true }, T)
  return slot
}

/** One phase only, as a demonstration: a quorum of votes decides, and a recovery asks a quorum what they voted for. */
class OnePhase {
  readonly votes = new Map<MemberId, string>()
  decidedBy(voters: readonly MemberId[]): string | null {
    const labels = new Set(this.votes.values())
    const enough = (label: string): boolean =>
      voters.filter((voter) => this.votes.get(voter) === label).length >= quorum(4)
    return [...labels].find(enough) ?? null
  }
  /** What most of the statements are for; every voter of the recovery then votes for that. */
  recover(statements: ReadonlyMap<MemberId, string>): void {
    const count = (label: string): number => [...statements.values()].filter((one) => one === label).length
    const most = [...new Set(statements.values())].sort((a, b) => count(b) - count(a))[0] as string
    for (const voter of statements.keys()) this.votes.set(voter, most)
  }
}

it('slot: one phase decides twice, when the proposer dies with the certificate and one honest witness meets lies', () => {
  const [proposer, witness, other, liar] = [FIRST, SECOND, THIRD, FOURTH]
  const one = new OnePhase()
  for (const voter of [proposer, witness, liar]) one.votes.set(voter, 'v')
  assert.is(one.decidedBy(MEMBERS), 'v', 'the proposer holds three votes, acts on it, and dies')
  one.recover(
    new Map([
      [witness, 'v'],
      [other, 'w'],
      [liar, 'w'],
    ]),
  )
  assert.is(one.decidedBy([witness, other, liar]), 'w', 'a quorum that followed the rules, all but one, decides again')
})

it('slot: two phases decide once, when the proposer dies with the certificate and one honest witness meets lies', () => {
  const [proposer, witness, other, liar] = [FIRST, SECOND, THIRD, FOURTH]
  const dead = slotOf(proposer)
  assert.equal(said(dead.step({ type: 'offer', value: V }, T)), ['propose 0 v', 'prepare 0 v'])
  const slots = [witness, other].map((member) => slotOf(member)) as [Slot, Slot]
  assert.equal(said(slots[0].step(opened(proposalOf(proposer, 0, V)), T)), ['prepare 0 v'])
  // other hears neither the proposal nor the votes; the liar votes for v towards the proposer and the witness only
  for (const slot of [dead, slots[0]])
    for (const voter of [proposer, witness, liar])
      if (!said(slot.step(vote(voter, 'prepare', 0, V), T)).includes('commit 0 v')) continue
  for (const voter of [witness, liar]) dead.step(vote(voter, 'commit', 0, V), T)
  assert.is(labelOf((dead.state.decided as Certificate).value), 'v', 'it decides, and dies')
  assert.equal(slots[0].state.locked, { round: 0, value: V.digest })
  // recovery: the liar says in each round that it is for w, in every phase
  const late = T + TIMEOUT.propose.maxMs
  assert.equal(said(slots[1].step({ type: 'wake' }, late)), ['prepare 0 nothing'])
  slots[1].step({ type: 'offer', value: W }, late)
  const lies = (round: number) => (['prepare', 'commit'] as const).map((phase) => vote(liar, phase, round, W))
  assert.equal(converse(slots, late, lies), ['nothing', 'nothing'], 'with the proposer and the liar two are missing')
  assert.ok(slots[1].state.round > 0)
  assert.equal(slots[1].state.valid?.value.digest, V.digest, 'w was never prepared by a quorum')
  const back = new Slot(RULES, stubKey(proposer), { ...dead.state, decided: null }) // even without what it decided
  back.start(late)
  assert.equal(converse([back, ...slots], 2 * late, lies), ['v', 'v', 'v'])
})

/** Honest slots hear all of each other, and what a liar says in each round, until all have decided. */
function converse(slots: readonly Slot[], now: number, lies: (round: number) => ReturnType<typeof vote>[]): string[] {
  let at = now
  for (let i = 0; i < 500 && slots.some(({ state }) => state.decided === null); i++) {
    at += RESEND_MS
    const queue: SlotMessage[] = []
    const take = (actions: readonly SlotAction[]): void => {
      for (const action of actions) if (action.type === 'broadcast') queue.push(action.message)
    }
    for (const slot of slots) take(slot.step({ type: 'wake' }, at))
    for (const slot of slots) for (const lie of lies(slot.state.round)) take(slot.step(lie, at))
    for (let message = queue.shift(); message !== undefined; message = queue.shift())
      for (const slot of slots) take(slot.step(opened(message), at))
  }
  return slots.map(({ state }) => (state.decided === null ? 'nothing' : labelOf(state.decided.value)))
}

const SCHEDULES = 2_000
it(`slot: ${SCHEDULES} random schedules of 7 voters, 2 of them liars: one value, and in the end all have it (replay by its seed)`, () => {
  let [caught, restarts, later] = [0, 0, 0]
  for (let seed = 0; seed < SCHEDULES; seed++) {
    const outcome = new Simulation({ seed, members: 7, liars: 2, steps: 250, labels: ['v', 'w', 'x'] }).run()
    caught += outcome.caught
    restarts += outcome.restarts
    later += outcome.rounds > 0 ? 1 : 0
  }
  assert.ok(caught > SCHEDULES && restarts > SCHEDULES && later > SCHEDULES / 4, `${caught} ${restarts} ${later}`)
})

it('slot: where values bring their own voters, random schedules decide one of them, by both quorums', () => {
  const labels = ['v +7', 'w +7 +8 -2', 'x +7 +8'] // honest voters are a quorum of each new set
  const decided = new Set<string>()
  for (let seed = 0; seed < 200; seed++)
    decided.add(
      new Simulation({ seed: `joint ${seed}`, members: 7, joiners: 2, liars: 2, steps: 250, labels }).run().decided,
    )
  assert.equal([...decided].sort(), labels)
})

it('slot: a joint quorum needs both sets: the old alone do not decide, nor do the new', () => {
  const value = labelled('v +4 +5 +6 +7', MEMBERS) // eight members afterwards: 3 of the old four, 6 of all
  const all = votersOf(8)
  const slot = new Slot(RULES, stubKey(MEMBERS[3] as MemberId))
  slot.start(T)
  assert.not(slot.isVoter(all[5] as MemberId))
  slot.step(opened(proposalOf(FIRST, 0, value)), T)
  assert.ok(slot.isVoter(all[5] as MemberId), 'those whom a value adds may vote once it is known')
  const hear = (voters: readonly (MemberId | undefined)[]): void => {
    for (const voter of voters)
      slot.step(opened({ type: 'vote', vote: voteOf(voter as MemberId, 'commit', 0, value) }), T)
  }
  hear(all.slice(0, 3))
  assert.is(slot.state.decided, null, 'three of the old four, and of eight')
  hear(all.slice(4, 6))
  assert.is(slot.state.decided, null, 'five of eight')
  hear([all[6]])
  const signers = [0, 1, 2, 4, 5, 6].map((i) => all[i])
  assert.equal(
    slot.state.decided?.signatures.map(({ voter }) => voter),
    signers,
  )
  const other = new Slot(RULES, stubKey(MEMBERS[3] as MemberId))
  other.start(T)
  other.step(opened(proposalOf(FIRST, 0, value)), T)
  for (const voter of [0, 1, 4, 5, 6, 7].map((i) => all[i] as MemberId))
    other.step(opened({ type: 'vote', vote: voteOf(voter, 'commit', 0, value) }), T)
  assert.is(other.state.decided, null, 'six of eight, but two of the old four')
})

it('slot: every vote leaves after the state that holds it, and a restart says it again, not another', () => {
  const slot = slotOf(SECOND)
  const actions = slot.step(opened(proposalOf(FIRST, 0, V)), T)
  assert.equal(
    actions.slice(0, 2).map(({ type }) => type),
    ['persist', 'broadcast'],
  )
  const saved = (actions[0] as SlotAction & { type: 'persist' }).state
  assert.is(saved.prepare?.value, V.digest)
  const bytes = encodeSlotState(saved, SLOT)
  const again = new Slot(RULES, stubKey(SECOND), decodeSlotState(bytes, RULES))
  assert.equal(said(again.start(T + 1)), ['prepare 0 v'])
  again.step({ type: 'judged', value: W.digest, accepted: true }, T)
  assert.equal(said(again.step(opened(proposalOf(FIRST, 0, W)), T + 2)), [], 'the other proposal comes too late')
  const proposer = slotOf(FIRST)
  const [kept] = proposer.step({ type: 'offer', value: V }, T)
  const back = slotOf(FIRST, (kept as SlotAction & { type: 'persist' }).state)
  assert.equal(said(back.step({ type: 'offer', value: W }, T)), [], 'nor does a proposer propose twice')
})

it("slot: the durable state comes back from its bytes, whatever is in it; damaged or another slot's is refused", () => {
  const slot = slotOf(FIRST)
  slot.step({ type: 'offer', value: V }, T)
  for (const voter of [SECOND, THIRD]) slot.step(vote(voter, 'prepare', 0, V), T)
  for (const decided of [false, true]) {
    if (decided) for (const voter of [SECOND, THIRD]) slot.step(vote(voter, 'commit', 0, V), T)
    const bytes = encodeSlotState(slot.state, SLOT)
    const again = decodeSlotState(bytes, RULES)
    assert.ok(equalBytes(encodeSlotState(again, SLOT), bytes))
    assert.is(again.decided !== null, decided)
    assert.equal(
      [again.locked, again.valid?.round, again.proposal?.value.digest],
      [{ round: 0, value: V.digest }, 0, V.digest],
    )
    assert.is(
      refusal(() => decodeSlotState(bytes, rulesOf(MEMBERS, SLOT + 1))),
      'slot-state',
    )
    for (let length = 0; length < bytes.length; length += 7)
      assert.ok(refusal(() => decodeSlotState(bytes.subarray(0, length), RULES)))
  }
})

it('slot: a lock gives way to proof from its own round or a later one, and to nothing else', () => {
  const lockedIn = (round: number): Slot => {
    const slot = slotOf(FOURTH)
    slot.step(certificate([FIRST, SECOND, THIRD], 'prepare', round, V), T)
    slot.step({ type: 'wake' }, T + TIMEOUT.propose.maxMs) // prepares nothing, then commits what was prepared without it
    assert.equal(slot.state.locked, { round, value: V.digest })
    for (const voter of [FIRST, SECOND]) slot.step(vote(voter, 'commit', round + 2, null), T)
    assert.is(slot.state.round, round + 2)
    return slot
  }
  const proposalWith = (round: number, before: number | null): ReturnType<typeof opened> => {
    const proof = before === null ? null : certificateOf([FIRST, SECOND, THIRD], 'prepare', before, W)
    return opened(proposalOf(proposerOf(RULES, round), round, W, proof))
  }
  assert.equal(said(lockedIn(3).step(proposalWith(5, null), T)), ['prepare 5 nothing'])
  assert.equal(said(lockedIn(3).step(proposalWith(5, 2), T)), ['prepare 5 nothing'])
  assert.equal(said(lockedIn(3).step(proposalWith(5, 4), T)), ['prepare 5 w'])
})

it('slot: who is asked and says no prepares nothing; who does not say prepares nothing when the wait is over', () => {
  const slot = new Slot(RULES, stubKey(SECOND))
  slot.start(T)
  const asked = slot.step(opened(proposalOf(FIRST, 0, V)), T)
  assert.ok(asked.some((action) => action.type === 'judge' && action.value.digest === V.digest))
  assert.equal(said(asked), [])
  assert.equal(said(slot.step({ type: 'judged', value: V.digest, accepted: false }, T)), ['prepare 0 nothing'])
  const silent = new Slot(RULES, stubKey(SECOND))
  silent.start(T)
  silent.step(opened(proposalOf(FIRST, 0, V)), T)
  assert.equal(said(silent.step({ type: 'wake' }, T + timeoutMs('propose', 0) - 1)), [])
  assert.equal(said(silent.step({ type: 'wake' }, T + timeoutMs('propose', 0))), ['prepare 0 nothing'])
})

it('slot: waits grow with the round to a bound, none is longer than a night, and something is said again within each', () => {
  for (const phase of Object.keys(TIMEOUT) as Phase[]) {
    const waits = Array.from({ length: 200 }, (_, round) => timeoutMs(phase, round))
    assert.ok(waits.every((ms, i) => i === 0 || ms >= (waits[i - 1] as number)))
    assert.ok((waits[1] as number) > (waits[0] as number) && (waits[0] as number) >= 2 * RESEND_MS)
    assert.is(waits[199], TIMEOUT[phase].maxMs)
  }
  assert.is(wakeOf(new Slot(RULES, stubKey(SECOND)).start(T)), T + RESEND_MS)
  const slot = slotOf(SECOND)
  slot.step(opened(proposalOf(FIRST, 0, V)), T)
  assert.equal(said(slot.step({ type: 'wake' }, T + RESEND_MS)), ['prepare 0 v'])
})

it('slot: two votes of one voter that differ are given out once as evidence, which others can check', () => {
  const slot = slotOf(SECOND)
  slot.step(vote(THIRD, 'prepare', 0, V), T)
  const evidence = [...slot.step(vote(THIRD, 'prepare', 0, W), T), ...slot.step(vote(THIRD, 'prepare', 0, null), T)]
  assert.equal(evidence.filter(({ type }) => type === 'evidence').length, 1)
  slot.step(vote(THIRD, 'commit', 0, V), T)
  const once = slot.step(vote(THIRD, 'commit', 0, W), T).filter(({ type }) => type === 'evidence')
  assert.equal(once, [], 'once for each voter')
  const two = [...slot.step(opened(proposalOf(FIRST, 0, V)), T), ...slot.step(opened(proposalOf(FIRST, 0, W)), T)]
  assert.equal(two.filter(({ type }) => type === 'evidence').length, 1, 'two proposals as well')
  assert.equal(
    slot.step(vote(FOURTH, 'prepare', 0, V), T).filter(({ type }) => type === 'evidence'),
    [],
  )

  const key = keyOf('liar')
  const of = (value: Value | null, round = 3, by = key): Vote =>
    signVote(by, FOUNDING, { slot: SLOT, phase: 'commit', round, value: value?.digest ?? null, validRound: null })
  const bytes = encodeEquivocation([of(V), of(W)])
  assert.ok(equalBytes(bytes, encodeEquivocation([of(W), of(V)])))
  assert.equal(
    openEquivocation(bytes, FOUNDING).map(({ voter }) => voter),
    [key.member, key.member],
  )
  const rows: [string, Vote, Vote][] = [
    ['the same twice', of(V), of(V)],
    ['two rounds', of(V), of(W, 4)],
    ['two voters', of(V), of(W, 3, keyOf('ben'))],
  ]
  for (const [name, one, other] of rows)
    assert.is(
      refusal(() => openEquivocation(encodeEquivocation([one, other]), FOUNDING)),
      'equivocation-unproven',
      name,
    )
  const forged = { ...of(W), signature: of(V).signature }
  assert.is(
    refusal(() => openEquivocation(encodeEquivocation([of(V), forged]), FOUNDING)),
    'vote-signature',
  )
})

it('slot: who meets a vote of its own key that it did not cast votes no more', () => {
  const rows: [string, SlotMessage][] = [
    ['another vote in this round', { type: 'vote', vote: voteOf(SECOND, 'prepare', 0, W) }],
    ['a vote of a later round', { type: 'vote', vote: voteOf(SECOND, 'commit', 7, V) }],
    ['a proposal', proposalOf(SECOND, 1, V)],
    ['a certificate', { type: 'certificate', certificate: certificateOf([FIRST, SECOND, THIRD], 'prepare', 2, W) }],
  ]
  for (const [name, message] of rows) {
    const slot = slotOf(SECOND)
    slot.step(opened(proposalOf(FIRST, 0, V)), T)
    assert.equal(
      slot.step(vote(SECOND, 'prepare', 0, V), T).map(({ type }) => type),
      [],
      'its own votes come back: no matter',
    )
    assert.ok(
      slot.step(opened(message), T).some(({ type }) => type === 'halted'),
      name,
    )
    for (const voter of [FIRST, THIRD]) assert.equal(said(slot.step(vote(voter, 'prepare', 0, V), T)), [], name)
    slot.step(certificate([FIRST, THIRD, FOURTH], 'commit', 0, V), T)
    assert.is.not(slot.state.decided, null, 'it still learns what the others decide')
  }
})

it('slot: what one voter can make another remember is bounded', () => {
  const slot = slotOf(SECOND)
  const size = (): number => JSON.stringify(slot.snapshot(T)).length
  const flood = (from: number): void => {
    for (let round = from; round < from + 300; round++) {
      for (let i = 0; i < 5; i++) slot.step(vote(THIRD, 'commit', round, labelled(`${round} ${i}`, MEMBERS)), T)
      const proposer = proposerOf(RULES, round)
      if (proposer !== SECOND) slot.step(opened(proposalOf(proposer, round, labelled(`p${round}`, MEMBERS))), T)
    }
  }
  flood(3)
  const before = size()
  assert.ok(slot.state.round > 250, 'three who propose in turn move the rounds on')
  assert.ok(slot.snapshot(T).tally.length <= 5, 'two rounds back, two ahead')
  flood(10_000)
  assert.ok(slot.snapshot(T).tally.length <= 5 && size() < before + 5_000, `${before} ${size()}`)
  const alone = slotOf(SECOND)
  for (let i = 0; i < 500; i++) alone.step(vote(THIRD, 'commit', 0, labelled(`other ${i}`, MEMBERS)), T)
  for (let ahead = 1; ahead < 500; ahead++) alone.step(vote(THIRD, 'prepare', ahead, V), T)
  assert.is(alone.state.round, 0, 'one alone does not')
  assert.ok(JSON.stringify(alone.snapshot(T)).length < 4_000)
})

it('slot: after the decision it answers who still votes, at most once in a while', () => {
  const slot = slotOf(SECOND)
  slot.step(certificate([FIRST, THIRD, FOURTH], 'commit', 0, V), T)
  const late = vote(FOURTH, 'prepare', 3, null)
  assert.equal(said(slot.step(late, T + RESEND_MS)), ['certificate commit 0'])
  assert.equal(said(slot.step(late, T + RESEND_MS + 1)), [])
  assert.equal(said(slot.step(late, T + 2 * RESEND_MS)), ['certificate commit 0'])
  const again = new Slot(RULES, stubKey(SECOND), slot.state).start(T)
  assert.ok(again.some(({ type }) => type === 'decided'))
})

const KEYS = ['ada', 'ben', 'cleo', 'dan'].map(keyOf).sort((a, b) => compareIds(a.member, b.member))
const REAL: SlotRules = rulesOf(KEYS.map(({ member }) => member))
const real = (label: string) => labelled(label, REAL.members.voters)
const signed = (
  key: SigningKey,
  phase: Phase,
  round: number,
  label: string | null,
  validRound: number | null = null,
): Vote =>
  signVote(key, FOUNDING, { slot: SLOT, phase, round, value: label === null ? null : real(label).digest, validRound })
const signedCertificate = (
  keys: readonly SigningKey[],
  phase: 'prepare' | 'commit',
  round: number,
  label: string,
): Certificate => ({
  phase,
  round,
  value: real(label),
  signatures: keys.map((key) => ({ voter: key.member, signature: signed(key, phase, round, label).signature })),
})
const turnOf = (round: number): SigningKey =>
  KEYS.find(({ member }) => member === proposerOf(REAL, round)) as SigningKey
const PROVEN = signedCertificate(KEYS.slice(1), 'prepare', 1, 'v')
const MESSAGES: SlotMessage[] = [
  { type: 'vote', vote: signed(KEYS[2] as SigningKey, 'commit', 3, 'v') },
  { type: 'vote', vote: signed(KEYS[2] as SigningKey, 'prepare', 3, null) },
  { type: 'proposal', proposal: { vote: signed(turnOf(0), 'propose', 0, 'v'), value: real('v'), certificate: null } },
  {
    type: 'proposal',
    proposal: { vote: signed(turnOf(2), 'propose', 2, 'v', 1), value: real('v'), certificate: PROVEN },
  },
  { type: 'certificate', certificate: signedCertificate(KEYS, 'commit', 3, 'v') },
]

it('slot: messages come back as they were, and no bit of one can change', () => {
  for (const message of MESSAGES) {
    const bytes = encodeMessage(message, SLOT)
    const read = openMessage(bytes, REAL)
    assert.is(read.type, message.type)
    assert.ok(equalBytes(encodeMessage(read, SLOT), bytes))
    for (let bit = 0; bit < bytes.length * 8; bit += bytes.length > 400 ? 5 : 1) {
      const mutant = bytes.slice()
      mutant[bit >> 3] = (mutant[bit >> 3] as number) ^ (1 << (bit & 7))
      assert.ok(
        refusal(() => openMessage(mutant, REAL)),
        `${message.type}: bit ${bit}`,
      )
    }
    for (let length = 0; length < bytes.length; length++)
      assert.ok(refusal(() => openMessage(bytes.subarray(0, length), REAL)))
    assert.is(
      refusal(() => openMessage(bytes, { ...REAL, number: SLOT + 1 })),
      'slot-other',
    )
  }
})

it('slot: what is no message of this slot is refused, each for its reason', () => {
  const [ada, ben, cleo] = KEYS as [SigningKey, SigningKey, SigningKey]
  const commit = signed(ada, 'commit', 3, 'v')
  const proposal = { vote: signed(turnOf(2), 'propose', 2, 'v', 1), value: real('v'), certificate: PROVEN }
  const wrongTurn = { vote: signed(turnOf(1), 'propose', 2, 'v'), value: real('v'), certificate: null }
  const bytes = (message: SlotMessage): Uint8Array => encodeMessage(message, SLOT)
  const certificate = (keys: readonly SigningKey[], change: Partial<Certificate> = {}): Uint8Array =>
    bytes({ type: 'certificate', certificate: { ...signedCertificate(keys, 'commit', 3, 'v'), ...change } })
  const stranger = [...KEYS.slice(0, 3), keyOf('eve')].sort((a, b) => compareIds(a.member, b.member))
  const rows: [string, string, Uint8Array][] = [
    ['not CBOR', 'cbor-malformed', Uint8Array.of(0xff)],
    ['another kind', 'slot-malformed', encodeCbor([3, encodeVote(commit)])],
    ['a vote of phase propose by itself', 'slot-malformed', encodeCbor([0, encodeVote(proposal.vote)])],
    ['a commit vote as a proposal', 'slot-malformed', encodeCbor([1, encodeVote(commit), utf8('v'), []])],
    ['a proposal of another value', 'slot-malformed', encodeCbor([1, encodeVote(proposal.vote), utf8('w'), []])],
    ['a valid round without its votes', 'slot-malformed', encodeCbor([1, encodeVote(proposal.vote), utf8('v'), []])],
    ['out of turn', 'slot-proposer', bytes({ type: 'proposal', proposal: wrongTurn })],
    [
      'votes of another round as proof',
      'slot-signature',
      bytes({ type: 'proposal', proposal: { ...proposal, certificate: signedCertificate(KEYS, 'prepare', 0, 'v') } }),
    ],
    [
      'another signature',
      'slot-signature',
      bytes({ type: 'vote', vote: { ...commit, signature: signed(ben, 'commit', 3, 'v').signature } }),
    ],
    ['another phase', 'slot-signature', bytes({ type: 'vote', vote: { ...commit, phase: 'prepare' } })],
    ['too few', 'slot-quorum', certificate([ada, ben])],
    ['a stranger among them', 'slot-voter', certificate(stranger)],
    ['another round', 'slot-signature', certificate([ada, ben, cleo], { round: 4 })],
    ['another phase of a certificate', 'slot-signature', certificate([ada, ben, cleo], { phase: 'prepare' })],
    ['another value', 'slot-signature', certificate([ada, ben, cleo], { value: real('w') })],
    [
      'one signs twice',
      'slot-malformed',
      encodeCbor([
        2,
        SLOT,
        2,
        3,
        utf8('v'),
        [ada, ada, ben]
          .map((key) => [Buffer.from(key.member, 'hex'), new Uint8Array(64)])
          .map(([a, b]) => [new Uint8Array(a as Uint8Array), b as Uint8Array]),
      ]),
    ],
  ]
  for (const [name, code, given] of rows)
    assert.is(
      refusal(() => openMessage(given, REAL)),
      code,
      name,
    )
  const nothing: SlotRules = { ...REAL, read: () => null }
  assert.is(
    refusal(() => decodeMessage(certificate(KEYS), nothing)),
    'slot-value',
  )
})

it('slot: a vote is read strictly, and its signature is bound to consortium, slot, phase, round, value and voter', () => {
  const [ada, ben] = KEYS as [SigningKey, SigningKey]
  const vote = signed(ada, 'commit', 3, 'v')
  assert.equal(openVote(encodeVote(vote), FOUNDING), vote)
  const changes: Partial<Vote>[] = [
    { slot: 6 },
    { phase: 'prepare' },
    { round: 4 },
    { value: real('w').digest },
    { value: null },
    { voter: ben.member },
  ]
  for (const change of changes)
    assert.is(
      refusal(() => openVote(encodeVote({ ...vote, ...change }), FOUNDING)),
      'vote-signature',
      JSON.stringify(change),
    )
  assert.is(
    refusal(() => openVote(encodeVote(vote), real('another founding').digest)),
    'vote-signature',
  )
  const malformed: Partial<Vote>[] = [
    { round: 1_000_001 },
    { phase: 'propose', value: null },
    { validRound: 1 },
    { phase: 'propose', validRound: 3 },
    { signature: new Uint8Array(63) },
  ]
  for (const change of malformed)
    assert.is(
      refusal(() => decodeVote(encodeVote({ ...vote, ...change }))),
      'vote-malformed',
      JSON.stringify(change),
    )
})

it.run()

/**
 * The formats of epochs, votes and slot messages, as bytes in test/golden: half of them must be taken and half refused. As in golden.test.ts they are
 * never edited, and CONSILIUM_GOLDEN=write writes those that don't exist yet.
 */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { toHex } from '../../src/core/bytes.ts'
import { type Cbor, decodeCbor, encodeCbor } from '../../src/core/cbor.ts'
import { compareIds } from '../../src/core/ids.ts'
import { encodeEpoch, epochContent, epochSlot, epochZero, openEpoch } from '../../src/ledger/epoch.ts'
import { foundingDigest } from '../../src/ledger/founding.ts'
import { encodeMessage, openMessage, type SlotMessage, type Value } from '../../src/ledger/slotMessage.ts'
import {
  encodeEquivocation,
  encodeVote,
  openEquivocation,
  openVote,
  type Phase,
  signVote,
} from '../../src/ledger/vote.ts'
import { refusal } from '../core/refusal.ts'
import { person, rowsOf } from './epochKit.ts'
import { golden } from './goldenFile.ts'

const it = suite('golden epochs')

const FOUNDERS = ['Ada', 'Ben', 'Cleo', 'Dan'].map((name) => person(name))
const [ADA, BEN, CLEO, DAN] = FOUNDERS as [
  (typeof FOUNDERS)[0],
  (typeof FOUNDERS)[0],
  (typeof FOUNDERS)[0],
  (typeof FOUNDERS)[0],
]
const EVE = person('Eve')
const FOUNDING = { name: 'Clinics of the tests', members: rowsOf(FOUNDERS) }
const DIGEST = foundingDigest(FOUNDING)
const ZERO = epochZero(FOUNDING)
const RULES = epochSlot(ZERO)
const pins = [{ author: ADA.key.member, size: 70_000, root: DIGEST }]
const VALUE = RULES.read(epochContent(ZERO, rowsOf([ADA, BEN, CLEO, EVE]), pins)) as Value

const voteBy = (
  { key }: typeof ADA,
  phase: Phase,
  round: number,
  validRound: number | null = null,
  value: Value | null = VALUE,
) => signVote(key, DIGEST, { slot: 1, phase, round, value: value?.digest ?? null, validRound })
const certificateBy = (people: readonly (typeof ADA)[], phase: 'prepare' | 'commit', round: number) => {
  const votes = people.map((one) => voteBy(one, phase, round)).sort((a, b) => compareIds(a.voter, b.voter))
  return { phase, round, value: VALUE, signatures: votes }
}
const SIGNERS = [ADA, BEN, CLEO, EVE]
const proposer = FOUNDERS.find(({ key }) => key.member === RULES.members.voters[(1 + 300) % 4]) as typeof ADA
const PROPOSAL: SlotMessage = {
  type: 'proposal',
  proposal: {
    vote: voteBy(proposer, 'propose', 300, 7),
    value: VALUE,
    certificate: certificateBy(SIGNERS, 'prepare', 7),
  },
}
const DECIDED: SlotMessage = { type: 'certificate', certificate: certificateBy(SIGNERS, 'commit', 300) }
const RECORD = encodeEpoch(certificateBy(SIGNERS, 'commit', 300))
const VOTE = voteBy(DAN, 'commit', 300)
const spoilt = (bytes: Uint8Array): Uint8Array => bytes.with(-1, (bytes.at(-1) as number) ^ 1)
const changed = (bytes: Uint8Array, place: number, value: Cbor): Uint8Array =>
  encodeCbor((decodeCbor(bytes, 1_000_000) as Cbor[]).with(place, value))

const epoch = (bytes: Uint8Array) => openEpoch(bytes, ZERO)
const vote = (bytes: Uint8Array) => openVote(bytes, DIGEST)
const message = (bytes: Uint8Array) => openMessage(bytes, RULES)
const equivocation = (bytes: Uint8Array) => openEquivocation(bytes, DIGEST)

/** Name, what today's code makes, who reads it, and how it refuses it. */
const FILES: readonly (readonly [string, Uint8Array, (bytes: Uint8Array) => unknown, string | null])[] = [
  ['epoch', RECORD, epoch, null],
  ['epoch-quorum', encodeEpoch(certificateBy([ADA, BEN, CLEO, DAN].slice(0, 2), 'commit', 300)), epoch, 'epoch-quorum'],
  ['epoch-round', changed(RECORD, 1, 301), epoch, 'epoch-signature'],
  ['vote', encodeVote(VOTE), vote, null],
  ['vote-nil', encodeVote(voteBy(DAN, 'prepare', 0, null, null)), vote, null],
  ['vote-forged', spoilt(encodeVote(VOTE)), vote, 'vote-signature'],
  ['vote-valid-round', changed(encodeVote(VOTE), 5, 7), vote, 'vote-malformed'],
  ['slot-vote', encodeMessage({ type: 'vote', vote: VOTE }, 1), message, null],
  ['slot-vote-proposal', encodeCbor([0, encodeVote(voteBy(proposer, 'propose', 300))]), message, 'slot-malformed'],
  ['slot-proposal', encodeMessage(PROPOSAL, 1), message, null],
  ['slot-proposal-bare', changed(encodeMessage(PROPOSAL, 1), 3, []), message, 'slot-malformed'],
  ['slot-certificate', encodeMessage(DECIDED, 1), message, null],
  ['slot-certificate-phase', changed(encodeMessage(DECIDED, 1), 2, 1), message, 'slot-signature'],
  ['equivocation', encodeEquivocation([VOTE, voteBy(DAN, 'commit', 300, null, null)]), equivocation, null],
  [
    'equivocation-rounds',
    encodeEquivocation([VOTE, voteBy(DAN, 'commit', 301)]),
    equivocation,
    'equivocation-unproven',
  ],
]

for (const [name, made, read, code] of FILES) {
  const file = `ledger-v1-${name}.cbor`
  it(`golden: ${file} is written today, byte for byte, and is ${code === null ? 'taken' : `refused: ${code}`}`, () => {
    const kept = golden(file, made)
    assert.is(toHex(made), toHex(kept))
    assert.is(
      refusal(() => read(kept)),
      code,
    )
  })
}

it('golden: the old files mean what they meant', () => {
  const { number, k, members, pins: kept } = epoch(golden('ledger-v1-epoch.cbor', RECORD))
  assert.equal([number, k, members], [1, 3, rowsOf([ADA, BEN, CLEO, EVE])])
  assert.equal([kept.get(ADA.key.member)?.size, kept.get(DAN.key.member)?.size, kept.size], [70_000, 0, 4])
  assert.equal(vote(golden('ledger-v1-vote.cbor', encodeVote(VOTE))), VOTE)
  const proposal = message(golden('ledger-v1-slot-proposal.cbor', encodeMessage(PROPOSAL, 1)))
  assert.equal(proposal.type === 'proposal' && proposal.proposal.vote.validRound, 7)
})

it.run()

/** Epochs of membership: what makes one valid, which one governs a head, and what a former member's key is still worth. */
import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { fromHex, toHex, utf8 } from '../../src/core/bytes.ts'
import { type Cbor, encodeCbor } from '../../src/core/cbor.ts'
import { sha256 } from '../../src/core/digest.ts'
import type { SigningKey } from '../../src/core/ed25519.ts'
import { ConsiliumError } from '../../src/core/errors.ts'
import { compareIds, type Digest, type MemberId } from '../../src/core/ids.ts'
import { Rng } from '../../src/core/rng.ts'
import {
  type Epoch,
  encodeEpoch,
  epochContent,
  epochSlot,
  epochZero,
  Membership,
  openEpoch,
} from '../../src/ledger/epoch.ts'
import { type Founding, foundingDigest, quorum } from '../../src/ledger/founding.ts'
import type { Pin } from '../../src/ledger/membership.ts'
import { Slot, type SlotAction } from '../../src/ledger/slot.ts'
import { encodeMessage, openMessage, type SlotMessage, type Value } from '../../src/ledger/slotMessage.ts'
import { signVote } from '../../src/ledger/vote.ts'
import { refusal } from '../core/refusal.ts'
import { type Person, person, rowsOf, signed } from './epochKit.ts'

const it = suite('epoch')
const T = 1_790_000_000_000

const root = (label: string): Digest => toHex(sha256(utf8(label))) as Digest
const pinOf = ({ key }: Person, size: number, label = 'main'): Pin => ({
  author: key.member,
  size,
  root: size === 0 ? ('0'.repeat(64) as Digest) : root(`${label} ${size}`),
})

const [ADA, BEN, CLEO, DAN, EVE, FAY] = ['Ada', 'Ben', 'Cleo', 'Dan', 'Eve', 'Fay'].map((name) => person(name)) as [
  Person,
  Person,
  Person,
  Person,
  Person,
  Person,
]
const FOUNDERS = [ADA, BEN, CLEO, DAN]
const FOUNDING: Founding = { name: 'Clinics', members: rowsOf(FOUNDERS) }
const ZERO = epochZero(FOUNDING)

const NEXT = [ADA, BEN, CLEO, EVE, FAY] // Dan goes, Eve and Fay come: 3 of the old four and 4 of the new five are needed
const HEADS = [pinOf(ADA, 40), pinOf(BEN, 7), pinOf(DAN, 50)]
const CONTENT = epochContent(ZERO, rowsOf(NEXT), HEADS)
const RECORD = signed(CONTENT, ZERO, NEXT)
const FIRST = openEpoch(RECORD, ZERO)

it('epoch: a record says who is a member, how many make a head final, and where every log stood', () => {
  assert.equal([FIRST.number, FIRST.k, FIRST.founding], [1, 4, foundingDigest(FOUNDING)])
  assert.equal(FIRST.members, rowsOf(NEXT))
  const pins = [...HEADS, pinOf(CLEO, 0)].sort((a, b) => compareIds(a.author, b.author))
  assert.equal(
    [...FIRST.pins.values()],
    pins,
    'one for each that could have written, Cleo with nothing, the newcomers not at all',
  )
  assert.equal([ZERO.number, ZERO.k, ZERO.digest, ZERO.pins.size], [0, 3, foundingDigest(FOUNDING), 0])
})

it('epoch: the content is canonical, and its digest is that of the published form', () => {
  const bytes = (id: string): Uint8Array => fromHex(id)
  const members = rowsOf(NEXT).map(({ name, key }) => [name, bytes(key)])
  const heads = [...FIRST.pins.values()].map(({ author, size, root }) => [bytes(author), size, bytes(root)])
  const content = encodeCbor([1, 1, bytes(ZERO.digest), members, heads])
  assert.equal(CONTENT, content)
  assert.is(FIRST.digest, toHex(sha256(utf8('consilium/epoch/v1\0'), content)))
})

it('epoch: no bit of a record can change, no byte can be missing or added', () => {
  for (let bit = 0; bit < RECORD.length * 8; bit += 3) {
    const mutant = RECORD.slice()
    mutant[bit >> 3] = (mutant[bit >> 3] as number) ^ (1 << (bit & 7))
    assert.ok(
      refusal(() => openEpoch(mutant, ZERO)),
      `bit ${bit}`,
    )
  }
  for (let length = 0; length < RECORD.length; length++)
    assert.ok(refusal(() => openEpoch(RECORD.subarray(0, length), ZERO)))
  assert.ok(refusal(() => openEpoch(new Uint8Array([...RECORD, 0]), ZERO)))
})

it('epoch: each record that should not stand is refused for its reason, and its sender is blamed', () => {
  const heads = (...pins: readonly Pin[]): Cbor =>
    pins.map(({ author, size, root }) => [fromHex(author), size, fromHex(root)])
  const sorted = (...pins: readonly Pin[]): Pin[] => [...pins].sort((a, b) => compareIds(a.author, b.author))
  const people = (given: readonly Person[]): Cbor => rowsOf(given).map(({ name, key }) => [name, fromHex(key)])
  const good = [1, 1, fromHex(ZERO.digest), people(NEXT), heads(...FIRST.pins.values())] as const
  const changed = (at: number, value: Cbor): Uint8Array => signed(encodeCbor(good.with(at, value)), ZERO, NEXT)
  const weak = new Uint8Array(32)
  weak[0] = 1
  const all = [...FIRST.pins.values()]
  const later = (pins: readonly Pin[]): Uint8Array => {
    const content = encodeCbor([1, 2, fromHex(FIRST.digest), people(NEXT), heads(...sorted(...pins))])
    return signed(content, FIRST, NEXT)
  }
  const old = [...FIRST.pins.values(), pinOf(EVE, 0), pinOf(FAY, 0)]
  const but = (pin: Pin): Pin[] => old.map((one) => (one.author === pin.author ? pin : one))
  const twice = encodeCbor([
    CONTENT,
    2,
    [ADA, ADA, BEN, CLEO, EVE]
      .map(({ key }) => key)
      .sort((a, b) => compareIds(a.member, b.member))
      .map((key) => [fromHex(key.member), new Uint8Array(64)]),
  ])
  const rows: [string, string, Uint8Array, Epoch?][] = [
    ['another version', 'epoch-malformed', changed(0, 2)],
    ['a skipped epoch', 'epoch-skipped', changed(1, 2)],
    ['an epoch again', 'epoch-skipped', RECORD, FIRST],
    ['after another epoch', 'epoch-previous', changed(2, fromHex(root('another')))],
    ['members by name', 'epoch-members', changed(3, [...(people(NEXT) as Cbor[])].reverse())],
    ['one member', 'epoch-members', changed(3, people([ADA]))],
    ['a member twice', 'epoch-members', changed(3, people([ADA, ADA, BEN, CLEO, EVE]))],
    ['a name twice', 'epoch-members', changed(3, people([ADA, BEN, CLEO, { ...EVE, name: 'Ada' }]))],
    ['a name that is none', 'epoch-members', changed(3, people([ADA, BEN, CLEO, { ...EVE, name: ' Eve' }]))],
    ['a member that is no pair', 'epoch-malformed', changed(3, [['Ada'], ['Ben']])],
    ['a key of small order', 'key-unsound', changed(3, [['Weak', weak], ...(people(NEXT) as Cbor[])])],
    ['a missing pin', 'epoch-pins', changed(4, heads(...all.slice(1)))],
    ['a pin of a stranger', 'epoch-pins', changed(4, heads(...sorted(...all.slice(1), pinOf(FAY, 3))))],
    ['a pin too many', 'epoch-pins', changed(4, heads(...sorted(...all, pinOf(FAY, 3))))],
    ['pins in another order', 'epoch-pins', changed(4, heads(...[...all].reverse()))],
    [
      'an empty log with a root',
      'epoch-pins',
      changed(4, heads(...all.map((pin) => (pin.size === 0 ? { ...pin, root: root('x') } : pin)))),
    ],
    [
      'a log with a root of zeros',
      'epoch-pins',
      changed(4, heads(...all.map((pin) => ({ ...pin, root: pinOf(ADA, 0).root })))),
    ],
    [
      'a size that is none',
      'epoch-malformed',
      changed(
        4,
        all.map(({ author, root }) => [fromHex(author), -1, fromHex(root)]),
      ),
    ],
    ['a pin that goes backwards', 'epoch-pins', later(but(pinOf(ADA, 39))), FIRST],
    ['a pin with another root', 'epoch-pins', later(but(pinOf(ADA, 40, 'rewritten'))), FIRST],
    ['more by a former member', 'epoch-pins', later(but(pinOf(DAN, 51))), FIRST],
    ['a former member is forgotten', 'epoch-pins', later(old.filter(({ author }) => author !== DAN.key.member)), FIRST],
    ['signed by the old only', 'epoch-quorum', signed(CONTENT, ZERO, FOUNDERS)],
    ['signed by the new only', 'epoch-quorum', signed(CONTENT, ZERO, [ADA, BEN, EVE, FAY])],
    ['signed by three', 'epoch-quorum', signed(CONTENT, ZERO, [ADA, BEN, CLEO])],
    ['signed by nobody', 'epoch-quorum', signed(CONTENT, ZERO, [])],
    ['signed by a stranger too', 'epoch-quorum', signed(CONTENT, ZERO, [...NEXT, person('Gus')])],
    ['one signs twice', 'epoch-malformed', twice],
    ['votes of another slot', 'epoch-signature', signed(CONTENT, ZERO, NEXT, { slot: 2 })],
    ['votes of another round', 'epoch-signature', signed(CONTENT, ZERO, NEXT, { round: 3 })],
    ['prepare votes', 'epoch-signature', signed(CONTENT, ZERO, NEXT, { phase: 'prepare' })],
    ['votes in another consortium', 'epoch-signature', signed(CONTENT, ZERO, NEXT, { founding: root('other') })],
    ['not a record', 'epoch-malformed', encodeCbor([CONTENT, 2])],
    ['a round beyond all', 'epoch-malformed', encodeCbor([CONTENT, 1_000_001, []])],
  ]
  assert.is(
    refusal(() => openEpoch(later(old), FIRST)),
    null,
    'and this one stands',
  )
  for (const [name, code, record, before = ZERO] of rows) {
    try {
      openEpoch(record, before)
      assert.unreachable(name)
    } catch (error) {
      if (!(error instanceof ConsiliumError)) throw error
      assert.equal([error.code, error.blame], [code, 'reject'], `${name}: ${error.message}`)
    }
  }
})

it('epoch: a signature of every key that signed is needed, however many there are', () => {
  const [content, round, rows] = [CONTENT, 2, NEXT.map(({ key }) => key.member).sort()]
  const good = new Map(NEXT.map(({ key }) => [key.member, key]))
  const { digest } = epochSlot(ZERO).read(content) as Value
  const statement = { slot: 1, phase: 'commit', round, value: digest, validRound: null } as const
  for (const forger of rows) {
    const signatures = rows.map((member) => {
      const key = member === forger ? (EVE.key.member === forger ? ADA.key : EVE.key) : (good.get(member) as SigningKey)
      return [fromHex(member), signVote(key, ZERO.founding, statement).signature]
    })
    assert.is(
      refusal(() => openEpoch(encodeCbor([content, round, signatures]), ZERO)),
      'epoch-signature',
    )
  }
})

it('epoch: a head counts under the last epoch that began before the log was so long, and only if its author was a member then', () => {
  const second = epochContent(FIRST, rowsOf([ADA, BEN, EVE, FAY]), [pinOf(ADA, 60), pinOf(EVE, 5)])
  const third = (before: Epoch): Uint8Array =>
    epochContent(before, rowsOf([ADA, BEN, DAN, FAY]), [pinOf(ADA, 60), pinOf(FAY, 9)])
  const membership = new Membership(FOUNDING, [RECORD, signed(second, FIRST, NEXT)])
  membership.add(signed(third(membership.current), membership.current, [ADA, BEN, EVE, FAY, DAN]))
  assert.is(membership.current.number, 3)
  const rows: [Person, number, number | null][] = [
    [ADA, 0, null],
    [ADA, 1, 0],
    [ADA, 40, 0], // at the pin: the epoch before it
    [ADA, 41, 1],
    [ADA, 60, 1],
    [ADA, 61, 3], // pinned at 60 twice: nothing was written under epoch 2
    [BEN, 7, 0],
    [BEN, 8, 3], // never longer while epochs 1 and 2 lasted
    [CLEO, 1, null], // wrote nothing before it left
    [DAN, 50, 0],
    [DAN, 51, 3], // left, came back, and writes on from its pin
    [EVE, 5, 1],
    [EVE, 6, null], // what its key signs since it left
    [FAY, 9, 2],
    [FAY, 10, 3],
    [person('Gus'), 1, null],
  ]
  for (const [who, size, number] of rows)
    assert.is(membership.roll.governing(who.key.member, size)?.epoch ?? null, number, `${who.name} at ${size}`)
  assert.is(membership.roll.pinned(EVE.key.member)?.size, 5)
  assert.is(membership.roll.pinned(FAY.key.member)?.root, root('main 9'))
  assert.is(membership.roll.pinned(person('Gus').key.member), null)
  const older = new Membership(FOUNDING, [RECORD])
  assert.is(older.roll.governing(EVE.key.member, 6)?.epoch, 1, 'who has the chain only so far judges by what it has')
  assert.is(older.roll.governing(DAN.key.member, 51), null)
})

it('epoch: a record that is refused changes nothing, and the right one still comes', () => {
  const membership = new Membership(FOUNDING)
  for (const record of [signed(CONTENT, ZERO, FOUNDERS), Uint8Array.of(1), signed(CONTENT, ZERO, NEXT, { slot: 4 })])
    assert.ok(refusal(() => membership.add(record)))
  assert.equal([membership.current.number, membership.epochs.length], [0, 1])
  assert.is(membership.add(RECORD).digest, FIRST.digest)
  assert.is(
    refusal(() => new Membership({ ...FOUNDING, name: 'Others' }, [RECORD])),
    'epoch-previous',
  )
})

it('epoch: what a person asks for that can not be is refused before anybody votes on it', () => {
  assert.is(
    refusal(() => epochContent(ZERO, rowsOf([ADA]), [])),
    'epoch-members',
  )
  assert.is(
    refusal(() => epochContent(FIRST, rowsOf(NEXT), [pinOf(ADA, 3)])),
    'epoch-pins',
  )
  assert.is(epochSlot(FIRST).read(CONTENT), null)
  assert.is(epochSlot(ZERO).read(utf8('anything')), null)
})

it('epoch: 100 in a row, with joins, leaves and replaced keys, stand; no key that was taken out extends its log', () => {
  fc.assert(
    fc.property(fc.nat(1_000_000), (seed) => {
      const rng = Rng.from('epochs', seed)
      const membership = new Membership(FOUNDING)
      const records: Uint8Array[] = []
      const sizes = new Map<MemberId, number>()
      const left = new Map<MemberId, number>()
      let people = FOUNDERS
      for (let number = 1; number <= 100; number++) {
        const before = membership.current
        for (const { key } of people) sizes.set(key.member, (sizes.get(key.member) ?? 0) + rng.below(3))
        const heads = people.map((one) => pinOf(one, sizes.get(one.key.member) ?? 0, one.name))
        const next = changed(people, number, rng)
        const content = epochContent(before, rowsOf(next), heads)
        // all of the smaller need: a quorum of each, drawn at random
        const signers = enough(rng, people, enough(rng, next, []))
        const record = signed(content, before, signers)
        const few = signers.slice(0, Math.min(quorum(people.length), quorum(next.length)) - 1)
        assert.ok(refusal(() => openEpoch(signed(content, before, few), before)))
        const epoch = membership.add(record)
        if (records.length > 0)
          assert.ok(refusal(() => openEpoch(records[rng.below(records.length)] as Uint8Array, epoch)))
        records.push(record)
        for (const { key } of people)
          if (!next.some((one) => one.key.member === key.member)) left.set(key.member, sizes.get(key.member) ?? 0)
        for (const [key, size] of left) {
          assert.is(membership.roll.governing(key, size + 1), null)
          assert.is(membership.roll.pinned(key)?.size ?? 0, size)
        }
        people = next
      }
      assert.equal(new Membership(FOUNDING, records).current, membership.current)
      for (const [key, size] of sizes) {
        for (let at = 1; at <= size; at++) {
          const epoch = membership.epochs[membership.roll.governing(key, at)?.epoch ?? -1] as Epoch
          const pinAfter = membership.epochs[epoch.number + 1]?.pins.get(key)?.size ?? Infinity
          assert.ok((epoch.pins.get(key)?.size ?? 0) < at && at <= pinAfter, 'written while that epoch lasted')
        }
      }
    }),
    { numRuns: 2 },
  )
})

/** One joins, leaves or takes a new key; between 3 and 6 members. */
function changed(people: readonly Person[], number: number, rng: Rng): Person[] {
  const at = rng.below(people.length)
  const rest = people.filter((_, i) => i !== at)
  const kind = people.length <= 3 ? 0 : people.length >= 6 ? 1 : rng.below(3)
  if (kind === 0) return [...people, person(`Clinic ${number}`)]
  return kind === 1 ? rest : [...rest, person((people[at] as Person).name, `new key ${number}`)]
}

/** `chosen`, and as many more of `people` as make a quorum of them. */
function enough(rng: Rng, people: readonly Person[], chosen: readonly Person[]): Person[] {
  const keys = new Set(chosen.map(({ key }) => key.member))
  const missing = quorum(people.length) - people.filter(({ key }) => keys.has(key.member)).length
  const others = rng.shuffle(people.filter(({ key }) => !keys.has(key.member)))
  return [...chosen, ...others.slice(0, Math.max(0, missing))]
}

it('epoch: what a decision slot decides, with real keys and bytes, is a record that everybody opens', () => {
  const rules = epochSlot(ZERO)
  const everybody = [...FOUNDERS, EVE, FAY]
  const slots = everybody.map(({ key }) => new Slot(rules, key))
  const queue: Uint8Array[] = []
  const records: Uint8Array[] = []
  const take = (slot: Slot, actions: readonly SlotAction[]): void => {
    for (const action of actions) {
      if (action.type === 'broadcast') queue.push(encodeMessage(action.message, rules.number))
      if (action.type === 'decided') records.push(encodeEpoch(action.certificate))
      if (action.type === 'judge')
        take(slot, slot.step({ type: 'judged', value: action.value.digest, accepted: true }, T))
    }
  }
  for (const slot of slots) take(slot, slot.start(T))
  const value = rules.read(CONTENT) as Value
  for (const slot of slots.slice(0, 4)) take(slot, slot.step({ type: 'offer', value }, T))
  for (let bytes = queue.shift(); bytes !== undefined; bytes = queue.shift()) {
    const message: SlotMessage = openMessage(bytes, rules)
    assert.ok(message.type !== 'certificate')
    for (const slot of slots) take(slot, slot.step(openMessage(bytes, rules), T))
  }
  assert.is(records.length, everybody.length)
  for (const record of records) assert.equal(openEpoch(record, ZERO), FIRST)
})

it.run()

/** Observers in founding and epochs: lists without one keep their bytes, a role is given once, and nobody reads a list in two ways. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { fromHex } from '../../src/core/bytes.ts'
import { type Cbor, decodeCbor, encodeCbor } from '../../src/core/cbor.ts'
import { compareIds } from '../../src/core/ids.ts'
import { epochContent, epochZero, readEpoch, rollCall } from '../../src/ledger/epoch.ts'
import {
  decodeFounding,
  encodeFounding,
  type Founding,
  foundingDigest,
  type Member,
} from '../../src/ledger/founding.ts'
import { Roll } from '../../src/ledger/membership.ts'
import { refusal } from '../core/refusal.ts'
import { keyOf } from './fixtures.ts'

const it = suite('observers')
const named = (name: string, observer?: true): Member => ({
  name,
  key: keyOf(name).member,
  ...(observer ? { observer } : {}),
})
const sorted = (...members: readonly Member[]): Member[] => [...members].sort((a, b) => compareIds(a.key, b.key))
const [ADA, BEN, CLEO, EVE] = ['Ada', 'Ben', 'Cleo', 'Eve'].map((name) => named(name)) as [
  Member,
  Member,
  Member,
  Member,
]
const OFFICE = named('Data office', true)
const HOSPITALS: Founding = { name: 'Clinics', members: sorted(ADA, BEN, CLEO) }
const WATCHED: Founding = { name: 'Clinics', members: sorted(ADA, BEN, CLEO, OFFICE) }

it('a founding without observers has the bytes that it always had, and one with an observer comes back as it was', () => {
  const rows = HOSPITALS.members.map(({ name, key }) => [name, fromHex(key)])
  assert.equal(encodeFounding(HOSPITALS), encodeCbor([1, 'Clinics', rows]))
  assert.equal(decodeFounding(encodeFounding(WATCHED)), WATCHED)
  assert.is(
    foundingDigest(WATCHED),
    foundingDigest({ name: 'Clinics', members: decodeFounding(encodeFounding(WATCHED)).members }),
  )
  const asHospitals = { ...WATCHED, members: WATCHED.members.map(({ name, key }) => ({ name, key })) }
  assert.is.not(foundingDigest(WATCHED), foundingDigest(asHospitals), 'the role is part of what names a consortium')
})

it('each founding has one encoding, and two hospitals', () => {
  const [, , rows] = decodeCbor(encodeFounding(WATCHED)) as [number, string, Cbor[][]]
  const faults: readonly (readonly [string, Cbor])[] = [
    ['version 3', [3, 'Clinics', rows]],
    ['roles in version 1', [1, 'Clinics', rows]],
    ['no roles in version 2', [2, 'Clinics', rows.map((row) => row.slice(0, 2))]],
    ['no observer in version 2', [2, 'Clinics', rows.map(([name, key]) => [name as Cbor, key as Cbor, 0])]],
    ['a role of 2', [2, 'Clinics', rows.map(([name, key, role]) => [name as Cbor, key as Cbor, role === 1 ? 2 : 0])]],
    ['a role of true', [2, 'Clinics', rows.map(([name, key, role]) => [name as Cbor, key as Cbor, role === 1])]],
    ['one hospital', [2, 'Clinics', rows.filter(([name]) => name === 'Ada' || name === 'Data office')]],
  ]
  for (const [name, value] of faults)
    assert.is(
      refusal(() => decodeFounding(encodeCbor(value))),
      'founding-malformed',
      name,
    )
})

it('a key keeps its role, also when it comes back; a new key may have another', () => {
  const zero = epochZero(WATCHED)
  const code = (before: typeof zero, members: readonly Member[]) =>
    refusal(() => epochContent(before, sorted(...members), []))
  assert.is(code(zero, [ADA, BEN, CLEO, { name: OFFICE.name, key: OFFICE.key }]), 'epoch-members')
  assert.is(code(zero, [ADA, BEN, { ...CLEO, observer: true }, OFFICE]), 'epoch-members')
  assert.is(code(zero, [ADA, BEN, CLEO, { name: OFFICE.name, key: EVE.key }]), null)
  const without = readEpoch(epochContent(zero, HOSPITALS.members, []), zero)
  assert.equal([...without.observers], [OFFICE.key], 'who has left is remembered')
  assert.is(code(without, [ADA, BEN, CLEO, { name: OFFICE.name, key: OFFICE.key }]), 'epoch-members')
  assert.is(code(without, [ADA, BEN, CLEO, OFFICE]), null)
})

it('observers count in n and k as all members do', () => {
  assert.equal(
    [epochZero(HOSPITALS).k, epochZero(WATCHED).k],
    [3, 3],
    'three hospitals and an observer: one may be off',
  )
  const call = rollCall(epochZero(WATCHED))
  const roll = new Roll([call])
  assert.equal(call.observers, [OFFICE.key])
  assert.not.ok('observers' in rollCall(epochZero(HOSPITALS)), 'a recorded run of before replays as it was')
  assert.equal([roll.isMember(OFFICE.key), roll.isObserver(OFFICE.key), roll.isObserver(ADA.key)], [true, true, false])
  const after = readEpoch(epochContent(epochZero(WATCHED), HOSPITALS.members, []), epochZero(WATCHED))
  roll.begin(rollCall(after))
  assert.equal([roll.isMember(OFFICE.key), roll.isObserver(OFFICE.key)], [false, true])
})

it.run()

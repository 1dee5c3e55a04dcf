/** What a node proposes as the next epoch, and what it votes for: a table of faults. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { fromHex, utf8 } from '../../src/core/bytes.ts'
import { sha256 } from '../../src/core/digest.ts'
import type { Digest, MemberId } from '../../src/core/ids.ts'
import { EpochValues } from '../../src/daemon/epochValues.ts'
import { type ChangeState, changeOf } from '../../src/governance/changes.ts'
import { Membership, readEpoch } from '../../src/ledger/epoch.ts'
import type { Pin } from '../../src/ledger/membership.ts'
import type { Witnessed } from '../../src/ledger/store.ts'
import type { TreeReader } from '../../src/store/treeReader.ts'
import {
  ADA,
  BEN,
  CLEO,
  DAN,
  EVE,
  epochOf,
  FAY,
  FOUNDING,
  FOUR,
  membersOf,
  type Person,
  pinOf,
  recordOf,
} from './epochKit.ts'

const it = suite('epoch values')
const keyOf = ({ key }: Person): MemberId => key.member
const keys = (people: readonly Person[]): MemberId[] => membersOf(people).map(({ key }) => key)

/** What a node holds of one log. */
interface Held {
  readonly size: number
  readonly final?: number
  readonly cosigned?: number
  readonly forked?: boolean
  /** Of which history it is. */
  readonly label?: string
}

/** A change as its members speak of it. */
function said(add: readonly Person[], remove: readonly Person[], by: readonly Person[], epoch = 1): ChangeState {
  const change = changeOf(epoch, membersOf(add), remove.map(keyOf))
  return { change, proposedBy: keys(by), approvedBy: keys(by), rejectedBy: [], approved: by.length >= 3 }
}

/** A node that holds these logs. */
function valuesOf(
  held: ReadonlyMap<Person, Held>,
  changes: readonly ChangeState[],
  { self = ADA, membership = new Membership(FOUNDING) } = {},
): EpochValues {
  const find = (author: MemberId): { person: Person; log: Held } => {
    const [person, log] = [...held].find(([one]) => keyOf(one) === author) ?? []
    return { person: person ?? DAN, log: log ?? { size: 0 } }
  }
  const headOf = (author: MemberId, size: number | undefined): Pin | null => {
    const { person, log } = find(author)
    return size === undefined ? null : pinOf(person, size, log.label)
  }
  return new EpochValues({
    self: keyOf(self),
    membership,
    logs: {
      sizeOf: (author) => headOf(author, find(author).log.size) as Pin,
      isForked: (author) => find(author).log.forked === true,
      tree: (author) =>
        ({ root: async (size: number) => sha256(utf8(`${find(author).log.label ?? 'main'} ${size}`)) }) as TreeReader,
    },
    witness: {
      cosigned: async (author): Promise<Witnessed | undefined> => {
        const { log, person } = find(author)
        if (log.cosigned === undefined) return undefined
        return { size: log.cosigned, root: fromHex(pinOf(person, log.cosigned).root) }
      },
    },
    changes: () => changes,
    final: (author) => headOf(author, find(author).log.final),
  })
}

const STAY = new Map<Person, Held>([
  [ADA, { size: 50, final: 40 }],
  [BEN, { size: 9, final: 9 }],
  [CLEO, { size: 31, final: 31 }],
  [DAN, { size: 60, final: 52, cosigned: 55 }],
])
const but = (person: Person, held: Held): Map<Person, Held> => new Map(STAY).set(person, held)
const JOIN = said([EVE], [], [ADA, BEN, CLEO])
const LEAVE = said([], [DAN], [ADA, BEN, CLEO])
const BEFORE = new Membership(FOUNDING).current
const FIVE = [...FOUR, EVE]
const THREE = [ADA, BEN, CLEO]

const pinsOf = (content: Uint8Array, before = BEFORE): Record<string, number> => {
  const { pins } = readEpoch(content, before)
  return Object.fromEntries(
    [ADA, BEN, CLEO, DAN, EVE].flatMap((one) =>
      pins.has(keyOf(one)) ? [[one.name, pins.get(keyOf(one))?.size ?? -1]] : [],
    ),
  )
}

it('every log is pinned as far as it is stored, a forked one as far as it is final; nothing is offered while something final is on its way', () => {
  const all = { Ada: 50, Ben: 9, Cleo: 31, Dan: 60 }
  const offered = (held: ReadonlyMap<Person, Held>, change: ChangeState) => {
    const value = valuesOf(held, [change]).offer(BEFORE)
    return value === null ? null : pinsOf(value.content)
  }
  assert.equal(offered(STAY, JOIN), all)
  assert.equal(offered(STAY, LEAVE), all)
  const forked = but(DAN, { size: 60, final: 52, forked: true })
  assert.equal(offered(forked, LEAVE), { ...all, Dan: 52 }, 'of two histories only what is final')
  assert.is(offered(but(CLEO, { size: 30, final: 31 }), JOIN), null)
  assert.equal(offered(new Map(), JOIN), { Ada: 0, Ben: 0, Cleo: 0, Dan: 0 })
})

it('pins never go back, and those of former members stay where they are', async () => {
  const membership = new Membership(FOUNDING, [recordOf(BEFORE, THREE, [pinOf(ADA, 45), pinOf(DAN, 58)])])
  const change = said([EVE], [], [ADA, BEN, CLEO], 2)
  const value = valuesOf(STAY, [change], { membership }).offer(membership.current)
  assert.equal(pinsOf(value?.content as Uint8Array, membership.current), { Ada: 50, Ben: 9, Cleo: 31, Dan: 58 })
})

it('a change that can be no epoch is passed over, as is one that too few, or not this node’s people, approve', async () => {
  const twin = { name: 'Ben', key: FAY.key }
  const clash = said([twin], [], [ADA, BEN, CLEO, DAN])
  const nobody = said([], [BEN, CLEO, DAN], [ADA, BEN, CLEO, DAN])
  const foreign = said([FAY], [], [BEN, CLEO, DAN])
  const few = said([FAY], [], [ADA, BEN])
  const offered = async (...changes: readonly ChangeState[]) => {
    const value = valuesOf(STAY, changes).offer(BEFORE)
    return value === null
      ? null
      : readEpoch(value.content, BEFORE)
          .members.map(({ name }) => name)
          .sort()
  }
  assert.equal(await offered(clash, nobody, foreign, few, LEAVE, JOIN), ['Ada', 'Ben', 'Cleo'])
  assert.is(await offered(clash, nobody, foreign, few), null)
  assert.is(await offered(), null)
})

/** What no pin may be below. */
const FLOOR = [pinOf(ADA, 40), pinOf(BEN, 9), pinOf(CLEO, 31), pinOf(DAN, 55)]

/** `pins` in place of those of the floor. */
const JUDGED: readonly {
  readonly name: string
  readonly held?: ReadonlyMap<Person, Held>
  readonly changes?: readonly ChangeState[]
  readonly people?: readonly Person[]
  readonly pins?: readonly Pin[]
  readonly self?: Person
  readonly is: boolean | null
}[] = [
  { name: 'what it would propose itself', pins: [pinOf(ADA, 50), pinOf(DAN, 60)], is: true },
  { name: 'pins at what is final, or was cosigned', is: true },
  { name: 'a pin below what is final', pins: [pinOf(ADA, 39)], is: false },
  { name: 'a pin below what was cosigned', pins: [pinOf(DAN, 54)], is: false },
  { name: 'a pin beyond what is final here, of the same history', pins: [pinOf(ADA, 45)], is: true },
  { name: 'other members than were approved', people: [...FOUR, FAY], is: false },
  { name: 'the members as they are', people: FOUR, is: false },
  { name: 'another name', people: [...FOUR, { name: 'Eva', key: EVE.key }], is: false },
  { name: 'a change that too few approve', changes: [said([EVE], [], [ADA, BEN])], is: false },
  { name: 'a change that this node’s people did not approve', changes: [said([EVE], [], [BEN, CLEO, DAN])], is: false },
  { name: 'a change that nobody has proposed', changes: [], is: false },
  { name: 'a pin with another root', pins: [pinOf(BEN, 9, 'other')], is: false },
  { name: 'a pin of entries that are not here yet', pins: [pinOf(BEN, 12)], is: null },
  {
    name: 'a pin of entries of a forked log that are not here',
    held: but(BEN, { size: 9, final: 9, forked: true }),
    pins: [pinOf(BEN, 12)],
    is: false,
  },
  {
    name: 'a member that leaves, with all of its log',
    changes: [LEAVE],
    people: THREE,
    pins: [pinOf(DAN, 60)],
    is: true,
  },
  { name: 'the same with all that was cosigned', changes: [LEAVE], people: THREE, pins: [pinOf(DAN, 55)], is: true },
  { name: 'the same with less than was cosigned', changes: [LEAVE], people: THREE, pins: [pinOf(DAN, 54)], is: false },
  {
    name: 'the same without its log',
    changes: [LEAVE],
    people: THREE,
    pins: [{ ...pinOf(DAN, 1), size: 0, root: '0'.repeat(64) as Digest }],
    is: false,
  },
  {
    name: 'the same with less than is final',
    held: but(DAN, { size: 60, final: 56, cosigned: 20 }),
    changes: [LEAVE],
    people: THREE,
    pins: [pinOf(DAN, 55)],
    is: false,
  },
  { name: 'the same with more than is here', changes: [LEAVE], people: THREE, pins: [pinOf(DAN, 61)], is: null },
  {
    name: 'a forked log that ends where it was final, though more was cosigned',
    held: but(DAN, { size: 60, final: 52, cosigned: 55, forked: true }),
    changes: [LEAVE],
    people: THREE,
    pins: [pinOf(DAN, 52)],
    is: true,
  },
  {
    name: 'a forked log that ends before it was final',
    held: but(DAN, { size: 60, final: 52, forked: true }),
    changes: [LEAVE],
    people: THREE,
    pins: [pinOf(DAN, 51)],
    is: false,
  },
  {
    name: 'what lets a newcomer in, by its own judgement',
    changes: [said([EVE], [], [BEN, CLEO, DAN])],
    self: EVE,
    is: true,
  },
  { name: 'what too few want, by the newcomer’s', changes: [said([EVE], [], [BEN, CLEO])], self: EVE, is: false },
  {
    name: 'what lets another in, by the newcomer’s judgement',
    changes: [said([FAY], [], [BEN, CLEO, DAN])],
    people: [...FOUR, FAY],
    self: EVE,
    is: false,
  },
]

for (const { name, held = STAY, changes = [JOIN], people = FIVE, pins = [], self = ADA, is } of JUDGED)
  it(`judged ${is}: ${name}`, async () => {
    const values = valuesOf(held, changes, { self })
    const floor = FLOOR.filter(({ author }) => !pins.some((pin) => pin.author === author))
    assert.is(await values.judge(epochOf(BEFORE, people, [...floor, ...pins]), BEFORE), is)
  })

it('a pin that stands where it stood needs no entries here: a newcomer has none of the oldest logs yet', async () => {
  const membership = new Membership(FOUNDING, [recordOf(BEFORE, THREE, [pinOf(ADA, 45), pinOf(DAN, 58)])])
  const values = valuesOf(new Map(), [said([EVE], [], [ADA, BEN, CLEO], 2)], { self: EVE, membership })
  const before = membership.current
  assert.is(await values.judge(epochOf(before, [...THREE, EVE]), before), true)
  assert.is(await values.judge(epochOf(before, [...THREE, EVE], [pinOf(ADA, 46)]), before), null)
})

it.run()

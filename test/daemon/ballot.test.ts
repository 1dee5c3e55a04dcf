/** Ballots of several nodes in one process: what they decide, and what is on disk before anything is said. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ConsiliumError } from '../../src/core/errors.ts'
import type { MemberId } from '../../src/core/ids.ts'
import { Ballot } from '../../src/daemon/ballot.ts'
import { epochNumberOf, epochSlot, Membership } from '../../src/ledger/epoch.ts'
import { decodeMessage, encodeMessage, proposerOf, type SlotMessage, type Value } from '../../src/ledger/slotMessage.ts'
import { decodeSlotState, type SlotState } from '../../src/ledger/slotState.ts'
import { signVote, type Vote } from '../../src/ledger/vote.ts'
import { MemoryStore } from '../../src/store/memoryStore.ts'
import { ADA, BEN, CLEO, Clock, DAN, EVE, epochOf, FOUNDING, FOUR, type Person, pinOf, settled } from './epochKit.ts'

const it = suite('ballot')
const clock = new Clock()
it.before.each(() => clock.install())
it.after.each(() => {
  for (const { ballot } of world) ballot.close()
  world.length = 0
  clock.remove()
  assert.is(clock.pending, 0, 'no timer is left')
})

const FIVE = [...FOUR, EVE]
const before = () => new Membership(FOUNDING).current
const PINS = [pinOf(ADA, 40), pinOf(BEN, 7)]
const VALUE = epochOf(before(), FIVE, PINS)
const RULES = epochSlot(before())
const STATE = 'slot/1'

/** Every node that a test has started. */
const world: Node[] = []

/** One node's ballot, with what it said and what was durable when it said it. */
class Node {
  readonly person: Person
  readonly store: MemoryStore
  readonly membership = new Membership(FOUNDING)
  readonly said: SlotMessage[] = []
  readonly failures: unknown[] = []
  readonly told: string[] = []
  readonly begun: number[] = []
  readonly ballot: Ballot
  /** What it proposes, and what it thinks of what others do. */
  offers: () => Value | null = () => VALUE
  judges: (value: Value) => Promise<boolean | null> = async () => true
  /** Called before each write. */
  writes: () => Promise<void> = async () => undefined
  /** Of the slot that it votes in. */
  rules = RULES
  deaf = false
  mute = false

  constructor(person: Person, store = new MemoryStore()) {
    this.person = person
    this.store = store
    this.ballot = new Ballot({
      key: person.key,
      membership: this.membership,
      store: {
        getState: (key) => store.getState(key),
        putState: async (state) => {
          await this.writes()
          await store.putState(state)
        },
      },
      values: { offer: () => this.offers(), judge: async (value) => this.judges(value) },
      publish: (message) => this.#publish(message),
      onDecided: async (record) => {
        if (epochNumberOf(record) <= this.membership.current.number) return
        this.begun.push(this.membership.add(record).number)
        await this.ballot.begun()
      },
      onFailed: (error) => this.failures.push(error),
      log: (_, event) => void this.told.push(event),
    })
    world.push(this)
  }

  get member(): MemberId {
    return this.person.key.member
  }

  async votes(): Promise<void> {
    assert.ok(await this.ballot.open(1, false))
    await this.ballot.vote(1)
  }

  async state(): Promise<SlotState | null> {
    const bytes = await this.store.getState(STATE)
    return bytes === undefined ? null : decodeSlotState(bytes, RULES)
  }

  /** Its own statements, as `phase round value`. */
  get statements(): string[] {
    const votes = this.said.flatMap((message) =>
      message.type === 'vote' ? message.vote : message.type === 'proposal' ? message.proposal.vote : [],
    )
    return [...new Set(votes.map(statementOf))]
  }

  #publish(message: Uint8Array): void {
    this.said.push(decodeMessage(message, this.rules))
    if (this.mute) return
    for (const other of world)
      if (other !== this && !other.deaf)
        void other.ballot.hear(message, this.member).catch((e) => other.failures.push(e))
  }
}

function statementOf({ phase, round, value }: Vote): string {
  return `${phase} ${round} ${value?.slice(0, 8) ?? 'none'}`
}

/** Lets everything happen until all of `nodes` are in epoch 1. */
async function decided(nodes: readonly Node[]): Promise<void> {
  for (let i = 0; i < 400; i++) {
    await settled()
    if (nodes.every(({ begun }) => begun.length > 0)) return
    assert.ok(clock.next(), 'somebody waits for something')
  }
  assert.unreachable('it is decided')
}

const startedBy = async (people: readonly Person[]): Promise<Node[]> => {
  const nodes = people.map((person) => new Node(person))
  for (const node of nodes) await node.votes()
  return nodes
}

/** No voter says two things in one phase of one round. */
function checkStatements(nodes: readonly Node[]): void {
  const said = new Map<string, string>()
  for (const { member, statements } of nodes)
    for (const statement of statements) {
      const [phase, round, value] = statement.split(' ')
      const at = `${member} ${phase} ${round}`
      assert.is(said.get(at) ?? value, value, at)
      said.set(at, value as string)
    }
}

it('four members and the hospital that joins them decide one epoch, once each; one that did not vote hears of it', async () => {
  const silent = new Node(DAN)
  const nodes = await startedBy([ADA, BEN, CLEO, EVE])
  await decided([...nodes, silent])
  for (const { begun, membership, failures } of [...nodes, silent])
    assert.equal([begun, membership.current.digest, failures], [[1], VALUE.digest, []])
  assert.equal(silent.statements, [])
  checkStatements(nodes)
  assert.is(await (nodes[0] as Node).ballot.open(1, false), false, 'that slot is over')
  assert.is(clock.pending, 0, 'and nobody waits for anything')
})

it('nothing is cosigned while a round begins; what was accepted is looked at again before anything is', async () => {
  const proposer = FIVE.find(({ key }) => key.member === proposerOf(RULES, 0)) as Person
  const other = FOUR.find((person) => person !== proposer) as Person
  const [one, two] = [new Node(proposer), new Node(other)]
  const judged: boolean[] = []
  two.judges = async () => judged.push(two.ballot.holds) > 0
  assert.not.ok(one.ballot.holds)
  for (const node of [one, two]) await node.votes()
  for (let i = 0; i < 60 && judged.length === 0; i++) {
    await settled()
    clock.next()
  }
  assert.equal(judged, [true], 'it holds before it looks at what it has cosigned')
  const released = async () => {
    for (let i = 0; i < 60 && (one.ballot.holds || two.ballot.holds); i++) {
      await settled()
      clock.next()
    }
    await settled()
    return !one.ballot.holds && !two.ballot.holds
  }
  assert.ok(await released(), 'two of four: nothing is prepared, and finality goes on')
  assert.not.ok(
    [one, two].some(({ statements }) =>
      statements.some((said) => said.startsWith('commit 0 ') && !said.endsWith('none')),
    ),
  )
  for (const person of FIVE.filter((person) => person !== proposer && person !== other)) await new Node(person).votes()
  await decided(world)
  assert.ok(judged.length > 1, 'the same value was judged again')
  assert.ok(
    judged.every((held) => held),
    'never without holding',
  )
  for (const { ballot } of world) assert.not.ok(ballot.holds, 'the slot is over')
})

it('an answer that comes when this node has let go is asked for again: it may have cosigned meanwhile', async () => {
  const proposer = FIVE.find(({ key }) => key.member === proposerOf(RULES, 0)) as Person
  const one = new Node(proposer)
  const slow = new Node(FOUR.find((person) => person !== proposer) as Person)
  const answers: ((accepted: boolean) => void)[] = []
  slow.offers = () => null
  slow.judges = () => new Promise((resolve) => answers.push(resolve))
  for (const node of [one, slow]) await node.votes()
  for (let i = 0; i < 60 && (answers.length === 0 || slow.ballot.holds); i++) {
    await settled()
    clock.next()
  }
  await settled()
  assert.equal([answers.length, slow.ballot.holds], [1, false])
  const said = slow.said.length
  answers[0]?.(true)
  await settled()
  const late = slow.said.slice(said).filter((message) => message.type === 'vote' && message.vote.value !== null)
  assert.equal(late, [], 'what was so before is no reason to vote')
  assert.is(answers.length, 2, 'it looks again')
  assert.ok(slow.ballot.holds, 'holding')
})

it('it lets go in time though a timer fires early or the clock steps back, and holds again after that', async () => {
  const node = new Node(ADA)
  assert.ok(await node.ballot.open(1, false))
  assert.ok(node.ballot.holds)
  Date.now = () => clock.now - 3_600_000
  assert.ok(clock.next())
  await settled()
  assert.not.ok(node.ballot.holds)
  assert.ok(await node.ballot.open(1, true))
  assert.ok(node.ballot.holds)
})

it('nothing is said before the state that it follows from is durable', async () => {
  const nodes = FIVE.map((person) => new Node(person))
  for (const node of nodes) assert.ok(await node.ballot.open(1, false))
  const held: (() => void)[] = []
  for (const node of nodes) node.writes = () => new Promise((resolve) => held.push(resolve))
  let checked = 0
  const check = async (node: Node): Promise<void> => {
    const state = await node.state()
    if (state === null || state.decided !== null) return // its slot is over
    const durable = [state.proposal?.vote, state.prepare, state.commit].map((kept) => kept && statementOf(kept))
    for (const statement of node.statements) {
      if (Number(statement.split(' ')[1]) < state.round) continue
      assert.ok(durable.includes(statement), statement)
      checked++
    }
  }
  const voting = nodes.map((node) => node.ballot.vote(1))
  for (let i = 0; i < 400 && nodes.some(({ begun }) => begun.length === 0); i++) {
    await settled(5)
    for (const node of nodes) await check(node)
    if (held.length > 0) held.shift()?.()
    else clock.next()
  }
  for (const node of nodes) {
    assert.equal(node.begun, [1])
    node.writes = async () => undefined
  }
  for (const release of held) release()
  await Promise.all(voting)
  assert.ok(checked > 0)
})

it('a store that takes no write ends it: the node is told once, and says nothing of what was not kept, then or later', async () => {
  const nodes = FIVE.map((person) => new Node(person))
  const broken = nodes.find(({ member }) => member === proposerOf(RULES, 0)) as Node
  for (const node of nodes) assert.ok(await node.ballot.open(1, false))
  broken.writes = async () => {
    throw new ConsiliumError({ code: 'disk-full', message: 'the disk is full' })
  }
  for (const node of nodes) await node.ballot.vote(1)
  await decided(nodes.filter((node) => node !== broken)) // the others go on without it
  assert.equal(
    broken.failures.map((error) => (error as ConsiliumError).code),
    ['disk-full'],
  )
  assert.equal(broken.said, [])
})

it('a node that ends in the midst of a vote goes on from its state, and says no second thing in one phase', async () => {
  const rest = [ADA, BEN, CLEO].map((person) => new Node(person))
  for (const node of rest) node.deaf = true
  const first = new Node(DAN)
  first.mute = true
  const proposer = FOUR.find(({ key }) => key.member === proposerOf(RULES, 0)) as Person
  await first.votes()
  const vote = signVote(proposer.key, RULES.founding, {
    ...{ slot: 1, phase: 'propose', round: 0, value: VALUE.digest, validRound: null },
  })
  const proposal = encodeMessage({ type: 'proposal', proposal: { vote, value: VALUE, certificate: null } }, 1)
  if (proposer !== DAN) await first.ballot.hear(proposal, proposer.key.member)
  await settled()
  assert.ok(
    first.statements.some((said) => said.startsWith(`prepare 0 ${VALUE.digest.slice(0, 8)}`)),
    `${first.statements}`,
  )
  first.ballot.close()
  world.splice(world.indexOf(first), 1)
  const again = new Node(DAN, first.store.reopen())
  again.judges = async () => false // its people have changed their minds: what it said stays said
  again.offers = () => null
  assert.ok(await again.ballot.open(1, true))
  for (const node of rest) node.deaf = false
  const eve = new Node(EVE)
  for (const node of [...rest, eve]) await node.votes()
  await again.ballot.vote(1)
  await decided([...rest, eve, again])
  checkStatements([first, again])
  assert.ok(again.statements.includes(`prepare 0 ${VALUE.digest.slice(0, 8)}`), 'it says again what it said')
})

it('a node whose own log says that it voted, and whose state is lost or of no use, does not vote again', async () => {
  const lost = new Node(ADA)
  assert.is(await lost.ballot.open(1, true), false)
  assert.is(await lost.store.getState(STATE), undefined, 'and a restart finds it so, too')
  const torn = new Node(BEN)
  await torn.store.putState(new Map([[STATE, Uint8Array.of(0x80)]]))
  for (const again of [false, true]) assert.is(await torn.ballot.open(1, again), false)
  assert.equal([lost.told, torn.told], [['slot-abstained'], ['slot-abstained', 'slot-abstained']])
  const fresh = new Node(CLEO)
  for (const again of [false, true])
    assert.is(await fresh.ballot.open(1, again), true, 'what it has opened it may go on with')
  for (const other of [0, 2]) assert.is(await fresh.ballot.open(other, false), false, `slot ${other}`)
})

const codeOf = async (work: Promise<unknown>): Promise<unknown> =>
  work.catch((error: ConsiliumError) => [error.code, error.blame])

it('messages of another slot are ignored, one that is signed by another than its author is blamed, and no other is carried on', async () => {
  const node = new Node(ADA)
  const vote = (key = BEN.key, slot = 1): Vote =>
    signVote(key, RULES.founding, { slot, phase: 'prepare', round: 0, value: VALUE.digest, validRound: null })
  const send = (vote: Vote, author = BEN): Promise<unknown> =>
    codeOf(node.ballot.hear(encodeMessage({ type: 'vote', vote }, vote.slot), author.key.member))
  for (const voting of [false, true]) {
    if (voting) await node.votes()
    assert.equal([await send(vote(BEN.key, 2)), await send(vote(BEN.key, 0))], ['ignore', 'ignore'])
    assert.equal(await send(vote(), CLEO), ['vote-author', 'reject'])
    assert.equal(await send({ ...vote(), voter: CLEO.key.member }, CLEO), ['slot-signature', 'reject'])
    assert.is(await send(vote()), 'accept')
    assert.equal(await codeOf(node.ballot.hear(Uint8Array.of(0x80), BEN.key.member)), ['slot-malformed', 'reject'])
  }
  assert.equal(node.failures, [])
})

it('a value of which entries are on their way is judged again, and decided when they are here', async () => {
  const nodes = await startedBy([ADA, BEN])
  const late = new Node(CLEO)
  late.offers = () => null
  let asked = 0
  late.judges = async () => (++asked < 4 ? null : true)
  const eve = new Node(EVE)
  for (const node of [late, eve]) await node.votes()
  await decided([...nodes, late, eve]) // three of the four founders: without CLEO none is decided
  assert.ok(asked >= 4, `${asked}`)
})

it('an epoch that begins while a value is judged or composed ends the slot, whatever is answered then', async () => {
  const nodes = FIVE.map((person) => new Node(person))
  const slow = nodes.find(({ member }) => member !== proposerOf(RULES, 0)) as Node
  const answers: ((answer: boolean | null) => void)[] = []
  slow.judges = () => new Promise((resolve) => answers.push(resolve))
  slow.offers = () => null
  await slow.votes()
  for (const node of nodes) if (node !== slow) await node.votes()
  await decided(nodes)
  const said = slow.said.length
  assert.is(answers.length, 1)
  for (const answer of answers) answer(null)
  await settled()
  assert.equal([slow.begun, slow.failures, slow.said.length], [[1], [], said])
  assert.is(clock.pending, 0)
})

it('close ends everything at once: a write under way is the last, and nothing is said or set after it', async () => {
  const node = new Node(ADA)
  assert.ok(await node.ballot.open(1, false))
  const writing: (() => void)[] = []
  node.writes = () => new Promise((resolve) => writing.push(resolve))
  const voting = node.ballot.vote(1)
  for (await settled(); writing.length === 0; await settled()) assert.ok(clock.next()) // its own proposal, or that there was none
  node.ballot.close()
  writing[0]?.()
  await voting
  await settled()
  assert.equal([node.said, clock.pending, node.failures], [[], 0, []])
  const vote = signVote(BEN.key, RULES.founding, {
    ...{ slot: 1, phase: 'prepare', round: 0, value: null, validRound: null },
  })
  await node.ballot.vote(1)
  await node.ballot.hear(encodeMessage({ type: 'vote', vote }, 1), BEN.key.member)
  assert.equal([node.said, clock.pending, writing.length], [[], 0, 1])
})

it('close while the state is being read starts nothing', async () => {
  const node = new Node(ADA)
  assert.ok(await node.ballot.open(1, false))
  const voting = node.ballot.vote(1)
  node.ballot.close()
  await voting
  await settled()
  assert.equal([node.said, clock.pending, node.failures], [[], 0, []])
})

it.run()

/** A node as a witness: what it signs over races and failing disks, what it believes of others, and what it keeps and serves as final. */
import '../../src/polyfill.ts'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { toHex, utf8 } from '../../src/core/bytes.ts'
import { sha256 } from '../../src/core/digest.ts'
import type { SigningKey } from '../../src/core/ed25519.ts'
import { ConsiliumError } from '../../src/core/errors.ts'
import type { Digest, MemberId } from '../../src/core/ids.ts'
import { DoubleCosigners } from '../../src/daemon/doubleCosigners.ts'
import { Logs } from '../../src/daemon/logs.ts'
import { Tasks } from '../../src/daemon/tasks.ts'
import { Witness } from '../../src/daemon/witness.ts'
import { formatCosigned, parseCosigned, signCosignature, verifyCosignature } from '../../src/ledger/cosignature.ts'
import type { DoubleCosignature } from '../../src/ledger/doubleCosignature.ts'
import { rootOf, signHead, type VerifiedHead } from '../../src/ledger/head.ts'
import { rollOf } from '../../src/ledger/membership.ts'
import type { Witnessed } from '../../src/ledger/store.ts'
import { decodeWitnessMessage, encodeFinal, encodeFinalsRequest, type Statement } from '../../src/ledger/witnessWire.ts'
import type { RequestHandler, Transport } from '../../src/net/transport.ts'
import type { LogSize } from '../../src/node/events.ts'
import { MemoryStore } from '../../src/store/memoryStore.ts'
import type { WriteHooks, WriteOperation } from '../../src/store/writes.ts'
import { batchOf, type Commit, FOUNDING, keyOf, logOf } from '../ledger/fixtures.ts'

const it = suite('witness')

const KEYS = ['ada', 'ben', 'cleo', 'dan', 'eve'].map(keyOf) as [SigningKey, ...SigningKey[]]
const [ADA, BEN, CLEO, DAN, EVE] = KEYS as [SigningKey, SigningKey, SigningKey, SigningKey, SigningKey]
const MEMBERS = KEYS.map(({ member }) => member)
const ROOM = { require: async () => undefined }
const ONES = Array.from({ length: 40 }, () => 1)
const MAIN = logOf(ADA, ONES)
const OTHER = logOf(ADA, ONES, 'other')
const TIME_S = 1_790_000_000
const never = new AbortController().signal

const sizeOf = ({ head }: Commit): LogSize => ({ author: head.author, size: head.size, root: rootOf(head) })
const at = (commits: readonly Commit[], size: number): Commit => commits[size - 1] as Commit

/** A witness over a store, with what it publishes and serves; `answers` is what a peer gives. */
async function witnessOver(store: MemoryStore, answers: readonly Uint8Array[] = [], key = BEN) {
  const handlers = new Map<string, RequestHandler>()
  const asked: Uint8Array[] = []
  const transport = {
    handle: async (protocol: string, handler: RequestHandler) => void handlers.set(protocol, handler),
    async *request(_peer: MemberId, _protocol: string, request: Uint8Array) {
      asked.push(request)
      yield* answers
    },
  } as unknown as Transport
  const logs = new Logs({ self: key.member, founding: FOUNDING, roll: rollOf(MEMBERS), store, transport, room: ROOM })
  await logs.load()
  const [feed, log] = [() => undefined, () => undefined]
  const failures: unknown[] = []
  const tasks = new Tasks((_, error) => failures.push(error))
  const published: Uint8Array[] = []
  const publish = (message: Uint8Array) => void published.push(message)
  const roll = rollOf(MEMBERS)
  const cosigners = new DoubleCosigners({ founding: FOUNDING, roll, store, feed, publish, log })
  await cosigners.load()
  const watching = { tasks, cosigners, log, isVoting: () => false }
  const witness = new Witness({ key, founding: FOUNDING, roll, store, transport, logs, ...watching })
  await witness.load()
  /** The evidence that was kept, when all work is done. */
  const proven = async (): Promise<DoubleCosignature[]> => {
    await tasks.drained()
    await tasks.drained() // what was found is kept by work of its own
    assert.equal(failures, [])
    return [...cosigners.known.values()]
  }
  const serve = async (held: readonly { author: MemberId; size: number }[]): Promise<Uint8Array[]> => {
    const frames: Uint8Array[] = []
    const handler = handlers.get('/consilium/finals/1') as RequestHandler
    for await (const frame of handler(CLEO.member, encodeFinalsRequest(held), never)) frames.push(frame)
    return frames
  }
  return { witness, logs, store, asked, serve, proven, published }
}

/** A store with the first `size` entries of a branch, a commit each. */
async function storeWith(size: number, branch = MAIN): Promise<MemoryStore> {
  const store = new MemoryStore()
  for (const commit of branch.slice(0, size)) await store.append(batchOf(commit))
  return store
}

/** What a witness says of `logs`, as it travels. */
function toldBy(witness: Witness, logs: readonly LogSize[], key = BEN): Statement[] {
  const statements: Statement[] = []
  witness.tell(logs, (message) => {
    const read = decodeWitnessMessage(message, key.member)
    if (read.type === 'statements') statements.push(...read.statements)
  })
  return statements
}

function statementOf(key: SigningKey, { head }: { head: VerifiedHead }, timeS = TIME_S): Statement {
  const { author, size, root, text } = head
  return { author, size, root, cosignature: signCosignature(key, text, timeS) }
}

/** Asserts that what was signed, in the order in which it was stored, is one growing history. */
function checkHistory(signed: readonly Witnessed[]): void {
  const roots = new Map<number, string>()
  for (const [i, { size, root }] of signed.entries()) {
    assert.ok(size >= (signed[i - 1]?.size ?? 0), 'a size never goes back')
    assert.is(roots.get(size) ?? toHex(root), toHex(root), `two roots for size ${size}`)
    roots.set(size, toHex(root))
  }
}

it('of 1,000 requests at once, old sizes and another branch among them, what is signed is one growing history', async () => {
  const signed: Witnessed[] = []
  const store = await storeWith(30)
  const put = store.putWitnessed.bind(store)
  store.putWitnessed = async (author, witnessed) => {
    await put(author, witnessed)
    signed.push(witnessed)
  }
  const { witness } = await witnessOver(store)
  const requests = Array.from({ length: 1_000 }, (_, i) => {
    const branch = i % 5 === 3 ? OTHER : MAIN
    return sizeOf(at(branch, 1 + ((i * 7 + Math.floor(i / 50)) % 35)))
  })
  const answers = await Promise.all(requests.map((log) => witness.cosign(log)))
  const done = requests.filter((_, i) => answers[i] === null)
  assert.equal(
    signed.map(({ size, root }) => [size, toHex(root)]),
    done.map(({ size, root }) => [size, root]),
  )
  checkHistory(signed)
  assert.equal([...new Set(answers)].map(String).sort(), ['conflict', 'not-stored', 'null', 'older'])
  assert.is(done.at(-1)?.size, 30)
})

it('a frozen log is not cosigned, by whichever way its evidence came', async () => {
  const { witness, logs } = await witnessOver(await storeWith(4))
  assert.is(await witness.cosign(sizeOf(at(MAIN, 3))), null)
  logs.markForked(ADA.member)
  assert.is(await witness.cosign(sizeOf(at(MAIN, 4))), 'frozen')
})

/** Breaks the first write of one kind: before it is done, or when it is done. */
function failing(operation: WriteOperation, side: 'before' | 'after'): WriteHooks {
  let broken = false
  return {
    [side]: (done: WriteOperation) => {
      if (done !== operation || broken) return
      broken = true
      throw new ConsiliumError({ code: 'ledger-io', message: `the disk failed ${side} ${operation}` })
    },
  }
}

const codeOf = async (work: Promise<unknown>): Promise<string | null> =>
  work.then(
    () => null,
    (error: unknown) => (error instanceof ConsiliumError ? error.code : String(error)),
  )

for (const side of ['before', 'after'] as const)
  it(`a disk that fails ${side} what was cosigned is written: no signature, and none for another root after a restart`, async () => {
    const contents = await storeWith(6)
    const first = await witnessOver(contents.reopen(failing('putWitnessed', side)))
    const log = sizeOf(at(MAIN, 6))
    assert.is(await codeOf(first.witness.cosign(log)), 'ledger-io')
    assert.equal(toldBy(first.witness, [log]), [], 'nothing was signed')
    assert.is(await codeOf(first.witness.cosign(log)), 'store-failed', 'nothing more is signed before a restart')
    const again = await witnessOver(contents.reopen())
    assert.is((await again.store.witnessed(ADA.member))?.size, side === 'after' ? 6 : undefined)
    assert.is(await again.witness.cosign(sizeOf(at(OTHER, 6))), 'conflict')
    assert.is(await again.witness.cosign(sizeOf(at(MAIN, 5))), side === 'after' ? 'older' : null)
    assert.is(await again.witness.cosign(log), null)
    const [told] = toldBy(again.witness, [log])
    assert.ok(told !== undefined && verifyCosignature(at(MAIN, 6).head.text, told.cosignature))
  })

it('a store put back that holds the other branch signs nothing under what was cosigned before', async () => {
  const store = await storeWith(6, OTHER)
  await store.putWitnessed(ADA.member, { size: 5, root: at(MAIN, 5).head.root })
  const { witness } = await witnessOver(store)
  assert.is(await witness.cosign(sizeOf(at(OTHER, 6))), 'conflict')
  assert.is(await witness.cosign(sizeOf(at(OTHER, 5))), 'conflict')
  assert.is(await witness.cosign(sizeOf(at(OTHER, 4))), 'older')
})

for (const side of ['before', 'after'] as const)
  it(`a disk that fails ${side} a final head is written: it is told of only as far as it is kept`, async () => {
    const contents = await storeWith(6)
    const first = await witnessOver(contents.reopen(failing('putFinal', side)))
    const log = sizeOf(at(MAIN, 6))
    first.witness.hear([CLEO, DAN, EVE].map((key) => statementOf(key, at(MAIN, 6))))
    assert.is(await codeOf(first.witness.keepFinal(log)), 'ledger-io')
    assert.equal(first.witness.finals(), [])
    const again = await witnessOver(contents.reopen())
    assert.equal(again.witness.finals(), side === 'after' ? [log] : [])
    again.witness.hear([CLEO, DAN, EVE].map((key) => statementOf(key, at(MAIN, 6))))
    assert.is(await again.witness.keepFinal(log), true)
    assert.equal(again.witness.finals(), [log])
    assert.is((await again.serve([])).length, 1)
  })

it('a statement is believed where its signature is the witness’s, and its author is known to have signed the head', async () => {
  const { witness } = await witnessOver(await storeWith(6))
  const good = statementOf(CLEO, at(MAIN, 6))
  const { cosignature } = good
  const heard = (statement: Statement) => {
    const { logs, valid } = witness.hear([statement])
    return [logs.length, valid]
  }
  assert.equal(heard({ ...good, cosignature: { ...cosignature, witness: DAN.member } }), [1, false], 'of another')
  assert.equal(heard({ ...good, cosignature: { ...cosignature, timeS: TIME_S + 1 } }), [1, false], 'of another time')
  assert.equal(heard({ ...good, cosignature: { ...cosignature, signature: new Uint8Array(64) } }), [1, false], 'forged')
  assert.equal(heard(statementOf(CLEO, at(MAIN, 7))), [0, true], 'a head that nobody has heard of')
  assert.equal(heard(statementOf(CLEO, at(OTHER, 6))), [0, true], 'the head of another branch')
  assert.equal(heard({ ...good, author: 'ab'.repeat(32) as MemberId }), [0, true], 'an author that is no member')
  assert.equal(heard(good), [1, true])
  witness.asked(sizeOf(at(MAIN, 9)), at(MAIN, 9).head.note)
  assert.equal(heard(statementOf(CLEO, at(MAIN, 9))), [1, true], 'its author asks for it, though it is not stored yet')
})

it('one forged statement among good ones: none of them counts', async () => {
  const { witness } = await witnessOver(await storeWith(6))
  const good = [CLEO, DAN].map((key) => statementOf(key, at(MAIN, 6)))
  const forged = { ...statementOf(EVE, at(MAIN, 6)), cosignature: { ...(good[0] as Statement).cosignature, timeS: 5 } }
  assert.is(witness.hear([...good, forged]).valid, false)
  await witness.cosign(sizeOf(at(MAIN, 6)))
  assert.is(await witness.keepFinal(sizeOf(at(MAIN, 6))), false)
})

it('a head without a quorum of signatures here is not kept as final, whoever says that it is', async () => {
  const { witness, serve } = await witnessOver(await storeWith(6))
  const log = sizeOf(at(MAIN, 6))
  witness.hear([CLEO, DAN].map((key) => statementOf(key, at(MAIN, 6))))
  assert.is(await witness.keepFinal(log), false)
  assert.equal(await serve([]), [])
  witness.hear([statementOf(EVE, at(MAIN, 6))])
  assert.is(await witness.keepFinal(log), true)
  const [frame] = await serve([])
  assert.ok(frame !== undefined)
})

it('a final head whose note never came here is not kept; one that was stored meanwhile is', async () => {
  const { witness, store, serve } = await witnessOver(await storeWith(6))
  assert.is(await witness.keepFinal({ author: ADA.member, size: 9, root: rootOf(at(MAIN, 9).head) }), false)
  const log = sizeOf(at(MAIN, 4)) // a commit in the middle of what is stored, heard as newest before
  witness.asked(log, at(MAIN, 4).head.note)
  witness.hear([CLEO, DAN, EVE].map((key) => statementOf(key, at(MAIN, 4))))
  for (let size = 10; size < 20; size++) witness.asked(sizeOf(at(MAIN, size)), at(MAIN, size).head.note)
  assert.is(await witness.keepFinal(log), true)
  assert.equal(parseCosigned((await store.final(ADA.member))?.note as Uint8Array, FOUNDING).cosignatures.length, 3)
  assert.is((await serve([])).length, 1)
})

it('a flood of statements, over sizes and over roots, leaves a few heads in memory, and the newest still becomes final', async () => {
  const { witness, serve } = await witnessOver(await storeWith(40))
  const roots = Array.from({ length: 200 }, (_, i) => signHead(ADA, FOUNDING, 33, sha256(utf8(`root ${i}`))))
  for (const head of roots) {
    const log = { author: ADA.member, size: 33, root: rootOf(head) }
    witness.asked(log, head.note)
    witness.hear([statementOf(BEN, { head })])
  }
  for (const commit of MAIN.slice(0, 39)) {
    witness.asked(sizeOf(commit), commit.head.note)
    witness.hear([statementOf(BEN, commit)])
  }
  const kept = [...roots.map((head) => ({ head })), ...MAIN].filter(({ head }) => {
    return toldBy(witness, [{ author: ADA.member, size: head.size, root: rootOf(head) }]).length > 0
  })
  assert.is(kept.length, 8, `${kept.map(({ head }) => head.size)}`)
  witness.hear([CLEO, DAN, EVE].map((key) => statementOf(key, at(MAIN, 40))))
  assert.is(await witness.keepFinal(sizeOf(at(MAIN, 40))), true)
  assert.is((await serve([])).length, 1)
})

/** A final head as a peer would give it. */
const finalOf = (head: VerifiedHead, keys: readonly SigningKey[]): Uint8Array =>
  formatCosigned(
    head,
    keys.map((key, i) => signCosignature(key, head.text, TIME_S + i)),
  )

/** What asking a peer that answers so gives: sizes kept, or the code of the refusal and whom it blames. */
async function answered(notes: readonly Uint8Array[]): Promise<string> {
  const { witness, store } = await witnessOver(await storeWith(2), notes.map(encodeFinal))
  const sizes: number[] = []
  try {
    for await (const { log, kept } of witness.ask(CLEO.member, never)) if (kept) sizes.push(log.size)
    return `kept ${sizes.join(' ')}`
  } catch (error) {
    if (!(error instanceof ConsiliumError)) throw error
    assert.is((await store.final(ADA.member))?.size, sizes.at(-1), 'what is refused is not kept')
    return `${error.code}, ${error.blame}`
  }
}

const HEAD = at(MAIN, 6).head
const QUORUM = [BEN, CLEO, DAN]
const STRANGERS = ['x', 'y', 'z'].map((name) => keyOf(name))
const altered = (note: Uint8Array, from: number): Uint8Array => note.with(from, (note[from] as number) === 65 ? 66 : 65)

for (const { name, notes, says } of [
  { name: 'a quorum', notes: [finalOf(HEAD, QUORUM)], says: 'kept 6' },
  { name: 'all members', notes: [finalOf(HEAD, [...QUORUM, EVE])], says: 'kept 6' },
  { name: 'a quorum and strangers', notes: [finalOf(HEAD, [...QUORUM, ...STRANGERS])], says: 'kept 6' },
  { name: 'one signature too few', notes: [finalOf(HEAD, [BEN, CLEO])], says: 'final-unproven, reject' },
  { name: 'no cosignature', notes: [HEAD.note], says: 'final-unproven, reject' },
  { name: 'strangers', notes: [finalOf(HEAD, [BEN, ...STRANGERS])], says: 'final-unproven, reject' },
  {
    name: 'of a log whose author is no member',
    notes: [finalOf(signHead(keyOf('x'), FOUNDING, 6, HEAD.root), [...QUORUM, EVE])],
    says: 'final-unproven, reject',
  },
  {
    name: 'signatures of another head',
    notes: [
      formatCosigned(
        HEAD,
        QUORUM.map((key) => signCosignature(key, at(OTHER, 6).head.text, TIME_S)),
      ),
    ],
    says: 'final-unproven, reject',
  },
  {
    name: 'signatures of two heads mixed',
    notes: [
      formatCosigned(HEAD, [
        ...[BEN, CLEO].map((key) => signCosignature(key, HEAD.text, TIME_S)),
        signCosignature(DAN, at(MAIN, 7).head.text, TIME_S),
      ]),
    ],
    says: 'final-unproven, reject',
  },
  {
    name: 'a head that its author did not sign',
    notes: [
      finalOf(
        {
          ...HEAD,
          ...signHead(ADA, FOUNDING, 6, sha256()),
          note: altered(HEAD.note, HEAD.note.length - 20),
        } as VerifiedHead,
        QUORUM,
      ),
    ],
    says: 'final-unproven, reject',
  },
  {
    name: 'an older one after a newer',
    notes: [finalOf(at(MAIN, 7).head, QUORUM), finalOf(HEAD, QUORUM)],
    says: 'kept 7',
  },
  { name: 'the same twice', notes: [finalOf(HEAD, QUORUM), finalOf(HEAD, QUORUM)], says: 'kept 6' },
  {
    name: 'more heads than members',
    notes: MAIN.slice(0, 6).map(({ head }) => finalOf(head, QUORUM)),
    says: 'final-unproven, reject',
  },
  { name: 'no note', notes: [utf8('final')], says: 'cosigned-malformed, reject' },
])
  it(`a peer that gives as final: ${name}: ${says}`, async () => assert.is(await answered(notes), says))

it('a final head that is kept names members only, and its time is a middle one', async () => {
  const note = finalOf(HEAD, [...QUORUM, ...STRANGERS])
  const { witness, store } = await witnessOver(await storeWith(2), [encodeFinal(note)])
  for await (const _ of witness.ask(CLEO.member, never));
  const kept = parseCosigned((await store.final(ADA.member))?.note as Uint8Array, FOUNDING)
  assert.equal(new Set(kept.cosignatures.map(({ witness }) => witness)), new Set(QUORUM.map(({ member }) => member)))
  assert.is((await store.finalTimes(ADA.member, 6)).byS, TIME_S + 1)
})

it('a peer is asked for what is newer than what is kept, and given only that', async () => {
  const { witness, asked, serve } = await witnessOver(await storeWith(6), [encodeFinal(finalOf(HEAD, QUORUM))])
  for await (const _ of witness.ask(CLEO.member, never));
  for await (const _ of witness.ask(CLEO.member, never));
  assert.equal(asked, [encodeFinalsRequest([]), encodeFinalsRequest([{ author: ADA.member, size: 6 }])])
  assert.is((await serve([{ author: ADA.member, size: 5 }])).length, 1)
  assert.is((await serve([{ author: ADA.member, size: 6 }])).length, 0)
  assert.is((await serve([{ author: BEN.member, size: 60 }])).length, 1)
})

it('what was cosigned is told, once it is, and only of heads that were', async () => {
  const { witness } = await witnessOver(await storeWith(6))
  const log = sizeOf(at(MAIN, 6))
  assert.equal(toldBy(witness, [log]), [])
  await witness.cosign(log)
  const other: LogSize = { ...log, root: 'ab'.repeat(32) as Digest }
  assert.equal(
    toldBy(witness, [log, other]).map(({ size }) => size),
    [6],
  )
})

it.run()

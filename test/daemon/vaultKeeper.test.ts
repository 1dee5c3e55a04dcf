/** The vault and the log together: words are told once, in parts of an entry; an older vault is refused; what was erased is told too. */
import { copyFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { toHex } from '../../src/core/bytes.ts'
import type { LedgerWriter } from '../../src/daemon/ledgerWriter.ts'
import { VaultKeeper } from '../../src/daemon/vaultKeeper.ts'
import type { ConsentDecision } from '../../src/governance/consent.ts'
import { readBody } from '../../src/governance/kinds.ts'
import type { Draft } from '../../src/node/actions.ts'
import { keyOf } from '../gossip/fixtures.ts'
import { STUDY } from '../governance/keptBook.ts'

const it = suite('vault keeper')

const NO: ConsentDecision = {
  ...{ decision: 'deny', purposes: 'all', study: 'all', fromMs: null, toMs: null, by: 'subject' },
  ...{ receivedAtMs: 900, effectiveAtMs: 900, form: 'in-person' },
}

/** A node's folder: what its log and its database have. */
class Node {
  readonly drafts: Draft[] = []
  state = new Map<string, Uint8Array | null>()
  changes = 0
  signs = true
  refuses = false
  /** What the machine has read of the log. */
  tells: { count: number; newest: Uint8Array | null } = { count: 0, newest: null }
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = folder
  }

  readonly path = (name = 'vault'): string => join(this.#folder, name)

  open(): VaultKeeper {
    const record = (_: string, drafts: readonly Draft[], state: ReadonlyMap<string, Uint8Array | null>) => {
      if (this.refuses) throw new Error('refused')
      this.drafts.push(...drafts)
      for (const [key, value] of state) this.state.set(key, value)
    }
    return new VaultKeeper({
      place: { path: this.path(), keyFile: this.path('key') },
      self: keyOf('self').member,
      store: { getState: async (key) => this.state.get(key) ?? undefined },
      writer: () => (this.signs ? ({ record } as unknown as LedgerWriter) : null),
      erasuresTold: async () => this.erased(),
      logTells: () => this.tells,
      changed: () => this.changes++,
    })
  }

  /** Erasures that its log tells of. */
  erased(): number {
    return this.drafts.filter(({ kind }) => kind === 'subject.erased').length
  }

  /** [from, number of items] of each entry that tells of words. */
  told(): [number, number][] {
    return this.drafts.flatMap(({ kind, body }) => {
      const told = kind === 'consent.recorded' ? readBody(kind, body) : null
      return told === null ? [] : [[told.from, told.items.length] as [number, number]]
    })
  }
}

async function inFolder(use: (node: Node) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'consilium-keeper-'))
  try {
    await use(new Node(folder))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

const wordsOf = (from: number, count: number) =>
  Array.from({ length: count }, (_, i) => ({ record: `R-${from + i}`, decision: NO, speaker: null }))

it('words are told in entries of at most 500, once, and not again after a start', () =>
  inFolder(async (node) => {
    const vault = node.open()
    await vault.say(wordsOf(0, 2))
    await vault.say(wordsOf(1, 1_003))
    assert.equal(node.told(), [
      [0, 2],
      [2, 500],
      [502, 500],
      [1_002, 3],
    ])
    assert.is(node.changes, 2)
    await vault.close()
    const again = node.open()
    assert.is((await again.book()).words, 1_005)
    assert.is(node.told().length, 4)
    await again.close()
  }))

it('what is said while nothing may be signed binds at once, and is told later', () =>
  inFolder(async (node) => {
    node.signs = false
    const vault = node.open()
    await vault.say(wordsOf(0, 3))
    assert.is(node.changes, 1)
    await vault.close()
    node.signs = true
    const again = node.open()
    await again.book()
    assert.equal(node.told(), [[0, 3]])
    await again.close()
  }))

it('what the writer refuses is not taken for told: it is told with the next', () =>
  inFolder(async (node) => {
    const vault = node.open()
    await vault.say(wordsOf(0, 2))
    node.refuses = true
    assert.match(await vault.say(wordsOf(2, 1)).then(() => 'said', String), /refused/)
    node.refuses = false
    await vault.say(wordsOf(3, 1))
    assert.equal(node.told(), [
      [0, 2],
      [2, 2],
    ])
    await vault.close()
  }))

it('where the database is lost the own log says what was told', () =>
  inFolder(async (node) => {
    const vault = node.open()
    await vault.say(wordsOf(0, 3))
    await vault.close()
    node.state = new Map()
    const again = node.open()
    await again.book(3)
    assert.equal(node.told(), [[0, 3]])
    await again.close()
  }))

it('where the database is lost an erasure is not told twice, and the next one is told; in a log that has none it is', () =>
  inFolder(async (node) => {
    const vault = node.open()
    await vault.say(wordsOf(0, 4))
    await vault.forget(['R-1'], 'patient-request', 4_000)
    await vault.close()
    node.state = new Map()
    const again = node.open()
    await Promise.all([again.book(4), again.book(4)])
    assert.is(node.erased(), 1)
    await again.forget(['R-2'], 'patient-request', 5_000)
    assert.is(node.erased(), 2)
    await again.close()
    node.state = new Map()
    node.drafts.length = 0 // a new key's log
    const anew = node.open()
    await anew.forget(['R-3'], 'patient-request', 6_000)
    assert.is(node.erased(), 3)
    await anew.close()
  }))

it('an older copy of the vault, in which revocations are lost, is refused', () =>
  inFolder(async (node) => {
    const vault = node.open()
    await vault.say(wordsOf(0, 3))
    await copyFile(node.path(), node.path('older'))
    await vault.say(wordsOf(3, 1))
    await vault.close()
    await copyFile(node.path('older'), node.path())
    const again = node.open()
    const error = await again.book(4).catch((error: { code?: string; message: string }) => error)
    assert.ok('code' in error)
    assert.is(error.code, 'vault-older')
    assert.match(error.message, /tells of 4 words of patients, and this vault has 3/)
    await again.close()
  }))

it('a vault that is gone while the log tells of words is found by a look at it, before a round wants it', () =>
  inFolder(async (node) => {
    const vault = node.open()
    assert.is((await vault.finding()).text, 'none has said anything here yet')
    await vault.say([{ record: '1', decision: NO, speaker: null }])
    node.tells = { count: 1, newest: null }
    assert.ok((await vault.finding()).ok)
    await vault.close()
    await rm(node.path())
    const again = node.open()
    const { ok, text } = await again.finding()
    assert.not.ok(ok)
    assert.match(text, /the log tells of 1 word of patients, and this vault has 0: .* consent restart/)
    await again.close()
  }))

it('nothing is written to an older copy: a word more, and it would pass for the newest with a revocation lost', () =>
  inFolder(async (node) => {
    const vault = node.open()
    await vault.say(wordsOf(0, 3))
    await copyFile(node.path(), node.path('older'))
    await vault.say(wordsOf(3, 1))
    await vault.close()
    const told = node.drafts.at(-1)?.body as unknown as { items: [Uint8Array, Uint8Array][] } | undefined
    const newest = told?.items[0]?.[1] ?? null
    await copyFile(node.path('older'), node.path())
    node.state = new Map() // restored as well
    node.tells = { count: 4, newest }
    const codeOf = (work: Promise<unknown>) =>
      work.then(
        () => 'done',
        (error: { code?: string }) => error.code,
      )
    const again = node.open()
    for (const work of [again.say(wordsOf(9, 1)), again.admit(['R-9']), again.forget(['R-1'], 'erasure-order', 1)])
      assert.is(await codeOf(work), 'vault-older')
    node.tells = { count: 0, newest: null } // before the log was fetched back
    await again.say(wordsOf(9, 1))
    node.tells = { count: 4, newest }
    assert.is(await codeOf(again.book(4)), 'vault-older', 'as many words, and others')
    await again.close()
  }))

it('where the database is lost no word is told twice, though somebody speaks before any round', () =>
  inFolder(async (node) => {
    const vault = node.open()
    await vault.say(wordsOf(0, 3))
    await vault.close()
    node.state = new Map()
    node.tells = { count: 3, newest: null }
    const again = node.open()
    await again.say(wordsOf(3, 1))
    assert.equal(node.told(), [
      [0, 3],
      [3, 1],
    ])
    await again.close()
  }))

it('an erasure is told with its reason and number alone; the same word never comes twice, nor a tag in two months', () =>
  inFolder(async (node) => {
    const vault = node.open()
    await vault.say(wordsOf(0, 4))
    await vault.say(wordsOf(0, 1))
    const items = node.drafts.flatMap(({ body }) => (body as unknown as { items: [Uint8Array, Uint8Array][] }).items)
    assert.is(new Set(items.map(([, commitment]) => toHex(commitment))).size, 5)
    assert.is(new Set(items.map(([tag]) => toHex(tag))).size, 4, 'one patient, one month: one tag')
    await vault.forget(['R-1', 'R-3'], 'erasure-order', 4_000)
    const last = node.drafts.at(-1)
    assert.equal(
      [last?.kind, last?.study, last?.body],
      ['subject.erased', null, { subjects: 2, reason: 'erasure-order' }],
    )
    const error = await vault.say(wordsOf(3, 1)).catch((error: { code?: string }) => error)
    assert.is((error as { code?: string }).code, 'subject-forgotten')
    await vault.say(wordsOf(4, 1))
    assert.equal(node.told().at(-1), [5, 1])
    await vault.close()
  }))

it('where the vault is lost it begins anew: told once, silence is no from then on, an erasure keeps that; a vault that serves stays', () =>
  inFolder(async (node) => {
    const vault = node.open()
    await vault.say(wordsOf(0, 3))
    const refused = await vault.restart('vault-lost').catch((error: { code?: string }) => error)
    assert.is((refused as { code?: string }).code, 'vault-opens')
    await vault.close()
    await rm(node.path())
    const again = node.open()
    const missing = await again.book().catch((error: { code?: string; message: string }) => error)
    assert.match((missing as { message: string }).message, /consilium consent restart/)
    assert.is((await again.restart('vault-lost')).words, 3)
    const question = { id: STUDY, consent: { basis: 'opt-out', purposes: ['DUO:0000006'] } } as const
    assert.is((await again.book()).asked(question).consent.basis, 'opt-in')
    await again.say(wordsOf(7, 1))
    await again.forget(['R-7'], 'erasure-order', 1)
    assert.equal(
      node.drafts.map(({ kind }) => kind),
      ['consent.recorded', 'consent.restarted', 'consent.recorded', 'subject.erased'],
    )
    assert.equal(node.drafts[1]?.body, { words: 3, reason: 'vault-lost' })
    assert.equal(node.told().at(-1), [3, 1])
    await again.close()
    const third = node.open()
    const book = await third.book()
    assert.equal([book.words, book.asked(question).consent.basis], [4, 'opt-in'])
    assert.is(node.drafts.length, 4, 'told once')
    await third.close()
  }))

it.run()

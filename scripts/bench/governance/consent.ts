/** Consent of 100,000 patients: how long its decisions and root take before a round, against hashing all leaves anew. */
import { toHex, utf8 } from '../../../src/core/bytes.ts'
import { sha256 } from '../../../src/core/digest.ts'
import type { MemberId, StudyId } from '../../../src/core/ids.ts'
import type { ConsentDecision } from '../../../src/governance/consent.ts'
import { ConsentSet } from '../../../src/governance/consentSet.ts'
import { VaultBook, type VaultSubject } from '../../../src/governance/vaultBook.ts'
import { Frontier, leafHash } from '../../../src/ledger/merkle.ts'
import { type Figure, median, under } from '../figures.ts'

const PATIENTS = 100_000
const CHANGED = PATIENTS / 100
const ROUNDS = 9
const BUILD_MS_MAX = 1_000
const ROUND_MS_MAX = 100
const LEAF_BYTES = 94 // domain, salt, tag, permission, rows, history

const STUDY = toHex(sha256(utf8('study'))) as StudyId
const HOSPITAL = toHex(sha256(utf8('hospital'))) as string as MemberId
const QUESTION = { id: STUDY, consent: { basis: 'opt-in', purposes: ['DUO:0000006'] } } as const

/** First build, a round with one in a hundred changed, and a round in which nobody said anything. */
export async function bench(): Promise<Figure[]> {
  const records = Array.from({ length: PATIENTS }, (_, i) => `MRN-${1_000_000 + 37 * i}`)
  const book = new VaultBook()
  keep(book, book.admit(records, chance))
  say(book, records, 'permit', 1_000)
  const table = { records, rows: new Uint32Array(PATIENTS).fill(1) }
  let nowMs = 2_000
  const builds = Array.from({ length: 5 }, () => time(() => build(book, table, nowMs)))
  const set = new ConsentSet(QUESTION, HOSPITAL, table, book)
  set.update(nowMs)
  const [anew, changed, quiet]: [number[], number[], number[]] = [[], [], []]
  for (let round = 0; round < ROUNDS; round++) {
    nowMs += 1_000
    const from = (round * CHANGED) % PATIENTS
    say(book, records.slice(from, from + CHANGED), round % 2 === 0 ? 'deny' : 'permit', nowMs)
    anew.push(time(hashAll))
    changed.push(time(() => settle(set, book, nowMs)))
    quiet.push(time(() => set.update(nowMs)))
  }
  const reference = `hashing ${PATIENTS} leaves and their tree anew takes ${median(anew).toFixed(0)} ms`
  const ratio = (median(anew) / median(changed)).toFixed(1)
  return [
    under(
      'consent of 100,000 patients, first build',
      Math.min(...builds),
      BUILD_MS_MAX,
      'ms',
      `best of 5; ${reference}`,
    ),
    under('consent, a round with 1 % changed', median(changed), ROUND_MS_MAX, 'ms', `${ratio} × as fast; ${reference}`),
    under('consent, a round without a word', median(quiet), ROUND_MS_MAX, 'ms', reference),
  ]
}

function build(book: VaultBook, table: ConstructorParameters<typeof ConsentSet>[2], nowMs: number): void {
  settle(new ConsentSet(QUESTION, HOSPITAL, table, book), book, nowMs)
}

/** With the record that the vault keeps of it. */
function settle(set: ConsentSet, book: VaultBook, atMs: number): void {
  const { root, changes } = set.update(atMs)
  book.sets.record({ study: STUDY, root, atMs }, changes)
}

function hashAll(): void {
  const frontier = new Frontier()
  const leaf = new Uint8Array(LEAF_BYTES)
  for (let i = 0; i < PATIENTS; i++) {
    leaf[i % LEAF_BYTES] = i
    frontier.append(leafHash(leaf))
  }
  frontier.root()
}

function say(book: VaultBook, records: readonly string[], decision: 'permit' | 'deny', atMs: number): void {
  const said: ConsentDecision = {
    ...{ decision, purposes: 'all', study: 'all', fromMs: null, toMs: null, by: 'subject' },
    ...{ receivedAtMs: atMs, effectiveAtMs: atMs, form: 'in-person' },
  }
  const words = records.map((record) => {
    return { subject: book.subject(record) as VaultSubject, decision: said, speaker: null }
  })
  keep(book, book.say(words, chance))
}

const keep = (book: VaultBook, records: readonly Uint8Array[]): void => {
  for (const record of records) book.read(record)
}

let draws = 0
const chance = (): Uint8Array => sha256(utf8(`draw ${draws++}`))

function time(work: () => void): number {
  const start = performance.now()
  work()
  return performance.now() - start
}

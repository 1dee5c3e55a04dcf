/** 100,000 requests for datasets, and 100,000 questions with their answers: how long folding them takes, and what is asked of them afterwards. */
import { parseCondition } from '../../../src/config/countParser.ts'
import { questionDocument } from '../../../src/config/countQuery.ts'
import { fromHex } from '../../../src/core/bytes.ts'
import type { Cbor } from '../../../src/core/cbor.ts'
import type { Digest, MemberId } from '../../../src/core/ids.ts'
import { CountBook } from '../../../src/governance/access/counts.ts'
import { countLeave } from '../../../src/governance/access/permits.ts'
import { Access, type AccessFact, accessHash } from '../../../src/governance/access/requests.ts'
import { atLeast, type Figure, median, under } from '../figures.ts'

const REQUESTS = 100_000
const MEMBERS = 50
const DATASETS = 40
const ASKED = 200
const BATCH = 500
const FOLD_FLOOR = 20_000 // once, at a start or at the first look after it, as of goods
const SECOND_MS = 1_000
const NOW_MS = 1_790_000_000_000
const UNTIL_MS = NOW_MS + 10_000_000

const hex = (n: number): string => n.toString(16).padStart(64, '0')
const members = Array.from({ length: MEMBERS }, (_, i) => hex(i + 1) as MemberId)
const [OWNER] = members as [MemberId, ...MemberId[]]
const datasetOf = (n: number): Digest => hex(1_000 + (n % DATASETS)) as Digest
const ALL = { final: () => Number.POSITIVE_INFINITY, known: () => Number.POSITIVE_INFINITY }

/** Each entry as it is folded: bodies are decoded already. */
export async function bench(): Promise<Figure[]> {
  return [...requests(), ...counts()]
}

function requests(): Figure[] {
  const factsOf = (n: number): AccessFact[] => {
    const asker = members[1 + (n % (MEMBERS - 1))] as MemberId
    const asked = { member: fromHex(OWNER), dataset: fromHex(datasetOf(n)), purposes: [6], until: UNTIL_MS }
    const first = factAt(asker, n, 'access.asked', asked, hex(1_000_000 + n))
    if (n % 8 !== 0) return [first]
    const granted = { request: fromHex(first.hash), until: UNTIL_MS }
    return [first, factAt(OWNER, n + 1, 'access.granted', granted, hex(3_000_000 + n))]
  }
  const access = new Access()
  const foldMs = folded(factsOf, (fact) => access.fold(fact))
  const queries = Array.from({ length: ASKED }, (_, n) => {
    const asker = members[1 + (n % (MEMBERS - 1))] as MemberId
    const use = { owner: OWNER, dataset: datasetOf(n), asker, purposes: [], cut: ALL, nowMs: NOW_MS }
    return timed(() => countLeave(access, use))
  })
  const sizes = new Map(members.map((member) => [member, Number.MAX_SAFE_INTEGER]))
  const hashMs = timed(() => accessHash(access, sizes))
  return [
    atLeast(
      'access, requests folded',
      (REQUESTS / foldMs) * 1_000,
      FOLD_FLOOR,
      'per s',
      `${access.all().length}, one in 8 granted`,
      `${foldMs.toFixed(0)} ms in all`,
    ),
    under('access, one grant looked up', median(queries), SECOND_MS, 'ms', `median of ${ASKED}`),
    under('access, state hash over all', hashMs, SECOND_MS, 'ms', 'every standing evaluated'),
  ]
}

function counts(): Figure[] {
  const document = questionDocument({ where: parseCondition("age >= 65 and sex = 'F'"), purposes: [] })
  const factsOf = (n: number): AccessFact[] => {
    const asker = members[1 + (n % (MEMBERS - 1))] as MemberId
    const dataset = fromHex(datasetOf(n))
    const asked = factAt(
      asker,
      n,
      'count.asked',
      { datasets: [[fromHex(OWNER), dataset]], document },
      hex(5_000_000 + n),
    )
    const answer = {
      ...{ asker: fromHex(asker), request: fromHex(asked.hash), dataset, version: dataset, question: fromHex(hex(n)) },
      ...{ code: 'counted', count: 35, epsilon: 1_000, step: 5, cohort: 10, spent: 1_000, left: 0 },
    }
    return [asked, factAt(OWNER, n, 'count.answered', answer, hex(7_000_000 + n))]
  }
  const book = new CountBook(OWNER)
  const foldMs = folded(factsOf, (fact) => book.tell(fact))
  const listMs = timed(() => book.all())
  const how = `${REQUESTS} questions with an answer each`
  return [
    atLeast('counts, read', (REQUESTS / foldMs) * 1_000, FOLD_FLOOR, 'per s', how, `${foldMs.toFixed(0)} ms in all`),
    under('counts, listed', listMs, SECOND_MS, 'ms', how),
  ]
}

function factAt(author: MemberId, seq: number, kind: string, body: object, hash: string): AccessFact {
  const place = { author, seq, lamport: seq, timeMs: NOW_MS, hash: hash as Digest }
  return { ...place, kind, study: null, body: body as Cbor }
}

/** Batch by batch, as logs are read: entries that were folded are not kept. */
function folded(factsOf: (n: number) => AccessFact[], fold: (fact: AccessFact) => unknown): number {
  let ms = 0
  for (let from = 0; from < REQUESTS; from += BATCH) {
    const facts = Array.from({ length: BATCH }, (_, i) => factsOf(from + i)).flat()
    ms += timed(() => {
      for (const fact of facts) fold(fact)
    })
  }
  return ms
}

function timed(run: () => unknown): number {
  const startMs = performance.now()
  run()
  return performance.now() - startMs
}

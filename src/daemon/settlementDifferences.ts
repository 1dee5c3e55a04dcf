/** In what two nodes' statements from the same cut differ first. */
import { type Body, type Kind, readBody } from '../governance/kinds.ts'
import type { ProposalWord, VoteWord } from '../governance/settlement/closings.ts'
import { firstDifference, linesBody, type Statement } from '../governance/settlement/statement.ts'
import { decodeEntry } from '../ledger/entry.ts'
import { differenceText } from '../report/settlement.ts'
import type { Daemon } from './daemon.ts'
import type { SettlementDifference } from './settlementApi.ts'

type Parts = Pick<Daemon, 'logs' | 'nameOf'>
type Place = ProposalWord['place']

/** The first figure that a proposal has otherwise than this node, as a sentence; null where there is none. */
export async function difference(
  daemon: Parts,
  { place, result }: Pick<ProposalWord, 'place' | 'result'>,
  { lines, result: ours }: Statement,
): Promise<string | null> {
  const told = await bodyAt(daemon, 'settlement.proposed', place)
  if (told === null) return 'the entry of the proposal has no body here'
  const by = daemon.nameOf(place.author)
  const found = firstDifference(linesBody(lines), told.lines)
  if (found !== null)
    return differenceText(found, (member) => daemon.nameOf(member), 'here', `in the proposal of ${by}`)
  return result === ours
    ? null
    : `the figures are the same, but the digest in the proposal of ${by} is of something else`
}

/** What those who refused a proposal had computed, where it is not what this node computes. */
export async function differencesOf(
  daemon: Parts,
  votes: readonly VoteWord[],
  { lines }: Statement,
): Promise<SettlementDifference[]> {
  const found: SettlementDifference[] = []
  for (const { place, objection } of votes) {
    const told = objection === null ? null : await bodyAt(daemon, 'settlement.refused', place)
    const first = told?.lines ? firstDifference(linesBody(lines), told.lines) : null
    const by = daemon.nameOf(place.author)
    if (first !== null) found.push({ by, says: differenceText(first, (one) => daemon.nameOf(one), 'here', `at ${by}`) })
  }
  return found
}

async function bodyAt<K extends Kind>({ logs }: Parts, kind: K, { author, seq }: Place): Promise<Body<K> | null> {
  const [raw] = await logs.entries(author, seq, seq + 1)
  return raw === undefined ? null : readBody(kind, decodeEntry(raw).body)
}

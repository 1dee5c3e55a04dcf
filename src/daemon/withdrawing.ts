/** Takes models back, and says what that reaches: descendants, exports, predictions, and whose nodes stop. */
import { toHex } from '../core/bytes.ts'
import { ConsiliumError } from '../core/errors.ts'
import type { Digest, MemberId } from '../core/ids.ts'
import { readBody } from '../governance/kinds.ts'
import { binderOfAll, keyOf, type Made, WITHDRAWAL_REASONS } from '../governance/withdrawals.ts'
import { decodeEntry, type Entry } from '../ledger/entry.ts'
import { memberQuorum } from '../ledger/vote.ts'
import type { Daemon } from './daemon.ts'
import { entriesOf } from './logSlices.ts'
import type { UseReport, WithdrawReport } from './modelApi.ts'
import { bindingOf, type NamedModel, refOf } from './models.ts'

const USES = ['model.exported', 'model.used', 'model.served'] as const
const USES_MAX = 1_000 // in one answer; more are counted

/** Null restores. `dryRun` says what would be reached, and records nothing. */
export interface WithdrawRequest {
  readonly reason: string | null
  readonly dryRun: boolean
}

/** Errors: `withdrawal-reason`, `boot-fence`, `study-…`. */
export async function withdrawModel(
  daemon: Daemon,
  { state, made }: NamedModel,
  { reason, dryRun }: WithdrawRequest,
): Promise<WithdrawReport> {
  requireReason(reason)
  const { author, model, making, round, seq } = made
  const lineage = (await daemon.lineage.current()).of(state.id)
  let entry: string | null = null
  if (!dryRun) {
    const [raw] = await daemon.logs.entries(author, seq, seq + 1)
    const { hash } = decodeEntry(raw as Uint8Array)
    const ref = [author, seq, hash] as const
    await daemon.command((ticket) => {
      return { type: 'study-withdraw', ticket, study: state.id, made: { author, model }, entry: ref, reason }
    })
    const words = daemon.machine.view().withdrawals.spoken(state.id)
    const self = daemon.home.key.id
    const said = words.find((one) => keyOf(one) === keyOf(made))?.words.get(self)
    entry = said === undefined ? null : refOf(daemon, self, said.seq)
  }
  const descendants = lineage.descendants(made)
  const reached: readonly Made[] = [made, ...descendants]
  const keys = new Set(reached.map(keyOf))
  const stopping = lineage.newest().filter((one) => keys.has(keyOf(one))) // before anything more is read
  const { uses, leftOut } = await usesOf(daemon, keys)
  const names = (members: Iterable<MemberId>): string[] => [...new Set(members)].map((one) => daemon.nameOf(one)).sort()
  return {
    study: state.id,
    studyName: state.study.name,
    author: daemon.nameOf(author),
    model,
    making,
    rounds: round + 1,
    entry,
    binds: bindsWhere(daemon, state, made),
    descendants: { models: descendants.length, members: names(descendants.map((one) => one.author)) },
    stops: names(stopping.map((one) => one.author)),
    uses,
    usesLeftOut: leftOut,
  }
}

/** Here, and at a node whose people said nothing. */
function bindsWhere(daemon: Daemon, state: NamedModel['state'], made: Made): WithdrawReport['binds'] {
  const isIt = (one: Made): boolean => keyOf(one) === keyOf(made)
  const spoken = daemon.machine.view().withdrawals.spoken(state.id).find(isIt)
  const everywhere =
    spoken !== undefined && binderOfAll(spoken, memberQuorum(daemon.home.membership.roll.members)) !== null
  return { here: bindingOf(daemon, state).some(isIt), everywhere }
}

/** Exports and predictions in all logs, of models with these keys, newest first; how many more there are. */
export async function usesOf(
  daemon: Daemon,
  keys: ReadonlySet<string>,
): Promise<{ uses: UseReport[]; leftOut: number }> {
  await daemon.uses.tell().catch(() => undefined) // what cannot be told now is told later, and must not hold up a withdrawal
  const found: UseReport[] = []
  for (const author of daemon.logs.authors()) {
    for await (const entry of entriesOf(daemon.logs, author, USES)) {
      const use = useOf(daemon, entry, keys)
      if (use !== null) found.push(use)
    }
  }
  found.sort((a, b) => b.timeMs - a.timeMs)
  return { uses: found.slice(0, USES_MAX), leftOut: Math.max(0, found.length - USES_MAX) }
}

/** Who uses a model has merged it itself: so its maker is the log's author. */
function useOf(
  daemon: Daemon,
  { author, seq, timeMs, kind, body }: Entry,
  keys: ReadonlySet<string>,
): UseReport | null {
  if (kind !== 'model.exported' && kind !== 'model.used' && kind !== 'model.served') return null
  const read = readBody(kind, body)
  if (read === null) return null
  const model = toHex(read.model) as Digest
  if (!keys.has(keyOf({ author, model }))) return null
  const rows = 'rows' in read ? read.rows : null
  return { entry: refOf(daemon, author, seq), name: daemon.nameOf(author), kind, timeMs, model, rows }
}

function requireReason(reason: string | null): void {
  if (reason === null || (WITHDRAWAL_REASONS as readonly string[]).includes(reason)) return
  throw new ConsiliumError({
    code: 'withdrawal-reason',
    message: `--reason: ${JSON.stringify(reason.slice(0, 40))} given; ${WITHDRAWAL_REASONS.join(', ')} are allowed`,
  })
}

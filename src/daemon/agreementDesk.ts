/** What agreements say of an act at this node: asked before a table is bound, a model leaves, or predicts. */
import type { AgreementAction } from '../config/agreementSchema.ts'
import { fromHex } from '../core/bytes.ts'
import { ConsiliumError } from '../core/errors.ts'
import type { MemberId } from '../core/ids.ts'
import { type Agreements, cutOfSizes, standingOf, stateHash } from '../governance/agreements.ts'
import type { StudyState } from '../governance/studies.ts'
import { type Act, type Forbidden, underAgreements } from '../governance/terms.ts'
import type { Finality } from '../ledger/finality.ts'
import type { AgreementStateReport } from './agreementApi.ts'
import { cutOf } from './cut.ts'
import type { Daemon } from './daemon.ts'

/** An act of this hospital now. */
export function actOf(daemon: Daemon, study: StudyState, action: AgreementAction): Act {
  const self = daemon.home.key.id
  const run = daemon.machine.view().studies.find(({ state }) => state.id === study.id)?.run ?? null
  return {
    ...{ self, study, action, nowMs: Date.now(), cut: cutOf(daemon.machine) },
    dataset: study.commitments.get(self) ?? null,
    round: run?.behind ?? 0,
    epsilon: run?.privacy?.epsilon ?? 0,
    rows: run?.rows ?? 0,
    required: daemon.home.config.agreements.required,
  }
}

/** Refuses what an agreement forbids, and records that it was. Errors: `agreement-…`, naming the clause, the entry and whom to ask. */
export async function requireAgreed(daemon: Daemon, study: StudyState, action: AgreementAction): Promise<void> {
  const found = underAgreements(daemon.machine.view().agreements, actOf(daemon, study, action), nameIn(daemon))
  if (!('forbidden' in found)) return
  const { code, message } = found.forbidden
  await recordDenied(daemon, study, action, found.forbidden)
  throw new ConsiliumError({ code, message })
}

/** Members by name. */
export const nameIn =
  (daemon: Daemon) =>
  (member: MemberId): string =>
    daemon.nameOf(member)

/** Where an agreement stands at this node now. */
export function standingAt(daemon: Daemon, state: Parameters<typeof standingOf>[0]): ReturnType<typeof standingOf> {
  return standingOf(state, cutOf(daemon.machine), Date.now())
}

/** What is asked of a machine for its state. */
interface Read {
  readonly finality: Pick<Finality, 'final'>
  view(): {
    readonly agreements: Agreements
    readonly logs: readonly { readonly author: MemberId; readonly size: number }[]
  }
}

/** Over what is final of each log, as far as it has been read: what two nodes compare. */
export function stateReport(machine: Read, name: (member: MemberId) => string): AgreementStateReport {
  const { agreements, logs } = machine.view()
  const sizes = new Map(
    logs.map(({ author, size }) => [author, Math.min(size, machine.finality.final(author)?.size ?? 0)]),
  )
  const cut = [...sizes].map(([key, final]) => ({ name: name(key), key, final }))
  return { state: stateHash(agreements, cutOfSizes(sizes)), cut: cut.sort((a, b) => (a.key < b.key ? -1 : 1)) }
}

/** A node that may not sign yet refuses all the same. */
async function recordDenied(
  { writer }: Daemon,
  study: StudyState,
  action: AgreementAction,
  { agreement, code: reason, verdict: { clause, guard, rests } }: Forbidden,
): Promise<void> {
  if (writer === null) return
  const refs = rests === null ? [] : ([[rests.author, rests.seq, rests.hash]] as const)
  const body = { agreement: agreement === null ? null : fromHex(agreement), clause, reason, action, guard }
  writer.record('denied', [{ kind: 'agreement.denied', study: study.id, timeMs: Date.now(), refs, body }], new Map())
  await writer.flush()
}

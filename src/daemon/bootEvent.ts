/** The first event of a machine: what this node has kept. */
import { VERSION } from '../config/version.ts'
import type { Fact } from '../governance/studies.ts'
import { rollCall } from '../ledger/epoch.ts'
import type { NodeEvent } from '../node/events.ts'
import { fenceNeeds } from '../node/fence.ts'
import type { StoredCheckpoint } from '../training/storedCheckpoint.ts'
import type { Bindings } from './bindings.ts'
import type { Forks } from './forks.ts'
import type { Home } from './home.ts'
import type { Logs } from './logs.ts'
import type { Witness } from './witness.ts'

/** What it is read from; all of it has been loaded. */
export interface BootParts {
  readonly home: Home
  readonly logs: Pick<Logs, 'sizes'>
  readonly facts: readonly Fact[]
  readonly stored: readonly StoredCheckpoint[]
  readonly bindings: Bindings
  readonly witness: Pick<Witness, 'finals'>
  readonly forks: Pick<Forks, 'known' | 'cosigners'>
  /** Own entries that this key has signed, by the head pin. */
  readonly signed: number
}

/** A hospital that is not a member yet waits for the answers that it needs as one. */
export function bootEvent(parts: BootParts): NodeEvent {
  const { home, logs, facts, stored, bindings, witness, forks, signed } = parts
  const { membership, key, consortium, acceptance } = home
  const { roll } = membership
  return {
    type: 'booted',
    self: key.id,
    founding: consortium.founding,
    epochs: membership.epochs.map(rollCall),
    epochDigest: membership.current.digest,
    software: VERSION,
    logs: logs.sizes(),
    facts,
    checkpoints: stored.map((one) => one.checkpoint),
    datasets: bindings.facts(),
    acceptance,
    finals: witness.finals(),
    forks: [...forks.known.values()].map(({ author, differWithin: size }) => ({ author, size })),
    cosigners: forks.cosigners.members(),
    fence: fenceNeeds(roll.members.length + (roll.isMember(key.id) ? 0 : 1)),
    signed,
    ...(home.config.agreements.required ? { agreementsRequired: true } : {}),
    ...(home.config.access.studies === 'granted' ? { grantsRequired: true } : {}),
  }
}

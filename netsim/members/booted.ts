/** The first event of a simulated node: what its disk has kept. */

import type { MemberId } from '../../src/core/ids.ts'
import { acceptanceMessage } from '../../src/governance/founding.ts'
import type { NodeEvent } from '../../src/node/events.ts'
import { fenceNeeds } from '../../src/node/fence.ts'
import type { Disk } from './disk.ts'
import type { Identities } from './identity.ts'

/** `self` is number `node` of `identities`. */
export function bootedEvent(
  { identities, disk, node }: { readonly identities: Identities; readonly disk: Disk; readonly node: number },
  self: MemberId,
): NodeEvent {
  const { founding, members } = identities
  return {
    type: 'booted',
    self,
    founding,
    epochs: [{ number: 0, members, pins: [] }],
    epochDigest: founding,
    software: '0.0.0-netsim',
    logs: disk.sizes(),
    facts: disk.facts(self),
    checkpoints: [...disk.checkpoints.values()].map(({ checkpoint }) => checkpoint),
    datasets: [...disk.bindings.values()].map(({ bound }) => bound),
    acceptance: identities.sign(node, acceptanceMessage(founding)),
    finals: [...disk.finals.values()],
    forks: [...disk.forks].map((author) => ({ author, size: disk.sizeOf(author).size })),
    cosigners: [],
    fence: fenceNeeds(members.length),
    signed: disk.sizeOf(self).size,
  }
}

/** A sound body of every kind. */
import type { Body, Kind } from '../../src/governance/kinds.ts'

export const B32 = new Uint8Array(32).fill(7)

export const SOUND: { readonly [K in Kind]: Body<K> } = {
  'member.accepted': { epoch: 0, founding: B32, signature: new Uint8Array(64) },
  'member.seen': { member: B32 },
  'member.rejected': { member: B32, reason: 'update-norm' },
  'stranger.rejected': { connections: 3 },
  'epoch.proposed': { epoch: 1, add: [['South clinic', B32]], remove: [new Uint8Array(32).fill(8)] },
  'epoch.approved': { epoch: 1, change: B32 },
  'epoch.rejected': { epoch: 1, change: B32 },
  'epoch.voting': { epoch: 1 },
  'epoch.begun': { epoch: 1, digest: B32 },
  'node.started': { software: '0.1.0-rc.1+5' },
  'node.stopped': { reason: 'sigterm' },
  'study.proposed': { document: new Uint8Array(100) },
  'study.accepted': {},
  'study.paused': {},
  'study.resumed': {},
  'study.statistics': { rows: 50, count: [50, 0], sum: [12.5, 0], sumOfSquares: [99, 0] },
  'study.scaling': { digest: B32 },
  'study.ended': { rounds: 36, model: B32 },
  'dataset.bound': { rows: 117, trainRows: 88, commitment: B32 },
  'round.trained': { round: 0, base: B32, update: B32, head: B32, examples: 88, loss: 0.61, dataset: B32 },
  'privacy.audited': {
    round: 4,
    model: B32,
    members: 88,
    others: 29,
    shadows: 16,
    attacks: [
      { attack: 'loss', auc: [0.52, 0.47, 0.57], found10: [0.12, 0.1, 0.2], found1: [0, 0, 0.1], epsilonLow: 0.2 },
    ],
  },
  'privacy.spent': { round: 4, steps: 3, sampleRate: 0.36, noiseMultiplier: 8 },
  'round.published': { round: 4, update: B32 },
  'round.merged': { round: 4, rule: 'mean', inputs: [[B32, 4, B32, 0.25]], result: B32 },
  'round.evaluated': {
    round: 4,
    model: B32,
    examples: 29,
    auc: 0.8,
    accuracy: 0.75,
    logLoss: 1.7,
    calibrationError: 0.1,
  },
  'alarm.fork': { member: B32, size: 12 },
  'alarm.witness': { author: B32, member: B32, size: 12 },
  'operator.pruned': { member: B32, class: 'training', before: 1_790_000_000_000, entries: 7 },
  'operator.scrubbed': { entries: 41_000, repaired: 3 },
  'operator.redacted': { seq: 17, hash: B32, reason: 'personal-data' },
}

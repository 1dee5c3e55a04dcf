/** start, stop, status, doctor: the daemon's life. */
import { ConsiliumError } from '../core/errors.ts'
import type { Finding, StatusReport, StudyReport } from '../daemon/api.ts'
import { changeSentence } from '../daemon/changeSentence.ts'
import { fenceSentence } from '../daemon/fenceSentence.ts'
import { phaseWord } from '../daemon/phaseWord.ts'
import { duration, measure, megabytes, short, table } from './output.ts'
import { type Common, clientOf, command, outputOf } from './shared.ts'
import { suspensionLines } from './suspensionText.ts'

/** `start`: the daemon itself, in this process, until it has stopped; the other commands ask a running one. Errors: those of `runDaemon`. */
export function startCommand() {
  return command(
    'start',
    'run the node in the foreground until SIGTERM or Ctrl-C; logs go to standard error',
    'consilium start --home /var/lib/consilium',
  )
    .option('--record <file>', 'write every event and a digest of every decision, for replay')
    .option(
      '--trust-ledger',
      'once, where heads.pin is lost and no other member holds more of this log than this folder',
    )
    .action(async (options: Common & { record?: string; trustLedger?: boolean }) => {
      const { runDaemon } = await import('../daemon/run.ts') // the network stack is loaded by this command alone
      const { home, json, record = null, trustLedger = false } = options
      await runDaemon({ home, json, record, trustLedger })
    })
}

/** `stop`: returns when the node has recorded its stop and closed everything. */
export function stopCommand() {
  return command('stop', 'stop the running node', 'consilium stop').action(async (options: Common) => {
    await clientOf(options).post('/v1/stop')
    outputOf(options).print({ stopped: true }, () => ['Stopped.'])
  })
}

/** `status`: a table for people; --json prints the whole `StatusReport`. */
export function statusCommand() {
  return command('status', 'show peers, studies and logs of the running node', 'consilium status').action(
    async (options: Common) => {
      const status = await clientOf(options).get<StatusReport>('/v1/status')
      outputOf(options).print(status, () => statusLines(status))
    },
  )
}

/** `doctor`: exit code 1 where a finding wants a look, so that a monitor can run it. */
export function doctorCommand() {
  return command(
    'doctor',
    'check clock, disk, ports and which members are reachable, or why the daemon would not start',
    'consilium doctor',
  ).action(async (options: Common) => {
    const findings = await findingsOf(options)
    outputOf(options).print(findings, () => [
      ...findings.map(({ ok, check, text }) => `${ok ? 'ok  ' : 'LOOK'}  ${check.padEnd(22)} ${text}`),
      '',
      findings.every((finding) => finding.ok)
        ? 'Nothing is wrong.'
        : `${findings.filter((finding) => !finding.ok).length} of ${findings.length} want a look.`,
    ])
    if (findings.some((finding) => !finding.ok)) process.exitCode = 1
  })
}

async function findingsOf(options: Common): Promise<readonly Finding[]> {
  try {
    return (await clientOf(options).get<{ findings: Finding[] }>('/v1/doctor')).findings
  } catch (error) {
    if (!(error instanceof ConsiliumError && error.code === 'daemon-not-running')) throw error
    const { examineStopped } = await import('../daemon/doctor.ts') // with the network's errors comes some of its stack
    return examineStopped(options.home)
  }
}

function statusLines(status: StatusReport): string[] {
  const { consortium, network } = status
  const sizes = new Map(status.ledger.map((log) => [log.member, log]))
  const own = sizes.get(status.member)
  return [
    `${status.name} · ${consortium.name} (epoch ${consortium.epoch}, ${consortium.members} members, ${consortium.accepted} signatures here, fingerprint ${consortium.fingerprint})`,
    `up ${duration(status.uptimeSeconds)} · ${megabytes(status.memoryBytes)} memory · own log ${own?.size ?? 0} entries · listening on ${status.addresses.join(' ') || 'nothing'}`,
    ...(status.fence === null ? [] : [fenceSentence(status.fence)]),
    `messages in ${network.messagesIn}, out ${network.messagesOut} · ${megabytes(network.bytesIn)} in, ${megabytes(network.bytesOut)} out`,
    '',
    ...table(
      ['member', 'role', 'connected', 'gossip', 'way', 'round trip', 'log', 'last failure'],
      status.peers.map((peer) => [
        peer.name,
        peer.role,
        peer.connected ? 'yes' : peer.throughOthers ? 'through others' : 'no',
        peer.gossiping ? 'yes' : 'no',
        peer.direction ?? '–',
        peer.roundTripMs === undefined ? '–' : `${peer.roundTripMs.toFixed(0)} ms`,
        sizes.get(peer.member)?.forked ? 'disputed' : String(sizes.get(peer.member)?.size ?? 0),
        peer.connected ? '' : (peer.lastError ?? 'not tried yet'),
      ]),
      [5, 6],
    ),
    '',
    ...status.suspensions.flatMap(suspensionLines),
    ...status.changes.map(
      (change) => `Proposed: ${changeSentence(change)}. This hospital has not said yes or no: consilium members ls`,
    ),
    ...(status.studies.length === 0
      ? ['No study yet. Propose one: consilium study add FILE']
      : status.studies.flatMap(studyLines)),
    ...status.rejections.map(({ name, reason, count }) => `refused from ${name}: ${reason}, ${count} ×`),
  ]
}

function studyLines(study: StudyReport): string[] {
  const { metrics } = study
  const own =
    metrics === null
      ? ''
      : ` · on ${metrics.examples} own held-out patients: AUC ${measure(metrics.auc)}, log-loss ${measure(metrics.logLoss)}, accuracy ${measure(metrics.accuracy)}`
  const merged =
    study.merged.length === 0
      ? ''
      : ` · last merge: ${study.merged.map(({ name, ageRounds }) => (ageRounds === 0 ? name : `${name} (age ${ageRounds})`)).join(', ')}`
  return [
    `${study.name} (${short(study.id)}): ${study.paused ? 'paused' : phaseWord(study.phase)}, ${study.round} of ${study.rounds} rounds, ${study.accepted.length} accepted, ${study.bound.length} bound${own}${merged}`,
    ...(study.failure === null ? [] : [`  the learner failed and is tried again: ${study.failure}`]),
    ...study.outliers.map(
      ({ name, merges }) =>
        `  set aside in the last ${merges} merges: ${name} (consilium study outliers ${short(study.id)})`,
    ),
    ...(study.refusal === null ? [] : [`  the next round may not start: ${study.refusal}`]),
  ]
}

/** The calls about trials. Record numbers of patients come in bodies alone, which no log has. */
import type { Routes } from './control.ts'
import type { Daemon } from './daemon.ts'
import { memberOf } from './logFilter.ts'
import type { TrialParticipants } from './trialApi.ts'
import { list, unseal } from './trialLists.ts'
import { lock, reveal, unlock } from './trialLocks.ts'
import { participantLines } from './trialParticipants.ts'
import { countWithoutConsent, enrol, happened, openOne, participant, readArm, withoutConsent } from './trialPatients.ts'
import { checkReport, trialLines, trialReport } from './trialReports.ts'
import { approve, propose, withdraw } from './trialWrites.ts'

/** Routes of the control API. */
export function trialCalls(daemon: Daemon): Routes {
  const { trials } = daemon
  return {
    'GET /v1/trials': async () => ({ trials: trialLines(await trials.book(), await trials.telling()) }),
    'GET /v1/trials/:': async ({ parts }) => {
      const { book, record, version } = await trials.find(parts[0] ?? '')
      const without = await countWithoutConsent(daemon, trials, record, version)
      return trialReport(book, record, version, await trials.telling(), without)
    },
    'GET /v1/trials/:/check': async ({ parts }) => {
      const { book, record } = await trials.find(parts[0] ?? '')
      return checkReport(book, record, await trials.telling())
    },
    'GET /v1/trials/:/participants': async ({ parts, query }): Promise<TrialParticipants> => {
      const { record, version } = await trials.find(parts[0] ?? '')
      const site = query.get('site')
      const only = site === null ? null : memberOf(daemon, site)
      const participants = participantLines(record, await trials.telling(), only)
      return { trial: record.id, name: version.body.name, participants }
    },
    'GET /v1/trials/:/participants/:': ({ parts }) =>
      participant(daemon, trials, parts[0] ?? '', { participant: parts[1] }),
    'POST /v1/trials': ({ body }) => propose(daemon, trials, body),
    'POST /v1/trials/:/approve': ({ parts, body, asked }) => approve(daemon, trials, parts[0] ?? '', body, asked),
    'POST /v1/trials/:/withdraw': ({ parts, body }) => withdraw(daemon, trials, parts[0] ?? '', body),
    'POST /v1/trials/:/list': ({ parts, body }) => list(daemon, trials, parts[0] ?? '', body),
    'POST /v1/trials/:/enrol': ({ parts, body }) => enrol(daemon, trials, parts[0] ?? '', body),
    'POST /v1/trials/:/event': ({ parts, body }) => happened(daemon, trials, parts[0] ?? '', body),
    'POST /v1/trials/:/arm': ({ parts, body }) => readArm(daemon, trials, parts[0] ?? '', body),
    'POST /v1/trials/:/participant': ({ parts, body }) => participant(daemon, trials, parts[0] ?? '', body),
    'POST /v1/trials/:/without-consent': ({ parts }) => withoutConsent(daemon, trials, parts[0] ?? ''),
    'POST /v1/trials/:/open': ({ parts, body }) => openOne(daemon, trials, parts[0] ?? '', body),
    'POST /v1/trials/:/unseal': ({ parts, body }) => unseal(daemon, trials, parts[0] ?? '', body),
    'POST /v1/trials/:/lock': ({ parts, body, asked }) => lock(daemon, trials, parts[0] ?? '', body, asked),
    'POST /v1/trials/:/unlock': ({ parts, body, asked }) => unlock(daemon, trials, parts[0] ?? '', body, asked),
    'POST /v1/trials/:/reveal': ({ parts, body }) => reveal(trials, parts[0] ?? '', body),
  }
}

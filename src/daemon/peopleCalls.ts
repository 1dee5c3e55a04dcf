/** The calls about people who act for this hospital, and the audit of who signed for what at every hospital. Names come in bodies alone. */
import { ConsiliumError } from '../core/errors.ts'
import type { MemberId } from '../core/ids.ts'
import { REVOCATION_REASONS, ROLES, type Role } from '../governance/kinds/people.ts'
import { SignOffAudit } from '../governance/signOffAudit.ts'
import { text } from './bodyFields.ts'
import type { Routes } from './control.ts'
import type { Daemon } from './daemon.ts'
import { LogReader } from './logReader.ts'
import type { PeopleAudit } from './peopleApi.ts'
import { squeeze } from './squeeze.ts'

/** Routes of the control API. */
export function peopleCalls(daemon: Daemon): Routes {
  return {
    'GET /v1/people': () => daemon.people.report(),
    'POST /v1/people': ({ body }) => daemon.people.enrol(text(body, 'card'), rolesIn(body)),
    'POST /v1/people/revoke': ({ body }) => daemon.people.revoke(text(body, 'person'), reasonIn(body)),
    'POST /v1/people/forget': ({ body }) => daemon.people.forget(text(body, 'person')),
    'GET /v1/audit/people': ({ query }) => audit(daemon, query.get('member')),
  }
}

function rolesIn({ roles }: Record<string, unknown>): Role[] {
  const given = Array.isArray(roles) ? roles : []
  const found = ROLES.filter((role) => given.includes(role))
  if (found.length > 0 && given.every((role) => (ROLES as readonly unknown[]).includes(role))) return found
  const message = `--role: ${JSON.stringify(roles ?? null).slice(0, 80)} was given, ${ROLES.join(', ')} are allowed`
  throw new ConsiliumError({ code: 'person-roles', message })
}

function reasonIn(body: Record<string, unknown>): (typeof REVOCATION_REASONS)[number] {
  const given = text(body, 'reason')
  const found = REVOCATION_REASONS.find((reason) => reason === given)
  if (found !== undefined) return found
  const message = `--reason: ${JSON.stringify(given.slice(0, 64))} was given, ${REVOCATION_REASONS.join(', ')} are allowed`
  throw new ConsiliumError({ code: 'person-reason', message })
}

async function audit(daemon: Daemon, member: string | null): Promise<{ logs: PeopleAudit[] }> {
  const reader = new LogReader(daemon)
  const logs: PeopleAudit[] = []
  for (const author of reader.authors(member)) logs.push(await auditOf(daemon, reader, author))
  return { logs }
}

async function auditOf(daemon: Daemon, reader: LogReader, author: MemberId): Promise<PeopleAudit> {
  const audited = new SignOffAudit(daemon.home.consortium.founding)
  for await (const entry of reader.scan([author])) audited.take(entry)
  const { signOffs, unsigned, faults, dropped, resets } = audited.finish()
  const name = daemon.nameOf(author)
  const refOf = (seq: number): string => `${squeeze(name)}/${seq}`
  const { people } = audited
  return {
    ...{ member: author, name, signOffs, unsigned, moreFaults: dropped },
    requiredSince: people.required === null ? null : refOf(people.required.seq),
    enrolled: people.all().filter(({ ended }) => ended === null).length,
    faults: faults.map(({ seq, what }) => ({ entry: refOf(seq), what })),
    resets: resets.map(({ seq, reason }) => ({ entry: refOf(seq), reason })),
  }
}

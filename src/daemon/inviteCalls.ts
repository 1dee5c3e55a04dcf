/** The calls about invitations. */
import { ConsiliumError } from '../core/errors.ts'
import { fingerprint } from '../ledger/founding.ts'
import type { Routes } from './control.ts'
import type { Daemon } from './daemon.ts'
import { type Invitation, isOpen } from './invitationBook.ts'
import type { InvitationRequest, Invitations } from './invitations.ts'
import type { InvitationReport } from './membersApi.ts'

/** Routes of the control API. */
export function inviteCalls(daemon: Daemon, invitations: Invitations): Routes {
  const report = (one: Invitation): InvitationReport => invitationReport(daemon, one)
  return {
    'GET /v1/invitations': async () => ({ invitations: invitations.all().map(report) }),
    'POST /v1/invitations': async ({ body }) => {
      const { ticket, invitation } = await invitations.invite(requestIn(body))
      const { founding } = daemon.home.membership.current
      return { ticket, fingerprint: fingerprint(founding), invitation: report(invitation) }
    },
    'POST /v1/invitations/:/revoke': async ({ parts }) => report(await invitations.revoke(parts[0] ?? '')),
    'POST /v1/invitations/:/propose': async ({ parts }) => report(await invitations.propose(parts[0] ?? '')),
  }
}

function requestIn({ name = null, days, observer, propose }: Record<string, unknown>): InvitationRequest {
  if ((name !== null && typeof name !== 'string') || typeof days !== 'number')
    throw new ConsiliumError({ code: 'body-malformed', message: 'name: a string, and days: a number are expected' })
  return { name, days, observer: observer === true, propose: propose === true }
}

function invitationReport(daemon: Daemon, one: Invitation): InvitationReport {
  const { guest, name, observer, propose, madeMs, expiresMs, revoked, card } = one
  const { roll } = daemon.home.membership
  const { changes } = daemon.machine.view()
  const isProposed = changes.some(({ change }) => change.add.some(({ key }) => key === card?.key))
  const isMember = card !== null && roll.authors.some((author) => author === card.key)
  const state = isMember
    ? 'member'
    : isProposed
      ? 'proposed'
      : revoked
        ? 'revoked'
        : card !== null
          ? 'held'
          : isOpen(one, Date.now())
            ? 'open'
            : 'expired'
  const came = card && { name: card.name, key: card.key, fingerprint: fingerprint(card.key), cameMs: card.cameMs }
  return {
    id: guest.slice(0, 12),
    name,
    role: observer ? 'observer' : 'hospital',
    propose,
    madeMs,
    expiresMs,
    state,
    came,
  }
}

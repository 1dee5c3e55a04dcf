/** Addresses as people write them: checked at the edge, and what the operating system says about listening put in one line. */
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { ConsiliumError, messageOf } from '../core/errors.ts'
import type { MemberId } from '../core/ids.ts'
import { memberOfText } from './peerIds.ts'

const HOST_NAMES = ['ip4', 'ip6', 'dns', 'dns4', 'dns6']
const LISTEN_HOSTS = ['ip4', 'ip6']
const WILDCARDS = ['0.0.0.0', '::']

/**
 * Parses an address to dial or announce: a host, /tcp/PORT, and perhaps /p2p/PEER. Throws `bad-address` in one line that names
 * `what` (`bootstrap address`) and the text.
 */
export function parseAddress(what: string, text: string): { address: string; peer: string | undefined } {
  const parts = componentsOf(what, text)
  const peer = parts.find((part) => part.name === 'p2p')?.value
  const host = parts.slice(0, peer === undefined ? undefined : -1)
  if (!isHostAndPort(host, HOST_NAMES)) throw badAddress(what, text)
  return { address: host.map((part) => `/${part.name}/${part.value}`).join(''), peer }
}

/** Checks an address to listen on: /ip4 or /ip6, then /tcp/PORT (0: any free port). Throws `bad-address`. */
export function checkListenAddress(text: string): void {
  if (!isHostAndPort(componentsOf('listen address', text), LISTEN_HOSTS)) throw badAddress('listen address', text)
}

/** Listen addresses with a host and port of their own: announced as they stand, even if public (libp2p would wait for AutoNAT). */
export function announceable(listen: readonly string[]): string[] {
  return listen.filter((text) => {
    const [host, port] = multiaddr(text).getComponents()
    return !WILDCARDS.includes(host?.value ?? '') && port?.value !== '0'
  })
}

/** An address told by a peer, without its /p2p/ part; undefined when it is not one that we can dial. */
export function dialable(address: Multiaddr): string | undefined {
  try {
    return parseAddress('address', address.toString()).address
  } catch {
    return undefined
  }
}

const LISTEN_FAULTS: Readonly<Record<string, { code: string; why: string }>> = {
  EADDRINUSE: { code: 'port-in-use', why: 'the port is in use: stop the other process or choose another port' },
  EACCES: { code: 'bad-address', why: 'this user may not listen there: choose a port of 1024 or above' },
  EADDRNOTAVAIL: {
    code: 'bad-address',
    why: 'this machine has no such address: use one of its own, or /ip4/0.0.0.0/tcp/PORT',
  },
}

/** What libp2p throws when it can't listen, as one line naming the address. */
export function listenError(error: unknown, listen: readonly string[]): ConsiliumError {
  const message = messageOf(error)
  for (const [errno, { code, why }] of Object.entries(LISTEN_FAULTS)) {
    if (!message.includes(errno)) continue
    const at = listen.find((text) => message.includes(`${text}: Error: listen ${errno}`)) ?? listen.join(', ')
    return new ConsiliumError({ code, message: `cannot listen on ${at}: ${why}`, cause: error })
  }
  const facts = { code: 'network-start', message: `the network did not start: ${message.slice(0, 300)}`, cause: error }
  return new ConsiliumError(facts)
}

function componentsOf(what: string, text: string) {
  try {
    return multiaddr(text).getComponents()
  } catch {
    throw badAddress(what, text)
  }
}

function isHostAndPort(parts: readonly { name: string; value?: string }[], hosts: readonly string[]): boolean {
  return parts.length === 2 && hosts.includes(parts[0]?.name ?? '') && parts[1]?.name === 'tcp'
}

function badAddress(what: string, text: string): ConsiliumError {
  const message = `${what} "${text.slice(0, 120)}" is not one: expected /ip4/HOST/tcp/PORT, /ip6/… or /dns4/…`
  return new ConsiliumError({ code: 'bad-address', message })
}

/** A member with the addresses where it may be reached, as multiaddr text. */
export interface ListedMember {
  readonly id: MemberId
  readonly addresses: readonly string[]
}

/** The member list with addresses as the book keeps them; an address that names another identity is refused. Error: `bad-address`. */
export function listedAddresses(members: readonly ListedMember[]): ListedMember[] {
  return members.map(({ id, addresses }) => ({
    id,
    addresses: addresses.map((text) => {
      const { address, peer } = parseAddress(`address of member ${id.slice(0, 12)}…`, text)
      if (peer === undefined || memberOfText(peer) === id) return address
      const message = `address ${text} of member ${id.slice(0, 12)}… names another key: remove its /p2p/ part or correct it`
      throw new ConsiliumError({ code: 'bad-address', message })
    }),
  }))
}

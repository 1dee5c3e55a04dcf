/**
 * The control API: HTTP/1.1 on a unix socket in the data folder, mode 0600. Whoever may open the socket may do all that it offers, until the
 * hospital has enrolled people: then what changes anything needs a sign-off (`signOffDesk.ts`).
 */
import { chmod, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { sha256 } from '../core/digest.ts'
import { ConsiliumError, messageOf } from '../core/errors.ts'
import { LIMITS } from '../core/limits.ts'
import type { ActPattern } from '../governance/roles.ts'
import { type Asked, SIGN_OFF_HEADER } from '../governance/signOff.ts'
import { drained } from './files.ts'

const BODY_BYTES_MAX = LIMITS.studyBytesMax * 2 // a study document in base64 within JSON
const SOCKET_PATH_BYTES_MAX = 103 // sun_path of macOS; Linux has 107

export type Query = URLSearchParams

/** One call: answers with JSON, or yields JSON lines until the client goes away. */
export type Route = (call: {
  readonly query: Query
  readonly parts: readonly string[]
  readonly body: Record<string, unknown>
  readonly signal: AbortSignal
  readonly asked: Signable
}) => Promise<unknown> | AsyncIterable<unknown>

/** What a sign-off is over, and the sign-off as it was sent; null where none was. */
export interface Signable extends Asked {
  readonly signOff: string | null
}

/** Routes by `METHOD /path`, where `:` stands for one part of the path. What is no GET has a row in `ACTS`: else it does not compile. */
export type Routes = { readonly [pattern: `GET ${string}`]: Route } & { readonly [pattern in ActPattern]?: Route }

/** One server on the socket at `path`; `log` hears of bugs of ours only. `stop` aborts open calls, is idempotent, and removes the socket. */
export class Control {
  readonly #path: string
  readonly #routes: Readonly<Record<string, Route>>
  readonly #log: (event: string, facts: Record<string, unknown>) => void
  readonly #open = new Set<AbortController>()
  #server: Server | null = null

  constructor(
    path: string,
    routes: Readonly<Record<string, Route>>,
    log: (event: string, facts: Record<string, unknown>) => void,
  ) {
    this.#path = path
    this.#routes = routes
    this.#log = log
  }

  /** Errors: `control-path-too-long`, `data-folder-locked` (a daemon answers there already), `file-not-writable`. */
  async start(): Promise<void> {
    requireSocketPath(this.#path)
    if (await answers(this.#path)) {
      throw new ConsiliumError({
        code: 'data-folder-locked',
        message: `${this.#path}: another daemon answers there; stop it first ("consilium stop"), or use another --home`,
      })
    }
    await rm(this.#path, { force: true })
    const server = createServer((request, response) => void this.#serve(request, response))
    const mask = process.umask(0o177) // the socket is born with mode 0600, not opened up for a moment
    try {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject)
        server.listen(this.#path, resolve)
      })
    } catch (error) {
      throw new ConsiliumError({
        code: 'file-not-writable',
        message: `${this.#path}: the control socket cannot be made (${messageOf(error)}); check the folder's permissions`,
      })
    } finally {
      process.umask(mask)
    }
    await chmod(this.#path, 0o600)
    this.#server = server
  }

  async stop(): Promise<void> {
    const server = this.#server
    this.#server = null
    if (server === null) return
    for (const call of this.#open) call.abort()
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
    server.closeIdleConnections()
    setTimeout(() => server.closeAllConnections(), 500).unref()
    await closed
    await rm(this.#path, { force: true })
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const call = new AbortController()
    this.#open.add(call)
    response.once('close', () => call.abort())
    try {
      const url = new URL(request.url ?? '/', 'http://control')
      const { route, parts } = this.#find(request.method ?? 'GET', url.pathname)
      const bytes = await readBytes(request)
      const body = bodyIn(bytes)
      const answer = route({
        query: url.searchParams,
        parts,
        body,
        signal: call.signal,
        asked: askedIn(request, bytes),
      })
      if (Symbol.asyncIterator in answer) await stream(response, answer)
      else send(response, 200, (await answer) ?? {})
    } catch (error) {
      this.#refuse(response, error)
    } finally {
      this.#open.delete(call)
    }
  }

  #refuse(response: ServerResponse, error: unknown): void {
    const known = error instanceof ConsiliumError
    if (!known)
      this.#log('control-failed', { error: messageOf(error), stack: error instanceof Error ? error.stack : undefined })
    const report = {
      error: {
        code: known ? error.code : 'internal',
        message: known
          ? error.message
          : `an error of Consilium itself: ${messageOf(error)}; please report it with the log`,
      },
    }
    if (response.headersSent) response.end(`${JSON.stringify(report)}\n`)
    else send(response, known ? 400 : 500, report)
  }

  #find(method: string, path: string): { route: Route; parts: string[] } {
    const given = path.split('/')
    for (const [pattern, route] of Object.entries(this.#routes)) {
      const [verb, shape = ''] = pattern.split(' ')
      const wanted = shape.split('/')
      if (verb !== method || wanted.length !== given.length) continue
      if (wanted.every((part, i) => part === ':' || part === given[i])) {
        return { route, parts: given.filter((_, i) => wanted[i] === ':').map(decodeURIComponent) }
      }
    }
    throw new ConsiliumError({
      code: 'no-such-call',
      message: `${method} ${path}: this daemon has no such call; is the command of another version?`,
    })
  }
}

/** Error: `control-path-too-long`. */
export function requireSocketPath(path: string): void {
  if (Buffer.byteLength(path) <= SOCKET_PATH_BYTES_MAX) return
  throw new ConsiliumError({
    code: 'control-path-too-long',
    message: `${path}: a socket's path may have ${SOCKET_PATH_BYTES_MAX} bytes; use a shorter --home`,
  })
}

function askedIn({ method = 'GET', url = '/', headers }: IncomingMessage, body: Uint8Array): Signable {
  const given = headers[SIGN_OFF_HEADER]
  return { method, path: url, bodyHash: sha256(body), signOff: typeof given === 'string' ? given : null }
}

async function readBytes(request: IncomingMessage): Promise<Uint8Array> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request) {
    bytes += (chunk as Buffer).length
    if (bytes <= BODY_BYTES_MAX) chunks.push(chunk as Buffer) // the rest is read and dropped: who still sends hears no answer
  }
  if (bytes > BODY_BYTES_MAX)
    throw new ConsiliumError({
      code: 'body-too-large',
      message: `${bytes} bytes were sent; at most ${BODY_BYTES_MAX} are allowed`,
    })
  return Buffer.concat(chunks)
}

function bodyIn(bytes: Uint8Array): Record<string, unknown> {
  if (bytes.length === 0) return {}
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'))
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  } catch {
    // said below, as for any other body that is no JSON object
  }
  throw new ConsiliumError({ code: 'body-malformed', message: 'the body is not a JSON object' })
}

function send(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(`${JSON.stringify(value)}\n`)
}

async function stream(response: ServerResponse, values: AsyncIterable<unknown>): Promise<void> {
  response.writeHead(200, { 'content-type': 'application/x-ndjson' })
  response.flushHeaders()
  for await (const value of values) {
    response.write(`${JSON.stringify(value)}\n`)
    await drained(response)
    if (response.destroyed) return // the client is gone
  }
  response.end()
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

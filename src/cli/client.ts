/** Talks to the daemon of a data folder over its control socket. */
import { request } from 'node:http'
import { createInterface } from 'node:readline'
import type { SigningKey } from '../core/ed25519.ts'
import { ConsiliumError } from '../core/errors.ts'
import type { ErrorReport } from '../daemon/api.ts'
import type { PeopleReport } from '../daemon/peopleApi.ts'

const ANSWER_BYTES_MAX = 268_435_456 // a model of 10 million numbers as JSON

/**
 * One per command; each call is a connection of its own. Errors: what the daemon answers to `get` and `post`, `daemon-not-running`, `control-refused`,
 * `control-failed`, `answer-too-large`.
 */
export class Client {
  readonly #socket: string
  readonly #home: string
  readonly #person: (() => Promise<SigningKey>) | null

  /** `person` opens the key of who signs for what is posted; it is asked at the first such call. */
  constructor(home: string, socket: string, person: (() => Promise<SigningKey>) | null = null) {
    this.#home = home
    this.#socket = socket
    this.#person = person
  }

  get<T extends object>(path: string): Promise<T> {
    return this.#call<T>('GET', path, undefined)
  }

  async post<T extends object>(path: string, body: object = {}): Promise<T> {
    const text = JSON.stringify(body)
    return this.#call<T>('POST', path, text, await this.#signed('POST', path, text))
  }

  /** The header that says who signs for a call; none where nobody does. */
  async #signed(method: string, path: string, body: string): Promise<Record<string, string>> {
    if (this.#person === null) return {}
    const { signOffHeader } = await import('./signOffHeader.ts')
    return signOffHeader({ method, path, body }, this.#person, () => this.get<PeopleReport>('/v1/people'))
  }

  /** JSON lines as they come, until the daemon ends or `signal` aborts; a refusal may come at first or after any line. */
  async *follow<T extends object>(path: string, signal: AbortSignal): AsyncIterable<T> {
    const response = await this.#open('GET', path, undefined, signal)
    const lines = createInterface({ input: response })
    try {
      for await (const line of lines) yield this.#accepted<T>(line)
    } catch (error) {
      if (signal.aborted) return
      throw error instanceof ConsiliumError ? error : this.#explain(error as NodeJS.ErrnoException)
    } finally {
      response.destroy()
    }
  }

  async #call<T extends object>(
    method: string,
    path: string,
    body: string | undefined,
    headers: Record<string, string> = {},
  ): Promise<T> {
    const response = await this.#open(method, path, body, undefined, headers)
    const chunks: Buffer[] = []
    let bytes = 0
    try {
      for await (const chunk of response) {
        bytes += (chunk as Buffer).length
        if (bytes <= ANSWER_BYTES_MAX) chunks.push(chunk as Buffer)
      }
    } catch (error) {
      throw this.#explain(error as NodeJS.ErrnoException)
    }
    if (bytes > ANSWER_BYTES_MAX)
      throw new ConsiliumError({
        code: 'answer-too-large',
        message: 'the daemon answered more than this command reads',
      })
    return this.#accepted<T>(Buffer.concat(chunks).toString('utf8'))
  }

  #open(
    method: string,
    path: string,
    body: string | undefined,
    signal?: AbortSignal,
    headers: Record<string, string> = {},
  ): Promise<import('node:http').IncomingMessage> {
    return new Promise((resolve, reject) => {
      const call = request(
        { socketPath: this.#socket, method, path, signal, headers: { 'content-type': 'application/json', ...headers } },
        resolve,
      )
      call.once('error', (error: NodeJS.ErrnoException) => reject(this.#explain(error)))
      call.end(body)
    })
  }

  #accepted<T extends object>(text: string): T {
    let answer: T | ErrorReport | null = null
    try {
      answer = JSON.parse(text) as T | ErrorReport
    } catch {
      // said below: a daemon that is killed leaves half an answer
    }
    if (answer === null || typeof answer !== 'object') throw this.#explain(new Error('it broke off'))
    if ('error' in answer) throw new ConsiliumError(answer.error)
    return answer
  }

  #explain(error: NodeJS.ErrnoException): ConsiliumError {
    if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') {
      return new ConsiliumError({
        code: 'daemon-not-running',
        message: `${this.#home}: no daemon is running on this data folder; start it with "consilium start --home ${this.#home}", or point --home at another`,
      })
    }
    if (error.code === 'EACCES') {
      return new ConsiliumError({
        code: 'control-refused',
        message: `${this.#socket}: this user may not control the daemon; run the command as the user who started it`,
      })
    }
    return new ConsiliumError({
      code: 'control-failed',
      message: `${this.#socket}: the daemon did not answer (${error.code ?? error.message}); see its log`,
    })
  }
}

/** The control API on a real socket: who may open it, what it answers, and that a client that leaves leaves nothing behind. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { request, type ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Control, type Route } from '../../src/daemon/control.ts'
import { until } from './kit.ts'

const it = suite('control')

async function withControl(
  routes: Readonly<Record<string, Route>>,
  use: (path: string, control: Control) => Promise<void>,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'consilium-control-'))
  const path = join(folder, 'control.sock')
  const control = new Control(path, routes, () => undefined)
  try {
    await control.start()
    await use(path, control)
  } finally {
    await control.stop()
    await rm(folder, { recursive: true })
  }
}

function call(socketPath: string, path: string, body = '', method = 'POST'): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath, path, method }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }))
    })
    sent.on('error', reject).end(body)
  })
}

it('the socket is its owner’s alone, and gone after the stop', () =>
  withControl({}, async (path, control) => {
    assert.is((await stat(path)).mode & 0o777, 0o600)
    await control.stop()
    assert.is(await stat(path).catch(() => null), null)
  }))

it('an answer is JSON, and so is every refusal', () =>
  withControl(
    {
      'POST /echo/:': async ({ parts, body }) => ({ parts, body }),
      'POST /bug': async () => {
        throw new Error('ours')
      },
    },
    async (path) => {
      const echoed = await call(path, '/echo/a%20b', '{"x":1}')
      assert.equal([echoed.status, JSON.parse(echoed.text)], [200, { parts: ['a b'], body: { x: 1 } }])
      const refusals: [string, string, number, string][] = [
        ['/none', '', 400, 'no-such-call'],
        ['/echo/a', 'not json', 400, 'body-malformed'],
        ['/echo/a', '[1]', 400, 'body-malformed'],
        ['/echo/a', `{"x":"${'x'.repeat(200_000)}"}`, 400, 'body-too-large'],
        ['/bug', '', 500, 'internal'],
      ]
      for (const [where, body, status, code] of refusals) {
        const answer = await call(path, where, body)
        assert.equal([answer.status, JSON.parse(answer.text).error.code], [status, code], where)
        assert.not.match(answer.text, /\n\s+at /)
      }
    },
  ))

it('a long stream to a client that reads leaves no listener behind at any of its waits', async () => {
  let answer: ServerResponse | null = null
  const seen = (message: unknown): void => {
    answer = (message as { response: ServerResponse }).response
  }
  subscribe('http.server.request.start', seen)
  const counts: number[][] = []
  let waits = 0
  const routes: Readonly<Record<string, Route>> = {
    'GET /long': async function* () {
      const response = answer as unknown as ServerResponse
      const names = ['drain', 'close', 'error'] as const
      response.on('drain', () => waits++)
      for (let i = 0; i < 30; i++) {
        counts.push(names.map((name) => response.listenerCount(name)))
        yield 'x'.repeat(100_000)
      }
    } as unknown as Route,
  }
  try {
    await withControl(routes, async (path) => {
      const { text } = await call(path, '/long', '', 'GET')
      assert.is(text.length, 30 * 100_003)
    })
  } finally {
    unsubscribe('http.server.request.start', seen)
  }
  assert.is(waits, 30)
  assert.equal(counts, Array(30).fill(counts[0]))
})

it('a client that leaves in the middle of a stream ends it, however full its pipe was', () => {
  let [begun, ended] = [0, 0]
  const routes: Readonly<Record<string, Route>> = {
    'GET /tail': async function* () {
      begun++
      try {
        for (;;) {
          yield 'x'.repeat(100_000)
          await new Promise((resolve) => setTimeout(resolve, 1))
        }
      } finally {
        ended++
      }
    } as unknown as Route,
  }
  return withControl(routes, async (socketPath) => {
    for (let i = 0; i < 20; i++) {
      const client = request({ socketPath, path: '/tail', method: 'GET' })
      client.on('error', () => undefined).end()
      client.on('response', (response) => {
        response.on('error', () => undefined).pause()
        setTimeout(() => client.destroy(), 20 * (i % 5))
      })
    }
    await until(5_000, 'all streams to end', async () => begun === 20 && ended === 20)
  })
})

it.run()

/** What the client says of a daemon that ends in the middle of an answer. */
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Client } from '../../src/cli/client.ts'
import { ConsiliumError } from '../../src/core/errors.ts'

const it = suite('client')

/** The code with which `ask` fails at a daemon that answers by `answer`. */
async function codeOf(answer: (response: ServerResponse) => void, ask: (client: Client) => Promise<unknown>) {
  const folder = await mkdtemp(join(tmpdir(), 'consilium-client-'))
  const socket = join(folder, 'control.sock')
  const server = createServer((_, response) => answer(response))
  await new Promise<void>((resolve) => server.listen(socket, resolve))
  try {
    await ask(new Client(folder, socket))
    return 'answered'
  } catch (error) {
    assert.instance(error, ConsiliumError, String(error))
    assert.not.match((error as Error).message, /\n/)
    return (error as ConsiliumError).code
  } finally {
    server.close()
    await rm(folder, { recursive: true })
  }
}

const get = (client: Client) => client.get<{ value: number }>('/v1/status')
const follow = async (client: Client) => {
  for await (const _ of client.follow<{ value: number }>('/v1/log/follow', new AbortController().signal));
}
const rest = (response: ServerResponse, text: string, then: () => unknown) =>
  response.write(text, () => setTimeout(then, 20))

const ANSWERS: readonly [what: string, answer: (response: ServerResponse) => void, got: string, followed: string][] = [
  ['a whole answer', (response) => response.end('{"value":1}\n'), 'answered', 'answered'],
  ['a refusal', (response) => response.end('{"error":{"code":"no","message":"No."}}\n'), 'no', 'no'],
  ['nothing', (response) => response.end(), 'control-failed', 'answered'],
  ['half an answer', (response) => response.end('{"value":'), 'control-failed', 'control-failed'],
  ['null', (response) => response.end('null\n'), 'control-failed', 'control-failed'],
  [
    'a break in the middle',
    (response) => rest(response, '{"value":', () => response.destroy()),
    'control-failed',
    'control-failed',
  ],
  [
    'a line and a break',
    (response) => rest(response, '{"value":1}\n', () => response.destroy()),
    'control-failed',
    'control-failed',
  ],
]

for (const [what, answer, got, followed] of ANSWERS) {
  it(`${what}: ${got} when asked, ${followed} when followed`, async () => {
    assert.is(await codeOf(answer, get), got)
    assert.is(await codeOf(answer, follow), followed)
  })
}

it.run()

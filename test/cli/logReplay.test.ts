/** What `log verify --replay` prints of a daemon's answer, and how it ends. */
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { replayLines } from '../../src/cli/logReplay.ts'
import type { ReplayReport } from '../../src/daemon/api.ts'
import { consilium, type Ended } from '../daemon/kit.ts'

const it = suite('log replay')

const EQUAL: ReplayReport = {
  member: 'ab'.repeat(32),
  name: 'St. Mary',
  merges: 40,
  recomputed: 40,
  equal: 40,
  otherAges: 0,
  differing: 0,
  differences: [],
  notChecked: [],
  missing: [],
}
const DIFFERING: ReplayReport = {
  ...EQUAL,
  name: 'South',
  recomputed: 36,
  equal: 34,
  otherAges: 3,
  differing: 2,
  differences: [
    { ref: 'South/17', round: 4, what: 'the result is aa…, recomputed it is bb…' },
    { ref: 'South/21', round: 5, what: 'the coefficient of South is 0.5, recomputed it is 0.25' },
  ],
  notChecked: [
    { reason: 'inputs-missing', merges: 3 },
    { reason: 'rule-unknown', merges: 1 },
  ],
  missing: [{ name: 'St. Mary', merges: 3 }],
}

it('the table counts, each difference is named, and the last sentence says what could not be checked', () => {
  assert.equal(replayLines([EQUAL, DIFFERING]), [
    'merges of  recorded  recomputed  equal  differing  not checked',
    'St. Mary         40          40     40          0            0',
    'South            40          36     34          2            4',
    'South/17 (round 4): the result is aa…, recomputed it is bb…',
    'South/21 (round 5): the coefficient of South is 0.5, recomputed it is 0.25',
    '3 merges equal with other ages of updates than the logs show, as after a start or a merge that was done again.',
    "Not checked: 3 merges of updates that are not kept here: dropped as the oldest, found damaged, or never heard (St. Mary 3); 1 merge of a rule that this version does not know. How an update was trained, and each hospital's private head, nobody else can recompute.",
  ])
  assert.match(replayLines([EQUAL]).at(-1) ?? '', /^Not checked: no merge\. /)
})

/** Runs the command against a daemon that answers `logs`; gives what was asked too. */
async function verify(logs: readonly ReplayReport[], ...more: string[]): Promise<Ended & { asked: string[] }> {
  const folder = await mkdtemp(join(tmpdir(), 'consilium-replay-'))
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`)
    response.end(JSON.stringify({ logs }))
  })
  await new Promise<void>((resolve) => server.listen(join(folder, 'control.sock'), resolve))
  try {
    return { ...(await consilium(['log', 'verify', '--replay', '--home', folder, ...more])), asked }
  } finally {
    server.close()
    await rm(folder, { recursive: true })
  }
}

it('where all are equal the command succeeds; with --member only that log is asked for', async () => {
  const { code, out, err, asked } = await verify([EQUAL], '--member', 'St. Mary')
  assert.equal([code, err], [0, ''])
  assert.match(out, 'St. Mary')
  assert.equal(asked, ['GET /v1/log/replay?member=St.%20Mary'])
})

it('where one differs the command ends with 1 and the first of them, after the whole report', async () => {
  const { code, out, err } = await verify([EQUAL, DIFFERING])
  assert.is(code, 1)
  assert.match(out, 'South/21')
  assert.is(err, 'consilium: South/17, the merge of round 4: the result is aa…, recomputed it is bb…\n')
  const json = await verify([EQUAL, DIFFERING], '--json')
  assert.is(json.code, 1)
  assert.equal(JSON.parse(json.out), [EQUAL, DIFFERING])
  assert.match(json.err, 'merge-differs')
})

it.run()

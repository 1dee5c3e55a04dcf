/** The desk where people sign, behind a real socket and the client of the command line: what passes, what is refused, what is recorded. */
import { mkdtemp, rm } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import '../../src/polyfill.ts'
import { Client } from '../../src/cli/client.ts'
import { fromHex, toHex, utf8 } from '../../src/core/bytes.ts'
import { sha256 } from '../../src/core/digest.ts'
import type { SigningKey } from '../../src/core/ed25519.ts'
import { Control, type Route } from '../../src/daemon/control.ts'
import { LedgerWriter } from '../../src/daemon/ledgerWriter.ts'
import { SignOffDesk } from '../../src/daemon/signOffDesk.ts'
import { type ActPattern, isAct } from '../../src/governance/roles.ts'
import { SIGN_OFF_HEADER, writeSignOff } from '../../src/governance/signOff.ts'
import { SignOffAudit } from '../../src/governance/signOffAudit.ts'
import { emptyTip } from '../../src/ledger/chain.ts'
import type { Entry } from '../../src/ledger/entry.ts'
import type { Draft } from '../../src/node/actions.ts'
import { MemoryStore } from '../../src/store/memoryStore.ts'
import { commitmentOf, FOUNDING, OTHER, personKey, signed } from '../governance/peopleKit.ts'
import { keyOf } from '../ledger/fixtures.ts'
import { until } from './kit.ts'

const it = suite('sign-off desk')
const NODE = keyOf('ada')
const draft = (kind: Draft['kind'], body: Draft['body'] = {}): Draft => ({
  ...{ kind, study: null, timeMs: Date.now(), refs: [], body },
})

interface Hall {
  readonly entries: Entry[]
  readonly desk: SignOffDesk
  readonly socket: string
  /** How many calls were let through. */
  passed: number
  fenced: boolean
  /** Settles when what calls set going is done. */
  later(): Promise<void>
  as(name: string): Client
}

/** A hospital whose approver is ada, and bo its operator; cy was an approver, and left. */
async function inHall(use: (hall: Hall) => Promise<void>, staff = true): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'consilium-desk-'))
  const socket = join(folder, 'control.sock')
  const entries: Entry[] = []
  let tip = emptyTip(NODE.member)
  const desk: SignOffDesk = new SignOffDesk({
    ...{ founding: FOUNDING, self: NODE.member, startedAtMs: Date.now() - 60_000 },
    writer: () => (hall.fenced ? null : writer),
    refOf: (seq) => `North/${seq}`,
    names: async () => new Map([[toHex(commitmentOf('ada')) as never, 'Dr. Ada Lind']]),
  })
  const writer: LedgerWriter = new LedgerWriter({
    ...{ key: NODE, founding: FOUNDING, heardLamport: () => 0, store: new MemoryStore(), tip: () => tip },
    onCommitted: (committed) => {
      tip = committed.tip
      entries.push(...committed.entries)
      desk.note(committed.entries)
    },
    signedFor: desk.signedFor,
    onFailed: (error) => assert.unreachable(String(error)),
  })
  const as = (name: string): Client => new Client(folder, socket, async (): Promise<SigningKey> => personKey(name))
  const { promise: answered, resolve: go } = Promise.withResolvers<void>()
  let behind: Promise<void> = Promise.resolve()
  const later = async (): Promise<void> => {
    go()
    await behind
  }
  const hall: Hall = { entries, desk, socket, passed: 0, fenced: false, as, later }
  const does = (...drafts: Draft[]): Route => {
    return async ({ body }) => {
      hall.passed++
      if (body.fails === true) throw new Error('ours')
      if (body.waits === true) await answered
      if (drafts.length > 0) writer.record('act', drafts, new Map())
      await writer.flush()
      if (body.later === true)
        behind = answered.then(() => {
          writer.record('later', drafts, new Map())
          return writer.flush()
        })
      return { done: true }
    }
  }
  const bodies = { redacted: { seq: 0, hash: sha256(), reason: 'personal-data' } }
  const calls: Record<string, Route> = {
    'GET /v1/people': async () => ({ founding: FOUNDING, member: NODE.member }),
    'GET /v1/status': async () => ({ open: true }),
    'POST /v1/stop': does(),
    'POST /v1/studies': does(draft('study.proposed', { document: utf8('x') }), draft('study.accepted')),
    'POST /v1/studies/:/pause': does(draft('study.paused')),
    'POST /v1/consent/show': does(),
    'POST /v1/audit/round': does(),
    'POST /v1/log/redact': does(draft('operator.redacted', bodies.redacted)),
    'POST /v1/log/prune': does(
      ...Array.from({ length: 150 }, () =>
        draft('operator.pruned', { member: sha256(), class: 'training', before: 1, entries: 1 }),
      ),
    ),
  }
  const guarded = Object.entries(calls).map(([pattern, route]): [string, Route] => [
    pattern,
    isAct(pattern) ? async (call) => desk.pass(pattern as ActPattern, call.asked, () => route(call)) : route,
  ])
  const control = new Control(socket, Object.fromEntries(guarded), () => undefined)
  const enrol = (name: string, ...roles: string[]): Draft =>
    draft('person.enrolled', {
      person: commitmentOf(name),
      key: Buffer.from(personKey(name).member, 'hex'),
      roles,
    } as never)
  if (staff) {
    writer.record(
      'staff',
      [enrol('bo', 'operator'), enrol('di', 'auditor'), enrol('ada', 'approver'), enrol('cy', 'approver')],
      new Map(),
    )
    writer.record('left', [draft('person.revoked', { person: commitmentOf('cy'), reason: 'left' })], new Map())
    await writer.flush()
  }
  try {
    await control.start()
    await use(hall)
  } finally {
    await control.stop()
    await rm(folder, { recursive: true })
  }
}

const refusal = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => 'passed',
    (error: Error & { code?: string }) => `${error.code}: ${error.message}`,
  )

it('where nobody is enrolled, every call passes, signed or not, and nothing is added to the log', () =>
  inHall(async ({ as, socket, entries }) => {
    await new Client('', socket).post('/v1/studies')
    await as('eve').post('/v1/studies/x/pause')
    assert.equal(
      entries.map(({ kind }) => kind),
      ['study.proposed', 'study.accepted', 'study.paused'],
    )
  }, false))

it('what an act leads to is followed in its commit by who signed for it, and whoever holds the log can check that', () =>
  inHall(async (hall) => {
    const { as, entries } = hall
    await as('ada').post('/v1/studies', { document: 'x' })
    await as('bo').post('/v1/studies/x/pause')
    await as('ada').post('/v1/log/redact')
    await as('bo').post('/v1/log/prune')
    await as('di').post('/v1/audit/round', { ref: 'x' })
    assert.equal(
      entries.slice(5, 13).map(({ kind }) => kind),
      [
        ...['study.proposed', 'study.accepted', 'person.acted', 'study.paused', 'person.acted'],
        ...['operator.redacted', 'person.acted', 'operator.pruned'],
      ],
    )
    const acted = entries.filter(({ kind }) => kind === 'person.acted')
    const cited = acted.map(({ refs }) => refs.length - 1)
    assert.equal(cited, [2, 1, 1, 63, 63, 24, 0], 'each cites what it signs for, as many as an entry may')
    assert.equal(
      (acted[0]?.refs ?? []).map(([, seq]) => seq),
      [2, 5, 6],
      'the enrolment first',
    )
    const audit = new SignOffAudit(FOUNDING)
    for (const entry of entries) audit.take(entry)
    const { unsigned, signOffs, faults } = audit.finish()
    // the staff of this test was enrolled in one go: whoever came after the first approver, by nobody
    assert.equal([unsigned, signOffs, faults.map(({ seq }) => seq)], [2, 7, [3, 4]])
  }))

/** Each row is refused, with a line that says what is needed, on what that rests and whom to ask; nothing is carried out. */
const REFUSED: readonly [what: string, call: (hall: Hall) => Promise<unknown>, says: RegExp][] = [
  [
    'an act that nobody signed',
    ({ socket }) => new Client('', socket).post('/v1/studies'),
    /^person-needed: study\.add needs the sign-off of an approver, as every act here since entry North\/2; add --as FILE, or set CONSILIUM_PERSON, with the key of Dr\. Ada Lind$/,
  ],
  [
    'an act of an operator that an approver has to sign',
    ({ as }) => as('bo').post('/v1/log/redact'),
    /^person-role: person [0-9a-f]{12} is an operator here by entry North\/0, and log\.redact needs the sign-off of an approver: ask Dr\. Ada Lind$/,
  ],
  [
    'an act of an auditor',
    ({ as }) => as('di').post('/v1/studies/x/pause'),
    /^person-role: .* is an auditor here by entry North\/1, and study\.pause needs the sign-off of an operator/,
  ],
  [
    'an act of somebody who left',
    ({ as }) => as('cy').post('/v1/studies'),
    /^person-revoked: .* acts here no longer since entry North\/4 \(left\)/,
  ],
  ['an act of a stranger', ({ as }) => as('eve').post('/v1/studies'), /^person-unknown: .*nobody who is enrolled here/],
  [
    'a sign-off of another call',
    async ({ socket }) => raw(socket, '/v1/studies', '{"document":"y"}', header('/v1/studies', '{"document":"x"}')),
    /^person-signature: .*not one of Dr\. Ada Lind over this call/,
  ],
  [
    'a sign-off that is none',
    async ({ socket }) => raw(socket, '/v1/studies', '{}', 'AAAA'),
    /^person-malformed: .*no sign-off of this version/,
  ],
  [
    'a sign-off of six minutes ago',
    async ({ socket }) => raw(socket, '/v1/studies', '{}', header('/v1/studies', '{}', Date.now() - 360_000)),
    /^person-time: Dr\. Ada Lind signed more than 5 minutes ago/,
  ],
  [
    'a sign-off from before the start',
    async ({ socket }) => raw(socket, '/v1/studies', '{}', header('/v1/studies', '{}', Date.now() - 120_000)),
    /^person-time: Dr\. Ada Lind signed before this node started/,
  ],
]

for (const [what, call, says] of REFUSED) {
  it(`${what} is refused, and nothing is done`, () =>
    inHall(async (hall) => {
      const before = hall.entries.length
      assert.match(await refusal(call(hall)), says)
      assert.equal([hall.passed, hall.entries.length], [0, before])
    }))
}

it('a sign-off is for one call: sent again, it is refused, and the act is done once', () =>
  inHall(async (hall) => {
    const body = '{"document":"x"}'
    const once = header('/v1/studies', body)
    const answers = await Promise.all([1, 2].map(() => refusal(raw(hall.socket, '/v1/studies', body, once))))
    assert.equal(answers.filter((answer) => answer === 'passed').length, 1)
    assert.match(answers.join(), /person-used: Dr\. Ada Lind signed for one call/)
    assert.is(hall.passed, 1)
  }))

it('what is looked at is recorded, and what failed is not', () =>
  inHall(async ({ as, entries }) => {
    const before = entries.length
    await as('bo').post('/v1/consent/show', { subject: '4711' })
    await refusal(as('bo').post('/v1/consent/show', { fails: true }))
    const [acted, ...more] = entries.slice(before)
    assert.equal([acted?.kind, acted?.refs.length, more.length], ['person.acted', 1, 0])
    const told = JSON.stringify(acted?.body)
    assert.match(told, /consent\.show/)
    assert.not.match(told, /4711/)
  }))

it('what a call sets going is not signed for once it has answered, and two calls at a time are told apart', () =>
  inHall(async (hall) => {
    const { as, entries, later } = hall
    const before = entries.length
    const waiting = as('ada').post('/v1/studies', { waits: true })
    await until(5_000, 'that call to run', async () => hall.passed === 1)
    await as('bo').post('/v1/studies/x/pause', { later: true })
    await later()
    await waiting
    const kinds = entries.slice(before).map(({ kind }) => kind)
    assert.equal(kinds.toSorted(), [
      ...['person.acted', 'person.acted', 'study.accepted', 'study.paused', 'study.paused', 'study.proposed'],
    ])
    const unsigned = entries.findLast(({ kind }) => kind === 'study.paused')?.seq
    const audit = new SignOffAudit(FOUNDING)
    for (const entry of entries) audit.take(entry)
    const { faults } = audit.finish()
    assert.equal(
      faults.map(({ seq }) => seq),
      [3, 4, unsigned],
      'nobody signed for what came later',
    )
  }))

it('of other hospitals’ people nobody acts here, in whatever order their logs arrive', () =>
  inHall(async ({ as, desk }) => {
    const body = { person: commitmentOf('eve'), key: fromHex(personKey('eve').member), roles: ['approver'] }
    const said = { author: OTHER, seq: 0, hash: toHex(sha256()) as never, timeMs: 1, kind: 'person.enrolled' }
    desk.note([
      { ...said, body: body as never },
      { ...said, kind: 'person.reset', body: { reason: 'key-lost' } },
    ])
    assert.match(await refusal(as('eve').post('/v1/studies')), /^person-unknown/)
  }))

it('reading needs nobody, and while nothing may be signed a stop and a patient’s word still pass', () =>
  inHall(async (hall) => {
    const { as, socket } = hall
    await new Client('', socket).get('/v1/status')
    hall.fenced = true
    assert.match(await refusal(as('ada').post('/v1/log/redact')), /^boot-fence/)
    await as('bo').post('/v1/consent/show')
    await as('bo').post('/v1/stop')
    assert.match(await refusal(new Client('', socket).post('/v1/stop')), /^person-needed/)
  }))

const ASKED = { 'POST /v1/studies': 'study.add' } as const

function header(path: string, body: string, timeMs = Date.now()): string {
  const asked = { method: 'POST', path, bodyHash: sha256(utf8(body)) }
  return writeSignOff(signed('ada', asked, ASKED['POST /v1/studies'], { timeMs, member: NODE.member }))
}

function raw(socketPath: string, path: string, body: string, signOff: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', [SIGN_OFF_HEADER]: signOff }
    const call = request({ socketPath, path, method: 'POST', headers }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk
      })
      response.on('end', () => {
        const { error } = JSON.parse(text) as { error?: { code: string; message: string } }
        if (error === undefined) resolve()
        else reject(Object.assign(new Error(error.message), error))
      })
    })
    call.on('error', reject).end(body)
  })
}

it.run()

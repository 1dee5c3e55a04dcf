/** What a hospital tells of studies that ask no patients: of a log in memory. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { parseStudy, type Study, studyDocument, studyIdOf } from '../../src/config/study.ts'
import { fromHex } from '../../src/core/bytes.ts'
import type { StudyId } from '../../src/core/ids.ts'
import { researchReport } from '../../src/daemon/researchReport.ts'
import { OwnRounds } from '../../src/governance/ownRounds.ts'
import { traceOf } from '../../src/governance/traces.ts'
import { emptyTip, extend } from '../../src/ledger/chain.ts'
import { decodeEntry, dropBody } from '../../src/ledger/entry.ts'
import { digestOf, keyOf } from '../gossip/fixtures.ts'
import { B32 } from '../governance/sound.ts'

const it = suite('research report')

const SELF = keyOf('self').member
const [EAST, WEST] = ['east', 'west'].map((name) => keyOf(name).member) as [typeof SELF, typeof SELF]
const studyOf = (name: string, more = ''): Study =>
  parseStudy(
    `name: ${name}
purpose: to know earlier
model: { kind: logistic }
label: { name: ill, positive: 'yes', negative: 'no' }
features: [{ name: age, kind: number }, { name: pulse, kind: number }]
${more}`,
    'a.yaml',
  )
const STUDIES = [
  ...[studyOf('Asks nobody'), studyOf('Idle')],
  studyOf('Asks', 'consent: { basis: opt-in, jurisdiction: DE, purposes: [DUO:0000006] }'),
]
const IDS = STUDIES.map((study) => studyIdOf(studyDocument(study)))
const [NOBODY, , ASKS] = IDS as [StudyId, StudyId, StudyId]

const trained = (study: StudyId, round: number, examples: number) => ({
  ...{ kind: 'round.trained', study, timeMs: 1_000 * (round + 1), refs: [] },
  body: {
    ...{ round, base: B32, update: fromHex(digestOf(`update ${round}`)), head: B32, examples, loss: 0.5 },
    ...{ dataset: B32, ...(study === ASKS ? { consent: { root: B32, basis: 'opt-in' } } : {}) },
  },
})
const ROUNDS = [0, 1, 2, 3].flatMap((round) => [trained(NOBODY, round, 60 + round), trained(ASKS, round, 5)])
const LOG = extend(
  emptyTip(SELF),
  ROUNDS,
  ROUNDS.map(() => B32),
).raws

function report(sinceMs: number, untilMs: number, log = LOG) {
  const own = new OwnRounds()
  for (const trace of LOG.map(traceOf)) if (trace !== null) own.take(trace)
  const lamport = (seq: number): number => decodeEntry(LOG[seq] as Uint8Array).lamport
  const acceptedAt = new Map([
    [SELF, 0],
    [EAST, 0],
    [WEST, lamport(2)], // read after round 1 was computed
  ])
  const states = STUDIES.map((study, i) => ({ id: IDS[i], study, proposedBy: EAST, acceptedAt }))
  const names = new Map([SELF, EAST, WEST].map((key, i) => [key, ['Self', 'East', 'West'][i]]))
  const daemon = {
    ownLog: { rounds: async () => own },
    machine: { view: () => ({ studies: states.map((state) => ({ state })) }) },
    home: { key: { id: SELF } },
    logs: { entries: async (_: string, from: number, to: number) => log.slice(from, to) },
    nameOf: (key: typeof SELF) => names.get(key),
  }
  return researchReport(daemon as unknown as Parameters<typeof researchReport>[0], { sinceMs, untilMs })
}

it('updates of a study that asks nobody are told by recipient, in the period alone; of one that asks, or has none, nothing', async () => {
  const at = (round: number) => ({ timeMs: 1_000 * (round + 1), entry: `Self/${2 * round}` })
  const { hospital, studies } = await report(2_000, 4_000)
  assert.equal([hospital, studies.length], ['Self', 1])
  assert.equal(studies[0], {
    ...{ study: NOBODY, name: 'Asks nobody', purpose: 'to know earlier', proposedBy: 'East' },
    ...{ columns: ['age', 'pulse', 'ill'], rows: 62, updates: 2 },
    recipients: [
      { member: 'East', number: 2, first: at(1), last: at(2) },
      { member: 'West', number: 1, first: at(2), last: at(2) },
    ],
  })
  assert.equal((await report(9_000, 10_000)).studies, [])
})

it('a round whose body is gone since has no number of rows', async () => {
  const { studies } = await report(
    0,
    4_000,
    LOG.map((raw, seq) => (seq === 4 ? dropBody(raw) : raw)),
  )
  assert.equal([studies[0]?.rows, studies[0]?.updates], [null, 3])
})

it.run()

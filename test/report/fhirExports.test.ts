/** Entries as AuditEvent and Provenance, and words as Consent: every kind by the published definitions, and what is in no line. */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { toHex } from '../../src/core/bytes.ts'
import type { Cbor } from '../../src/core/cbor.ts'
import { DUO_CODES } from '../../src/core/duo.ts'
import type { MemberId, StudyId } from '../../src/core/ids.ts'
import { consentCalls } from '../../src/daemon/consentCalls.ts'
import { exportConsents } from '../../src/daemon/consentFiles.ts'
import type { Daemon } from '../../src/daemon/daemon.ts'
import { readConsents } from '../../src/data/fhirConsent.ts'
import { SPEAKERS } from '../../src/governance/consent.ts'
import { KINDS, type Kind } from '../../src/governance/kinds.ts'
import type { VaultSubject } from '../../src/governance/vaultBook.ts'
import { decodeEntry, dropBody, type Entry, encodeEntry, type Ref } from '../../src/ledger/entry.ts'
import type { ExportContext } from '../../src/report/exports/exported.ts'
import { linesOf, VIEWS } from '../../src/report/exports/views.ts'
import { Kept } from '../governance/keptBook.ts'
import { B32, SOUND } from '../governance/sound.ts'
import { faultsOf } from './fhirKit.ts'

const it = suite('fhir exports')

const NORTH = 'a1'.repeat(32) as MemberId
const STUDY = '5d'.repeat(32) as StudyId
const CONTEXT: ExportContext = {
  ...{ consortium: 'Stroke of the North', founding: 'f0'.repeat(32) },
  nameOf: (member) => (member === NORTH ? 'North clinic' : undefined),
}
const BALP = 'https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.'
const REF: Ref = [NORTH, 3, 'c4'.repeat(32) as Ref[2]]

function entryOf(kind: string, body: Cbor, study: StudyId | null = STUDY): Entry {
  const fields = { author: NORTH, seq: 7, prev: B32, timeMs: 1_790_000_000_123, lamport: 9, kind, study, refs: [REF] }
  return decodeEntry(encodeEntry(fields, new Uint8Array(32), body))
}

const sound = (kind: Kind): Cbor => SOUND[kind] as unknown as Cbor
const resources = (view: 'fhir-audit' | 'fhir-provenance', entry: Entry) =>
  linesOf(view, entry, 'final', CONTEXT).map((line) => JSON.parse(line) as Record<string, unknown>)

/** Bodies that their kind may have beside the sound one. */
const MORE: readonly (readonly [Kind, Cbor])[] = [
  ['round.trained', { ...(sound('round.trained') as object), consent: { root: B32, basis: 'opt-in' } } as Cbor],
  ['agreement.denied', { ...(sound('agreement.denied') as object), agreement: null, guard: null } as Cbor],
  ['dataset.bound', { ...(sound('dataset.bound') as object), version: B32 } as Cbor],
  [
    'dataset.registered',
    { ...(sound('dataset.registered') as object), previous: B32, provenance: B32, query: null } as Cbor,
  ],
  [
    'consent.recorded',
    {
      from: 0,
      items: [
        [B32.subarray(16), B32],
        [B32.subarray(16), B32],
      ],
    },
  ],
  ['round.merged', { round: 4, rule: 'mean', inputs: [], result: B32 }],
]

it('every kind is an AuditEvent that the published definitions of R4 and of its BALP profile take', () => {
  const all = [...(Object.keys(KINDS) as Kind[]).map((kind) => [kind, sound(kind)] as const), ...MORE]
  for (const [kind, body] of all) {
    for (const study of [STUDY, null]) {
      const found = resources('fhir-audit', entryOf(kind, body, study))
      assert.ok(found.length > 0, kind)
      for (const resource of found) assert.equal(faultsOf(resource), [], kind)
    }
  }
})

it('what tells of tables, updates and models is a Provenance that the published definitions take', () => {
  const told = new Set<string>()
  for (const [kind, body] of [...(Object.keys(KINDS) as Kind[]).map((kind) => [kind, sound(kind)] as const), ...MORE])
    for (const resource of resources('fhir-provenance', entryOf(kind, body))) {
      told.add(kind)
      assert.equal(faultsOf(resource), [], kind)
    }
  const expected = [
    'dataset.bound',
    'dataset.registered',
    'model.exported',
    'round.merged',
    'round.trained',
    'study.calibrated',
  ]
  assert.equal([...told].sort(), expected)
})

it('the judge refuses what is broken: a wrong code, a missing part, a part too many, an agent that its profile wants', () => {
  const [event = {}] = resources('fhir-audit', entryOf('consent.recorded', sound('consent.recorded')))
  const [permit = {}, deny = {}] = [
    resources('fhir-audit', entryOf(...(MORE[0] as [Kind, Cbor])))[1],
    resources('fhir-audit', entryOf('agreement.denied', sound('agreement.denied')))[0],
  ]
  const agents = event.agent as Record<string, unknown>[]
  const [source, destination] = agents.map(({ type }) => type)
  const swapped = agents.map((agent, i) => ({ ...agent, type: i === 0 ? destination : source }))
  const read = {
    ...{ ...event, action: 'R', entity: (event.entity as object[]).slice(0, 1), meta: { profile: [`${BALP}Read`] } },
    subtype: [{ system: 'http://hl7.org/fhir/restful-interaction', code: 'read' }],
  }
  assert.equal(faultsOf({ ...read, agent: swapped }), [], 'who reads is the destination')
  const broken: readonly Record<string, unknown>[] = [
    { ...event, recorded: '2026-11-22' },
    { ...event, outcome: '5' },
    { ...event, action: 'X' },
    { ...event, agent: [] },
    { ...event, agent: agents.slice(1) },
    { ...event, agent: agents.map(({ requestor: _, ...agent }) => agent) },
    { ...event, agent: agents.map(({ network: _, ...agent }) => agent) },
    { ...event, note: 'Mrs. Smith' },
    { ...event, type: { system: 'http://dicom.nema.org/resources/ontology/DCM', code: '110199' } },
    { ...event, entity: [] },
    { ...event, agent: swapped },
    { ...event, meta: { profile: [`${BALP}Create`] } },
    read,
    { ...event, entity: (event.entity as object[]).map((one) => ({ ...one, name: 'a', query: 'aGk=' })) },
    { ...permit, source: { observer: { display: 'another' } } },
    { ...deny, entity: [...(deny.entity as object[]), ...(event.entity as object[])] },
    { ...deny, subtype: [] },
  ]
  for (const one of broken) assert.ok(faultsOf(one).length > 0, JSON.stringify(one).slice(0, 200))
})

it('permit and deny are told as decisions: with outcome 0 where patients permit, 8 where an agreement forbids', () => {
  const trained = resources('fhir-audit', entryOf(...(MORE[0] as [Kind, Cbor])))
  assert.equal(
    trained.map(({ outcome }) => outcome),
    ['0', '0'],
  )
  assert.match(String(trained[1]?.outcomeDesc), /^permit/)
  assert.is(trained[1]?.id, `${String(trained[0]?.id).slice(0, 57)}-permit`)
  const [denied] = resources('fhir-audit', entryOf('agreement.denied', sound('agreement.denied')))
  assert.is(denied?.outcome, '8')
  assert.match(String(denied?.outcomeDesc), /^deny: .*agreement-guard \(round\)$/)
})

it('an entry of another version, and one whose body is gone or does not fit, is told of, and nothing of it is read', () => {
  const known = entryOf('model.used', sound('model.used'))
  const strange: Cbor = { note: 'Mrs. Smith, 4711' }
  for (const entry of [
    entryOf('future.kind', strange),
    entryOf('model.used', strange),
    decodeEntry(dropBody(known.raw)),
  ]) {
    for (const view of VIEWS)
      for (const line of linesOf(view, entry, 'final', CONTEXT)) assert.not.match(line, /Smith|4711/, view)
    const [event = {}] = resources('fhir-audit', entry)
    assert.equal(faultsOf(event), [])
    assert.is((event.entity as { detail?: unknown }[])[0]?.detail, undefined)
  }
})

/** What a test looks at of a resource. */
interface Told {
  readonly outcomeDesc: string
  readonly meta: { readonly profile?: readonly string[] }
  readonly agent: readonly { readonly type: object; readonly who: { display: string }; readonly requestor: boolean }[]
  readonly entity: readonly { readonly what?: { type?: string; identifier?: object; display?: string } }[]
}
const told = (entry: Entry): Told => resources('fhir-audit', entry)[0] as unknown as Told
const profileOf = (entry: Entry): string | undefined => told(entry).meta.profile?.[0]?.slice(BALP.length)

it('a body that is gone or does not fit is no ground to say what it did not: not who signed, nor that no agreement was there, nor that no patient is meant', () => {
  const ways: readonly (readonly [(kind: Kind) => Entry, RegExp])[] = [
    [(kind) => decodeEntry(dropBody(entryOf(kind, sound(kind)).raw)), /; its body was dropped$/],
    [(kind) => entryOf(kind, { note: 'x' }), /; its body was not read$/],
  ]
  for (const [without, said] of ways) {
    for (const kind of ['model.served', 'agreement.denied', 'access.granted', 'node.stopped'] as const)
      assert.match(told(without(kind)).outcomeDesc, said)
    assert.match(JSON.stringify(told(without('agreement.denied'))), /the entry does not say/)
    assert.not.match(JSON.stringify(told(without('agreement.denied'))), /no agreement/)
    const acted = told(without('person.acted')).agent
    assert.equal(
      acted.map(({ requestor }) => requestor),
      [false, false, true],
    )
    assert.match(String(acted[2]?.who.display), /the entry does not say who/)
    for (const kind of ['consent.recorded', 'trial.enrolled', 'trial.allocated', 'trial.event'] as const)
      assert.is(profileOf(without(kind)), undefined, kind)
  }
})

it('what is about one patient names that one: by a tag, or for trials by the tag, the enrolment or the position', () => {
  const tag = '09'.repeat(16)
  const rows: readonly (readonly [Kind, string | undefined, system: string, value: string])[] = [
    ['consent.recorded', 'PatientCreate', 'urn:consilium:patient-tag', tag],
    ['trial.enrolled', 'PatientCreate', 'urn:consilium:trial-participant', tag],
    ['trial.event', 'PatientUpdate', 'urn:consilium:trial-participant', tag],
    ['trial.allocated', 'PatientUpdate', 'urn:consilium:entry', toHex(B32)],
    ['trial.opened', undefined, 'urn:consilium:trial-position', `${toHex(B32)}/17`],
  ]
  for (const [kind, profile, system, value] of rows) {
    const entry = entryOf(kind, sound(kind))
    assert.is(profileOf(entry), profile, kind)
    const patients = told(entry).entity.flatMap(({ what }) => (what?.type === 'Patient' ? [what.identifier] : []))
    assert.equal(patients, [{ system, value }], kind)
  }
  const [, two] = MORE.find(([kind]) => kind === 'consent.recorded') as [Kind, Cbor]
  assert.is(profileOf(entryOf('consent.recorded', two)), undefined, 'no profile is of two patients')
})

it('what is written to a file went to no member, and nobody is said to have read it', () => {
  for (const kind of ['operator.backup', 'model.exported'] as const) {
    const entry = entryOf(kind, sound(kind))
    assert.is(profileOf(entry), undefined)
    const { agent } = told(entry)
    assert.match(JSON.stringify(agent[0]), /110153.*North clinic/)
    assert.match(JSON.stringify(agent[1]), /110154.*a file at the hospital/)
    assert.not.match(JSON.stringify(agent), /Stroke of the North/)
  }
})

it('every kind whose body is gone is an AuditEvent that the definitions take all the same', () => {
  for (const kind of Object.keys(KINDS) as Kind[])
    for (const resource of resources('fhir-audit', decodeEntry(dropBody(entryOf(kind, sound(kind)).raw))))
      assert.equal(faultsOf(resource), [], kind)
})

it('property: whatever hospitals and the consortium are called, a line is JSON as it is written once more', () => {
  const name = fc.string({
    unit: fc.oneof(fc.constantFrom('"', '\\', '\n', '\u2028', '</'), fc.string()),
    maxLength: 8,
  })
  const entries = [
    ...(Object.keys(KINDS) as Kind[]).map((kind) => entryOf(kind, sound(kind))),
    ...MORE.map(([k, b]) => entryOf(k, b)),
  ]
  fc.assert(
    fc.property(name, name, fc.nat(entries.length - 1), (hospital, consortium, at) => {
      const context = { consortium, founding: 'f0'.repeat(32), nameOf: () => hospital }
      for (const line of linesOf('fhir-audit', entries[at] as Entry, 'final', context))
        assert.is(`${JSON.stringify(JSON.parse(line))}\n`, line)
    }),
  )
})

it('times of a use that no calendar has, or that run backwards, break no export', () => {
  const served = (fromMs: number, toMs: number) =>
    entryOf('model.served', { ...(sound('model.served') as object), fromMs, toMs } as Cbor)
  for (const entry of [served(9e15, 9e15), served(2_000, 1_000), served(253_370_764_800_000, 253_370_764_800_000)])
    for (const view of VIEWS)
      for (const line of linesOf(view, entry, 'final', CONTEXT))
        if (view === 'fhir-audit') assert.equal(faultsOf(JSON.parse(line)), [])
})

it('access: the decision is for the member who asked, where the entry cites the request', () => {
  const fields = { author: NORTH, seq: 7, prev: B32, timeMs: 1, lamport: 9, study: null }
  const recipient = (refs: readonly Ref[]): unknown => {
    const body: Cbor = { request: B32, until: 1_790_000_000_000 }
    const entry = decodeEntry(encodeEntry({ ...fields, kind: 'access.granted', refs }, new Uint8Array(32), body))
    const [event = {}] = resources('fhir-audit', entry)
    assert.equal(faultsOf(event), [])
    return (event.agent as { who: { identifier?: { value: string }; display: string } }[])[1]?.who
  }
  const asker = 'b2'.repeat(32) as MemberId
  assert.is(
    (recipient([[asker, 3, toHex(B32) as Ref[2]]]) as { identifier: { value: string } }).identifier.value,
    asker,
  )
  assert.match((recipient([REF]) as { display: string }).display, /does not say which/)
  const [denied] = resources('fhir-audit', entryOf('access.denied', sound('access.denied')))
  assert.equal(faultsOf(denied as never), [])
  assert.not.match(JSON.stringify(denied), /member who asked|request for access|no agreement/)
  assert.match(JSON.stringify(denied), /no grant is in force/)
})

it('every line says whether its entry is final, pending or disputed, and differs in nothing else', () => {
  const kinds = ['round.merged', 'dataset.registered', 'model.served', 'access.granted', 'count.asked'] as const
  for (const entry of [...kinds.map((kind) => entryOf(kind, sound(kind))), entryOf(...(MORE[0] as [Kind, Cbor]))])
    for (const view of ['fhir-audit', 'fhir-provenance'] as const) {
      const finals = linesOf(view, entry, 'final', CONTEXT)
      for (const state of ['final', 'pending', 'disputed'] as const) {
        const lines = linesOf(view, entry, state, CONTEXT)
        assert.equal(
          lines.map((line) => line.replace(`"code":"${state}"`, '"code":"final"')),
          finals,
        )
        for (const line of lines) {
          const { meta, ...rest } = JSON.parse(line) as { meta: { tag: object[] } }
          assert.equal(faultsOf({ meta, ...rest }), [])
          assert.equal(meta.tag, [{ system: 'urn:consilium:entry-state', code: state }])
        }
      }
    }
})

/** What `consent export` writes of these patients' words. */
async function exported(kept: Kept): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'consilium-fhir-'))
  try {
    const daemon = { vault: { book: async () => kept.book } } as unknown as Daemon
    await exportConsents(daemon, join(folder, 'consents.json'))
    return await readFile(join(folder, 'consents.json'), 'utf8')
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

it('words of every kind are Consents, in a Bundle, that the published definitions of R4 take, and read back as they were', async () => {
  const kept = new Kept()
  kept.admit('4711')
  const hour = (number: number): number => Date.UTC(2026, 10, 20, number)
  const decisions = (['permit', 'deny'] as const).flatMap((decision) =>
    SPEAKERS.flatMap((by) =>
      (['all', STUDY] as const).flatMap((study) =>
        (['all', ['DUO:0000006'], DUO_CODES] as const).flatMap((purposes) =>
          [null, hour(1)].flatMap((fromMs) =>
            [null, hour(9)].map((toMs) => ({ decision, by, study, purposes, fromMs, toMs })),
          ),
        ),
      ),
    ),
  )
  for (const [i, one] of decisions.entries()) {
    const decision = { ...one, receivedAtMs: hour(2) + i, effectiveAtMs: hour(3) + i, form: 'in-person' }
    const subject = kept.book.subject('4711') as VaultSubject
    const speaker = one.by === 'subject' ? null : 'Amtsgericht Köln, 4 F 11/26'
    kept.keep(kept.book.say([{ subject, decision, speaker }], kept.chance))
  }
  const text = await exported(kept)
  const bundle = JSON.parse(text) as { entry: { resource: Record<string, unknown> }[] }
  assert.is(bundle.entry.length, 240)
  for (const { resource } of bundle.entry) assert.equal(faultsOf(resource), [], JSON.stringify(resource))
  assert.equal(faultsOf(bundle), [])
  const again = readConsents(text, 'consents.json')
  assert.equal(
    again.map(({ record: _, speaker: __, effectiveAtMs: ___, study, ...one }) => ({ ...one, study: study ?? 'all' })),
    decisions.map((one) => ({ ...one, purposes: one.purposes === 'all' ? 'all' : [...one.purposes].sort() })),
  )
  assert.equal(JSON.parse(await exported(new Kept())), { resourceType: 'Bundle', type: 'collection' }, 'no empty list')
})

it('what no Consent can say is not recorded: a speaker without a name, and a time that no calendar has', async () => {
  const said: string[] = []
  const daemon = { vault: { say: async () => said.push('said') }, writer: null } as unknown as Daemon
  const say = consentCalls(daemon)['POST /v1/consent'] as unknown as (call: { body: object }) => Promise<unknown>
  const word = { subject: '4711', decision: 'permit', by: 'guardian', speaker: 'A. Brandt, mother' }
  const codeOf = (body: object) =>
    say({ body }).then(
      () => 'taken',
      (error) => error.code,
    )
  assert.equal(
    [await codeOf(word), await codeOf({ ...word, speaker: ' ' }), await codeOf({ ...word, to: 9e15 })],
    ['taken', 'consent-speaker', 'body-malformed'],
  )
  assert.equal(said, ['said'])
})

it('lines are the same to the byte for the same entry, and name it by its hash', () => {
  const entry = entryOf('model.served', sound('model.served'))
  const lines = linesOf('fhir-audit', entry, 'final', CONTEXT)
  assert.equal(lines, linesOf('fhir-audit', entryOf('model.served', sound('model.served')), 'final', CONTEXT))
  assert.is(JSON.parse(lines[0] as string).id, entry.hash)
  assert.is(toHex(entry.leaf), entry.hash)
})

it.run()

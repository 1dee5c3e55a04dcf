/** A proposal's body taken back: at who had it, at who was away, at who comes later; and by nobody who tells another study. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { studyDocument, studyIdOf } from '../../src/config/study.ts'
import { ConsiliumError } from '../../src/core/errors.ts'
import type { Fact } from '../../src/governance/studies.ts'
import { retoldIn } from '../../src/governance/studyText.ts'
import type { Entry } from '../../src/ledger/entry.ts'
import type { Draft } from '../../src/node/actions.ts'
import { MemoryStore } from '../../src/store/memoryStore.ts'
import { studyOf } from '../node/clinics.ts'
import { ADA, BEN, CLEO, KEEP, KeptNode, NOW_MS, stop } from './keepingKit.ts'

const it = suite('retelling')

const STUDY = { ...studyOf(), name: 'After Mrs. Quuxhagen' }
const CLEAN = studyDocument({ ...STUDY, name: 'Falls in wards' })
const OTHER = studyDocument({ ...STUDY, name: 'Falls in wards', minimumCohort: STUDY.minimumCohort + 1 })
const ID = studyIdOf(studyDocument(STUDY))
const PROPOSED: Draft = {
  ...{ kind: 'study.proposed', study: ID, timeMs: NOW_MS, refs: [] },
  body: { document: studyDocument(STUDY) },
}
const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'done',
    (error: unknown) => (error instanceof ConsiliumError ? error.code : String(error)),
  )
const told = (facts: readonly Fact[]) => facts.flatMap((fact) => retoldIn(fact)?.study.name ?? [])

async function proposing(): Promise<{ ada: KeptNode; entry: Entry }> {
  const ada = await KeptNode.start(ADA)
  await ada.write(stop(1), PROPOSED)
  return { ada, entry: (await ada.entries())[1] as Entry }
}

it('the body goes at its author, at who hears of it and at who fetches it later, and proofs stay', async () => {
  const { ada, entry } = await proposing()
  const away = await KeptNode.start(BEN)
  await away.fetch(ada)
  await ada.keeper.redact(entry, 'personal-data', CLEAN)
  await ada.write(stop(0))
  await away.fetch(ada)
  const late = await KeptNode.start(CLEO)
  await late.fetch(ada)
  for (const node of [ada, away, late]) {
    assert.equal(await node.gone(ADA), [1])
    assert.is((await node.logs.verify(ADA.member)).fault, null)
    assert.is(Buffer.concat((await node.entries(ADA)).map(({ raw }) => raw)).includes('Quuxhagen'), false)
  }
  for (const { facts } of [away, late]) assert.equal(told(facts), ['Falls in wards'])
  for (const [key, node] of [
    [ADA, ada],
    [BEN, away],
  ] as const) {
    const again = await KeptNode.start(key, node.store.reopen())
    assert.equal(told(await again.logs.readFacts()), ['Falls in wards'], 'after a restart the study is known by it')
  }
})

it('without another text, or with another study, it is refused, and nothing is recorded', async () => {
  const { ada, entry } = await proposing()
  assert.is(await codeOf(ada.keeper.redact(entry, 'personal-data')), 'redaction-decides')
  assert.is(await codeOf(ada.keeper.redact(entry, 'personal-data', OTHER)), 'redaction-differs')
  assert.equal([await ada.gone(), (await ada.entries()).length], [[], 2])
  assert.is(await codeOf(ada.keeper.redact(entry, 'personal-data', CLEAN)), 'done')
})

it('a redaction that tells another study, of another entry or with another time is obeyed by nobody', async () => {
  const { ada, entry } = await proposing()
  const redacted = (seq: number, hash: Uint8Array, document: Uint8Array, proposed = NOW_MS): Draft => ({
    ...PROPOSED,
    kind: 'operator.redacted',
    body: { seq, hash, reason: 'personal-data', instead: { document, proposed } },
  })
  const [stopped] = (await ada.entries()) as [Entry]
  await ada.write(
    redacted(1, entry.leaf, OTHER),
    redacted(0, stopped.leaf, CLEAN),
    redacted(1, stopped.leaf, CLEAN),
    redacted(1, entry.leaf, CLEAN, NOW_MS + 1),
  )
  const ben = await KeptNode.start(BEN)
  await ben.fetch(ada)
  assert.equal(told(ben.facts), [])
  assert.equal((await ben.entries(ADA))[1]?.body, PROPOSED.body)
})

it('a legal hold keeps the body here, and the others go on without it', async () => {
  const { ada, entry } = await proposing()
  const held = await KeptNode.start(BEN, new MemoryStore(), { ...KEEP, legalHold: true })
  await held.fetch(ada)
  await ada.keeper.redact(entry, 'personal-data', CLEAN)
  await held.fetch(ada)
  assert.equal([await held.gone(ADA), told(held.facts)], [[], ['Falls in wards']])
})

it('a correction cites both entries, and is refused where it could not be read so', async () => {
  const { ada, entry } = await proposing()
  await ada.write(stop(0))
  const [wrong, , right] = (await ada.entries()) as [Entry, Entry, Entry]
  assert.is(await codeOf(ada.keeper.correct(wrong, entry, 'wrong-value')), 'correction-kind')
  assert.is(await codeOf(ada.keeper.correct(wrong, right, 'wrong-value')), 'done')
  const record = (await ada.entries()).at(-1)
  assert.equal(
    [record?.kind, record?.refs.map(([, seq]) => seq), record?.body],
    ['operator.corrected', [0, 2], { seq: 0, hash: wrong.leaf, reason: 'wrong-value' }],
  )
  assert.equal((await ada.entries())[0]?.body, wrong.body, 'the original stays')
})

it.run()

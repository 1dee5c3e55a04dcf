/** Every kind of entry: what fits its schema, and that nothing else does. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Cbor } from '../../src/core/cbor.ts'
import { LIMITS } from '../../src/core/limits.ts'
import { isKind, KINDS, type Kind, readBody } from '../../src/governance/kinds.ts'
import { B32, SOUND } from './sound.ts'

const it = suite('kinds')
const B31 = B32.subarray(1)

/** What no field of any kind may hold. */
const NEVER: readonly Cbor[] = ['free text about Mrs. Smith', -1, 0.5, Number.MAX_SAFE_INTEGER + 1, B31, true, {}]
const GENERAL: Readonly<Record<string, readonly Cbor[]>> = {
  loss: [0.5, -1, Number.MAX_SAFE_INTEGER + 1],
  logLoss: [0.5, -1, Number.MAX_SAFE_INTEGER + 1],
  auc: [0.5],
  sampleRate: [0.5],
  noiseMultiplier: [0.5],
  accuracy: [0.5],
  calibrationError: [0.5],
  document: [B31],
  withHead: [true],
  moved: [true],
  slope: [0.5, Number.MAX_SAFE_INTEGER + 1],
  intercept: [0.5, -1, Number.MAX_SAFE_INTEGER + 1],
  low: [-1],
  high: [-1],
}

for (const kind of Object.keys(KINDS) as Kind[]) {
  const sound = SOUND[kind] as unknown as Record<string, Cbor>
  it(`${kind}: a sound body is read as it is, and one with a field more, less or wrong is not`, () => {
    assert.ok(isKind(kind))
    assert.equal(readBody(kind, sound), sound)
    for (const body of [null, [], 'text', 7, B32]) assert.is(readBody(kind, body as Cbor), null)
    assert.is(readBody(kind, { ...sound, note: 'Mrs. Smith' }), null, 'an unknown field')
    for (const field of Object.keys(sound)) {
      const { [field]: _, ...less } = sound
      assert.is(readBody(kind, less), null, `without ${field}`)
      for (const wrong of NEVER) {
        if (GENERAL[field]?.includes(wrong)) continue
        assert.is(readBody(kind, { ...sound, [field]: wrong }), null, `${field}: ${JSON.stringify(wrong)}`)
      }
      if (typeof sound[field] === 'number' || Array.isArray(sound[field]))
        assert.is(readBody(kind, { ...sound, [field]: Number.NaN }), null, `${field}: not a number`)
    }
  })
}

it('measures of too few patients may be left out, shares stay shares', () => {
  const measures = { examples: null, auc: null, accuracy: null, logLoss: null, calibrationError: null }
  assert.ok(readBody('round.evaluated', { round: 1, model: B32, ...measures }) !== null)
  for (const auc of [-0.01, 1.01, Number.POSITIVE_INFINITY])
    assert.is(readBody('round.evaluated', { ...SOUND['round.evaluated'], auc } as unknown as Cbor), null)
  for (const coefficient of [-0.1, 1.1])
    assert.is(
      readBody('round.merged', { round: 1, rule: 'mean', inputs: [[B32, 4, B32, coefficient]], result: B32 }),
      null,
    )
})

it('a round of a private study says what its update says of privacy, and no loss', () => {
  const { loss: _, ...told } = SOUND['round.trained']
  const privacy = { epsilon: 1.25, delta: 1e-3, sampleRate: 0.36, noiseMultiplier: 8 }
  assert.equal(readBody('round.trained', { ...told, loss: null, privacy } as unknown as Cbor)?.privacy, privacy)
  for (const wrong of [{ epsilon: -1 }, { delta: 2 }, { noiseMultiplier: 0 }, { name: 'a' }])
    assert.is(
      readBody('round.trained', { ...told, loss: null, privacy: { ...privacy, ...wrong } } as unknown as Cbor),
      null,
    )
})

it('the one free text is a study’s description, and it is bounded', () => {
  const document = new Uint8Array(LIMITS.studyBytesMax + 1)
  assert.is(readBody('study.proposed', { document }), null)
  const texts = Object.values(SOUND).flatMap((body) => Object.values(body).filter((value) => typeof value === 'string'))
  for (const text of texts) assert.match(text as string, /^[0-9A-Za-z.+-]{1,64}$/)
})

it('words of a closed vocabulary are no place for a name', () => {
  for (const reason of ['Smith', 'a b', 'x'.repeat(65), '', 'é', '7up'])
    assert.is(readBody('member.rejected', { member: B32, reason }), null, reason)
})

it('kinds of newer versions, and names of every object, are not kinds', () => {
  for (const kind of ['future.some-kind', 'toString', '__proto__', 'constructor', '']) assert.not.ok(isKind(kind))
})

it('every bound is allowed, and one beyond it is not', () => {
  const bytes = (length: number) => new Uint8Array(length)
  const edges: readonly (readonly [kind: Kind, field: string, allowed: Cbor, beyond: Cbor])[] = [
    ['study.proposed', 'document', bytes(LIMITS.studyBytesMax), bytes(LIMITS.studyBytesMax + 1)],
    ['member.rejected', 'reason', `a${'b'.repeat(63)}`, `a${'b'.repeat(64)}`],
    ['node.started', 'software', '9'.repeat(32), '9'.repeat(33)],
    ['member.accepted', 'signature', bytes(64), bytes(65)],
    ['member.accepted', 'signature', bytes(64), bytes(63)],
    ['member.seen', 'member', bytes(32), bytes(33)],
    ['round.published', 'round', Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER + 1],
    ['round.evaluated', 'auc', 1, 1 + Number.EPSILON],
    ['round.evaluated', 'accuracy', 0, -Number.MIN_VALUE],
    ['round.trained', 'loss', -Number.MAX_VALUE, Number.NEGATIVE_INFINITY],
    ['round.evaluated', 'logLoss', Number.MAX_VALUE, Number.POSITIVE_INFINITY],
    ['study.statistics', 'sum', [Number.MAX_VALUE, 0], [Number.POSITIVE_INFINITY, 0]],
    ['study.statistics', 'count', [Number.MAX_SAFE_INTEGER, 0], [0.5, 0]],
  ]
  for (const [kind, field, allowed, beyond] of edges) {
    const sound = SOUND[kind] as unknown as Record<string, Cbor>
    assert.is.not(readBody(kind, { ...sound, [field]: allowed }), null, `${kind} ${field}`)
    assert.is(readBody(kind, { ...sound, [field]: beyond }), null, `${kind} ${field} beyond`)
  }
})

it('each input of a merge is four things in order, no more and no less', () => {
  const merged = (...inputs: Cbor[]) => readBody('round.merged', { round: 4, rule: 'mean', inputs, result: B32 })
  assert.is.not(merged([B32, 4, B32, 0.25], [B32, 3, B32, 0.75]), null)
  const wrong: Cbor[] = [
    [B32, 4, B32, 0.25, 0],
    [B32, 4, B32],
    [4, B32, B32, 0.25],
    [B32, 4, B31, 0.25],
    [B32, -4, B32, 0.25],
    {},
  ]
  for (const input of wrong) assert.is(merged([B32, 4, B32, 0.75], input), null, JSON.stringify(input))
})

it('a field named like a part of every object is a field too much', () => {
  for (const field of ['toString', 'constructor', 'hasOwnProperty', '__proto__']) {
    const body = JSON.parse(`{ "${field}": "Mrs. Smith" }`) as Cbor
    assert.is(readBody('study.accepted', body), null, field)
  }
})

it('what no accountant computes with is no privacy: noise, rates and δ stay within what a study may ask for', () => {
  const trained = SOUND['round.trained'] as unknown as Record<string, Cbor>
  const claim = { epsilon: 1.5, delta: 1e-5, sampleRate: 0.25, noiseMultiplier: 3 }
  const spent = SOUND['privacy.spent'] as unknown as Record<string, Cbor>
  assert.ok(readBody('round.trained', { ...trained, privacy: claim }) !== null)
  const absurd = { sampleRate: [0, 1e-9, 1.5], noiseMultiplier: [1e-9, 1e300], delta: [0, 1, 1e-12], steps: [2 ** 40] }
  for (const [field, values] of Object.entries(absurd)) {
    for (const value of values) {
      const asClaim = readBody('round.trained', { ...trained, privacy: { ...claim, [field]: value } })
      if (field !== 'steps') assert.is(asClaim, null, `${field} ${value}`)
      if (field !== 'delta')
        assert.is(readBody('privacy.spent', { ...spent, [field]: value }), null, `${field} ${value}`)
    }
  }
})

it.run()

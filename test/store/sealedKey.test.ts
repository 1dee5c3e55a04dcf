/** A sealed key: what opens it, what does not, and its frozen text. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { toHex, utf8 } from '../../src/core/bytes.ts'
import { sha256 } from '../../src/core/digest.ts'
import { isSealedKey, type Opener, openKey, sealedUnder, sealKey } from '../../src/store/sealedKey.ts'
import { golden } from '../ledger/goldenFile.ts'

const it = suite('sealed key')

const KEY = sha256(utf8('a key'))
const [OLD, NEW, OTHER] = ['old', 'new', 'other'].map((label) => sha256(utf8(label))) as [
  Uint8Array,
  Uint8Array,
  Uint8Array,
]
const file = (...secrets: Uint8Array[]): Opener => ({ by: 'key-file', file: '/keys', secrets })
const phrase = (text: string): Opener => ({ by: 'passphrase', file: '/phrase', passphrase: utf8(text) })

const chanceFrom = (seed: string) => {
  let calls = 0
  return (bytes: number): Uint8Array => sha256(utf8(`${seed} ${calls++}`)).slice(0, bytes)
}

const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'opened',
    (error: { code?: string }) => error.code ?? String(error),
  )

it('opens with the secret that sealed it, which may be the old of two or the new', async () => {
  const text = await sealKey(KEY, 'member', file(OLD), chanceFrom('a'))
  assert.is(toHex(await openKey(text, 'member.key', 'member', file(OLD))), toHex(KEY))
  assert.is(toHex(await openKey(text, 'member.key', 'member', file(OLD, NEW))), toHex(KEY))
  const renewed = await sealKey(KEY, 'member', file(OLD, NEW), chanceFrom('b'))
  assert.is(await codeOf(openKey(renewed, 'member.key', 'member', file(OLD))), 'node-key-wrong', 'the newest seals')
  assert.is(await codeOf(openKey(text, 'member.key', 'member', file(OTHER))), 'node-key-wrong')
})

it('one key in another’s place, or under another kind of secret, is refused, each with what to do', async () => {
  const text = await sealKey(KEY, 'member', file(OLD), chanceFrom('a'))
  assert.is(await codeOf(openKey(text, 'data.key', 'data', file(OLD))), 'node-key-wrong')
  assert.is(await codeOf(openKey(text, 'member.key', 'member', phrase('a long passphrase'))), 'passphrase-not-needed')
  const sealed = await sealKey(KEY, 'member', phrase('a long passphrase'), chanceFrom('a'))
  assert.is(await codeOf(openKey(sealed, 'member.key', 'member', file(OLD))), 'passphrase-missing')
  assert.is(await codeOf(openKey(sealed, 'member.key', 'member', phrase('a long passphrasf'))), 'passphrase-wrong')
  assert.is(toHex(await openKey(sealed, 'member.key', 'member', phrase('a long passphrase'))), toHex(KEY))
  assert.equal([sealedUnder(text), sealedUnder(sealed), sealedUnder('-----BEGIN')], ['key-file', 'passphrase', null])
})

it('no character of it can differ, and none can lack', async () => {
  const text = await sealKey(KEY, 'member', file(OLD), chanceFrom('a'))
  const refused = ['sealed-key-malformed', 'sealed-key-newer', 'node-key-wrong', 'passphrase-missing']
  for (let at = 0; at < text.length; at++) {
    const other = text[at] === '1' ? '2' : '1'
    const changed = `${text.slice(0, at)}${other}${text.slice(at + 1)}`
    const code = await codeOf(openKey(changed, 'member.key', 'member', file(OLD)))
    assert.ok(refused.includes(code), `character ${at}: ${code}`)
    assert.is(
      await codeOf(openKey(text.slice(0, at), 'k', 'member', file(OLD))),
      'sealed-key-malformed',
      `cut at ${at}`,
    )
  }
})

it('a header that asks for more memory than there may be is refused before anything is computed', async () => {
  const sealed = await sealKey(KEY, 'member', phrase('a long passphrase'), chanceFrom('a'))
  for (const cost of ['30 8 1', '17 99 1', '17 8 99', '0 8 1', '17 0 1']) {
    const text = sealed.replace('scrypt 17 8 1', `scrypt ${cost}`)
    assert.is(await codeOf(openKey(text, 'k', 'member', phrase('a long passphrase'))), 'sealed-key-malformed', cost)
  }
})

it('one of a newer version says so', async () => {
  const newer = (await sealKey(KEY, 'member', file(OLD), chanceFrom('a'))).replace('v1', 'v2')
  assert.ok(isSealedKey(newer))
  assert.is(await codeOf(openKey(newer, 'member.key', 'member', file(OLD))), 'sealed-key-newer')
})

it('its text is frozen, under a key file and under a passphrase', async () => {
  const made = [
    await sealKey(KEY, 'member', file(OLD), chanceFrom('golden')),
    await sealKey(KEY, 'data', phrase('correct horse battery'), chanceFrom('golden')),
  ].join('')
  const kept = golden('sealed-key-v1.txt', utf8(made))
  assert.is(Buffer.from(kept).toString('utf8'), made)
})

it.run()

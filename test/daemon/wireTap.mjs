/** Loaded with `node --import` into a test's daemon: what its connections carry is written down before Noise encrypts it, beside the data folder. */
import { appendFileSync } from 'node:fs'

const { defaultCrypto } = await import(new URL('crypto/index.js', import.meta.resolve('@libp2p/noise')).href)
const home = process.argv[process.argv.indexOf('--home') + 1]
const { chaCha20Poly1305Encrypt } = defaultCrypto

defaultCrypto.chaCha20Poly1305Encrypt = (plain, ...more) => {
  appendFileSync(`${home}.wire`, plain.subarray())
  return chaCha20Poly1305Encrypt(plain, ...more)
}

/** A patient's own key as text: short enough to be typed, and of letters that a QR code holds at two for eleven bits. */
import { concat } from '../core/bytes.ts'
import { taggedHash } from '../core/digest.ts'

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567' // RFC 4648 §6
const CHECK_BYTES = 3 // a slip of the pen passes once in 16 million; with the key they are 56 letters without padding
const GROUP_LETTERS = 4

/** `CONSILIUM1-ABCD-…`: base32 of the key and the beginning of a hash over it, so that a slip is found before anything is looked up. */
export function formatSubjectKey(key: Uint8Array): string {
  const letters = base32(concat([key, taggedHash('subjectKey', key).subarray(0, CHECK_BYTES)]))
  return `CONSILIUM1-${(letters.match(new RegExp(`.{1,${GROUP_LETTERS}}`, 'g')) ?? []).join('-')}`
}

function base32(bytes: Uint8Array): string {
  let text = ''
  let [bits, held] = [0, 0]
  for (const byte of bytes) {
    held = (held << 8) | byte
    bits += 8
    while (bits >= 5) {
      bits -= 5
      text += ALPHABET[(held >>> bits) & 31]
    }
    held &= (1 << bits) - 1
  }
  return text
}

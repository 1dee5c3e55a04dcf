/** Files of a trial where they lie: their hash and rows, and who signs for them. */
import { randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { fromHex, toHex } from '../core/bytes.ts'
import { Sha256 } from '../core/digest.ts'
import type { SigningKey } from '../core/ed25519.ts'
import { ConsiliumError } from '../core/errors.ts'
import { digest, memberId } from '../core/ids.ts'
import { homePaths } from '../daemon/homePaths.ts'
import type { PeopleReport } from '../daemon/peopleApi.ts'
import { readPersonKey } from '../daemon/personKey.ts'
import type { TrialReport } from '../daemon/trialApi.ts'
import { type SignedTrialKind, type TrialContent, trialStatement } from '../governance/trials/signature.ts'
import { Client } from './client.ts'
import { passphrase } from './passphrase.ts'
import { RecordCount } from './recordCount.ts'
import type { Common } from './shared.ts'

/** A file as it is committed to, and its records where it is a table. */
export interface HashedFile {
  readonly hash: Uint8Array
  readonly table: Pick<RecordCount, 'records' | 'fault'>
}

/** Reads a file once, in pieces. Errors: `file-missing`, `file-unreadable`. */
export async function hashFile(path: string): Promise<HashedFile> {
  const hash = new Sha256()
  const table = new RecordCount()
  try {
    for await (const piece of createReadStream(path) as AsyncIterable<Buffer>) {
      hash.update(piece)
      table.take(piece)
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT')
      throw new ConsiliumError({ code: 'file-missing', message: `${path}: there is no such file; check the path` })
    throw new ConsiliumError({
      code: 'file-unreadable',
      message: `${path}: cannot be read (${code}); check its permissions`,
    })
  }
  return { hash: hash.digest(), table }
}

/** 32 bytes of chance. */
export const newKey = (): Uint8Array => new Uint8Array(randomBytes(32))

/** Who signs a record itself, beside the call: the key is asked for once. */
export interface Signer {
  readonly client: Client
  /** The fields that go along with what is signed. Error: `trial-signer`. */
  sign<K extends SignedTrialKind>(
    report: TrialReport,
    kind: K,
    content: Omit<TrialContent<K>, 'person' | 'signedAtMs'>,
  ): Promise<{ readonly signer: string; readonly signedAtMs: number; readonly signature: string }>
}

/** Error: `trial-signer`, where nobody is named. */
export async function signerOf({ home, as, passphraseFile }: Common): Promise<Signer> {
  if (as === undefined)
    throw new ConsiliumError({
      code: 'trial-signer',
      message:
        'this is signed by a person: add --as FILE with the key of an approver here, or set CONSILIUM_PERSON ("consilium person new" makes one, "consilium person enrol" enrols it)',
    })
  const key: SigningKey = await readPersonKey(as, () => passphrase(as, passphraseFile))
  const paths = homePaths(home)
  const client = new Client(paths.folder, paths.socket, async () => key)
  return {
    client,
    sign: async ({ signing }, kind, content) => {
      const { people } = await client.get<PeopleReport>('/v1/people')
      const person = people.findLast((one) => one.key === key.member)?.person
      if (person === undefined)
        throw new ConsiliumError({
          code: 'trial-signer',
          message: `${as}: belongs to nobody who is enrolled here: "consilium person enrol CARD --role approver" first`,
        })
      const signedAtMs = Date.now()
      const where = { founding: digest(signing.founding), member: memberId(signing.member) }
      const signed = { ...content, person: fromHex(person), signedAtMs } as unknown as TrialContent<typeof kind>
      return { signer: key.member, signedAtMs, signature: toHex(key.sign(trialStatement(where, kind, signed))) }
    },
  }
}

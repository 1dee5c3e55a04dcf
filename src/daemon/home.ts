/** The data folder of one node: making it, and reading it all at start. */
import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import { addressFault, type Config, defaultConfigText, parseConfig } from '../config/config.ts'
import { fromHex, toHex } from '../core/bytes.ts'
import { verify } from '../core/ed25519.ts'
import { ConsiliumError } from '../core/errors.ts'
import type { Digest, MemberId } from '../core/ids.ts'
import type { ChangeState } from '../governance/changes.ts'
import { acceptanceMessage, foundingOf, type RoledCard, readCard, writeCard } from '../governance/founding.ts'
import { type Epoch, Membership } from '../ledger/epoch.ts'
import { checkName, fingerprint } from '../ledger/founding.ts'
import { pinNothing } from '../store/headPin.ts'
import { type Consortium, parseConsortium, writeConsortium } from './consortiumFile.ts'
import { exists, readText, requireAbsent, writeAtomically, writeNew } from './files.ts'
import { type HomePaths, homePaths } from './homePaths.ts'
import { createDataKey, createMemberKey, type MemberKey, readDataKey, readMemberKey } from './memberKey.ts'
import { completeKeyFile, openerOf, readPassphrase, vaultKeyOf } from './opener.ts'

/** Everything that a daemon needs to start. */
export interface Home {
  readonly paths: HomePaths
  readonly config: Config
  readonly key: MemberKey
  /** Seals what the database keeps of studies; null in a folder of an older version, until `keys seal` makes it. */
  readonly dataKey: Uint8Array | null
  readonly consortium: Consortium
  /** Every epoch that this node knows. */
  readonly membership: Membership
  /** Own signature under the founding; 64 bytes. */
  readonly acceptance: Uint8Array
}

/**
 * Makes folder, keys, a pin that says that nothing was signed, config and card; the card says `cardAddresses`. Errors: `file-exists` (nothing is
 * overwritten), `bad-name`, `bad-address`, `file-not-writable`, those of `readPassphrase`.
 */
export async function initHome(
  folder: string,
  options: { name: string; port: number; announce: readonly string[]; passphraseFile?: string },
  cardAddresses: readonly string[],
): Promise<{ paths: HomePaths; key: MemberKey; card: string }> {
  const paths = homePaths(folder)
  checkName(options.name, '--name')
  for (const address of options.announce) requireAddress(address, '--announce')
  for (const address of cardAddresses) requireAddress(address, 'the card')
  const { passphraseFile = null } = options
  const text = defaultConfigText({ ...options, keys: { passphraseFile } })
  const config = parseConfig(text, paths.config)
  await requireAbsent([paths.key, paths.dataKey, paths.config, paths.pin]) // before any is made: half a data folder would refuse the next attempt
  if (passphraseFile !== null) await readPassphrase(passphraseFile, paths.folder)
  await completeKeyFile(paths.vaultKey) // that of a folder before stays: it may be what opens a backup
  const opener = await openerOf({ config, paths })
  const key = await createMemberKey(paths.key, opener)
  await createDataKey(paths.dataKey, opener)
  await pinNothing(paths.pin) // here alone: of any other key nobody knows what it has signed
  await writeNew(paths.config, text, 0o644)
  const card = writeCard({ name: config.name, key: key.id, addresses: cardAddresses }, key.signing.sign)
  await writeAtomically(paths.card, `${card}\n`)
  return { paths, key, card }
}

/** Error: `bad-address`. */
function requireAddress(address: string, what: string): void {
  const fault = addressFault(address, false)
  if (fault !== null)
    throw new ConsiliumError({ code: 'bad-address', message: `${what}: "${address}" was given, ${fault}` })
}

/** The consortium file made of cards, each the text itself or a file that holds it. */
export async function foundConsortium(
  name: string,
  cards: readonly { text: string; source: string; observer?: true }[],
): Promise<{ consortium: Consortium; text: string }> {
  const read = cards.map(({ text, source, observer }): RoledCard => {
    return { ...readCard(text, source, verify), ...(observer ? { observer } : {}) }
  })
  for (const [i, { addresses }] of read.entries()) {
    for (const address of addresses) requireAddress(address, `${cards[i]?.source}: this card`)
  }
  const founding = foundingOf(name, read)
  const addresses = new Map(read.map((card) => [card.key, card.addresses]))
  const text = writeConsortium(founding.name, new Membership(founding), addresses)
  return { consortium: parseConsortium(text, 'consortium.yaml'), text }
}

/**
 * Signs the founding in `file` and keeps both in the data folder. `join`: this node is no member yet, and wants to become one.
 * Errors: `consortium-not-member`, `consortium-differs`, `consortium-older`, `acceptance-malformed`.
 */
export async function acceptConsortium(folder: string, file: string, join = false): Promise<Consortium> {
  const text = await readText(file, 'consortium file', 'give the file that "consilium found" wrote')
  return acceptText(folder, text, file, join)
}

/** The node's key, opened as config.yaml says. Errors: those of `readConfig`, `openerOf` and `readMemberKey`. */
export async function ownKey(paths: HomePaths): Promise<MemberKey> {
  const config = await readConfig(paths)
  return readMemberKey(paths.key, () => openerOf({ config, paths }))
}

/** The same of a file's text; `file` says where it came from. */
export async function acceptText(folder: string, text: string, file: string, join: boolean): Promise<Consortium> {
  const paths = homePaths(folder)
  const key = await ownKey(paths)
  const consortium = parseConsortium(text, file)
  if (!join || consortium.membership.roll.isAuthor(key.id)) requireMember(consortium, key, file)
  if (await exists(paths.acceptance)) {
    const { founding } = await readAcceptance(paths)
    if (founding !== consortium.founding) {
      throw new ConsiliumError({
        code: 'consortium-differs',
        message: `${file}: this folder has accepted another consortium (${fingerprint(founding)}); one data folder belongs to one consortium, use another --home`,
      })
    }
  }
  await requireNewer(paths, consortium, file)
  const signature = key.signing.sign(acceptanceMessage(consortium.founding))
  await writeAtomically(paths.consortium, text)
  await writeAtomically(paths.acceptance, `${consortium.founding} ${toHex(signature)}\n`)
  return consortium
}

/** Reads and checks everything in the data folder; the first thing that is wrong is thrown as one line. */
export async function openHome(folder: string): Promise<Home> {
  const paths = homePaths(folder)
  const config = await readConfig(paths)
  const opening = () => openerOf({ config, paths })
  const key = await readMemberKey(paths.key, opening)
  const dataKey = await readDataKey(paths.dataKey, opening)
  vaultKeyOf({ config, paths }) // refuses a place of the key file that every backup would have
  const text = await readText(
    paths.consortium,
    'consortium file',
    'run "consilium accept FILE" with the file that "consilium found" wrote',
  )
  const consortium = parseConsortium(text, paths.consortium)
  if (consortium.membership.roll.isAuthor(key.id)) requireMember(consortium, key, paths.consortium)
  const { founding, signature } = await readAcceptance(paths)
  if (founding !== consortium.founding) {
    throw new ConsiliumError({
      code: 'consortium-differs',
      message: `${paths.consortium}: is not the consortium that this node accepted (${fingerprint(founding)}); put that file back, or accept this one in another folder`,
    })
  }
  if (!verify(key.id, acceptanceMessage(founding), signature)) {
    throw new ConsiliumError({
      code: 'acceptance-of-another',
      message: `${paths.acceptance}: was not signed with the key in ${paths.key}; put back whichever of the two is not this node's own`,
    })
  }
  return { paths, config, key, dataKey, consortium, membership: consortium.membership, acceptance: signature }
}

/** The name that a member has, or had when it left, or by which it is proposed; the beginning of its key where it has none. */
export function nameIn(
  { membership }: Pick<Home, 'membership'>,
  member: MemberId,
  changes: readonly ChangeState[] = [],
): string {
  const proposed = changes.flatMap(({ change }) => change.add).find(({ key }) => key === member)?.name
  return membership.nameOf(member) ?? (proposed === undefined ? member.slice(0, 12) : `${proposed} (no member yet)`)
}

/** Error: `folder-not-writable`. */
export async function requireWritable(folder: string): Promise<void> {
  try {
    await access(folder, constants.W_OK | constants.X_OK)
  } catch {
    throw new ConsiliumError({
      code: 'folder-not-writable',
      message: `${folder}: this user may not write there; make it the folder's owner ("chown -R $USER ${folder}") or use another --home`,
    })
  }
}

async function readAcceptance({
  acceptance,
  consortium,
}: HomePaths): Promise<{ founding: Digest; signature: Uint8Array }> {
  const text = await readText(acceptance, 'acceptance', `run "consilium accept ${consortium}" to sign it`)
  const match = /^([0-9a-f]{64}) ([0-9a-f]{128})\n?$/.exec(text)
  if (match !== null) return { founding: match[1] as Digest, signature: fromHex(match[2] as string) }
  throw new ConsiliumError({
    code: 'acceptance-malformed',
    message: `${acceptance}: a founding digest and a signature are expected; put the file back, or delete it and run "consilium accept ${consortium}"`,
  })
}

/** Errors: those of `readText` and `parseConfig`. */
export async function readConfig(paths: HomePaths): Promise<Config> {
  return parseConfig(
    await readText(
      paths.config,
      'config file',
      'run "consilium init --name …" first, or point --home at the data folder',
    ),
    paths.config,
  )
}

/** A node that went back to an older epoch would take those for members who have left. Error: `consortium-older`. */
async function requireNewer(paths: HomePaths, { membership }: Consortium, file: string): Promise<void> {
  const text = await readText(paths.consortium, 'consortium file', '').catch(() => null)
  const kept = text === null ? null : keptIn(text, paths.consortium)
  if (kept === null || kept.founding !== membership.current.founding || kept.number <= membership.current.number) return
  throw new ConsiliumError({
    code: 'consortium-older',
    message: `${file}: it ends with epoch ${membership.current.number}, and this folder knows epoch ${kept.number} already; leave the file in this folder, or ask a member for its newest`,
  })
}

/** The newest epoch in a consortium file; null where it can't be read, for another is to take its place. */
function keptIn(text: string, fileName: string): Epoch | null {
  try {
    return parseConsortium(text, fileName).membership.current
  } catch (error) {
    if (error instanceof ConsiliumError) return null
    throw error
  }
}

function requireMember(consortium: Consortium, key: MemberKey, file: string): void {
  const { roll, current } = consortium.membership
  if (roll.isMember(key.id)) return
  if (roll.isAuthor(key.id))
    throw new ConsiliumError({
      code: 'no-longer-a-member',
      message: `${file}: this node's key ${key.id.slice(0, 16)}… was a member's and is none in epoch ${current.number}; to come back, run "consilium init" in another folder and have a member propose the new card`,
    })
  throw new ConsiliumError({
    code: 'consortium-not-member',
    message: `${file}: this node's key ${key.id.slice(0, 16)}… is not in it; give its card (card.txt) to whoever runs "consilium found", and use the file that comes back; where the consortium exists already, have a member propose it ("consilium members add"), and use --join`,
  })
}

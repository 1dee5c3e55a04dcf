/** init, found, accept: a node's key and folder, the consortium file, and each founder's signature under it. */
import { networkInterfaces } from 'node:os'
import { resolve } from 'node:path'
import { type Command, InvalidArgumentError } from 'commander'
import { DEFAULT_PORT } from '../config/config.ts'
import { readText, writeNew } from '../daemon/files.ts'
import { acceptConsortium, foundConsortium, initHome } from '../daemon/home.ts'
import { fingerprint, quorum } from '../ledger/founding.ts'
import { table } from './output.ts'
import { type Common, command, outputOf } from './shared.ts'

interface InitOptions extends Common {
  readonly name: string
  readonly port: number
  readonly announce: string[]
  readonly nodePassphraseFile?: string
}

/** `init`: needs no daemon and no network. Errors: those of `initHome`. */
export function initCommand() {
  return announceOption(
    command(
      'init',
      'make key, data folder, commented config and member card',
      'consilium init --name "St. Mary" --announce /dns4/ml.stmary.example/tcp/4801',
    )
      .requiredOption('--name <name>', 'the name that the other hospitals know you by')
      .option('--port <port>', 'TCP port to listen on', parsePort, DEFAULT_PORT)
      .option(
        '--node-passphrase-file <file>',
        'seal the keys under the passphrase in its first line, and not under the key file alone; it stays where it is',
      ),
  ).action(async (options: InitOptions) => {
    const { port, nodePassphraseFile } = options
    const sealing = nodePassphraseFile === undefined ? {} : { passphraseFile: resolve(nodePassphraseFile) }
    const announce = cardAddresses(options.announce, port)
    const { paths, key, card } = await initHome(
      options.home,
      { name: options.name, port, announce: options.announce, ...sealing },
      announce,
    )
    outputOf(options).print(
      { home: paths.folder, member: key.id, fingerprint: fingerprint(key.id), card, addresses: announce },
      () => [
        `Made ${paths.folder}`,
        `  config.yaml   settings, each with its reason; edit it, then "consilium start"`,
        `  member.key    your private key, sealed`,
        `  data.key      what seals the models and bindings in database/, sealed itself`,
        `  heads.pin     what this key has signed last: never put an older one in its place`,
        `  card.txt      your member card, the line below`,
        `Beside it lies ${paths.vaultKey}: it opens ${nodePassphraseFile === undefined ? 'the keys, and ' : ''}what patients say, and belongs in no backup of the folder; keep a copy of it elsewhere`,
        ...(nodePassphraseFile === undefined
          ? []
          : [`The passphrase in ${sealing.passphraseFile} opens the keys at each start`]),
        '',
        `Member card of ${options.name}, to hand to whoever founds the consortium:`,
        card,
        '',
        `It says that you can be dialled at: ${announce.join(' ') || '(nowhere: this node only dials out)'}`,
        `Its fingerprint, to compare by phone: ${fingerprint(key.id)}`,
      ],
    )
  })
}

/** `found`: reads cards alone, needs no data folder. Errors: those of `readCard`, `foundingOf`, `readText` and `writeNew`. */
export function foundCommand() {
  return command(
    'found',
    "make the consortium file from the members' cards",
    'consilium found --name "Northern memory clinics" a/card.txt b/card.txt c/card.txt',
  )
    .argument('<cards...>', 'member cards: files that hold one, or the lines themselves')
    .requiredOption('--name <name>', 'name of the consortium')
    .option(
      '--observer <card>',
      'the card of a regulator or a university, whose node witnesses and votes and takes part in no study; may be repeated',
      (one: string, all: string[]) => [...all, one],
      [] as string[],
    )
    .option('-o, --out <file>', 'where to write it', 'consortium.yaml')
    .action(async (cards: string[], options: Common & { name: string; observer: string[]; out: string }) => {
      const hospitals = await Promise.all(cards.map(readCardArgument))
      const observers = await Promise.all(options.observer.map(readCardArgument))
      const texts = [...hospitals, ...observers.map((one) => ({ ...one, observer: true as const }))]
      const { consortium, text } = await foundConsortium(options.name, texts)
      await writeNew(options.out, text, 0o644)
      const { members, founding } = consortium
      outputOf(options).print({ file: options.out, founding, fingerprint: fingerprint(founding), members }, () => [
        `Wrote ${options.out}: "${consortium.name}", ${members.length} members. An entry is final when ${quorum(members.length)} of them have signed for it.`,
        ...(members.length < 4
          ? ['With fewer than 4 members that is all of them: one hospital offline delays it until it is back.']
          : []),
        '',
        ...table(
          ['member', 'role', 'fingerprint of its key', 'addresses'],
          members.map((one) => [one.name, roleOf(one), fingerprint(one.key), one.addresses.join(' ') || '–']),
        ),
        '',
        `Fingerprint of the consortium: ${fingerprint(founding)}`,
        'Send the file to every member. Each compares the fingerprints with the others by phone, then runs:',
        `  consilium accept ${options.out}`,
      ])
    })
}

/** `accept`: needs the member key in the data folder; the daemon reads the result at its next start. Errors: those of `acceptConsortium`. */
export function acceptCommand() {
  return command(
    'accept',
    'sign the consortium file (membership epoch 0) and keep it',
    'consilium accept consortium.yaml',
  )
    .argument('<file>', 'the file that "consilium found" wrote, or the one that a member gave you')
    .option('--join', 'this hospital is no member yet: a member has proposed it with "consilium members add"', false)
    .action(async (file: string, options: Common & { join: boolean }) => {
      const consortium = await acceptConsortium(options.home, file, options.join)
      const { founding, members, name } = consortium
      outputOf(options).print({ consortium: name, founding, fingerprint: fingerprint(founding), members }, () => [
        options.join
          ? `Accepted "${name}" with ${members.length} members. Once started, this node waits until they admit it.`
          : `Accepted "${name}" with ${members.length} members; your signature goes out as the first entry of your log.`,
        `Fingerprint of the consortium, to compare by phone: ${fingerprint(founding)}`,
        'Next: consilium start',
      ])
    })
}

/** The word for a member's part. */
function roleOf({ observer }: { readonly observer?: true }): 'hospital' | 'observer' {
  return observer ? 'observer' : 'hospital'
}

/** A card as given to a command: the line itself, or a file that holds it. Errors: those of `readText`. */
export async function readCardArgument(argument: string): Promise<{ text: string; source: string }> {
  if (argument.startsWith('consilium-card-')) return { text: argument, source: 'card' }
  return {
    text: await readText(argument, 'card', 'give the file that "consilium init" wrote, or the card\'s line itself'),
    source: argument,
  }
}

/** Gives a command the option of `init` that says where others reach this node. */
export function announceOption(sub: Command): Command {
  return sub.option(
    '--announce <multiaddr>',
    'address under which the others reach you; may be repeated',
    (one: string, all: string[]) => [...all, one],
    [] as string[],
  )
}

/** What a card says of where this node is reached. */
export function cardAddresses(announce: readonly string[], port: number): readonly string[] {
  return announce.length > 0 ? announce : localAddresses(port)
}

/** This machine's addresses that others may reach: what a card says where --announce is not given. */
function localAddresses(port: number): string[] {
  if (port === 0) return [] // whichever port is free at a start is not known before
  const found = Object.values(networkInterfaces()).flatMap((list) => list ?? [])
  return found.filter((one) => !one.internal && one.family === 'IPv4').map((one) => `/ip4/${one.address}/tcp/${port}`)
}

/** A TCP port as given to an option. Error: commander's `InvalidArgumentError`. */
export function parsePort(text: string): number {
  const port = Number(text)
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new InvalidArgumentError('0 to 65535 is expected; 0 takes any free port.')
  return port
}

/** trial: template, new, amend, ls, show, approve, withdraw, list, enrol, event, arm, open, participant, participants, lock, unlock, reveal, check. */
import { dirname, resolve } from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import { parseTrial, type TrialText, trialTemplate, trialWarnings } from '../config/trial.ts'
import { fromHex, toHex } from '../core/bytes.ts'
import { ConsiliumError } from '../core/errors.ts'
import { readText, writeNew } from '../daemon/files.ts'
import type { MembersReport } from '../daemon/membersApi.ts'
import type { TrialLine, TrialReport, TrialSaid } from '../daemon/trialApi.ts'
import { APPROVAL_MEANINGS, HALT_REASONS, isTrialCode, TRIAL_BOUNDS } from '../governance/kinds/trials.ts'
import { documentCommitment } from '../governance/trials/commitment.ts'
import { short, table } from './output.ts'
import { type Common, clientOf, command, outputOf } from './shared.ts'
import { checkCommand } from './trialBundle.ts'
import { lockCommand, revealCommand, unlockCommand } from './trialData.ts'
import { hashFile, newKey, signerOf } from './trialFiles.ts'
import { participantsCommand } from './trialParticipants.ts'
import { hex32, keyFor, reportOf, TRIAL, trialPath } from './trialReference.ts'
import { armCommand, enrolCommand, eventCommand, openCommand, participantCommand } from './trialSite.ts'
import { said, showLines } from './trialText.ts'

const FILE = 'a version in YAML; "consilium trial template" writes one to begin with'

/** The group `trial`; all but the template and `check --bundle` asks the running daemon. Errors: `trial-…`. */
export function trialCommand(): Command {
  const trial = new Command('trial').description(
    'run a clinical trial between hospitals: versions, approvals, randomisation, participants, locked data',
  )
  const own = [template(), propose('new'), propose('amend'), list(), show(), approve(), withdraw(), draw()]
  const others = [
    enrolCommand(),
    eventCommand(),
    armCommand(),
    openCommand(),
    participantCommand(),
    participantsCommand(),
  ]
  for (const sub of [...own, ...others, lockCommand(), unlockCommand(), revealCommand(), checkCommand()])
    trial.addCommand(sub)
  return trial
}

function template(): Command {
  return command(
    'template',
    'write a commented version of a protocol, to be edited',
    'consilium trial template stroke.trial.yaml',
  )
    .argument('<file>', 'made new')
    .option('--name <code>', 'what the trial is called, in small letters', 'trial-1')
    .action(async (file: string, options: Common & { name: string }) => {
      const { members } = await clientOf(options).get<MembersReport>('/v1/members')
      const names = members.filter(({ role }) => role === 'hospital').map(({ name }) => name)
      const source = trialTemplate(options.name, names, APPROVAL_MEANINGS)
      readingOf(members, source, '--name') // a name that is none is refused before anything is written
      await writeNew(file, source, 0o644)
      outputOf(options).print({ file }, () => [
        `Wrote ${file}. Put the protocol's text beside it, edit it, then propose it:`,
        `  consilium trial new ${file}`,
      ])
    })
}

function propose(verb: 'new' | 'amend'): Command {
  const isNew = verb === 'new'
  const sub = command(
    verb,
    isNew
      ? 'propose a trial; nobody is enrolled before it is approved'
      : 'propose the next version; nobody is enrolled under it, or the one before, until it is approved anew',
    isNew ? 'consilium trial new stroke.trial.yaml' : 'consilium trial amend stroke-2 stroke-v2.trial.yaml',
  )
  if (!isNew) sub.argument('<trial>', TRIAL)
  return sub.argument('<file>', FILE).action(async (...given: unknown[]) => {
    const options = given.at(-2) as Common
    const [trial, file] = isNew ? [undefined, given[0] as string] : [given[0] as string, given[1] as string]
    const client = clientOf(options)
    const source = await readText(file, 'trial file', 'check the path')
    const { members } = await client.get<MembersReport>('/v1/members')
    const { document, ...protocol } = readingOf(members, source, file)
    const { hash } = await hashFile(resolve(dirname(file), document))
    const key = protocol.public ? null : newKey()
    const report = await client.post<TrialSaid>('/v1/trials', {
      ...{ protocol, document: toHex(documentCommitment(key, hash)) },
      ...(key === null ? {} : { key: toHex(key) }),
      ...(trial === undefined ? {} : { trial }),
    })
    outputOf(options).print(report, () => [
      `Proposed version ${report.version} of "${report.name}" (${report.entry}). The trial is`,
      `  ${report.trial}`,
      key === null
        ? `The document's SHA-256 is in it.`
        : `A commitment to the document is in it; its key stays here ("consilium trial reveal").`,
      ...trialWarnings(protocol, (key) => members.find((one) => one.key === key)?.name ?? short(key)),
      'Who approves it reads the document, then signs:',
      `  consilium trial approve ${report.ref} --meaning ${protocol.approvals[0]?.meaning ?? ''} --as FILE`,
    ])
  })
}

/** Names become keys by the members that the daemon knows. */
function readingOf(members: MembersReport['members'], source: string, file: string): TrialText {
  const resolveName = (given: string): string | null => {
    if (/^[0-9a-f]{64}$/.test(given)) return given
    const named = members.filter(({ name }) => name === given)
    return named.length === 1 ? (named[0]?.key ?? null) : null
  }
  return parseTrial(source, file, {
    ...TRIAL_BOUNDS,
    meanings: APPROVAL_MEANINGS,
    isCode: isTrialCode,
    resolve: resolveName,
  })
}

function list(): Command {
  return command('ls', 'list all trials that are known here', 'consilium trial ls').action(async (options: Common) => {
    const { trials } = await clientOf(options).get<{ trials: TrialLine[] }>('/v1/trials')
    outputOf(options).print(trials, () =>
      trials.length === 0
        ? ['No trial has been proposed yet. Write one: consilium trial template FILE']
        : table(
            ['trial', 'name', 'version', 'sponsor', 'sites', 'enrolled', 'here'],
            trials.map((one) => [
              ...[short(one.trial), one.name, String(one.version), one.sponsor, String(one.sites)],
              ...[String(one.enrolled), one.here],
            ]),
            [2, 4, 5],
          ),
    )
  })
}

function show(): Command {
  return command(
    'show',
    'show versions, who signed what and when, sites, lists and locks; with --document, whether a file is the one that was approved',
    'consilium trial show stroke-2 --document protocol.pdf',
  )
    .argument('<trial>', TRIAL)
    .option('--document <file>', "the protocol's text: is it that of a version?")
    .option(
      '--key <digits>',
      'the key of a commitment to it, as "consilium trial reveal" printed it, where it is another hospital’s',
      hex32,
    )
    .action(async (ref: string, options: Common & { document?: string; key?: string }) => {
      const report = await reportOf(options, ref)
      if (options.document === undefined) return outputOf(options).print(report, () => showLines(report))
      const found = await versionWith(report, options.document, options)
      outputOf(options).print({ document: options.document, version: found }, () => [
        found === null
          ? `${options.document}: is the document of no version of "${report.name}".`
          : `${options.document}: is the document of version ${found} of "${report.name}".`,
      ])
      if (found === null) process.exitCode = 1
    })
}

/** Which version's document a file is; the key of a private one is given, or here. */
async function versionWith(
  report: TrialReport,
  file: string,
  options: Common & { key?: string },
): Promise<number | null> {
  const { hash } = await hashFile(file)
  for (const { version, document, disclosure } of report.versions.toReversed()) {
    let key: Uint8Array | null = null
    if (disclosure === 'private') key = fromHex(await keyFor(options, report.trial, document))
    if (toHex(documentCommitment(key, hash)) === document) return version
  }
  return null
}

function approve(): Command {
  return command(
    'approve',
    "sign the newest version in one meaning: a person's signature over exactly that version, at this hospital",
    'consilium trial approve stroke-2 --meaning ethics-approval --as ada.key',
  )
    .argument('<trial>', TRIAL)
    .requiredOption('--meaning <meaning>', APPROVAL_MEANINGS.join(', '))
    .action(async (ref: string, options: Common & { meaning: string }) => {
      const signer = await signerOf(options)
      const report = await reportOf(options, ref)
      const newest = report.versions.at(-1) as TrialReport['versions'][number]
      const meaning = APPROVAL_MEANINGS.find((one) => one === options.meaning)
      if (meaning === undefined)
        throw new ConsiliumError({
          code: 'trial-word',
          message: `--meaning: ${JSON.stringify(options.meaning.slice(0, 64))} was given, ${APPROVAL_MEANINGS.join(', ')} are allowed`,
        })
      const content = { trial: fromHex(report.trial), protocol: fromHex(newest.protocol), meaning }
      const signed = await signer.sign(report, 'trial.approved', content)
      const body = { meaning, protocol: newest.protocol, ...signed }
      const answer = await signer.client.post<TrialSaid>(trialPath(report.trial, 'approve'), body)
      outputOf(options).print(answer, () => [
        `Signed version ${newest.version} of "${report.name}" (${short(newest.protocol)}): ${meaning}, ${answer.entry}.`,
        'It counts when enough members have seen it. The name stays at this hospital; all others see person, role, time and meaning.',
      ])
    })
}

function withdraw(): Command {
  return command(
    'withdraw',
    'take an approval back, or halt the version; it binds here at once, elsewhere when it is heard',
    'consilium trial withdraw stroke-2 --halt --reason safety',
  )
    .argument('<trial>', TRIAL)
    .option('--approval <meaning>', "this hospital's own; approving again ends it")
    .option('--halt', 'by the sponsor everywhere, by a site at its own; a new version, approved anew, ends it', false)
    .requiredOption('--reason <code>', HALT_REASONS.join(', '))
    .action(async (ref: string, options: Common & { approval?: string; halt: boolean; reason: string }) => {
      const { approval, halt, reason } = options
      if ((approval === undefined) === !halt)
        throw new ConsiliumError({
          code: 'bad-option',
          message: 'say what is withdrawn: --approval MEANING, or --halt, and not both',
        })
      const body = halt ? { what: 'halt', reason } : { what: 'approval', meaning: approval, reason }
      const answer = await clientOf(options).post<TrialSaid>(trialPath(ref, 'withdraw'), body)
      outputOf(options).print(answer, () => [
        halt
          ? `Halted "${answer.name}" up to version ${answer.version}: ${reason} (${answer.entry}). Nobody is enrolled or treated under it here from now on, elsewhere when it is heard; a new version, approved anew, goes on.`
          : `Withdrew the ${approval} of "${answer.name}": ${reason} (${answer.entry}). Approving again ends that, when it is final.`,
      ])
    })
}

function draw(): Command {
  return command(
    'list',
    'draw a list of randomisation for one site and stratum: permuted blocks; what it says stays sealed here',
    'consilium trial list stroke-2 --site North --positions 60 --blocks 4,6',
  )
    .argument('<trial>', TRIAL)
    .requiredOption('--site <member>', 'who enrols from it')
    .requiredOption('--positions <number>', 'at least so many; the last block is drawn whole', whole)
    .requiredOption('--blocks <sizes>', 'sizes that are drawn from, multiples of the sum of the ratios: 4,6', numbers)
    .option('--stratum <code>', 'as the protocol names it; where it has any')
    .action(
      async (
        ref: string,
        {
          site,
          positions,
          blocks,
          stratum,
          ...options
        }: Common & { site: string; positions: number; blocks: number[]; stratum?: string },
      ) => {
        const body = { site, positions, blocks, ...(stratum === undefined ? {} : { stratum }) }
        const answer = await clientOf(options).post<TrialSaid & { size: number; list: string }>(
          trialPath(ref, 'list'),
          body,
        )
        outputOf(options).print(answer, () => [
          `Drew a list of ${answer.size} positions for ${site}${stratum === undefined ? '' : `, ${stratum}`} (${said(answer)}): ${short(answer.list)}.`,
          'Its seed lies sealed in this data folder and in backups made from now on; the ledger has its root, which says nothing of any arm.',
          "While this node runs it gives each participant's arm to the site, sealed, when the enrolment is final.",
        ])
      },
    )
}

/** Error: commander's `InvalidArgumentError`. */
function whole(given: string): number {
  if (/^\d{1,9}$/.test(given)) return Number(given)
  throw new InvalidArgumentError('a whole number is expected, such as 60.')
}

/** For options that take a list. Error: commander's `InvalidArgumentError`. */
function numbers(given: string): number[] {
  const found = given.split(',').map((one) => Number(one.trim() === '' ? Number.NaN : one))
  if (found.every((one) => Number.isSafeInteger(one) && one > 0)) return found
  throw new InvalidArgumentError('whole numbers with commas between them are expected, such as 4,6.')
}

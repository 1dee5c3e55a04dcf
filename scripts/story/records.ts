/** The chapters about what stands on the ledger beside training: access and counts, settlement, a trial, goods. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { invariant } from '../../src/core/errors.ts'
import type { AccessLine } from '../../src/daemon/accessApi.ts'
import type { SettlementListLine } from '../../src/daemon/settlementApi.ts'
import type { TrialReport } from '../../src/daemon/trialApi.ts'
import { until } from '../demo/daemonProcess.ts'
import { memoryEvents, PACKS } from './goods.ts'
import type { Hospital } from './hospital.ts'
import { chapter, consilium, say } from './stage.ts'

const HEARD_MS = 60_000 // an entry is final some seconds after it was written; on a busy machine later
const TRIAL = 'memory-2'
const PLAN = `name: ${TRIAL}
document: protocol.txt                 # stays here; the log has a commitment to it
arms: [{ arm: active }, { arm: control }]
sites: [Alder House]
lists: Elm Court                       # draws the lists of randomisation, and treats nobody
approvals:
  - { meaning: ethics-approval, by: Elm Court }
  - { meaning: investigator-agreement, by: each-site }
consent: { purposes: [DUO:0000006] }
`

/** What one hospital's config.yaml says otherwise before its node starts. */
export async function answerCounts(hospital: Hospital): Promise<void> {
  const file = join(hospital.home, 'config.yaml')
  const rules = { epsilonPerQuery: 2, epsilonPerAsker: 4, epsilonInAll: 8 }
  let text = await readFile(file, 'utf8')
  for (const [key, value] of Object.entries(rules))
    text = text.replace(new RegExp(`^ {2}${key}: .*$`, 'm'), `  ${key}: ${value}`)
  await writeFile(file, text)
}

/** One looks for a dataset, asks for it, and may count; what would be too few is not told. */
export async function ask(owner: Hospital, asker: Hospital): Promise<void> {
  chapter(
    'A dataset is found, asked for and granted',
    `${owner.name} tells what it holds: nothing of a row. ${asker.name} finds it, asks, and then counts; each answer has noise and is paid for out of a budget.`,
  )
  const dataset = `${owner.short}/memory-2026`
  const announce = ['--title', 'G30', '--purposes', 'DUO:0000006', '--columns', 'male', 'tau']
  const texts = ['--texts', 'Class', '--row-per-patient']
  await owner.does(['catalogue', 'announce', 'memory-2026', ...announce, ...texts])
  const known = (hospital: Hospital, what: string[], word: RegExp): Promise<void> =>
    until(HEARD_MS, `${what.join(' ')} at ${hospital.name}`, async () =>
      word.test(await hospital.does(what, { silent: true })),
    )
  await known(asker, ['catalogue', 'ls'], /announced/)
  await asker.does(['catalogue', 'ls'])
  const impaired = ['count', '--where', "Class = 'Impaired'", '--at', dataset]
  await asker.does(impaired, { lines: -8 })
  const expires = new Date(Date.now() + 90 * 86_400_000).toISOString().slice(0, 10)
  await asker.does(['access', 'ask', owner.short, 'memory-2026', '--purpose', 'DUO:0000006', '--until', expires])
  await known(owner, ['access', 'ls', '--waiting'], /memory-2026/)
  await owner.does(['access', 'ls', '--waiting'])
  const [request] = await owner.asks<readonly AccessLine[]>(['access', 'ls', '--waiting'])
  invariant(request !== undefined, 'what was asked is listed')
  await owner.does(['access', 'grant', request.ref])
  await known(asker, ['access', 'ls', '--mine'], /granted/)
  await asker.does(impaired)
  await asker.does(['count', '--where', "Class = 'Impaired' and tau > 7", '--at', dataset], { lines: -7 })
}

/** The parties close a period of what their agreement shares out. @returns the proposal. */
export async function settle(hospitals: readonly Hospital[], agreement: string, folder: string): Promise<string> {
  chapter(
    'A settlement closes',
    'Who contributed what, by the rule of the agreement: one proposes, every node computes it again from its own copy of the logs, and confirms what is the same.',
  )
  const [first, second] = hospitals as [Hospital, Hospital]
  await first.does(['settlement', 'propose', agreement])
  const closed = async (hospital: Hospital): Promise<SettlementListLine | undefined> =>
    (await hospital.asks<readonly SettlementListLine[]>(['settlement', 'ls'])).find(({ status }) => status === 'closed')
  await until(HEARD_MS, 'the period to be closed', async () => (await closed(second)) !== undefined)
  await second.does(['settlement', 'ls'])
  const proposal = (await closed(second))?.proposal ?? ''
  await second.does(['settlement', 'check', proposal], { lines: -4 })
  await second.does(['settlement', 'export', proposal, '--csv', 'statement.csv', '--html', 'statement.html'])
  say(
    `\n(statement.csv:\n${(await readFile(join(folder, 'statement.csv'), 'utf8')).trimEnd().split('\n').slice(0, 9).join('\n')})`,
  )
  return proposal
}

/** A person becomes an approver of a hospital, unshown. */
async function enrolUnshown(hospital: Hospital, name: string, slug: string): Promise<void> {
  const signer = { key: `${slug}.key`, phrase: `${slug}.phrase` }
  await writeFile(join(hospital.folder, signer.phrase), `${slug} and a lantern\n`, { mode: 0o600 })
  const made = ['person', 'new', '--name', name, '--out', signer.key, '--passphrase-file', signer.phrase]
  await consilium(hospital.name, null, made, { cwd: hospital.folder, silent: true })
  const enrol = ['person', 'enrol', `${signer.key}.card`, '--role', 'approver', 'operator']
  await hospital.does(enrol, { silent: true })
  hospital.signer = signer
}

/** A trial from its approvals to an arm that has to be known. */
export async function runTrial(
  folder: string,
  site: Hospital,
  board: Hospital,
  auditor: Hospital,
  record: string,
): Promise<void> {
  chapter(
    'A clinical trial',
    `${site.name} enrols, ${board.name} has the ethics board and the statistician. Lists are committed to before anybody is enrolled, and opened later.`,
  )
  await enrolUnshown(board, 'Prof. Cyril Berg', 'cyril')
  await writeFile(join(folder, 'trial.yaml'), PLAN)
  await writeFile(join(folder, 'protocol.txt'), 'What is done to whom, when, and why.\n')
  const input = `${record}\n`
  await site.does(['trial', 'new', 'trial.yaml'])
  await site.does(['consent', 'grant', '--subject', '-', '--trial', TRIAL], { input })
  await trialAt(board, ({ versions }) => versions[0]?.final === true)
  await site.does(['trial', 'enrol', TRIAL, '--subject', '-'], { input, refused: true })
  await board.does(['trial', 'approve', TRIAL, '--meaning', 'ethics-approval'])
  await site.does(['trial', 'approve', TRIAL, '--meaning', 'investigator-agreement'])
  await board.does(['trial', 'list', TRIAL, '--site', site.name, '--positions', '24', '--blocks', '4,6'])
  await trialAt(site, ({ sites, randomisation }) => sites[0]?.refusal === null && randomisation[0]?.final === true)
  const enrolled = await site.does(['trial', 'enrol', TRIAL, '--subject', '-'], { input })
  await trialAt(site, ({ randomisation }) => randomisation[0]?.allocated === 1)
  await site.does(['trial', 'arm', TRIAL, '--subject', '-'], { input })
  const tag = /[0-9a-f]{12,}/.exec(enrolled)?.[0] ?? ''
  await site.does(['trial', 'open', TRIAL, '--participant', tag, '--reason', 'emergency'])
  await trialAt(auditor, ({ randomisation }) => randomisation[0]?.opened === 1)
  await auditor.does(['trial', 'participant', TRIAL, '--participant', tag])
  await auditor.does(['trial', 'check', TRIAL])
}

const trialAt = (hospital: Hospital, holds: (report: TrialReport) => boolean): Promise<void> =>
  until(HEARD_MS, `the trial at ${hospital.name}`, () =>
    hospital.asks<TrialReport>(['trial', 'show', TRIAL]).then(holds, () => false),
  )

/** Packs go from one pharmacy to another, too warm; their lot is recalled, and where they are is known. */
export async function recall(folder: string, maker: Hospital, ward: Hospital): Promise<void> {
  chapter(
    'A lot is recalled',
    `The pharmacy of ${maker.name} makes an infusion and ships it to ${ward.name}. What happens to goods is told as GS1 EPCIS 2.0 events.`,
  )
  const { made, received, given } = memoryEvents(Date.now())
  const write = (name: string, events: readonly unknown[]): Promise<void> =>
    writeFile(join(folder, name), `${events.map((event) => JSON.stringify(event)).join('\n')}\n`)
  await Promise.all([write('made.ndjson', made), write('received.ndjson', received), write('given.ndjson', given)])
  await maker.does(['supply', 'product', PACKS.gtin, '--min', '2', '--max', '8'])
  await maker.does(['supply', 'import', 'made.ndjson'])
  const traced = (hospital: Hospital, word: RegExp): Promise<void> =>
    until(HEARD_MS, `the goods at ${hospital.name}`, () =>
      hospital.asks<object>(['supply', 'trace', PACKS.first]).then(
        () => true,
        (error: unknown) => word.test(String(error)),
      ),
    )
  await traced(ward, /shipping/)
  await ward.does(['supply', 'import', 'received.ndjson'])
  await ward.does(['supply', 'trace', PACKS.first], { refused: true })
  await maker.does(['supply', 'recall', PACKS.lot, '--reason', 'temperature', '--class', '1'])
  await until(HEARD_MS, 'the recall to be heard', async () =>
    /RECALLED/.test(await ward.does(['supply', 'recalls'], { silent: true })),
  )
  await ward.does(['supply', 'import', 'given.ndjson'])
  await maker.does(['supply', 'recall', PACKS.lot], { lines: 14 })
}

/** A model is used, and whoever may look sees how often. */
export async function use(folder: string, hospital: Hospital, auditor: Hospital, study: string): Promise<void> {
  chapter(
    'A model is used',
    'What predictions are for is care, and no data leaves; that they were made stands in the log.',
  )
  const [header = '', ...rows] = (await readFile(join(folder, hospital.table), 'utf8')).trimEnd().split('\n')
  const label = header.split(',').length - 1 // the last column, and the first, of record numbers, are not for a model
  const patients = [header, ...rows.slice(0, 14)].map((line) => line.split(',').slice(1, label).join(','))
  await writeFile(join(folder, 'new.csv'), `${patients.join('\n')}\n`)
  await hospital.does(['predict', '--model', study, '--in', 'new.csv'])
  await until(HEARD_MS, 'the prediction to be heard of', async () =>
    /predict/.test(await auditor.does(['model', 'uses', '--member', hospital.name], { silent: true })),
  )
  await auditor.does(['model', 'uses', '--member', hospital.name])
}

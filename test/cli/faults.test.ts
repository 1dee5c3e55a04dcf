/** Bad input at the command line: each row is one fault, and gets one clear line, exit code 1, no stack trace, and loses nothing. */

import { chmod, cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import type { Command } from 'commander'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { consiliumCommand } from '../../src/cli/program.ts'
import { signingKey } from '../../src/core/ed25519.ts'
import type { Digest } from '../../src/core/ids.ts'
import type { ErrorReport, Finding } from '../../src/daemon/api.ts'
import { writeCard } from '../../src/governance/founding.ts'
import { type JoinTicket, writeTicket } from '../../src/governance/ticket.ts'
import {
  consilium,
  consortium,
  type Ended,
  inFolder,
  patients,
  startAll,
  studyText,
  type TestNode,
  until,
} from '../daemon/kit.ts'

const it = suite('faults at the command line')

/** One line, code 1, no trace, and all of `words` in it. */
function refused(ended: Ended, ...words: (string | RegExp)[]): void {
  assert.is(ended.code, 1, `exit code of: ${ended.err}${ended.out}`)
  assert.is(ended.err.trim().split('\n').length, 1, `one line: ${ended.err}`)
  assert.not.match(ended.err, /\n\s+at |Error:/)
  for (const word of words)
    assert.ok(typeof word === 'string' ? ended.err.includes(word) : word.test(ended.err), `"${word}" in: ${ended.err}`)
}

interface Fault {
  readonly name: string
  /** Spoils something in the folder of a node that would start. */
  readonly spoil: (home: string, folder: string) => Promise<unknown>
  readonly words: readonly (string | RegExp)[]
}

const replace = async (file: string, from: string | RegExp, to: string): Promise<void> =>
  writeFile(file, (await readFile(file, 'utf8')).replace(from, to))

const START_FAULTS: readonly Fault[] = [
  {
    name: 'a missing config',
    spoil: (home) => rm(join(home, 'config.yaml')),
    words: ['config.yaml', 'consilium init'],
  },
  {
    name: 'a config that is no YAML',
    spoil: (home) => writeFile(join(home, 'config.yaml'), 'name: [St. Mary\n'),
    words: ['config.yaml', 'line'],
  },
  {
    name: 'an unknown key in the config',
    spoil: (home) => replace(join(home, 'config.yaml'), /^mdns:/m, 'mdsn:'),
    words: ['config.yaml', 'mdsn', 'mdns'],
  },
  { name: 'a missing key', spoil: (home) => rm(join(home, 'member.key')), words: ['member.key', 'backup'] },
  {
    name: 'a key that others may read',
    spoil: (home) => chmod(join(home, 'member.key'), 0o644),
    words: ['0644', 'chmod 600'],
  },
  {
    name: 'a key that is none',
    spoil: (home) => writeFile(join(home, 'member.key'), 'secret', { mode: 0o600 }),
    words: ['Ed25519', 'backup'],
  },
  { name: 'no consortium file', spoil: (home) => rm(join(home, 'consortium.yaml')), words: ['consilium accept'] },
  {
    name: 'an altered consortium file',
    spoil: (home) => replace(join(home, 'consortium.yaml'), '"two"', '"twO"'),
    words: ['founding', 'ask another member'],
  },
  {
    name: 'a consortium that was not signed',
    spoil: (home) => rm(join(home, 'acceptance')),
    words: ['consilium accept'],
  },
  {
    name: 'the consortium file of others',
    spoil: async (home, folder) => {
      await mkdir(join(folder, 'foreign'))
      await consortium(join(folder, 'foreign'), ['four', 'five'])
      await cp(join(folder, 'foreign', 'consortium.yaml'), join(home, 'consortium.yaml'))
    },
    words: ['consortium.yaml', 'is not the consortium that this node accepted'],
  },
  {
    name: 'a database that is no database',
    spoil: async (home) => {
      await rm(join(home, 'database'), { recursive: true })
      await writeFile(join(home, 'database'), 'x')
    },
    words: ['database'],
  },
  {
    name: 'a database with a damaged file',
    spoil: async (home) => {
      const folder = join(home, 'database')
      for (const file of await readdir(folder))
        if (file.startsWith('MANIFEST')) await writeFile(join(folder, file), 'damaged')
    },
    words: ['database'],
  },
  {
    name: 'a lost pin',
    spoil: (home) => rm(join(home, 'heads.pin')),
    words: ['heads.pin', '--trust-ledger'],
  },
  {
    name: 'a folder restored without its history',
    spoil: async (home) => {
      await rm(join(home, 'heads.pin'))
      await rm(join(home, 'database'), { recursive: true })
    },
    words: ['heads.pin', 'database', '--trust-ledger'],
  },
  {
    name: 'a pin that is none',
    spoil: (home) => writeFile(join(home, 'heads.pin'), 'x'),
    words: ['heads.pin', 'checksum', '--trust-ledger'],
  },
  {
    name: 'a database without CURRENT',
    spoil: (home) => rm(join(home, 'database', 'CURRENT')),
    words: ['database', 'CURRENT', 'nothing was changed'],
  },
  {
    name: 'an acceptance that is none',
    spoil: (home) => writeFile(join(home, 'acceptance'), 'bogus\n'),
    words: ['acceptance', 'consilium accept'],
  },
  {
    name: "another member's acceptance",
    spoil: (home, folder) => cp(join(folder, 'two', 'acceptance'), join(home, 'acceptance')),
    words: ['acceptance', 'member.key'],
  },
  {
    name: 'an unknown key in the consortium file',
    spoil: (home) => replace(join(home, 'consortium.yaml'), 'epoch: 0', 'epoch: 0\nepohc: 1'),
    words: ['consortium.yaml', 'epohc', 'epoch', 'line'],
  },
  {
    name: 'a wrong address in the consortium file',
    spoil: (home) => replace(join(home, 'consortium.yaml'), 'addresses: [', 'addresses: ["/ip4/127.0.0.1/udp/1",'),
    words: ['consortium.yaml', 'members[0].addresses[0]', '/ip4/127.0.0.1/udp/1', 'line'],
  },
  {
    name: 'a listen address that is none',
    spoil: (home) => replace(join(home, 'config.yaml'), /\/ip4\/127[^\s"'\]]*/, '/ip4/127.0.0.1/udp/1'),
    words: ['/ip4/127.0.0.1/udp/1'],
  },
  {
    name: 'an address of another machine to listen on',
    spoil: (home) => replace(join(home, 'config.yaml'), /\/ip4\/127[^\s"'\]]*/, '/ip4/203.0.113.9/tcp/4801'),
    words: ['203.0.113.9'],
  },
]

it('a node whose folder is spoilt does not start, says in one line why, and starts again when it is mended', () =>
  inFolder(async (folder, nodes) => {
    nodes.push(...(await consortium(folder, ['one', 'two'])))
    const [one] = nodes as [TestNode, TestNode]
    await startAll(nodes) // so that it has signed something
    await one.end('SIGTERM')
    for (const fault of START_FAULTS) {
      const sound = join(folder, 'sound')
      await cp(one.home, sound, { recursive: true })
      await fault.spoil(one.home, folder)
      refused(await consilium(['start', '--home', one.home]), ...fault.words)
      await rm(one.home, { recursive: true })
      await cp(sound, one.home, { recursive: true })
      await rm(sound, { recursive: true })
    }
    // nobody who follows what is said after a loss may come to sign a second history
    const lost = join(folder, 'lost')
    for (const gone of [['heads.pin'], ['database', 'heads.pin']]) {
      await cp(one.home, lost, { recursive: true })
      await cp(`${one.home}.vault-key`, `${lost}.vault-key`)
      for (const file of gone) await rm(join(lost, file), { recursive: true })
      const { out } = await consilium(['doctor', '--home', lost])
      assert.match(out, /LOOK {2}data folder.*heads\.pin is missing/)
      await rm(lost, { recursive: true })
    }
    for (const gone of [
      ['database', 'acceptance', 'heads.pin'],
      ['database', 'heads.pin'],
    ]) {
      await cp(one.home, lost, { recursive: true })
      for (const file of gone) await rm(join(lost, file), { recursive: true })
      assert.is((await consilium(['accept', join(lost, 'consortium.yaml'), '--home', lost])).code, 0)
      refused(await consilium(['start', '--home', lost]), /database|ledger/, /heads\.pin/)
      await rm(lost, { recursive: true })
    }
    await rm(join(one.home, 'heads.pin'))
    await one.start('--trust-ledger')
    await one.end('SIGTERM')
    await one.start()
    assert.ok((await one.status()) !== null, 'mended, it starts')
  }))

it('a port in use, a second daemon on one folder, and a command without a daemon each say what to do', () =>
  inFolder(async (folder, nodes) => {
    nodes.push(...(await consortium(folder, ['one', 'two'])))
    const [one, two] = nodes as [TestNode, TestNode]
    refused(await consilium(['status', '--home', one.home]), 'no daemon is running', 'consilium start')
    const taken = createServer()
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
    const { port } = taken.address() as AddressInfo
    await replace(join(two.home, 'config.yaml'), /\/ip4\/127[^\s"'\]]*\/tcp\/0/, `/ip4/127.0.0.1/tcp/${port}`)
    refused(await consilium(['start', '--home', two.home]), String(port), 'in use')
    const json = await consilium(['status', '--home', two.home, '--json'])
    assert.is((JSON.parse(json.err) as ErrorReport).error.code, 'daemon-not-running')
    const doctor = async (): Promise<Finding[]> => {
      const { out, code } = await consilium(['doctor', '--home', two.home, '--json'])
      assert.is(code, 1, 'no daemon runs')
      return JSON.parse(out) as Finding[]
    }
    const looks = async () => (await doctor()).filter(({ ok }) => !ok).map(({ check, text }) => `${check}: ${text}`)
    const [daemon, taker] = await looks()
    assert.match(daemon as string, /^daemon: not running.*consilium start/)
    assert.match(taker as string, new RegExp(`^port: .*${port}.* in use`))
    await new Promise((resolve) => taken.close(resolve))
    assert.is((await looks()).length, 1)
    assert.match((await doctor()).map(({ text }) => text).join(), /GB free.*is free/)
    const key = join(two.home, 'member.key')
    await chmod(key, 0o644)
    assert.match((await looks())[1] as string, /^data folder: .*chmod 600/)
    await chmod(key, 0o600)
    await one.start()
    refused(await consilium(['start', '--home', one.home]), 'another daemon')
    assert.ok((await one.status()) !== null, 'the first goes on')
    for (const command of ['ls', 'tail']) {
      refused(
        await consilium(['log', command, '--member', 'nobody', '--home', one.home]),
        '"nobody"',
        /members are (one, two|two, one)/,
      )
      refused(await consilium(['log', command, '--study', 'none', '--home', one.home]), '"none"', 'study ls')
      refused(await consilium(['log', command, '--limit', '-3', '--home', one.home]), '--limit', '-3')
    }
  }))

it('init, found and accept refuse what would overwrite, forge or mix up', () =>
  inFolder(async (folder) => {
    const home = (name: string): string => join(folder, name)
    for (const name of ['a', 'b']) assert.is((await consilium(['init', '--name', name, '--home', home(name)])).code, 0)
    const key = await readFile(join(home('a'), 'member.key'), 'utf8')
    refused(await consilium(['init', '--name', 'a', '--home', home('a')]), 'member.key', 'not overwritten')
    assert.is(await readFile(join(home('a'), 'member.key'), 'utf8'), key, 'the key is as it was')
    await rm(join(home('b'), 'member.key')) // half a folder: nothing may be added to it
    refused(await consilium(['init', '--name', 'b', '--home', home('b')]), 'data.key', 'not overwritten')
    assert.not.ok((await readdir(home('b'))).includes('member.key'))
    await rm(home('b'), { recursive: true })
    assert.is((await consilium(['init', '--name', 'b', '--home', home('b')])).code, 0)
    refused(await consilium(['init', '--name', 'new\nline', '--home', home('c')]), 'name')
    const card = (name: string): string => join(home(name), 'card.txt')
    const out = join(folder, 'consortium.yaml')
    const found = (...cards: string[]): Promise<Ended> => consilium(['found', '--name', 'Both', '-o', out, ...cards])
    refused(await found(card('a')), 'at least 2 cards')
    refused(await found(card('a'), card('a')), 'same key')
    refused(await found(card('a'), join(folder, 'nobody.txt')), 'nobody.txt')
    const key2 = signingKey(new Uint8Array(32).fill(7))
    const bad = writeCard({ name: 'd', key: key2.member, addresses: ['/ip4/192.0.2.1/tcp/0'] }, key2.sign)
    await writeFile(join(folder, 'bad.txt'), bad)
    refused(await found(card('a'), join(folder, 'bad.txt')), 'bad.txt', '/ip4/192.0.2.1/tcp/0')
    assert.is((await consilium(['init', '--name', 'e', '--home', home('e'), '--port', '0'])).code, 0)
    assert.is((await found(card('a'), card('e'))).code, 0, 'a card without addresses is one')
    await rm(out)
    const text = (await readFile(card('b'), 'utf8')).trim()
    refused(await found(card('a'), `${text.slice(0, 60)}${text[60] === 'A' ? 'B' : 'A'}${text.slice(61)}`), 'card')
    assert.is((await found(card('a'), card('b'))).code, 0)
    refused(await found(card('a'), card('b')), 'not overwritten')
    await consilium(['init', '--name', 'c', '--home', home('c')])
    refused(await consilium(['accept', out, '--home', home('c')]), 'not in it', 'card.txt')
    assert.is((await consilium(['accept', out, '--home', home('a')])).code, 0)
    const other = join(folder, 'other.yaml')
    assert.is((await consilium(['found', '--name', 'Other', '-o', other, card('a'), card('b')])).code, 0)
    refused(await consilium(['accept', other, '--home', home('a')]), 'another consortium')
  }))

interface TableFault {
  readonly name: string
  readonly csv: string
  readonly more?: readonly string[]
  readonly words: readonly (string | RegExp)[]
}

const GOOD = patients(60, 1)
const cell = (row: number, column: number, value: string): string => {
  const lines = GOOD.split('\n')
  const cells = (lines[row] as string).split(',')
  cells[column] = value
  lines[row] = cells.join(',')
  return lines.join('\n')
}

const TABLE_FAULTS: readonly TableFault[] = [
  { name: 'an empty file', csv: '', words: ['empty'] },
  { name: 'a header alone', csv: 'age,marker,sex,ill\n', words: [/no row|empty/] },
  { name: 'a missing column', csv: GOOD.replace('marker', 'market'), words: ['marker', 'market'] },
  {
    name: 'a column too many',
    csv: GOOD.replaceAll(/$/gm, ',1').replace('ill,1', 'ill,extra'),
    words: ['extra', '--ignore-extra'],
  },
  { name: 'text in a number column', csv: cell(3, 0, 'old'), words: ['age', 'old'] },
  { name: 'a value that is not a number', csv: cell(3, 1, 'NaN'), words: ['marker', 'NaN'] },
  { name: 'infinity', csv: cell(3, 1, 'Infinity'), words: ['marker', 'Infinity'] },
  { name: 'a value out of range', csv: cell(3, 0, '317.25'), words: ['age', '317.25', '120'] },
  { name: 'another unit', csv: GOOD, more: ['--unit', 'age=months'], words: ['months', 'years'] },
  { name: 'a level that the study does not know', csv: cell(3, 2, 'x'), words: ['sex', '"x"'] },
  { name: 'a label that is neither', csv: cell(3, 3, 'perhaps'), words: ['ill', 'perhaps'] },
  { name: 'one class only', csv: GOOD.replaceAll(',yes', ',no'), words: ['0 of 60', 'yes'] },
  {
    name: 'fewer rows than the minimum cohort',
    csv: GOOD.split('\n').slice(0, 4).join('\n'),
    words: ['3 rows', 'cohort is 5'],
  },
]

it('a study file and a table with a fault are refused by name and place, and a BOM or CRLF is none', () =>
  inFolder(async (folder, nodes) => {
    nodes.push(...(await consortium(folder, ['one', 'two'])))
    const [one] = nodes as [TestNode]
    await startAll(nodes)
    const at = ['--home', one.home]
    const file = join(folder, 'test.study.yaml')
    refused(await consilium(['study', 'add', join(folder, 'none.yaml'), ...at]), 'none.yaml')
    await writeFile(file, 'name: [')
    refused(await consilium(['study', 'add', file, ...at]), 'test.study.yaml', 'line')
    await writeFile(file, studyText({ rounds: 5 }).replace('minimumCohort', 'minimunCohort'))
    refused(await consilium(['study', 'add', file, ...at]), 'minimunCohort', 'minimumCohort')
    await writeFile(file, studyText({ rounds: 5 }).replace('kind: logistic', 'kind: mlp, hidden: [4096, 4096, 4096]'))
    refused(await consilium(['study', 'add', file, ...at]), 'parameters')
    await writeFile(file, studyText({ rounds: 5, deadlineSeconds: 1 }))
    const added = await consilium(['study', 'add', file, ...at, '--json'])
    const { study } = JSON.parse(added.out) as { study: string }
    const differs = `${study.slice(0, 63)}${study[63] === '0' ? '1' : '0'}`
    refused(await consilium(['study', 'accept', differs, ...at]), study, 'compare')
    refused(await consilium(['study', 'bind', 'nothing', '--data', file, ...at]), 'nothing', 'study ls')
    const table = join(folder, 'table.csv')
    const bind = (...more: string[]): Promise<Ended> =>
      consilium(['study', 'bind', study.slice(0, 8), '--data', table, ...at, ...more])
    refused(await bind(), 'table.csv', 'no such file')
    for (const { csv, more, words } of TABLE_FAULTS) {
      await writeFile(table, csv)
      refused(await bind(...(more ?? [])), 'table.csv', ...words)
    }
    assert.is((await one.status())?.studies[0]?.rows, null, 'nothing was bound')
    assert.not.match(one.log, /317\.25|perhaps/)
    await writeFile(table, `\uFEFF${GOOD.replaceAll('\n', '\r\n')}`)
    const bound = await bind()
    assert.is(bound.code, 0, bound.err)
    const option = await bind('--column', 'tau')
    assert.is(option.code, 1)
    assert.match(option.err, /--column.*'tau' is invalid.*NAME=VALUE/)
    await one.end('SIGTERM')
    await rm(table)
    await one.start()
    const failure = async (): Promise<string> => (await one.status())?.studies[0]?.failure ?? ''
    await until(20_000, 'the missing table to be told of', async () => (await failure()) !== '')
    assert.match(await failure(), /data-file: .*table\.csv: there is no such file/)
    const doctor = await consilium(['doctor', ...at])
    assert.match(doctor.out, /LOOK.*study.*table\.csv: there is no such file/)
    assert.is(doctor.code, 1)
    await one.end('SIGTERM')
    await writeFile(table, GOOD.replace('age,', 'Jane Doe 1954-03-02,'))
    await one.start()
    await until(20_000, 'the other table to be told of', async () => (await failure()).includes('bind it again'))
    assert.not.match(`${one.log}${await failure()}`, /Jane/, 'a header may be a row of a table without one')
  }))

it('a ticket that has expired, or is of another consortium, is refused before anything is made or anybody dialled', () =>
  inFolder(async (folder, nodes) => {
    const key = signingKey(new Uint8Array(32).fill(7))
    const ticket: JoinTicket = {
      ...{ consortium: 'Clinics', founding: 'ab'.repeat(32) as Digest, epoch: 0, inviter: key.member },
      ...{ addresses: ['/ip4/127.0.0.1/tcp/1'], name: 'St. Mary', observer: false, secret: new Uint8Array(32) },
      expiresMs: Date.parse('2026-01-02T03:04Z'),
    }
    const file = join(folder, 'ticket.txt')
    await writeFile(file, `${writeTicket(ticket, key.sign)}\n`)
    const home = join(folder, 'mary')
    refused(
      await consilium(['join', file, '--home', home]),
      'ticket.txt: the ticket was good until 2026-01-02T03:04 UTC',
      'ask for a new one',
    )
    assert.not.ok((await readdir(folder)).includes('mary'), 'no folder, and no key')
    nodes.push(...(await consortium(folder, ['one', 'two'])))
    const [one] = nodes as [TestNode, TestNode]
    const fresh = writeTicket({ ...ticket, expiresMs: Date.now() + 60_000 }, key.sign)
    refused(await consilium(['join', fresh, '--home', one.home]), 'is of "Clinics"', 'use another --home')
  }))

it('of two record numbers on standard input none is taken, and none of an empty one', async () => {
  const say = ['consent', 'revoke', '--subject', '-', '--home', '/nowhere']
  refused(await consilium(say, { input: '410001\n410002\n' }), 'has 2 lines', 'nothing was done')
  refused(await consilium(say, { input: ' \n' }), 'has no record number')
  refused(await consilium(say, { input: '\n410001\n' }), '/nowhere', 'no daemon is running') // one is taken
})

it('every command has --help with an example, and unknown options are refused', async () => {
  for (const { path, command } of leaves(await consiliumCommand())) {
    let help = ''
    command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp()
    const typed = path === 'invite new' ? 'invite' : path // what "invite" does by itself
    assert.match(help, new RegExp(`Examples?:\\n(.*\\n)* {2}.*\\$ .*consilium ${typed}\\b`), path)
    assert.match(help, /--home|--root/, path)
    assert.match(help, /--json/, path)
  }
  const help = await consilium(['study', 'ls', '--help'])
  assert.is(help.code, 0)
  assert.match(help.out, /Example:\n {2}\$ consilium study ls/)
  const wrong = await consilium(['status', '--hmoe', 'x'])
  assert.is(wrong.code, 1)
  assert.match(wrong.err, /--home/)
  for (const words of [
    ['log', 'verify', '--member', '--home', '/nowhere'],
    ['catalogue', 'announce', 'x', '--texts', 'sex', '--title', '--home', '/nowhere'],
  ]) {
    const swallowed = await consilium(words)
    assert.is(swallowed.code, 1)
    assert.match(swallowed.err, new RegExp(`${words.at(-3)} .*has no value: '--home' stands in its place`))
  }
  const json = await consilium(['study', 'ls', '--json', '--bogus'])
  assert.is(json.code, 1)
  assert.equal((JSON.parse(json.err) as ErrorReport).error, { code: 'bad-option', message: "unknown option '--bogus'" })
})

function leaves(command: Command, above: readonly string[] = []): { path: string; command: Command }[] {
  return command.commands.flatMap((sub) => {
    const path = [...above, sub.name()]
    return sub.commands.length === 0 ? [{ path: path.join(' '), command: sub }] : leaves(sub, path)
  })
}

it.run()

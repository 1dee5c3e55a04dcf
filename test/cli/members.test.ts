/** `consilium members`: what it shows, and one clear line for each thing that cannot be. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type SigningKey, signingKey } from '../../src/core/ed25519.ts'
import type { ConsiliumError } from '../../src/core/errors.ts'
import type { ChangeReport, MembersReport } from '../../src/daemon/membersApi.ts'
import { writeCard } from '../../src/governance/founding.ts'
import { fingerprint } from '../../src/ledger/founding.ts'
import { consilium, consortium, type Ended, inFolder, startAll, type TestNode, until } from '../daemon/kit.ts'

const it = suite('members at the command line')

const cardOf = (name: string, key: SigningKey): string => writeCard({ name, key: key.member, addresses: [] }, key.sign)
const keyOf = (byte: number): SigningKey => signingKey(new Uint8Array(32).fill(byte))

function refused({ code, out, err }: Ended, ...words: readonly RegExp[]): void {
  assert.is(code, 1, `${out}${err}`)
  assert.is(err.trim().split('\n').length, 1, `one line: ${err}`)
  assert.not.match(err, /\n\s+at |Error:/)
  for (const word of words) assert.match(err, word)
}

const withName =
  (node: TestNode) =>
  (words: TemplateStringsArray, ...given: readonly string[]) =>
    consilium([
      'members',
      ...words.flatMap((word, i) => [...word.split(' ').filter(Boolean), ...given.slice(i, i + 1)]),
      '--home',
      node.home,
    ])

it('each fault gets one line that says what was given and what to do, and changes nothing', () =>
  inFolder(async (folder, nodes) => {
    nodes.push(...(await consortium(folder, ['north', 'south'])))
    const [north, south] = nodes as [TestNode, TestNode]
    const members = withName(north)
    refused(await members`ls`, /consilium start/)
    refused(await members`approve ${'5f1e09ab34cd'}`, /consilium start/)
    await startAll(nodes)
    refused(await members`remove ${'west'}`, /"west" is no member; the members are (north, south|south, north)/)
    refused(await members`remove ${'0123'}`, /"0123" is no member/)
    refused(await members`remove ${'south'}`, /1 members, 2 to \d+ are expected/)
    refused(await members`add ${join(folder, 'none.txt')}`, /none\.txt: there is no such card/)
    refused(await members`add ${join(south.home, 'card.txt')}`, /"south" is a member with this key already/)
    refused(await members`add ${cardOf('south', keyOf(7))}`, /two members have the same name/)
    refused(
      await members`add ${cardOf('ward anna@clinic.example', keyOf(7))}`,
      /an e-mail address/,
      /copied to every member for good/,
    )
    const torn = cardOf('west', keyOf(7)).replace(/.$/, (last) => (last === 'A' ? 'B' : 'A'))
    refused(await members`add ${torn}`, /card/)
    refused(await members`approve ${'5f1e0'}`, /"5f1e0" is no change that is proposed; at least 6 digits/, /members ls/)
    refused(await members`reject ${'5f1e09ab34cd'}`, /no change that is proposed/)
    const empty = await north.client.post('/v1/members/changes', { add: [], remove: [] }).catch((error) => error)
    assert.is((empty as ConsiliumError).code, 'change-empty')
    const malformed = await north.client.post('/v1/members/changes', { add: 'west' }).catch((error) => error)
    assert.is((malformed as ConsiliumError).code, 'body-malformed')
    const { changes } = await north.client.get<MembersReport>('/v1/members')
    assert.equal(changes, [])
  }))

it('ls shows members, and what is proposed with who is for it, in words and as JSON', () =>
  inFolder(async (folder, nodes) => {
    nodes.push(...(await consortium(folder, ['north', 'south'])))
    const [north, south] = nodes as [TestNode, TestNode]
    await startAll(nodes)
    const members = withName(north)
    await until(20_000, 'the members to meet', async () =>
      (await north.client.get<MembersReport>('/v1/members')).members.every(({ connected }) => connected),
    )
    const report = JSON.parse((await members`ls --json`).out) as MembersReport
    const prints = new Map(report.members.map(({ name, fingerprint }) => [fingerprint, name.toUpperCase()]))
    const west = keyOf(7)
    prints.set(fingerprint(west.member), 'WEST')
    const card = join(folder, 'west.txt')
    await writeFile(card, `${cardOf('west', west)}\n`)
    const proposed = JSON.parse((await members`add ${card} --json`).out) as ChangeReport
    assert.equal(
      [proposed.epoch, proposed.add.map(({ name }) => name), proposed.remove, proposed.approvedBy],
      [1, ['west'], [], ['north']],
    )
    const ls = async (): Promise<string[]> => {
      let { out } = await members`ls`
      for (const [print, name] of prints) out = out.replaceAll(print, `(${name}’s print)`)
      const lines = out.replaceAll(proposed.change.slice(0, 12), '(id)').trimEnd().split('\n')
      return lines.map((line) => line.trimEnd().replaceAll(/ {2,}/g, '  '))
    }
    const sorted = (lines: readonly string[]): string[] => [
      ...lines.slice(0, 3),
      ...lines.slice(3, 5).sort(),
      ...lines.slice(5),
    ]
    assert.equal(sorted(await ls()), [
      'Test consortium, epoch 0: 2 members; what 2 of them have signed is final.',
      '',
      'member  role  since epoch  connected  fingerprint of its key',
      'north  hospital  founding  this node  (NORTH’s print)',
      'south  hospital  founding  yes  (SOUTH’s print)',
      '',
      'Change (id), by north: "west" joins, with epoch 1.',
      '  west: (WEST’s print)',
      '  approved by north',
      '  1 of the 2 approvals that it needs; then the nodes vote by themselves.',
    ])
    refused(await members`approve ${`${proposed.change.slice(0, 6)}g`}`, /no change that is proposed/)
    refused(await members`approve ${proposed.change.slice(0, 5)}`, /at least 6 digits/)
    const again = JSON.parse((await members`add ${card} --json`).out) as ChangeReport
    assert.is(again.change, proposed.change, 'the same change once more is the same')
    const rejected = await members`reject ${proposed.change.slice(0, 6)}`
    assert.match(rejected.out, /^Rejected: "west" joins, with epoch 1\.\n0 of the 2 approvals/)
    const approved = await members`approve ${proposed.change}`
    assert.match(approved.out, /^Approved: "west" joins, with epoch 1\.\n1 of the 2 approvals/)
    const replaced = await members`replace ${'south'} ${cardOf('south', keyOf(8))}`
    assert.match(replaced.out, /^Proposed, and approved here: a new key for "south", with epoch 1\.\n/)
    assert.match(replaced.out, /consilium members approve [0-9a-f]{12}\n/)
    assert.match(replaced.out, /consilium accept consortium\.yaml --join\n/)
    // the second yes makes a quorum: nodes vote, and nothing is taken back any more
    const changesAt = async (node: TestNode) => (await node.client.get<MembersReport>('/v1/members')).changes.length
    await until(20_000, 'all that north said to reach south', async () => (await changesAt(south)) === 2) // the replacement came last
    const last = await consilium(['members', 'approve', proposed.change, '--home', south.home])
    assert.match(
      last.out,
      /The nodes are voting\. It is decided with the votes of 2 of the members now and 3 of the 3 after it\./,
    )
    refused(await consilium(['members', 'reject', proposed.change, '--home', south.home]), /is voting already/)
    const json = await consilium(['members', 'reject', proposed.change, '--home', south.home, '--json'])
    assert.is((JSON.parse(json.err || json.out) as { error: { code: string } }).error.code, 'change-voting')
    await until(20_000, "south's approval to reach north", async () =>
      /approved by (north, south|south, north)\n {2}The nodes are voting\./.test((await ls()).join('\n')),
    )
  }))

it.run()

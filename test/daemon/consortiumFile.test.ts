/** The consortium file: what a node writes it reads back, and whatever was changed by hand is named with what to do. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ConsiliumError } from '../../src/core/errors.ts'
import { parseConsortium, writeConsortium } from '../../src/daemon/consortiumFile.ts'
import { Membership } from '../../src/ledger/epoch.ts'
import { foundingDigest } from '../../src/ledger/founding.ts'
import { ADA, BEN, CLEO, DAN, EVE, FAY, FOUNDING, FOUR, membersOf, pinOf, recordOf } from './epochKit.ts'

const it = suite('consortium file')
const walk = new Membership(FOUNDING)
walk.add(recordOf(walk.current, [...FOUR, EVE], [pinOf(ADA, 40)]))
walk.add(recordOf(walk.current, [ADA, BEN, CLEO, EVE], [pinOf(DAN, 7)], [ADA, BEN, CLEO, EVE]))
const ADDRESSES = new Map([
  [ADA.key.member, ['/dns4/ada.example/tcp/4801', '/ip4/10.0.0.1/tcp/1']],
  [EVE.key.member, ['/ip6/::1/tcp/2']],
  [DAN.key.member, ['/ip4/10.0.0.4/tcp/4']],
])
const FILE = 'consortium.yaml'
const written = (membership: Membership): string => writeConsortium('Clinics', membership, ADDRESSES)
const FOUNDED = written(new Membership(FOUNDING))
const TEXT = written(walk)

it('the founding, and every epoch since, comes back as it was; addresses are those of the members now', () => {
  for (const [text, membership] of [
    [FOUNDED, new Membership(FOUNDING)],
    [TEXT, walk],
  ] as const) {
    const read = parseConsortium(text, FILE)
    assert.equal([read.name, read.founding], ['Clinics', foundingDigest(FOUNDING)])
    assert.equal(read.membership.records, membership.records)
    assert.is(read.membership.current.digest, membership.current.digest)
    assert.equal(read.membership.epochs[0]?.members, FOUNDING.members)
    assert.equal(
      read.members.map(({ name, key }) => ({ name, key })),
      membership.current.members,
    )
    for (const { key, addresses } of read.members) assert.equal(addresses, ADDRESSES.get(key) ?? [])
    assert.is(writeConsortium(read.name, read.membership, new Map(read.members.map((m) => [m.key, m.addresses]))), text)
  }
  assert.not.match(TEXT, /10\.0\.0\.4/, 'Dan has left')
  assert.not.match(FOUNDED, /founders|epochs:/, 'before anything changes the file has no more than a founder needs')
  assert.equal(parseConsortium(TEXT, FILE).membership.nameOf(DAN.key.member), 'Dan')
})

it('addresses may be corrected by hand', () => {
  const read = parseConsortium(TEXT.replace('/dns4/ada.example/tcp/4801', '/dns4/new.example/tcp/9'), FILE)
  const ada = read.members.find(({ key }) => key === ADA.key.member)
  assert.equal(ada?.addresses, ['/dns4/new.example/tcp/9', '/ip4/10.0.0.1/tcp/1'])
})

/** The lines under `key:`, up to the next key that is not indented. */
const without = (key: string): string => TEXT.replace(new RegExp(`^${key}:\\n( .*\\n)*`, 'm'), '')
const records = walk.records.map((record) => Buffer.from(record).toString('base64'))
const [first, second] = records as [string, string]
const spoilt = Buffer.from(first, 'base64')
spoilt[spoilt.length - 1] = (spoilt.at(-1) as number) ^ 1
const foreign = recordOf(new Membership(FOUNDING).current, [...FOUR, FAY], [], [ADA, BEN, FAY])
const nameOf = (name: string): RegExp => new RegExp(`name: "${name}"`)
const [other] = membersOf([FAY])

const FAULTS: readonly (readonly [string, string, string, readonly RegExp[]])[] = [
  [
    'no founders though epochs follow',
    without('founders'),
    'consortium-altered',
    [/founding: names, keys/, /ask another member/],
  ],
  [
    'no epochs though the number says so',
    without('epochs'),
    'consortium-altered',
    [/members: they are not those of epoch 0/, /ask another/],
  ],
  [
    'a founder’s name',
    TEXT.replace(/(founders:[\s\S]*name: )"Dan"/, '$1"Don"'),
    'consortium-altered',
    [/founding: names/],
  ],
  [
    'another number',
    TEXT.replace('epoch: 2', 'epoch: 1'),
    'consortium-altered',
    [/members: they are not those of epoch 2/, /ask another/],
  ],
  ['a number below 0', TEXT.replace('epoch: 2', 'epoch: -2'), 'consortium-invalid', [/epoch/, /0 or more/]],
  [
    'a number that is text',
    TEXT.replace('epoch: 2', 'epoch: "2"'),
    'consortium-invalid',
    [/epoch/, /a number is expected/],
  ],
  [
    'a record with one bit changed',
    TEXT.replace(first, spoilt.toString('base64')),
    'consortium-altered',
    [/epochs\[0\]: /, /signature/, /ask another/],
  ],
  [
    'a record that too few signed',
    TEXT.replace(first, Buffer.from(foreign).toString('base64')),
    'consortium-altered',
    [/epochs\[0\]: /, /quorum/],
  ],
  [
    'a record left out',
    TEXT.replace(`  - "${first}"\n`, ''),
    'consortium-altered',
    [/epochs\[0\]: /, /number 2, number 1 comes next/],
  ],
  [
    'records in another order',
    TEXT.replace(first, 'X').replace(second, first).replace('"X"', `"${second}"`),
    'consortium-altered',
    [/epochs\[0\]: /],
  ],
  [
    'a record twice',
    TEXT.replace(`  - "${first}"`, `  - "${first}"\n  - "${first}"`),
    'consortium-altered',
    [/epochs\[1\]: /],
  ],
  [
    'the newest record left out',
    TEXT.replace(`  - "${second}"\n`, ''),
    'consortium-altered',
    [/members: they are not those of epoch 1/],
  ],
  [
    'a record that is no base64',
    TEXT.replace(first, `*${first.slice(1)}`),
    'consortium-invalid',
    [/epochs\[0\]/, /base64 is expected/],
  ],
  ['a record that is empty', TEXT.replace(`"${first}"`, '""'), 'consortium-altered', [/epochs\[0\]/]],
  [
    'epochs that are no list',
    TEXT.replace(/^epochs:[\s\S]*$/m, 'epochs: none\n'),
    'consortium-invalid',
    [/epochs/, /a list of signed records is expected/],
  ],
  [
    'a member’s name now',
    TEXT.replace(nameOf('Eve'), 'name: "Eva"'),
    'consortium-altered',
    [/members: they are not those of epoch 2/],
  ],
  [
    'a member’s key now',
    TEXT.replace(EVE.key.member, other?.key as string),
    'consortium-altered',
    [/members: they are not those/],
  ],
  [
    'a member too many',
    TEXT.replace('founders:', `  - name: "Fay"\n    key: ${other?.key}\n    addresses: []\nfounders:`),
    'consortium-altered',
    [/members: they are not those/],
  ],
  [
    'a member left out',
    TEXT.replace(/( {2}- name: .*\n {4}key: .*\n {4}addresses: .*\n)founders:/, 'founders:'),
    'consortium-altered',
    [/members: they are not those of epoch 2/],
  ],
  [
    'an address that is none',
    TEXT.replace('/ip6/::1/tcp/2', 'eve.example'),
    'consortium-invalid',
    [/members\[\d\]\.addresses\[0\]/, /"eve.example" was given/],
  ],
]

for (const [name, text, code, words] of FAULTS)
  it(`one line says where and what to do: ${name}`, () => {
    assert.is.not(text, TEXT, 'the fault is in the text')
    try {
      parseConsortium(text, FILE)
    } catch (error) {
      assert.instance(error, ConsiliumError)
      const { code: given, message } = error as ConsiliumError
      assert.is(given, code, message)
      assert.match(message, /^consortium\.yaml:/)
      assert.not.match(message, /\n/)
      for (const word of words) assert.match(message, word)
      return
    }
    assert.unreachable('it is refused')
  })

it.run()

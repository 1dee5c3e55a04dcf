import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { CONFIG_DEFAULTS, defaultConfigText, parseConfig } from '../../src/config/config.ts'
import { ConsiliumError } from '../../src/core/errors.ts'

const it = suite('config')

const DIGEST = 'a5'.repeat(32)
const PEER = '12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA'

it('the file that init writes means exactly the defaults', () => {
  assert.equal(parseConfig(defaultConfigText({ name: 'St. Mary' }), 'c.yaml'), { name: 'St. Mary', ...CONFIG_DEFAULTS })
})

it('a file with only a name means the same as the one that init writes', () => {
  assert.equal(
    parseConfig('name: St. Mary\n', 'c.yaml'),
    parseConfig(defaultConfigText({ name: 'St. Mary' }), 'c.yaml'),
  )
})

it('every setting survives being written and read, whatever the name looks like', () => {
  const config = {
    name: 'Höpital: "Ste-Anne" #3 {x}',
    listen: ['/ip4/127.0.0.1/tcp/0', '/ip6/::1/tcp/4802'],
    announce: ['/dns4/node.example.org/tcp/443'],
    bootstrap: [`/ip4/192.0.2.7/tcp/4803/p2p/${PEER}`, '/dns/a-b.example/tcp/1'],
    mdns: true,
    learner: { backend: 'cpu' },
    log: { level: 'debug' },
    replay: { keepMegabytes: 0 },
    privacy: { epsilonMax: 2.5 },
    agreements: { required: true },
    retention: { training: { keepDays: 4_000 }, operation: { keepDays: 'unlimited' }, legalHold: [DIGEST] },
    keys: { passphraseFile: '/run/secrets/consilium' },
    settlement: { measure: 'auto', confirm: 'ask' },
    vault: { keyFile: '/srv/keys/st mary.key' },
    datasets: { registered: 'required' },
    access: { studies: 'granted' },
    counts: {
      answer: 'any-member',
      epsilonPerQuery: 0.05,
      epsilonPerAsker: 0.7,
      epsilonInAll: 1.5,
      minimumCohort: 25,
      step: 7,
      consent: 'opt-in',
    },
  } as const
  assert.equal(parseConfig(defaultConfigText(config), 'c.yaml'), config)
})

it('a port is a short way to say where to listen', () => {
  assert.equal(parseConfig(defaultConfigText({ name: 'x', port: 5001 }), 'c.yaml').listen, ['/ip4/0.0.0.0/tcp/5001'])
})

it('a byte order mark and CRLF change nothing', () => {
  const text = defaultConfigText({ name: 'St. Mary' })
  assert.equal(parseConfig(`\uFEFF${text.replaceAll('\n', '\r\n')}`, 'c.yaml'), parseConfig(text, 'c.yaml'))
})

it('parsing twice never hands out one list twice', () => {
  assert.is.not(parseConfig('name: a', 'c').announce, parseConfig('name: a', 'c').announce)
})

const RETENTION = 'name: a\nretention: '
const FAULTS: readonly [claim: string, text: string, code: string, ...says: string[]][] = [
  ['an empty file', '# nothing\n', 'config-yaml', 'empty'],
  ['a tab as indentation', 'name: a\nlog:\n\tlevel: info\n', 'config-yaml', 'line 3'],
  ['no name', 'mdns: true\n', 'config-invalid', 'name', 'missing'],
  [
    'an unknown key',
    'name: a\nbootstraps: []\n',
    'config-invalid',
    'bootstraps',
    'did you mean "bootstrap"?',
    '(line 2)',
  ],
  [
    'a wrong backend',
    'name: a\nlearner: { backend: gpu }\n',
    'config-invalid',
    'learner.backend: "gpu"',
    'auto or kernels or wasm or cpu or native',
  ],
  [
    'too few days',
    `${RETENTION}{ training: { keepDays: 2191 } }`,
    'config-invalid',
    'retention.training.keepDays: 2191',
    '2192 to 10958',
    'unlimited',
  ],
  [
    'too many days',
    `${RETENTION}{ operation: { keepDays: 3654 } }`,
    'config-invalid',
    'retention.operation.keepDays: 3654',
    '1096 to 3653',
  ],
  ['half a day', `${RETENTION}{ training: { keepDays: 3000.5 } }`, 'config-invalid', '3000.5'],
  ['never, for unlimited', `${RETENTION}{ training: { keepDays: never } }`, 'config-invalid', '"never"', 'unlimited'],
  [
    'days for what decides',
    `${RETENTION}{ decides: { keepDays: 3000 } }`,
    'config-invalid',
    'retention.decides',
    'training, operation, legalHold',
  ],
  [
    'a hold on half a digest',
    `${RETENTION}{ legalHold: [${'a'.repeat(63)}] }`,
    'config-invalid',
    'retention.legalHold',
    '64 digits',
  ],
  [
    'a hold by one word',
    `${RETENTION}{ legalHold: all }`,
    'config-invalid',
    'retention.legalHold: "all"',
    'true, false or a list',
  ],
  [
    'a table that is neither',
    'name: a\naccess: { studies: yes }\n',
    'config-invalid',
    'access.studies: "yes"',
    'free or granted',
  ],
  ['a cohort of one', 'name: a\ncounts: { minimumCohort: 1 }\n', 'config-invalid', 'counts.minimumCohort: 1', 'from 5'],
  ['an ε of nothing', 'name: a\ncounts: { epsilonPerQuery: 0 }\n', 'config-invalid', 'counts.epsilonPerQuery: 0'],
  [
    'a budget that answers no question',
    'name: a\ncounts: { epsilonPerQuery: 3 }\n',
    'config-invalid',
    'counts.epsilonPerAsker: 2 was given, at least epsilonPerQuery, 3, is allowed',
  ],
  [
    'less for all than for one',
    'name: a\ncounts: { epsilonInAll: 1 }\n',
    'config-invalid',
    'counts.epsilonInAll: 1 was given, at least epsilonPerAsker, 2, is allowed',
  ],
  [
    'a step beyond the cohort',
    'name: a\ncounts: { step: 50 }\n',
    'config-invalid',
    'counts.step: 50 was given, at most minimumCohort, 10, is allowed',
  ],
  ['a wrong level', 'name: a\nlog: { level: 3 }\n', 'config-invalid', 'log.level: 3', 'trace or debug'],
  [
    'less than nothing to keep',
    'name: a\nreplay: { keepMegabytes: -1 }\n',
    'config-invalid',
    'keepMegabytes: -1',
    '0 to',
  ],
  ['yes for true', 'name: a\nmdns: yes\n', 'config-invalid', 'mdns: "yes"', 'true or false'],
  ['one address without a list', 'name: a\nlisten: /ip4/0.0.0.0/tcp/1\n', 'config-invalid', 'listen', 'a list of'],
  [
    'an address of another form',
    'name: a\nbootstrap: ["192.0.2.7:4801"]\n',
    'config-invalid',
    'bootstrap[0]: "192.0.2.7:4801"',
    '/ip4/192.0.2.7/tcp/4801',
  ],
  [
    'a transport that we don’t speak',
    'name: a\nlisten: [/ip4/0.0.0.0/udp/4801]\n',
    'config-invalid',
    'listen[0]',
    '/tcp/',
  ],
  ['a port beyond the last', 'name: a\nlisten: [/ip4/0.0.0.0/tcp/70000]\n', 'config-invalid', '0 to 65535'],
  ['port 0 to dial', 'name: a\nannounce: [/ip4/192.0.2.7/tcp/0]\n', 'config-invalid', '1 to 65535'],
  ['a wrong IPv4 address', 'name: a\nlisten: [/ip4/300.0.0.1/tcp/1]\n', 'config-invalid', '"300.0.0.1"'],
  ['a wrong IPv6 address', 'name: a\nlisten: [/ip6/zz/tcp/1]\n', 'config-invalid', '"zz"'],
  ['a peer id where one listens', `name: a\nlisten: [/ip4/0.0.0.0/tcp/1/p2p/${PEER}]\n`, 'config-invalid', 'remove it'],
  ['a name where one listens', 'name: a\nlisten: [/dns4/node.example/tcp/1]\n', 'config-invalid', '/ip4 or /ip6'],
]

for (const [claim, text, code, ...says] of FAULTS) {
  it(`${claim} is refused in one line that says what is allowed`, () => {
    let error: unknown
    try {
      parseConfig(text, '/etc/c.yaml')
    } catch (thrown) {
      error = thrown
    }
    assert.instance(error, ConsiliumError)
    const { code: got, message } = error as ConsiliumError
    assert.is(got, code, message)
    assert.not.match(message, '\n')
    assert.ok(message.startsWith('/etc/c.yaml: '), message)
    for (const words of says) assert.ok(message.includes(words), `"${words}" in: ${message}`)
  })
}

it.run()

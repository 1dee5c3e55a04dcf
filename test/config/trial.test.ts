/** Versions of protocols in YAML: what a sponsor may write down, and one line for each thing that is wrong, with its place. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { parseTrial, trialTemplate, trialWarnings } from '../../src/config/trial.ts'
import { ConsiliumError } from '../../src/core/errors.ts'
import { APPROVAL_MEANINGS, isTrialCode, TRIAL_BOUNDS } from '../../src/governance/kinds/trials.ts'

const it = suite('trial text')
const KEYS: Readonly<Record<string, string>> = { North: '1'.repeat(64), South: '2'.repeat(64), West: '4'.repeat(64) }
const resolve = (given: string): string | null => KEYS[given] ?? (/^[0-9a-f]{64}$/.test(given) ? given : null)
const VOCABULARY = { ...TRIAL_BOUNDS, meanings: APPROVAL_MEANINGS, isCode: isTrialCode, resolve }

const SOUND = `name: stroke-2
document: protocol.pdf
arms: [{ arm: active, ratio: 2 }, { arm: control }]
sites: [North, South]
strata: [under-65, over-65]
lists: West
approvals:
  - { meaning: ethics-approval, by: West }
  - { meaning: investigator-agreement, by: each-site }
consent: { purposes: [DUO:0000006] }
`

const read = (text: string) => parseTrial(text, 'a.yaml', VOCABULARY)

it('names become keys, and what is left out gets its default', () => {
  const trial = read(SOUND)
  assert.equal(trial.sites, [KEYS.North, KEYS.South])
  assert.is(trial.lists, KEYS.West)
  assert.equal(trial.arms, [
    { arm: 'active', ratio: 2 },
    { arm: 'control', ratio: 1 },
  ])
  assert.equal(
    trial.approvals.map(({ by }) => by),
    [KEYS.West, null],
  )
  assert.equal([trial.public, trial.consent.required], [false, true])
})

it('the template reads as it is, and who draws the lists is no site in it where there is another', () => {
  const trial = read(trialTemplate('stroke-3', ['North', 'South', 'West'], APPROVAL_MEANINGS))
  assert.equal([trial.name, trial.sites, trial.lists], ['stroke-3', [KEYS.North, KEYS.South], KEYS.West])
  const alone = read(trialTemplate('stroke-3', ['North'], APPROVAL_MEANINGS))
  assert.equal([alone.sites, alone.lists], [[KEYS.North], KEYS.North])
})

it('who draws the lists and enrols too is named, for its people could know arms', () => {
  assert.equal(trialWarnings(read(SOUND), String), [])
  const [says, ...others] = trialWarnings(
    read(SOUND.replace('lists: West', 'lists: South')),
    (key) => `member ${key[0]}`,
  )
  assert.match(says ?? '', /^Mind: member 2 draws the lists of randomisation and is a site too/)
  assert.equal(others, [])
})

const FAULTS: readonly (readonly [change: readonly [string, string], says: RegExp])[] = [
  [['name: stroke-2', 'name: Stroke 2'], /^a\.yaml: name: "Stroke 2" was given, a word of small letters.* \(line 1\)$/],
  [['document: protocol.pdf\n', ''], /document: this key is missing/],
  [['strata:', 'stratum:'], /stratum: this key is unknown, the keys here are name, document/],
  [['ratio: 2', 'ratio: 0'], /arms\[0\]\.ratio: 0 was given, a whole number from 1 to 8 .*line 3/],
  [['{ arm: active, ratio: 2 }, ', ''], /arms: 1 items were given/],
  [['arm: control', 'arm: active'], /arms\[1\]: active was given twice: name each arm once/],
  [
    ['[North, South]', '[North, Nowhere]'],
    /sites\[1\]: "Nowhere" was given, a member's name or key is expected.*line 4/,
  ],
  [['[North, South]', '[North, North]'], /sites: a site was given twice/],
  [['lists: West', 'lists: Nobody'], /lists: "Nobody" was given/],
  [['ethics-approval', 'ethics-aproval'], /approvals\[0\]\.meaning: "ethics-aproval" was given, .*did you mean/i],
  [['by: West', 'by: Nobody'], /approvals\[0\]\.by: "Nobody" was given/],
  [['[DUO:0000006]', '[]'], /consent\.purposes: none was given: name what patients are asked for/],
  [['[DUO:0000006]', '[DUO:9999999]'], /consent\.purposes\[0\]: "DUO:9999999" was given/],
]

for (const [[from, to], says] of FAULTS)
  it(`${from.trim()} → ${to.trim() || 'nothing'}: said in one line`, () => {
    assert.ok(SOUND.includes(from))
    try {
      read(SOUND.replace(from, to))
      assert.unreachable()
    } catch (error) {
      if (!(error instanceof ConsiliumError)) throw error
      assert.match(error.message, says)
      assert.not.match(error.message, /\n/)
    }
  })

it('broken YAML and an empty file are named as such', () => {
  for (const [text, code] of [
    ['name: [', 'trial-yaml'],
    ['', 'trial-yaml'],
    ['- a', 'trial-invalid'],
  ] as const)
    try {
      read(text)
      assert.unreachable()
    } catch (error) {
      assert.is((error as ConsiliumError).code, code)
    }
})

it.run()

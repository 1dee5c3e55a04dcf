/** Guards: what of CEL they may say, that nothing else gets in, and that every expression ends soon. */

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { compileGuard, type GuardInputs } from '../../src/governance/guards.ts'
import { cpuMsOf } from '../cpu.ts'

const it = suite('guards')

const INPUTS: GuardInputs = {
  ...{ action: 'round', hospital: 'ab12', study: '5f1e', mergeRule: 'mean', isPrivate: true },
  ...{ round: 7n, rounds: 40n, rowsBand: 110n, minimumCohort: 10n, daysToExpiry: 3n },
  ...{ epsilonSpentMilli: 1_250n, epsilonMaxMilli: 3_000n },
  members: ['ab12', 'cd34', 'ef56'],
  purposes: ['DUO:0000006', 'DUO:0000045'],
}

const MEANS: readonly (readonly [cel: string, means: 'true' | 'false' | 'error'])[] = [
  ['true', 'true'],
  ['round < rounds && rowsBand >= 40', 'true'],
  ['!isPrivate || epsilonSpentMilli * 2 > epsilonMaxMilli', 'false'],
  ['size(members) == 3', 'true'],
  ['hospital in members && !("zz" in members)', 'true'],
  ['members.all(m, m != study) && members.exists(m, m.startsWith("cd"))', 'true'],
  ['members.exists_one(m, m.contains("5"))', 'true'],
  ['purposes.all(p, p in ["DUO:0000006", "DUO:0000045"])', 'true'],
  ['action in ["export", "predict"] ? daysToExpiry > 30 : daysToExpiry >= 0', 'true'],
  ['[5, 7, 9][1] == round', 'true'],
  ['-round < 0 && -7 % 4 == -3 && -7 / 2 == -3', 'true'], // towards zero
  ['mergeRule.endsWith("ean")', 'true'],
  // an error denies, whatever it is
  ['rounds / (round - 7) > 1', 'error'],
  ['rounds % (round - 7) > 1', 'error'],
  ['members[3] == "ab12"', 'error'],
  ['members[-1] == "ab12"', 'error'],
  ['9007199254740991 * 9007199254740991 > 0', 'error'],
  // where one side decides, an error on the other does not matter: CEL says so
  ['round / 0 > 1 || true', 'true'],
  ['round / 0 > 1 && false', 'false'],
]
for (const [cel, means] of MEANS) {
  it(`${cel} is ${means}`, () => {
    const compiled = compileGuard(cel)
    assert.ok('guard' in compiled, 'reason' in compiled ? compiled.reason : '')
    assert.is(compiled.guard(INPUTS), means)
    assert.is(compiled.guard(INPUTS), means, 'and the second time')
  })
}

const nested = (depth: number, item: string): string =>
  depth === 0 ? 'true' : `members.all(m${depth}, ${nested(depth - 1, item)})`

/** What is outside is refused where it is read, with the reason. */
const REFUSED: readonly (readonly [cel: string, says: RegExp])[] = [
  ['1.5 < 2.0', /1.5 is a float, whole numbers are allowed/],
  ['round < 1u', /unsigned/],
  ['null == null', /null, bytes and unsigned numbers are not part/],
  ['b"a" == b"a"', /bytes/],
  ['round + 9007199254740992 > 0', /9007199254740992 is too large/],
  ['hospital.matches("^(a+)+$")', /\.matches\(…\) is not part of guards, all, exists/],
  ['members.map(m, m).size() > 0', /\.size\(…\) is not part|\.map\(…\) is not part/],
  ['size(members.filter(m, m == hospital)) > 0', /\.filter\(…\) is not part/],
  ['cel.bind(x, round, x > 1)', /maxCallArguments/],
  ['has(members.a)', /a field is not part/],
  ['{"a": 1}["a"] == 1', /maxMapEntries/],
  [
    'timestamp("2027-01-01T00:00:00Z") > timestamp("2026-01-01T00:00:00Z")',
    /timestamp\(…\) is not part of guards, size\(list\) is/,
  ],
  ['string(round) == "7"', /string\(…\) is not part/],
  ['size(hospital) > 3', /string stands with size, where a list is expected/],
  ['hospital + "x" == "y"', /string stands with \+, where int is expected/],
  ['members + members == members', /list<string> stands with \+/],
  ['hospital < "b"', /string stands with <, where int is expected/],
  ['members == purposes', /lists are not compared/],
  ['round == "7"', /string stands with ==, where int is expected/],
  ['round in members', /int stands with in, where string is expected/],
  ['[] == []', /an empty list has no type/],
  ['[1, "a"][0] == 1', /string stands with a list, where int is expected/],
  ['[true][0]', /a list of bool is not part/],
  ['[[1]][0] == [1]', /a list of list<int> is not part/],
  ['patients > 3', /patients is unknown, the inputs are action, hospital/],
  ['__proto__ == 1', /[Rr]eserved|unknown/],
  ['constructor == 1', /constructor is unknown/],
  ['round', /it gives int, true or false is expected/],
  ['members.all(m, members.all(k, k == m))', /all\(…\) stands within another comprehension/],
  ['members.exists(round, round == "a")', /round is an input: give the item another name/],
  ['members.all(1, true)', /iteration variable/],
  ['members.all(m, round)', /int stands with all, where bool is expected/],
  ['m == "a" && members.all(m, true)', /m is unknown/],
  ['', /.+/],
  ['round <', /.+/],
  ['true true', /Unexpected/],
]
for (const [cel, says] of REFUSED) {
  it(`refused: ${cel || 'nothing at all'}`, () => {
    const compiled = compileGuard(cel)
    assert.ok('reason' in compiled)
    assert.match(compiled.reason, says)
    assert.not.match(compiled.reason, /\n/)
  })
}

/** Each would take seconds, or the memory, were it evaluated. */
const BOMBS: readonly (readonly [what: string, cel: string])[] = [
  ['four comprehensions, one in another', nested(4, 'm')],
  ['a backtracking regular expression', `"${'a'.repeat(40)}b".matches("^(a+)+$")`],
  ['lists that double', `size(${'members.map(m, m)'.replace('m, m', 'm, members + members')}) > 0`],
  ['text that doubles', 'cel.bind(a, hospital + hospital, cel.bind(b, a + a, cel.bind(c, b + b, c == "")))'],
  ['ten thousand parentheses', `${'('.repeat(10_000)}true${')'.repeat(10_000)}`],
  ['as many as fit', `${'('.repeat(990)}true${')'.repeat(990)}`],
  ['nothing but !', `${'!'.repeat(1_990)}true`],
  ['nothing but -', `${'-'.repeat(1_990)}1 < 0`],
  ['more nodes than allowed', `${'true||'.repeat(151)}true`],
  ['a list longer than allowed', `round in [${'1,'.repeat(980)}1]`],
  ['choices one in another', `${'true?true:'.repeat(190)}true`],
]
for (const [what, cel] of BOMBS) {
  it(`a bomb is refused without being evaluated: ${what}`, () => {
    const ms = cpuMsOf(() => assert.ok('reason' in compileGuard(cel)))
    assert.ok(ms < 1_000, `${ms} ms, where one that is evaluated takes minutes`)
  })
}

it('the costliest guard that is let in, over as many members as there can be, takes a few milliseconds', () => {
  const members = Array.from({ length: 1_000 }, (_, i) => `${i}`)
  const cel = Array.from({ length: 16 }, (_, i) => `members.all(m, m != "x${i}" && m != "y" && m != "z")`).join(' && ')
  const compiled = compileGuard(cel)
  assert.ok('guard' in compiled, 'reason' in compiled ? compiled.reason : '')
  const times = Array.from({ length: 7 }, () => {
    const from = performance.now()
    assert.is(compiled.guard({ ...INPUTS, members }), 'true')
    return performance.now() - from
  })
  assert.ok(Math.min(...times) < 50, `${times}`)
})

it('one guard knows nothing of what another was asked', () => {
  const [round, days] = ['round > 3', 'daysToExpiry > 5'].map((cel) => compileGuard(cel))
  assert.ok(round !== undefined && 'guard' in round && days !== undefined && 'guard' in days)
  assert.equal([round.guard(INPUTS), days.guard(INPUTS)], ['true', 'false'])
  assert.equal([round.guard({ ...INPUTS, round: 2n }), days.guard({ ...INPUTS, daysToExpiry: 9n })], ['false', 'true'])
  assert.is(round.guard(INPUTS), 'true')
})

it.run()

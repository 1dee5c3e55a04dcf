/** What counts of hospitals alone: every family of kinds is on one side or the other, and an observer's node refuses the acts that lead there. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { KINDS } from '../../src/governance/kinds.ts'
import { isForHospitals, isOfHospitals } from '../../src/governance/observers.ts'
import { ACTS } from '../../src/governance/roles.ts'

const it = suite('observers')
const familyOf = (kind: string): string => kind.slice(0, kind.indexOf('.'))

it('a family of kinds is of hospitals or of all members, and a new one has to be placed', () => {
  const families = (of: boolean): string[] => [
    ...new Set(
      Object.keys(KINDS)
        .filter((kind) => isOfHospitals(kind) === of)
        .map(familyOf),
    ),
  ]
  assert.equal(families(true).sort(), [
    ...['access', 'agreement', 'catalogue', 'count', 'dataset', 'privacy', 'round', 'settlement', 'study', 'value'],
  ])
  assert.equal(families(false).sort(), [
    ...['alarm', 'consent', 'epoch', 'member', 'model', 'node', 'operator', 'person', 'stranger', 'subject', 'supply'],
  ])
})

it('an observer proposes, signs, binds and registers nothing, and invites, approves, suspends, backs up as any member', () => {
  const actions = (of: boolean): string[] =>
    Object.values(ACTS)
      .filter((act) => isForHospitals(act) === of)
      .map(({ action }) => action)
  const refused = actions(true)
  for (const action of ['add', 'accept', 'bind', 'pause', 'end', 'exclude', 'audit-privacy'])
    assert.ok(refused.includes(`study.${action}`), action)
  for (const action of ['propose', 'sign', 'refuse', 'end', 'event'])
    assert.ok(refused.includes(`agreement.${action}`), action)
  for (const action of ['register', 'verify']) assert.ok(refused.includes(`dataset.${action}`), action)
  for (const action of ['catalogue.announce', 'access.ask', 'access.grant', 'count.ask'])
    assert.ok(refused.includes(action), action)
  assert.equal([...new Set(refused.map(familyOf))].sort(), [
    ...['access', 'agreement', 'catalogue', 'count', 'dataset', 'settlement', 'study'],
  ])
  for (const action of ['members.approve', 'members.suspend', 'invitation.make', 'backup.make', 'person.enrol'])
    assert.ok(actions(false).includes(action), action)
})

it.run()

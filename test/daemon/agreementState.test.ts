/** The hash of what agreements come to: the same at two machines that have the same final entries, whatever else each has heard. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { MemberId } from '../../src/core/ids.ts'
import { stateReport } from '../../src/daemon/agreementDesk.ts'
import { ADA, agreementOf, BEN, ended, proposed, refused, SELF, signed } from '../governance/agreementFixtures.ts'
import { Harness } from '../node/harness.ts'

const it = suite('state of agreements')
const OURS = agreementOf()
const ELSE = agreementOf('minimumCohort: 40\n')
const reportOf = (world: Harness) => stateReport(world.machine, (member) => member.slice(0, 4))

/** Entries of each member, in the order of its log. */
const LOGS: ReadonlyMap<MemberId, readonly { kind: string; body: never }[]> = new Map(
  Object.entries({
    [SELF]: [proposed(OURS.document), signed(OURS.id)],
    [ADA]: [signed(OURS.id), refused(OURS.id, 'cohort'), signed(OURS.id), proposed(ELSE.document)],
    [BEN]: [refused(OURS.id), signed(ELSE.id), ended(ELSE.id)],
  }),
) as never

/** Hears the first entries of each log, then makes them final. */
function hear(world: Harness, order: readonly MemberId[], from: number, to: number): void {
  for (const author of order)
    for (const one of LOGS.get(author)?.slice(from, to) ?? [])
      if (author === SELF) world.say({ ...one, study: null } as never)
      else world.hearEntry(author, { ...one, study: null } as never)
}
const settle = (world: Harness, order: readonly MemberId[]): void => {
  for (const author of order) world.makeFinal(author)
}

it('two machines with the same final cut print the same, whatever came first, after a start, and beside what is not final', () => {
  const [one, two] = [new Harness(), new Harness()]
  hear(one, [SELF, ADA, BEN], 0, 2)
  hear(two, [BEN, ADA], 0, 2)
  hear(two, [SELF], 0, 2)
  one.commit(100)
  two.crash(100)
  settle(one, [SELF, ADA, BEN])
  settle(two, [BEN, SELF, ADA])
  const { state, cut } = reportOf(one)
  assert.equal(reportOf(two), { state, cut })
  assert.equal(
    cut.filter(({ key }) => key === ADA || key === BEN).map(({ key, final }) => [key, final]),
    [ADA, BEN].sort().map((key) => [key, 2]),
  )
  hear(two, [ADA, BEN], 2, 9)
  assert.equal(reportOf(two), { state, cut }, 'what is not final is not in it, not even a restriction')
  settle(two, [ADA, BEN])
  assert.is.not(reportOf(two).state, state)
  hear(one, [BEN, ADA], 2, 9)
  settle(one, [ADA, BEN])
  assert.equal(reportOf(one), reportOf(two))
})

it.run()

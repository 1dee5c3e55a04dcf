/** What of a hospital's own leaves with an exported model, and what the log says of it. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { parseStudy } from '../../src/config/study.ts'
import { weightsDigest } from '../../src/core/digest.ts'
import type { Daemon } from '../../src/daemon/daemon.ts'
import { exportModel } from '../../src/daemon/modelExport.ts'
import type { HeldModel } from '../../src/daemon/models.ts'
import { Agreements } from '../../src/governance/agreements.ts'
import { readBody } from '../../src/governance/kinds.ts'
import type { Draft } from '../../src/node/actions.ts'
import { digestOf, keyOf } from '../gossip/fixtures.ts'
import { STUDY, someWeights } from '../learn/fixtures.ts'
import { COLUMNS } from '../learn/portableFixtures.ts'

const it = suite('model export')
const EVERYWHERE = { mean: [70.5, 300.25], deviation: [9.5, 120.5] }
const OWN = { mean: [83.125, 411.5], deviation: [4.75, 66.25] }

/** Exports a model of a study with such normalisation; what stands in the file of the numeric inputs, and in the log. */
async function exported(normalisation: 'consortium' | 'own', sharedOnly: boolean) {
  const study = parseStudy(
    `
name: Memory clinics
purpose: To tell who will need a specialist.
label: { name: ill, positive: 'yes', negative: 'no' }
local: { normalisation: ${normalisation} }
features:
  - { name: age, kind: number, unit: a }
  - { name: tau, kind: number, unit: ng/L }
  - { name: sex, kind: category, levels: [f, m] }
`,
    'clinic.yaml',
  )
  const weights = someWeights(study.model, COLUMNS, 'exported')
  const scaling = { digest: digestOf('scaling'), scaling: EVERYWHERE, contributions: [] }
  const model = {
    state: { id: STUDY, study, scaling, commitments: new Map() },
    scaling: normalisation === 'own' ? OWN : EVERYWHERE,
    digest: weightsDigest(weights.shared),
    rounds: 37,
    weights,
    calibration: { slope: 0.75, intercept: -0.25 },
  } as unknown as HeldModel
  const drafts: Draft[] = []
  const daemon = {
    home: {
      ...{ key: { id: keyOf('ada').member }, membership: { roll: { members: [] } } },
      config: { agreements: { required: false } },
    },
    machine: {
      view: () => ({ withdrawals: { binding: () => [] }, studies: [], suspensions: [], agreements: new Agreements() }),
      finality: { final: () => null },
    },
    writer: { record: (_: string, more: Draft[]) => drafts.push(...more), flush: async () => undefined },
  } as unknown as Daemon
  const { files } = await exportModel(daemon, model, { format: 'json', sharedOnly, forensic: false })
  const text = Buffer.from(files[0]?.content as string, 'base64').toString('utf8')
  const { inputs } = JSON.parse(text) as {
    inputs: { scaledBy?: string; features: { mean?: number; deviation?: number }[] }
  }
  const [age, tau] = inputs.features
  const scaled = { mean: [age?.mean, tau?.mean], deviation: [age?.deviation, tau?.deviation] }
  assert.ok(readBody('model.exported', drafts[0]?.body ?? null) !== null, 'the entry is one that is read')
  return { scaled, by: inputs.scaledBy, entry: drafts[0]?.body as { withHead: boolean; withScaling?: boolean } }
}

it('what may go to others has the consortium’s means and deviations, never those of the hospital’s own rows', async () => {
  const shared = await exported('own', true)
  assert.equal([shared.scaled, shared.by], [EVERYWHERE, 'stand-in'])
  assert.equal([shared.entry.withHead, shared.entry.withScaling], [false, undefined])
})

it('for its own use a hospital gets its own means and deviations; file and entry say that they are in it', async () => {
  const own = await exported('own', false)
  assert.equal([own.scaled, own.by], [OWN, 'own'])
  assert.equal([own.entry.withHead, own.entry.withScaling], [true, true])
})

it('where all hospitals scale alike there is nothing to say', async () => {
  for (const sharedOnly of [true, false]) {
    const { scaled, by, entry } = await exported('consortium', sharedOnly)
    assert.equal([scaled, by, entry.withScaling], [EVERYWHERE, undefined, undefined])
  }
})

it.run()

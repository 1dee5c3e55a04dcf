/** The audit of a hospital's own model, without a network: what its rows are scaled with. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Daemon } from '../../src/daemon/daemon.ts'
import { auditPrivacy } from '../../src/daemon/privacyAudit.ts'
import { scalingHere } from '../../src/data/ownScaling.ts'
import type { StudyState } from '../../src/governance/studies.ts'
import { initialWeights } from '../../src/learn/model.ts'
import { digestOf } from '../gossip/fixtures.ts'
import { STUDY } from '../learn/fixtures.ts'
import { studyOf, tableOf } from '../node/clinics.ts'

const it = suite('privacy audit')
const EVERYWHERE = { mean: [48, 610], deviation: [3.5, 55] } // of other patients altogether: where it is used, values are clipped

/** What the two attacks find at a hospital whose inputs are scaled by its own rows, or by `everywhere`. */
async function audited(normalisation: 'own' | 'consortium', everywhere = EVERYWHERE) {
  const study = studyOf(7, `local: { normalisation: ${normalisation} }`)
  const dataset = tableOf('audited', 120)
  const scaling = { digest: digestOf('scaling'), scaling: everywhere, contributions: [] }
  const state = { id: STUDY, study, scaling } as unknown as StudyState
  const weights = { shared: Float32Array.of(0.9, 0.6, 0.1, -0.1), head: initialWeights(study.model, 4, STUDY).head }
  const daemon = {
    home: { config: { learner: { backend: 'kernels' } } },
    model: () => ({ round: 4, digest: digestOf('model'), weights }),
    dataset: async () => dataset,
    models: { scaling: async () => scalingHere(study, dataset, everywhere) },
    machine: { view: () => ({ studies: [] }) },
    writer: { record: () => undefined, flush: async () => undefined },
  } as unknown as Daemon
  const { loss, calibrated } = await auditPrivacy(daemon, state)
  return { loss, calibrated }
}

it('where a hospital scales by its own rows its model is attacked with rows that are scaled so', async () => {
  const { mean, deviation } = scalingHere(
    studyOf(7, 'local: { normalisation: own }'),
    tableOf('audited', 120),
    EVERYWHERE,
  )
  const expected = await audited('consortium', { mean: [...mean], deviation: [...deviation] })
  assert.equal(await audited('own'), expected)
  assert.is.not(expected.loss.auc.value, (await audited('consortium')).loss.auc.value, 'it makes a difference')
})

it.run()

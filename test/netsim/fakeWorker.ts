/** A sweep's worker thread with the engine of the tests. Fails outright at seed 13. */

import { serveRuns } from '../../netsim/cli/serveRuns.ts'
import { ConsiliumError } from '../../src/core/errors.ts'
import { fakeSimulate } from './fakeSimulate.ts'

serveRuns((options) => {
  if (options.seed === 13)
    return Promise.reject(new ConsiliumError({ code: 'unlucky', message: 'seed 13 never works' }))
  return fakeSimulate(options)
})

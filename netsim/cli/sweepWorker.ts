/** What a sweep's worker threads run. */
import { simulate } from '../simulate.ts'
import { serveRuns } from './serveRuns.ts'

serveRuns(simulate)

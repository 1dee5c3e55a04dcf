/** What a sweep's worker threads run. */
import { engine } from './engine.ts'
import { serveRuns } from './serveRuns.ts'

serveRuns(engine)

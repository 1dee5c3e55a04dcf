import { logStoreSuite } from './logStoreSuite.ts'
import { folder } from './places.ts'

logStoreSuite('level store', folder)

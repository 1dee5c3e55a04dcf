/** `npm run interop [-- name …]`: holds what Consilium writes and computes against other people's implementations. */
import { checkCel } from './cel.ts'
import { checkEvaluation } from './evaluation.ts'
import { checkLearning } from './learning.ts'
import { checkLedger } from './ledger.ts'
import { checkPrivacy } from './privacy.ts'
import { checkSafetensors } from './safetensors.ts'
import type { Verdict } from './tool.ts'

const CHECKS: Readonly<Record<string, () => Promise<Verdict>>> = {
  ledger: checkLedger,
  learning: checkLearning,
  safetensors: checkSafetensors,
  privacy: checkPrivacy,
  evaluation: checkEvaluation,
  cel: checkCel,
}

const wanted = process.argv.slice(2)
const unknown = wanted.find((name) => !Object.hasOwn(CHECKS, name))
if (unknown !== undefined) {
  process.stderr.write(`interop: "${unknown}" is not one of ${Object.keys(CHECKS).join(', ')}\n`)
  process.exit(1)
}

const tally = { agrees: 0, differs: 0, skipped: 0 }
for (const [name, check] of Object.entries(CHECKS)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue
  const { outcome, said } = await check()
  tally[outcome]++
  process.stdout.write(`${outcome.toUpperCase().padEnd(8)} ${name}: ${said}\n`)
}
process.stdout.write(`${tally.agrees} agree, ${tally.differs} differ, ${tally.skipped} skipped for want of a tool\n`)
if (tally.differs > 0) process.exitCode = 1

/** Our ε against those of dp_accounting and Opacus, on studies of all sizes. */
import { fileURLToPath } from 'node:url'
import { epsilonByPld } from '../../src/learn/privacy/pld.ts'
import { epsilonByRdp } from '../../src/learn/privacy/rdp.ts'
import { judgedBy, type Verdict } from './tool.ts'

/** q, σ, steps, δ: those of DECISIONS that are quick to compute, and hospitals of the size of the stroke trial's. */
const CASES = [
  [0.04, 1.5, 2250, 1e-5],
  [256 / 60000, 1.3, 3516, 1e-5],
  [0.01, 4, 10000, 1e-5],
  [1, 0.7, 2, 1e-5],
  [1, 10, 100, 1e-5],
  [1, 8, 300, 0.0054],
  [0.3, 4, 120, 0.007],
  [0.9, 1, 3, 1e-3],
  [0.02, 0.8, 500, 1e-6],
] as const

/** RDP agrees with Opacus to 1e-6 of ε, PLD with dp_accounting to 1e-4, on a grid of 2e-5 there. */
export async function checkPrivacy(): Promise<Verdict> {
  const given = CASES.map(([sampleRate, noiseMultiplier, steps, delta]) => {
    const spent = [{ sampleRate, noiseMultiplier, steps }]
    const ours = { rdp: epsilonByRdp(spent, delta), pld: epsilonByPld(spent, delta) }
    return { sampleRate, noiseMultiplier, steps, delta, ...ours }
  })
  const cwd = fileURLToPath(new URL('privacy', import.meta.url))
  // a virtual environment's python is found by its path in CONSILIUM_PYTHON
  const command = process.env.CONSILIUM_PYTHON ?? 'python3'
  const tool = { command, args: ['check.py'], probe: ['-c', 'import dp_accounting'], cwd }
  return judgedBy(
    { ...tool, wants: 'dp-accounting 0.4 or newer ("pip install dp-accounting"; opacus too where it fits)' },
    given,
  )
}

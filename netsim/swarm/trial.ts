/** One scenario of the swarm, run and judged; and the file that a failure becomes. */
import { messageOf } from '../../src/core/errors.ts'
import { parseScenario, scenarioText } from '../scenario/read.ts'
import { simulate } from '../simulate.ts'
import { randomScenario } from './randomScenario.ts'

/** What came of one trial. */
export interface Trial {
  readonly events: number
  readonly virtualSeconds: number
  /** What broke, in one line; null where everything held. */
  readonly failure: string | null
}

/** Runs a scenario given as text with a seed; a check that fails and an error of our own are failures alike. */
export async function trialOf(text: string, seed: number, name: string, baseFolder: string): Promise<Trial> {
  try {
    const scenario = parseScenario(text, name)
    const { checks, events, virtualSeconds, outcome } = await simulate({
      scenario,
      seed,
      scenarioName: name,
      baseFolder,
    })
    const broken = checks.find(({ failure }) => failure !== null)
    // who equivocates, or forks for its disk was lost, may keep others from ever hearing of the study; who only crashes may not
    const onlyCrashes = scenario.adversaries.length === 0 && scenario.crashes.every(({ disk }) => disk === 'kept')
    const unfinished = outcome === 'time' && onlyCrashes
    const failure =
      broken?.failure == null
        ? unfinished
          ? `not everything was done after ${virtualSeconds} virtual seconds`
          : null
        : `${broken.name}: event ${broken.failure.event}, ${broken.failure.seconds} s, node ${broken.failure.node}: ${broken.failure.message}`
    return { events, virtualSeconds, failure }
  } catch (error) {
    return {
      events: 0,
      virtualSeconds: 0,
      failure: `${error instanceof Error ? error.name : 'error'}: ${messageOf(error)}`,
    }
  }
}

/** The scenario of a seed as a file. */
export function swarmText(seed: number): string {
  return scenarioText(randomScenario(seed))
}

/** What `netsim/regressions/swarm-SEED.yaml` says: the scenario, and under its question what broke. */
export function regressionText(seed: number, failure: string): string {
  const [question = '', ...rest] = swarmText(seed).split('\n')
  return [
    question,
    `# It broke once: ${failure.replace(/\s+/g, ' ')}`,
    `# consilium-netsim run netsim/regressions/swarm-${seed}.yaml --seed ${seed}`,
    ...rest,
  ].join('\n')
}

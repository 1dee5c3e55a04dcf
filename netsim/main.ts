#!/usr/bin/env node
/** The command `consilium-netsim`. */
import { main } from './cli/program.ts'
import { simulate } from './simulate.ts'

const suffix = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
await main(process.argv, { simulate, worker: new URL(`./cli/sweepWorker.${suffix}`, import.meta.url).href })

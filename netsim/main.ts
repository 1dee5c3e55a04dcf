#!/usr/bin/env node
import { engine } from './cli/engine.ts'
/** The command `consilium-netsim`. */
import { main } from './cli/program.ts'

const suffix = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
await main(process.argv, { simulate: engine, worker: new URL(`./cli/sweepWorker.${suffix}`, import.meta.url).href })

#!/usr/bin/env node
/** The command `consilium`. */
import './polyfill.ts'
import { main } from './cli/program.ts'

await main(process.argv)

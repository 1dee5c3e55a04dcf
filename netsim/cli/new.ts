/** new and ls: a scenario of one's own, and those that come along. */
import { writeFile } from 'node:fs/promises'
import { basename } from 'node:path'
import type { Command } from 'commander'
import { table } from '../../src/cli/output.ts'
import { messageOf } from '../../src/core/errors.ts'
import { readScenario } from '../scenario/read.ts'
import { templateText } from '../scenario/template.ts'
import { command, refusal } from './command.ts'
import { shippedScenarios } from './scenarios.ts'

/** Errors: `file-taken`, `file-unwritable`. */
export function newCommand(): Command {
  return command(
    'new',
    'write a scenario with every section explained, to begin from',
    'consilium-netsim new mine.yaml',
  )
    .argument('[file]', 'where to write; standard output where absent')
    .action(async (file?: string) => {
      if (file === undefined) {
        process.stdout.write(templateText)
        return
      }
      try {
        await writeFile(file, templateText, { flag: 'wx' })
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'EEXIST')
          throw refusal('file-taken', `${file} is there already: name another file`)
        throw refusal('file-unwritable', `${file}: ${messageOf(error)}: name another file`)
      }
      process.stdout.write(`written ${file}; run it with: consilium-netsim run ${file}\n`)
    })
}

/** Errors: those of `readScenario`. */
export function listCommand(): Command {
  return command('ls', 'list the scenarios that come along, with their questions', 'consilium-netsim ls').action(
    async () => {
      const rows: string[][] = []
      for (const path of await shippedScenarios()) {
        const { question, nodes, ledger } = await readScenario(path)
        rows.push([basename(path, '.yaml'), String(nodes.count), ledger, question])
      }
      process.stdout.write(`${table(['scenario', 'nodes', 'ledger', 'question'], rows, [1]).join('\n')}\n`)
    },
  )
}

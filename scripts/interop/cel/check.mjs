// Evaluates each expression of the file given with @bufbuild/cel, and says where it comes to something else.
import { readFile } from 'node:fs/promises'
import { isCelError, run } from '@bufbuild/cel'

const SHOWN_MAX = 5

const { cases } = JSON.parse(await readFile(process.argv.at(-1), 'utf8'))
const differ = []
for (const { cel, inputs, means } of cases) {
  const bound = Object.fromEntries(
    Object.entries(inputs).map(([name, value]) => [name, typeof value === 'number' ? BigInt(value) : value]),
  )
  const found = meaning(cel, bound)
  if (found !== means) differ.push(`${cel}: ${means} here, ${found} there`)
}
const errors = cases.filter(({ means }) => means === 'error').length
console.log(
  `${cases.length} guards evaluated by @bufbuild/cel too, of which ${errors} are errors; ${differ.length} differ`,
)
for (const line of differ.slice(0, SHOWN_MAX)) console.log(line)
process.exitCode = differ.length === 0 ? 0 : 1

function meaning(cel, inputs) {
  try {
    const value = run(cel, inputs)
    return value === true ? 'true' : value === false ? 'false' : isCelError(value) ? 'error' : `${value}`
  } catch {
    return 'error'
  }
}

/** No patient record leaves its house: of names, record numbers and dates in the tables nothing is in any file of any node, nor on the wire. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Rng } from '../../src/core/rng.ts'
import { consilium, consortium, filesIn, inFolder, propose, startAll, studyText, type TestNode, until } from './kit.ts'

const it = suite('privacy')
const WIRE_TAP = fileURLToPath(new URL('./wireTap.mjs', import.meta.url))
const PATIENTS = 1_200 // at each of three hospitals, with a name, a number and a date of birth each: 10,800 in all

interface Planted {
  readonly csv: string
  readonly words: readonly string[]
}

/** A hospital's table as it really is: with columns that no study names. */
function planted(hospital: number): Planted {
  const rng = Rng.from('planted', hospital)
  const letters = (count: number): string =>
    Array.from({ length: count }, () => String.fromCharCode(97 + rng.below(26))).join('')
  const words: string[] = []
  const lines = ['name,record,born,age,marker,sex,ill']
  for (let i = 0; i < PATIENTS; i++) {
    const name = `${letters(9)} ${letters(11)}`
    const record = `MRN${hospital}${String(1_000_000 + rng.below(8_999_999))}`
    const born = `19${30 + rng.below(60)}-0${1 + rng.below(9)}-1${rng.below(9)}T0${rng.below(9)}:${10 + rng.below(49)}:${String(i).padStart(5, '0')}`
    words.push(name, record, born)
    const [age, marker] = [30 + rng.below(60), rng.float() * 4 - 2]
    lines.push(
      [
        name,
        record,
        born,
        age,
        marker.toFixed(3),
        rng.below(2) === 0 ? 'f' : 'm',
        age / 60 + marker > 1.2 ? 'yes' : 'no',
      ].join(','),
    )
  }
  return { csv: `${lines.join('\n')}\n`, words }
}

/** All files below `folder`, as one text of bytes each. */
async function filesOf(folder: string): Promise<[string, string][]> {
  return (await filesIn(folder)).map(({ file, bytes }) => [file, bytes.toString('latin1')])
}

type Wire = readonly [path: string, text: string]

/** What a node gave to be sent, before Noise sealed it. */
async function wireOf({ home }: TestNode): Promise<Wire> {
  return [`${home}.wire`, await readFile(`${home}.wire`, 'latin1')]
}

const told = ([, text]: Wire): boolean => text.includes('round.merged') && text.includes('dataset.registered')

it('of 10,800 names, record numbers and dates of birth none is in any file of any node, on the wire, nor in an export', () =>
  inFolder(async (folder, nodes) => {
    nodes.push(...(await consortium(folder, ['north', 'south', 'east'])))
    const [north] = nodes as [TestNode]
    for (const node of nodes) node.nodeArguments.push('--import', WIRE_TAP)
    await startAll(nodes)
    const study = await propose(folder, nodes, studyText({ rounds: 3 }))
    const tables = nodes.map((_, i) => planted(i))
    for (const [i, node] of nodes.entries()) {
      const file = join(folder, `${node.name}.csv`)
      await writeFile(file, (tables[i] as Planted).csv)
      const args = ['study', 'bind', study.slice(0, 12), '--data', file, '--home', node.home]
      const refused = await consilium(args)
      assert.match(refused.err, /name/, 'a column that the study does not name is not passed over unasked')
      const register = ['dataset', 'register', file, '--name', 'all', '--key-column', 'record', '--home', node.home]
      const registered = await consilium(register)
      assert.is(registered.code, 0, registered.err)
      assert.is((await consilium([...args, '--ignore-extra'])).code, 0)
    }
    await until(60_000, 'the end of the study', async () =>
      (await Promise.all(nodes.map((node) => node.status()))).every((status) => status?.studies[0]?.phase === 'ended'),
    )
    const bundle = join(north.home, 'all.jsonl')
    const readLog = () => north.client.get<{ entries: unknown[] }>('/v1/log?limit=10000')
    await until(30_000, 'the entries of the others', async () => (await readLog()).entries.length > 50)
    await until(60_000, 'rounds to have left every node', async () =>
      (await Promise.all(nodes.map(wireOf))).every(told),
    )
    const log = await readLog()
    await writeFile(bundle, JSON.stringify(log)) // bodies as they read, beside the files' own bytes
    await Promise.all(nodes.map((node) => node.end('SIGTERM')))
    const words = tables.flatMap((table) => table.words)
    assert.ok(words.length >= 10_000)
    const files = (await Promise.all(nodes.map((node) => filesOf(node.home)))).flat()
    assert.ok(
      files.some(([file, text]) => file.includes('database') && text.includes('round.merged')),
      'the logs are there',
    )
    const wires = await Promise.all(nodes.map(wireOf))
    assert.ok(wires.every(told), 'what crosses the wire is there')
    const own = await readFile(join(folder, 'north.csv'), 'latin1')
    assert.ok(
      words.some((word) => own.includes(word)),
      'the search finds what is there',
    )
    for (const [file, text] of [...files, ...wires])
      for (const word of words) if (text.includes(word)) throw new Error(`${file} holds "${word}"`)
  }))

it.run()

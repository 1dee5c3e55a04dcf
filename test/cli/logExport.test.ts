/** log export and log proof: with real daemons, what they write, what verifiers say of it, and what is left when it breaks off. */
import { execFile, spawnSync } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Digest } from '../../src/core/ids.ts'
import type { EntryReport, ExportReport, HeadReport, ProofReport, StatusReport } from '../../src/daemon/api.ts'
import type { BundleFacts } from '../../src/ledger/bundleVerdict.ts'
import { parseCosigned, verifyCosignature } from '../../src/ledger/cosignature.ts'
import { verifyHead } from '../../src/ledger/head.ts'
import { leafHash } from '../../src/ledger/merkle.ts'
import { verifyInclusion } from '../../src/ledger/proof.ts'
import { parseTlogProof } from '../../src/ledger/tlogProof.ts'
import {
  bind,
  consilium,
  consortium,
  type Ended,
  inFolder,
  patients,
  propose,
  startAll,
  studyText,
  type TestNode,
  until,
} from '../daemon/kit.ts'

const it = suite('log export')

const SCRIPT = fileURLToPath(new URL('../../scripts/verifier/verify_bundle.py', import.meta.url))
const python = spawnSync('python3', ['-c', 'import sys; sys.exit(sys.version_info < (3, 9))']).status === 0
if (!python) console.log('SKIPPED: python3 3.9 or newer is not here, so it is NOT asked what it says of an export')

const ATTEMPTS = 5 // what comes of itself comes once: the end of a stopped node, an hour's head, a scrub a minute after the start

type Facts = BundleFacts & { readonly verdict: string }
type Exported = ExportReport & { readonly file: string; readonly bytes: number }

/** Exports at `node`, again where it has before, has both verifiers judge the file under its root, and gives what they say. */
async function judged(node: TestNode, file: string, ...filter: string[]): Promise<{ made: Exported; facts: Facts }> {
  await rm(file, { force: true })
  const ended = await consilium(['log', 'export', '-o', file, '--home', node.home, '--json', ...filter])
  assert.is(ended.code, 0, ended.err)
  const made = JSON.parse(ended.out) as Exported
  assert.is((await readFile(file)).length, made.bytes)
  const verified = await consilium(['log', 'verify', file, '--root', made.fingerprint, '--json'])
  assert.is(verified.code, 0, verified.err)
  const facts = JSON.parse(verified.out) as Facts
  if (python) {
    const second = await promisify(execFile)('python3', [SCRIPT, file, '--root', made.fingerprint, '--json'])
    assert.equal(JSON.parse(second.stdout), facts)
  }
  assert.equal([made.entries, made.heads, made.forks], [facts.entries, facts.heads, facts.forks])
  return { made, facts }
}

const sum = (facts: Facts, count: 'entries' | 'final' | 'pending'): number =>
  facts.logs.reduce((all, log) => all + log[count], 0)

async function entriesAt(node: TestNode): Promise<EntryReport[]> {
  return (await node.client.get<{ entries: EntryReport[] }>('/v1/log?limit=10000')).entries
}

async function allFinal(node: TestNode): Promise<boolean> {
  const { heads } = await node.client.get<{ heads: HeadReport[] }>('/v1/log/heads')
  return heads.every(({ size, finalSize }) => size > 0 && size === finalSize)
}

/** Whether both hold the same logs: what one of them alone was told, it passes on. */
async function holdTheSame(one: TestNode, other: TestNode): Promise<boolean> {
  const [here, there] = await Promise.all([one.status(), other.status()])
  return here !== null && JSON.stringify(here.ledger) === JSON.stringify(there?.ledger)
}

/** What `use` gave while nothing was added at `node` and nothing became final there: a daemon that runs may do either at any time. */
async function atRest<T>(node: TestNode, use: () => Promise<T>): Promise<{ entries: EntryReport[]; made: T }> {
  const states = (entries: readonly EntryReport[]) => entries.map(({ ref, state }) => `${ref} ${state}`).join()
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const entries = await entriesAt(node)
    const made = await use()
    if (states(await entriesAt(node)) === states(entries)) return { entries, made }
  }
  throw new Error(`${node.name} held something new after each of ${ATTEMPTS} tries`)
}

it('what is exported verifies with either verifier: all of it, by kind, by study, final and pending', () =>
  inFolder(async (folder, nodes) => {
    nodes.push(...(await consortium(folder, ['north', 'south', 'east', 'west'])))
    const [north, south] = nodes as [TestNode, TestNode]
    await startAll(nodes)
    const study = await propose(folder, nodes, studyText({ rounds: 2 }))
    for (const [i, node] of nodes.entries()) await bind(folder, node, study, patients(40, i))
    const ended = async (node: TestNode) =>
      (await node.status())?.studies.every(({ phase }) => phase === 'ended') ?? false
    for (const node of nodes) await until(60_000, `the end of the study at ${node.name}`, () => ended(node))
    const at = (name: string) => join(folder, name)

    const { entries, made: whole } = await atRest(north, async () => {
      await until(60_000, 'all entries to be final', () => allFinal(north))
      return {
        all: await judged(north, at('all.bundle')),
        packed: await judged(north, at('all.bundle.gz'), '--gzip'),
        rounds: await judged(north, at('rounds.bundle'), '--kind', 'round'),
        one: await judged(north, at('one.bundle'), '--study', study.slice(0, 8), '--member', 'south'),
      }
    })
    const { all, packed, rounds, one } = whole
    assert.equal([all.made.entries, all.made.logs, all.made.heads], [entries.length, 4, 4])
    assert.is(sum(all.facts, 'final'), entries.length, 'all final, so one head for each log')
    assert.ok(all.facts.logs.every(({ size, entries: count }) => count === size))
    assert.is(all.facts.by, (await north.status())?.member)
    assert.ok(packed.made.bytes < all.made.bytes)
    assert.is(rounds.made.entries, entries.filter(({ kind }) => kind.startsWith('round.')).length)
    assert.ok(rounds.made.entries > 0 && rounds.made.entries < entries.length)
    assert.is(one.facts.filter.study, study)
    assert.is(one.made.entries, entries.filter((entry) => entry.name === 'south' && entry.study === study).length)
    assert.equal([one.made.logs, one.made.heads], [1, 1])

    await Promise.all(nodes.slice(2).map((node) => node.end('SIGTERM'))) // two of four left: nothing more can become final
    const paused = await consilium(['study', 'pause', study.slice(0, 8), '--home', north.home])
    assert.is(paused.code, 0, paused.err)
    await until(60_000, 'south to hold the pause, and the last of those that stopped', () => holdTheSame(south, north))
    const { entries: now, made: parts } = await atRest(south, async () => ({
      pending: await judged(south, at('pending.bundle'), '--state', 'pending'),
      final: await judged(south, at('final.bundle'), '--state', 'final'),
      both: await judged(south, at('both.bundle')),
    }))
    const { pending, final, both } = parts
    assert.is(pending.made.entries, now.filter(({ state }) => state !== 'final').length)
    assert.is(sum(pending.facts, 'pending'), pending.made.entries)
    assert.ok(pending.made.entries > 0)
    assert.is(sum(final.facts, 'final'), now.filter(({ state }) => state === 'final').length)
    assert.equal([both.made.entries, both.made.heads], [now.length, final.made.heads + pending.made.heads])

    await verifierCodes(at('all.bundle'), all.made.fingerprint)
    await refusals(north, at)
    await proofs(south, now, at)
    assert.equal(
      (await readdir(folder)).filter((name) => /part|none/.test(name)),
      [],
      'nothing half written is left',
    )
  }))

/** Without a root the code is 3, with one byte changed it is 1. */
async function verifierCodes(file: string, root: string): Promise<void> {
  assert.is((await consilium(['log', 'verify', file])).code, 3)
  const bytes = await readFile(file)
  const at = Math.floor(bytes.length / 2)
  bytes[at] = (bytes[at] as number) ^ 1
  await writeFile(`${file}.changed`, bytes)
  assert.is((await consilium(['log', 'verify', `${file}.changed`, '--root', root])).code, 1)
}

async function refusals(node: TestNode, at: (name: string) => string): Promise<void> {
  const text = await readFile(at('all.bundle'), 'utf8')
  for (const [args, words] of [
    [['export', '-o', at('all.bundle')], /all\.bundle: exists already/],
    [['export', '-o', at('none'), '--kind', 'nonsense'], /nonsense/],
    [['export', '-o', at('none'), '--kind', 'round.Merged'], /words of small letters/],
    [['export', '-o', at('none'), '--study', 'abcdef'], /all 64 digits/],
    [['export', '-o', at('none'), '--member', 'nobody'], /nobody/],
    [['export', '-o', join(at('all.bundle'), 'none')], /cannot be written/],
    [['proof', 'south/99999', '-o', at('none')], /south/],
  ] as [string[], RegExp][]) {
    const { code, err } = await consilium(['log', ...args, '--home', node.home])
    assert.is(code, 1)
    assert.match(err, /^consilium: [^\n]+\n$/)
    assert.match(err, words)
  }
  assert.is(await readFile(at('all.bundle'), 'utf8'), text)
}

async function proofs(node: TestNode, entries: readonly EntryReport[], at: (name: string) => string): Promise<void> {
  const { consortium: of } = (await node.status()) as StatusReport
  const final = entries.find(({ state, seq }) => state === 'final' && seq === 3) as EntryReport
  const args = ['-o', at('a.tlog-proof'), '--header', at('a.header'), '--home', node.home, '--json']
  const ended = await consilium(['log', 'proof', final.ref, ...args])
  assert.is(ended.code, 0, ended.err)
  const report = JSON.parse(ended.out) as ProofReport
  const { index, hashes, note, extra } = parseTlogProof(new Uint8Array(await readFile(at('a.tlog-proof'))))
  const { head, cosignatures } = parseCosigned(note, of.founding as Digest)
  const leaf = leafHash(new Uint8Array(await readFile(at('a.header'))))
  assert.equal([index, head.author, head.size, extra], [3, final.member, report.size, undefined])
  assert.is(Buffer.from(leaf).toString('hex'), final.hash)
  assert.ok(verifyInclusion(leaf, index, head.size, hashes, head.root))
  assert.ok(verifyHead(head) && cosignatures.every((one) => verifyCosignature(head.text, one)))
  assert.ok(cosignatures.length >= 2, 'three signatures of four are final')
  const pending = entries.find(({ state }) => state !== 'final') as EntryReport
  const refused = await consilium(['log', 'proof', pending.ref, '-o', at('none'), '--home', node.home])
  assert.equal([refused.code, refused.out], [1, ''])
  assert.match(refused.err, /^consilium: [^\n]+ is pending[^\n]+\n$/)
}

/** Runs the command against a daemon that answers with `answer`; gives what is left in the folder too. */
async function against(answer: (response: ServerResponse) => void): Promise<Ended & { left: string[] }> {
  const folder = await mkdtemp(join(tmpdir(), 'consilium-export-'))
  const server = createServer((_, response) => answer(response))
  await new Promise<void>((resolve) => server.listen(join(folder, 'control.sock'), resolve))
  try {
    const ended = await consilium(['log', 'export', '-o', join(folder, 'a.bundle'), '--home', folder])
    return { ...ended, left: (await readdir(folder)).filter((name) => name !== 'control.sock') }
  } finally {
    server.close()
    await rm(folder, { recursive: true })
  }
}

it('a daemon that ends in the middle leaves no file, and one clear line', async () => {
  const line = `${JSON.stringify({ line: `${'x'.repeat(100_000)}\n` })}\n`
  const cuts: [string, (response: ServerResponse) => void, RegExp][] = [
    ['it ends', (response) => response.end(line), /ended before the bundle was whole/],
    ['it is killed', (response) => response.write(line, () => response.destroy()), /./],
    ['it is killed within a line', (response) => response.write(line.slice(0, 99), () => response.destroy()), /./],
    [
      'it stops',
      (response) =>
        response.end(`${line}${JSON.stringify({ error: { code: 'export-broken-off', message: 'is stopping' } })}\n`),
      /is stopping/,
    ],
  ]
  for (const [name, answer, words] of cuts) {
    const { code, out, err, left } = await against(answer)
    assert.equal([code, out, left], [1, '', []], name)
    assert.match(err, /^consilium: [^\n]+\n$/, name)
    assert.match(err, words, name)
  }
})

it.run()

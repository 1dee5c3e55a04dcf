/** `consilium doctor`: what a single person looking after a node wants checked, each with what to do. */
import { statfs } from 'node:fs/promises'
import { createServer } from 'node:net'
import { ConsiliumError } from '../core/errors.ts'
import { listenError } from '../net/addresses.ts'
import { requireCurrent } from '../store/check.ts'
import { HeadPin, pinMissing } from '../store/headPin.ts'
import type { Finding } from './api.ts'
import { changeSentence } from './changeSentence.ts'
import { requireSocketPath } from './control.ts'
import type { Daemon } from './daemon.ts'
import { fenceSentence } from './fenceSentence.ts'
import { exists } from './files.ts'
import { keyFindings } from './folderKeys.ts'
import { openHome, requireWritable } from './home.ts'
import { homePaths } from './homePaths.ts'
import { suspensions, unanswered } from './memberCalls.ts'
import { phaseWord } from './phaseWord.ts'
import type { RepairDone } from './scrubRecord.ts'

const DISK_FREE_BYTES_MIN = 1_000_000_000 // five members' rounds every ten minutes for a year: a million entries of 0.6 kB
const CLOCK_AHEAD_MS_MAX = 60_000 // a member's newest entry may not be this far in our future
const DELAY_MS_MAX = 500 // the event loop late by this much: the machine is overloaded

/** Every finding, good or not, in the order to be shown. The machine must have booted; takes about 50 ms. */
export async function examine(daemon: Daemon): Promise<Finding[]> {
  return [
    await clock(daemon),
    await disk(daemon.home.paths.folder),
    ...(await keyFindings(daemon.home)),
    await daemon.vault.finding(),
    await daemon.backups.finding(),
    ports(daemon),
    await load(),
    ...fence(daemon),
    ...members(daemon),
    ...keys(daemon),
    ...changes(daemon),
    ...studies(daemon),
    readThrough(daemon),
    ...ledgerFindings(daemon),
  ]
}

/** What can be looked at while no daemon runs on `folder`: why it would not start. */
export async function examineStopped(folder: string): Promise<Finding[]> {
  const paths = homePaths(folder)
  const daemon = {
    check: 'daemon',
    ok: false,
    text: `not running; start it with "consilium start --home ${paths.folder}"`,
  }
  try {
    const home = await openHome(folder)
    const { config, consortium, key } = home
    await requireWritable(paths.folder)
    requireSocketPath(paths.socket)
    if (await exists(paths.database)) await requireCurrent(paths.database)
    const pin = await HeadPin.read(paths.pin)
    if (pin === undefined) throw pinMissing(paths.pin, 'a start would be refused')
    await pin.close()
    const text = `${paths.folder}: ${config.name}, key ${key.id.slice(0, 16)}…, member of "${consortium.name}"; the ledger itself is checked at a start`
    const findings: Finding[] = [
      daemon,
      { check: 'data folder', ok: true, text },
      await disk(paths.folder),
      ...(await keyFindings(home)),
    ]
    for (const address of config.listen) findings.push(await portOf(address)) // one after the other: they may be the same port
    return findings
  } catch (error) {
    if (!(error instanceof ConsiliumError)) throw error
    return [daemon, { check: 'data folder', ok: false, text: error.message }]
  }
}

/** Whether `address` could be listened on now; it is tried. */
async function portOf(address: string): Promise<Finding> {
  const [, family, host, , port] = address.split('/')
  const server = createServer()
  try {
    await new Promise<void>((resolve, reject) => {
      const options = { host, port: Number(port), exclusive: true, ipv6Only: family === 'ip6' } // as libp2p listens
      server.once('error', reject).listen(options, resolve)
    })
    await new Promise((resolve) => server.close(resolve))
    return { check: 'port', ok: true, text: `${address} is free` }
  } catch (error) {
    return { check: 'port', ok: false, text: listenError(error, [address]).message }
  }
}

/** No time server is asked: the newest entries of the others tell whether our clock is behind theirs. */
async function clock(daemon: Daemon): Promise<Finding> {
  const ahead = await Promise.all(
    daemon.logs
      .sizes()
      .filter(({ author, size }) => author !== daemon.home.key.id && size > 0)
      .map(async ({ author }) => ({ author, byMs: (await daemon.logs.newestTimeMs(author)) - Date.now() })),
  )
  const worst = ahead.sort((a, b) => b.byMs - a.byMs)[0]
  if (worst === undefined)
    return {
      check: 'clock',
      ok: true,
      text: `${new Date().toISOString()}; no other member's log is here to compare with`,
    }
  const text = `${new Date().toISOString()}; the newest entry of ${daemon.nameOf(worst.author)} is ${Math.abs(worst.byMs / 1000).toFixed(1)} s ${worst.byMs > 0 ? 'ahead' : 'old'}`
  if (worst.byMs <= CLOCK_AHEAD_MS_MAX) return { check: 'clock', ok: true, text }
  return {
    check: 'clock',
    ok: false,
    text: `${text}: one of the two clocks is wrong; see "timedatectl" here and there`,
  }
}

async function disk(folder: string): Promise<Finding> {
  const { bavail, bsize } = await statfs(folder)
  const free = bavail * bsize
  const text = `${(free / 1e9).toFixed(1)} GB free at ${folder}`
  return free >= DISK_FREE_BYTES_MIN
    ? { check: 'disk', ok: true, text }
    : {
        check: 'disk',
        ok: false,
        text: `${text}: make room; a full disk stops the node (nothing is lost, it goes on after a restart)`,
      }
}

function ports(daemon: Daemon): Finding {
  const addresses = daemon.transport.addresses()
  if (addresses.length > 0) return { check: 'listening', ok: true, text: addresses.join(' ') }
  const intended = daemon.home.config.listen.length === 0
  return {
    check: 'listening',
    ok: intended,
    text: intended
      ? 'on nothing, as configured: this node only dials out'
      : 'on nothing; look at "listen" in config.yaml and at the log',
  }
}

async function load(): Promise<Finding> {
  const before = performance.now()
  await new Promise((resolve) => setTimeout(resolve, 50))
  const lateMs = Math.max(0, performance.now() - before - 50)
  const text = `event loop ${lateMs.toFixed(0)} ms late, ${(process.memoryUsage.rss() / 1e6).toFixed(0)} MB memory`
  return lateMs <= DELAY_MS_MAX
    ? { check: 'load', ok: true, text }
    : { check: 'load', ok: false, text: `${text}: this machine is overloaded` }
}

function members(daemon: Daemon): Finding[] {
  return daemon.transport.peers().map((peer) => {
    const check = `member ${daemon.nameOf(peer.member)}`
    if (peer.connected && peer.gossiping)
      return {
        check,
        ok: true,
        text: `connected${peer.roundTripMs === undefined ? '' : `, ${peer.roundTripMs.toFixed(0)} ms away`}`,
      }
    if (peer.connected)
      return {
        check,
        ok: false,
        text: 'connected, but no topic in common yet; if that lasts over a minute, compare the fingerprints of your consortium files',
      }
    const why = peer.lastError ?? 'no attempt has ended yet'
    if (peer.throughOthers)
      return { check, ok: true, text: `takes part through other members; from here not reachable (${why})` }
    const known =
      peer.addresses.length === 0
        ? 'no address of it is known: add one to "bootstrap" in config.yaml'
        : `tried ${peer.addresses.join(' ')}`
    return { check, ok: false, text: `not reachable (${why}); ${known}` }
  })
}

function studies(daemon: Daemon): Finding[] {
  return daemon.machine.view().studies.flatMap(({ state, run }): Finding[] => {
    if (run === null) return []
    const check = `study ${state.study.name}`
    if (run.rows === null && run.phase !== 'ended' && state.bound.has(daemon.home.key.id))
      return [
        {
          check,
          ok: false,
          text: `its table is not known here any more: bind it again, consilium study bind ${state.id.slice(0, 12)} --data FILE`,
        },
      ]
    if (run.phase === 'failed')
      return [{ check, ok: false, text: `the learner failed and is tried again (${daemon.failure(state.id)})` }]
    if (run.refusal !== null) return [{ check, ok: false, text: `the next round may not start: ${run.refusal}` }]
    return [{ check, ok: true, text: `${phaseWord(run.phase)}, ${run.behind} of ${state.study.rounds.count} rounds` }]
  })
}

/** Nothing where no member's key is in doubt. */
function keys(daemon: Daemon): Finding[] {
  return suspensions(daemon).map(({ name, binds, saidBy, needed }) => {
    const says = `${saidBy.map((one) => `${one.name} (${one.reason})`).join(', ')} ${saidBy.length === 1 ? 'says' : 'say'} that its key is not to be trusted`
    const effect =
      binds === null ? `here nothing follows yet (${needed} members must say so)` : 'here nothing of it is merged'
    const text = `${says}: ${effect}; call that hospital, and see "consilium members ls"`
    return { check: `key of ${name}`, ok: false, text }
  })
}

/** Nothing waits for this hospital's people where they have said yes or no. */
function changes(daemon: Daemon): Finding[] {
  return unanswered(daemon).map((report) => {
    const text = `${changeSentence(report)}: this hospital has not said yes or no; see "consilium members ls"`
    return { check: `change ${report.change.slice(0, 12)}`, ok: false, text }
  })
}

/** Nothing while the node signs. */
function fence(daemon: Daemon): Finding[] {
  const { fence } = daemon.machine.view()
  return fence === null ? [] : [{ check: 'signing', ok: false, text: fenceSentence(fence) }]
}

/** What cannot be put right ends the node, so that this is never a fault; a repair is to be looked at all the same. */
function readThrough(daemon: Daemon): Finding {
  const { last } = daemon.scrub
  if (last === null) {
    const text =
      'the newest entries and all that decides were checked at the start; the rest is read through soon, and then daily'
    return { check: 'ledger', ok: true, text }
  }
  const { entries, atMs, tookMs, repaired, repairs } = last
  const read = `all ${entries} entries and the trees over them were read through at ${new Date(atMs).toISOString()} in ${(tookMs / 1_000).toFixed(1)} s`
  if (repaired === 0) return { check: 'ledger', ok: true, text: `${read}, and each was as it was written` }
  const places = repairs.map((one) => `${daemon.nameOf(one.author)}/${one.from} (${partsOf(one)})`).join(', ')
  const text = `${read}; what this disk had lost or spoilt was put back: ${places}: have the disk and the memory of this machine tested`
  return { check: 'ledger', ok: false, text }
}

function partsOf({ entries, nodes }: RepairDone): string {
  const parts = [entries > 0 ? `entries: ${entries}` : [], nodes > 0 ? `nodes of the tree: ${nodes}` : []]
  return parts.flat().join(', ')
}

/** Keys that contradict themselves, and final heads that do; none where all is well. */
export function ledgerFindings(daemon: Pick<Daemon, 'logs' | 'forks' | 'witness' | 'nameOf'>): Finding[] {
  const { logs, forks, witness } = daemon
  const forked = logs.forked().map((author) => ({
    check: `log of ${daemon.nameOf(author)}`,
    ok: false,
    text: 'disputed: one key signed conflicting heads; call that hospital, it may have restored an old backup',
  }))
  const unproven = [...witness.kept.contradicting.values()].filter(({ log }) => !forks.known.has(log.author))
  const contradicted = unproven.map(({ log }) => ({
    check: `log of ${daemon.nameOf(log.author)}`,
    ok: false,
    text: `a quorum signed a head of ${log.size} entries that contradicts what is stored here; it is not taken for final, and the others are asked which of the two histories they hold: see "consilium log forks"`,
  }))
  const cosigners = [...forks.cosigners.known.values()].map((proven) => ({
    check: `witness ${daemon.nameOf(proven.witness)}`,
    ok: false,
    text: `one key cosigned conflicting heads (${proven.size} entries of ${daemon.nameOf(proven.author)}): call that hospital; see "consilium log forks"`,
  }))
  return [...forked, ...contradicted, ...cosigners]
}

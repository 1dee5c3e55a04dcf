/** Runs a program under strace, lets one of its system calls fail, and reads what strace wrote of them. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** The calls that change what is on the disk, make it last, or bring it back. */
export const CALLS = ['write', 'pwrite64', 'fdatasync', 'fsync', 'rename', 'openat', 'read'] as const
export type Call = (typeof CALLS)[number]

/** The `nth` such call, counted from 1, fails; with `onwards`, so do all after it. */
export interface Fault {
  readonly call: Call
  readonly nth: number
  readonly error: 'EIO' | 'ENOSPC'
  readonly onwards: boolean
}

/** A call on one file as strace saw it: when it began and when it was done, as line numbers of the log. */
export interface Traced {
  readonly call: Call
  readonly path: string
  /** The arguments as strace prints them. */
  readonly args: string
  readonly begun: number
  done: number
  ok: boolean
}

/** Why system calls cannot be followed here, or null where they can. */
export function whyNoStrace(): string | null {
  const args = ['-f', '-e', 'trace=fsync', '-e', 'inject=fsync:error=EIO', process.execPath, '--version']
  const { error, status, stderr } = spawnSync('strace', args, { encoding: 'utf8' })
  if (error !== undefined) return `strace cannot be run (${error.message})`
  return status === 0 ? null : `strace may not follow a process here (${stderr.trim().split('\n')[0]})`
}

/** What the child printed, by line. Only calls on `paths`, where given, are followed, and fail. */
export async function underStrace(
  log: string,
  program: readonly string[],
  options: { readonly paths?: readonly string[]; readonly fault?: Fault },
): Promise<string[]> {
  const { paths = [], fault } = options
  const args = ['-f', '-y', '--seccomp-bpf', '-o', log, '-e', `trace=${CALLS.join(',')}`]
  for (const path of paths) args.push('-P', path)
  if (fault !== undefined)
    args.push('-e', `inject=${fault.call}:error=${fault.error}:when=${fault.nth}${fault.onwards ? '+' : ''}`)
  const child = spawn('strace', [...args, process.execPath, '--import', 'tsx', ...program], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, UV_THREADPOOL_SIZE: '1' }, // strace counts calls by thread
  })
  let text = ''
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk
  })
  await once(child, 'close')
  return text.split('\n').slice(0, -1)
}

/** All calls in a log of strace, in the order in which they began. Of a renaming the path is the old one. */
export async function readTrace(log: string): Promise<Traced[]> {
  const calls: Traced[] = []
  const open = new Map<string, Traced>()
  for (const [at, line] of (await readFile(log, 'utf8')).split('\n').entries()) {
    const [, pid = '', resumed, name, args = ''] = /^(\d+) +(<\.\.\. )?(\w+)(?: resumed>|\()(.*)$/.exec(line) ?? []
    const ok = /\) += \d/.test(args)
    if (resumed !== undefined) {
      const begun = open.get(pid)
      if (begun !== undefined) Object.assign(begun, { done: at, ok })
    } else if ((CALLS as readonly (string | undefined)[]).includes(name)) {
      const path = /^\d+<([^>]*)>/.exec(args)?.[1] ?? /"([^"]*)"/.exec(args)?.[1] ?? ''
      const done = args.endsWith('<unfinished ...>') ? Number.POSITIVE_INFINITY : at
      const call: Traced = { call: name as Call, path, args, begun: at, done, ok }
      calls.push(call)
      open.set(pid, call)
    }
  }
  return calls
}

/** The files below `folder` that `calls` are on, relative to it; `.` is the folder itself. */
export function pathsIn(folder: string, calls: readonly Traced[]): string[] {
  const below = calls.map(({ path }) => path).filter((path) => path === folder || path.startsWith(join(folder, '/')))
  return [...new Set(below.map((path) => path.slice(folder.length + 1) || '.'))]
}

/** Runs the command as the people of the story would, in a process of its own, and shows what it printed. */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** The built command. */
export const PROGRAM = fileURLToPath(new URL('../../dist/src/main.js', import.meta.url))
const COMMAND_MS_MAX = 240_000 // a membership vote takes half a minute, and a busy machine its time
const WIDTH = 118

/** How one command is run. */
export interface Telling {
  /** What it reads from standard input; shown as `echo … |`. */
  readonly input?: string
  /** Lines of its output that are shown: the first so many, below 0 the last; all where it is left out. */
  readonly lines?: number
  /** It is to be refused: exit code 1, and one line why. */
  readonly refused?: boolean
  /** Run, and not shown. */
  readonly silent?: boolean
  /** Folder that files named in `args` lie in. */
  readonly cwd: string
  /** The key of who signs for it, and the file with its passphrase. */
  readonly signer?: { readonly key: string; readonly phrase: string }
}

/** What a command printed, standard output or, where it was refused, its line of error. */
export async function consilium(
  who: string,
  home: string | null,
  args: readonly string[],
  telling: Telling,
): Promise<string> {
  const { input, refused = false, silent = false, lines } = telling
  if (!silent)
    say(`\n${who} $ ${input === undefined ? '' : `echo ${input.trim()} | `}consilium ${args.map(quoted).join(' ')}`)
  const { code, out, error } = await ran([...args, ...(home === null ? [] : ['--home', home])], telling)
  const shown = (code === 0 ? out : error || out).trimEnd()
  if (!silent) show(shown, lines)
  if ((code === 0) === refused)
    throw new Error(
      `"consilium ${args.join(' ')}" at ${who} ${refused ? 'was not refused' : 'failed'}: ${error || out}`,
    )
  return shown
}

/** A chapter's heading and what it is about. */
export function chapter(title: string, text: string): void {
  say(`\n\n── ${title} ${'─'.repeat(Math.max(3, WIDTH - title.length - 4))}\n${text}`)
}

/** One or more lines on standard output. */
export function say(text: string): void {
  process.stdout.write(`${text}\n`)
}

function show(text: string, lines = Number.POSITIVE_INFINITY): void {
  const all = text.split('\n')
  const left = all.length - Math.abs(lines)
  if (lines < 0 && left > 0) say(`    … ${left} lines before`)
  for (const line of lines < 0 ? all.slice(lines) : all.slice(0, lines)) say(`    ${line}`)
  if (lines > 0 && left > 0) say(`    … ${left} more lines`)
}

function ran(
  args: readonly string[],
  { input, cwd, signer }: Telling,
): Promise<{ code: number | null; out: string; error: string }> {
  const { CONSILIUM_PERSON: _, CONSILIUM_PASSPHRASE_FILE: __, ...rest } = process.env
  const env =
    signer === undefined ? rest : { ...rest, CONSILIUM_PERSON: signer.key, CONSILIUM_PASSPHRASE_FILE: signer.phrase }
  const child = spawn(process.execPath, [PROGRAM, ...args], {
    cwd,
    env,
    timeout: COMMAND_MS_MAX,
    killSignal: 'SIGKILL',
  })
  let [out, error] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    error += text
  })
  child.stdin.on('error', () => undefined).end(input ?? '')
  return new Promise((resolve, reject) => {
    child.once('error', reject).once('close', (code) => resolve({ code, out, error }))
  })
}

function quoted(word: string): string {
  return /^[\w./:=@,+-]+$/.test(word) ? word : `"${word}"`
}

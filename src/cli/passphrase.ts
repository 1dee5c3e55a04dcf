/** What opens a person's key: from a file, or typed at the terminal, where it is not shown. */
import { openSync, writeSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { ReadStream } from 'node:tty'
import { ConsiliumError } from '../core/errors.ts'
import { readText } from '../daemon/files.ts'

const TERMINAL = '/dev/tty' // not standard input, which a command may read a record number from
const CTRL_C = '\u0003'
const BACKSPACES = ['\u007f', '\b']
const ENDS = ['\r', '\n', '\u0004']

/** Errors: `file-missing`, `key-permissions`, `passphrase-missing`. */
export async function passphrase(key: string, file: string | undefined): Promise<string> {
  return file === undefined ? typed(`Passphrase of ${key}: `, key) : inFile(file)
}

/** Typed twice, or from the file. Errors: as `passphrase`, `passphrase-differs`. */
export async function newPassphrase(key: string, file: string | undefined): Promise<string> {
  if (file !== undefined) return inFile(file)
  const first = await typed(`New passphrase of ${key}: `, key)
  if (first === (await typed('The same again: ', key))) return first
  throw new ConsiliumError({ code: 'passphrase-differs', message: 'the two are not the same; nothing was made' })
}

/** The first line. */
async function inFile(path: string): Promise<string> {
  const text = await readText(path, 'passphrase file', 'give a file whose first line is the passphrase')
  const { mode } = await stat(path)
  if ((mode & 0o077) !== 0) {
    const message = `${path}: others may read this passphrase (mode ${(mode & 0o777).toString(8).padStart(4, '0')}, 0600 is expected); run "chmod 600 ${path}"`
    throw new ConsiliumError({ code: 'key-permissions', message })
  }
  const [line = ''] = text.split(/\r?\n/)
  if (line !== '') return line
  throw new ConsiliumError({ code: 'passphrase-missing', message: `${path}: its first line is empty` })
}

async function typed(prompt: string, key: string): Promise<string> {
  const terminal = terminalOf(key)
  const input = new ReadStream(terminal) // which closes it in the end
  try {
    input.setRawMode(true)
    writeSync(terminal, prompt)
    return await lineOf(input)
  } finally {
    input.setRawMode(false)
    writeSync(terminal, '\n')
    input.destroy()
  }
}

function terminalOf(key: string): number {
  try {
    return openSync(TERMINAL, 'r+')
  } catch {
    const message = `${key}: no terminal is here to type its passphrase at; give --passphrase-file FILE, or set CONSILIUM_PASSPHRASE_FILE`
    throw new ConsiliumError({ code: 'passphrase-missing', message })
  }
}

function lineOf(input: ReadStream): Promise<string> {
  return new Promise((resolve, reject) => {
    let line: string[] = []
    input.setEncoding('utf8').on('error', reject)
    input.on('data', (text: string) => {
      for (const character of text) {
        if (character === CTRL_C) return reject(new ConsiliumError({ code: 'interrupted', message: 'Ctrl-C' }))
        if (ENDS.includes(character)) return resolve(line.join(''))
        line = BACKSPACES.includes(character) ? line.slice(0, -1) : [...line, character]
      }
    })
  })
}

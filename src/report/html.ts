/** The shell of a page: one file, no requests, and a policy that forbids them. */
import { utf8 } from '../core/bytes.ts'
import { sha256 } from '../core/digest.ts'
import { STYLE } from './style.ts'

/** Text as it stands in HTML, in attributes too. */
export function esc(text: string | number): string {
  return String(text).replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}

/** A whole document; `body` is HTML already, `script` its one script where it has any. */
export function page(title: string, body: string, script = ''): string {
  const scripts = script === '' ? '' : ` script-src ${hashOf(script)};`
  const policy = `default-src 'none'; style-src ${hashOf(STYLE)};${scripts} base-uri 'none'; form-action 'none'`
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${esc(title)}</title>
<style>${STYLE}</style>
</head>
<body>
${body}
${script === '' ? '' : `<script>${script}</script>\n`}</body>
</html>
`
}

/** Data for the page's script; never run. */
export function dataBlock(className: string, value: unknown): string {
  return `<script type="application/json" class="${className}">${JSON.stringify(value).replaceAll('<', '\\u003c')}</script>`
}

/** A section with a heading. */
export function part(title: string, note: string, body: string): string {
  const small = note === '' ? '' : `<p class="note">${note}</p>`
  return `<section><h2>${esc(title)}</h2>${small}${body}</section>`
}

/** A table; cells are HTML already, columns in `right` are numbers. */
export function htmlTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  right: readonly number[],
  className = '',
): string {
  const cellsOf = (row: readonly string[], tag: string): string =>
    row.map((cell, i) => `<${tag}${right.includes(i) ? ' class="n"' : ''}>${cell}</${tag}>`).join('')
  const body = rows.map((row) => `<tr>${cellsOf(row, 'td')}</tr>`).join('\n')
  return `<div class="scroll"><table class="${className}"><thead><tr>${cellsOf(header.map(esc), 'th')}</tr></thead><tbody>${body}</tbody></table></div>`
}

function hashOf(text: string): string {
  return `'sha256-${Buffer.from(sha256(utf8(text))).toString('base64')}'`
}

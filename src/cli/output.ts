/** What commands print: tables, times and durations for people; JSON for machines. */

/** Standard output of one command; errors go to standard error instead. */
export interface Output {
  /** One JSON value with `--json`, else the lines for a person. */
  print(json: unknown, lines: () => readonly string[]): void
}

/** `lines` of what is printed is called only where `asJson` is false. */
export function output(asJson: boolean): Output {
  return {
    print(json, lines) {
      process.stdout.write(asJson ? `${JSON.stringify(json, null, 2)}\n` : `${lines().join('\n')}\n`)
    },
  }
}

/** Columns padded to their widest cell; `right` names columns to align right. */
export function table(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  right: readonly number[] = [],
): string[] {
  const all = [header, ...rows]
  const widths = header.map((_, column) => Math.max(...all.map((row) => displayWidth(row[column] ?? ''))))
  return all.map((row) =>
    row
      .map((cell, column) => {
        const padding = ' '.repeat(Math.max(0, (widths[column] as number) - displayWidth(cell)))
        return right.includes(column) ? padding + cell : cell + padding
      })
      .join('  ')
      .trimEnd(),
  )
}

/** Terminal columns: combining marks take none, wide East Asian characters two. */
function displayWidth(text: string): number {
  let width = 0
  for (const character of text.normalize('NFC')) {
    if (/\p{M}/u.test(character)) continue
    width += /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]/u.test(
      character,
    )
      ? 2
      : 1
  }
  return width
}

/** `2026-11-21 06:07:31 UTC`. */
export function utc(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')} UTC`
}

/** At most two units, rounded down: `42 s`, `3 h 7 min`, `12 d 4 h`. */
export function duration(seconds: number): string {
  if (seconds < 60) return `${Math.floor(seconds)} s`
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`
  if (seconds < 86_400) return `${Math.floor(seconds / 3_600)} h ${Math.floor((seconds % 3_600) / 60)} min`
  return `${Math.floor(seconds / 86_400)} d ${Math.floor((seconds % 86_400) / 3_600)} h`
}

/** Millions of bytes, to one decimal: `12.3 MB`. */
export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`
}

/** In the unit that fits: `310 B`, `12.3 kB`, `4.0 MB`. */
export function size(bytes: number): string {
  if (bytes < 1_000) return `${bytes} B`
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : megabytes(bytes)
}

/** The first 12 digits: what tables show, and what commands take for a study. */
export const short = (digest: string): string => digest.slice(0, 12)

/** To three decimals; a dash where there is none. */
export function measure(value: number | null | undefined): string {
  return value === null || value === undefined ? '–' : value.toFixed(3)
}

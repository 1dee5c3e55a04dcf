/** Counts the records of a table as it is read in pieces (RFC 4180): a line end within quotes is part of a cell. No file is too large for it. */

const [NUL, TAB, LF, CR, SPACE, QUOTE, COMMA, SEMICOLON] = [0, 9, 10, 13, 32, 34, 44, 59]
/** What alone can end a cell, or is no text. */
const ENDS = new Uint8Array(256)
for (const byte of [NUL, TAB, LF, CR, QUOTE, COMMA, SEMICOLON]) ENDS[byte as number] = 1
const MARK_MIN = 0xbb // bytes of a byte order mark are no smaller

/** Where the next byte stands: before a cell's first, in a bare one, within quotes, or behind a quote that may have closed them. */
type Where = 'before' | 'bare' | 'quoted' | 'behind'

/** One per file: `take` each piece in order, then read `records` and `fault`. Records that are blank lines do not count. */
export class RecordCount {
  #ended = 0
  #filled = false
  #where: Where = 'before'
  #line = 1
  #opened = 1
  #begun = false
  #fault: string | null = null

  take(piece: Uint8Array): void {
    for (let i = 0; i < piece.length; i++) {
      const byte = piece[i] as number // by number: of a gigabyte an iterator takes a minute
      if (ENDS[byte] === 1 || (this.#where !== 'bare' && this.#where !== 'quoted')) this.#step(byte)
    }
  }

  /** The header among them. */
  get records(): number {
    return this.#ended + (this.#filled ? 1 : 0)
  }

  /** Why they cannot be counted; null where they can. */
  get fault(): string | null {
    return (
      this.#fault ?? (this.#where === 'quoted' ? `the quote that opens in line ${this.#opened} closes nowhere` : null)
    )
  }

  #step(byte: number): void {
    if (byte === LF) this.#line++
    if (!this.#begun && byte >= MARK_MIN) return
    this.#begun = true
    if (byte === NUL) this.#fault ??= `line ${this.#line} has a byte of zero, so it is no CSV in UTF-8`
    if (this.#where === 'quoted') {
      if (byte === QUOTE) this.#where = 'behind'
    } else if (byte === LF || byte === CR) this.#end()
    else if (byte === COMMA || byte === SEMICOLON || byte === TAB) this.#fill('before')
    else if (byte === QUOTE) this.#quote()
    else if (byte > SPACE) this.#other()
  }

  /** A second quote behind one is a quote in the cell; in a bare cell it is a character as any other. */
  #quote(): void {
    if (this.#where === 'before') this.#opened = this.#line
    this.#fill(this.#where === 'bare' ? 'bare' : 'quoted')
  }

  #other(): void {
    if (this.#where === 'behind') this.#fault ??= `something follows the quote that closes in line ${this.#line}`
    this.#fill('bare')
  }

  #fill(where: Where): void {
    this.#filled = true
    this.#where = where
  }

  #end(): void {
    if (this.#filled) this.#ended++
    this.#filled = false
    this.#where = 'before'
  }
}

/** Columns of numbers that grow: a million events as objects would take ten times the memory. */

type Numbers = Float64Array | Int32Array | Uint32Array | Uint16Array | Uint8Array

const ROWS_AT_FIRST = 1_024

/** Doubles when it is full. */
export class Column<A extends Numbers> {
  readonly #make: new (
    length: number,
  ) => A
  #values: A
  length = 0

  constructor(make: new (length: number) => A) {
    this.#make = make
    this.#values = new make(ROWS_AT_FIRST)
  }

  push(value: number): void {
    if (this.length === this.#values.length) {
      const grown = new this.#make(this.length * 2)
      grown.set(this.#values)
      this.#values = grown
    }
    this.#values[this.length++] = value
  }

  /** Of a row that is there. */
  at(row: number): number {
    return this.#values[row] as number
  }

  /** All rows and room for more, as they are until the next `push`: for who passes over them all. */
  get values(): A {
    return this.#values
  }

  set(row: number, value: number): void {
    this.#values[row] = value
  }
}

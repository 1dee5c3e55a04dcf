/** The part of WebAssembly's interface to JavaScript that the kernels use; Node's types leave it out, and those of browsers are not ours. */

/** A compiled module. */
export interface WasmModule {
  readonly [Symbol.toStringTag]: string
}

/** A linear memory: growing it detaches `buffer` and makes a new one. */
export interface WasmMemory {
  readonly buffer: ArrayBuffer
  /** By pages of 64 KiB; returns the pages before. Throws RangeError beyond the maximum. */
  grow(pages: number): number
}

interface WebAssemblyInterface {
  readonly Module: new (bytes: Uint8Array) => WasmModule
  readonly Instance: new (module: WasmModule) => { readonly exports: unknown }
}

export const WASM = (globalThis as unknown as { readonly WebAssembly: WebAssemblyInterface }).WebAssembly

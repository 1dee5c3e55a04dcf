/** Copies between a model's slot, where numbers lie close together, and the padded parameters, where rows begin at multiples of 16 bytes. */
import {
  HIDDEN, INPUTS, LAYER_BYTES, LAYERS, OUTPUTS, SLOT_BIAS, SLOT_KERNEL, WIDTH_BYTES, WORK_BIAS, WORK_KERNEL,
} from '../planLayout.ts'
import { lanesBelow } from './math.ts'

/** Slot to padded parameters at `work`; the padding becomes 0 again, whatever a model that diverged left there. */
export function pack(plan: usize, slot: usize, work: usize): void {
  const hidden = load<u32>(plan, HIDDEN)
  let layer = plan + LAYERS
  for (let l: u32 = 0; l < hidden; l++, layer += LAYER_BYTES) {
    const outputs = load<u32>(layer, OUTPUTS)
    const width = load<u32>(layer, WIDTH_BYTES)
    packRows(slot + load<u32>(layer, SLOT_KERNEL), work + load<u32>(layer, WORK_KERNEL), load<u32>(layer, INPUTS), outputs, width)
    packRows(slot + load<u32>(layer, SLOT_BIAS), work + load<u32>(layer, WORK_BIAS), 1, outputs, width)
  }
  packRows(
    slot + load<u32>(layer, SLOT_KERNEL), work + load<u32>(layer, WORK_KERNEL), 1, load<u32>(layer, INPUTS), load<u32>(layer, WIDTH_BYTES),
  )
  v128.store(work + load<u32>(layer, WORK_BIAS), v128.load_zero<f32>(slot + load<u32>(layer, SLOT_BIAS)))
}

/** `rows` rows of `count` floats, one behind the other, to rows of `width` bytes. Reads up to 12 bytes beyond the last. */
function packRows(from: usize, to: usize, rows: u32, count: u32, width: u32): void {
  if (count << 2 == width) {
    const bytes: usize = rows * width
    for (let i: usize = 0; i < bytes; i += 16) v128.store(to + i, v128.load(from + i))
    return
  }
  const last: usize = width - 16
  const mask = lanesBelow(count & 3)
  for (let row: u32 = 0; row < rows; row++, from += count << 2, to += width) {
    for (let i: usize = 0; i < last; i += 16) v128.store(to + i, v128.load(from + i))
    v128.store(to + last, v128.and(v128.load(from + last), mask))
  }
}

/** Padded parameters to slot. */
export function unpack(plan: usize, work: usize, slot: usize): void {
  const hidden = load<u32>(plan, HIDDEN)
  let layer = plan + LAYERS
  for (let l: u32 = 0; l < hidden; l++, layer += LAYER_BYTES) {
    const outputs = load<u32>(layer, OUTPUTS)
    const width = load<u32>(layer, WIDTH_BYTES)
    unpackRows(work + load<u32>(layer, WORK_KERNEL), slot + load<u32>(layer, SLOT_KERNEL), load<u32>(layer, INPUTS), outputs, width)
    unpackRows(work + load<u32>(layer, WORK_BIAS), slot + load<u32>(layer, SLOT_BIAS), 1, outputs, width)
  }
  unpackRows(
    work + load<u32>(layer, WORK_KERNEL), slot + load<u32>(layer, SLOT_KERNEL), 1, load<u32>(layer, INPUTS), load<u32>(layer, WIDTH_BYTES),
  )
  store<f32>(slot + load<u32>(layer, SLOT_BIAS), load<f32>(work + load<u32>(layer, WORK_BIAS)))
}

function unpackRows(from: usize, to: usize, rows: u32, count: u32, width: u32): void {
  if (count << 2 == width) {
    const bytes: usize = rows * width
    for (let i: usize = 0; i < bytes; i += 16) v128.store(to + i, v128.load(from + i))
    return
  }
  const last: usize = width - 16
  const end: usize = count << 2
  for (let row: u32 = 0; row < rows; row++, from += width, to += end) {
    let i: usize = 0
    for (; i < last; i += 16) v128.store(to + i, v128.load(from + i))
    for (; i < end; i += 4) store<f32>(to + i, load<f32>(from + i))
  }
}

/** Spreads `rows` rows of `columns` floats that lie close together at `at` to rows of `rowBytes`, in place, the padding 0. */
export function spread(at: usize, rows: u32, columns: u32, rowBytes: u32): void {
  const used: usize = columns << 2
  for (let row = rows; row > 0; row--) {
    const from = at + <usize>(row - 1) * used
    const to = at + <usize>(row - 1) * rowBytes
    for (let i: usize = rowBytes; i > used; i -= 4) store<f32>(to + i - 4, 0)
    for (let i = used; i > 0; i -= 4) store<f32>(to + i - 4, load<f32>(from + i - 4))
  }
}

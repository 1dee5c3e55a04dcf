/** One node's local update: its epochs over its rows, batch by batch, four rows at a time. */
import {
  ACTIVATIONS, ADAM, ANCHOR, BATCH_ROWS, EPOCHS, HIDDEN, LAYER_BYTES, LAYERS, ORDER, PULL_STRENGTH, ROW_BYTES, WIDTH_BYTES, WORK, WORK_BYTES,
  ZERO_ROW,
} from '../planLayout.ts'
import { deltasFromAbove4, deltasFromErrors4, hiddenGradient4, outputGradient4 } from './backward.ts'
import { dense4, logits4 } from './forward.ts'
import { lanesBelow, logLoss4, odds4, sigmoid4 } from './math.ts'
import { identity, seedOrder, shuffle } from './order.ts'
import { pack, unpack } from './pack.ts'
import { adam, sgd, steer } from './update.ts'

/**
 * Trains the model in slot `base` on `rows` padded rows at `rowsAt`, with labels u8 at `labelsAt`, and writes it to slot `into`, which may be
 * the same; the anchor of a pull is `base`. `adamState` is read and changed where the plan says Adam. The rows' order: as they lie if they make
 * one batch, else shuffled for each epoch by the seed. Returns the mean log-loss of the last epoch, in nats.
 */
export function train(
  plan: usize, rowsAt: usize, labelsAt: usize, rows: u32, base: usize, into: usize, adamState: usize, seedHigh: u32, seedLow: u32,
): f64 {
  const work = load<usize>(plan, WORK)
  const epochs = load<u32>(plan, EPOCHS)
  const batchRows = load<u32>(plan, BATCH_ROWS)
  const shuffled = rows > batchRows
  let order: usize = 0
  if (shuffled) {
    order = load<usize>(plan, ORDER)
    identity(order, rows)
    seedOrder(seedHigh, seedLow)
  }
  pack(plan, base, work)
  if (load<f32>(plan, PULL_STRENGTH) != 0) memory.copy(load<usize>(plan, ANCHOR), work, load<u32>(plan, WORK_BYTES))
  let loss: f64 = 0
  for (let epoch: u32 = 0; epoch < epochs; epoch++) {
    if (shuffled) shuffle(order, rows)
    loss = 0
    const last = epoch + 1 == epochs
    for (let at: u32 = 0; at < rows; at += batchRows) {
      loss += batch(plan, rowsAt, labelsAt, order, at, min(batchRows, rows - at), last)
      step(plan, adamState)
    }
  }
  unpack(plan, work, into)
  return loss / <f64>rows
}

/**
 * Steps `from` ≤ s < `to` of a round, counted over its epochs: trains the model in slot `slot` in place. `order`: u32, as many as rows for each
 * epoch, that of step `from` first. The anchor of a pull lies in the plan. Returns the sum of the losses, in nats, of the rows of the last epoch
 * that these steps saw.
 */
export function trainSteps(
  plan: usize, rowsAt: usize, labelsAt: usize, rows: u32, slot: usize, adamState: usize, order: usize, from: u32, to: u32,
): f64 {
  const work = load<usize>(plan, WORK)
  const batchRows = load<u32>(plan, BATCH_ROWS)
  const perEpoch = (rows + batchRows - 1) / batchRows
  const firstEpoch = from / perEpoch
  const lastEpoch = (to - 1) / perEpoch
  pack(plan, slot, work)
  let loss: f64 = 0
  for (let s = from; s < to; s++) {
    const epoch = s / perEpoch
    const at = (s - epoch * perEpoch) * batchRows
    const own = order + <usize>(epoch - firstEpoch) * (<usize>rows << 2)
    loss += batch(plan, rowsAt, labelsAt, own, at, min(batchRows, rows - at), epoch == lastEpoch)
    step(plan, adamState)
  }
  unpack(plan, work, slot)
  return loss
}

@inline
function step(plan: usize, adamState: usize): void {
  steer(plan)
  if (load<u32>(plan, ADAM)) adam(plan, adamState)
  else sgd(plan)
}

/** Adds the gradient of the mean loss of `count` rows, from place `from` of the order; returns the sum of their losses, or 0 unless wanted. */
function batch(plan: usize, rowsAt: usize, labelsAt: usize, order: usize, from: u32, count: u32, wanted: bool): f64 {
  const rowBytes: usize = load<u32>(plan, ROW_BYTES)
  const zero = load<usize>(plan, ZERO_ROW)
  const share = f32x4.splat(<f32>1 / <f32>count)
  let losses = f64x2.splat(0)
  for (let k: u32 = 0; k < count; k += 4) {
    const left = count - k
    const ra = rowOf(order, from + k)
    const rb = left > 1 ? rowOf(order, from + k + 1) : ra
    const rc = left > 2 ? rowOf(order, from + k + 2) : ra
    const rd = left > 3 ? rowOf(order, from + k + 3) : ra
    let y = f32x4.splat(<f32>load<u8>(labelsAt + ra))
    y = f32x4.replace_lane(y, 1, <f32>load<u8>(labelsAt + rb))
    y = f32x4.replace_lane(y, 2, <f32>load<u8>(labelsAt + rc))
    y = f32x4.replace_lane(y, 3, <f32>load<u8>(labelsAt + rd))
    const a = rowsAt + ra * rowBytes
    const b = left > 1 ? rowsAt + rb * rowBytes : zero
    const c = left > 2 ? rowsAt + rc * rowBytes : zero
    const d = left > 3 ? rowsAt + rd * rowBytes : zero
    const mask = lanesBelow(<i32>min<u32>(left, 4))
    const loss = group(plan, a, b, c, d, y, mask, share, wanted)
    if (wanted) {
      losses = f64x2.add(losses, f64x2.promote_low_f32x4(loss))
      losses = f64x2.add(losses, f64x2.promote_low_f32x4(v128.shuffle<f64>(loss, loss, 1, 1)))
    }
  }
  return f64x2.extract_lane(losses, 0) + f64x2.extract_lane(losses, 1)
}

@inline
function rowOf(order: usize, at: u32): usize {
  return order == 0 ? at : load<u32>(order + (<usize>at << 2))
}

/** Forward and backward for four rows; `mask` has ones in the lanes of rows that count. Returns their losses, 0 unless wanted. */
@inline
function group(
  plan: usize, a: usize, b: usize, c: usize, d: usize, y: v128, mask: v128, share: v128, wanted: bool,
): v128 {
  const hidden = load<u32>(plan, HIDDEN)
  let layer = plan + LAYERS
  let ia = a, ib = b, ic = c, id = d
  for (let l: u32 = 0; l < hidden; l++, layer += LAYER_BYTES) {
    dense4(plan, layer, ia, ib, ic, id)
    const width: usize = load<u32>(layer, WIDTH_BYTES)
    ia = load<usize>(layer, ACTIVATIONS)
    ib = ia + width
    ic = ib + width
    id = ic + width
  }
  const z = logits4(plan, layer, ia, ib, ic, id)
  const odds = odds4(z)
  const errors = v128.and(f32x4.mul(f32x4.sub(sigmoid4(z, odds), y), share), mask)
  outputGradient4(plan, layer, errors, ia, ib, ic, id)
  if (hidden > 0) backward(plan, layer, hidden, errors, a, b, c, d)
  return wanted ? v128.and(logLoss4(z, odds, y), mask) : f32x4.splat(0)
}

/** From the output layer down: the derivatives of every hidden layer, and its gradient. */
function backward(plan: usize, output: usize, hidden: u32, errors: v128, a: usize, b: usize, c: usize, d: usize): void {
  let layer = output - LAYER_BYTES
  deltasFromErrors4(plan, output, layer, errors)
  for (let l = hidden - 1; l > 0; l--, layer -= LAYER_BYTES) {
    const below = layer - LAYER_BYTES
    const width: usize = load<u32>(below, WIDTH_BYTES)
    const inputs = load<usize>(below, ACTIVATIONS)
    hiddenGradient4(plan, layer, inputs, inputs + width, inputs + 2 * width, inputs + 3 * width)
    deltasFromAbove4(plan, layer, below)
  }
  hiddenGradient4(plan, layer, a, b, c, d)
}

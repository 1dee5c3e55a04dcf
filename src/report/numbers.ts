/** Numbers as people read them: axis ticks, short figures, virtual time. */

/** Round numbers from about `low` to about `high`: 1, 2 or 5 times a power of ten apart, about `wanted` of them. */
export function ticks(low: number, high: number, wanted: number): number[] {
  if (!(high > low)) return [low]
  const step = niceStep((high - low) / Math.max(1, wanted))
  const first = Math.ceil(low / step - 1e-9)
  const last = Math.floor(high / step + 1e-9)
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => clean((first + i) * step))
}

/** Powers of ten within a range, with 2 and 5 times them where there are few. */
export function logTicks(low: number, high: number): number[] {
  const [from, to] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))]
  const factors = to - from <= 3 ? [1, 2, 5] : [1]
  const all = Array.from({ length: to - from + 1 }, (_, i) => factors.map((factor) => clean(factor * 10 ** (from + i))))
  return all.flat().filter((value) => value >= low * 0.999 && value <= high * 1.001)
}

/** 1, 2 or 5 times a power of ten, the nearest above. */
export function niceStep(rough: number): number {
  const power = 10 ** Math.floor(Math.log10(rough))
  const factor = [1, 2, 5, 10].find((each) => each * power >= rough * (1 - 1e-9)) ?? 10
  return factor * power
}

const clean = (value: number): number => Number(value.toPrecision(12))

const PREFIXES = ['', ' k', ' M', ' G', ' T'] as const

/** Three to four significant digits: `0.0312`, `12.3`, `4 560`, `1.23 M`; a dash for null. */
export function figure(value: number | null | undefined): string {
  if (value === null || value === undefined || Number.isNaN(value)) return '–'
  const size = Math.abs(value)
  if (size === 0) return '0'
  if (size < 0.00005) return value.toExponential(1).replace('-', '−').replace('e−', ' × 10^−')
  if (size < 1) return minus(value.toFixed(size < 0.01 ? 5 : 4))
  if (size < 10_000) return minus(Number.isInteger(value) ? String(value) : Number(value.toPrecision(4)).toString())
  const step = Math.min(PREFIXES.length - 1, Math.floor(Math.log10(size) / 3))
  return minus(`${Number((value / 10 ** (3 * step)).toPrecision(3))}${PREFIXES[step]}`)
}

/** For ticks: no more digits than needed. */
export function tickText(value: number): string {
  const size = Math.abs(value)
  if (size >= 10_000) return figure(value)
  if (size > 0 && size < 0.00005) return figure(value)
  return minus(String(clean(value)))
}

const minus = (text: string): string => text.replace('-', '−')

/** In bytes, decimal: `1.23 MB`. */
export function bytes(value: number | null): string {
  if (value === null || Number.isNaN(value)) return '–'
  const step = value < 1 ? 0 : Math.min(PREFIXES.length - 1, Math.floor(Math.log10(value) / 3))
  return `${Number((value / 10 ** (3 * step)).toPrecision(3))} ${PREFIXES[step]?.trim()}B`
}

/** The unit in which a span of virtual time is drawn. */
export interface TimeUnit {
  readonly name: string
  readonly seconds: number
}

/** Seconds up to ten minutes, minutes up to two and a half hours, hours up to three days, then days. */
export function timeUnit(spanSeconds: number): TimeUnit {
  if (spanSeconds > 259_200) return { name: 'days', seconds: 86_400 }
  if (spanSeconds > 9_000) return { name: 'hours', seconds: 3_600 }
  return spanSeconds > 600 ? { name: 'minutes', seconds: 60 } : { name: 'seconds', seconds: 1 }
}

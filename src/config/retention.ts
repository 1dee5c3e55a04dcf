/** How long entries keep their bodies at this node: the section `retention` of config.yaml. Defaults, no legal advice. */
import * as v from 'valibot'
import { LIMITS } from '../core/limits.ts'
import { given, section } from './yaml.ts'

/** The classes of entries whose bodies may go, each with the days that may be asked for. */
export const PRUNABLE = {
  training: {
    what: 'rounds trained, published, merged, evaluated; models exported, used, explained; datasets registered, verified; supply events; counts asked',
    daysMin: 2_192,
    minBecause: '6 years: accounting of disclosures, 45 CFR 164.528; longer than the 3 of Reg. (EU) 2025/327 Art. 9',
    daysMax: 10_958,
    maxBecause: '30 years: the longest time in which claims for injury lapse (BGB § 199)',
  },
  operation: {
    what: 'starts, stops, refused members and strangers',
    daysMin: 1_096,
    minBecause: '3 years: who had access and when, Reg. (EU) 2025/327 Art. 9',
    daysMax: 3_653,
    maxBecause: '10 years: they tell when people worked, and that is kept no longer than needed',
  },
} as const

export type PrunableClass = keyof typeof PRUNABLE
export const PRUNABLE_CLASSES = Object.keys(PRUNABLE) as readonly PrunableClass[]

/** How long one class keeps its bodies. */
export interface Keeping {
  readonly keepDays: number | 'unlimited'
}

/** What is kept, and whether anything may go at all. */
export type Retention = Readonly<Record<PrunableClass, Keeping>> & {
  /** True, or the studies whose entries are on hold: of them nothing is pruned or redacted. */
  readonly legalHold: boolean | readonly string[]
}

export const RETENTION_DEFAULTS: Retention = {
  training: { keepDays: 'unlimited' },
  operation: { keepDays: 'unlimited' },
  legalHold: false,
}

const keeping = (name: PrunableClass) => {
  const { daysMin, daysMax } = PRUNABLE[name]
  const days = v.custom<number | 'unlimited'>(
    (value) => value === 'unlimited' || (Number.isSafeInteger(value) && isWithin(value as number, daysMin, daysMax)),
    (issue) => `${given(issue.input)}, a whole number from ${daysMin} to ${daysMax}, or unlimited, is allowed`,
  )
  return v.optional(section({ keepDays: v.optional(days, RETENTION_DEFAULTS[name].keepDays) }), {})
}

const isWithin = (value: number, low: number, high: number): boolean => value >= low && value <= high

const hold = v.custom<boolean | readonly string[]>(
  (value) => typeof value === 'boolean' || isStudies(value),
  (issue) => `${given(issue.input)}, true, false or a list of studies' digests, 64 digits each, is allowed`,
)

const isStudies = (value: unknown): boolean =>
  Array.isArray(value) &&
  value.length <= LIMITS.studiesMentionedMax &&
  value.every((each) => typeof each === 'string' && /^[0-9a-f]{64}$/.test(each))

/** The section's schema; strict, every key optional. */
export const retentionSchema = section({
  training: keeping('training'),
  operation: keeping('operation'),
  legalHold: v.optional(hold, RETENTION_DEFAULTS.legalHold),
})

/** The section as `init` writes it, with its reasons. */
export function retentionText(retention: Retention): string {
  const classes = PRUNABLE_CLASSES.map((name) => {
    const { what, daysMin, minBecause, daysMax, maxBecause } = PRUNABLE[name]
    return `  # ${what}.
  # At least ${daysMin} days (${minBecause}),
  # at most ${daysMax} (${maxBecause}).
  ${name}: { keepDays: ${retention[name].keepDays} }
`
  })
  return `# How many days entries keep their bodies here, or unlimited. An older entry keeps its hash and every proof, and what went is recorded.
# What decides (memberships, studies, bound tables, alarms) never goes. The bounds are defaults, no legal advice.
retention:
${classes.join('')}  # true: nothing is pruned or redacted here. Or the digests of the studies of which nothing is: [5f1e09ab…]
  legalHold: ${JSON.stringify(retention.legalHold)}
`
}

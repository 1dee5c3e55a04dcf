/**
 * Four hospitals, of which two train; at St. Mary one patient says yes in November, is used twice, says no in December, and is used no
 * more. What the patient, an auditor and a forger can do with that is tested on it.
 */
import { parseStudy, studyDocument, studyIdOf } from '../../src/config/study.ts'
import { fromHex, toHex } from '../../src/core/bytes.ts'
import type { Cbor } from '../../src/core/cbor.ts'
import type { SigningKey } from '../../src/core/ed25519.ts'
import type { Digest, StudyId } from '../../src/core/ids.ts'
import type { Daemon } from '../../src/daemon/daemon.ts'
import { type ConsentDecision, subjectTag } from '../../src/governance/consent.ts'
import { leafAt, rootOver } from '../../src/governance/consentSet.ts'
import { OwnRounds } from '../../src/governance/ownRounds.ts'
import type { Stand } from '../../src/governance/roundSets.ts'
import { traceOf } from '../../src/governance/traces.ts'
import type { VaultSubject } from '../../src/governance/vaultBook.ts'
import type { BundleFilter } from '../../src/ledger/bundle.ts'
import type { EntryDraft } from '../../src/ledger/chain.ts'
import type { Draft } from '../../src/node/actions.ts'
import { digestOf } from '../gossip/fixtures.ts'
import { Kept } from '../governance/keptBook.ts'
import { B32 } from '../governance/sound.ts'
import { consortiumOf, cosigned, entryFor, type Log, linesOf, logWith, othersThan } from '../ledger/bundleKit.ts'

const NOVEMBER_MS = Date.UTC(2026, 10, 20, 9)
const DECEMBER_MS = Date.UTC(2026, 11, 4, 9)
const HOUR_MS = 3_600_000

export const CONSORTIUM = consortiumOf(4, 'Heart & Lung')
const [MARY, COLOGNE] = CONSORTIUM.keys as [SigningKey, SigningKey]
export const HOSPITAL = MARY.member

const STUDY = parseStudy(
  `name: Heart failure
purpose: to know earlier who falls ill
model: { kind: logistic }
label: { name: ill, positive: 'yes', negative: 'no' }
features: [{ name: age, kind: number }]
consent: { basis: opt-in, jurisdiction: DE, purposes: [DUO:0000006] }
`,
  'story.yaml',
)
const DOCUMENT = studyDocument(STUDY)
export const STUDY_ID: StudyId = studyIdOf(DOCUMENT)

/** Record numbers, as they must be nowhere. */
export const RECORDS = Array.from({ length: 9 }, (_, i) => `QX-${70_001 + 13 * i}`)
export const PATIENT = RECORDS[4] as string
export const SPEAKER = 'Henriette Obersteiner, mother'

export const kept = new Kept()
kept.admit(...RECORDS)

function say(record: string, more: Partial<ConsentDecision>, speaker: string | null = null): void {
  const subject = kept.book.subject(record) as VaultSubject
  const decision: ConsentDecision = {
    ...{ decision: 'permit', purposes: 'all', study: 'all', fromMs: null, toMs: null, by: 'subject' },
    ...{ receivedAtMs: NOVEMBER_MS, effectiveAtMs: NOVEMBER_MS, form: 'general-consent-v3', ...more },
  }
  kept.keep(kept.book.say([{ subject, decision, speaker }], kept.chance))
}

const stands = new Map<number, Stand>()

/** Keeps how everybody stands now, as the desk does before a round; `ignoring`: as a desk would that goes on with who said no. */
function keepSet(atMs: number, ignoring = false): Digest {
  const changes = new Map<number, Stand>()
  for (const { number, words, decisions } of kept.book.subjects()) {
    const permitted = ignoring || decisions.at(-1)?.decision === 'permit'
    changes.set(number, { permitted, rows: 1 + (number % 3), words: words.length })
  }
  for (const [number, stand] of changes) stands.set(number, stand)
  const leaves = [...stands].map(([number, stand]) => {
    return leafAt(kept.book.bearing(number) as VaultSubject, STUDY_ID, HOSPITAL, stand)
  })
  const root = rootOver(leaves)
  kept.keep([kept.book.sets.record({ study: STUDY_ID, root, atMs }, changes)])
  return root
}

const draft = (kind: string, atMs: number, body: Cbor, study: StudyId | null = STUDY_ID): EntryDraft => {
  return { kind, study, timeMs: atMs, refs: [], body }
}

/** Tells of the words from `from` on. */
function recorded(from: number, atMs: number): EntryDraft {
  const items = kept.book
    .wordsFrom(from)
    .map(({ subject, word }) => [subjectTag(subject.key, HOSPITAL, atMs), word.commitment])
  return draft('consent.recorded', atMs, { from, items }, null)
}

const bytes = (name: string): Uint8Array => fromHex(digestOf(name))

function trained(who: string, round: number, base: string, atMs: number, root: Digest): EntryDraft {
  return draft('round.trained', atMs, {
    ...{
      round,
      base: bytes(base),
      update: bytes(`${who} update ${round}`),
      head: B32,
      examples: 5,
      loss: 0.5,
      dataset: B32,
    },
    consent: { root: fromHex(root), basis: 'opt-in' },
  })
}

function merged(
  who: string,
  round: number,
  inputs: readonly (readonly [SigningKey, number, string])[],
  atMs: number,
): EntryDraft {
  const rows = inputs.map(([key, of, name]) => [fromHex(key.member), of, bytes(name), 0.5])
  return draft('round.merged', atMs, { round, rule: 'mean', inputs: rows, result: bytes(`${who} model ${round}`) })
}

function maryLog(): EntryDraft[] {
  const at = (start: number, hour: number): number => start + hour * HOUR_MS
  for (const record of RECORDS) if (record !== PATIENT) say(record, {})
  say(PATIENT, { by: 'guardian', purposes: ['DUO:0000042'] }, SPEAKER)
  const first = recorded(0, at(NOVEMBER_MS, 1))
  const one = keepSet(at(NOVEMBER_MS, 2))
  const drafts = [
    draft('study.proposed', NOVEMBER_MS, { document: DOCUMENT }),
    first,
    trained('mary', 0, 'start', at(NOVEMBER_MS, 3), one),
    merged('mary', 0, [[MARY, 0, 'mary update 0']], at(NOVEMBER_MS, 4)),
    trained('mary', 1, 'mary model 0', at(NOVEMBER_MS, 5), one),
    merged(
      'mary',
      1,
      [
        [MARY, 1, 'mary update 1'],
        [COLOGNE, 0, 'cologne update 0'],
      ],
      at(NOVEMBER_MS, 6),
    ),
  ]
  say(PATIENT, { decision: 'deny', receivedAtMs: DECEMBER_MS, effectiveAtMs: DECEMBER_MS })
  const two = keepSet(at(DECEMBER_MS, 1))
  return [
    ...drafts,
    recorded(RECORDS.length, at(DECEMBER_MS, 1)),
    merged('mary', 2, [[MARY, 1, 'mary model 1']], at(DECEMBER_MS, 2)),
    trained('mary', 3, 'mary model 2', at(DECEMBER_MS, 3), two),
    merged('mary', 3, [[MARY, 3, 'mary update 3']], at(DECEMBER_MS, 4)),
    draft('model.exported', at(DECEMBER_MS, 5), {
      round: 3,
      model: bytes('mary model 3'),
      format: 'json',
      withHead: false,
    }),
  ]
}

function cologneLog(): EntryDraft[] {
  const root = digestOf('of nobody here') as Digest
  return [
    trained('cologne', 0, 'start', NOVEMBER_MS + HOUR_MS, root),
    merged('cologne', 0, [[COLOGNE, 0, 'cologne update 0']], NOVEMBER_MS + 2 * HOUR_MS),
    trained('cologne', 1, 'cologne model 0', NOVEMBER_MS + 3 * HOUR_MS, root),
    merged(
      'cologne',
      1,
      [
        [COLOGNE, 1, 'cologne update 1'],
        [MARY, 1, 'mary update 1'],
      ],
      NOVEMBER_MS + 9 * HOUR_MS,
    ),
  ]
}

const UNHEARD = keepSet(NOVEMBER_MS) // of before anybody spoke
const MARY_DRAFTS = maryLog()
export const mary = logWith(MARY, MARY_DRAFTS)

/** Of a set that goes on with who said no. */
export const IGNORING = keepSet(DECEMBER_MS + 2 * HOUR_MS, true)

/** St. Mary's log, had its last round rested on that root. */
export function maryWithRoot(root: Digest): Log {
  const last = MARY_DRAFTS.findLastIndex(({ kind }) => kind === 'round.trained')
  const drafts = MARY_DRAFTS.map((one, i) => {
    const consent = { root: fromHex(root), basis: 'opt-in' }
    return i === last ? { ...one, body: { ...(one.body as object), consent } } : one
  })
  return logWith(MARY, drafts)
}

/** St. Mary's log, had it bound its table when all had spoken, and its first round rested on a set of before. */
export function maryUnheard(): Log {
  const bound = draft('dataset.bound', NOVEMBER_MS + 2 * HOUR_MS, { rows: 18, trainRows: 14, commitment: B32 })
  const round = trained('mary', 0, 'start', NOVEMBER_MS + 3 * HOUR_MS, UNHEARD)
  return logWith(MARY, [...MARY_DRAFTS.slice(0, 2), bound, round])
}

const cologne = logWith(COLOGNE, cologneLog())

/** Lines of a bundle of both logs, with those entries of St. Mary's alone for which `takes` is true, and whole those for which it is not `bodiless`. */
export function bundleLines(
  takes: (seq: number) => boolean | 'bodiless' = () => true,
  log: Log = mary,
  filter: Partial<BundleFilter> = {},
): string[] {
  const all = (of: Log, head: number, wanted: (seq: number) => boolean | 'bodiless') =>
    of.raws.flatMap((_, seq) => {
      const takes = wanted(seq)
      return takes === false ? [] : [entryFor(of, head, seq, of.raws.length, takes === 'bodiless')]
    })
  const parts = [
    cosigned(CONSORTIUM, log, log.raws.length, othersThan(CONSORTIUM, log)),
    cosigned(CONSORTIUM, cologne, cologne.raws.length, othersThan(CONSORTIUM, cologne)),
    ...all(log, 0, takes),
    ...all(cologne, 1, () => true),
  ]
  return linesOf(CONSORTIUM, parts, filter)
}

/** What St. Mary's log tells of what was handed out. */
export const handed: Draft[] = []

/** St. Mary's daemon, as far as patients ask it; `signs`: it may write entries. */
export function daemonOf(log: Log = mary, signs = true): Daemon {
  const own = new OwnRounds()
  for (const trace of log.raws.map(traceOf)) if (trace !== null) own.take(trace)
  const state = { id: STUDY_ID, study: STUDY }
  const daemon = {
    vault: { book: async () => kept.book },
    ownLog: { rounds: async () => own },
    machine: { view: () => ({ studies: [{ state }] }), study: () => STUDY },
    home: {
      key: { id: HOSPITAL },
      config: { name: 'St. Mary' },
      consortium: { name: CONSORTIUM.founding.name, founding: CONSORTIUM.digest },
    },
    nameOf: () => 'St. Mary',
    writer: signs
      ? { record: (_: string, drafts: readonly Draft[]) => handed.push(...drafts), flush: () => null }
      : null,
  }
  return daemon as unknown as Daemon
}

export const hexOf = (name: string): string => toHex(bytes(name))

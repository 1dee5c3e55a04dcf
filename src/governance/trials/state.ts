/** What all trials come to over a cut, as one digest: whoever has the same entries finds the same, in whatever order they came. */
import { fromHex } from '../../core/bytes.ts'
import { type Cbor, encodeCbor } from '../../core/cbor.ts'
import { taggedDigest } from '../../core/digest.ts'
import { compareIds, type Digest } from '../../core/ids.ts'
import type { Cut } from '../agreements.ts'
import { recordBelow, type TrialBook, type TrialPlace, type TrialRecord } from './book.ts'
import { endOf, versionOf } from './enrolment.ts'
import { examineTrial, type TrialFinding } from './findings.ts'
import { listStanding } from './listFindings.ts'
import { allLists, siteStanding, sitesOf } from './standing.ts'

/** Of what stands below the cut. */
export function trialsHash(book: TrialBook, cut: Cut): Digest {
  return digestOf(
    book.trials().flatMap((whole) => {
      const record = recordBelow(whole, cut)
      return record.sponsor === null ? [] : [rowOf(record, cut, examineTrial(book, record, cut))]
    }),
  )
}

/** As `trialsHash`, of one trial alone. `found`: what `examineTrial` says over the whole of it, for where no entry is beyond the cut. */
export function trialHash(book: TrialBook, whole: TrialRecord, cut: Cut, found: readonly TrialFinding[]): Digest {
  const record = recordBelow(whole, cut)
  if (record.sponsor === null) return digestOf([])
  return digestOf([rowOf(record, cut, record === whole ? found : examineTrial(book, record, cut))])
}

const digestOf = (rows: readonly Cbor[]): Digest => taggedDigest('trials', encodeCbor([...rows]))

function rowOf(record: TrialRecord, cut: Cut, found: readonly TrialFinding[]): Cbor {
  const versions = record.versions.map((version) => {
    const sites = version.sites.map((site) => {
      const { approvals, halted, locked } = siteStanding(record, version, site, cut)
      const states = approvals.map(({ state, word }) => [state, word === null ? null : word.place.seq])
      return [fromHex(site), states, halted?.place.seq ?? null, locked?.place.seq ?? null]
    })
    return [version.number, sites]
  })
  const sites = sitesOf(record)
  const participants = [...record.voices]
    .filter(([site]) => sites.has(site))
    .flatMap(([site, { followed }]) => [...followed].map(([tag, one]) => ({ site, tag, one })))
    .filter(({ one }) => one.enrolled !== null)
    .sort((a, b) => compareIds(a.site, b.site) || compareIds(a.tag, b.tag))
    .map(({ site, tag, one }) => {
      const position = one.enrolled?.body.position ?? null
      const end = endOf(one)?.place.seq ?? null
      return [fromHex(site), fromHex(tag), position, versionOf(record, one), one.events.length, end]
    })
  const lists = allLists(record).map((list) => {
    const { enrolled, allocated, opened, unsealed } = listStanding(record, list)
    return [fromHex(list.hash), placesOf(enrolled), placesOf(allocated), placesOf(opened), unsealed?.place.seq ?? null]
  })
  const findings = found.map(({ code, place, perhaps }) => [code, fromHex(place.author), place.seq, perhaps])
  return [fromHex(record.id), versions, participants, lists, findings] as unknown as Cbor
}

function placesOf(words: ReadonlyMap<number, { readonly place: TrialPlace }>): Cbor {
  return [...words]
    .sort(([a], [b]) => a - b)
    .map(([position, { place }]) => [position, fromHex(place.author), place.seq])
}

/** What all trials come to over a cut, as one digest: whoever has the same entries finds the same, in whatever order they came. */
import { fromHex } from '../../core/bytes.ts'
import { type Cbor, encodeCbor } from '../../core/cbor.ts'
import { taggedDigest } from '../../core/digest.ts'
import { compareIds, type Digest } from '../../core/ids.ts'
import type { Cut } from '../agreements.ts'
import type { TrialBook, TrialPlace, TrialRecord } from './book.ts'
import { endOf, versionOf } from './enrolment.ts'
import { examineTrial } from './findings.ts'
import { listStanding } from './listFindings.ts'
import { allLists, currentVersion, siteStanding } from './standing.ts'

/** Of what stands below the cut. */
export function trialsHash(book: TrialBook, cut: Cut): Digest {
  const rows = book.trials().flatMap((record) => {
    const version = currentVersion(record, cut)
    return version === null ? [] : [rowOf(book, record, cut)]
  })
  return taggedDigest('trials', encodeCbor(rows))
}

function rowOf(book: TrialBook, record: TrialRecord, cut: Cut): Cbor {
  const isIn = (place: TrialPlace | null): boolean => place === null || place.seq < cut.known(place.author)
  const versions = record.versions
    .filter(({ place }) => isIn(place))
    .map((version) => {
      const sites = version.sites.map((site) => {
        const { approvals, halted, locked } = siteStanding(record, version, site, cut)
        const states = approvals.map(({ state, word }) => [state, word === null ? null : word.place.seq])
        return [fromHex(site), states, halted?.place.seq ?? null, locked?.place.seq ?? null]
      })
      return [version.number, sites]
    })
  const participants = [...record.voices]
    .flatMap(([site, { followed }]) => [...followed].map(([tag, one]) => ({ site, tag, one })))
    .filter(({ one }) => one.enrolled !== null && isIn(one.enrolled.place))
    .sort((a, b) => compareIds(a.site, b.site) || compareIds(a.tag, b.tag))
    .map(({ site, tag, one }) => {
      const events = one.events.filter(({ place }) => isIn(place))
      const told = { ...one, events }
      const position = one.enrolled?.body.position ?? null
      return [
        fromHex(site),
        fromHex(tag),
        position,
        versionOf(record, told),
        events.length,
        endOf(told)?.place.seq ?? null,
      ]
    })
  const lists = allLists(record)
    .filter(({ word }) => isIn(word.place))
    .map((list) => {
      const { enrolled, allocated, opened, unsealed } = listStanding(record, list)
      const below = <W extends { readonly place: TrialPlace }>(words: ReadonlyMap<number, W>): Cbor =>
        [...words]
          .filter(([, { place }]) => isIn(place))
          .sort(([a], [b]) => a - b)
          .map(([position, { place }]) => [position, fromHex(place.author), place.seq])
      const known = unsealed !== null && isIn(unsealed.place) ? unsealed.place.seq : null
      return [fromHex(list.hash), below(enrolled), below(allocated), below(opened), known]
    })
  const findings = examineTrial(book, record, cut)
    .filter(({ place, because }) => isIn(place) && isIn(because))
    .map(({ code, place, perhaps }) => [code, fromHex(place.author), place.seq, perhaps])
  return [fromHex(record.id), versions, participants, lists, findings] as unknown as Cbor
}

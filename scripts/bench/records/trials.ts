/** Ten thousand participants of one trial: how long the book of them takes, a check of all, and what is asked of one. */
import { fromHex, toHex, utf8 } from '../../../src/core/bytes.ts'
import type { Cbor } from '../../../src/core/cbor.ts'
import { sha256 } from '../../../src/core/digest.ts'
import { signingKey } from '../../../src/core/ed25519.ts'
import type { Digest, MemberId } from '../../../src/core/ids.ts'
import { participantLines } from '../../../src/daemon/trialParticipants.ts'
import { participantReport, type Telling, trialReport } from '../../../src/daemon/trialReports.ts'
import { TrialBook, type TrialRecord, type Version } from '../../../src/governance/trials/book.ts'
import { enrolmentAt } from '../../../src/governance/trials/enrolment.ts'
import { examineTrial } from '../../../src/governance/trials/findings.ts'
import { verifying } from '../../../src/governance/trials/listFindings.ts'
import { designCommitment, drawList, listTree, positionSalt } from '../../../src/governance/trials/randomisation.ts'
import { trialStatement } from '../../../src/governance/trials/signature.ts'
import { decodeEntry, encodeEntry, type Ref } from '../../../src/ledger/entry.ts'
import { type Figure, under } from '../figures.ts'

const PARTICIPANTS = 10_000
const SITES = 10
const EVENTS = 8 // of each participant: visits and doses
const QUERY_MS_MAX = 1_000
const ASKED = 20
const NOW = 1_790_000_000_000
const FOUNDING = toHex(sha256(utf8('founding of the bench'))) as Digest
const [SPONSOR, LISTS] = ['a', 'b'].map((digit) => digit.repeat(64)) as [MemberId, MemberId]
const sites = Array.from({ length: SITES }, (_, i) => toHex(sha256(utf8(`site ${i}`))) as MemberId)
const DESIGN = { ratios: [1, 1], blocks: [4, 6] }

/** Encoded entries are decoded and folded, as from the logs; then the slowest questions that a command asks. */
export async function bench(): Promise<Figure[]> {
  const logs = new Logs()
  const trial = logs.begun()
  const book = new TrialBook(FOUNDING)
  const foldMs = timed(() => {
    for (const raw of logs.raws) book.tell(decodeEntry(raw))
  })
  const record = book.get(trial) as TrialRecord
  const cut = { final: () => Number.POSITIVE_INFINITY, known: () => Number.POSITIVE_INFINITY }
  const name = (member: MemberId): string => member.slice(0, 6)
  const telling: Telling = {
    ...{ self: null, founding: FOUNDING, cut, nameOf: name, names: new Map() },
    refOf: (member, seq) => `${name(member)}/${seq}`,
  }
  const pathsMs = timed(() => [...verifying(record)])
  let findings = 0
  const check = (): void => {
    findings = examineTrial(book, record, cut).length
  }
  const firstMs = timed(check)
  const checkMs = timed(check)
  if (findings > 0) throw new Error(`${findings} findings in a sound trial`)
  const showMs = timed(() => trialReport(book, record, record.versions[0] as Version, telling, null))
  const site = sites[3] as MemberId
  const tags = [...(record.voices.get(site)?.followed.keys() ?? [])]
  const participantMs = worst(() => {
    for (const tag of tags.slice(0, 1)) participantReport(book, record, site, tag, telling)
  })
  const most = (author: MemberId): number =>
    record.voices.get(author)?.of('trial.event').at(-1)?.place.seq ?? Number.POSITIVE_INFINITY
  const listMs = timed(() => participantLines(record, { ...telling, cut: { ...cut, final: most } }))
  const enrolMs = worst(() => {
    const leave = enrolmentAt(record, { site, stratum: null, tag: new Uint8Array(16), cut })
    if ('code' in leave) throw new Error(leave.code)
  })
  const beside = `${logs.raws.length} entries of ${PARTICIPANTS} participants at ${SITES} sites`
  return [
    under(
      'trials, check of all',
      checkMs,
      QUERY_MS_MAX,
      'ms',
      `${beside}; read in ${(foldMs / 1_000).toFixed(1)} s, all paths verified in ${pathsMs.toFixed(0)} ms, both in slices; the first check ${firstMs.toFixed(0)} ms`,
    ),
    under('trials, show', showMs, QUERY_MS_MAX, 'ms', 'sites, lists with every allocation verified, locks'),
    under('trials, all participants', listMs, QUERY_MS_MAX, 'ms', 'while some entries are not final'),
    under('trials, one participant', participantMs, QUERY_MS_MAX, 'ms', `worst of ${ASKED}`),
    under('trials, leave to enrol', enrolMs, QUERY_MS_MAX, 'ms', `worst of ${ASKED}`),
  ]
}

/** Entries of several authors, encoded. */
class Logs {
  readonly raws: Uint8Array[] = []
  readonly #sizes = new Map<MemberId, number>()

  add(author: MemberId, kind: string, body: unknown, refs: readonly Ref[] = []): Ref {
    const seq = this.#sizes.get(author) ?? 0
    this.#sizes.set(author, seq + 1)
    const prev = new Uint8Array(32).fill(seq === 0 ? 0 : 1)
    const fields = { author, seq, prev, timeMs: NOW, kind, study: null, refs, lamport: this.raws.length + 1 }
    const raw = encodeEntry(fields, new Uint8Array(32), body as Cbor)
    this.raws.push(raw)
    return [author, seq, decodeEntry(raw).hash]
  }

  /** The trial's id. */
  begun(): Digest {
    const protocol = this.add(SPONSOR, 'trial.protocol', {
      ...{ trial: null, name: 'bench', version: 1, previous: null, document: new Uint8Array(32), disclosure: 'public' },
      ...{ sites: sites.map(fromHex), strata: [], lists: fromHex(LISTS), consent: 'waived', purposes: [] },
      arms: [
        ['a', 1],
        ['b', 1],
      ],
      approvals: [['investigator-agreement', null]],
    })
    const [, , trial] = protocol
    for (const site of sites) this.#site(site, trial, protocol)
    return trial
  }

  #site(site: MemberId, trial: Digest, protocol: Ref): void {
    const key = signingKey(sha256(utf8(`person of ${site}`)))
    const person = sha256(utf8(`commitment of ${site}`))
    this.add(site, 'person.enrolled', { person, key: fromHex(key.member), roles: ['operator', 'approver'] })
    const content = {
      ...{ trial: fromHex(trial), protocol: fromHex(trial), meaning: 'investigator-agreement' as const, person },
      signedAtMs: NOW,
    }
    const signature = key.sign(trialStatement({ founding: FOUNDING, member: site }, 'trial.approved', content))
    const approved = this.add(site, 'trial.approved', { ...content, signature })
    const each = PARTICIPANTS / SITES
    const seed = sha256(utf8(`seed of ${site}`))
    const drawn = drawList(seed, DESIGN, each + 2)
    const tree = listTree(seed, drawn)
    const list = this.add(LISTS, 'trial.list', {
      ...{ trial: fromHex(trial), version: 1, site: fromHex(site), stratum: null, size: drawn.arms.length },
      ...{ root: tree.root(), design: designCommitment(seed, DESIGN) },
    })
    for (let position = 0; position < each; position++) {
      const tag = sha256(utf8(`${site} ${position}`)).slice(0, 16)
      const of = { trial: fromHex(trial), tag }
      const body = {
        ...of,
        protocol: fromHex(trial),
        stratum: null,
        list: fromHex(list[2]),
        position,
        key: positionSalt(seed, 0),
      }
      const enrolled = this.#signedOff(person, this.add(site, 'trial.enrolled', body, [protocol, list, approved]))
      const leaf = tree.leaf(position).slice()
      const allocated = { enrolled: fromHex(enrolled[2]), leaf, path: tree.path(position), sealed: new Uint8Array(93) }
      this.add(LISTS, 'trial.allocated', { trial: fromHex(trial), ...allocated }, [enrolled])
      for (let i = 0; i < EVENTS; i++)
        this.#signedOff(
          person,
          this.add(site, 'trial.event', { ...of, event: i % 2 === 0 ? 'visit' : 'dose', version: 1 }),
        )
    }
  }

  /** With a signature as long as any: a check counts who signed, and verifies the one that is looked at. */
  #signedOff(person: Uint8Array, entry: Ref): Ref {
    const request = sha256(utf8(`request ${this.raws.length}`))
    const body = { person, action: 'trial.event', request, timeMs: NOW, part: 0, signature: new Uint8Array(64).fill(9) }
    this.add(entry[0], 'person.acted', body, [entry])
    return entry
  }
}

const worst = (work: () => void): number => Math.max(...Array.from({ length: ASKED }, () => timed(work)))

function timed(work: () => void): number {
  const startMs = performance.now()
  work()
  return performance.now() - startMs
}

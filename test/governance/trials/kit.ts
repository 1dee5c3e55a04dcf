/** Logs of four hospitals that run a trial, for tests: real signatures, real lists, entries at their places. */
import { fromHex, toHex, utf8 } from '../../../src/core/bytes.ts'
import type { Cbor } from '../../../src/core/cbor.ts'
import { sha256 } from '../../../src/core/digest.ts'
import { compareIds, type Digest, type MemberId } from '../../../src/core/ids.ts'
import type { Rng } from '../../../src/core/rng.ts'
import type { Cut } from '../../../src/governance/agreements.ts'
import type { ApprovalMeaning } from '../../../src/governance/kinds/trials.ts'
import { signOffMessage } from '../../../src/governance/signOff.ts'
import { TrialBook, type TrialRecord } from '../../../src/governance/trials/book.ts'
import {
  designCommitment,
  drawList,
  listTree,
  positionLeaf,
  positionSalt,
} from '../../../src/governance/trials/randomisation.ts'
import { type SignedTrialKind, type TrialContent, trialStatement } from '../../../src/governance/trials/signature.ts'
import type { Ref } from '../../../src/ledger/entry.ts'
import { commitmentOf, FOUNDING, personKey } from '../peopleKit.ts'

export const [SPONSOR, NORTH, SOUTH, WEST, STRANGER] = ['1', '2', '3', '4', '5'].map((digit) => digit.repeat(64)) as [
  ...[MemberId, MemberId, MemberId, MemberId, MemberId],
]
export const ALL: Cut = { final: () => Number.POSITIVE_INFINITY, known: () => Number.POSITIVE_INFINITY }
export const NOW = 1_790_000_000_000

export type Told = Parameters<TrialBook['tell']>[0]
type Protocol = { readonly [field: string]: Cbor }

/** Logs as they grow, one entry after another: what was read last has the greatest lamport time. */
export class Story {
  readonly entries: Told[] = []
  readonly #sizes = new Map<MemberId, number>()
  trial: Digest = '' as Digest

  add(author: MemberId, kind: string, body: Cbor, refs: readonly Told[] = []): Told {
    const seq = this.#sizes.get(author) ?? 0
    this.#sizes.set(author, seq + 1)
    const hash = toHex(sha256(utf8(`${author} ${seq}`))) as Digest
    const cited = refs.map((one): Ref => [one.author, one.seq, one.hash])
    const entry = { author, seq, hash, lamport: this.entries.length + 1, timeMs: NOW + seq, kind, refs: cited, body }
    this.entries.push(entry)
    return entry
  }

  /** `name` acts for a member, and may sign for it. */
  enrolPerson(member: MemberId, name: string, roles: readonly string[] = ['approver']): Told {
    const key = fromHex(personKey(name).member)
    return this.add(member, 'person.enrolled', { person: commitmentOf(name), key, roles })
  }

  /** `name` signs off what stands right before. */
  act(member: MemberId, name: string, action: string, cited: Told): Told {
    const request = sha256(utf8(`request ${this.entries.length}`))
    const signed = { founding: FOUNDING, member, action, request, timeMs: NOW }
    const signature = personKey(name).sign(signOffMessage(signed))
    const body = { person: commitmentOf(name), action, request, timeMs: NOW, part: 0, signature }
    return this.add(member, 'person.acted', body, [cited])
  }

  propose(more: Protocol = {}, author: MemberId = SPONSOR, previous: Told | null = null): Told {
    const before = previous === null ? null : fromHex(previous.hash)
    const version = previous === null ? 1 : (previous.body as { version: number }).version + 1
    const entry = this.add(author, 'trial.protocol', {
      ...{ trial: previous === null ? null : fromHex(this.trial), name: 'stroke-2', version, previous: before },
      ...{ document: sha256(utf8(`protocol ${version}`)), disclosure: 'private' },
      ...{ sites: [fromHex(NORTH), fromHex(SOUTH)], strata: [], lists: fromHex(WEST) },
      arms: [
        ['active', 2],
        ['control', 1],
      ],
      approvals: [
        ['ethics-approval', fromHex(WEST)],
        ['investigator-agreement', null],
      ],
      ...{ consent: 'required', purposes: [6] },
      ...more,
    })
    if (previous === null) this.trial = entry.hash
    return entry
  }

  approve(
    member: MemberId,
    name: string,
    protocol: Told,
    meaning: ApprovalMeaning,
    { by = name, signedAtMs = NOW + this.entries.length } = {},
  ): Told {
    const content = { trial: fromHex(this.trial), protocol: fromHex(protocol.hash), meaning }
    return this.sign(member, name, 'trial.approved', content, { by, signedAtMs })
  }

  /** `by`: whose key signs in `name`'s name. */
  sign<K extends SignedTrialKind>(
    member: MemberId,
    name: string,
    kind: K,
    content: Omit<TrialContent<K>, 'person' | 'signedAtMs'>,
    { by = name, signedAtMs = NOW } = {},
  ): Told {
    const whole = { ...content, person: commitmentOf(name), signedAtMs } as unknown as TrialContent<K>
    const signature = personKey(by).sign(trialStatement({ founding: FOUNDING, member }, kind, whole))
    return this.add(member, kind, { ...whole, signature } as unknown as Cbor)
  }

  withdraw(member: MemberId, more: Protocol): Told {
    const body = { trial: fromHex(this.trial), what: 'halt', version: 1, meaning: null, reason: 'safety', ...more }
    return this.add(member, 'trial.withdrawn', body)
  }

  /** A list that is really drawn; `seedOf` its name. */
  list(
    site: MemberId,
    { author = WEST, name = `list of ${site}`, size = 6, version = 1, stratum = null as string | null } = {},
  ): Told {
    const drawn = drawList(seedOf(name), DESIGN, size)
    return this.add(author, 'trial.list', {
      ...{ trial: fromHex(this.trial), version, site: fromHex(site), stratum, size: drawn.arms.length },
      ...{ root: listTree(seedOf(name), drawn).root(), design: designCommitment(seedOf(name), DESIGN) },
    })
  }

  enrol(
    site: MemberId,
    patient: string,
    list: Told,
    position: number,
    rests: readonly Told[],
    more: Protocol = {},
  ): Told {
    const protocol = rests.find(({ kind }) => kind === 'trial.protocol')?.hash ?? this.trial
    return this.add(
      site,
      'trial.enrolled',
      {
        ...{ trial: fromHex(this.trial), protocol: fromHex(protocol), tag: tagOf(patient), stratum: null },
        ...{ list: fromHex(list.hash), position, key: sha256(utf8(`key of ${patient}`)) },
        ...more,
      },
      [...rests, list],
    )
  }

  event(site: MemberId, patient: string, event: string, version = 1): Told {
    return this.add(site, 'trial.event', { trial: fromHex(this.trial), tag: tagOf(patient), event, version })
  }

  allocate(enrolled: Told, name: string, size = 6, position = (enrolled.body as { position: number }).position): Told {
    const { leaf, path } = leafAt(name, size, position)
    const body = {
      trial: fromHex(this.trial),
      enrolled: fromHex(enrolled.hash),
      leaf,
      path,
      sealed: new Uint8Array(93),
    }
    return this.add(WEST, 'trial.allocated', body as unknown as Cbor)
  }

  open(author: MemberId, list: Told, name: string, position: number, more: Protocol = {}): Told {
    const { path, salt, arm } = leafAt(name, 6, position)
    const body = {
      trial: fromHex(this.trial),
      list: fromHex(list.hash),
      position,
      arm: ARMS[arm] as string,
      salt,
      path,
    }
    return this.add(author, 'trial.opened', { ...body, reason: 'emergency', ...more } as unknown as Cbor)
  }

  unseal(author: MemberId, list: Told, name: string, more: Protocol = {}): Told {
    const body = {
      trial: fromHex(this.trial),
      list: fromHex(list.hash),
      seed: seedOf(name),
      blocks: [...DESIGN.blocks],
    }
    return this.add(author, 'trial.unsealed', { ...body, reason: 'authority-order', ...more } as unknown as Cbor)
  }

  lock(member: MemberId, name: string, previous: Told | null, rows = 3): Told {
    const content = {
      ...{ trial: fromHex(this.trial), data: sha256(utf8(`data of ${rows}`)), rows },
      previous: previous === null ? null : fromHex(previous.hash),
    }
    return this.sign(member, name, 'trial.locked', content)
  }

  unlock(member: MemberId, name: string, lock: Told, signedAtMs = NOW): Told {
    const content = { trial: fromHex(this.trial), lock: fromHex(lock.hash), reason: 'correction' } as const
    return this.sign(member, name, 'trial.unlocked', content, { signedAtMs })
  }

  book(entries: readonly Told[] = this.entries): TrialBook {
    const book = new TrialBook(FOUNDING)
    for (const entry of entries) book.tell(entry)
    return book
  }

  record(book = this.book()): TrialRecord {
    return book.get(this.trial) as TrialRecord
  }
}

export const ARMS = ['active', 'control']
export const DESIGN = { ratios: [2, 1], blocks: [3, 6] }
export const seedOf = (name: string): Uint8Array => sha256(utf8(`seed ${name}`))
export const tagOf = (patient: string): Uint8Array => sha256(utf8(`tag ${patient}`)).slice(0, 16)

function leafAt(name: string, size: number, position: number) {
  const drawn = drawList(seedOf(name), DESIGN, size)
  const salt = positionSalt(seedOf(name), position)
  const arm = drawn.arms[position] as number
  return { salt, arm, leaf: positionLeaf(salt, position, arm), path: listTree(seedOf(name), drawn).path(position) }
}

/** A trial with its people, approved everywhere, and a list for each site. */
export function begun() {
  const story = new Story()
  for (const [member, name] of PEOPLE) story.enrolPerson(member, name)
  const protocol = story.propose()
  const ethics = story.approve(WEST, 'Cy', protocol, 'ethics-approval')
  const north = story.approve(NORTH, 'Ada', protocol, 'investigator-agreement')
  const south = story.approve(SOUTH, 'Bo', protocol, 'investigator-agreement')
  const lists = { north: story.list(NORTH), south: story.list(SOUTH) }
  const rests = { north: [protocol, ethics, north], south: [protocol, ethics, south] }
  return { story, protocol, ethics, approvals: { north, south }, lists, rests }
}

const PEOPLE = [
  [NORTH, 'Ada'],
  [SOUTH, 'Bo'],
  [WEST, 'Cy'],
  [SPONSOR, 'Di'],
] as const

/** Forty entries, sound and unsound, of five authors. */
export function busy(): Story {
  const given = begun()
  const { story, lists, rests } = given
  const p = [0, 1, 3].map((i) => story.enrol(NORTH, `P${i}`, lists.north, i, rests.north))
  for (const one of p) story.allocate(one, `list of ${NORTH}`)
  story.enrol(SOUTH, 'P0', lists.south, 0, rests.south)
  story.event(NORTH, 'P0', 'dose')
  story.event(SOUTH, 'P9', 'visit')
  const next = story.propose({}, SPONSOR, given.protocol)
  story.approve(WEST, 'Cy', next, 'ethics-approval')
  story.withdraw(NORTH, { what: 'approval', meaning: 'investigator-agreement' })
  story.enrol(SOUTH, 'P1', lists.south, 1, rests.south)
  story.withdraw(SPONSOR, {})
  story.event(NORTH, 'P1', 'dose')
  story.open(NORTH, lists.north, `list of ${NORTH}`, 0)
  story.open(WEST, lists.north, `list of ${NORTH}`, 0)
  story.unseal(WEST, lists.south, `list of ${SOUTH}`)
  story.lock(SPONSOR, 'Di', null)
  story.propose({}, STRANGER, next)
  return story
}

/** The same entries as they may arrive: each author's in its order. */
export function shuffled(entries: readonly Told[], rng: Rng): Told[] {
  const queues = new Map<MemberId, Told[]>()
  for (const entry of entries) queues.set(entry.author, [...(queues.get(entry.author) ?? []), entry])
  const waiting = [...queues.values()].sort((a, b) => compareIds(a[0]?.author ?? '', b[0]?.author ?? ''))
  const order: Told[] = []
  while (waiting.length > 0) {
    const at = rng.below(waiting.length)
    const queue = waiting[at] as Told[]
    order.push(queue.shift() as Told)
    if (queue.length === 0) waiting.splice(at, 1)
  }
  return order
}

/** A cut that reads each log to its end but those named. */
export function cutAt(final: Partial<Record<MemberId, number>>): Cut {
  return { final: (author) => final[author] ?? Number.POSITIVE_INFINITY, known: ALL.known }
}

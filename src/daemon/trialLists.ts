/** Lists of randomisation, at the hospital that draws them. */
import { randomBytes } from 'node:crypto'
import { fromHex, toHex } from '../core/bytes.ts'
import { TRIAL_BOUNDS, UNSEALING_REASONS } from '../governance/kinds/trials.ts'
import type { Version } from '../governance/trials/book.ts'
import { designCommitment, designFault, drawList, drawnAgain, listTree } from '../governance/trials/randomisation.ts'
import { allLists, versionNumbered } from '../governance/trials/standing.ts'
import { text } from './bodyFields.ts'
import type { Daemon } from './daemon.ts'
import { memberOf } from './logFilter.ts'
import type { TrialOpened, TrialSaid } from './trialApi.ts'
import type { TrialDaemon, TrialDesk } from './trialDesk.ts'
import { oneOf, refused } from './trialFaults.ts'
import { requireDataLocked } from './trialLocks.ts'
import { armCounts } from './trialReports.ts'

type Fields = Record<string, unknown>
const SEED_BYTES = 32

/** Draws a list for one site and stratum. Errors: `trial-…`, `member-unknown`. */
export function list(
  daemon: Daemon,
  desk: TrialDesk,
  ref: string,
  fields: Fields,
): Promise<TrialSaid & { size: number; list: string }> {
  return desk.inTurn(async () => {
    const { record, version } = await desk.find(ref)
    if (version.lists !== desk.self)
      throw refused(
        'trial-foreign',
        `lists of version ${version.number} are drawn by ${daemon.nameOf(version.lists)}: ask there`,
      )
    const site = memberOf(daemon, text(fields, 'site'))
    if (!version.sites.includes(site))
      throw refused('trial-no-site', `--site: ${daemon.nameOf(site)} is no site of version ${version.number}`)
    const stratum = stratumOf(fields, version)
    const positions = fields.positions as number
    if (
      !Number.isSafeInteger(positions) ||
      positions < 1 ||
      positions > TRIAL_BOUNDS.positionsMax - TRIAL_BOUNDS.blockMax
    )
      throw refused(
        'trial-positions',
        `--positions: ${JSON.stringify(positions)} was given, 1 to ${TRIAL_BOUNDS.positionsMax - TRIAL_BOUNDS.blockMax} are allowed`,
      )
    const blocks = Array.isArray(fields.blocks) ? (fields.blocks as number[]) : []
    const design = { ratios: version.ratios, blocks }
    const many =
      blocks.length > TRIAL_BOUNDS.blocksMax
        ? `${blocks.length} sizes were given, at most ${TRIAL_BOUNDS.blocksMax} are allowed`
        : null
    const fault = blocks.length === 0 ? 'sizes of blocks are expected, such as 4,6' : (many ?? designFault(design))
    if (fault !== null) throw refused('trial-blocks', `--blocks: ${fault}`)
    const seed = new Uint8Array(randomBytes(SEED_BYTES))
    const drawn = drawList(seed, design, positions)
    const root = listTree(seed, drawn).root()
    const size = drawn.arms.length
    const body = {
      ...{ trial: fromHex(record.id), version: version.number, site: fromHex(site), stratum, size, root },
      design: designCommitment(seed, design),
    }
    const place = await desk.record(
      'trial.list',
      body,
      [version.place],
      desk.secrets.listState(root, { seed, ...design }),
    )
    return { ...(await desk.said(record, place)), size, list: place.hash }
  })
}

function stratumOf(fields: Fields, { body }: Version): string | null {
  const given = fields.stratum === undefined ? null : text(fields, 'stratum')
  if (given === null ? body.strata.length === 0 : body.strata.includes(given)) return given
  const which =
    body.strata.length === 0 ? 'the protocol has no strata: leave it out' : `${body.strata.join(', ')} are allowed`
  throw refused(
    'trial-stratum',
    `--stratum: ${given === null ? 'nothing' : JSON.stringify(given.slice(0, 40))} was given, ${which}`,
  )
}

/** Makes own lists known: all of them, or one. Errors: `trial-…`. */
export function unseal(daemon: TrialDaemon, desk: TrialDesk, ref: string, fields: Fields): Promise<TrialOpened> {
  return desk.inTurn(async () => {
    const { record } = await desk.find(ref)
    const reason = oneOf('--reason', text(fields, 'reason'), UNSEALING_REASONS)
    const wanted = fields.list === undefined ? null : text(fields, 'list')
    const known = new Set(
      (record.voices.get(desk.self)?.of('trial.unsealed') ?? []).map(({ body }) => toHex(body.list)),
    )
    const own = allLists(record).filter(
      ({ word, hash }) =>
        word.place.author === desk.self &&
        !known.has(hash) &&
        (wanted === null || (wanted.length >= 6 && hash.startsWith(wanted))),
    )
    if (own.length === 0)
      throw refused(
        'trial-no-list',
        `${wanted === null ? 'no list' : `"${wanted.slice(0, 40)}" is no list`} of this trial that was drawn here is still sealed: see "consilium trial show"`,
      )
    if (reason === 'end-of-trial') requireDataLocked(daemon, desk, record)
    const lists: TrialOpened['lists'][number][] = []
    let place = null
    for (const { word, hash, site, size } of own) {
      const { root, design, version } = word.body
      const secret = await desk.secrets.list(root)
      const arms = versionNumbered(record, version)?.arms ?? []
      const drawn = secret === null ? 'it is not here' : drawnAgain(secret.seed, secret, { size, root, design })
      if (secret === null || typeof drawn === 'string')
        throw refused(
          'trial-secret-lost',
          `the seed of list ${hash.slice(0, 12)}: ${drawn as string}; restore a backup that has it`,
        )
      const body = {
        trial: fromHex(record.id),
        list: fromHex(hash),
        seed: secret.seed,
        blocks: [...secret.blocks],
        reason,
      }
      place = await desk.record('trial.unsealed', body, [word.place])
      lists.push({
        list: hash,
        site: daemon.nameOf(site),
        arms: armCounts([...drawn.arms].map((arm) => arms[arm] ?? '')),
      })
    }
    const said = await desk.said(record, place as NonNullable<typeof place>)
    return { ...said, reason, participant: null, arm: null, lists }
  })
}

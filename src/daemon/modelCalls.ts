/** The calls about models: which there are, what they were made of, exports, predictions, explanations, withdrawals, cards. */
import { ConsiliumError } from '../core/errors.ts'
import type { MadeModel } from '../governance/lineage.ts'
import type { Lineages } from '../governance/lineages.ts'
import type { StudyState } from '../governance/studies.ts'
import { keyOf } from '../governance/withdrawals.ts'
import { text, words } from './bodyFields.ts'
import type { Routes } from './control.ts'
import type { Daemon } from './daemon.ts'
import { explainModel } from './explanation.ts'
import type { KnownReport, ModelDetails, ModelLine } from './modelApi.ts'
import { modelCard } from './modelCard.ts'
import { exportModel } from './modelExport.ts'
import { modelLineage } from './modelLineage.ts'
import { bindingOf, heldModel, heldModels, type NamedModel, namedModel, refOf, withdrawalReport } from './models.ts'
import { predictFile } from './prediction.ts'
import { withdrawModel } from './withdrawing.ts'

type Body = Record<string, unknown>

/** Routes of the control API; the part of the path is a reference to a model. */
export function modelCalls(daemon: Daemon): Routes {
  const named = async (ref: string, given: Body | URLSearchParams): Promise<NamedModel> => {
    const isQuery = given instanceof URLSearchParams
    const update = isQuery ? given.get('update') !== null : given.update === true
    const member = isQuery ? given.get('member') : typeof given.member === 'string' ? given.member : null
    return namedModel(daemon, await daemon.lineage.current(), ref, { update, member })
  }
  return {
    'GET /v1/models': async () => ({ models: list(daemon, await daemon.lineage.current()) }),
    'GET /v1/models/:': async ({ parts, query }) => {
      const model = await named(parts[0] ?? '', query)
      return details(daemon, await daemon.lineage.current(), model)
    },
    'GET /v1/studies/:/lineage': ({ parts, query }) =>
      modelLineage(daemon, parts[0] ?? '', { model: query.get('model'), member: query.get('member') }),
    'GET /v1/models/:/known': async ({ parts }) => known(daemon, await daemon.lineage.current(), parts[0] ?? ''),
    'GET /v1/models/:/card': async ({ parts }) => modelCard(daemon, await heldModel(daemon, parts[0] ?? '')),
    'POST /v1/models/:/export': async ({ parts, body }) => {
      const { sharedOnly, forensic } = body
      const request = { format: text(body, 'format'), sharedOnly: sharedOnly === true, forensic: forensic === true }
      return exportModel(daemon, await heldModel(daemon, parts[0] ?? ''), request)
    },
    'POST /v1/models/:/predict': async ({ parts, body }) =>
      predictFile(daemon, await heldModel(daemon, parts[0] ?? ''), {
        path: text(body, 'path'),
        out: text(body, 'out'),
        columns: words(body, 'columns'),
        units: words(body, 'units'),
        extra: body.ignoreExtra === true ? 'ignore' : 'refuse',
      }),
    'POST /v1/models/:/explain': async ({ parts, body }) =>
      explainModel(daemon, await heldModel(daemon, parts[0] ?? ''), Number(body.repeats)),
    'POST /v1/models/:/withdraw': async ({ parts, body }) => {
      const request = { reason: text(body, 'reason'), dryRun: body.dryRun === true }
      return withdrawModel(daemon, await named(parts[0] ?? '', body), request)
    },
    'POST /v1/models/:/restore': async ({ parts, body }) =>
      withdrawModel(daemon, await named(parts[0] ?? '', body), { reason: null, dryRun: false }),
  }
}

function list(daemon: Daemon, lineages: Lineages): ModelLine[] {
  const states = daemon.machine.view().studies.map(({ state }) => state)
  return states.flatMap((state) => {
    const lineage = lineages.of(state.id)
    const newest = lineage.newest()
    const best = heldModels(daemon).find((one) => one.state.id === state.id)
    const isListed = best === undefined || newest.some(({ model }) => model === best.digest)
    const kept = isListed ? null : lineage.find({ author: daemon.home.key.id, model: best.digest })
    return linesOf(daemon, lineages, state, kept === null ? newest : [...newest, kept])
  })
}

function linesOf(daemon: Daemon, lineages: Lineages, state: StudyState, models: readonly MadeModel[]): ModelLine[] {
  const binding = bindingOf(daemon, state)
  const standings = lineages.of(state.id).standings(models, binding)
  const held = heldModels(daemon).find((one) => one.state.id === state.id)
  const self = daemon.home.key.id
  return models.map((made, i) => {
    const withdrawn = standings[i]
    return {
      study: state.id,
      studyName: state.study.name,
      member: made.author,
      name: daemon.nameOf(made.author),
      model: made.model,
      rounds: made.round + 1,
      entry: refOf(daemon, made.author, made.seq),
      held: made.author === self && held?.digest === made.model,
      withdrawn: typeof withdrawn === 'number' ? withdrawalReport(daemon, binding[withdrawn] as never) : null,
    }
  })
}

function details(daemon: Daemon, lineages: Lineages, { state, made }: NamedModel): ModelDetails {
  const lineage = lineages.of(state.id)
  const { inputs, models, authors } = lineage.ancestry(made)
  const spoken = daemon.machine
    .view()
    .withdrawals.spoken(state.id)
    .find((one) => keyOf(one) === keyOf(made))
  return {
    ...(linesOf(daemon, lineages, state, [made])[0] as ModelLine),
    making: made.making,
    inputs: inputs.map(({ author, model }) => ({ name: daemon.nameOf(author), model })),
    ancestors: models - 1,
    members: authors.map((author) => daemon.nameOf(author)).sort(),
    descendants: lineage.descendants(made).length,
    words: [...(spoken?.words ?? [])].map(([member, { withdrawn, reason, seq }]) => {
      return { name: daemon.nameOf(member), withdrawn, reason, entry: refOf(daemon, member, seq) }
    }),
  }
}

function known(daemon: Daemon, lineages: Lineages, digest: string): KnownReport {
  if (!/^[0-9a-f]{64}$/.test(digest))
    throw new ConsiliumError({ code: 'bad-id', message: 'a whole digest, 64 digits, is expected' })
  const states = daemon.machine.view().studies.map(({ state }) => state)
  const found = states.flatMap((state) => linesOf(daemon, lineages, state, lineages.of(state.id).withDigits(digest)))
  return { found }
}

/** model: ls, show, lineage, card, export, verify, withdraw, restore. */
import { Command, Option } from 'commander'
import type { ModelDetails, ModelLine, WithdrawReport } from '../daemon/modelApi.ts'
import { WITHDRAWAL_REASONS } from '../governance/withdrawals.ts'
import { card } from './modelCard.ts'
import { exportCommand, verify } from './modelFiles.ts'
import { lineage } from './modelLineage.ts'
import { used, uses } from './modelUses.ts'
import { short, table, utc } from './output.ts'
import { type Common, clientOf, command, outputOf } from './shared.ts'

const REF = "a study's name or digest, STUDY@ROUNDS, or at least 8 digits of the model's digest"

interface Named extends Common {
  readonly update: boolean
  readonly member?: string
}

/** The group `model`; all of it but `verify --offline` and `lineage --bundle` asks the running daemon. Errors: `model-…`, `withdrawal-reason`, those of `study`. */
export function modelCommand(): Command {
  const model = new Command('model').description(
    'what was trained: which models there are, exports, cards, withdrawals',
  )
  const reading = [list(), show(), lineage(), card(), uses(), used()]
  for (const sub of [...reading, exportCommand(), verify(), withdraw(), restore()]) model.addCommand(sub)
  return model
}

function list(): Command {
  return command('ls', 'list the newest model of each member in each study', 'consilium model ls').action(
    async (options: Common) => {
      const { models } = await clientOf(options).get<{ models: ModelLine[] }>('/v1/models')
      outputOf(options).print(models, () =>
        models.length === 0
          ? ['No member has merged a model yet.']
          : table(
              ['model', 'study', 'of', 'rounds', 'entry', ''],
              models.map((one) => [
                short(one.model),
                one.studyName,
                one.name,
                String(one.rounds),
                one.entry,
                noteOf(one),
              ]),
              [3],
            ),
      )
    },
  )
}

function noteOf({ held, withdrawn }: ModelLine): string {
  if (withdrawn !== null) return `withdrawn by ${withdrawn.by} (${withdrawn.reason}), entry ${withdrawn.entry}`
  return held ? 'here' : ''
}

function naming(sub: Command): Command {
  return sub
    .argument('<ref>', REF)
    .option('--update', "of STUDY@ROUNDS the update that was trained, in place of the round's merged model", false)
    .option('--member <member>', 'whose, where it is not this hospital’s')
}

function queryOf({ update, member }: Named): string {
  const query = new URLSearchParams()
  if (update) query.set('update', '1')
  if (member !== undefined) query.set('member', member)
  return query.toString()
}

function show(): Command {
  const sub = command(
    'show',
    'show what a model was made of, and what was made of it',
    'consilium model show Memory@12',
  )
  return naming(sub).action(async (ref: string, options: Named) => {
    const path = `/v1/models/${encodeURIComponent(ref)}?${queryOf(options)}`
    const model = await clientOf(options).get<ModelDetails>(path)
    outputOf(options).print(model, () => [
      `${model.model}`,
      `${model.making} by ${model.name} in round ${model.rounds} of "${model.studyName}" (${short(model.study)}), entry ${model.entry}`,
      `made of  ${model.inputs.map(({ name, model }) => `${short(model)} of ${name}`).join(', ') || 'the first model, which no data is in'}`,
      `behind   ${model.ancestors} models; data of ${model.members.join(', ') || 'nobody'}`,
      `after    ${model.descendants} models descend from it`,
      `state    ${noteOf(model) || 'known from the logs'}`,
      ...model.words.map(({ name, withdrawn, reason, entry }) =>
        withdrawn
          ? `         ${name} withdraws it (${reason}), entry ${entry}`
          : `         ${name} says it may be used, entry ${entry}`,
      ),
    ])
  })
}

function withdraw(): Command {
  const sub = command(
    'withdraw',
    'take a model back: nobody trains on from it, and it is not used or exported any more',
    'consilium model withdraw Memory@3 --update --reason data-error --dry-run',
  )
  return naming(sub)
    .addOption(new Option('--reason <code>', 'why').choices(WITHDRAWAL_REASONS).makeOptionMandatory())
    .option('--dry-run', 'say what it would reach, and record nothing', false)
    .action(async (ref: string, options: Named & { reason: string; dryRun: boolean }) => {
      const { reason, dryRun, update, member } = options
      const path = `/v1/models/${encodeURIComponent(ref)}/withdraw`
      const report = await clientOf(options).post<WithdrawReport>(path, { reason, dryRun, update, member })
      outputOf(options).print(report, () => withdrawLines(report, dryRun))
    })
}

function restore(): Command {
  const sub = command(
    'restore',
    "take the own withdrawal of a model back, or say against another's that it may be used",
    'consilium model restore Memory@3 --update',
  )
  return naming(sub).action(async (ref: string, options: Named) => {
    const { update, member } = options
    const path = `/v1/models/${encodeURIComponent(ref)}/restore`
    const report = await clientOf(options).post<WithdrawReport>(path, { update, member })
    outputOf(options).print(report, () => [
      `Recorded (${report.entry}): this hospital says that ${short(report.model)} of ${report.author} may be used.`,
      bindingLine(report),
    ])
  })
}

function withdrawLines(report: WithdrawReport, dryRun: boolean): string[] {
  const { descendants, stops, uses, usesLeftOut } = report
  const what = report.making === 'trained' ? 'the update' : 'the model'
  const which = `${what} ${short(report.model)} that ${report.author} ${report.making} in round ${report.rounds} of "${report.studyName}"`
  const rows = uses.map(({ entry, name, kind, timeMs, model, rows }) => {
    return [
      entry,
      name,
      kind === 'model.exported' ? 'exported' : `predicted ${rows ?? 'few'} rows`,
      short(model),
      utc(timeMs),
    ]
  })
  return [
    dryRun ? `Would withdraw ${which}.` : `Withdrew ${which} (${report.entry}).`,
    `${descendants.models} models of ${descendants.members.join(', ') || 'nobody'} descend from it; the newest of ${stops.join(', ') || 'nobody'} is among them or is it.`,
    ...(dryRun ? [] : [bindingLine(report)]),
    ...(rows.length === 0
      ? ['No export and no prediction of any of them is recorded.']
      : ['', ...table(['entry', 'hospital', 'what', 'model', 'time'], rows)]),
    ...(usesLeftOut > 0 ? [`and ${usesLeftOut} more`] : []),
  ]
}

function bindingLine({ binds, author }: WithdrawReport): string {
  if (binds.everywhere)
    return 'The withdrawal binds every member that hears of it: their nodes train no more on what descends from it.'
  if (binds.here)
    return `It binds this hospital's node alone, until ${author} or a quorum of the members says the same.`
  return 'No withdrawal of it binds here.'
}

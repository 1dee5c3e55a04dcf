/** trial participants: everybody who takes part, on the screen or as a table for who analyses locked data. */
import type { Command } from 'commander'
import { writeNew } from '../daemon/files.ts'
import type { TrialParticipants } from '../daemon/trialApi.ts'
import { csvLine } from '../report/csvCells.ts'
import { table } from './output.ts'
import { type Common, clientOf, command, outputOf } from './shared.ts'
import { TRIAL, trialPath } from './trialReference.ts'

/** `trial participants`. */
export function participantsCommand(): Command {
  return command(
    'participants',
    'list all participants, with the arms that were made known; those of this hospital come first',
    'consilium trial participants stroke-2 --csv participants.csv',
  )
    .argument('<trial>', TRIAL)
    .option('--site <member>', 'those of one hospital')
    .option('--csv <file>', 'made new: a table with one row for each')
    .action(async (ref: string, options: Common & { site?: string; csv?: string }) => {
      const { site, csv } = options
      const query = site === undefined ? '' : `?site=${encodeURIComponent(site)}`
      const report = await clientOf(options).get<TrialParticipants>(trialPath(ref, `participants${query}`))
      if (csv !== undefined) await writeNew(csv, participantsCsv(report), 0o600)
      outputOf(options).print(
        csv === undefined ? report : { file: csv, participants: report.participants.length },
        () => (csv === undefined ? participantTable(report) : [`Wrote ${csv}: ${countText(report)}.`]),
      )
    })
}

/** A header, and a row for each; an arm that was not made known is empty. */
export function participantsCsv({ participants }: TrialParticipants): string {
  const header = ['participant', 'site', 'stratum', 'list', 'position', 'version', 'status', 'final', 'arm']
  const rows = participants.map(({ participant, site, stratum, list, position, version, state, final, arm }) => [
    ...[
      participant,
      site,
      stratum ?? '',
      list,
      String(position),
      String(version),
      state,
      final ? 'yes' : 'no',
      arm ?? '',
    ],
  ])
  return [header, ...rows].map(csvLine).join('')
}

function participantTable(report: TrialParticipants): string[] {
  const { name, participants } = report
  const rows = participants.map(({ participant, site, stratum, position, version, state, final, arm }) => [
    ...[participant, site, stratum ?? '–', String(position), String(version)],
    ...[final ? state : `${state}, not final yet`, arm ?? '–'],
  ])
  return [
    `"${name}": ${countText(report)}.`,
    ...(rows.length === 0 ? [] : ['']),
    ...(rows.length === 0
      ? []
      : table(['participant', 'site', 'stratum', 'position', 'version', 'status', 'arm'], rows, [3, 4])),
  ]
}

function countText({ participants }: TrialParticipants): string {
  const known = participants.filter(({ arm }) => arm !== null).length
  const pending = participants.filter(({ final }) => !final).length
  return `${participants.length} participants, the arms of ${known} made known${pending === 0 ? '' : `, ${pending} not final yet`}`
}

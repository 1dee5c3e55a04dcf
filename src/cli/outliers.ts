/** study outliers, exclude, readmit: whose updates merges set aside, and the operator's word on whose are merged here. */
import type { Command } from 'commander'
import type { OutliersReport } from '../daemon/outliersReport.ts'
import { asideWords } from '../report/words.ts'
import type { Loaders } from './loading.ts'
import { short, table, utc } from './output.ts'
import { type Common, clientOf, command, outputOf } from './shared.ts'

/** Commands of the group `study`. Errors: `study-…`, `member-unknown`, `exclusion-…`. */
export const OUTLIER_COMMANDS = {
  outliers: list,
  exclude: () => say('exclude'),
  readmit: () => say('readmit'),
} satisfies Loaders

function list(): Command {
  return command(
    'outliers',
    'show whose updates the merges of this node set aside, why, how often and since when',
    'consilium study outliers 5f1e09ab34cd',
  )
    .argument('<study>', "digest, at least 6 digits of it, or the study's name")
    .action(async (ref: string, options: Common) => {
      const report = await clientOf(options).get<OutliersReport>(`/v1/studies/${encodeURIComponent(ref)}/outliers`)
      outputOf(options).print(report, () => outlierLines(report))
    })
}

/** The table, and what to do. */
export function outlierLines({ study, merges, members }: OutliersReport): string[] {
  if (members.length === 0) return [`None of ${merges} merges has set an update aside.`]
  const rows = members.map(({ name, known, aside, inARow, last, excluded }) => [
    name,
    `${aside} of ${known}`,
    String(inARow),
    last === null ? '–' : `round ${last.sinceRound}, ${utc(last.sinceMs)}`,
    `${excluded ? 'excluded; ' : ''}${last === null ? '' : asideWords(last.reason)}`,
  ])
  return [
    ...table(['member', 'set aside', 'in a row', 'since', 'why, the last time'], rows, [1, 2]),
    '',
    'A small hospital, or one whose patients differ, is set aside now and then without any fault. Each round judges anew.',
    `Ask its people first; then: consilium study exclude ${short(study)} MEMBER --reason data-quality`,
  ]
}

function say(verb: 'exclude' | 'readmit'): Command {
  const description =
    verb === 'exclude'
      ? "merge no update of a member in this study at this node; the others' nodes decide for themselves"
      : 'merge the updates of an excluded member again'
  const reason = verb === 'exclude' ? 'data-quality' : 'repaired'
  const words =
    verb === 'exclude'
      ? 'outlying, data-quality, attack-suspected or agreed-with-member'
      : 'explained, repaired, agreed-with-member or entered-by-mistake'
  return command(verb, description, `consilium study ${verb} 5f1e09ab34cd "South clinic" --reason ${reason}`)
    .argument('<study>', "digest, at least 6 digits of it, or the study's name")
    .argument('<member>', 'name, or at least 6 digits of its key')
    .requiredOption('--reason <code>', words)
    .action(async (ref: string, member: string, options: Common & { reason: string }) => {
      const report = await clientOf(options).post<{ study: string; name: string; member: string }>(
        `/v1/studies/${encodeURIComponent(ref)}/${verb}`,
        { member, reason: options.reason },
      )
      outputOf(options).print(report, () => [
        verb === 'exclude'
          ? `Excluded: from the next merge on, no update of ${report.member} is merged here in "${report.name}".`
          : `Readmitted: from the next merge on, updates of ${report.member} are merged here in "${report.name}".`,
      ])
    })
}

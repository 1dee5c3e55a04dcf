/** study report and study evaluate: what a study came to, at every hospital that tells of it. */
import { writeFile } from 'node:fs/promises'
import { extname } from 'node:path'
import type { Command } from 'commander'
import { ConsiliumError, messageOf } from '../core/errors.ts'
import { reportPage } from '../report/page.ts'
import type { MemberReport, Report } from '../report/report.ts'
import { gainWord, plain, signedInterval, whyNoFigures, withInterval } from '../report/words.ts'
import { short, table } from './output.ts'
import { type Common, clientOf, command, outputOf } from './shared.ts'

/** Errors: `file-name`, `file-not-writable`, those of the daemon's `study report`. */
export function reportCommand(): Command {
  return command(
    'report',
    'write what a study came to, from the logs that are held here',
    'consilium study report 5f1e09ab34cd --out report.html --out report.json',
  )
    .argument('<study>', "digest, at least 6 digits of it, or the study's name")
    .option(
      '--out <file>',
      'write a page (.html) or data (.json); may be repeated',
      (file: string, before: string[]) => [...before, file],
      [],
    )
    .action(async (ref: string, options: Common & { out: string[] }) => {
      const writers = options.out.map((file) => ({ file, text: textFor(file) }))
      const report = await clientOf(options).get<Report>(`/v1/studies/${encodeURIComponent(ref)}/report`)
      for (const { file, text } of writers) await write(file, text(report))
      outputOf(options).print(report, () => [
        ...summary(report),
        ...writers.map(({ file }) => `Written: ${file}`),
        ...(writers.length === 0 ? ['The whole of it as a page: --out report.html'] : []),
      ])
    })
}

/** Errors: `model-missing`, `model-measured`, those of `findStudy`. */
export function evaluateCommand(): Command {
  return command(
    'evaluate',
    'test the newest model on the own held-out patients now, and the updates of others; only figures leave',
    'consilium study evaluate 5f1e09ab34cd',
  )
    .argument('<study>', "digest, at least 6 digits of it, or the study's name")
    .action(async (ref: string, options: Common) => {
      const report = await clientOf(options).post<{ study: string; name: string }>(
        `/v1/studies/${encodeURIComponent(ref)}/evaluate`,
      )
      outputOf(options).print(report, () => [
        `"${report.name}" (${short(report.study)}) is being evaluated; what comes of it stands in the log and in:`,
        `  consilium study report ${short(report.study)}`,
      ])
    })
}

/** Before anything is asked for, so that a wrong name costs nothing. Error: `file-name`. */
function textFor(file: string): (report: Report) => string {
  switch (extname(file).toLowerCase()) {
    case '.html':
      return reportPage
    case '.json':
      return (report) => `${JSON.stringify(report, null, 2)}\n`
    default:
      throw new ConsiliumError({
        code: 'file-name',
        message: `--out ${file}: a name that ends in .html or .json is expected`,
      })
  }
}

async function write(file: string, text: string): Promise<void> {
  try {
    await writeFile(file, text)
  } catch (error) {
    throw new ConsiliumError({ code: 'file-not-writable', message: `${file}: ${messageOf(error)}` })
  }
}

/** A line for each hospital, as declared by it. */
function summary({ study, members }: Report): string[] {
  const header = ['hospital', 'held out', 'AUC', 'alone', 'gain in AUC', '', 'log-loss']
  return [
    `${study.terms.name}: each hospital's model on its own held-out patients, as it declares; 95 % intervals`,
    '',
    ...table(header, members.map(lineOf), [1, 3, 6]),
    '',
  ]
}

function lineOf(member: MemberReport): string[] {
  const evaluation = member.measured?.evaluation
  if (member.rows === null) return [member.name, '', 'takes no part: no table is bound']
  if (!evaluation) return [member.name, '', whyNoFigures(member)]
  const { examples, shared, alone, aucGain } = evaluation
  return [
    member.name,
    String(examples),
    withInterval(shared.auc),
    plain(alone?.auc?.[0]),
    signedInterval(aucGain),
    gainWord(aucGain),
    plain(shared.logLoss[0]),
  ]
}

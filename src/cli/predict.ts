/** predict and explain: a model that this hospital holds, on its own patients. */
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { ConsiliumError } from '../core/errors.ts'
import type { ExplainReport, PredictReport } from '../daemon/modelApi.ts'
import { measure, short, table } from './output.ts'
import { type Common, clientOf, command, outputOf, readsTable, type TableOptions } from './shared.ts'

interface PredictOptions extends TableOptions {
  readonly model: string
  readonly in: string
  readonly out?: string
}

/** `predict`: the daemon reads and writes the files, for it has the private head and records what was done. Errors: `model-…`, `data-…`, `file-…`. */
export function predictCommand(): Command {
  const predict = command(
    'predict',
    'predict the patients of a CSV file with the model of a study (the newest; after the end the best, refitted); it is recorded, without any value',
    'consilium predict --model Memory --in patients.csv --out predicted.csv',
  )
    .requiredOption('--model <ref>', "a study's name or digest, STUDY@ROUNDS, or 8 digits of the model's digest")
    .requiredOption('--in <file>', 'CSV file with a header line; no column of outcomes is needed')
    .option(
      '--out <file>',
      'CSV file to write: line, probability, warnings (default: beside --in, ending .predicted.csv)',
    )
  return readsTable(predict).action(async (options: PredictOptions) => {
    const path = resolve(options.in)
    const out = resolve(options.out ?? `${path.replace(/\.csv$/i, '')}.predicted.csv`)
    const { column: columns, unit: units, ignoreExtra } = options
    const call = `/v1/models/${encodeURIComponent(options.model)}/predict`
    const report = await clientOf(options).post<PredictReport>(call, { path, out, columns, units, ignoreExtra })
    outputOf(options).print({ ...report, out }, () => predictLines(report, out))
  })
}

function predictLines(report: PredictReport, out: string): string[] {
  const { rows, warnedRows, rowsWithoutPrediction, warnings } = report
  return [
    ...(warnings.length === 0
      ? []
      : [
          ...table(
            ['feature', 'warning', 'rows'],
            warnings.map((one) => [one.feature, MEANING[one.warning], String(one.rows)]),
            [2],
          ),
          '',
        ]),
    `Wrote ${out}: ${rows} patients, ${warnedRows} with a warning, ${rowsWithoutPrediction} without a prediction.`,
    `Model ${short(report.model)} after ${report.rounds} rounds, with this hospital's private output bias. Research use; not a medical device.`,
  ]
}

const MEANING: Readonly<Record<PredictReport['warnings'][number]['warning'], string>> = {
  missing: 'missing: the mean, or no level, stands for it',
  'out-of-range': "outside the study's range: taken as it is",
  clipped: 'more than 8 deviations out: counts as 8',
  'unknown-level': 'no level of the study: as if missing',
  unreadable: 'no number: no prediction',
  'missing-refused': 'missing, which the study refuses: no prediction',
}

/** `explain`. Errors: `model-…`, `explain-cohort`, `bad-repeats`, `dataset-not-bound`. */
export function explainCommand(): Command {
  return command(
    'explain',
    "measure on this hospital's held-out patients which features the model of a study (the newest; after the end the best) rests on (permutation importance)",
    'consilium explain --model Memory --repeats 100',
  )
    .requiredOption('--model <ref>', "a study's name or digest, STUDY@ROUNDS, or 8 digits of the model's digest")
    .option('--repeats <count>', 'how often each feature is dealt anew: 20 to 1000', '50')
    .action(async (options: Common & { model: string; repeats: string }) => {
      if (!/^\d{1,6}$/.test(options.repeats)) {
        const message = `--repeats: "${options.repeats}" given; a whole number from 20 to 1000 is expected`
        throw new ConsiliumError({ code: 'bad-repeats', message })
      }
      const call = `/v1/models/${encodeURIComponent(options.model)}/explain`
      const report = await clientOf(options).post<ExplainReport>(call, { repeats: Number(options.repeats) })
      outputOf(options).print(report, () => explainLines(report))
    })
}

function explainLines({ importances, rows, repeats, auc, logLoss, model, rounds }: ExplainReport): string[] {
  const interval = (drop: { mean: number; low: number; high: number } | null): string =>
    drop === null ? '–' : `${drop.mean.toFixed(4)}  (${drop.low.toFixed(4)} to ${drop.high.toFixed(4)})`
  return [
    ...table(
      ['feature', 'AUC lost', 'log-loss gained'],
      importances.map((one) => [one.feature, interval(one.auc), interval(one.logLoss)]),
    ),
    '',
    `Model ${short(model)} after ${rounds} rounds on ${rows} held-out patients: AUC ${measure(auc)}, log-loss ${measure(logLoss)}; ${repeats} repeats, 95 % intervals.`,
    'What a feature adds to the others is measured: of two that say the same, neither seems to matter. Nothing here is a cause.',
  ]
}

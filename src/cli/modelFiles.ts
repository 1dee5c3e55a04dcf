/** model export and model verify: models as files. */
import { mkdir, readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { type Command, Option } from 'commander'
import { ConsiliumError, messageOf } from '../core/errors.ts'
import { requireAbsent, writeNewFrom } from '../daemon/files.ts'
import type { KnownReport, ModelExportReport } from '../daemon/modelApi.ts'
import type { ModelDescription } from '../learn/portable/description.ts'
import { MODEL_FORMATS, readModelFile } from '../learn/portable/modelFiles.ts'
import { short, size } from './output.ts'
import { type Common, clientOf, command, outputOf } from './shared.ts'

interface ExportOptions extends Common {
  readonly format: string
  readonly out: string
  readonly sharedOnly: boolean
  readonly forensic: boolean
}

/** `model export`. Errors: `model-…`, `file-exists`, `disk-full`, `file-not-writable`. */
export function exportCommand(): Command {
  return command(
    'export',
    'write the model of a study (the newest; after the end the best, refitted) to files that other programs open; it is recorded',
    'consilium model export Memory --format safetensors --out memory.safetensors --shared-only',
  )
    .argument('<ref>', "a study's name or digest, STUDY@ROUNDS, or at least 8 digits of the model's digest")
    .addOption(
      new Option('--format <format>', 'tfjs: a folder with model.json; the others: one file')
        .choices(MODEL_FORMATS)
        .makeOptionMandatory(),
    )
    .requiredOption('--out <path>', 'file, or folder for tfjs; nothing is overwritten')
    .option(
      '--shared-only',
      "leave this hospital's private output bias, final refit and own means and deviations out, so that the file may go to others",
      false,
    )
    .option(
      '--forensic',
      'export a withdrawn model all the same, to look into what went wrong; the file says so',
      false,
    )
    .action(async (ref: string, options: ExportOptions) => {
      const { format, sharedOnly, forensic } = options
      const out = resolve(options.out)
      await requireAbsent([out])
      const path = `/v1/models/${encodeURIComponent(ref)}/export`
      const { files, description } = await clientOf(options).post<ModelExportReport>(path, {
        format,
        sharedOnly,
        forensic,
      })
      const written: { path: string; bytes: number }[] = []
      for (const { name, content } of files) {
        const bytes = Buffer.from(content, 'base64')
        const file = name === '' ? out : join(out, name)
        await writeWhole(file, bytes)
        written.push({ path: file, bytes: bytes.length })
      }
      outputOf(options).print({ files: written, description }, () => exportLines(written, description))
    })
}

function exportLines(files: readonly { path: string; bytes: number }[], description: ModelDescription): string[] {
  const { model, head, withdrawn, study, inputs } = description
  return [
    ...files.map(({ path, bytes }) => `${path}  ${size(bytes)}`),
    `Model ${short(model.digest)} of "${study.name}" after ${model.rounds} rounds. It is recorded that it left.`,
    head === 'own'
      ? "It holds this hospital's private output bias: for its own use. --shared-only leaves it out."
      : 'Without the private output bias its probabilities are not calibrated to any hospital: refit an intercept on own patients.',
    ...(inputs.scaledBy === undefined ? [] : [SCALED_BY[inputs.scaledBy]]),
    ...(withdrawn === null ? [] : [`WITHDRAWN: ${withdrawn}`]),
    'Research use; not a medical device.',
  ]
}

const SCALED_BY: Record<NonNullable<ModelDescription['inputs']['scaledBy']>, string> = {
  own: "It holds means and deviations of this hospital's own rows: for its own use. --shared-only leaves them out.",
  'stand-in':
    "Every hospital that trained it scaled values by its own rows; the consortium's means and deviations stand in: put those of own patients there.",
}

async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  await mkdir(resolve(path, '..'), { recursive: true, mode: 0o700 })
  await writeNewFrom(path, one(bytes), 0o600)
}

async function* one(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes
}

/** `model verify`. Errors: `file-unreadable`, `safetensors-malformed`, `model-file-foreign`, `model-file-differs`. */
export function verify(): Command {
  return command(
    'verify',
    'check an exported safetensors file: is it the model that it says, and which logs tell of it?',
    'consilium model verify memory.safetensors',
  )
    .argument('<file>', 'a file that "consilium model export --format safetensors" wrote')
    .option('--offline', 'ask no node: check only that the numbers are those of the digest in the file', false)
    .action(async (file: string, options: Common & { offline: boolean }) => {
      const { description, digest } = readModelFile(await bytesOf(file), file)
      if (digest !== description.model.digest) {
        const message = `${file}: its numbers have the digest ${digest.slice(0, 16)}, it says ${description.model.digest.slice(0, 16)}: they were changed after the export`
        throw new ConsiliumError({ code: 'model-file-differs', message })
      }
      const found = options.offline
        ? null
        : (await clientOf(options).get<KnownReport>(`/v1/models/${digest}/known`)).found
      outputOf(options).print({ digest, study: description.study.id, found }, () =>
        verifyLines(digest, description, found),
      )
    })
}

function verifyLines(digest: string, { study, head }: ModelDescription, found: KnownReport['found'] | null): string[] {
  const told = (found ?? []).filter((one) => one.study === study.id)
  return [
    `${digest}`,
    `The shared weights are those of the digest that the file names, of study "${study.name}" (${short(study.id)}).`,
    head === 'own' ? 'The private output bias is not covered by the digest.' : 'It has no private output bias.',
    ...(found === null ? ['No log was asked.'] : []),
    ...(found !== null && told.length === 0
      ? ['No log here tells of such a model in that study: it was made elsewhere, or the logs here do not go that far.']
      : []),
    ...told.map(({ name, rounds, entry, withdrawn }) => {
      const state =
        withdrawn === null ? '' : `; WITHDRAWN by ${withdrawn.by} (${withdrawn.reason}), entry ${withdrawn.entry}`
      return `${name} made it in round ${rounds}, entry ${entry}${state}`
    }),
  ]
}

async function bytesOf(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file)
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code ?? messageOf(error)
    throw new ConsiliumError({ code: 'file-unreadable', message: `${file}: cannot be read (${why}); check the path` })
  }
}

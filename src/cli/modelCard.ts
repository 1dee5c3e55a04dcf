/** model card: a model's card as Markdown, HTML or JSON. */
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { ConsiliumError } from '../core/errors.ts'
import { requireAbsent, writeNewFrom } from '../daemon/files.ts'
import type { ModelCard } from '../daemon/modelCardApi.ts'
import { cardHtml, cardMarkdown } from './modelCardText.ts'
import { type Common, clientOf, command, outputOf } from './shared.ts'

/** `model card`. Errors: `model-…`, `card-form`, `file-exists`. */
export function card(): Command {
  return command(
    'card',
    'write the card of the model of a study (the newest; after the end the best): data, metrics, privacy, limits, lineage, all from the logs',
    'consilium model card Memory --out memory-card.html',
  )
    .argument('<ref>', "a study's name or digest, STUDY@ROUNDS, or at least 8 digits of the model's digest")
    .option('--out <file>', 'file that ends with .md, .html or .json; to the terminal, as Markdown, where absent')
    .action(async (ref: string, options: Common & { out?: string }) => {
      const { out } = options
      const form = out === undefined ? null : formOf(out)
      if (out !== undefined) await requireAbsent([resolve(out)])
      const found = await clientOf(options).get<ModelCard>(`/v1/models/${encodeURIComponent(ref)}/card`)
      if (out === undefined || form === null) return outputOf(options).print(found, () => [cardMarkdown(found)])
      await writeNewFrom(resolve(out), pieces(form(found)), 0o644)
      outputOf(options).print({ out, model: found.model.digest }, () => [`Wrote ${out}.`])
    })
}

const FORMS: Readonly<Record<string, (card: ModelCard) => string>> = {
  md: (card) => `${cardMarkdown(card)}\n`,
  html: cardHtml,
  json: (card) => `${JSON.stringify(card, null, 2)}\n`,
}

function formOf(out: string): (card: ModelCard) => string {
  const ending = /\.([a-z]+)$/.exec(out)?.[1] ?? ''
  const form = Object.hasOwn(FORMS, ending) ? FORMS[ending] : undefined
  if (form !== undefined) return form
  throw new ConsiliumError({
    code: 'card-form',
    message: `--out ${out}: a name that ends with .md, .html or .json is expected`,
  })
}

async function* pieces(text: string): AsyncIterable<string> {
  yield text
}

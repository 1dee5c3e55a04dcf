/** The forms in which entries are exported for tools of others. A line depends on its entry, that entry's state and the members' names alone, so that who has the entry can make it again. */
import type { EntryState } from '../../ledger/bundle.ts'
import type { Entry } from '../../ledger/entry.ts'
import { aiActEventOf } from './aiAct.ts'
import { CSV_HEADER, csvOf } from './csv.ts'
import { type ExportContext, type Exported, exportedOf } from './exported.ts'
import { auditEventsOf } from './fhirAudit.ts'
import { provenanceOf } from './fhirProvenance.ts'
import type { Json } from './fhirTerms.ts'

export const VIEWS = ['fhir-audit', 'fhir-provenance', 'csv', 'ai-act'] as const
export type ViewName = (typeof VIEWS)[number]

interface View {
  /** The file's first line, where it is of no entry. */
  readonly header: string
  /** Lines of an entry, each with its line end; none where it is not of this form. */
  readonly lines: (exported: Exported, context: ExportContext) => readonly string[]
  /** How a file of this form begins. */
  readonly begins: RegExp
}

const json = (value: Json): string => `${JSON.stringify(value)}\n`
const orNone = (value: Json | null): string[] => (value === null ? [] : [json(value)])

const TABLE: Readonly<Record<ViewName, View>> = {
  'fhir-audit': {
    header: '',
    lines: (exported, context) => auditEventsOf(exported, context).map((text) => `${text}\n`),
    begins: /^\{"resourceType":"AuditEvent"/,
  },
  'fhir-provenance': {
    header: '',
    lines: (exported, context) => orNone(provenanceOf(exported, context)),
    begins: /^\{"resourceType":"Provenance"/,
  },
  csv: { header: CSV_HEADER, lines: (exported) => [csvOf(exported)], begins: /^entry,hash,hospital,/ },
  'ai-act': { header: '', lines: (exported) => orNone(aiActEventOf(exported)), begins: /^\{"event":"/ },
}

/** What the file begins with. */
export function headerOf(view: ViewName): string {
  return TABLE[view].header
}

/** Lines of one entry, with their line ends. */
export function linesOf(view: ViewName, entry: Entry, state: EntryState, context: ExportContext): readonly string[] {
  return TABLE[view].lines(exportedOf(entry, state, context), context)
}

/** The form of a file, by how it begins; null where it has none. */
export function viewOf(beginning: string): ViewName | null {
  return VIEWS.find((name) => TABLE[name].begins.test(beginning)) ?? null
}

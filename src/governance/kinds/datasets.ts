/** Kinds of entries about tables: which content was registered, whether it is still that, which table a study was bound to. */
import * as v from 'valibot'
import { bytes32, count } from './fields.ts'

/** What a table was taken from. */
export const DATASET_SOURCES = [
  'ehr', // a hospital's own records
  'registry',
  'trial',
  'laboratory',
  'imaging',
  'claims',
  'device',
  'survey',
  'derived', // computed from other tables
  'other',
] as const
export type DatasetSource = (typeof DATASET_SOURCES)[number]

const COLUMN_KINDS = ['number', 'date', 'text', 'empty'] as const
/** Of a published schema: more do not fit an entry. */
export const PUBLISHED = { columnsMax: 256, nameBytesMax: 120, unitBytesMax: 40 } as const

const short = (bytesMax: number) => v.pipe(v.string(), v.minLength(1), v.maxBytes(bytesMax))

export const DATASET_KINDS = {
  /**
   * `commitment` is a salted digest of the table; the salt stays at the hospital. `version`: the root of the registered version that it is;
   * `refs` cite its registration then.
   */
  'dataset.bound': v.strictObject({
    rows: count,
    trainRows: count,
    commitment: bytes32,
    version: v.optional(bytes32),
  }),
  /**
   * A version of the table `dataset` (a random id): the Merkle root over keyed commitments to its rows, the version before, and keyed commitments
   * to schema, query and FHIR Provenance. `rows` is rounded down (`roundedRows`). `published`: names, units and kinds of the columns, where the
   * hospital wants them read by all.
   */
  'dataset.registered': v.strictObject({
    dataset: bytes32,
    version: bytes32,
    previous: v.nullable(bytes32),
    rows: count,
    columns: count,
    schema: bytes32,
    source: v.picklist(DATASET_SOURCES),
    query: v.nullable(bytes32),
    provenance: v.nullable(bytes32),
    published: v.optional(
      v.pipe(
        v.array(
          v.strictTuple([short(PUBLISHED.nameBytesMax), short(PUBLISHED.unitBytesMax), v.picklist(COLUMN_KINDS)]),
        ),
        v.maxLength(PUBLISHED.columnsMax),
      ),
    ),
  }),
  /** The table was compared with that version: so many rows differ (`toldRows`), and those that stayed stand in another order. */
  'dataset.verified': v.strictObject({
    dataset: bytes32,
    version: bytes32,
    changed: v.nullable(count),
    added: v.nullable(count),
    removed: v.nullable(count),
    moved: v.boolean(),
  }),
} as const

/** Records of a table are counted as people and spreadsheets count them, in whatever pieces the file is read; what has no number is told. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { RecordCount } from '../../src/cli/recordCount.ts'
import { utf8 } from '../../src/core/bytes.ts'

const it = suite('records of a table')

function counted(bytes: Uint8Array, pieceBytes = bytes.length): RecordCount {
  const count = new RecordCount()
  for (let at = 0; at < bytes.length; at += Math.max(1, pieceBytes)) count.take(bytes.subarray(at, at + pieceBytes))
  return count
}

const TABLES: readonly (readonly [claim: string, text: string, records: number])[] = [
  ['a line end within quotes', 'id,note\n1,"line one\nline two"\n2,x\n', 3],
  ['many of them, and blank lines within', 'id,note\r\n1,"a\r\n\r\n\r\nb"\r\n2,"c\nd"', 3],
  ['a quote in a quoted cell', 'id,note\n1,"said ""one\ntwo"""\n2,""\n', 3],
  ['a quoted header with a line end, behind a byte order mark', '\ufeff"a\nb",c\n1,2\n', 2],
  ['semicolons and tabs', 'id;note\n1;"a\nb"\n2\t"c\nd"\n', 3],
  ['spaces around quotes', 'id, note\n1, "a\nb" \n 2,x\n', 3],
  ['a quote in a bare cell, which opens nothing', 'id,length\n1,5" tube\n2,6" tube\n', 3],
  ['no line end at the end, and blank lines between', 'id\n\n1\n \r\n2', 3],
  ['line ends of old', 'id,note\r1,"a\rb"\r2,x\r', 3],
  ['empty cells', 'id,note\n,\n"",""\n', 3],
  ['nothing', '\ufeff\n', 0],
]

for (const [claim, text, records] of TABLES)
  it(`${claim}: ${records}`, () => {
    for (const pieceBytes of [1, 2, 7, 1_000])
      assert.equal([counted(utf8(text), pieceBytes).records, counted(utf8(text), pieceBytes).fault], [records, null])
  })

const FAULTS: readonly (readonly [claim: string, text: string, says: RegExp])[] = [
  ['a quote that closes nowhere', 'id,note\n1,"a"""\n2,"b"\n3,"c', /opens in line 4 closes nowhere/],
  ['something behind a closing quote', 'id,note\n1,"a"b\n', /follows the quote that closes in line 2/],
  ['another encoding', 'i\0d\0\n\x001\0', /line 1 has a byte of zero/],
]

for (const [claim, text, says] of FAULTS)
  it(`${claim} is told, for its rows have no number`, () => assert.match(counted(utf8(text)).fault ?? 'none', says))

it.run()

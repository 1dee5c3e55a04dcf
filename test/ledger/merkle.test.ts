import { createHash } from 'node:crypto'
import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { fromHex, toHex } from '../../src/core/bytes.ts'
import { Frontier, fitsFrontier, leafHash } from '../../src/ledger/merkle.ts'

const it = suite('merkle')

/** RFC 6962 §2.1 word for word, with a hash of its own: MTH over D[0:n], split at the largest power of two below n. */
function naiveRoot(leaves: readonly Uint8Array[]): Buffer {
  const hash = (...parts: Uint8Array[]) => createHash('sha256').update(Buffer.concat(parts)).digest()
  if (leaves.length === 0) return hash()
  if (leaves.length === 1) return hash(Uint8Array.of(0), leaves[0] as Uint8Array)
  let k = 1
  while (k * 2 < leaves.length) k *= 2
  return hash(Uint8Array.of(1), naiveRoot(leaves.slice(0, k)), naiveRoot(leaves.slice(k)))
}

const rootOf = (leaves: readonly Uint8Array[]): string => {
  const frontier = new Frontier()
  for (const leaf of leaves) frontier.append(leafHash(leaf))
  return toHex(frontier.root())
}

it('merkle: the roots of the eight leaves that Certificate Transparency implementations share are the published ones', () => {
  const leaves = [
    '',
    '00',
    '10',
    '2021',
    '3031',
    '40414243',
    '5051525354555657',
    '606162636465666768696a6b6c6d6e6f',
  ].map(fromHex)
  const published = [
    'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
    'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
    'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
    'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
    '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
    '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
    'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
    '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
  ]
  for (const [size, root] of published.entries()) {
    assert.is(toHex(naiveRoot(leaves.slice(0, size))), root, `the reference at size ${size}`)
    assert.is(rootOf(leaves.slice(0, size)), root, `the frontier at size ${size}`)
  }
})

it('merkle: at every size from 0 to 300 the frontier gives the root of the naive recursion', () => {
  const leaves = Array.from({ length: 300 }, (_, i) => Buffer.from(`leaf ${i * i}`))
  const frontier = new Frontier()
  for (let size = 0; size <= leaves.length; size++) {
    assert.is(toHex(frontier.root()), naiveRoot(leaves.slice(0, size)).toString('hex'), `size ${size}`)
    assert.ok(fitsFrontier(size, frontier.roots()))
    if (size < leaves.length) frontier.append(leafHash(leaves[size] as Uint8Array))
  }
})

it('merkle: a frontier taken out and put back at any point goes on to the same root', () => {
  const leaf = fc.uint8Array({ maxLength: 40 })
  fc.assert(
    fc.property(fc.array(leaf, { maxLength: 70 }), fc.nat(70), (leaves, cut) => {
      const first = new Frontier()
      for (const data of leaves.slice(0, cut)) first.append(leafHash(data))
      const second = new Frontier(first.size, first.roots())
      for (const data of leaves.slice(cut)) second.append(leafHash(data))
      assert.is(toHex(second.root()), naiveRoot(leaves).toString('hex'))
    }),
  )
})

it('merkle: roots that cannot belong to a size are refused', () => {
  const root = new Uint8Array(32)
  for (const [size, roots] of [
    [3, [root]],
    [4, [root, root]],
    [0, [root]],
    [1, [new Uint8Array(31)]],
    [-1, []],
    [1.5, [root]],
  ] as const) {
    assert.not(fitsFrontier(size, roots), `size ${size}, ${roots.length} roots`)
  }
  assert.throws(() => new Frontier(3, [root]), /invariant/)
  assert.ok(fitsFrontier(2 ** 40 + 1, [root, root]))
})

it.run()

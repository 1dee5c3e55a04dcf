/** SHA-256 and the domain tags: frozen, for logs, studies and signatures that exist depend on every byte. */
import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { concat, fromHex, toHex, utf8 } from '../../src/core/bytes.ts'
import {
  bytesFloat,
  DOMAIN,
  type Domain,
  floatBytes,
  sha256,
  taggedDigest,
  taggedMessage,
  weightsDigest,
} from '../../src/core/digest.ts'

const it = suite('digest')

/** Tag, and SHA-256 over tag, zero byte and "abc". A row is never edited: a new meaning gets a new tag with a new version. */
const FROZEN: Readonly<Record<Domain, readonly [tag: string, digest: string]>> = {
  entryBody: ['consilium/entry-body/v1', '12e4986b3cd4374d4f55a846fcf78e9e0988d3a018f8edc5a0e5e39d12dae822'],
  study: ['consilium/study/v1', '80a562990c552d7f3f03975e479140b067bdfb64b18f96e4e0ea98bf122c9cf7'],
  founding: ['consilium/founding/v1', '448f484de2d06b1ece0bb3088a854c83e68eb63ab025831ec67072f8aa4968fc'],
  foundingAcceptance: [
    'consilium/founding-acceptance/v1',
    'ca361e9ade472efe250a5893732003bf69af0eaf1c04c4cf716d2216089ffd2f',
  ],
  card: ['consilium/card/v1', 'b53166a5fcd086701d156db63a77504de4d1e875ee4d9ca61e44210f891100eb'],
  update: ['consilium/update/v1', '45026b64b4636de7a26397c79324b0cac34d6ec4ef7642c3693f790d59b6269e'],
  weights: ['consilium/weights/v1', '84971790e9770655daff3f9fa6914305a70a77bf4a60e2ac83e3238364235ced'],
  chunk: ['consilium/chunk/v1', 'ab9c437fa071612c2d0021751b530be43fd392fe7ff7b060ca3400cff2092bc7'],
  payload: ['consilium/payload/v1', '05fb2b241092b7d688d3c13a4ccc3e59b97fba317ed58ccc7ad98d62f87ebeab'],
  head: ['consilium/private-head/v1', '4cb6ffdd6eb73421388dee07387467f68ce4fd3eddaf4d3ed1fbb142e214b21b'],
  statistics: ['consilium/statistics/v1', '8cd2dfde2625c16c330b3d70db5865badb46b3c8b340efb160d4ae100e49a775'],
  scaling: ['consilium/scaling/v1', 'b0fafcabbd1b87190a88d698721aefac54489804707816b46f59b27807175b34'],
  dataset: ['consilium/dataset/v1', 'b866ccb50a8b9485c569edb706fc604b217695d817680327543a2ed0f627fd97'],
  seed: ['consilium/seed/v1', 'ddb2994329d0ceee2b0eb641562b8d5e8ce492c60bc4a77a116368225006b0e7'],
  epoch: ['consilium/epoch/v1', '80362797495efdf16dd79b062916c6118d8fe044a086acbce9e267f47d101122'],
  vote: ['consilium/vote/v1', '7fd9aa6416c5c0f6b681562df7510a7bbcb3dcdd98c68c5ce89bc18bef739c6b'],
  change: ['consilium/change/v1', 'ef2d374baab72a87e99195f4d30ad87d12cc29bc04d644912098703ce43d94b1'],
  cells: ['consilium/cells/v1', 'e1f417559b312cd31b0d658738811a9ca59a2b6725681fb1be7dc25e9e813180'],
  consentDecision: [
    'consilium/consent-decision/v1',
    '41e3ea2cedee0ad2275224d035fb8c6bd2de7f3122db0d4259d3d52437fd322a',
  ],
  consentHistory: ['consilium/consent-history/v1', 'b69d8abd5aedac0fee572f2a59cb89857aceef83fe73caed3d8f3eb2d141a041'],
  consentTag: ['consilium/consent-tag/v1', 'db5cd9bb8b59aa4011bcb135a56b699c0fe36d9bac0f2bd61df6f3679ceea3bc'],
  consentLeaf: ['consilium/consent-leaf/v1', '78b1576c0084200cf9fd51bacb92a6be33b1a1bd1146e506c000b72c77ca8652'],
  agreement: ['consilium/agreement/v1', '7ccebd221025bc063636b0bc4ae15a7510648d93326b79d2a8feb0f1255f745e'],
  settlement: ['consilium/settlement/v1', 'b35bc4ba8518e035d822c824321c9dd793d9fb27ca7cc03afd705a9d925771a5'],
  agreements: ['consilium/agreements/v1', 'fa2fa80cb86517ee23d9f1af669afee1dba0bb1582cbdafb3a6b8b88471c3dbb'],
  access: ['consilium/access/v1', 'f3ef65db4246a425432eefc9c3ef4b4aeb02161503d53e969b07a611a9619925'],
  countQuestion: ['consilium/count-question/v1', 'bf6574a93321179192f11e1d8495a56d7280b0631c57df84ee07cdf8bb07b0ad'],
  subjectKey: ['consilium/subject-key/v1', '9567d27e93f839e839167e487697971f43624bc5731df9142d40886f66c16203'],
  vaultKey: ['consilium/vault-key/v1', '0a97bc4e594a18943622086185de3f675d4d2965061cbe8e74f6a86c70e0c28e'],
  vaultRecord: ['consilium/vault-record/v1', 'ad72a63838b34e14f174c652443a0c154f55d69c4073d076653ed61a74a60ae9'],
  datasetRow: ['consilium/dataset-row/v1', '8b1051bbaff7be3fb845529682c458f32facfddc6c4ec178a2f813379e4aa96a'],
  datasetKey: ['consilium/dataset-key/v1', '7f45646998b84a7df8b9f92b81ede6cb7dbe8d019e8db008b4372cb7da99770d'],
  datasetHeader: ['consilium/dataset-header/v1', '3c1adac66fdada059c7107ddc1a1508b6a749345808d42c93bfc89b2822ac85d'],
  datasetSchema: ['consilium/dataset-schema/v1', '868939bf2d1ce968fcdea5bf84c58359753f1654411c5c55a8f181bb80a94699'],
  datasetFile: ['consilium/dataset-file/v1', '498774f324fea7293e933eb9fefa259c92a5a744930cecfbf5fe68c74077adc7'],
  datasetQuery: ['consilium/dataset-query/v1', '5eb2c60a01ebd9e6f27856c0a0006e7f739f26497d27cc823d3a8ed75c77e231'],
  datasetOrigin: ['consilium/dataset-origin/v1', '46c80037706b128739ec48110276f30cf0f70f80ebed39462b283ec177376800'],
  person: ['consilium/person/v1', 'd30c234cbe7a83c2108eb17de4cbdb99a55e84a742f7bee0382c89b9e065c751'],
  personCard: ['consilium/person-card/v1', '3c066d0c34bed209174821ec98f2a4c8552fa6c6ea7b7d9d9f4ba884c5c19d4c'],
  personKey: ['consilium/person-key/v1', '0e176d2c28d178848511fc47bf52ccaa1a0d5fbab044cb0f3c1eae395adb9437'],
  personRequest: ['consilium/person-request/v1', '4763a2c0ed1e504d56ae70c13e49b18999dd58628665bd3d04d4be9290ea255d'],
  signOff: ['consilium/sign-off/v1', '153763887a3d7045af723a9fa364c164bbe98f58592a0099d410cddf58d58e0d'],
  ticket: ['consilium/ticket/v1', 'da2bd07d13a069f53104a00130342823c14a5efb7dc10925e13a7e28bbfc13e5'],
  guest: ['consilium/guest/v1', 'ed561cb3dd4a745ad32764de11f3e274a7c61c07496d879198af0d64277905ce'],
  joining: ['consilium/joining/v1', '86fe4505e178dc3c4c98311cefa6272e16a52d29c039bde4b0c76ce5aa4b7771'],
  sealedKey: ['consilium/sealed-key/v1', 'cd8f53158e274f03ffadceaecc3378e5b4ba8efc425936da5724175c293c7179'],
  sealedState: ['consilium/sealed-state/v1', '02d4444407bfe45e4726df22b7e385639b2bda04a40a3b05da8a5fa9251afaa7'],
  sealedDataset: ['consilium/sealed-dataset/v1', '40aba4481c67da0263d173d51573d8627025127580b5b112fc679d338bba0e27'],
  recallList: ['consilium/recall-list/v1', '117e8f68c2c7c6cd4fa794cef64e27989af72efef7339910af7134ab2d7d4db0'],
  useFile: ['consilium/use-file/v1', '08d6c397e169d43576dd67acab916f5b342036c92dbc3e107761b2f6dd0dd683'],
  useRun: ['consilium/use-run/v1', '0f66b5719556ec55bc3615a88d404a7801ca46fc93360c2c96ba39c70971b317'],
  sealedUse: ['consilium/sealed-use/v1', '051623c2fb4833c7b10040495f5eb980af09c162c6ad5bb15c6a41fedc8c244d'],
}

for (const [name, [tag, digest]] of Object.entries(FROZEN)) {
  it(`the domain ${name} is frozen`, () => {
    const domain = name as Domain
    assert.is(DOMAIN[domain], tag)
    assert.is(taggedDigest(domain, utf8('abc')), digest)
    assert.is(toHex(sha256(taggedMessage(domain, utf8('abc')))), digest)
  })
}

it('every domain is in the frozen table, and no two share a tag or begin alike', () => {
  assert.equal(Object.keys(DOMAIN).sort(), Object.keys(FROZEN).sort())
  const tags = Object.values(DOMAIN).map((tag) => `${tag}\0`)
  for (const tag of tags) assert.is(tags.filter((other) => other.startsWith(tag)).length, 1)
})

/** FIPS 180-2, appendix B, and the empty message. */
for (const [message, digest] of [
  ['', 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
  ['abc', 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
  [
    'abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq',
    '248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1',
  ],
] as const) {
  it(`SHA-256 of "${message}" is the published one`, () => {
    assert.is(toHex(sha256(utf8(message))), digest)
  })
}

it('a digest of parts is that of their concatenation', () => {
  const parts = fc.array(fc.uint8Array({ maxLength: 100 }), { maxLength: 5 })
  fc.assert(
    fc.property(parts, (given) => {
      assert.is(toHex(sha256(...given)), toHex(sha256(concat(given))))
      assert.is(taggedDigest('update', ...given), taggedDigest('update', concat(given)))
    }),
  )
})

it('a digest owns its memory', () => {
  assert.is(sha256(utf8('abc')).buffer.byteLength, 32)
})

it('weights are hashed as little-endian float32, every bit of them', () => {
  const bytes = fromHex('0000803f000020c0cdcccc3d0000c07f')
  assert.is(weightsDigest(Float32Array.of(1, -2.5, 0.1, Number.NaN)), taggedDigest('weights', bytes))
  assert.is(
    weightsDigest(Float32Array.of(1, -2.5, 0.1, Number.NaN)),
    '9d8af6a135e525406401d5b5ee6dfadf6b9c1034939db37a21f99db96ef28955',
  )
  assert.is.not(weightsDigest(Float32Array.of(0)), weightsDigest(Float32Array.of(-0)))
})

it('floats go there and back, from views at odd offsets too', () => {
  fc.assert(
    fc.property(fc.float32Array({ maxLength: 50 }), (values) => {
      const shifted = new Uint8Array(values.byteLength + 1)
      shifted.set(floatBytes(values), 1)
      assert.equal([...bytesFloat(shifted.subarray(1))], [...values])
    }),
  )
  const view = Float32Array.of(7, 8, 9).subarray(1, 2)
  assert.is(toHex(floatBytes(view)), '00000041')
})

it('bytes of floats are a copy', () => {
  const values = Float32Array.of(2, 3)
  const bytes = floatBytes(values)
  values.fill(5)
  assert.equal([...bytesFloat(bytes)], [2, 3])
})

it.run()

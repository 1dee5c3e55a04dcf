/** Of a part's rows those that may be used: for learners that hold no others, and for those that hold them all. */
import type { DesignMatrix, OpenRequest } from './learner.ts'

/** The rows at `places`, in that order, as a matrix of their own. */
export function gatherRows({ columns, x, y }: DesignMatrix, places: Uint32Array): DesignMatrix {
  const gathered = new Float32Array(places.length * columns)
  for (let i = 0; i < places.length; i++) {
    const from = (places[i] as number) * columns
    gathered.set(x.subarray(from, from + columns), i * columns)
  }
  return { rows: places.length, columns, x: gathered, y: labelsAt(y, places) }
}

/** The labels of the rows at `places`, in that order. */
export function labelsAt(labels: Uint8Array, places: Uint32Array): Uint8Array {
  const picked = new Uint8Array(places.length)
  for (let i = 0; i < places.length; i++) picked[i] = labels[places[i] as number] as number
  return picked
}

/** The same request with the rows in use alone; itself where all are. */
export function withRowsInUse(request: OpenRequest): OpenRequest {
  const { inUse, validation, ...rest } = request
  if (inUse === undefined) return request
  const train = gatherRows(request.train, inUse.train)
  return { ...rest, train, test: gatherRows(request.test, inUse.test), ...validationInUse(request) }
}

/** Validation rows in use; none where there are too few of them, and training rows serve. */
export function validationInUse({ inUse, validation }: OpenRequest): Pick<OpenRequest, 'validation'> {
  if (inUse === undefined || validation === undefined) return validation === undefined ? {} : { validation }
  return inUse.validation.length === 0 ? {} : { validation: gatherRows(validation, inUse.validation) }
}

/** How many rows train, and the labels of those that test and validate; the training rows' where no validation rows are in use. */
export function labelsInUse({ train, test, validation, inUse }: OpenRequest) {
  const of = ({ y }: DesignMatrix, places: Uint32Array | undefined) => (places === undefined ? y : labelsAt(y, places))
  const apart = validation !== undefined && inUse?.validation.length !== 0
  const validating = apart ? of(validation, inUse?.validation) : of(train, inUse?.train)
  return {
    trainRows: inUse?.train.length ?? train.rows,
    labels: { test: of(test, inUse?.test), validation: validating, apart },
  }
}

/** Whether both are of the same matrices, so that only which rows are in use may differ. */
export function hasSameRows(a: OpenRequest, b: OpenRequest): boolean {
  return a.train === b.train && a.test === b.test && a.validation === b.validation
}

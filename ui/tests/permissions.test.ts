import { expect, test } from 'vitest'

import { places } from '../src/lib/permissions'
import type { Grant } from '../src/lib/types'

const grant = (more: Partial<Grant>): Grant => ({
  id: 'g', client: 'graph', target: 'export-service', kind: 'export', source: '', destinations: ['https://a.test/x'],
  ended: null, ...more,
} as Grant)

test('a place counts while sending there is allowed, once', () => {
  expect(places([grant({}), grant({ id: 'h', destinations: ['https://a.test/y'] })])).toEqual(['a.test'])
})

test('a permission that ended opens no door, nor does one to see', () => {
  expect(places([grant({ ended: 5 }), grant({ kind: 'source', destinations: [] })])).toEqual([])
})

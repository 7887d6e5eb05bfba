import { expect, test } from 'vitest'

import { amount, lastWindow, readings } from '../src/lib/reading'

test('records are read in the form of the launch', () => {
  expect(readings([{ datasource_id: 'a', data: 0, timestamp: 5, _id: 'x' }])).toEqual([{ t: 5, data: 0 }])
})

test.each([[null], [{}], ['x'], [[{ data: 1 }, 3, null]]])('what is no reading is left out: %j', (answer) => {
  expect(readings(answer)).toEqual([])
})

test.each([
  [3, 3],
  ['4.5', 4.5],
  [{ value: 2, unit: '%' }, 2],
  [{ mean: 2, min: 1, max: 3, count: 60 }, 2],
  [{ load: 7 }, 7],
])('the number in %j is %d', (data, number) => {
  expect(amount(data)).toBe(number)
})

test.each([[''], ['warm'], [null], [[1]], [{ x: 1, y: 2 }], [NaN], [true]])('%j is no number', (data) => {
  expect(amount(data)).toBeNull()
})

const minute = [0, 20_000, 59_999, 60_000, 61_000].map((t) => ({ t, data: t }))

test('a window holds its first moment and not its last', () => {
  expect(lastWindow(minute, 'PT1M', 119_999)).toEqual({ mean: 79_999 / 3, low: 0, high: 59_999 })
})

test('a window that is not over is not told', () => {
  expect(lastWindow(minute, 'PT1M', 59_000)).toBeNull()
})

test('a window with too few values is not told', () => {
  expect(lastWindow(minute.slice(0, 1), 'PT1M', 60_000)).toBeNull()
})

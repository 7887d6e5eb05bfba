/** Days of a place where the clocks change, asked for in stretches of one zone. */
import { expect, test } from 'vitest'

import { stretch, type ZoneAt } from '../src/lib/zones'

const HOUR = 3_600_000
const SPRING = Date.UTC(2026, 2, 29, 1)
const AUTUMN = Date.UTC(2026, 9, 25, 1)

/** Central Europe, in 2026. */
const berlin: ZoneAt = (t) => (t >= SPRING && t < AUTUMN ? 120 : 60)

test('where the clocks never change there is one stretch', () => {
  expect(stretch(Date.UTC(2026, 5, 1), () => 345)).toEqual({ zone: 345 })
})

test('summer days begin on the day after the change, at their own midnight', () => {
  const found = stretch(Date.UTC(2026, 5, 1), berlin)
  expect(found).toEqual({
    zone: 120,
    since: Date.UTC(2026, 2, 30) - 2 * HOUR,
    before: Date.UTC(2026, 2, 30) - HOUR,
  })
})

test('what comes before ends where the day of the change does', () => {
  const summer = stretch(Date.UTC(2026, 5, 1), berlin)
  const winter = stretch(summer.before!, berlin)
  expect(winter.zone).toBe(60)
  expect(winter.since).toBe(undefined)
})

test('winter days begin on the day after the change', () => {
  const found = stretch(Date.UTC(2026, 11, 1), berlin)
  expect(found).toEqual({
    zone: 60,
    since: Date.UTC(2026, 9, 26) - HOUR,
    before: Date.UTC(2026, 9, 26) - 2 * HOUR,
  })
  expect(stretch(found.before!, berlin).zone).toBe(120)
})

test('on the day of the change the zone is that of its morning', () => {
  expect(stretch(AUTUMN + 5 * HOUR, berlin).zone).toBe(120)
  expect(stretch(SPRING + 5 * HOUR, berlin).zone).toBe(60)
})

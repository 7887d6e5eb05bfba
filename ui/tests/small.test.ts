import { expect, test } from 'vitest'

import { BoxError, readError } from '../src/lib/api'
import { bytes, hostOf, time, value } from '../src/lib/format'
import { driverOf, inSentence, readable } from '../src/lib/names'
import { align, broken, lonely, percentAxis, summary } from '../src/lib/series'
import { strength } from '../src/lib/strength'
import { explain } from '../src/lib/trouble'
import { words } from '../src/words'

test('lines of different times share one list of times, with gaps', () => {
  const lines = [
    { label: 'a', t: [1000, 3000], v: [1, null] },
    { label: 'b', t: [2000, 3000], v: [5, 6] },
  ]
  expect(align(lines)).toEqual([[1, 2, 3], [1, undefined, null], [undefined, 5, 6]])
})

test('a line breaks where the box was off for more than five of its steps', () => {
  const line = { label: 'Load', t: [1, 2, 3, 9, 10], v: [4, 4, 4, 5, 5] }
  expect(broken(line)).toEqual({ label: 'Load', t: [1, 2, 3, 4, 9, 10], v: [4, 4, 4, null, 5, 5] })
})

test('a line does not break where a few values are lacking', () => {
  const line = { label: 'Load', t: [1, 2, 3, 8, 9], v: [4, 4, 4, 5, 5] }
  expect(broken(line)).toEqual(line)
})

test('a time that only another line has does not break a line', () => {
  const slow = broken({ label: 'a', t: [0, 60_000], v: [1, 2] })
  const fast = broken({ label: 'b', t: [0, 1000, 2000], v: [5, 6, 7] })
  expect(align([slow, fast])[1]).toEqual([1, undefined, undefined, 2])
})

test('a value between two breaks is shown as a point', () => {
  expect(lonely([1, 2, null, undefined, 3, null, 4])).toEqual([4, 6])
})

test.each([
  [2, 5, [0, 5.5]],
  [40, 98, [0, 100]],
  [0, 0, [0, 1]],
  [100, 250, [0, 275]],
])('an axis of percent from %i to %i begins at nothing', (low, high, axis) => {
  expect(percentAxis(low, high)).toEqual(axis.map((end) => expect.closeTo(end)))
})

test('the clock has 24 hours in every language', () => {
  expect(time(new Date(2026, 0, 1, 15, 4, 5).getTime())).toMatch(/^15[:.]04[:.]05/)
})

test('a line says its last, lowest and highest value', () => {
  expect(summary({ label: 'Load', t: [1, 2, 3], v: [4, 2, null] }, '%')).toBe('Load: now 2 %, between 2 % and 4 %.')
})

test('a line without values says so', () => {
  expect(summary({ label: '', t: [], v: [] }, '')).toBe('Value: no values.')
})

test.each([
  ['short', 0],
  ['password1234', 0],
  ['aaaaaaaaaaaa', 0],
  ['amber kettle', 2],
  ['amber kettle window', 2],
  ['amber kettle window nine', 4],
])('%s is as strong as %i', (passphrase, level) => {
  expect(strength(passphrase)).toBe(level)
})

test('sizes are told in multiples', () => {
  expect([bytes(999), bytes(1500), value(2e9, 'bytes')]).toEqual(['999 B', '1.5 kB', '2 GB'])
})

test('a host keeps its port and loses the rest', () => {
  expect([hostOf('https://a.test:8443/x?y'), hostOf('no address')]).toEqual(['a.test:8443', 'no address'])
})

test('names are made readable', () => {
  expect([readable('cpu-load'), driverOf('os-monitor-store'), inSentence('Free memory'), inSentence('CPU load')])
    .toEqual(['Cpu load', 'os-monitor', 'free memory', 'CPU load'])
})

test('an error of the box keeps its words', async () => {
  const body = { error: { code: 'schema', message: 'this does not fit', field: 'name', found: '7', remedy: 'use text' } }
  const error = await readError(new Response(JSON.stringify(body), { status: 400 }))
  expect(explain(error)).toMatchObject({ title: 'This does not fit.', todo: 'Use text.' })
  expect(explain(error).found).toBe('At: name · Found: 7')
})

test('an answer that is no error of ours is told by its status', async () => {
  const error = await readError(new Response('<html>', { status: 502 }))
  expect(explain(error)).toEqual({ ...words.errors.broken, found: '' })
})

test('a box that does not answer is told as such', () => {
  expect(explain(new BoxError(0, 'offline', ''))).toMatchObject(words.errors.offline)
})

import { afterEach, beforeEach, expect, test, vi } from 'vitest'

import { accept, accepted, found, leaveTest, remember, takeTest } from '../src/lib/seal'

const TEST = { id: 'abc', frames: ['http://abc.localhost:8989/fetch?away=def'] }

function shelf() {
  const kept = new Map<string, string>()
  return {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, text: string) => void kept.set(key, text),
    removeItem: (key: string) => void kept.delete(key),
  }
}

beforeEach(() => {
  vi.stubGlobal('sessionStorage', shelf())
  vi.stubGlobal('localStorage', shelf())
})
afterEach(() => vi.unstubAllGlobals())

test('a test waits for the page that was loaded for it, and is taken once', () => {
  expect(leaveTest('my app', TEST)).toBe('/apps/my%20app/open?test=abc')
  expect(takeTest('?test=abc')).toEqual(TEST)
  expect(takeTest('?test=abc')).toBeNull()
})

test('a page loaded for something else takes no test', () => {
  leaveTest('app', TEST)
  expect(takeTest('?test=xyz')).toBeNull()
})

test('what was found out is known until the tab is closed', () => {
  expect(found()).toBeNull()
  remember({ state: 'open', out: ['image'] })
  expect(found()).toEqual({ state: 'open', out: ['image'] })
})

test('the owner accepts one app at a time', () => {
  accept('one')
  expect([accepted('one'), accepted('other')]).toEqual([true, false])
})

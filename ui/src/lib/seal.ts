/**
 * Whether this browser keeps an app's own pages in. The box finds it out: pages of its own try to
 * get out of the same seal. Like every frame they need a page loaded for them, so the test waits
 * here while the page is loaded anew.
 */
import { labelOf } from './frame'
import type { CanaryReply, CanaryVerdict } from './types'

const FOUND = 'databox.seal'
const TEST = 'databox.seal-test'
const UNSEALED = 'databox.unsealed.'

/** What was found out since this tab was opened. */
export function found(): CanaryVerdict | null {
  return read<CanaryVerdict>(FOUND)
}

export function remember(verdict: CanaryVerdict): void {
  sessionStorage.setItem(FOUND, JSON.stringify(verdict))
}

/** Where to go so that the page may show the frames of this test. */
export function leaveTest(name: string, test: CanaryReply): string {
  sessionStorage.setItem(TEST, JSON.stringify(test))
  return `/apps/${encodeURIComponent(name)}/open?test=${encodeURIComponent(test.id)}`
}

/** The test that this page was loaded for, once. */
export function takeTest(query: string): CanaryReply | null {
  const test = read<CanaryReply>(TEST)
  sessionStorage.removeItem(TEST)
  const [first] = test?.frames ?? []
  const loadedFor = new URLSearchParams(query).get('test')
  return test && first && labelOf(first) === loadedFor ? test : null
}

/** The owner opened this app's pages in spite of it, in this browser. */
export function accepted(name: string): boolean {
  return localStorage.getItem(UNSEALED + name) === 'yes'
}

export function accept(name: string): void {
  localStorage.setItem(UNSEALED + name, 'yes')
}

function read<T>(shelf: string): T | null {
  const text = sessionStorage.getItem(shelf)
  return text ? (JSON.parse(text) as T) : null
}

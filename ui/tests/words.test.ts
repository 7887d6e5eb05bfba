/** What stands on the screen: the owner's words, all of them from one table. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import { parse, type AST } from 'svelte/compiler'
import { describe, expect, test } from 'vitest'

import { words } from '../src/words'

const SOURCES = join(import.meta.dirname, '../src')

/** Words of those who build the box; each has an owner's word instead. */
const FORBIDDEN =
  /\b(drivers?|stores?|SLA|arbiter|macaroons?|manifest|grants?|revoke|caveats?|tokens?|ledger|exports?|granularity|endpoint|gateway|sandbox|container|instance|component|daemon|checkpoint|hash)\b/i

/** "App store" is the owner's word for the page, and only there may "store" be read. */
const ALLOWED = /\bApp store\b/g

function texts(value: unknown, path: string): [string, string][] {
  if (typeof value === 'string') return [[path, value]]
  if (typeof value === 'function') return [[path, said(value as (...all: unknown[]) => unknown)]]
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, inner]) => texts(inner, `${path}.${key}`))
}

/** A sentence with holes, filled by what does not matter here. */
function said(sentence: (...all: unknown[]) => unknown): string {
  const numbers = Array.from({ length: sentence.length }, () => 2)
  return `${sentence(...numbers.map(() => 'X'))} ${sentence(...numbers)}`
}

describe('the table of words', () => {
  test.each(texts(words, 'words'))('%s speaks as an owner does', (_path, text) => {
    expect(text.replaceAll(ALLOWED, '')).not.toMatch(FORBIDDEN)
  })

  test('each idea has its fixed word', () => {
    expect(words.nav.who).toBe('Who sees what')
    expect(words.nav.history).toBe('History')
    expect(words.nav.sources).toBe('Sources')
    expect(words.maySee).toBe('May see')
    expect(words.howExact).toBe('How exact')
    expect(words.until).toBe('Until')
    expect(words.leaves).toBe('Leaves the box')
    expect(words.showLess).toBe('Show less')
    expect(words.stopAccess).toBe('Stop access')
  })
})

const LETTERS = /\p{L}/u
const SPOKEN = ['title', 'alt', 'placeholder', 'aria-label', 'aria-description']

/** Letters in the markup itself, outside of the table. */
function loose(node: unknown, found: string[] = []): string[] {
  if (Array.isArray(node)) node.forEach((one) => loose(one, found))
  else if (typeof node === 'object' && node !== null) {
    const typed = node as AST.BaseNode & Record<string, unknown>
    if (typed.type === 'Text' && LETTERS.test(String(typed['data']))) found.push(String(typed['data']))
    if (typed.type === 'Attribute' && !SPOKEN.includes(String(typed['name']))) return found
    for (const [key, inner] of Object.entries(typed)) {
      if (key !== 'metadata' && key !== 'expression') loose(inner, found)
    }
  }
  return found
}

describe('the markup', () => {
  const files = readdirSync(SOURCES, { recursive: true, encoding: 'utf8' })
  test.each(files.filter((file) => file.endsWith('.svelte')))('%s takes its words from the table', (file) => {
    const tree = parse(readFileSync(join(SOURCES, file), 'utf8'), { modern: true })
    expect(loose(tree.fragment)).toEqual([])
  })
})

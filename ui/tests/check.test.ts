/** The browser's own proof of the History; each test damages a sound bundle in one way. */
import { createHash, generateKeyPairSync, sign, type KeyObject } from 'node:crypto'

import { expect, test } from 'vitest'

import { judge, parted, verify } from '../src/lib/check'
import { utf8 } from '../src/lib/proof'
import type { Checkpoint } from '../src/lib/types'

const pair = generateKeyPairSync('ed25519')
const LINES = ['a', 'b', 'c', 'd'].map((what, n) => JSON.stringify({ n, t: 1, by: 'test', event: what }))

function digest(first: number, ...parts: Uint8Array[]): Buffer {
  return parts.reduce((hash, part) => hash.update(part), createHash('sha256').update(Buffer.of(first))).digest()
}

function leaves(lines: readonly string[]): Buffer[] {
  return lines.map((line) => digest(0, Buffer.from(line)))
}

/** As the definition in RFC 6962, 2.1 reads. */
function root(leaves: readonly Buffer[]): Buffer {
  if (!leaves.length) return createHash('sha256').digest()
  if (leaves.length === 1) return leaves[0]!
  const k = left(leaves.length)
  return digest(1, root(leaves.slice(0, k)), root(leaves.slice(k)))
}

/** As the definition in RFC 6962, 2.1.2 reads. */
function proof(m: number, leaves: readonly Buffer[], whole = true): Buffer[] {
  if (m === leaves.length) return whole ? [] : [root(leaves)]
  const k = left(leaves.length)
  if (m <= k) return [...proof(m, leaves.slice(0, k), whole), root(leaves.slice(k))]
  return [...proof(m - k, leaves.slice(k), false), root(leaves.slice(0, k))]
}

function left(size: number): number {
  let k = 1
  while (k * 2 < size) k *= 2
  return k
}

function path(m: number, lines: readonly string[]): string[] {
  return proof(m, leaves(lines)).map((hash) => hash.toString('base64'))
}

function checkpoint(lines: readonly string[], keys: { publicKey: KeyObject; privateKey: KeyObject } = pair): Checkpoint {
  const top = root(leaves(lines)).toString('base64')
  const raw = keys.publicKey.export({ format: 'der', type: 'spki' }).subarray(-32)
  const name = createHash('sha256').update(raw).digest('hex').slice(0, 16)
  const text = `databox/${name}\n${lines.length}\n${top}\ntime 99\n`
  return {
    size: lines.length,
    root: top,
    time: 99,
    key: raw.toString('base64'),
    signature: sign(null, Buffer.from(text), keys.privateKey).toString('base64'),
  }
}

function bundle(lines: readonly string[], last: object = checkpoint(lines)) {
  return [utf8([...lines, JSON.stringify(last)].map((line) => `${line}\n`).join(''))]
}

function marked(lines: readonly string[], original: readonly string[]) {
  const marks = Buffer.concat(leaves(original).map((leaf) => leaf.subarray(0, 4))).toString('base64')
  return bundle(lines, { ...checkpoint(original), marks })
}

test('a whole History is found whole', async () => {
  expect(await verify(bundle(LINES), null)).toMatchObject({ ok: true, signed: true })
})

test('a whole History in pages is found whole', async () => {
  const pages = [...LINES, JSON.stringify(checkpoint(LINES))].map((line) => utf8(`${line}\n`))
  expect(await verify(pages, checkpoint(LINES.slice(0, 2)))).toMatchObject({ ok: true })
})

test('a line removed where two pages meet is named', async () => {
  const pages = [...LINES.toSpliced(2, 1), JSON.stringify(checkpoint(LINES))].map((line) => utf8(`${line}\n`))
  expect(await verify(pages, null)).toMatchObject({ problem: 'order', line: 2 })
})

test('a page says where the next begins, and the last does not', () => {
  const first = utf8(`${LINES[0]}\n`)
  expect(parted(utf8(`${LINES[0]}\n{"next":1}\n`))).toEqual({ lines: first, next: 1 })
  expect(parted(first)).toEqual({ lines: first, next: null })
})

test('a changed letter is found', async () => {
  const changed = LINES.with(2, LINES[2]!.replace('"c"', '"x"'))
  expect(await verify(bundle(changed, checkpoint(LINES)), null)).toMatchObject({ ok: false, problem: 'content' })
})

test('the changed line is named where the bundle marks each line', async () => {
  const changed = LINES.with(2, LINES[2]!.replace('"c"', '"x"'))
  expect(await verify(marked(changed, LINES), null)).toMatchObject({ problem: 'content', line: 2 })
})

test('a removed line is named', async () => {
  const changed = LINES.toSpliced(1, 1)
  expect(await verify(bundle(changed, checkpoint(LINES)), null)).toMatchObject({ problem: 'order', line: 1 })
})

test('lines cut off at the end are found', async () => {
  const changed = LINES.slice(0, 3)
  expect(await verify(bundle(changed, checkpoint(LINES)), null)).toMatchObject({ problem: 'size' })
})

test('two lines in the other order are found', async () => {
  const changed = [LINES[0]!, LINES[2]!, LINES[1]!, LINES[3]!]
  expect(await verify(bundle(changed), null)).toMatchObject({ problem: 'order', line: 1 })
})

test('a line that is no JSON is named', async () => {
  const changed = LINES.with(3, 'no')
  expect(await verify(bundle(changed), null)).toMatchObject({ problem: 'not-readable', line: 3 })
})

test('a History without a seal is refused', async () => {
  expect(await verify([utf8(LINES.join('\n'))], null)).toMatchObject({ problem: 'no-checkpoint' })
})

test('a seal with a false signature is refused', async () => {
  const forged = { ...checkpoint(LINES), time: 100 }
  expect(await verify(bundle(LINES, forged), null)).toMatchObject({ problem: 'signature' })
})

test('a History that grew since it was remembered is whole', async () => {
  expect(await verify(bundle(LINES), checkpoint(LINES.slice(0, 2)))).toMatchObject({ ok: true })
})

test('a History rewritten before the remembered line is found, though it is signed anew', async () => {
  const rewritten = LINES.with(0, JSON.stringify({ n: 0, t: 1, by: 'test', event: 'other' }))
  expect(await verify(bundle(rewritten), checkpoint(LINES.slice(0, 2)))).toMatchObject({ problem: 'rewritten' })
})

test('an older copy put back is found', async () => {
  expect(await judge(checkpoint(LINES.slice(0, 2)), checkpoint(LINES))).toMatchObject({ problem: 'shorter' })
})

test('a proof that nothing was changed holds, for every two lengths', async () => {
  const many = Array.from({ length: 20 }, (_, n) => JSON.stringify({ n, t: n }))
  for (let now = 0; now <= many.length; now += 1) {
    const grown = many.slice(0, now)
    for (let old = 1; old <= now; old += 1) {
      const verdict = await judge(checkpoint(grown), checkpoint(many.slice(0, old)), path(old, grown))
      expect(verdict).toMatchObject({ ok: true, signed: true })
    }
  }
})

test('no proof joins what is remembered to a History that was rewritten', async () => {
  const rewritten = LINES.with(0, JSON.stringify({ n: 0, t: 1, by: 'test', event: 'other' }))
  for (const told of [path(2, rewritten), path(2, LINES), [], ['AAAA']]) {
    const verdict = await judge(checkpoint(rewritten), checkpoint(LINES.slice(0, 2)), told)
    expect(verdict).toMatchObject({ ok: false, problem: 'rewritten' })
  }
})

test('a History of the same length with another root is found', async () => {
  const other = LINES.with(3, JSON.stringify({ n: 3, event: 'x' }))
  expect(await judge(checkpoint(other), checkpoint(LINES))).toMatchObject({ problem: 'rewritten' })
})

test('another key than the remembered one is found', async () => {
  const other = checkpoint(LINES, generateKeyPairSync('ed25519'))
  expect(await judge(other, checkpoint(LINES))).toMatchObject({ problem: 'key' })
})

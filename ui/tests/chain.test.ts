/** The browser's own proof of the History; each test damages a sound bundle in one way. */
import { createHash, generateKeyPairSync, sign, type KeyObject } from 'node:crypto'

import { expect, test } from 'vitest'

import { judge, parted, verify } from '../src/lib/chain'
import { utf8 } from '../src/lib/proof'
import type { Checkpoint } from '../src/lib/types'

const pair = generateKeyPairSync('ed25519')
const LINES = ['a', 'b', 'c', 'd'].map((what, n) => JSON.stringify({ n, t: 1, by: 'test', event: what }))

function digest(first: number, ...parts: Uint8Array[]): Buffer {
  return parts.reduce((hash, part) => hash.update(part), createHash('sha256').update(Buffer.of(first))).digest()
}

function heads(lines: readonly string[]): Buffer[] {
  let head: Buffer = Buffer.alloc(32)
  return lines.map((line) => (head = digest(1, head, digest(0, Buffer.from(line)))))
}

function checkpoint(lines: readonly string[], keys: { publicKey: KeyObject; privateKey: KeyObject } = pair): Checkpoint {
  const head = (heads(lines).at(-1) ?? Buffer.alloc(32)).toString('base64')
  const text = `databox ledger v1\n${lines.length}\n${head}\n99\n`
  return {
    size: lines.length,
    head,
    time: 99,
    key: keys.publicKey.export({ format: 'der', type: 'spki' }).subarray(-32).toString('base64'),
    signature: sign(null, Buffer.from(text), keys.privateKey).toString('base64'),
  }
}

function bundle(lines: readonly string[], last: object = checkpoint(lines)) {
  return [utf8([...lines, JSON.stringify(last)].map((line) => `${line}\n`).join(''))]
}

function marked(lines: readonly string[], original: readonly string[]) {
  const marks = Buffer.concat(heads(original).map((head) => head.subarray(0, 4))).toString('base64')
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
  expect(await verify(bundle(changed, checkpoint(LINES)), null)).toMatchObject({ ok: false, problem: 'head' })
})

test('the changed line is named where the bundle marks each line', async () => {
  const changed = LINES.with(2, LINES[2]!.replace('"c"', '"x"'))
  expect(await verify(marked(changed, LINES), null)).toMatchObject({ problem: 'head', line: 2 })
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

test('a History of the same length with another head is found', async () => {
  const other = LINES.with(3, JSON.stringify({ n: 3, event: 'x' }))
  expect(await judge(checkpoint(other), checkpoint(LINES))).toMatchObject({ problem: 'rewritten' })
})

test('another key than the remembered one is found', async () => {
  const other = checkpoint(LINES, generateKeyPairSync('ed25519'))
  expect(await judge(other, checkpoint(LINES))).toMatchObject({ problem: 'key' })
})

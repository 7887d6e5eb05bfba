/**
 * Whether anybody changed the History, found out by the browser itself.
 *
 * A checkpoint signs, by Ed25519, how many lines there are and the root of the tree over them. The
 * browser remembers the last one it saw, and asks for a proof that the tree of now begins with it;
 * on request it takes every line and computes the whole tree. Source: RFC 8032; `tree.ts`.
 */
import { sha256, utf8 } from './proof'
import { consistent, Growing, leafHash, same, type Bytes } from './tree'
import type { Checkpoint } from './types'

export type Problem =
  | 'no-checkpoint'
  | 'not-readable'
  | 'order'
  | 'size'
  | 'content'
  | 'signature'
  | 'key'
  | 'shorter'
  | 'rewritten'
  | 'unproven'

export interface Verdict {
  ok: boolean
  problem?: Problem
  /** Number of the line at fault, where one can be named. */
  line?: number
  checkpoint?: Checkpoint
  /** What this browser remembered when it checked. */
  remembered?: Checkpoint
  /** False where the browser cannot check the signature. */
  signed: boolean
}

const NEWLINE = 0x0a
const MARK = 4

/** What of a page belongs to the bundle, and where the next page begins; null after the last. */
export function parted(page: Bytes): { lines: Bytes; next: number | null } {
  const start = page.lastIndexOf(NEWLINE, -2) + 1
  const found = parse(page.subarray(start)) as { next?: unknown } | null
  if (typeof found?.next !== 'number') return { lines: page, next: null }
  return { lines: page.slice(0, start), next: found.next }
}

/** Check a bundle, page by page, against itself and against what this browser remembers. */
export async function verify(
  pages: AsyncIterable<Bytes> | Iterable<Bytes>,
  remembered: Checkpoint | null,
  tell: (done: number) => void = () => undefined,
): Promise<Verdict> {
  const walk = new Walk(remembered)
  let last: Bytes | undefined
  for await (const page of pages) {
    // Only the line after it says that a line is not the checkpoint.
    const lines: Bytes[] = last ? [last, ...split(page)] : split(page)
    last = lines.pop()
    const wrong = await walk.take(lines)
    if (wrong) return wrong
    tell(walk.size)
  }
  const checkpoint = last && readCheckpoint(last)
  if (!checkpoint) return fault('no-checkpoint')
  const different = firstDifference(walk.marks, readMarks(last!))
  if (different !== undefined) return fault('content', different)
  if (walk.rewritten) return fault('rewritten', undefined, remembered)
  if (checkpoint.size !== walk.size) return fault('size')
  if (checkpoint.root !== base64(await walk.root())) return fault('content')
  const signature = await signatureHolds(checkpoint)
  if (signature === false) return fault('signature')
  return against(checkpoint, remembered) ?? good(checkpoint, signature)
}

/** Check a new checkpoint against the remembered one, by the proof that the box gives for both. */
export async function judge(
  checkpoint: Checkpoint,
  remembered: Checkpoint | null,
  path: readonly string[] = [],
): Promise<Verdict> {
  const signature = await signatureHolds(checkpoint)
  if (signature === false) return fault('signature')
  const wrong = against(checkpoint, remembered)
  if (wrong) return wrong
  if (remembered && !(await consistent(state(remembered), state(checkpoint), path.map(bytes)))) {
    return fault('rewritten', undefined, remembered)
  }
  return good(checkpoint, signature)
}

export function fault(problem: Problem, line?: number, remembered?: Checkpoint | null): Verdict {
  return { ok: false, problem, line, remembered: remembered ?? undefined, signed: false }
}

/** Takes line by line, and keeps of each no more than its mark. */
class Walk {
  marks: number[] = []
  rewritten = false
  #tree = new Growing()
  #remembered: Checkpoint | null

  constructor(remembered: Checkpoint | null) {
    this.#remembered = remembered
  }

  get size(): number {
    return this.#tree.size
  }

  root(): Promise<Bytes> {
    return this.#tree.root()
  }

  async take(lines: readonly Bytes[]): Promise<Verdict | undefined> {
    const hashes = await Promise.all(lines.map(leafHash))
    for (const [at, leaf] of hashes.entries()) {
      const number = readNumber(lines[at]!)
      if (number === null) return fault('not-readable', this.size)
      if (number !== this.size) return fault('order', this.size)
      await this.#tree.add(leaf)
      this.marks.push(...leaf.subarray(0, MARK))
      if (this.size === this.#remembered?.size) {
        this.rewritten = base64(await this.root()) !== this.#remembered.root
      }
    }
    return undefined
  }
}

/** What the two checkpoints alone say. */
function against(checkpoint: Checkpoint, remembered: Checkpoint | null): Verdict | undefined {
  if (!remembered) return undefined
  if (remembered.key !== checkpoint.key) return fault('key', undefined, remembered)
  if (remembered.size > checkpoint.size) {
    return { ...fault('shorter', undefined, remembered), checkpoint }
  }
  if (remembered.size === checkpoint.size && !same(bytes(remembered.root), bytes(checkpoint.root))) {
    return fault('rewritten', undefined, remembered)
  }
  return undefined
}

function good(checkpoint: Checkpoint, signature: boolean | null): Verdict {
  return { ok: true, checkpoint, signed: signature === true }
}

function state(checkpoint: Checkpoint): { size: number; root: Bytes } {
  return { size: checkpoint.size, root: bytes(checkpoint.root) }
}

function split(bundle: Bytes): Bytes[] {
  const lines: Bytes[] = []
  let start = 0
  for (let end = bundle.indexOf(NEWLINE); end >= 0; end = bundle.indexOf(NEWLINE, start)) {
    lines.push(bundle.slice(start, end))
    start = end + 1
  }
  if (start < bundle.length) lines.push(bundle.slice(start))
  return lines
}

function readNumber(line: Bytes): number | null {
  const found = parse(line) as { n?: unknown } | null
  return typeof found?.n === 'number' ? found.n : null
}

function readCheckpoint(line: Bytes): Checkpoint | null {
  const found = parse(line) as Partial<Checkpoint> | null
  const whole =
    typeof found?.size === 'number' &&
    typeof found.time === 'number' &&
    [found.root, found.key, found.signature].every((text) => typeof text === 'string')
  return whole ? (found as Checkpoint) : null
}

/** The first bytes of each hash, by which the line at fault can be named; they prove nothing. */
function readMarks(line: Bytes): Bytes | null {
  const found = parse(line) as { marks?: unknown } | null
  return typeof found?.marks === 'string' ? bytes(found.marks) : null
}

/** The first line whose mark is another; lines beyond the marks have none. */
function firstDifference(ours: readonly number[], marks: Bytes | null): number | undefined {
  const at = marks?.findIndex((byte, index) => index < ours.length && byte !== ours[index]) ?? -1
  return at < 0 ? undefined : Math.floor(at / MARK)
}

function parse(line: Bytes): object | null {
  try {
    const found: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(line))
    return typeof found === 'object' ? found : null
  } catch {
    return null
  }
}

/** Null where the browser knows no Ed25519. */
async function signatureHolds(checkpoint: Checkpoint): Promise<boolean | null> {
  const { size, root, time, key, signature } = checkpoint
  const text = utf8(`${await origin(bytes(key))}\n${size}\n${root}\ntime ${time}\n`)
  let known: CryptoKey
  try {
    known = await crypto.subtle.importKey('raw', bytes(key), 'Ed25519', false, ['verify'])
  } catch {
    return null
  }
  return crypto.subtle.verify('Ed25519', known, bytes(signature), text)
}

/** The name of the History whose checkpoints this key signs. */
async function origin(key: Bytes): Promise<string> {
  const digits = [...(await sha256(key)).subarray(0, 8)].map((byte) => byte.toString(16).padStart(2, '0'))
  return `databox/${digits.join('')}`
}

function base64(part: Bytes): string {
  return btoa(String.fromCharCode(...part))
}

function bytes(text: string): Bytes {
  return Uint8Array.from(atob(text), (char) => char.charCodeAt(0))
}

/**
 * The proof that nobody changed the History, computed in the browser from the lines themselves.
 *
 * A leaf is the exact bytes of a line. `head[n] = SHA-256(0x01 || head[n-1] || SHA-256(0x00 ||
 * leaf))`, beginning with 32 zero bytes. The last line of a bundle is a checkpoint, which signs
 * size, head and time by Ed25519. Source: the leaf hash of RFC 6962, 2.1; RFC 8032.
 */
import { sha256, utf8 } from './proof'
import type { Checkpoint } from './types'

export type Problem =
  | 'no-checkpoint'
  | 'not-readable'
  | 'order'
  | 'size'
  | 'head'
  | 'signature'
  | 'key'
  | 'shorter'
  | 'rewritten'

export interface Verdict {
  ok: boolean
  problem?: Problem
  /** Number of the line at fault, where one can be named. */
  line?: number
  checkpoint?: Checkpoint
  /** False where the browser cannot check the signature. */
  signed: boolean
}

type Bytes = Uint8Array<ArrayBuffer>

const NEWLINE = 0x0a
const TELL_EVERY = 500
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
  const walk = new Walk()
  let last: Bytes | undefined
  let rewritten = false
  for await (const page of pages) {
    for (const line of split(page)) {
      // Only the line after it says that this one is not the checkpoint.
      const wrong = last && (await walk.step(last))
      if (wrong) return wrong
      last = line
      rewritten ||= walk.size === remembered?.size && base64(walk.head) !== remembered.head
      if (walk.size % TELL_EVERY === 0) tell(walk.size)
    }
  }
  const checkpoint = last && readCheckpoint(last)
  if (!checkpoint) return fault('no-checkpoint')
  const different = firstDifference(walk.marks, readMarks(last!))
  if (different !== undefined) return fault('head', different)
  if (rewritten) return fault('rewritten')
  if (checkpoint.size !== walk.size) return fault('size')
  if (checkpoint.head !== base64(walk.head)) return fault('head')
  return judge(checkpoint, remembered)
}

/** Takes line by line, and keeps of each no more than its mark. */
class Walk {
  size = 0
  head: Bytes = new Uint8Array(32)
  marks: number[] = []

  async step(line: Bytes): Promise<Verdict | undefined> {
    const number = readNumber(line)
    if (number === null) return fault('not-readable', this.size)
    if (number !== this.size) return fault('order', this.size)
    this.head = await next(this.head, line)
    this.marks.push(...this.head.subarray(0, MARK))
    this.size += 1
    return undefined
  }
}

/** What a new checkpoint alone says about the remembered one; growth needs the lines to be sure. */
export async function judge(
  checkpoint: Checkpoint,
  remembered: Checkpoint | null,
): Promise<Verdict> {
  const signature = await signatureHolds(checkpoint)
  if (signature === false) return fault('signature')
  if (remembered) {
    if (remembered.key !== checkpoint.key) return fault('key')
    if (remembered.size > checkpoint.size) return fault('shorter')
    if (remembered.size === checkpoint.size && remembered.head !== checkpoint.head) {
      return fault('rewritten')
    }
  }
  return { ok: true, checkpoint, signed: signature === true }
}

function fault(problem: Problem, line?: number): Verdict {
  return { ok: false, problem, line, signed: false }
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
    [found.head, found.key, found.signature].every((text) => typeof text === 'string')
  return whole ? (found as Checkpoint) : null
}

/** The first bytes of each head, by which the line at fault can be named; they prove nothing. */
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

async function next(head: Bytes, leaf: Bytes): Promise<Bytes> {
  return sha256(join(0x01, head, await sha256(join(0x00, leaf))))
}

function join(first: number, ...rest: Bytes[]): Bytes {
  const whole = new Uint8Array(1 + rest.reduce((sum, part) => sum + part.length, 0))
  whole[0] = first
  let at = 1
  for (const part of rest) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

/** Null where the browser knows no Ed25519. */
async function signatureHolds(checkpoint: Checkpoint): Promise<boolean | null> {
  const { size, head, time, key, signature } = checkpoint
  const text = utf8(`databox ledger v1\n${size}\n${head}\n${time}\n`)
  let known: CryptoKey
  try {
    known = await crypto.subtle.importKey('raw', bytes(key), 'Ed25519', false, ['verify'])
  } catch {
    return null
  }
  return crypto.subtle.verify('Ed25519', known, bytes(signature), text)
}

function base64(part: Bytes): string {
  return btoa(String.fromCharCode(...part))
}

function bytes(text: string): Bytes {
  return Uint8Array.from(atob(text), (char) => char.charCodeAt(0))
}

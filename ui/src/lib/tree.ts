/**
 * The tree over the lines of the History, computed in the browser: its root, and what proves that
 * one tree begins with another.
 *
 * A leaf's hash is SHA-256(0x00 || line), a node's SHA-256(0x01 || left || right).
 * Source: RFC 6962, 2.1; RFC 9162, 2.1.4.2 (how a proof is checked).
 */
import { sha256 } from './proof'

export type Bytes = Uint8Array<ArrayBuffer>

export function leafHash(line: Bytes): Promise<Bytes> {
  return sha256(join(0x00, line))
}

/** A tree while its leaves come by; keeps one hash of each level at most. */
export class Growing {
  size = 0
  #levels: (Bytes | undefined)[] = []

  async add(leaf: Bytes): Promise<void> {
    let level = 0
    for (let left = this.#levels[0]; left; left = this.#levels[level]) {
      leaf = await nodeHash(left, leaf)
      this.#levels[level] = undefined
      level += 1
    }
    this.#levels[level] = leaf
    this.size += 1
  }

  async root(): Promise<Bytes> {
    let found: Bytes | undefined
    for (const each of this.#levels) {
      if (each) found = found ? await nodeHash(each, found) : each
    }
    return found ?? sha256(new Uint8Array())
  }
}

interface State {
  size: number
  root: Bytes
}

/** Whether `path` shows that the tree of `now` begins with that of `old`. */
export async function consistent(old: State, now: State, path: readonly Bytes[]): Promise<boolean> {
  if (old.size > now.size) return false
  if (old.size === now.size) return !path.length && same(old.root, now.root)
  if (old.size === 0) return !path.length && same(old.root, await sha256(new Uint8Array()))
  // Where the old tree is one complete part, its root begins the path and is not told again.
  const [first, ...rest] = isPowerOfTwo(old.size) ? [old.root, ...path] : path
  if (!first) return false
  let [at, last] = [old.size - 1, now.size - 1]
  while (at % 2) [at, last] = up(at, last)
  let [before, after] = [first, first]
  for (const each of rest) {
    if (last === 0) return false
    if (at % 2 || at === last) {
      before = await nodeHash(each, before)
      after = await nodeHash(each, after)
      while (at && at % 2 === 0) [at, last] = up(at, last)
    } else {
      after = await nodeHash(after, each)
    }
    ;[at, last] = up(at, last)
  }
  return last === 0 && same(before, old.root) && same(after, now.root)
}

export function same(one: Bytes, other: Bytes): boolean {
  return one.length === other.length && one.every((byte, at) => byte === other[at])
}

function nodeHash(left: Bytes, right: Bytes): Promise<Bytes> {
  return sha256(join(0x01, left, right))
}

/** Division, since shifting cuts to 32 bits. */
function up(at: number, last: number): [number, number] {
  return [Math.floor(at / 2), Math.floor(last / 2)]
}

function isPowerOfTwo(size: number): boolean {
  return Number.isInteger(Math.log2(size))
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

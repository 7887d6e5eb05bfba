/** Calls to the box. Each carries a proof by the browser's own key; there is no cookie. */
import { makeProof } from './proof'
import type { Kept } from './vault'

/** What the box, or the way to it, said no with. The words are for people. */
export class BoxError extends Error {
  override readonly name = 'BoxError'

  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly field = '',
    readonly found = '',
    readonly remedy = '',
  ) {
    super(message)
  }

  /** The box could not be reached at all. */
  get offline(): boolean {
    return this.status === 0
  }
}

export type Method = 'GET' | 'POST'

const TIMEOUT_MS = 30_000

/** One connection to the box: `kept` is null before anybody signed in. */
export class Api {
  kept: Kept | null = null
  /** Called when the box no longer knows this session. */
  onSignedOut: () => void = () => undefined

  async get<T>(path: string, query: Record<string, string> = {}): Promise<T> {
    const search = new URLSearchParams(query).toString()
    return (await this.#send('GET', search ? `${path}?${search}` : path)).json() as Promise<T>
  }

  async post<T>(path: string, body: unknown = {}): Promise<T> {
    return (await this.#send('POST', path, JSON.stringify(body))).json() as Promise<T>
  }

  /** The answer as bytes, for what must be hashed or saved exactly as it came. */
  async bytes(path: string): Promise<Uint8Array<ArrayBuffer>> {
    return new Uint8Array(await (await this.#send('GET', path)).arrayBuffer())
  }

  /** A proof for `path`, for the first frame of a WebSocket. */
  async firstFrame(path: string): Promise<string> {
    const kept = this.kept
    if (!kept) throw new BoxError(401, 'unauthenticated', 'nobody is signed in')
    return JSON.stringify({ session: kept.session, proof: await proof(kept, 'GET', path) })
  }

  async #send(method: Method, path: string, body?: string): Promise<Response> {
    const headers: Record<string, string> = { Accept: 'application/json' }
    if (body !== undefined) headers['Content-Type'] = 'application/json'
    if (this.kept) {
      headers['Authorization'] = `DPoP ${this.kept.session}`
      headers['DPoP'] = await proof(this.kept, method, path)
    }
    const answer = await reach(path, { method, headers, body: body ?? null })
    if (answer.ok) return answer
    const error = await readError(answer)
    if (error.status === 401 && this.kept) this.onSignedOut()
    throw error
  }
}

function proof(kept: Kept, method: Method, path: string): Promise<string> {
  return makeProof(kept.key, {
    method,
    url: new URL(path, location.origin).href,
    session: kept.session,
    now: Math.floor(Date.now() / 1000),
    id: crypto.randomUUID(),
  })
}

async function reach(path: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(path, {
      ...init,
      cache: 'no-store',
      credentials: 'omit',
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    })
  } catch (cause) {
    const slow = cause instanceof DOMException && cause.name === 'TimeoutError'
    throw new BoxError(0, slow ? 'timeout' : 'offline', '')
  }
}

/** Read `{"error": {...}}`, or say only the status when the answer is something else. */
export async function readError(answer: Response): Promise<BoxError> {
  let parts: Record<string, unknown> = {}
  try {
    const body = (await answer.json()) as { error?: Record<string, unknown> }
    parts = body.error ?? {}
  } catch {
    // Not our own words: the status alone must do.
  }
  const text = (key: string) => (typeof parts[key] === 'string' ? (parts[key] as string) : '')
  return new BoxError(
    answer.status,
    text('code') || 'error',
    text('message'),
    text('field'),
    text('found'),
    text('remedy'),
  )
}

/**
 * Proof of possession for each call: a key that never leaves this browser signs what is asked.
 *
 * Cookies ignore ports, so a page on another port of the same name could send one; this key is
 * bound to the exact origin and cannot be read, not even by our own scripts.
 * Source: RFC 9449 (DPoP), RFC 7638 (thumbprint), RFC 7515 (JWS).
 */

const CURVE = { name: 'ECDSA', namedCurve: 'P-256' } as const
const SIGN = { name: 'ECDSA', hash: 'SHA-256' } as const

export interface PublicJwk extends Record<string, string> {
  crv: string
  kty: string
  x: string
  y: string
}

export function makeKey(): Promise<CryptoKeyPair> {
  return crypto.subtle.generateKey(CURVE, false, ['sign', 'verify'])
}

/** The public half as a JWK with only the members that a thumbprint is taken over. */
export async function publicJwk(key: CryptoKeyPair): Promise<PublicJwk> {
  const { crv, kty, x, y } = await crypto.subtle.exportKey('jwk', key.publicKey)
  return { crv: crv ?? '', kty: kty ?? '', x: x ?? '', y: y ?? '' }
}

export function base64url(bytes: Uint8Array): string {
  let binary = ''
  for (const byte of bytes) binary += String.fromCharCode(byte)
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}

export async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
}

export interface Asked {
  method: string
  /** Absolute address; its query and fragment are left out of what is signed. */
  url: string
  session: string
  /** Unix seconds. */
  now: number
  /** Unique for each proof, so that none can be used twice. */
  id: string
}

/** Sign one request. */
export async function makeProof(key: CryptoKeyPair, asked: Asked): Promise<string> {
  const header = { typ: 'dpop+jwt', alg: 'ES256', jwk: await publicJwk(key) }
  const claims = {
    htm: asked.method,
    htu: withoutQuery(asked.url),
    iat: asked.now,
    jti: asked.id,
    ath: base64url(await sha256(utf8(asked.session))),
  }
  const text = `${jsonPart(header)}.${jsonPart(claims)}`
  const signature = await crypto.subtle.sign(SIGN, key.privateKey, utf8(text))
  return `${text}.${base64url(new Uint8Array(signature))}`
}

export function utf8(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text)
}

function jsonPart(value: unknown): string {
  return base64url(utf8(JSON.stringify(value)))
}

function withoutQuery(url: string): string {
  const address = new URL(url)
  return `${address.origin}${address.pathname}`
}

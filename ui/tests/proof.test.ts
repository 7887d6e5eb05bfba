import { expect, test } from 'vitest'

import { base64url, makeKey, makeProof, publicJwk, sha256, utf8 } from '../src/lib/proof'

const asked = { method: 'GET', url: 'http://box.test/api/a?b=1#c', session: 's', now: 7, id: 'once' }

async function read(part: string | undefined): Promise<Record<string, unknown>> {
  return JSON.parse(Buffer.from(part ?? '', 'base64url').toString()) as Record<string, unknown>
}

test('a proof names the call without its query', async () => {
  const [, claims] = (await makeProof(await makeKey(), asked)).split('.')
  expect(await read(claims)).toEqual({
    htm: 'GET',
    htu: 'http://box.test/api/a',
    iat: 7,
    jti: 'once',
    ath: base64url(await sha256(utf8('s'))),
  })
})

test('a proof carries the public key alone', async () => {
  const key = await makeKey()
  const [header] = (await makeProof(key, asked)).split('.')
  expect(await read(header)).toEqual({ typ: 'dpop+jwt', alg: 'ES256', jwk: await publicJwk(key) })
  expect(Object.keys(await publicJwk(key)).sort()).toEqual(['crv', 'kty', 'x', 'y'])
})

test('a proof is signed by the key that it names', async () => {
  const key = await makeKey()
  const [header, claims, signature] = (await makeProof(key, asked)).split('.')
  const holds = await crypto.subtle.verify(
    { name: 'ECDSA', hash: 'SHA-256' },
    key.publicKey,
    Buffer.from(signature ?? '', 'base64url'),
    utf8(`${header}.${claims}`),
  )
  expect(holds).toBe(true)
})

test('the private half cannot be taken out', async () => {
  const { privateKey } = await makeKey()
  await expect(crypto.subtle.exportKey('jwk', privateKey)).rejects.toThrow()
})

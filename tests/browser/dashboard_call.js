// A call of the box's API as the dashboard itself makes it, by the key that the browser keeps.
// Gives the status, or why there was none.
async ({ box, path }) => {
  const settle = (request) =>
    new Promise((resolve, reject) => {
      request.onsuccess = () => resolve(request.result)
      request.onerror = () => reject(request.error)
    })
  const text = (value) => new TextEncoder().encode(value)
  const base64url = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer)))
      .replaceAll('+', '-')
      .replaceAll('/', '_')
      .replaceAll('=', '')
  const part = (value) => base64url(text(JSON.stringify(value)))

  const known = await indexedDB.databases()
  if (!known.some(({ name }) => name === 'databox')) return 'no session here'
  const base = await settle(indexedDB.open('databox'))
  const { session, key } = await settle(
    base.transaction('session').objectStore('session').get('current'),
  )
  base.close()
  const { crv, kty, x, y } = await crypto.subtle.exportKey('jwk', key.publicKey)
  const head = part({ typ: 'dpop+jwt', alg: 'ES256', jwk: { crv, kty, x, y } })
  const body = part({
    htm: 'GET',
    htu: box + path,
    iat: Math.floor(Date.now() / 1000),
    jti: crypto.randomUUID(),
    ath: base64url(await crypto.subtle.digest('SHA-256', text(session))),
  })
  const how = { name: 'ECDSA', hash: 'SHA-256' }
  const signature = await crypto.subtle.sign(how, key.privateKey, text(`${head}.${body}`))
  const answer = await fetch(box + path, {
    headers: { Authorization: `DPoP ${session}`, DPoP: `${head}.${body}.${base64url(signature)}` },
  })
  return answer.status
}

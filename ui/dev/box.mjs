/**
 * An invented box that serves the real bundle under the real policy, to look at every screen:
 *
 *     npm run bundle && node dev/box.mjs [new|locked|empty|full|alarm] [port]
 *
 * It checks that each call carries a proof, and otherwise believes everything.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { dirname, extname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'

import * as data from './data.mjs'

const web = join(dirname(fileURLToPath(import.meta.url)), '../../src/databox/gateway/web')
const [start = 'new', port = '0'] = process.argv.slice(2)
const TYPES = { '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.html': 'text/html' }

const state = {
  status: start === 'new' || start === 'locked' ? start : 'running',
  owner: start === 'new' ? '' : 'Ana',
  installed: (start === 'full' || start === 'alarm') ? ['os-monitor', 'computer-graph', 'hello'] : [],
  stopped: false,
  proven: true,
  code: 'K7QM-2WXP-9RTB-4HJC-V6DN',
}

const json = (answer, body, status = 200) => {
  answer.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' })
  answer.end(typeof body === 'string' ? body : JSON.stringify(body))
}
const no = (answer, status, code, message) => json(answer, { error: { code, message } }, status)

function component(name) {
  const made = data.component(name)
  if (name === 'computer-graph') Object.assign(made, { leaves: true, invented: state.stopped })
  if (name === 'hello') Object.assign(made, { state: 'restarting', detail: 'It ended by itself 4 seconds ago.', restarts: 2 })
  return made
}

function setUp(body, answer) {
  Object.assign(state, { owner: body.name, status: 'running' })
  json(answer, { session: 'mock-session', recovery_code: state.code })
}

function signIn(body, answer) {
  if (body.passphrase?.startsWith('wrong')) return no(answer, 401, 'wrong-passphrase', 'that is not the passphrase')
  state.status = 'running'
  return json(answer, { session: 'mock-session', user: state.owner, expires: Date.now() + 1e9 })
}

/** Method and pattern, then what to answer: (placeholders, body, answer, query). */
const routes = [
  ['GET', '/api/status', (_, __, answer) => json(answer, { state: state.status, owner: state.owner, version: '0.1.0', detail: '' })],
  ['POST', '/api/setup', (_, body, answer) => setUp(body, answer)],
  ['POST', '/api/login', (_, body, answer) => signIn(body, answer)],
  ['POST', '/api/recover', (_, body, answer) => signIn(body, answer)],
  ['POST', '/api/logout', (_, __, answer) => json(answer, {})],
  ['POST', '/api/recovery-proof', (_, { part }, answer) =>
    part.toUpperCase() === state.code.split('-').at(-1) ? json(answer, {}) : no(answer, 400, 'bad-request', 'no')],
  ['POST', '/api/recovery-code', (_, __, answer) => {
    state.proven = false
    json(answer, { recovery_code: state.code })
  }],
  ['GET', '/api/whoami', (_, __, answer) => json(answer, { user: state.owner || 'Ana', role: 'owner', thumbprint: '', expires: 0, proven: state.proven })],
  ['GET', '/api/components', (_, __, answer) => json(answer, { components: state.installed.map(component) })],
  ['GET', '/api/components/:name', ([name], _, answer) =>
    state.installed.includes(name) ? json(answer, component(name)) : no(answer, 404, 'not-found', 'this is not installed')],
  ['GET', '/api/components/:name/consent', ([name], _, answer) => json(answer, { ...data.consent(name, true), installed: true })],
  ['POST', '/api/components/:name/choices', ([name], _, answer) => {
    state.stopped = false
    json(answer, component(name))
  }],
  ['GET', '/api/components/:name/log', (_, __, answer) => json(answer, { text: 'drew 118 values\ndrew 119 values\n' })],
  ['POST', '/api/components/:name/restart', ([name], _, answer) => json(answer, component(name))],
  ['POST', '/api/components/:name/uninstall', ([name], _, answer) => {
    state.installed = state.installed.filter((one) => one !== name)
    json(answer, {})
  }],
  ['GET', '/api/offers', (_, __, answer) =>
    json(answer, { offers: data.offers.map((one) => ({ ...one, installed: state.installed.includes(one.name) })) })],
  ['GET', '/api/offers/:name', ([name], _, answer) => {
    const found = data.consent(name, state.installed.includes('os-monitor'))
    found ? json(answer, found) : no(answer, 404, 'not-found', 'there is no such package')
  }],
  ['POST', '/api/install', (_, { name }, answer) => {
    state.installed.push(name)
    json(answer, component(name))
  }],
  ['GET', '/api/sources', (_, __, answer) => json(answer, { sources: state.installed.includes('os-monitor') ? data.sources : [] })],
  ['GET', '/api/stores/:store/:source/ts/latest', ([, source], _, answer) =>
    json(answer, [{ datasource_id: source, data: data.reading(source, Date.now()), timestamp: Date.now() }])],
  ['GET', '/api/stores/:store/:source/ts/range', ([, source], _, answer, query) => {
    const [from, to] = ['startTimestamp', 'endTimestamp'].map((key) => +query.get(key))
    const records = []
    for (let t = Math.ceil(from / 1000) * 1000; t <= to; t += 1000) {
      records.push({ datasource_id: source, data: data.reading(source, t), timestamp: t })
    }
    json(answer, records)
  }],
  ['GET', '/api/stores/:store/:source/ts/length', (_, __, answer) => json(answer, { length: 1440 })],
  ['POST', '/api/stores/:store/:source/ts/delete', (_, __, answer) => json(answer, { deleted: 1440 })],
  ['GET', '/api/stores/:store/retention', (_, __, answer) => json(answer, { sources: [] })],
  ['GET', '/api/stores/:store/:source/retention', ([, source], _, answer, query) =>
    json(answer, { source, days: +query.get('days'), points: 86_400, drops: 43_200, before: Date.now() - 864e5 })],
  ['POST', '/api/stores/:store/:source/retention', ([, source], { days }, answer) =>
    json(answer, { source, days, points: 86_400, drops: 0, before: null })],
  ['GET', '/api/left', (_, __, answer) => json(answer, { sources: start === 'full' ? [{ name: 'old-scale', store: 'old-scale-store' }] : [] })],
  ['POST', '/api/left/:name/forget', (_, __, answer) => json(answer, {})],
  ['GET', '/api/grants', (_, __, answer) =>
    json(answer, { grants: data.grants(Date.now(), state.installed.includes('computer-graph') && !state.stopped) })],
  ['POST', '/api/stop-access', (_, __, answer) => {
    state.stopped = true
    json(answer, { ended: 3, took_ms: 41 })
  }],
  ['POST', '/api/apps/:name/open', (_, __, answer) => json(answer, { screen: 'views', origin: '', ticket: '' })],
  ['GET', '/api/apps/:name/view', ([name], _, answer) => json(answer, data.screen(name, Date.now(), state.stopped))],
  ['POST', '/api/apps/:name/form', (_, __, answer) => json(answer, {})],
  ['GET', '/api/history', (_, __, answer, query) => {
    const rows = data.history(Date.now()).reverse()
    const kind = query.get('kind')
    json(answer, { rows: rows.filter(({ entry }) => !kind || entry.event.type === kind), next: null })
  }],
  ['GET', '/api/history/bundle', (_, __, answer) => json(answer, data.bundle(data.history(1.79e12), 1.79e12).text)],
  ['GET', '/api/history/consistency', (_, __, answer) => json(answer, { old: 0, size: 0, path: [] })],
  ['GET', '/api/history/reads', (_, __, answer) => json(answer, data.reads(Date.now()))],
  ['GET', '/api/history/alarms', (_, __, answer) => json(answer, { alarms: start === 'alarm' ? data.alarms(Date.now()) : [] })],
  ['POST', '/api/history/accept', (_, __, answer) => json(answer, {})],
  ['GET', '/api/history/checkpoint', (_, __, answer) => json(answer, data.bundle(data.history(1.79e12), 1.79e12).checkpoint)],
  ['GET', '/api/parts', (_, __, answer) =>
    json(answer, { version: '0.1.0', parts: ['authority', 'gateway', 'manager'].map((name) => ({ name, state: 'running', memory: 9e6, cpu: 0, restarts: 0, since: 0, level: 'hard' })) })],
  ['GET', '/api/exports', (_, __, answer) => json(answer, { exports: (start === 'full' || start === 'alarm') ? data.exports(Date.now()).map((one) => ({ ...one, data: '' })) : [] })],
  ['GET', '/api/exports/:id', ([id], _, answer) =>
    json(answer, { ...data.exports(Date.now()).find((one) => one.id === id), data: '{"day":"2026-11-20","mean":31.4,"low":2.1,"high":97.9}' })],
  ['POST', '/api/exports/:id/cancel', ([id], _, answer) => json(answer, { ...data.exports(Date.now())[0], id, state: 'cancelled' })],
  ['POST', '/api/exports/:id/retry', ([id], _, answer) => json(answer, { ...data.exports(Date.now())[0], id, state: 'queued' })],
].map(([method, pattern, act]) => [method, new RegExp(`^${pattern.replaceAll(/:[a-z]+/g, '([^/]+)')}$`), act])

const OPEN = ['/api/status', '/api/setup', '/api/login', '/api/recover']

function api(request, answer, url, body) {
  if (!OPEN.includes(url.pathname) && !holds(request, url)) return no(answer, 401, 'unauthenticated', 'no proof')
  for (const [method, pattern, act] of routes) {
    const found = pattern.exec(url.pathname)
    if (found && method === request.method) {
      return act(found.slice(1).map(decodeURIComponent), body ? JSON.parse(body) : {}, answer, url.searchParams)
    }
  }
  return no(answer, 404, 'not-found', `the invented box has no ${request.method} ${url.pathname}`)
}

/** Shape of the proof only; the signature is the real gateway's matter. */
function holds(request, url) {
  const [, claims = ''] = (request.headers.dpop ?? '').split('.')
  const said = claims && JSON.parse(Buffer.from(claims, 'base64url').toString())
  const session = request.headers.authorization?.replace('DPoP ', '') ?? ''
  const ath = createHash('sha256').update(session).digest('base64url')
  return said && said.htm === request.method && new URL(said.htu).pathname === url.pathname && said.ath === ath
}

const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; worker-src 'self'; manifest-src 'self'; frame-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types svelte-trusted-html"

function page(answer, path) {
  const safe = normalize(path).replace(/^(\.\.[/\\])+/, '')
  const file = extname(safe) ? safe : 'index.html'
  try {
    const body = readFileSync(join(web, file))
    answer.writeHead(200, { 'content-type': TYPES[extname(file)] ?? 'text/plain', 'content-security-policy': POLICY })
    answer.end(body)
  } catch {
    answer.writeHead(404).end()
  }
}

const server = createServer((request, answer) => {
  const url = new URL(request.url, `http://${request.headers.host}`)
  let body = ''
  request.on('data', (part) => (body += part))
  request.on('end', () => (url.pathname.startsWith('/api/') ? api(request, answer, url, body) : page(answer, url.pathname)))
})

/** Just enough of a WebSocket to send short texts. */
server.on('upgrade', (request, socket) => {
  const accept = createHash('sha1')
    .update(`${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
    .digest('base64')
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`)
  const timer = setInterval(() => {
    const t = Date.now()
    for (const { store, id } of data.sources) send(socket, { store, source: id, t, data: data.reading(id, t) })
  }, 1000)
  socket.on('close', () => clearInterval(timer))
  socket.on('error', () => clearInterval(timer))
  socket.resume()
})

function send(socket, message) {
  const text = Buffer.from(JSON.stringify(message))
  const head = text.length < 126 ? Buffer.of(0x81, text.length) : Buffer.of(0x81, 126, text.length >> 8, text.length & 255)
  socket.write(Buffer.concat([head, text]))
}

server.listen(Number(port), '127.0.0.1', () => console.log(`http://databox.localhost:${server.address().port}/`))

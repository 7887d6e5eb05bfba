/** An invented box for looking at the dashboard: one source, two apps, a History with a real chain. */
import { createHash, generateKeyPairSync, sign } from 'node:crypto'
import { readFileSync } from 'node:fs'

const MINUTE = 60_000
const DAY = 86_400_000

export const sources = [
  { id: 'cpu-load', description: 'How busy the processor is', unit: '%', type: 'load' },
  { id: 'free-memory', description: 'Free memory', unit: 'bytes', type: 'memory' },
  { id: 'network-in', description: 'Received from the network', unit: 'bytes', type: 'network' },
].map((row) => ({
  store: 'os-monitor-store',
  vendor: 'Databox',
  store_type: 'store-json',
  actuator: false,
  fields: [],
  driver: 'os-monitor',
  ...row,
}))

export function reading(source, t) {
  const wave = Math.sin(t / 47_000) * 0.5 + Math.sin(t / 9000) * 0.3 + Math.sin(t / 1700) * 0.2
  if (source === 'cpu-load') return Math.round((34 + wave * 26) * 10) / 10
  if (source === 'free-memory') return Math.round(5.1e9 + wave * 4e8)
  return Math.round(40_000 + wave * 30_000)
}

const picture = (path) =>
  `data:image/svg+xml;base64,${readFileSync(new URL(`../../${path}/icon.svg`, import.meta.url)).toString('base64')}`

export const offers = [
  {
    name: 'os-monitor',
    title: 'This computer',
    kind: 'driver',
    version: '0.1.0',
    maker: 'Databox',
    description: 'How busy this computer is, how much memory is free and how much goes over the network, once a second.',
    signer: 'the makers of this box',
    icon: picture('drivers/os-monitor'),
  },
  {
    name: 'computer-graph',
    title: 'Computer graph',
    kind: 'app',
    version: '0.1.0',
    maker: 'Databox',
    description: 'Draws what this computer does, and can send a daily summary to a place of yours.',
    signer: 'the makers of this box',
    icon: picture('apps/computer-graph'),
  },
  {
    name: 'hello',
    title: 'Hello',
    kind: 'app',
    version: '0.1.0',
    maker: 'You',
    description: 'The smallest app there is.',
    signer: 'nobody: built on this box',
    icon: '',
  },
]

export function component(name) {
  const offer = offers.find((one) => one.name === name) ?? offers[2]
  return {
    name,
    title: offer.title,
    kind: offer.kind,
    version: offer.version,
    maker: offer.maker,
    state: 'running',
    detail: '',
    screen: offer.kind === 'driver' ? 'none' : 'views',
    leaves: false,
    invented: false,
    restarts: 0,
    package: 'b3f1'.repeat(16),
    installed: Date.now(),
    description: offer.description,
    level: 'hard',
    memory: 24_500_000,
    icon: offer.icon,
  }
}

export function consent(name, installed) {
  const offer = offers.find((one) => one.name === name)
  if (!offer) return null
  const app = name === 'computer-graph'
  return {
    name,
    title: offer.title,
    kind: offer.kind,
    version: offer.version,
    maker: offer.maker,
    package: 'b3f1'.repeat(16),
    signature: `Signed by ${offer.signer}`,
    icon: offer.icon,
    purpose: offer.description,
    headline: app ? 'Sends to summary.example' : 'Stays on your box',
    leaves: app,
    asks: app
      ? [
          {
            clientid: 'LOAD',
            type: 'load',
            why: 'to draw how busy your computer is',
            required: true,
            exact: ['raw', 'PT1M', 'PT1H'],
            far_back: 1,
            act: false,
            candidates: installed ? sources.filter(({ type }) => type === 'load') : [],
            providers: installed ? [] : [offers[0]].map((one) => ({ ...one, installed: false })),
            current: null,
          },
          {
            clientid: 'MEMORY',
            type: 'memory',
            why: 'to add the free memory as a second line',
            required: false,
            exact: ['raw', 'PT1M'],
            far_back: null,
            act: false,
            candidates: installed ? sources.filter(({ type }) => type !== 'load') : [],
            providers: [],
            current: null,
          },
        ]
      : [],
    exports: app
      ? [
          {
            url: 'https://summary.example/v1/daily',
            host: 'summary.example',
            description: 'A summary once a day.',
            what: 'average, lowest and highest load of the day',
            reply: false,
          },
        ]
      : [],
    outside: [],
    provides: offer.kind === 'driver' ? sources.map(({ description }) => `${description}, each second`) : [],
    notes: [],
    pages: name === 'hello',
    installed: false,
  }
}

export function grants(now, extra) {
  const base = {
    caveats: ['target = os-monitor-store', 'path = "/cpu-load/ts/*"', 'method = GET'],
    since: null,
    ended: null,
    destinations: [],
    exact: 'raw',
  }
  const own = [{ ...base, id: 'g1', client: 'os-monitor', target: 'os-monitor-store', kind: 'own', source: '', until: null, made: now - DAY, last_used: now }]
  if (!extra) return own
  return [
    ...own,
    { ...base, id: 'g2', client: 'computer-graph', target: 'os-monitor-store', kind: 'source', source: 'cpu-load', until: now + 30 * DAY, made: now - 3 * DAY, last_used: now - 2000 },
    { ...base, id: 'g3', client: 'computer-graph', target: 'os-monitor-store', kind: 'source', source: 'free-memory', exact: 'PT1M', until: now + 30 * DAY, made: now - 3 * DAY, last_used: null },
    { ...base, id: 'g4', client: 'computer-graph', target: 'export-service', kind: 'export', source: '', until: now + 30 * DAY, made: now - DAY, last_used: now - 3_600_000, destinations: ['https://summary.example/v1/daily'] },
  ]
}

export function exports(now) {
  const base = { client: 'computer-graph', url: 'https://summary.example/v1/daily', size: 118, sha256: '9f'.repeat(32), tries: 1, next_try: null, detail: '' }
  return [
    { ...base, id: 'e3', state: 'waiting', made: now - 90_000, tries: 0 },
    { ...base, id: 'e2', state: 'retrying', made: now - 40 * MINUTE, tries: 3, next_try: now + 4 * MINUTE, detail: 'The place did not answer.' },
    { ...base, id: 'e1', state: 'sent', made: now - 3 * 3_600_000 },
    { ...base, id: 'e0', state: 'unknown', made: now - DAY },
  ]
}

export function screen(name, now, invented) {
  const t = Array.from({ length: 120 }, (_, back) => now - (119 - back) * 1000)
  const pixel = 'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='
  if (name === 'hello') {
    return { title: 'Everything a screen can show', invented: false, refresh: 5, views: [
      { type: 'text', text: 'Hello, Ana', style: 'large' },
      { type: 'text', text: 'This is plain text that the app gives. <b>It is never HTML.</b>', style: 'normal' },
      { type: 'text', text: 'Two values are missing today.', style: 'warning' },
      { type: 'bars', title: 'Messages by hour', unit: '', labels: ['8', '9', '10', '11', '12', '13'], values: [3, 12, 27, 18, 9, 4] },
      { type: 'list', title: 'Latest', rows: [{ text: 'Tea with Ben', note: 'yesterday', value: '16:00' }, { text: 'Dentist', note: 'next week', value: '09:30' }] },
      { type: 'table', title: 'Files', columns: ['Name', 'Size', 'Changed'], rows: [['report.odt', '48 kB', '12 Nov'], ['photo.jpg', '3.1 MB', '14 Nov']] },
      { type: 'map', title: 'Places', places: [{ lat: 52.2053, lon: 0.1218, label: 'Cambridge', radius: 1000 }] },
      { type: 'form', name: 'ask', title: 'Ask me', button: 'Save', fields: [
        { name: 'who', label: 'Your name', kind: 'text', value: 'Ana', choices: [] },
        { name: 'many', label: 'How many', kind: 'number', value: '3', choices: [] },
        { name: 'colour', label: 'Colour', kind: 'choice', value: 'green', choices: ['red', 'green'] },
        { name: 'loud', label: 'Out loud', kind: 'switch', value: 'false', choices: [] },
      ] },
      { type: 'gallery', title: 'Pictures', pictures: [{ image: pixel, label: 'One pixel' }, { image: pixel, label: '' }] },
    ] }
  }
  return { title: 'Computer graph', invented, refresh: 1, views: [
    { type: 'series', title: 'Load and memory', unit: '%', lines: [
      { label: 'Load', t, v: t.map((at) => reading('cpu-load', at)) },
      { label: 'Memory in use', t, v: t.map((at) => 40 + Math.sin(at / 60_000) * 8) },
    ] },
    { type: 'text', text: 'The last two minutes.', style: 'note' },
  ] }
}

const key = generateKeyPairSync('ed25519')
const raw = key.publicKey.export({ format: 'der', type: 'spki' }).subarray(-32)
const hash = (...parts) => parts.reduce((made, part) => made.update(part), createHash('sha256')).digest()

export function history(now) {
  const events = [
    ['arbiter', { type: 'box-started', version: '0.1.0', clean: true }, 'Your box was started.'],
    ['arbiter', { type: 'login', user: 'Ana', ok: true, how: 'passphrase', session: 'a1' }, 'Ana signed in.'],
    ['manager', { type: 'installed', component: 'os-monitor', kind: 'driver', title: 'This computer', version: '0.1.0', package: 'b3f1', signer: '' }, 'This computer was installed.'],
    ['manager', { type: 'consent', component: 'computer-graph', text: 'Install Computer graph 0.1.0.\nMay see How busy the processor is: Every value, The last day, until 21 Dec 2026.', choices: '{}', user: 'Ana' }, 'Ana chose what Computer graph may see.'],
    ['arbiter', { type: 'granted', grant: 'g2', client: 'computer-graph', target: 'os-monitor-store', routes: ['GET /cpu-load/ts/*'], caveats: [] }, 'Computer graph may see how busy the processor is.'],
    ['store', { type: 'access', store: 'os-monitor-store', client: 'computer-graph', user: '', source: 'cpu-load', exact: 'raw', operation: 'read', count: 10, items: 1200, size: 9000, earliest: now - 60_000, latest: now }, 'Computer graph looked at 1,200 values of how busy the processor is.'],
    ['export-service', { type: 'export-outcome', export: 'e1', client: 'computer-graph', url: 'https://summary.example/v1/daily', outcome: 'sent', status: 200, detail: '' }, 'Computer graph sent 118 bytes to summary.example.'],
    ['arbiter', { type: 'refused', client: 'hello', target: 'os-monitor-store', method: 'GET', path: '/cpu-load/ts/latest', why: 'no grant', count: 3 }, 'Hello asked 3 times for how busy the processor is and was told no.'],
  ]
  return events.map(([by, event, sentence], n) => ({ entry: { n, t: now - (events.length - n) * 9 * MINUTE, by, event }, sentence }))
}

/** Who looked at what. */
export function reads(now) {
  const row = (client, source, exact, count, items, sentence) => ({
    access: { type: 'access', store: 'os-monitor-store', client, user: '', source, exact, operation: 'read', count, items, size: items * 31, earliest: now - 8_000_000, latest: now, label: '' },
    first: now - 7_000_000,
    last: now - 60_000,
    sentence,
  })
  return {
    rows: [
      row('computer-graph', 'cpu-load', 'raw', 1440, 28_800, 'Computer graph read 28,800 values of How busy the processor is'),
      row('computer-graph', 'memory', 'PT1M', 24, 1440, 'Computer graph read 1,440 values of Memory in use, each minute'),
    ],
    since: null,
    until: null,
    more: false,
  }
}

/** A source that was put back. */
export function alarms(now) {
  const event = { type: 'discrepancy', store: 'os-monitor-store', why: 'fewer', known: 1200, found: 800, known_head: '', found_head: '', detail: '' }
  const sentence = 'An older copy of the values of This computer was put back, or its end was cut off: 800 looks on record there, 1,200 were known'
  return [{ entry: { n: 9, t: now, by: 'os-monitor-store', event }, sentence, technical: false }]
}

export function bundle(rows, now) {
  const lines = rows.map(({ entry }) => Buffer.from(JSON.stringify(entry)))
  const root = top(lines.map((line) => hash(Buffer.of(0), line))).toString('base64')
  const name = hash(raw).toString('hex').slice(0, 16)
  const text = `databox/${name}\n${rows.length}\n${root}\ntime ${now}\n`
  const checkpoint = {
    size: rows.length,
    root,
    time: now,
    key: raw.toString('base64'),
    signature: sign(null, Buffer.from(text), key.privateKey).toString('base64'),
  }
  return { checkpoint, text: `${lines.join('\n')}\n${JSON.stringify(checkpoint)}\n` }
}

/** The root of the tree over these leaves. */
function top(leaves) {
  if (leaves.length === 1) return leaves[0]
  let left = 1
  while (left * 2 < leaves.length) left *= 2
  return hash(Buffer.of(1), top(leaves.slice(0, left)), top(leaves.slice(left)))
}

// A button for each way out of a page. `to`: an address outside, with the way's name in its query.
// A click is made on each, so that what browsers allow only after one is tried too.

const add = (tag, attributes) => {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value)
  document.body.append(element)
  return element
}

/** Add something to the page and wait until it is there, or refused. */
const load = (tag, attributes) =>
  new Promise((resolve) => {
    const element = add(tag, attributes)
    element.onload = element.onerror = resolve
  })

/** Look for a way to a peer by a server. `realm`: the window whose own API is used. */
const rtc = async (server, realm = window) => {
  const peer = new realm.RTCPeerConnection({ iceServers: [server] })
  peer.createDataChannel('out')
  await peer.setLocalDescription(await peer.createOffer())
  return peer
}

/** Answer one's own offer as if somebody had, who is to be called at `port`. */
const answerFrom = async (peer, port) => {
  const sdp = peer.localDescription.sdp
    .replace(/a=candidate.*\r\n/g, '')
    .replace(/a=ice-ufrag:.*/, 'a=ice-ufrag:data')
    .replace('a=setup:actpass', 'a=setup:active')
  const candidate = `a=candidate:1 1 udp 2113937151 127.0.0.1 ${port} typ host\r\n`
  await peer.setRemoteDescription({ type: 'answer', sdp: sdp + candidate })
}

const portOf = (to) => new URL(to).port
const stun = (to) => ({ urls: `stun:127.0.0.1:${portOf(to)}` })

const STAYING = {
  fetch: (to) => fetch(to, { mode: 'no-cors' }),
  'fetch that outlives the page': (to) => fetch(to, { mode: 'no-cors', keepalive: true }),
  'fetch of a redirect': (to) => fetch(`/leave?to=${encodeURIComponent(to)}`, { mode: 'no-cors' }),
  beacon: (to) => navigator.sendBeacon(to, 'data'),
  'event source': (to) => new EventSource(to),
  'web socket': (to) => new WebSocket(to.replace(/^http/, 'ws')),
  picture: (to) => load('img', { src: to }),
  'picture by a redirect': (to) => load('img', { src: `/leave?to=${encodeURIComponent(to)}` }),
  script: (to) => load('script', { src: to }),
  'style sheet': (to) => load('link', { rel: 'stylesheet', href: to }),
  'style rule': (to) => (add('style', {}).textContent = `body { background: url("${to}") }`),
  sound: (to) => add('audio', { src: to, preload: 'auto' }),
  object: (to) => load('object', { data: to }),
  frame: (to) => load('iframe', { src: to }),
  'frame of its own text': (to) => load('iframe', { srcdoc: `<img src="${to}">` }),
  worker: (to) => {
    const code = `fetch(${JSON.stringify(to)}, { mode: 'no-cors' })`
    return new Worker(URL.createObjectURL(new Blob([code], { type: 'text/javascript' })))
  },
  'service worker': (to) =>
    navigator.serviceWorker.register(`/service.js?to=${encodeURIComponent(to)}`),
  'prefetching link': (to) => load('link', { rel: 'prefetch', href: to }),
  'preloading link': (to) => load('link', { rel: 'preload', as: 'image', href: to }),
  'new window': (to) => open(to),
  'link to a new window': (to) => add('a', { href: to, target: '_blank' }).click(),
  'ping of a link': (to) => add('a', { href: '#here', ping: to }).click(),
  'call to a peer by UDP': (to) => rtc(stun(to)),
  'call to a peer by TCP': (to) => {
    const urls = `turn:127.0.0.1:${portOf(to)}?transport=tcp`
    return rtc({ urls, username: 'out', credential: 'data' })
  },
  'call to a peer of its own invention': async (to) => answerFrom(await rtc(stun(to)), portOf(to)),
  'call to a peer by a blank frame': (to) => rtc(stun(to), add('iframe', {}).contentWindow),
}

const LEAVING = {
  download: (to) => add('a', { href: to, download: '' }).click(),
  form: (to) => add('form', { action: to, method: 'post' }).submit(),
  location: (to) => (location = to),
  'location by a redirect': (to) => (location = `/leave?to=${encodeURIComponent(to)}`),
  refresh: (to) => add('meta', { 'http-equiv': 'refresh', content: `0; url=${to}` }),
  'headers of the app': (to) => (location = `/headers?to=${encodeURIComponent(to)}`),
  'page around it': (to) => (top.location = to),
}

const attempt = async (name, way) => {
  const outside = window.outside
  await fetch(`/ran?${encodeURIComponent(name)}`)
  return way(`${outside}?way=${encodeURIComponent(name)}`)
}

for (const [name, way] of Object.entries({ ...STAYING, ...LEAVING })) {
  const button = document.createElement('button')
  button.textContent = name
  button.dataset.leaves = name in LEAVING
  button.onclick = () => {
    const said = (text) => (button.dataset.said = text)
    attempt(name, way).then(() => said('done'), (error) => said(error.name))
  }
  document.querySelector('main').append(button)
}

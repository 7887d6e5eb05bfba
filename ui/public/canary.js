/**
 * Tries one way out of the seal around an app's pages; which one, this page's path says. The box
 * serves this page as it serves an app's, listens at the place outside, and judges.
 */
const attempt = location.pathname.slice(1)
const away = `//${new URLSearchParams(location.search).get('away')}.localhost:${location.port}/canary/${attempt}`

/** Tell the box; only after that does a silence outside mean something. */
const tell = (what) => fetch(`/canary/${what}/${attempt}`, { method: 'POST' })

const request = () => fetch(away, { mode: 'no-cors' })

const ways = {
  fetch: request,
  // This one is served with one header only, the one that no other layer covers for.
  allowlist: request,
  image: () =>
    new Promise((end) => {
      const image = new Image()
      image.onload = image.onerror = end
      image.src = away
    }),
  websocket: () =>
    new Promise((end) => {
      const socket = new WebSocket(`ws:${away}`)
      socket.onopen = socket.onerror = end
    }),
  // Whoever can make one reaches any address that it writes into an answer itself.
  webrtc: async () => {
    new (globalThis.RTCPeerConnection ?? globalThis.webkitRTCPeerConnection)()
    await tell('out')
  },
  form: () => {
    const form = document.createElement('form')
    form.method = 'post'
    form.action = away
    document.documentElement.append(form)
    form.submit()
  },
  navigation: () => location.assign(away),
}

/** These two take the page away with them where they succeed. */
const leaves = attempt === 'form' || attempt === 'navigation'

async function run() {
  if (leaves) await tell('ran')
  try {
    await ways[attempt]()
  } catch {
    // The seal may refuse at once, or later, or by silence: all are well.
  }
  if (!leaves) await tell('ran')
}

document.addEventListener('DOMContentLoaded', () => void run())
